//! Tries to catch each mutant of a runbook: by reading it, by the rules that compare runbooks, and by drills.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mutate::Mutant;
use crate::drill;
use crate::finding::OracleName;
use crate::runner;
use crate::scenario::Scenario;
use crate::verdict::Verdict;
use crate::verify::{Side, Weight, concerns};
use crate::worlds::{Plan, Until, WorldError, WorldKind};

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is refused when it is read: the first mistake.
    Refused(String),
    /// It reads as the same runbook.
    Equivalent,
    /// A rule that compares the two runbooks rejects it.
    Wrong(String),
    /// A drill fails that passes with the runbook.
    Failed {
        /// Scenario.
        scenario: String,
        /// Seed.
        seed: u64,
        /// The oracle of the worst finding.
        oracle: OracleName,
        /// The worst finding.
        finding: String,
        /// How many drills it took.
        drills: u64,
        /// The token of that drill.
        replay: String,
    },
    /// No drill fails, and a rule asks for a trial that none of them is: `runbook verify` does not adopt it.
    Untried(String),
    /// Nothing tells it from the runbook.
    Survived,
}

impl Fate {
    /// The word in reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Equivalent => "equivalent",
            Self::Wrong(_) => "wrong",
            Self::Failed { .. } => "failed",
            Self::Untried(_) => "untried",
            Self::Survived => "survived",
        }
    }

    /// Why, in words; empty where nothing was found.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Refused(why) | Self::Wrong(why) | Self::Untried(why) => why.clone(),
            Self::Failed {
                scenario,
                seed,
                oracle,
                finding,
                ..
            } => format!("{scenario}, seed {seed}: {oracle}: {finding}"),
            Self::Equivalent | Self::Survived => String::new(),
        }
    }
}

/// A mutant and what became of it.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The mutant.
    pub mutant: Mutant,
    /// Its fate.
    pub fate: Fate,
}

/// Tries each of `mutants` of `baseline` in `scenarios`, which all pass with the baseline, with `seeds` seeds each.
/// `finished` is called after each mutant.
///
/// # Errors
/// The first [`WorldError`], in the order of the mutants.
pub fn kill(
    baseline: &Side,
    mutants: &[Mutant],
    scenarios: &[Arc<Scenario>],
    seeds: u64,
    jobs: usize,
    over: &(dyn Fn() -> bool + Sync),
    finished: &(dyn Fn() + Sync),
) -> Result<Vec<Tried>, WorldError> {
    let tried = runner::each(mutants.len(), jobs, over, &|index| {
        let mutant = &mutants[index];
        let fate = one(baseline, mutant, &order(mutant, scenarios), seeds)?;
        finished();
        Ok(Tried {
            mutant: mutant.clone(),
            fate,
        })
    });
    // A mutant whose drill was abandoned was not tried.
    let tried = tried.into_iter().map(|(_, tried)| tried);
    tried
        .filter(|tried| !matches!(tried, Err(WorldError::Interrupted)))
        .collect()
}

/// Scenarios that name the mutant's subject first, then the others in their order.
fn order(mutant: &Mutant, scenarios: &[Arc<Scenario>]) -> Vec<Arc<Scenario>> {
    let mut order = scenarios.to_vec();
    order.sort_by_key(|scenario| !scenario.text.contains(&mutant.subject));
    order
}

fn one(
    baseline: &Side,
    mutant: &Mutant,
    scenarios: &[Arc<Scenario>],
    seeds: u64,
) -> Result<Fate, WorldError> {
    let side = match Side::parse("mutant.md", &mutant.text) {
        Ok(side) => side,
        Err(errors) => return Ok(Fate::Refused(first_line(&errors.plain()))),
    };
    if side.key == baseline.key {
        return Ok(Fate::Equivalent);
    }
    if side.loaded.check_services().is_err() {
        return Ok(Fate::Refused(
            "its services are not the exchange's".to_owned(),
        ));
    }
    let concerns = concerns(baseline, &side);
    if let Some(wrong) = concerns.iter().find(|it| it.weight == Weight::Wrong) {
        return Ok(Fate::Wrong(format!("{}: {}", wrong.change, wrong.why)));
    }
    let triggers = side.loaded.triggers();
    let mut drills = 0;
    for seed in 0..seeds {
        for scenario in scenarios {
            let expected = scenario.expect.trigger.as_ref();
            if expected.is_some_and(|trigger| !triggers.contains(trigger)) {
                // What the scenario waits for is not there any more.
                return Ok(Fate::Refused(format!(
                    "the scenario {} expects a trigger that it lacks",
                    scenario.name
                )));
            }
            let plan = Plan {
                world: WorldKind::Sim,
                scenario: Arc::clone(scenario),
                runbook: side.loaded.clone(),
                seed,
                until: Until::Held,
                executor: None,
            };
            let result = drill::run(&plan)?;
            drills += 1;
            if result.verdicts.overall == Verdict::Fail
                && let Some(worst) = result.troubles().first()
            {
                return Ok(Fate::Failed {
                    scenario: scenario.name.clone(),
                    seed,
                    oracle: worst.oracle(),
                    finding: worst.to_string(),
                    drills,
                    replay: result.replay.clone(),
                });
            }
        }
    }
    Ok(match concerns.first() {
        Some(concern) => Fate::Untried(format!("{}: {}", concern.change, concern.why)),
        None => Fate::Survived,
    })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// How many of `tried` came to what, in the order of [`Fate`].
#[must_use]
pub fn tally(tried: &[Tried]) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for it in tried {
        *tally.entry(it.fate.as_str()).or_default() += 1;
    }
    tally
}
