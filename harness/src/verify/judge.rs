//! From evidence to an answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::align::aligned;
use super::canonical::RunbookSide;
use super::compare::{Comparison, Pair};
use super::coverage::{Trial, tried};
use super::exact::trials_needed;
use super::plans::{self, PlanDiff};
use super::policy::{self, Concern, Needs, Weight};
use super::reason::{Answer, Reason, Remedy, seeds_where_only_they_are_wanting};
use super::runs::{Runs, Skipped};
use super::show::tenths_of_percent;
use super::shrink::{Smallest, smallest};
use super::{Question, objections, words};
use crate::scenario::Scenario;
use crate::worlds::WorldError;

/// A concern, and what drills say of it.
#[derive(Clone, Debug, Serialize)]
pub struct Weighed {
    /// The concern.
    #[serde(flatten)]
    pub concern: Concern,
    /// What was tried; `None`: nothing, as the answer did not depend on it.
    pub trial: Option<Trial>,
}

/// The answer with everything it rests on.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// What the baseline is called.
    pub baseline: String,
    /// What the candidate is called.
    pub candidate: String,
    /// The answer.
    pub answer: Answer,
    /// Why: the weightiest first.
    pub reasons: Vec<Reason>,
    /// Steps and triggers that have another name.
    pub renamed: Vec<String>,
    /// Differences of the front matter.
    pub front_matter: Vec<String>,
    /// What each plan becomes.
    pub plans: Vec<PlanDiff>,
    /// Differences of steps that none of these plans has.
    pub elsewhere: Vec<String>,
    /// Changes that drills must try.
    pub concerns: Vec<Weighed>,
    /// The numbers, by scenario.
    pub comparisons: Vec<Comparison>,
    /// The smallest case of a new failure.
    pub smallest: Option<Smallest>,
    /// Seeds that both sides have run in each scenario, of those asked for.
    pub seeds: (u64, u64),
    /// Planned interim analyses of the evidence, the last one included.
    pub analyses: u64,
    /// Drills performed.
    pub drills: u64,
    /// The candidate's drills that need not be performed, as it would do there what the baseline did.
    pub skipped: Skipped,
    /// Whether somebody interrupted it.
    pub interrupted: bool,
    /// The same candidate against a pinned reference, if there is one.
    pub reference: Option<Box<Judgement>>,
}

impl Judgement {
    /// What must be done first for another answer. It is a number of seeds only where more seeds settle everything;
    /// `None`: nothing, or the answer is not open.
    #[must_use]
    pub fn remedy(&self) -> Option<&Remedy> {
        let mut wanted = self.reasons.iter().filter_map(|r| r.remedy.as_ref());
        wanted
            .next()
            .filter(|_| self.answer == Answer::Inconclusive)
    }

    /// The one number of seeds that would be enough; `None`: something else is wanting, or nothing.
    #[must_use]
    pub fn seeds_enough(&self) -> Option<u64> {
        match self.remedy() {
            Some(Remedy::Seeds(seeds)) => Some(*seeds),
            _ => None,
        }
    }
}

/// Answers the question. What is wrong whatever drills say is looked for first: then none is performed.
///
/// # Errors
/// [`WorldError`] if a drill can't be performed.
pub fn verify(question: &Question, runs: &mut Runs<'_>) -> Result<Judgement, WorldError> {
    let mut olds = std::iter::once(&question.baseline).chain(&question.reference);
    let drills = !olds.any(|old| is_wrong(old, &question.candidate));
    let mut judgement = against_one(question, &question.baseline, drills, runs)?;
    if let Some(reference) = &question.reference {
        let other = against_one(question, reference, drills, runs)?;
        judgement.drills += other.drills;
        judgement.interrupted |= other.interrupted;
        if other.answer > judgement.answer {
            judgement.answer = other.answer;
            let because = other.reasons.iter().filter(|r| r.answer == other.answer);
            let because = because.map(|reason| Reason {
                text: format!("against the reference, {}", reason.text),
                ..reason.clone()
            });
            judgement.reasons.splice(0..0, because.collect::<Vec<_>>());
            judgement.reasons.retain(|r| r.answer != Answer::Adopt);
        } else if other.answer == Answer::Inconclusive && other.remedy() != judgement.remedy() {
            // What is wanting against the reference is wanting, too.
            let wanting = other.reasons.iter().find(|r| r.remedy.is_some());
            judgement.reasons.extend(wanting.map(|reason| Reason {
                text: format!("against the reference, {}", reason.text),
                ..reason.clone()
            }));
        }
        seeds_where_only_they_are_wanting(&mut judgement.reasons);
        judgement.reference = Some(Box::new(other));
    }
    Ok(judgement)
}

