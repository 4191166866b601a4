//! What failures among requests show about the rate behind them: exact one-sided bounds of a binomial proportion
//! (C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
//! 1934).
//!
//! `failures` of `requests` show at 95 % that the rate is below `rate` if so few would be seen in less than one case in
//! twenty where the rate is `rate`.

use statrs::function::beta::checked_beta_reg;

/// One minus the confidence.
const ALPHA: f64 = 0.05;

/// Whether `failures` of `requests` show that fewer than `rate` (between 0 and 1) of all requests fail.
pub(super) fn shows(failures: u64, requests: u64, rate: f64) -> bool {
    at_most(failures, requests, rate) < ALPHA
}

/// The rate that `failures` of `requests` show: the upper bound, between 0 and 1.
pub(super) fn upper(failures: u64, requests: u64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if shows(failures, requests, middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// How many requests are needed to show `rate` with `failures` among them.
pub(super) fn needed(failures: u64, rate: f64) -> u64 {
    if rate <= 0.0 || rate.is_nan() {
        return u64::MAX;
    }
    let mut enough = failures.max(1);
    while !shows(failures, enough, rate) {
        let Some(more) = enough.checked_mul(2).filter(|it| *it < 1 << 52) else {
            return u64::MAX;
        };
        enough = more;
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if shows(failures, middle, rate) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    enough
}

/// The probability of at most `failures` among `requests` that each fail with probability `rate`: a regularised
/// incomplete beta function.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of requests are far below 2^52"
)]
fn at_most(failures: u64, requests: u64, rate: f64) -> f64 {
    if failures >= requests || rate <= 0.0 {
        return 1.0;
    }
    if rate >= 1.0 {
        return 0.0;
    }
    let (without, with) = ((requests - failures) as f64, failures as f64 + 1.0);
    // Out of its range is no proof.
    checked_beta_reg(without, with, 1.0 - rate).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::{at_most, needed, shows, upper};

    #[test]
    fn without_a_failure_the_bound_is_known_in_closed_form() {
        // 1 - 0.05^(1/n)
        for n in [100_u32, 12_000, 30_000] {
            let exact = 1.0 - 0.05_f64.powf(1.0 / f64::from(n));
            assert!((upper(0, u64::from(n)) - exact).abs() < 1e-12, "{n}");
        }
    }

    #[test]
    fn thirty_thousand_requests_show_one_in_ten_thousand_only_without_a_failure() {
        assert!(shows(0, 30_000, 0.0001));
        assert!(!shows(1, 30_000, 0.0001));
        assert!(!shows(2, 30_000, 0.0001));
        // 0.016 % and 0.021 %, as tables have them.
        assert!((upper(1, 30_000) - 0.000_158).abs() < 1e-6);
        assert!((upper(2, 30_000) - 0.000_210).abs() < 1e-6);
    }

    #[test]
    fn what_is_needed_is_just_enough() {
        for (failures, rate) in [
            (0, 0.0001),
            (1, 0.0001),
            (7, 0.0001),
            (0, 0.01),
            (50, 0.001),
        ] {
            let n = needed(failures, rate);
            assert!(shows(failures, n, rate), "{failures} {rate}");
            assert!(!shows(failures, n - 1, rate), "{failures} {rate}");
        }
        assert_eq!(needed(0, 0.0001), 29_956);
        assert_eq!(needed(0, 0.0), u64::MAX);
    }

    #[test]
    fn what_can_not_be_is_no_proof() {
        assert!((at_most(5, 5, 0.3) - 1.0).abs() < f64::EPSILON);
        assert!(!shows(0, 0, 0.5));
        assert!((upper(3, 3) - 1.0).abs() < f64::EPSILON);
    }
}
