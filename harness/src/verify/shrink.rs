//! The smallest case that still shows a new failure: the baseline still passes,
//! and the candidate still fails by the same oracle.

use std::sync::Arc;

use serde::Serialize;

use super::canonical::RunbookSide;
use super::compare::Pair;
use super::runs::Runs;
use crate::finding::{Finding, OracleName};
use crate::scenario::Scenario;
use crate::shrink::cut_down;
use crate::worlds::WorldError;

/// A new failure, cut down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Smallest {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// What the scenario lacks against the one it was found in, in words; empty: nothing could be left out.
    pub cut: Vec<String>,
    /// The oracle that fails under the candidate.
    pub oracle: OracleName,
    /// Its reason.
    pub reason: String,
    /// Runs the baseline's drill, which passes.
    pub baseline_replay: String,
    /// Runs the candidate's drill, which fails.
    pub candidate_replay: String,
    /// Pairs that were tried to find it.
    pub tried: u32,
}

/// Cuts `pair` of `scenario` down, with at most `budget` further pairs.
///
/// # Errors
/// [`WorldError`] if a drill can't be performed.
pub fn smallest(
    runs: &mut Runs<'_>,
    baseline: &RunbookSide,
    candidate: &RunbookSide,
    scenario: &Arc<Scenario>,
    pair: &Pair,
    budget: u32,
) -> Result<Smallest, WorldError> {
    let oracle = oracle(pair);
    let attempt = |scenario: &Arc<Scenario>, seed| {
        // The candidate first: a drill that does not fail needs no baseline.
        for side in [candidate, baseline] {
            runs.perform_cases(side, &[(Arc::clone(scenario), seed)])?;
            let known = runs.get_case(side, scenario, seed);
            let wanted = known.is_some_and(|brief| {
                let fails = brief.verdict == crate::verdict::Verdict::Fail;
                fails == std::ptr::eq(side, candidate)
                    && brief.verdict != crate::verdict::Verdict::Inconclusive
            });
            if !wanted {
                return Ok(None);
            }
        }
        let sides = runs
            .get_case(baseline, scenario, seed)
            .zip(runs.get_case(candidate, scenario, seed));
        Ok(sides
            .map(|(baseline, candidate)| Pair {
                is_repeat: false,
                seed,
                baseline,
                candidate,
            })
            .filter(|pair| pair.is_newly_failing() && self::oracle(pair) == oracle))
    };
    let cut = cut_down(scenario, pair.seed, pair.clone(), budget, attempt)?;
    let pair = cut.shown;
    let reason = pair.candidate.problem.as_ref().map(Finding::to_string);
    Ok(Smallest {
        scenario: cut.scenario.name.clone(),
        seed: pair.seed,
        cut: cut.cut,
        oracle: oracle.unwrap_or(OracleName::Outcome),
        reason: reason.unwrap_or_default(),
        baseline_replay: pair.baseline.replay.clone(),
        candidate_replay: pair.candidate.replay.clone(),
        tried: cut.tried,
    })
}

fn oracle(pair: &Pair) -> Option<OracleName> {
    pair.candidate.problem.as_ref().map(Finding::oracle)
}
