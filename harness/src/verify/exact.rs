//! Exact statements about pairs of drills: nothing is resampled, and no distribution of times is assumed.
//!
//! - **Is a measure worse?** Each pair either is worse by more than the margin or is not, so their number is binomial.
//!   The sign test holds it against one half ([`at_least`]): if that is refuted, more than half of all drills get worse
//!   by more than the margin.
//! - **How rare is it?** The interval of Clopper and Pearson for the share of such pairs ([`share_ppm`]);
//!   to show that it is below 1 % at 95 % takes 299 pairs without one ([`trials_needed`]).
//! - **By how much at worst?** An order statistic of the paired differences bounds their 99th percentile from above
//!   ([`upper_bound`]). With fewer than 299 pairs there is no such bound at 95 %, whatever they are.
//! - **How many questions are asked?** Holm's step-down procedure ([`holm`]) keeps the probability that any of them is
//!   answered wrongly.
//!
//! Sources: Clopper and Pearson, Biometrika 26 (1934); Holm, Scandinavian Journal of Statistics 6 (1979);
//! David and Nagaraja, Order Statistics, section 7.1 (bounds of quantiles).

use statrs::distribution::{Beta, ContinuousCDF as _};
use statrs::function::beta::beta_reg;

/// One minus the confidence of one verify as a whole, in millionths.
pub const ALPHA_PPM: u64 = 50_000;

/// What a difference is where the baseline recovers and the candidate never does.
pub const NEVER: i64 = i64::MAX;

/// The probability that at least `hits` of `of` trials hit, if each does with the probability `share` (0 to 1).
#[must_use]
pub fn at_least(hits: u64, of: u64, share: f64) -> f64 {
    if hits == 0 {
        return 1.0;
    }
    if hits > of || share <= 0.0 {
        return 0.0;
    }
    if share >= 1.0 {
        return 1.0;
    }
    // The tail of the binomial is the regularised incomplete beta function.
    beta_reg(hits as f64, (of - hits + 1) as f64, share)
}

/// The p-value of the exact test of McNemar, one-sided: as many pairs that got worse, or more, if each of the `worse +
/// better` that differ were as likely to get better.
#[must_use]
pub fn mcnemar(worse: u64, better: u64) -> f64 {
    at_least(worse, worse + better, 0.5)
}

/// Which of the hypotheses with these p-values are rejected, if the probability of rejecting any true one is to stay
/// within `alpha` (0 to 1).
#[must_use]
pub fn holm(p_values: &[f64], alpha: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut rejected = vec![false; p_values.len()];
    for (rank, at) in order.into_iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        if p_values[at] * left > alpha {
            break;
        }
        rejected[at] = true;
    }
    rejected
}

/// The exact interval of a share of which `hits` of `of` were seen, in millionths (rounded outwards), at 95 %.
/// One-sided if all or none hit.
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

