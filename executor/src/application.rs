//! What the executor takes for granted of the application that it rolls back, where the runbook does not say. The
//! defaults are the exchange's.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What is taken for granted of an application.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Application {
    /// For how many seconds a pod that is well may write no line at all, at least 1: the absence of errors counts only
    /// where lines came throughout. The exchange's gateways write one every 10 s.
    pub quiet_s: u32,
    /// The longest objective that a scenario of an incident may have, in seconds, at least 1. It may ask for less time,
    /// never for more.
    pub rto_max_s: u32,
    /// The largest share of requests that may fail in such a scenario, 0.000001 to 1.
    pub error_rate_max: f64,
    /// The largest bound on the 99th percentile of latency that such a scenario may have, in milliseconds, at least 1:
    /// the largest bucket of the exchange's histogram.
    pub p99_max_ms: u32,
    /// That bound where no trigger of the runbook has one, in milliseconds.
    pub p99_ms: u32,
    /// Requests a second of such a scenario where they could not be counted, 1 to 10,000.
    pub rate_per_s: u32,
}

impl Default for Application {
    fn default() -> Self {
        Self {
            quiet_s: 20,
            rto_max_s: 300,
            error_rate_max: 0.000_1,
            p99_max_ms: 2_500,
            p99_ms: 100,
            rate_per_s: 200,
        }
    }
}

/// The least error rate that a scenario can write down.
pub(crate) const ERROR_RATE_MIN: f64 = 0.000_001;
/// Requests a second that a scenario can have.
pub(crate) const RATES_PER_S: std::ops::RangeInclusive<u64> = 1..=10_000;

impl Application {
    /// Whether each number is in its range.
    ///
    /// # Errors
    /// The first that is not, and what would be right.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("quiet_s", self.quiet_s),
            ("rto_max_s", self.rto_max_s),
            ("p99_max_ms", self.p99_max_ms),
            ("p99_ms", self.p99_ms),
        ] {
            if value == 0 {
                return Err(format!("`{name}` is 0: write at least 1"));
            }
        }
        if !(ERROR_RATE_MIN..=1.0).contains(&self.error_rate_max) {
            let is = self.error_rate_max;
            return Err(format!("`error_rate_max` is {is}: write 0.000001 to 1"));
        }
        if !RATES_PER_S.contains(&u64::from(self.rate_per_s)) {
            let is = self.rate_per_s;
            return Err(format!("`rate_per_s` is {is}: write 1 to 10000"));
        }
        Ok(())
    }

    /// See [`Application::quiet_s`].
    pub(crate) fn quiet(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.quiet_s))
    }

    /// See [`Application::rto_max_s`].
    pub(crate) fn rto_max(&self) -> Duration {
        Duration::from_secs(u64::from(self.rto_max_s))
    }
}

#[cfg(test)]
mod tests {
    use super::Application;

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        let exchange = Application::default();
        assert_eq!(exchange.check(), Ok(()));
        for (wrong, name) in [
            (
                Application {
                    quiet_s: 0,
                    ..exchange
                },
                "`quiet_s` is 0",
            ),
            (
                Application {
                    error_rate_max: f64::NAN,
                    ..exchange
                },
                "`error_rate_max` is NaN",
            ),
            (
                Application {
                    rate_per_s: 10_001,
                    ..exchange
                },
                "`rate_per_s` is 10001",
            ),
        ] {
            let said = wrong.check().expect_err(name);
            assert!(said.contains(name), "{said}");
        }
    }
}
