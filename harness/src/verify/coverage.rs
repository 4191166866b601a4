//! Which drills try a change: those in which the changed part was carried out and mattered.
//!
//! Whether a part matters in a drill is found by leaving it out: the baseline is drilled again with a part that does
//! nothing ([`Vacuous`]). Where that drill fails and the baseline's passes, the part alone stands between the two, and
//! a candidate that passes there has shown that its own part does as well. One drill of each scenario tells which
//! scenarios are worth more; these are gone through until there are enough.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::canonical::RunbookSide;
use super::compare::{Comparison, Pair};
use super::policy::{Concern, Needs};
use super::runs::{Case, Runs};
use super::vacuous::Vacuous;
use crate::verdict::Verdict;
use crate::worlds::WorldError;

/// What drills say of a concern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// Drills in which the part was carried out.
    pub carried_out: u64,
    /// Drills in which it mattered, and which the candidate passes.
    pub mattered: u64,
    /// Scenarios in which it mattered.
    pub scenarios: Vec<String>,
    /// Drills that would be enough.
    pub needed: u64,
    /// How the baseline was altered to find them, as the end of a sentence.
    pub how: Option<String>,
}

impl Trial {
    /// Whether the concern is settled.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.mattered >= self.needed
    }
}

/// Performs what `concern` needs; `needed` drills in which it matters are enough.
///
/// # Errors
/// [`WorldError`] if a drill can't be performed.
pub(super) fn tried(
    runs: &mut Runs<'_>,
    baseline: &RunbookSide,
    comparisons: &[Comparison],
    concern: &Concern,
    needed: u64,
) -> Result<Trial, WorldError> {
    match &concern.needs {
        Needs::Person => Ok(Trial {
            needed,
            ..Trial::default()
        }),
        Needs::CarriedOut(step) => {
            let passes = |pair: &Pair| pair.candidate.verdict == Verdict::Pass;
            Ok(counted(comparisons, step, needed, &passes))
        }
        Needs::Improving(step) => {
            let passes = |pair: &Pair| {
                pair.candidate.verdict == Verdict::Pass && pair.baseline.verdict == Verdict::Fail
            };
            Ok(counted(comparisons, step, needed, &passes))
        }
        Needs::Mattering(all) => {
            // Each of them must be tried; the one that is tried least decides.
            let mut least: Option<Trial> = None;
            for vacuous in all {
                let trial = matters(runs, baseline, comparisons, vacuous, needed)?;
                if least.as_ref().is_none_or(|l| trial.mattered < l.mattered) {
                    least = Some(trial);
                }
            }
            Ok(least.unwrap_or_default())
        }
    }
}

/// Drills in which the candidate carries `step` out, and those of them that show what is asked for.
fn counted(
    comparisons: &[Comparison],
    step: &str,
    needed: u64,
    shows: &dyn Fn(&Pair) -> bool,
) -> Trial {
    let mut trial = Trial {
        needed,
        ..Trial::default()
    };
    for comparison in comparisons {
        let carried_out = |pair: &&Pair| pair.candidate.carried_out.contains(step);
        let pairs = || comparison.pairs.iter().filter(carried_out);
        trial.carried_out += pairs().count() as u64;
        let showing = pairs().filter(|p| !p.is_repeat && shows(p)).count() as u64;
        if showing > 0 {
            trial.mattered += showing;
            trial.scenarios.push(comparison.scenario.name.clone());
        }
    }
    trial
}

fn matters(
    runs: &mut Runs<'_>,
    baseline: &RunbookSide,
    comparisons: &[Comparison],
    vacuous: &Vacuous,
    needed: u64,
) -> Result<Trial, WorldError> {
    let mut trial = Trial {
        needed,
        how: Some(vacuous.how.clone()),
        ..Trial::default()
    };
    let altered = baseline.altered(vacuous.runbook.clone());
    let passes = |pair: &&Pair| {
        pair.baseline.verdict == Verdict::Pass && pair.candidate.verdict == Verdict::Pass
    };
    let cases = |comparison: &Comparison| -> Vec<Case> {
        let pairs = comparison.pairs.iter().filter(passes);
        let pairs = pairs.filter(|p| vacuous.is_carried_out_in(&p.baseline) && !p.is_repeat);
        pairs
            .map(|p| (Arc::clone(&comparison.scenario), p.seed))
            .collect()
    };
    let all: Vec<Vec<Case>> = comparisons.iter().map(cases).collect();
    trial.carried_out = all.iter().map(|cases| cases.len() as u64).sum();
    // Only a failure is another judgement: a drill that shows nothing may just have lost the step that a fault hangs
    // on.
    let fails = |runs: &Runs<'_>, (scenario, seed): &Case| {
        let brief = runs.get_case(&altered, scenario, *seed);
        brief.is_some_and(|brief| brief.verdict == Verdict::Fail)
    };
    let first: Vec<Case> = all
        .iter()
        .filter_map(|cases| cases.first().cloned())
        .collect();
    runs.perform_cases(&altered, &first)?;
    let worth: BTreeSet<String> = first
        .iter()
        .filter(|case| fails(runs, case))
        .map(|(scenario, _)| scenario.name.clone())
        .collect();
    let more: Vec<Case> = all
        .into_iter()
        .flatten()
        .filter(|(scenario, _)| worth.contains(&scenario.name))
        .collect();
    let most = usize::try_from(needed).unwrap_or(usize::MAX).max(1);
    for some in more.chunks(most) {
        if trial.is_enough() {
            break;
        }
        runs.perform_cases(&altered, some)?;
        trial.mattered += some.iter().filter(|case| fails(runs, case)).count() as u64;
    }
    trial.scenarios = worth.into_iter().collect();
    Ok(trial)
}
