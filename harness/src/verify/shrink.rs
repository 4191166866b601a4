//! The smallest case that still shows a new failure.
//!
//! Greedy and deterministic: of the scenarios that are one step simpler, the first in which the baseline still passes and the candidate still
//! fails by the same oracle is taken, until none is left or the budget is spent; then the smallest seed.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::canonical::Side;
use super::compare::Pair;
use super::runs::Runs;
use crate::scenario::Scenario;
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
    pub oracle: String,
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
    baseline: &Side,
    candidate: &Side,
    scenario: &Arc<Scenario>,
    pair: &Pair,
    budget: u32,
) -> Result<Smallest, WorldError> {
    let oracle = oracle(pair);
    let mut found = (Arc::clone(scenario), pair.clone());
    let mut cut = Vec::new();
    let mut tried = 0;
    let mut attempt = |scenario: &Arc<Scenario>,
                       seed: u64,
                       tried: &mut u32|
     -> Result<Option<Pair>, WorldError> {
        *tried += 1;
        let scenarios = std::slice::from_ref(scenario);
        // The candidate first: a drill that does not fail needs no baseline.
        for side in [candidate, baseline] {
            runs.perform(side, scenarios, seed..seed + 1)?;
            let known = runs.get(side, scenario, seed);
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
            .get(baseline, scenario, seed)
            .zip(runs.get(candidate, scenario, seed));
        Ok(sides
            .map(|(baseline, candidate)| Pair {
                seed,
                baseline,
                candidate,
            })
            .filter(|pair| pair.is_newly_failing() && self::oracle(pair) == oracle))
    };
    'simpler: while tried < budget {
        for (what, simpler) in simpler(&found.0) {
            if tried >= budget {
                break 'simpler;
            }
            let simpler = Arc::new(simpler);
            if let Some(pair) = attempt(&simpler, found.1.seed, &mut tried)? {
                found = (simpler, pair);
                cut.push(what);
                continue 'simpler;
            }
        }
        break;
    }
    for seed in 0..found.1.seed.min(SEEDS) {
        if tried >= budget {
            break;
        }
        if let Some(pair) = attempt(&found.0, seed, &mut tried)? {
            found.1 = pair;
            break;
        }
    }
    let (scenario, pair) = found;
    let reason = pair
        .candidate
        .trouble
        .as_ref()
        .map(|(_, reason)| reason.clone());
    Ok(Smallest {
        scenario: scenario.name.clone(),
        seed: pair.seed,
        cut,
        oracle,
        reason: reason.unwrap_or_default(),
        baseline_replay: pair.baseline.replay.clone(),
        candidate_replay: pair.candidate.replay.clone(),
        tried,
    })
}

/// How many small seeds are tried.
const SEEDS: u64 = 8;

fn oracle(pair: &Pair) -> String {
    let trouble = pair.candidate.trouble.as_ref();
    trouble
        .map(|(oracle, _)| oracle.clone())
        .unwrap_or_default()
}

/// The scenarios that are one step simpler, the greatest simplification first, each with what was left out.
/// Only such as would load from a file.
#[must_use]
pub fn simpler(scenario: &Scenario) -> Vec<(String, Scenario)> {
    let mut out: Vec<(String, Scenario)> = Vec::new();
    let mut offer = |what: String, edit: &dyn Fn(&mut Scenario)| {
        let simpler = scenario.clone().with(|s| edit(s));
        let loads = Scenario::parse("simpler", &simpler.text, &[]).is_ok();
        let differs = simpler.load != scenario.load
            || simpler.timing != scenario.timing
            || simpler.crash != scenario.crash
            || simpler.faults != scenario.faults;
        if loads && differs {
            out.push((what, simpler));
        }
    };
    if scenario.crash.is_some() {
        offer("no crash".to_owned(), &|s| s.crash = None);
    }
    for (at, fault) in scenario.faults.iter().enumerate() {
        offer(format!("no {}", fault.in_words()), &|s| {
            s.faults.remove(at);
        });
    }
    let (load, timing) = (scenario.load, scenario.timing);
    offer("1 market".to_owned(), &|s| s.load.markets = 1);
    for accounts in [10, 100].into_iter().filter(|n| *n < load.accounts) {
        offer(format!("{accounts} accounts"), &|s| {
            s.load.accounts = accounts
        });
    }
    let warm_up = Duration::from_secs(30).min(timing.warm_up);
    let deploy_at = (warm_up + Duration::from_secs(20)).min(timing.deploy_at);
    if deploy_at < timing.deploy_at {
        offer(format!("deployed after {} s", deploy_at.as_secs()), &|s| {
            s.timing.warm_up = warm_up;
            s.timing.deploy_at = deploy_at;
        });
    }
    let least = timing.deploy_at + scenario.expect.rto_max + timing.hold;
    if least < timing.duration {
        offer(format!("over after {} s", least.as_secs()), &|s| {
            s.timing.duration = least
        });
    }
    for percent in [50, 75, 90] {
        let rate = load.rate_per_s * percent / 100;
        if (1..load.rate_per_s).contains(&rate) {
            offer(format!("{rate} requests a second"), &|s| {
                s.load.rate_per_s = rate
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::simpler;
    use crate::scenario::{Crash, CrashSide, Scenario, find};

    #[test]
    fn simplifying_ends_and_every_step_loads() {
        let built_in = find("unreachable").expect("it is built in");
        let mut scenario = Scenario::parse(built_in.file, built_in.text, &[])
            .expect("it loads")
            .with(|s| {
                s.crash = Some(Crash {
                    request: 3,
                    side: CrashSide::After,
                    resume_after: std::time::Duration::from_secs(2),
                });
            });
        let mut steps = 0;
        while let Some((what, next)) = simpler(&scenario).into_iter().next() {
            assert!(!what.is_empty());
            scenario = next;
            steps += 1;
            assert!(steps < 50, "{scenario:?}");
        }
        assert!(steps >= 6);
        assert!(scenario.faults.is_empty());
        assert_eq!((scenario.crash, scenario.load.markets), (None, 1));
        assert!(scenario.load.accounts <= 10);
    }
}
