//! How runbooks, scenarios and descriptions of applications write a duration.

use std::time::Duration;

/// Units, with how many milliseconds each has. A longer name stands before its beginning.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Reads `500ms`, `60s`, `5m`, `1h`, `1m30s`. `None`: it is none of these, or has more than 2^64 - 1 milliseconds.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut all_ms = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit = |(name, ms): (&str, u64)| Some((ms, after.strip_prefix(name)?));
        let (unit_ms, after) = UNITS.into_iter().find_map(unit)?;
        let ms = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
        all_ms = all_ms.checked_add(ms)?;
        rest = after;
    }
    Some(Duration::from_millis(all_ms))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("0s", Some(0)),
            ("250ms", Some(250)),
            ("90s", Some(90_000)),
            ("1m30s", Some(90_000)),
            ("1h", Some(3_600_000)),
            ("1h1m1s1ms", Some(3_661_001)),
            ("18446744073709551615ms", Some(u64::MAX)),
            ("18446744073709551616ms", None),
            ("18446744073709551615s", None),
            ("18446744073709551615ms1ms", None),
            ("", None),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("1.5s", None),
            ("5 s", None),
            (" 5s", None),
            ("5d", None),
            ("5sm", None),
            ("\u{0665}s", None),
        ] {
            let read = parse(text).map(|it| it.as_millis());
            assert_eq!(read, ms.map(u128::from), "{text}");
        }
    }
}
