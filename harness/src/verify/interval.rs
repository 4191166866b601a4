//! How sure a difference is.
//!
//! - A **difference of times or counts** gets a paired bootstrap: seeds are drawn with replacement, each with both of its results, and the
//!   difference of the statistic is taken anew; the interval holds the middle of these (percentile method). Bounds are values that
//!   can occur, so they are integers, and no distribution is assumed. Percentile rather than BCa: recovery is measured in whole seconds,
//!   and on such lumps the jackknife that BCa corrects by is mostly zero. For the worst value the interval is an indication only
//!   (a resample never exceeds the sample); nothing is decided by it.
//! - A **share of drills** gets the exact interval of Clopper and Pearson. What is decided by it, "none of n", is counted in integers.

use sim::rng::Rng;
use statrs::distribution::{Beta, ContinuousCDF as _};

use crate::stats::percentile;

/// Resamples of a bootstrap: an odd number less than a round one, so that bounds fall on resamples.
const RESAMPLES: usize = 1_999;
/// One minus the confidence of all intervals of one verify together, in millionths.
pub const ALPHA_PPM: u64 = 50_000;

/// What is taken of many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The quantile of so many percent, by nearest rank.
    Percentile(u32),
    /// The sum.
    Sum,
}

impl Statistic {
    fn of(self, values: &mut [u64]) -> i64 {
        let value = match self {
            Self::Percentile(percent) => percentile(values, percent).unwrap_or(0),
            Self::Sum => values.iter().sum(),
        };
        i64::try_from(value).unwrap_or(i64::MAX)
    }
}

/// A difference, candidate less baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The baseline's value.
    pub baseline: i64,
    /// The candidate's value.
    pub candidate: i64,
    /// Lower end of the interval of the difference.
    pub low: i64,
    /// Upper end.
    pub high: i64,
}

impl Difference {
    /// Candidate less baseline.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.candidate - self.baseline
    }
}

/// The difference of `statistic` over `pairs` of (baseline, candidate), with an interval that misses the true one with `alpha_ppm`.
/// `None` of no pair. The same pairs give the same interval.
#[must_use]
pub fn difference(
    pairs: &[(u64, u64)],
    statistic: Statistic,
    alpha_ppm: u64,
) -> Option<Difference> {
    if pairs.is_empty() {
        return None;
    }
    let mut before: Vec<u64> = pairs.iter().map(|p| p.0).collect();
    let mut after: Vec<u64> = pairs.iter().map(|p| p.1).collect();
    let (baseline, candidate) = (statistic.of(&mut before), statistic.of(&mut after));
    let point = candidate - baseline;
    let (mut low, mut high) = (point, point);
    if pairs.iter().any(|(a, b)| a != b) {
        let mut rng = Rng::derive(0, "verify/bootstrap");
        let mut differences: Vec<i64> = (0..RESAMPLES)
            .map(|_| {
                for at in 0..pairs.len() {
                    let drawn = pairs[rng.below(pairs.len() as u64) as usize];
                    (before[at], after[at]) = drawn;
                }
                statistic.of(&mut after) - statistic.of(&mut before)
            })
            .collect();
        differences.sort_unstable();
        let tail = (RESAMPLES as u64 * alpha_ppm / 2 / 1_000_000) as usize;
        low = differences[tail];
        high = differences[RESAMPLES - 1 - tail];
    }
    Some(Difference {
        baseline,
        candidate,
        low,
        high,
    })
}

/// The exact interval of a share of which `hits` of `of` were seen, in millionths (rounded outwards), at 95 %.
#[must_use]
pub fn share_ppm(hits: u64, of: u64) -> (u64, u64) {
    if of == 0 {
        return (0, 1_000_000);
    }
    let hits = hits.min(of);
    let tail = ALPHA_PPM as f64 / 1_000_000.0 / if hits == 0 || hits == of { 1.0 } else { 2.0 };
    let bound = |a: f64, b: f64, at: f64| Beta::new(a, b).map_or(at, |beta| beta.inverse_cdf(at));
    let (hit, miss) = (hits as f64, (of - hits) as f64);
    let low = if hits == 0 {
        0.0
    } else {
        bound(hit, miss + 1.0, tail)
    };
    let high = if hits == of {
        1.0
    } else {
        bound(hit + 1.0, miss, 1.0 - tail)
    };
    let ppm = |share: f64| (share * 1_000_000.0).clamp(0.0, 1_000_000.0);
    (ppm(low).floor() as u64, ppm(high).ceil() as u64)
}

