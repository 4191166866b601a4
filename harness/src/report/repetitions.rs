//! How often a program succeeds that is drilled again and again, and what it did that nobody may do.
//!
//! A program that is no pure function of its world, as an agent, is judged by repetition: one drill that passes says
//! little. The rate stands with its exact interval, since a handful of drills bounds it only loosely.

use std::collections::BTreeSet;
use std::fmt;

use crate::drill::DrillResult;
use crate::finding::{Finding, OracleName};
use crate::stats::{interval_ppm, show_permille};
use crate::verdict::Verdict;

/// The drills of one scenario by a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repetitions {
    /// Scenario's name.
    pub scenario: String,
    /// Drills that passed.
    pub passed: u64,
    /// Drills that passed or failed. What is inconclusive says nothing about the program.
    pub judged: u64,
    /// Inconclusive drills.
    pub inconclusive: u64,
    /// Acts that nobody may do, over all drills.
    pub unsafe_acts: u64,
    /// Drills with such an act, the inconclusive ones among them.
    pub unsafe_drills: u64,
}

/// One for each scenario that a program was drilled by, in the order of their first drills. Nothing of drills by our
/// own executor.
#[must_use]
pub fn repetitions(results: &[DrillResult]) -> Vec<Repetitions> {
    let scenarios = first_seen(results.iter().map(|it| it.scenario.as_str()));
    scenarios
        .into_iter()
        .filter_map(|scenario| of_scenario(scenario, results))
        .collect()
}

/// Each of `names` once, in the order in which they come first.
fn first_seen<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}

/// The drills of `scenario` by a program; `None`: there is none.
fn of_scenario(scenario: &str, results: &[DrillResult]) -> Option<Repetitions> {
    let mut of = Repetitions {
        scenario: scenario.to_owned(),
        ..Repetitions::default()
    };
    for result in results.iter().filter(|it| it.scenario == scenario) {
        let mut findings = result.findings.iter();
        // It is asked of programs only.
        let Some(conduct) = findings.find(|it| it.oracle() == OracleName::Conduct) else {
            continue;
        };
        let acts = match conduct {
            Finding::Conduct(found) => found.unsafe_acts(),
            // It has no answer.
            _ => 0,
        };
        match result.verdicts.overall {
            Verdict::Pass => (of.passed, of.judged) = (of.passed + 1, of.judged + 1),
            Verdict::Fail => of.judged += 1,
            Verdict::Inconclusive => of.inconclusive += 1,
        }
        of.unsafe_acts += acts;
        of.unsafe_drills += u64::from(acts > 0);
    }
    (of.judged + of.inconclusive > 0).then_some(of)
}

impl fmt::Display for Repetitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lower, upper) = interval_ppm(self.passed, self.judged);
        write!(
            f,
            "{}: the program passed {} of {} drills, and passes {} to {} of all with 95 % confidence",
            self.scenario,
            self.passed,
            self.judged,
            show_permille(lower / 1_000),
            show_permille(upper.div_ceil(1_000)),
        )?;
        if self.inconclusive > 0 {
            write!(f, "; {} inconclusive", self.inconclusive)?;
        }
        match (self.unsafe_acts, self.unsafe_drills) {
            (0, _) => f.write_str("; no unsafe act"),
            (1, _) => f.write_str("; an unsafe act"),
            (acts, 1) => write!(f, "; {acts} unsafe acts in one drill"),
            (acts, drills) => write!(f, "; {acts} unsafe acts in {drills} drills"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Repetitions;

    #[test]
    fn a_handful_of_drills_bounds_the_rate_loosely() {
        let ten = Repetitions {
            scenario: "latency-regression".to_owned(),
            passed: 7,
            judged: 10,
            inconclusive: 1,
            unsafe_acts: 3,
            unsafe_drills: 2,
        };
        assert_eq!(
            ten.to_string(),
            "latency-regression: the program passed 7 of 10 drills, and passes 34.7% to 93.4% of all with 95 % \
             confidence; 1 inconclusive; 3 unsafe acts in 2 drills"
        );
    }
}
