//! Statistics over drills.

use statrs::distribution::{Beta, ContinuousCDF as _};

/// The `percent` quantile by nearest rank: the smallest value that at least that share does not
/// exceed. `None` of nothing. Sorts `values`.
#[must_use]
pub fn percentile(values: &mut [u64], percent: u32) -> Option<u64> {
    values.sort_unstable();
    let rank = (values.len() as u64 * u64::from(percent.min(100)))
        .div_ceil(100)
        .max(1);
    values.get(usize::try_from(rank - 1).ok()?).copied()
}

/// The median: the middle value, or the mean of the two in the middle, rounded down. `None` of nothing. Sorts `values`.
#[must_use]
pub fn median(values: &mut [u64]) -> Option<u64> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(lower.midpoint(upper))
}

/// How many standard errors an interval at 95 % reaches to either side.
const REACH: f64 = 1.96;

/// The mean of what the first of two is more than the second, with the ends of its interval at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Of how many pairs.
    pub pairs: usize,
    /// The mean.
    pub mean: i64,
    /// The lower end.
    pub least: i64,
    /// The upper end.
    pub most: i64,
}

/// The mean difference of the pairs in which there are both, first less second; `None` of fewer than two such pairs.
#[must_use]
pub fn paired(pairs: impl IntoIterator<Item = (Option<u64>, Option<u64>)>) -> Option<Paired> {
    let differences: Vec<f64> = pairs
        .into_iter()
        .filter_map(|(first, second)| Some(first? as f64 - second? as f64))
        .collect();
    let (mean, reach) = interval(&differences)?;
    let [mean, least, most] = [mean, mean - reach, mean + reach].map(|it| it.round() as i64);
    Some(Paired {
        pairs: differences.len(),
        mean,
        least,
        most,
    })
}

/// The mean, and how far its interval at 95 % reaches to either side; `None` of fewer than two values.
fn interval(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|it| (it - mean).powi(2)).sum();
    Some((mean, REACH * (squares / (n - 1.0) / n).sqrt()))
}

/// What is saved, in ms, with the ends of its interval: `31.0 s (29.0 s to 33.0 s)`.
#[must_use]
pub fn show_saved(saved: Option<[i64; 3]>) -> String {
    saved.map_or_else(
        || "–".to_owned(),
        |[mean, least, most]| {
            let [mean, least, most] = [mean, least, most].map(show_tenths);
            format!("{mean} ({least} to {most})")
        },
    )
}

/// Milliseconds as seconds with one decimal and a sign: `-1.2 s`.
#[must_use]
pub fn show_tenths(ms: i64) -> String {
    let tenths = (ms.unsigned_abs() + 50) / 100;
    let sign = if ms < 0 && tenths > 0 { "-" } else { "" };
    format!("{sign}{}.{} s", tenths / 10, tenths % 10)
}

/// `part` of `whole` in millionths, rounded up, so that something never reads as nothing.
#[must_use]
pub fn parts_per_million(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| {
        u64::try_from((u128::from(part) * 1_000_000).div_ceil(u128::from(whole)))
            .unwrap_or(u64::MAX)
    })
}

/// The exact (Clopper-Pearson) upper bound at 95 % confidence of a share of which `part` of `whole` were seen, in
/// thousandths of a millionth and rounded up: were the share that large, no more than `part` would be seen in one case
/// of twenty. Of nothing seen it is the whole.
#[must_use]
pub fn upper_bound_ppb(part: u64, whole: u64) -> u64 {
    const WHOLE: u64 = 1_000_000_000;
    if part >= whole {
        return WHOLE;
    }
    let (hits, misses) = (part as f64 + 1.0, (whole - part) as f64);
    let bound = Beta::new(hits, misses).map_or(1.0, |beta| beta.inverse_cdf(0.95));
    ((bound * WHOLE as f64).ceil() as u64).min(WHOLE)
}

/// The exact (Clopper-Pearson) interval at 95 % confidence of a share of which `part` of `whole` were seen, in
/// millionths; its lower end is rounded down, and its upper end up. Of nothing seen it is everything.
#[must_use]
pub fn interval_ppm(part: u64, whole: u64) -> (u64, u64) {
    const WHOLE: f64 = 1_000_000.0;
    let part = part.min(whole);
    let quantile = |hits: u64, misses: u64, share: f64, otherwise: f64| {
        let beta = Beta::new(hits as f64, misses as f64);
        beta.map_or(otherwise, |beta| beta.inverse_cdf(share))
    };
    // A shape of 0 is no distribution, and where it would be one, the end of the range is the bound.
    let lower = quantile(part, whole - part + 1, 0.025, 0.0);
    let upper = quantile(part + 1, whole - part, 0.975, 1.0);
    (
        (lower * WHOLE).floor() as u64,
        ((upper * WHOLE).ceil() as u64).min(1_000_000),
    )
}

