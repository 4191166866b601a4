//! What is asked of two runbooks, and how much evidence is enough for an answer.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::RunbookSide;
use crate::scenario::{Scenario, parse_duration};

/// By how much a time may grow: the larger of a duration and a share.
///
/// The default is 5 s or 10 %. Recovery is measured in whole seconds on both sides and the executor polls every few
/// seconds, so less than that is noise of the measurement; and 5 s are a sixtieth of the objective of 300 s, which
/// nobody notices in an incident.
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
    pub baseline: RunbookSide,
    /// The runbook that would replace it.
    pub candidate: RunbookSide,
    /// A runbook that stays the same while the baseline moves on: many small changes for the worse are one large one
    /// against it.
    pub reference: Option<RunbookSide>,
    /// Where both are tried.
    pub scenarios: Vec<Arc<Scenario>>,
    /// With which seeds.
    pub seeds: Range<u64>,
    /// How much evidence is enough.
    pub terms: Terms,
}

impl Question {
    /// How many different runbooks the candidate is compared with. The error probability is shared between them.
    #[must_use]
    pub fn baselines(&self) -> u64 {
        // What the candidate is equal to can't be told from it by any drill.
        let others = std::iter::once(&self.baseline).chain(&self.reference);
        let keys = others.map(|side| side.key);
        let different: BTreeSet<u64> = keys.filter(|key| *key != self.candidate.key).collect();
        (different.len() as u64).max(1)
    }
}

/// How much evidence is enough, and what is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// By how much a time may grow; the requests that are not answered by as many as are sent in that time.
    pub margin: Margin,
    /// New failures, and pairs beyond the margin, must be shown to be rarer than this, in millionths of all;
    /// 10,000 takes 299 pairs without one.
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
    fn only_runbooks_that_differ_share_the_error_probability() {
        let built_in = || RunbookSide::parse("x.md", crate::runbooks::BUILT_IN).expect("it loads");
        let changed = |was, is| {
            let text = crate::runbooks::BUILT_IN.replace(was, is);
            RunbookSide::parse("y.md", &text).expect("it loads")
        };
        let slower = || changed("for: 15s", "for: 16s");
        let baselines = |candidate, reference| {
            let question = Question {
                baseline: built_in(),
                candidate,
                reference,
                scenarios: Vec::new(),
                seeds: 0..1,
                terms: Terms::default(),
            };
            question.baselines()
        };
        assert_eq!(baselines(slower(), None), 1);
        assert_eq!(baselines(slower(), Some(built_in())), 1);
        assert_eq!(baselines(slower(), Some(slower())), 1);
        assert_eq!(
            baselines(slower(), Some(changed("for: 15s", "for: 14s"))),
            2
        );
        assert_eq!(baselines(built_in(), Some(slower())), 1);
    }

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