/// Whether `new` is wrong in the place of `old`, whatever drills say.
fn is_wrong(old: &RunbookSide, new: &RunbookSide) -> bool {
    let aligned = aligned(old, new);
    let mut concerns = policy::concerns(old, &aligned.side).into_iter();
    concerns.any(|it| it.weight == Weight::Wrong)
}

fn against_one(
    question: &Question,
    old: &RunbookSide,
    drills: bool,
    runs: &mut Runs<'_>,
) -> Result<Judgement, WorldError> {
    let aligned = aligned(old, &question.candidate);
    let new = &aligned.side;
    let asked = question.seeds.end.saturating_sub(question.seeds.start);
    let analyses = interim_analyses(asked);
    let plans = plans::diffs(
        old.runbook(),
        new.runbook(),
        question.scenarios.iter().map(|s| &**s),
    );
    let mut judgement = Judgement {
        baseline: old.name(),
        candidate: new.name(),
        answer: Answer::Adopt,
        reasons: Vec::new(),
        renamed: aligned.renamed,
        front_matter: words::front_matter(old.runbook(), new.runbook()),
        elsewhere: elsewhere(old, new, &plans),
        plans,
        concerns: Vec::new(),
        comparisons: Vec::new(),
        smallest: None,
        seeds: (0, asked),
        analyses: analyses.len() as u64,
        drills: 0,
        skipped: Skipped::default(),
        interrupted: false,
        reference: None,
    };
    let concerns = policy::concerns(old, new);
    // What only people type may be worse, though the executor does the same.
    let does_the_same = old.key == new.key;
    if does_the_same && concerns.is_empty() {
        judgement.reasons.push(Reason {
            answer: Answer::Adopt,
            text: match old.executor {
                Some(_) => "both are the same program, called for the same triggers".to_owned(),
                None => same(old.loaded.text == question.candidate.loaded.text),
            },
            remedy: None,
        });
        return Ok(judgement);
    }
    let drills = drills && !does_the_same;
    let before = runs.performed();
    let mut reasons = Vec::new();
    for analysis in analyses.into_iter().filter(|_| drills) {
        let seeds = question.seeds.start..question.seeds.start + analysis;
        runs.perform_pairs(old, new, &question.scenarios, seeds.clone())?;
        judgement.skipped = runs.skipped(old, new, &question.scenarios, seeds.clone());
        judgement.interrupted = runs.is_stopped();
        let mut seen = BTreeSet::new();
        judgement.comparisons = question
            .scenarios
            .iter()
            .map(|scenario| {
                let (margin, seeds) = (question.terms.margin, seeds.clone());
                Comparison::of(runs, old, new, scenario, seeds, margin, &mut seen)
            })
            .collect();
        // All of the analysis's, unless it was interrupted.
        let pairs = judgement.comparisons.iter().map(|c| c.pairs.len() as u64);
        judgement.seeds.0 = pairs.min().unwrap_or(analysis);
        reasons = objections::rejecting(
            &judgement.comparisons,
            judgement.analyses * question.baselines(),
        );
        if !reasons.is_empty() || judgement.interrupted {
            break;
        }
    }
    if let Some((scenario, pair)) =
        newly_failing(&judgement.comparisons).filter(|_| !judgement.interrupted)
    {
        let budget = question.terms.shrink_budget;
        judgement.smallest = Some(smallest(runs, old, new, &scenario, &pair, budget)?);
    }
    let rejected = !reasons.is_empty() || !drills;
    let needed = trials_needed(question.terms.new_failures_max_ppm);
    for concern in concerns {
        let trial = if rejected || judgement.interrupted {
            None
        } else {
            Some(tried(runs, old, &judgement.comparisons, &concern, needed)?)
        };
        judgement.concerns.push(Weighed { concern, trial });
    }
    judgement.drills = runs.performed() - before;
    judgement.interrupted = runs.is_stopped();
    weigh(question, &mut judgement, reasons, drills);
    Ok(judgement)
}

fn same(to_the_letter: bool) -> String {
    if to_the_letter {
        "the two runbooks are the same to the letter".to_owned()
    } else {
        "nothing changes what is done: the two differ in words, names and layout that only people read. No drill was needed".to_owned()
    }
}

/// After how many seeds the evidence is looked at: each time twice as many, the last time all.
fn interim_analyses(seeds: u64) -> Vec<u64> {
    let mut analyses: Vec<u64> = [16, 8, 4, 2]
        .map(|part| seeds / part)
        .into_iter()
        .filter(|n| *n >= 10)
        .collect();
    analyses.push(seeds);
    analyses
}

/// The first new failure, in the order of scenarios and seeds.
fn newly_failing(comparisons: &[Comparison]) -> Option<(Arc<Scenario>, Pair)> {
    comparisons.iter().find_map(|c| {
        let pair = c.first_newly_failing()?;
        Some((Arc::clone(&c.scenario), pair.clone()))
    })
}