/// Whether `hits` of `of` show at 95 % that hits are rarer than `share_ppm` millionths: so few would be seen with at
/// most 5 %, were they not.
#[must_use]
pub fn is_rarer(hits: u64, of: u64, share_ppm: u32) -> bool {
    if hits == 0 {
        // In integers, so that the smallest number of trials is the one that is told.
        return of >= trials_needed(share_ppm);
    }
    let share = f64::from(share_ppm) / 1_000_000.0;
    hits < of && 1.0 - at_least(hits + 1, of, share) <= ALPHA_PPM as f64 / 1_000_000.0
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

/// How many trials would be enough to show that hits are rarer than `share_ppm`, if they go on as `hits` of `of` did.
/// `None`: hits are so frequent that no number up to a million would.
#[must_use]
pub(super) fn trials_to_show(hits: u64, of: u64, share_ppm: u32) -> Option<u64> {
    let least = trials_needed(share_ppm);
    if hits == 0 {
        return Some(least);
    }
    let go_on = |n: u64| (u128::from(hits) * u128::from(n)).div_ceil(u128::from(of.max(1)));
    let mut n = least.max(of);
    while n <= 1_000_000 {
        let hits = u64::try_from(go_on(n)).unwrap_or(u64::MAX);
        if is_rarer(hits, n, share_ppm) {
            return Some(n);
        }
        n += n / 16 + 1;
    }
    None
}

/// A bound from above of the quantile `share_ppm` of what `values` are drawn from, at 95 %: the smallest of them of
/// which so many lie at or above that it is one. `None`: there are too few;
/// 299 are needed for the 99th percentile. Sorts `values`.
#[must_use]
pub fn upper_bound(values: &mut [i64], share_ppm: u32) -> Option<i64> {
    values.sort_unstable();
    let of = values.len() as u64;
    // The k-th largest is a bound if fewer than k values beyond the quantile would be seen with at most 5 %.
    let beyond = 1_000_000 - share_ppm.min(1_000_000);
    let hits = (0..of).take_while(|hits| is_rarer(*hits, of, beyond));
    let above = hits.last()?;
    values.get(usize::try_from(of - 1 - above).ok()?).copied()
}

/// An interval of the median of what `values` are drawn from, at 95 % or more: a pair of order statistics.
/// `None`: there are fewer than six, of which even the least and the greatest hold the median with less (five:
/// 93.75 %). Sorts `values`.
#[must_use]
pub fn median_interval(values: &mut [i64]) -> Option<(i64, i64)> {
    values.sort_unstable();
    let of = values.len() as u64;
    let tail = ALPHA_PPM as f64 / 2_000_000.0;
    // At most `outside` of the values lie below the median with more than the tail's probability.
    let outside = (0..of / 2)
        .take_while(|outside| 1.0 - at_least(outside + 1, of, 0.5) <= tail)
        .last()?;
    let at = usize::try_from(outside).ok()?;
    Some((values[at], values[values.len() - 1 - at]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The probability of each number of hits, by going through the trials one by one.
    fn by_trial(of: u64, share: f64) -> Vec<f64> {
        let mut known = vec![1.0];
        for _ in 0..of {
            let mut next = vec![0.0; known.len() + 1];
            for (hits, p) in known.iter().enumerate() {
                next[hits] += p * (1.0 - share);
                next[hits + 1] += p * share;
            }
            known = next;
        }
        known
    }

    /// Holm's procedure by its definition: the smallest p-value that fails its own comparison ends it.
    fn holm_by_definition(p: &[f64], alpha: f64) -> Vec<bool> {
        let m = p.len();
        let rank = |at: usize| {
            (0..m)
                .filter(|other| p[*other] < p[at] || (p[*other] == p[at] && *other < at))
                .count()
        };
        let passes = |at: usize| p[at] * (m - rank(at)) as f64 <= alpha;
        (0..m)
            .map(|at| (0..m).filter(|other| rank(*other) <= rank(at)).all(passes))
            .collect()
    }

    proptest! {
        #[test]
        fn tails_are_those_of_trial_by_trial(of in 0_u64..60, hits in 0_u64..62, percent in 0_u32..=100) {
            let share = f64::from(percent) / 100.0;
            let exact: f64 = by_trial(of, share).iter().skip(hits as usize).sum();
            prop_assert!((at_least(hits, of, share) - exact).abs() < 1e-9);
        }

        #[test]
        fn holm_is_what_it_is_defined_as(p in proptest::collection::vec(0.0_f64..0.2, 0..12)) {
            prop_assert_eq!(holm(&p, 0.05), holm_by_definition(&p, 0.05));
        }

        #[test]
        fn rarer_is_said_with_at_most_five_percent_of_error(of in 1_u64..400, permille in 5_u32..500) {
            // Were hits exactly as frequent as that, the numbers of hits that say "rarer" come up with at most 5 %.
            let exact = by_trial(of, f64::from(permille) / 1_000.0);
            let wrong: f64 = (0..=of)
                .filter(|hits| is_rarer(*hits, of, permille * 1_000))
                .map(|hits| exact[hits as usize])
                .sum();
            prop_assert!(wrong <= 0.05 + 1e-9, "{wrong}");
        }

        #[test]
        fn a_bound_of_a_quantile_misses_it_with_at_most_five_percent(of in 1_u64..400, percent in 50_u32..100) {
            // Which order statistic is the bound depends on the number of values alone; ranks stand in for the values.
            let mut ranks: Vec<i64> = (0..of as i64).collect();
            let Some(rank) = upper_bound(&mut ranks, percent * 10_000) else {
                let keep = f64::from(percent) / 100.0;
                prop_assert!(keep.powi(of as i32) > 0.05 - 1e-9);
                return Ok(());
            };
            // It is below the quantile if more than `rank` values are: each is with the quantile's own share.
            let below: f64 = by_trial(of, f64::from(percent) / 100.0).iter().skip(rank as usize + 1).sum();
            prop_assert!(below <= 0.05 + 1e-9, "{below}");
        }

        #[test]
        fn an_interval_of_the_median_holds_it_with_95_percent(of in 1_u64..80) {
            let mut ranks: Vec<i64> = (0..of as i64).collect();
            let exact = by_trial(of, 0.5);
            match median_interval(&mut ranks) {
                None => prop_assert!(of < 6),
                Some((low, high)) => {
                    let outside: f64 = exact[..=low as usize].iter().sum::<f64>()
                        + exact[high as usize + 1..].iter().sum::<f64>();
                    prop_assert!(outside <= 0.05 + 1e-9, "{outside}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_rejection_by_any_of_many_is_as_rare_as_said() {
        // All pairs of three scenarios and two measures at their hypothesis' edge:
        // by brute force over the numbers of one measure.
        let (of, measures) = (12_u64, 6_usize);
        let exact = by_trial(of, 0.5);
        let kept: f64 = (0..=of)
            .filter(|hits| {
                let mut p = vec![1.0; measures];
                p[0] = at_least(*hits, of, 0.5);
                !holm(&p, 0.05)[0]
            })
            .map(|hits| exact[hits as usize])
            .sum();
        assert!(1.0 - kept.powi(measures as i32) <= 0.05);
        // Without a correction it would be said far too often.
        let alone: f64 = (0..=of)
            .filter(|hits| at_least(*hits, of, 0.5) > 0.05)
            .map(|hits| exact[hits as usize])
            .sum();
        assert!(1.0 - alone.powi(measures as i32) > 0.05);
    }

    #[test]
    fn a_slow_hundredth_is_not_taken_for_none() {
        // One drill in fifty is slower: with 20 or 100 drills nothing is shown, even where none happens to be.
        assert!(!is_rarer(0, 20, 10_000) && !is_rarer(0, 100, 10_000));
        let exact = by_trial(299, 0.02);
        let adopted: f64 = (0..=299)
            .filter(|hits| is_rarer(*hits, 299, 10_000))
            .map(|hits| exact[hits as usize])
            .sum();
        assert!(adopted < 0.003, "{adopted}");
    }

    #[test]
    fn the_rule_of_three_and_its_neighbours() {
        assert_eq!(trials_needed(10_000), 299);
        assert_eq!(trials_needed(100), 29_956);
        assert_eq!(trials_needed(500_000), 5);
        assert_eq!(trials_needed(1_000_000), 1);
        let (low, high) = share_ppm(0, 299);
        assert_eq!(low, 0);
        assert!((9_900..=10_000).contains(&high), "{high}");
        assert_eq!(trials_to_show(0, 20, 10_000), Some(299));
        assert!(trials_to_show(1, 1_000, 10_000).is_some_and(|n| n <= 1_100));
        assert_eq!(trials_to_show(3, 100, 10_000), None);
    }

    #[test]
    fn the_p99_needs_299_values() {
        let mut values: Vec<i64> = (0..298).collect();
        assert_eq!(upper_bound(&mut values, 990_000), None);
        values.push(298);
        assert_eq!(upper_bound(&mut values, 990_000), Some(298));
        // From 473 on the second largest will do.
        let mut values: Vec<i64> = (0..473).collect();
        assert_eq!(upper_bound(&mut values, 990_000), Some(471));
        let mut values: Vec<i64> = (0..472).collect();
        assert_eq!(upper_bound(&mut values, 990_000), Some(471));
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
}
