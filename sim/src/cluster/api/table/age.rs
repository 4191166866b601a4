//! Ages as people read them (`apimachinery/pkg/util/duration/duration.go` HumanDuration).

use crate::cluster::json::Value;
use crate::cluster::value::{parse_timestamp, text};
use crate::time::Micros;

/// How long ago the time at `path` was.
pub(super) fn since(now: Micros, object: &Value, path: &[&str]) -> String {
    let at = parse_timestamp(text(object, path));
    at.map_or_else(
        || "<unknown>".to_owned(),
        |at| human(now.saturating_sub(at)),
    )
}

/// A duration in two or three significant figures.
pub(super) fn human(span: Micros) -> String {
    let seconds = span.0 / 1_000_000;
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let two = |large: u64, unit: char, small: u64, of: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{of}"),
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        two(minutes, 'm', seconds % 60, 's')
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, 'h', minutes % 60, 'm')
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 192 {
        two(hours / 24, 'd', hours % 24, 'h')
    } else if hours < 24 * 365 * 2 {
        format!("{}d", hours / 24)
    } else if hours < 24 * 365 * 8 {
        two(hours / 24 / 365, 'y', hours / 24 % 365, 'd')
    } else {
        format!("{}y", hours / 24 / 365)
    }
}

#[cfg(test)]
mod tests {
    use super::human;
    use crate::time::Micros;

    #[test]
    fn durations_have_two_or_three_figures() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (700_000, "8d"),
            (63_072_000, "2y"),
            (63_158_400, "2y1d"),
            (400_000_000, "12y"),
        ] {
            assert_eq!(human(Micros::from_secs(seconds)), text, "{seconds}");
        }
    }
}