/// Differences of steps that no plan of these scenarios shows.
fn elsewhere(old: &RunbookSide, new: &RunbookSide, plans: &[PlanDiff]) -> Vec<String> {
    let (old, new) = (old.runbook(), new.runbook());
    let (was, now) = (plans::by_name(old), plans::by_name(new));
    let mut out = Vec::new();
    for step in &old.steps {
        match now.get(step.name.as_str()) {
            Some(is) => out.extend(words::differences(step, is)),
            None => out.push(format!("{} is gone", words::step(step))),
        }
    }
    let added = new
        .steps
        .iter()
        .filter(|s| !was.contains_key(s.name.as_str()));
    out.extend(added.map(|step| format!("{} is new", words::step(step))));
    let told = |line: &String| {
        plans.iter().any(|p| {
            p.changes
                .iter()
                .any(|change| change.starts_with(line.as_str()))
        })
    };
    out.retain(|line| !told(line));
    out
}

fn weigh(question: &Question, judgement: &mut Judgement, mut reasons: Vec<Reason>, drills: bool) {
    let scenarios = judgement.comparisons.len() as u64;
    for weighed in &judgement.concerns {
        reasons.extend(not_settled(weighed, judgement.seeds.0, scenarios));
    }
    if drills && reasons.iter().all(|r| r.answer != Answer::Reject) {
        let comparisons = &judgement.comparisons;
        reasons.extend(objections::doubting(
            question,
            comparisons,
            judgement.seeds.0,
        ));
        reasons.extend(enough(question, judgement));
    }
    if judgement.interrupted {
        let cut_off = Reason {
            answer: Answer::Inconclusive,
            text: format!(
                "it was interrupted after {} of {} seeds",
                judgement.seeds.0, judgement.seeds.1
            ),
            remedy: Some(Remedy::Say("let it run".to_owned())),
        };
        // Whatever else is open may just not have come yet.
        reasons.insert(0, cut_off);
    }
    if reasons.is_empty() && !drills {
        reasons.push(Reason {
            answer: Answer::Inconclusive,
            text: "no drill was performed, as another runbook that it is held against rejects it"
                .to_owned(),
            remedy: None,
        });
    }
    if reasons.is_empty() {
        reasons.push(adopt(question, judgement));
    }
    seeds_where_only_they_are_wanting(&mut reasons);
    judgement.answer = reasons[0].answer;
    judgement.reasons = reasons;
}

/// Why a concern stands; `None`: it is settled, or something else decides.
fn not_settled(weighed: &Weighed, seeds: u64, scenarios: u64) -> Option<Reason> {
    let Concern {
        weight,
        change,
        why,
        needs,
        ..
    } = &weighed.concern;
    if *weight == Weight::Wrong {
        return Some(Reason {
            answer: Answer::Reject,
            text: format!("{change}: {why}"),
            remedy: None,
        });
    }
    let trial = weighed.trial.as_ref().filter(|trial| !trial.is_enough())?;
    let (said, remedy) = if trial.mattered > 0 {
        let tries = (trial.scenarios.len() as u64).max(1);
        let seeds = (seeds * trial.needed).div_ceil(trial.mattered.max(1));
        let said = format!(
            "it matters in {} drills of {}, and {} are needed",
            trial.mattered,
            trial.scenarios.join(", "),
            trial.needed
        );
        (said, Remedy::Seeds(seeds.max(trial.needed.div_ceil(tries))))
    } else {
        let said = match needs {
            Needs::Person => String::new(),
            _ if trial.carried_out == 0 => "no drill carries it out".to_owned(),
            Needs::Mattering(_) => format!(
                "none of {} drills that carry it out would be judged otherwise {}",
                trial.carried_out,
                trial.how.as_deref().unwrap_or_default()
            ),
            _ => format!(
                "none of {} drills that carry it out gets better by it",
                trial.carried_out
            ),
        };
        let add = match needs {
            Needs::Person => "no drill can show that: a person must say whether it may be",
            _ if scenarios == 1 => "name more scenarios, or add one in which it matters",
            _ => "add a scenario in which it matters, or leave it as it was",
        };
        (said, Remedy::Say(add.to_owned()))
    };
    Some(Reason {
        answer: Answer::Inconclusive,
        text: if said.is_empty() {
            format!("{change}: {why}")
        } else {
            format!("{change}: {why}. Not shown: {said}")
        },
        remedy: Some(remedy),
    })
}