/// How many trials without a hit show at 95 % that hits are no more frequent than `share_ppm`: the smallest n with
/// (1 - share)^n at most 5 %. In integers, as it decides.
#[must_use]
pub fn trials_needed(share_ppm: u32) -> u64 {
    const ONE: u128 = 1_000_000_000_000_000_000;
    let keep = 1_000_000 - u128::from(share_ppm.clamp(1, 1_000_000));
    let limit = ONE * u128::from(ALPHA_PPM) / 1_000_000;
    let (mut left, mut n) = (ONE, 0);
    while left > limit {
        left = left * keep / 1_000_000;
        n += 1;
    }
    n
}

/// How many trials would bring the difference's interval clear of `margin`, if it shrinks as the root of their number grows.
/// `None`: the difference is the margin itself, or so near to it that no sensible number would do.
#[must_use]
pub fn pairs_to_settle(difference: &Difference, margin: i64, pairs: u64) -> Option<u64> {
    let point = difference.value();
    let reach = if point > margin {
        point - difference.low
    } else {
        difference.high - point
    };
    let gap = margin.abs_diff(point);
    if gap == 0 {
        return None;
    }
    let needed =
        u128::from(pairs) * u128::from(reach.unsigned_abs()).pow(2) / u128::from(gap).pow(2) + 1;
    u64::try_from(needed).ok().filter(|n| *n <= 1_000_000)
}

/// The confidence of an interval, in percent.
pub(super) fn confidence(alpha_ppm: u64) -> String {
    let ppm = 1_000_000 - alpha_ppm;
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_three_and_its_neighbours() {
        assert_eq!(trials_needed(10_000), 299);
        assert_eq!(trials_needed(100), 29_956);
        assert_eq!(trials_needed(500_000), 5);
        assert_eq!(trials_needed(1_000_000), 1);
        let (low, high) = share_ppm(0, 299);
        assert_eq!(low, 0);
        assert!((9_900..=10_000).contains(&high), "{high}");
    }

    #[test]
    fn clopper_and_pearson_as_published() {
        // 4 of 20: 5.73 % to 43.66 %.
        let (low, high) = share_ppm(4, 20);
        assert!((57_300..57_400).contains(&low), "{low}");
        assert!((436_500..436_700).contains(&high), "{high}");
        assert_eq!(share_ppm(0, 0), (0, 1_000_000));
        assert_eq!(share_ppm(7, 7).1, 1_000_000);
    }

    #[test]
    fn a_shift_of_every_pair_is_exact_and_noise_is_not() {
        let shifted: Vec<(u64, u64)> = (0..50).map(|i| (1_000 + i, 1_500 + i)).collect();
        let d = difference(&shifted, Statistic::Percentile(50), ALPHA_PPM).expect("pairs");
        assert_eq!((d.value(), d.low, d.high), (500, 500, 500));
        let noisy: Vec<(u64, u64)> = (0..50).map(|i| (1_000, 1_000 + i % 7 * 100)).collect();
        let d = difference(&noisy, Statistic::Percentile(50), ALPHA_PPM).expect("pairs");
        assert!(d.low < d.value() && d.value() < d.high, "{d:?}");
        assert_eq!(
            d,
            difference(&noisy, Statistic::Percentile(50), ALPHA_PPM).expect("pairs")
        );
        assert_eq!(difference(&[], Statistic::Sum, ALPHA_PPM), None);
    }

    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        // Pairs whose true median difference is 0: the interval must hold it in about 95 of 100 samples.
        let mut rng = Rng::derive(11, "coverage");
        let covered = (0..200)
            .filter(|_| {
                let pairs: Vec<(u64, u64)> = (0..40)
                    .map(|_| (10_000 + rng.below(1_000), 10_000 + rng.below(1_000)))
                    .collect();
                let d = difference(&pairs, Statistic::Percentile(50), ALPHA_PPM).expect("pairs");
                d.low <= 0 && 0 <= d.high
            })
            .count();
        assert!((180..=200).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn what_would_settle_it() {
        let d = Difference {
            baseline: 0,
            candidate: 4_000,
            low: 2_000,
            high: 6_000,
        };
        assert_eq!(pairs_to_settle(&d, 5_000, 100), Some(401));
        assert_eq!(pairs_to_settle(&d, 4_000, 100), None);
    }

    #[test]
    fn a_confidence_has_no_more_digits_than_it_needs() {
        assert_eq!(
            (confidence(50_000), confidence(12_500)),
            ("95".to_owned(), "98.75".to_owned())
        );
    }
}