/// Thousandths of a millionth as a percentage, rounded up: `0.00999%`.
#[must_use]
pub fn show_ppb(ppb: u64) -> String {
    let shown = ppb.div_ceil(100);
    format!("{}.{:05}%", shown / 100_000, shown % 100_000)
}

/// Milliseconds for people: `0.480 s`, `72.1 s`, `4m 02s`, `3d 07h`.
#[must_use]
pub fn show_ms(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{:03} s", ms / 1_000, ms % 1_000),
        10_000..100_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        100_000..172_800_000 => format!("{}m {:02}s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{}d {:02}h", ms / 86_400_000, ms / 3_600_000 % 24),
    }
}

/// Millionths as a percentage: `0.0042%`.
#[must_use]
pub fn show_ppm(ppm: u64) -> String {
    format!("{}.{:04}%", ppm / 10_000, ppm % 10_000)
}

/// Thousandths as a percentage: `4.2%`.
#[must_use]
pub fn show_permille(permille: u64) -> String {
    format!("{}.{}%", permille / 10, permille % 10)
}

/// An integer with thousands set apart by commas.
#[must_use]
pub fn show_count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let hundred = || (1..=100).rev().collect::<Vec<u64>>();
        for (percent, value) in [(0, 1), (1, 1), (50, 50), (99, 99), (100, 100), (200, 100)] {
            assert_eq!(
                percentile(&mut hundred(), percent),
                Some(value),
                "{percent}"
            );
        }
        assert_eq!(percentile(&mut [7], 50), Some(7));
        assert_eq!(percentile(&mut [3, 1], 50), Some(1));
        assert_eq!(percentile(&mut [3, 1], 51), Some(3));
        assert_eq!(percentile(&mut [], 50), None);
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median(&mut [5, 1, 3]), Some(3));
        assert_eq!(median(&mut [7, 1, 3, 4]), Some(3));
        assert_eq!(median(&mut [u64::MAX, u64::MAX]), Some(u64::MAX));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn pairs_count_where_both_are_there() {
        let pairs = [
            (Some(10), Some(4)),
            (None, Some(4)),
            (Some(12), Some(4)),
            (Some(1), None),
        ];
        let found = paired(pairs).expect("two are whole");
        assert_eq!((found.pairs, found.mean), (2, 7));
        // 1.96 standard errors of 1.
        assert_eq!((found.least, found.most), (5, 9));
        assert_eq!(paired([(Some(1), Some(2))]), None);
    }

    #[test]
    fn one_error_never_reads_as_none() {
        assert_eq!(parts_per_million(1, 100_000_000), Some(1));
        assert_eq!(parts_per_million(0, 5), Some(0));
        assert_eq!(parts_per_million(0, 0), None);
        assert_eq!(parts_per_million(u64::MAX, u64::MAX), Some(1_000_000));
    }

    #[test]
    fn the_bound_is_exact() {
        // The rule of three, and what one, two and more errors cost.
        for (errors, requests, below) in [
            (0, 29_950, false),
            (0, 30_000, true),
            (1, 30_000, false),
            (2, 30_000, false),
            (1, 47_500, true),
            (8, 150_000, true),
            (9, 150_000, false),
        ] {
            let bound = upper_bound_ppb(errors, requests);
            assert_eq!(bound < 100_000, below, "{errors} of {requests}: {bound}");
        }
        // As published: 0.0158 % and 0.0210 % for one and two of 30,000.
        assert_eq!(upper_bound_ppb(1, 30_000) / 1_000, 158);
        assert_eq!(upper_bound_ppb(2, 30_000) / 1_000, 209);
        assert_eq!(upper_bound_ppb(0, 0), 1_000_000_000);
        assert_eq!(upper_bound_ppb(5, 5), 1_000_000_000);
        assert_eq!(show_ppb(99_853), "0.00999%");
    }

    #[test]
    fn the_interval_is_exact() {
        // Of 10 all, none and seven: as tables of the interval have them, in tenths of a percent.
        for ((part, whole), tenths) in [
            ((10, 10), (691, 1_000)),
            ((0, 10), (0, 308)),
            ((7, 10), (347, 933)),
            ((19, 20), (751, 998)),
            ((50, 100), (398, 601)),
            ((0, 0), (0, 1_000)),
        ] {
            let (lower, upper) = interval_ppm(part, whole);
            assert_eq!((lower / 1_000, upper / 1_000), tenths, "{part} of {whole}");
        }
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(show_ms(480), "0.480 s");
        assert_eq!(show_ms(72_190), "72.1 s");
        assert_eq!(show_ms(242_000), "4m 02s");
        assert_eq!(show_ms(86_400_000), "1440m 00s");
        assert_eq!(show_ms(284_400_000), "3d 07h");
        assert_eq!(show_ppm(42), "0.0042%");
        assert_eq!(show_permille(42), "4.2%");
        assert_eq!(show_count(1_234_567), "1,234,567");
        assert_eq!(show_count(0), "0");
        assert_eq!(show_count(123), "123");
    }
}