/// Scenarios with too few pairs that show anything.
fn enough(question: &Question, judgement: &Judgement) -> Vec<Reason> {
    let least = question.terms.pairs_min;
    let (mut reasons, mut short) = (Vec::new(), Vec::new());
    for c in &judgement.comparisons {
        let (counts, all) = (c.counts, c.pairs.len() as u64);
        // Where the baseline never passes either, the scenario says nothing; the evidence must come from the others.
        if counts.shown() >= least || counts.is_silent() {
            continue;
        }
        let mut why = Vec::new();
        for (n, what) in [
            (counts.both_fail, "fail under both"),
            (
                counts.inconclusive + counts.failing_where_unknown,
                "are inconclusive under the baseline",
            ),
            (
                counts.newly_inconclusive,
                "are inconclusive under the candidate",
            ),
        ] {
            if n > 0 {
                why.push(format!("{n} {what}"));
            }
        }
        if why.is_empty() {
            short.push(c.scenario.name.as_str());
            continue;
        }
        reasons.push(Reason {
            answer: Answer::Inconclusive,
            text: format!(
                "{}: only {} of {all} pairs show that the candidate works ({}); {least} are needed",
                c.scenario.name,
                counts.shown(),
                why.join(", ")
            ),
            remedy: Some(Remedy::Say(
                "look at why they do not pass: `chaos --runbook` shows it".to_owned(),
            )),
        });
    }
    if let Some(first) = short.first() {
        let others = match short.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} other scenarios"),
        };
        reasons.push(Reason {
            answer: Answer::Inconclusive,
            text: format!("{first}{others}: {least} pairs are needed in each scenario"),
            remedy: Some(Remedy::Seeds(least)),
        });
    }
    reasons
}

fn adopt(question: &Question, judgement: &Judgement) -> Reason {
    let comparisons = &judgement.comparisons;
    let newly: u64 = comparisons.iter().map(|c| c.counts.newly_passing).sum();
    let better = if newly == 0 {
        String::new()
    } else {
        format!(" {newly} drills pass newly.")
    };
    let silent: Vec<&str> = comparisons
        .iter()
        .filter(|c| c.counts.is_silent())
        .map(|c| c.scenario.name.as_str())
        .collect();
    let silent = if silent.is_empty() {
        String::new()
    } else {
        format!(
            " Nothing is said by {}: no drill passes there under either.",
            silent.join(", ")
        )
    };
    Reason {
        answer: Answer::Adopt,
        text: format!(
            "no new failure in {} different drills; at 95 %, fewer than {} of them fail newly, and as few take longer or answer fewer requests by more than the margin ({}).{better}{silent}",
            crate::stats::show_count(objections::distinct(comparisons)),
            tenths_of_percent(u64::from(question.terms.new_failures_max_ppm)),
            question.terms.margin
        ),
        remedy: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_double_and_end_with_all() {
        assert_eq!(interim_analyses(1_000), [62, 125, 250, 500, 1_000]);
        assert_eq!(interim_analyses(100), [12, 25, 50, 100]);
        assert_eq!(interim_analyses(3), [3]);
    }

    #[test]
    fn what_no_drill_can_cure_is_rejected_before_the_first() {
        let side = |was: &str, is: &str| {
            let text = crate::runbooks::BUILT_IN.replace(was, is);
            RunbookSide::parse("runbook.md", &text).expect("it loads")
        };
        let text = crate::scenario::find("latency-regression").expect("built in");
        let scenario = Scenario::parse(text.file, text.text, &[]).expect("it is right");
        let loses = || side("rpo: 0", "rpo: 99");
        // As sloppy as the candidate, the baseline says nothing against it. The reference does.
        for (baseline, reference) in [
            (side("", ""), None),
            (side("rpo: 0\n", "rpo: 98\n"), Some(side("", ""))),
            (loses(), Some(side("", ""))),
        ] {
            let question = Question {
                baseline,
                candidate: loses(),
                reference,
                scenarios: vec![Arc::new(scenario.clone())],
                seeds: 0..100,
                terms: super::super::Terms::default(),
            };
            let stop = std::sync::atomic::AtomicBool::new(false);
            let mut runs = Runs::new(crate::worlds::WorldKind::Sim, 1, &stop, &|| {});
            let judgement = verify(&question, &mut runs).expect("nothing is performed");
            assert_eq!(runs.performed(), 0);
            assert_eq!(judgement.answer, Answer::Reject);
            assert_eq!((judgement.drills, judgement.comparisons.len()), (0, 0));
            let said: Vec<&str> = judgement
                .reasons
                .iter()
                .map(|it| it.text.as_str())
                .collect();
            assert!(
                said[0].contains("99 acknowledged trades may be lost"),
                "{said:?}"
            );
            assert!(
                !said.iter().any(|it| it.contains("no new failure")),
                "{said:?}"
            );
        }
    }
}
