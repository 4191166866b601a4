//! Settles what [`kill`](super::kill) left open: `runbook verify` compares the mutant with the runbook and looks for
//! drills in which the changed part alone matters. In the end, a mutant is killed, equivalent for a reason,
//! or a survivor.

use std::sync::Arc;

use super::kill::{Fate, Tried};
use crate::scenario::Scenario;
use crate::verify::{Answer, Judgement, Margin, Needs, Question, RunbookSide, Runs, Terms, verify};
use crate::worlds::WorldError;

/// A single drill in which a part matters, and which the mutant passes, shows that the part was tried.
const ONE_TRIAL: Terms = Terms {
    margin: Margin {
        least: std::time::Duration::from_secs(5),
        percent: 10,
    },
    new_failures_max_ppm: 950_000,
    pairs_min: 1,
    shrink_budget: 0,
};

/// Settles each of `tried` that is open or survived so far, in `scenarios` with `seeds` seeds each.
/// `finished` is called after each of them. What an interruption keeps from being settled stays as it is.
///
/// # Errors
/// The first [`WorldError`].
pub fn settle(
    baseline: &RunbookSide,
    tried: &mut [Tried],
    scenarios: &[Arc<Scenario>],
    seeds: u64,
    runs: &mut Runs<'_>,
    finished: &mut dyn FnMut(),
) -> Result<(), WorldError> {
    for it in tried.iter_mut().filter(|it| is_open(&it.fate)) {
        let Ok(candidate) = RunbookSide::parse("mutant.md", &it.mutant.text) else {
            continue;
        };
        let question = Question {
            baseline: baseline.clone(),
            candidate,
            reference: None,
            scenarios: scenarios.to_vec(),
            seeds: 0..seeds,
            terms: ONE_TRIAL,
        };
        let judgement = match verify(&question, runs) {
            Err(WorldError::Interrupted) => break,
            judgement => judgement?,
        };
        if judgement.interrupted {
            break;
        }
        it.fate = fate(&judgement, &it.fate);
        finished();
    }
    Ok(())
}

/// Whether a mutant with the fate `fate` is to be settled.
#[must_use]
pub fn is_open(fate: &Fate) -> bool {
    matches!(fate, Fate::Untried(_) | Fate::Survived)
}

/// What `judgement` of a mutant comes to, whose fate so far is `before`.
fn fate(judgement: &Judgement, before: &Fate) -> Fate {
    let mut reasons = judgement.reasons.iter();
    if let Some(reason) = reasons.find(|it| it.answer == Answer::Reject) {
        return Fate::Rejected(reason.text.clone());
    }
    if judgement.comparisons.is_empty() && judgement.answer == Answer::Adopt {
        let text = judgement.reasons.first().map(|it| it.text.clone());
        return Fate::Equivalent(text.unwrap_or_default());
    }
    let mut concerns = judgement.concerns.iter();
    if let Some(it) = concerns.find(|it| matches!(it.concern.needs, Needs::Person)) {
        let concern = &it.concern;
        return Fate::Person(format!("{}: {}", concern.change, concern.why));
    }
    let mut tried_in = Vec::new();
    for it in &judgement.concerns {
        match &it.trial {
            Some(trial) if trial.is_enough() => tried_in.extend(trial.scenarios.iter().cloned()),
            trial => {
                let carried_out = trial.as_ref().map_or(0, |trial| trial.carried_out);
                return Fate::Uncaught(format!(
                    "{}: {carried_out} drills carry it out, and it matters in none",
                    it.concern.change
                ));
            }
        }
    }
    if tried_in.is_empty() {
        return before.clone();
    }
    tried_in.sort_unstable();
    tried_in.dedup();
    Fate::Equivalent(format!(
        "it passes where the changed part alone decides: {}",
        tried_in.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::runbooks::BUILT_IN;
    use crate::scenario::built_in;
    use crate::search::{Mutant, mutants};
    use crate::worlds::WorldKind;

    fn settled(changes: &[(&str, &str)], names: &[&str]) -> Vec<Fate> {
        let baseline = RunbookSide::parse("rollback.md", BUILT_IN).expect("it loads");
        let all = mutants(BUILT_IN);
        let named = |(subject, change): &(&str, &str)| -> Mutant {
            let mut all = all.iter();
            let found = all.find(|it| it.subject == *subject && it.change == *change);
            found
                .unwrap_or_else(|| panic!("{subject}: {change}"))
                .clone()
        };
        let mut tried: Vec<Tried> = changes
            .iter()
            .map(|it| Tried {
                mutant: named(it),
                fate: Fate::Survived,
            })
            .collect();
        let scenarios: Vec<Arc<Scenario>> = names
            .iter()
            .map(|name| Arc::new(built_in(name, &[]).expect("there").expect("right")))
            .collect();
        let stop = AtomicBool::new(false);
        let finished = || {};
        let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &finished);
        let mut count = 0;
        let mut told = || count += 1;
        settle(&baseline, &mut tried, &scenarios, 1, &mut runs, &mut told).expect("no error");
        assert_eq!(count, changes.len());
        tried.into_iter().map(|it| it.fate).collect()
    }

    #[test]
    fn a_step_under_another_name_is_equivalent() {
        let fates = settled(&[("books-balance", "under another name")], &[]);
        assert_eq!(fates[0].end(), "equivalent", "{fates:?}");
        assert!(!fates[0].why().is_empty());
    }

    #[test]
    fn what_no_drill_tries_is_a_survivor_and_what_one_catches_is_killed() {
        let changes = [("check-health", "dropped"), ("rollout-status", "dropped")];
        let fates = settled(&changes, &["latency-regression"]);
        assert_eq!(fates[0].end(), "survivor", "{fates:?}");
        assert!(matches!(fates[0], Fate::Uncaught(_)), "{fates:?}");
        assert_ne!(fates[1].end(), "equivalent", "{fates:?}");
        // In this one every pod answers its check with 503.
        let fates = settled(&changes[..1], &["check-health"]);
        assert_eq!(fates[0].end(), "killed", "{fates:?}");
    }
}
