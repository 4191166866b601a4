//! May this runbook be adopted? A changed runbook against the one in use, with the evidence.
//!
//! ```text
//! baseline ──┐                ┌─▶ plans: what changes, in words ─────────┐
//!            ├─▶ canonical ───┼─▶ policy: what is weaker, and untried ───┼─▶ judge ─▶ ADOPT · REJECT · INCONCLUSIVE
//! candidate ─┘   forms        └─▶ runs ─▶ pairs ─▶ compare, shrink ──────┘
//!                                 same scenarios, same seeds
//! ```
//!
//! Two runbooks whose canonical forms are equal do the same, so nothing needs to be drilled. Else both run over the same seeds of the same
//! scenarios, in a few looks of growing size:
//!
//! - A pair in which the baseline passes and the candidate fails **rejects**, at whichever look it shows. It is cut down to its smallest case.
//! - A p99 of RTO or impact that is slower by more than the margin, with the whole interval beyond it, **rejects**. RTO begins at the
//!   trigger, so a trigger that fires later shows in the impact only.
//! - **Adopting** takes all seeds: as many pairs that pass under the candidate as show at 95 % that new failures are rarer than the
//!   tolerance, and intervals that lie within the margin. Whatever is between is **inconclusive**, and says what would settle it.
//!
//! Looking several times at growing evidence makes a false rejection likelier. Each look therefore gets an equal share of the 5 %
//! (Bonferroni over the planned looks), so that all together stay within it. Nothing depends on threads: looks have fixed sizes.

mod against;
mod canonical;
mod compare;
mod interval;
mod judge;
mod likeness;
mod observed;
mod plans;
mod policy;
mod protection;
mod runs;
mod show;
mod shrink;
pub mod source;
mod trials;
mod words;

pub use canonical::{Side, canonical};
pub use compare::{Comparison, Counts, Measure, Pair, Unit};
pub use interval::{
    ALPHA_PPM, Difference, Statistic, difference, pairs_to_settle, share_ppm, trials_needed,
};
pub use judge::{Answer, Judgement, Reason, verify};
pub use plans::{PlanDiff, diffs};
pub use policy::{Concern, Weight, concerns};
pub use protection::Protection;
pub use runs::{Brief, Runs, Spared};
pub use show::{json, markdown, text};
pub use shrink::{Smallest, smallest};
pub use trials::tries;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::scenario::{Scenario, parse_duration};

/// By how much a time may grow: the larger of a duration and a share.
///
/// The default is 5 s or 10 %. Recovery is measured in whole seconds on both sides and the executor polls every few seconds, so less than
/// that is noise of the measurement; and 5 s are a sixtieth of the objective of 300 s, which nobody notices in an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    /// At least this.
    pub least: Duration,
    /// At least this share of the baseline's time, in percent.
    pub percent: u32,
}

impl Default for Margin {
    fn default() -> Self {
        Self {
            least: Duration::from_secs(5),
            percent: 10,
        }
    }
}

impl Margin {
    /// Reads `5s`, `10%` or `5s,10%`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut margin = Self {
            least: Duration::ZERO,
            percent: 0,
        };
        for part in text.split(',').map(str::trim) {
            match part.strip_suffix('%') {
                Some(number) => {
                    let percent = number.trim().parse().ok().filter(|n| *n <= 1_000);
                    margin.percent = percent
                        .ok_or_else(|| format!("`{part}` is not a whole percentage up to 1000%"))?;
                }
                None => margin.least = parse_duration(part)?,
            }
        }
        Ok(margin)
    }

    /// The margin of a time that was `baseline_ms`.
    #[must_use]
    pub fn of(&self, baseline_ms: i64) -> i64 {
        let share = baseline_ms.saturating_mul(i64::from(self.percent)) / 100;
        share.max(i64::try_from(self.least.as_millis()).unwrap_or(i64::MAX))
    }
}

impl std::fmt::Display for Margin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} or {} %, whichever is larger",
            crate::scenario::format_duration(self.least),
            self.percent
        )
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The runbook in use.
    pub baseline: Side,
    /// The runbook that would replace it.
    pub candidate: Side,
    /// Where both are tried.
    pub scenarios: Vec<Arc<Scenario>>,
    /// With which seeds.
    pub seeds: Range<u64>,
    /// How much evidence is enough.
    pub terms: Terms,
}

/// How much evidence is enough, and what is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// By how much p99 may grow.
    pub margin: Margin,
    /// New failures must be shown to be rarer than this, in millionths of all pairs; 10,000 takes 299 pairs without one.
    pub new_failures_max_ppm: u32,
    /// Pairs that each scenario must have.
    pub pairs_min: u64,
    /// Pairs that may be spent on cutting a failure down.
    pub shrink_budget: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            margin: Margin::default(),
            new_failures_max_ppm: 10_000,
            pairs_min: 20,
            shrink_budget: 40,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_the_larger_of_its_parts() {
        let margin = Margin::default();
        assert_eq!((margin.of(8_000), margin.of(80_000)), (5_000, 8_000));
        assert_eq!(
            Margin::parse("2s,25%"),
            Ok(Margin {
                least: Duration::from_secs(2),
                percent: 25
            })
        );
        assert_eq!(Margin::parse("0%").map(|m| m.of(9)), Ok(0));
        for wrong in ["", "x%", "5", "5s;10%", "-1%"] {
            assert!(Margin::parse(wrong).is_err(), "{wrong}");
        }
    }
}
