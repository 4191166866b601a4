//! Tries to catch each mutant of a runbook: by reading it, by the rules that compare runbooks, and by drills.
//!
//! Mutants are tried in groups. The scenario that caught the last mutant of a kind is tried first for the next of that
//! kind, as far as earlier groups tell; so what is found depends neither on threads nor on their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mutate::{Change, Mutant};
use crate::drill;
use crate::finding::OracleName;
use crate::runner;
use crate::scenario::Scenario;
use crate::verdict::Verdict;
use crate::verify::{RunbookSide, Weight, concerns};
use crate::worlds::{DrillPlan, Until, WorldError, WorldKind};

/// Mutants that are tried at once.
const GROUP: usize = 16;

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is refused when it is read: the first mistake.
    Refused(String),
    /// It does the same, or as well, for this reason.
    Equivalent(String),
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
    /// `runbook verify` rejects it by comparing drills with the runbook's: some are slower, or fail newly.
    Rejected(String),
    /// `runbook verify` does not adopt it unless a person decides so, as no drill can show what the change does.
    Person(String),
    /// No drill fails, and a rule asks for a trial: [`settle`](super::settle) has it tried.
    Untried(String),
    /// A rule asks for a trial, and there is no drill in which the change matters.
    Uncaught(String),
    /// No drill fails, and no rule asks for anything.
    Survived,
}

impl Fate {
    /// The word in reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Equivalent(_) => "equivalent",
            Self::Wrong(_) => "wrong",
            Self::Failed { .. } => "failed",
            Self::Rejected(_) => "rejected",
            Self::Person(_) => "person",
            Self::Untried(_) => "untried",
            Self::Uncaught(_) => "uncaught",
            Self::Survived => "survived",
        }
    }

    /// What it comes to in the end: `killed`, `equivalent`, or `survivor`; `open` until it was settled.
    #[must_use]
    pub fn end(&self) -> &'static str {
        match self {
            Self::Refused(_)
            | Self::Wrong(_)
            | Self::Failed { .. }
            | Self::Rejected(_)
            | Self::Person(_) => "killed",
            Self::Equivalent(_) => "equivalent",
            Self::Untried(_) => "open",
            Self::Uncaught(_) | Self::Survived => "survivor",
        }
    }

    /// Why, in words; empty where nothing was found.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Refused(why)
            | Self::Equivalent(why)
            | Self::Wrong(why)
            | Self::Rejected(why)
            | Self::Person(why)
            | Self::Untried(why)
            | Self::Uncaught(why) => why.clone(),
            Self::Failed {
                scenario,
                seed,
                oracle,
                finding,
                ..
            } => format!("{scenario}, seed {seed}: {oracle}: {finding}"),
            Self::Survived => {
                "no drill is judged otherwise, and no rule asks for a trial of it".to_owned()
            }
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
    baseline: &RunbookSide,
    mutants: &[Mutant],
    scenarios: &[Arc<Scenario>],
    seeds: u64,
    jobs: usize,
    over: &(dyn Fn() -> bool + Sync),
    finished: &(dyn Fn() + Sync),
) -> Result<Vec<Tried>, WorldError> {
    let mut killers: BTreeMap<Change, String> = BTreeMap::new();
    let mut out = Vec::new();
    for group in mutants.chunks(GROUP) {
        let tried = runner::each(group.len(), jobs, over, &|index| {
            let mutant = &group[index];
            let killer = killers.get(&mutant.kind).map(String::as_str);
            let fate = one(baseline, mutant, &order(mutant, killer, scenarios), seeds)?;
            finished();
            Ok(Tried {
                mutant: mutant.clone(),
                fate,
            })
        });
        for (_, tried) in tried {
            let tried = match tried {
                // A mutant whose drill was abandoned was not tried.
                Err(WorldError::Interrupted) => continue,
                tried => tried?,
            };
            if let Fate::Failed { scenario, .. } = &tried.fate {
                killers.insert(tried.mutant.kind, scenario.clone());
            }
            out.push(tried);
        }
        if over() {
            break;
        }
    }
    Ok(out)
}

/// The scenario `killer` first, then those that name the mutant's subject, then the others in their order.
fn order(mutant: &Mutant, killer: Option<&str>, scenarios: &[Arc<Scenario>]) -> Vec<Arc<Scenario>> {
    let mut order = scenarios.to_vec();
    order.sort_by_key(|scenario| {
        let named = scenario.text.contains(&mutant.subject);
        (killer != Some(scenario.name.as_str()), !named)
    });
    order
}

fn one(
    baseline: &RunbookSide,
    mutant: &Mutant,
    scenarios: &[Arc<Scenario>],
    seeds: u64,
) -> Result<Fate, WorldError> {
    let side = match RunbookSide::parse("mutant.md", &mutant.text) {
        Ok(side) => side,
        Err(errors) => return Ok(Fate::Refused(first_line(&errors.plain()))),
    };
    if side.key == baseline.key {
        return Ok(Fate::Equivalent("it reads as the same runbook".to_owned()));
    }
    if side.loaded.check_services(None).is_err() {
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
            let plan = DrillPlan {
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
                && let Some(worst) = result.problems().first()
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

/// How many of `tried` came to what, by the word for it.
#[must_use]
pub fn tally(tried: &[Tried]) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for it in tried {
        *tally.entry(it.fate.as_str()).or_default() += 1;
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::BUILT_IN;
    use crate::scenario::built_in;
    use crate::search::mutants;

    #[test]
    fn the_scenario_that_caught_the_last_one_of_a_kind_comes_first() {
        let scenarios: Vec<Arc<Scenario>> = ["quota", "second-undo", "breaking-migration"]
            .iter()
            .map(|name| Arc::new(built_in(name, &[]).expect("there").expect("right")))
            .collect();
        let mutant = mutants(BUILT_IN).remove(0);
        let names = |killer| -> Vec<String> {
            let order = order(&mutant, killer, &scenarios);
            order.iter().map(|it| it.name.clone()).collect()
        };
        assert_eq!(names(Some("breaking-migration"))[0], "breaking-migration");
        assert_eq!(names(None), names(Some("nothing of that name")));
        assert_eq!(names(None).len(), 3);
    }
}
