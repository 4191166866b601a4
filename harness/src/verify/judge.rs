//! From evidence to an answer.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::against;
use super::compare::Comparison;
use super::interval::{ALPHA_PPM, share_ppm, trials_needed};
use super::plans::{self, PlanDiff};
use super::policy::{self, Concern, Weight};
use super::protection::Protection;
use super::runs::{Runs, Spared};
use super::show::tenths_of_percent;
use super::shrink::{Smallest, smallest};
use super::{Question, trials, words};
use crate::worlds::WorldError;

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Answer {
    /// The candidate may replace the baseline.
    Adopt,
    /// Neither is shown.
    Inconclusive,
    /// It must not.
    Reject,
}

impl Answer {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adopt => "ADOPT",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Reject => "REJECT",
        }
    }

    /// The exit code: 0, 3 and 1, as for drills that pass, show nothing, and fail.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Adopt => 0,
            Self::Inconclusive => 3,
            Self::Reject => 1,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The answer that it asks for.
    pub answer: Answer,
    /// In a sentence or two.
    pub text: String,
    /// What would change it.
    pub remedy: Option<String>,
}

/// A concern, and what settled it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weighed {
    /// The concern.
    #[serde(flatten)]
    pub concern: Concern,
    /// The scenario that tried it and passed under the candidate.
    pub settled_by: Option<String>,
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
    /// Differences of the front matter.
    pub front_matter: Vec<String>,
    /// What each plan becomes.
    pub plans: Vec<PlanDiff>,
    /// Differences of steps that none of these plans has.
    pub elsewhere: Vec<String>,
    /// Weakened protections.
    pub concerns: Vec<Weighed>,
    /// The numbers, by scenario.
    pub comparisons: Vec<Comparison>,
    /// The smallest case of a new failure.
    pub smallest: Option<Smallest>,
    /// Seeds that both sides have run in each scenario, of those asked for.
    pub seeds: (u64, u64),
    /// Planned looks at the evidence.
    pub looks: u64,
    /// One minus the confidence of each interval, in millionths.
    pub alpha_ppm: u64,
    /// Drills performed.
    pub drills: u64,
    /// The candidate's drills that need not be performed, as it would do there what the baseline did.
    pub spared: Spared,
    /// Whether somebody interrupted it.
    pub interrupted: bool,
}

/// Answers the question.
///
/// # Errors
/// [`WorldError`] if a drill can't be performed.
pub fn verify(question: &Question, runs: &mut Runs<'_>) -> Result<Judgement, WorldError> {
    let (old, new) = (&question.baseline, &question.candidate);
    let asked = question.seeds.end.saturating_sub(question.seeds.start);
    let looks = looks(asked);
    let plans = plans::diffs(
        old.runbook(),
        new.runbook(),
        question.scenarios.iter().map(|s| &**s),
    );
    let mut judgement = Judgement {
        baseline: old.loaded.file.clone(),
        candidate: new.loaded.file.clone(),
        answer: Answer::Adopt,
        reasons: Vec::new(),
        front_matter: words::front_matter(old.runbook(), new.runbook()),
        elsewhere: elsewhere(question, &plans),
        plans,
        concerns: Vec::new(),
        comparisons: Vec::new(),
        smallest: None,
        seeds: (0, asked),
        looks: looks.len() as u64,
        alpha_ppm: ALPHA_PPM / (looks.len() as u64).max(1),
        drills: 0,
        spared: Spared::default(),
        interrupted: false,
    };
    if old.key == new.key {
        judgement.reasons.push(Reason {
            answer: Answer::Adopt,
            text: same(old.loaded.text == new.loaded.text),
            remedy: None,
        });
        return Ok(judgement);
    }
    let concerns = policy::concerns(old, new);
    let before = runs.performed();
    for look in looks {
        let seeds = question.seeds.start..question.seeds.start + look;
        runs.perform_pairs(old, new, &question.scenarios, seeds.clone())?;
        judgement.spared = runs.spared(old, new, &question.scenarios, seeds.clone());
        judgement.interrupted = runs.is_stopped();
        judgement.comparisons = question
            .scenarios
            .iter()
            .map(|scenario| {
                Comparison::of(runs, old, new, scenario, seeds.clone(), judgement.alpha_ppm)
            })
            .collect();
        // All of the look's, unless it was interrupted.
        let pairs = judgement.comparisons.iter().map(|c| c.pairs.len() as u64);
        judgement.seeds.0 = pairs.min().unwrap_or(look);
        let failing = newly_failing(&judgement.comparisons).is_some();
        let late = judgement
            .comparisons
            .iter()
            .any(|c| !against::slower(question, c, Answer::Reject).is_empty());
        // What is wrong whatever drills say needs no more of them.
        let wrong = concerns.iter().any(|c| c.weight == Weight::Wrong);
        if failing || late || wrong || judgement.interrupted {
            break;
        }
    }
    if let Some((scenario, pair)) =
        newly_failing(&judgement.comparisons).filter(|_| !judgement.interrupted)
    {
        let budget = question.terms.shrink_budget;
        judgement.smallest = Some(smallest(runs, old, new, &scenario, &pair, budget)?);
    }
    judgement.drills = runs.performed() - before;
    judgement.concerns = concerns
        .into_iter()
        .map(|concern| Weighed {
            settled_by: settled_by(question, &judgement.comparisons, &concern),
            concern,
        })
        .collect();
    weigh(question, &mut judgement);
    Ok(judgement)
}

fn same(to_the_letter: bool) -> String {
    if to_the_letter {
        "the two runbooks are the same to the letter".to_owned()
    } else {
        "nothing changes what is done: the two differ in words that only people read. No drill was needed".to_owned()
    }
}

/// After how many seeds the evidence is looked at: each time twice as many, the last time all.
fn looks(seeds: u64) -> Vec<u64> {
    let mut looks: Vec<u64> = [16, 8, 4, 2]
        .map(|part| seeds / part)
        .into_iter()
        .filter(|n| *n >= 10)
        .collect();
    looks.push(seeds);
    looks
}

/// The first new failure, in the order of scenarios and seeds.
fn newly_failing(
    comparisons: &[Comparison],
) -> Option<(Arc<crate::scenario::Scenario>, super::Pair)> {
    comparisons.iter().find_map(|c| {
        let pair = c.first_newly_failing()?;
        Some((Arc::clone(&c.scenario), pair.clone()))
    })
}

/// Differences of steps that no plan of these scenarios shows.
fn elsewhere(question: &Question, plans: &[PlanDiff]) -> Vec<String> {
    let (old, new) = (question.baseline.runbook(), question.candidate.runbook());
    let names = plans::renamed(old, new);
    let now = plans::by_name(new);
    let was = plans::by_name(old);
    let mut out = Vec::new();
    for step in &old.steps {
        let name = names.get(step.name.as_str()).copied().unwrap_or(&step.name);
        match now.get(name) {
            Some(is) => out.extend(words::differences(step, is)),
            None => out.push(format!("{} is gone", words::step(step))),
        }
    }
    let taken: Vec<&str> = names.values().copied().collect();
    let added = new
        .steps
        .iter()
        .filter(|s| !was.contains_key(s.name.as_str()) && !taken.contains(&s.name.as_str()));
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

/// The scenario that tries the concern's protection and passed often enough under the candidate.
fn settled_by(
    question: &Question,
    comparisons: &[Comparison],
    concern: &Concern,
) -> Option<String> {
    let enough = |c: &&Comparison| {
        c.counts.shown() >= question.terms.pairs_min
            && c.counts.newly_failing + c.counts.both_fail == 0
    };
    comparisons
        .iter()
        .filter(|_| concern.weight == Weight::Untried)
        .filter(|c| {
            let fires = c.scenario.expect.trigger.as_ref();
            trials::tries(&c.scenario, concern.protection)
                || (concern.protection == Protection::Detection
                    && fires.is_some_and(|t| concern.change.contains(&format!("`{t}`"))))
        })
        .find(enough)
        .map(|c| c.scenario.name.clone())
}

fn weigh(question: &Question, judgement: &mut Judgement) {
    let mut reasons = Vec::new();
    for comparison in &judgement.comparisons {
        reasons.extend(against::of(question, comparison, judgement.alpha_ppm));
    }
    for weighed in &judgement.concerns {
        let Concern {
            protection,
            weight,
            change,
            why,
        } = &weighed.concern;
        if weighed.settled_by.is_some() {
            continue;
        }
        reasons.push(match weight {
            Weight::Wrong => Reason {
                answer: Answer::Reject,
                text: format!("{change}: {why}"),
                remedy: None,
            },
            Weight::Untried => Reason {
                answer: Answer::Inconclusive,
                text: format!("{change}: {why}; {}", protection.untried()),
                remedy: Some(
                    "keep it, or drill it: a scenario that tries it settles this".to_owned(),
                ),
            },
        });
    }
    enough(question, judgement, &mut reasons);
    if judgement.interrupted {
        reasons.push(Reason {
            answer: Answer::Inconclusive,
            text: "it was interrupted".to_owned(),
            remedy: Some("let it run".to_owned()),
        });
    }
    if reasons.is_empty() {
        reasons.push(adopt(question, judgement));
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.answer));
    judgement.answer = reasons[0].answer;
    judgement.reasons = reasons;
}

fn enough(question: &Question, judgement: &Judgement, reasons: &mut Vec<Reason>) {
    if reasons.iter().any(|r| r.answer == Answer::Reject) {
        return;
    }
    let terms = question.terms;
    for c in &judgement.comparisons {
        let (counts, all) = (c.counts, c.pairs.len() as u64);
        // Where the baseline never passes either, the scenario says nothing; the evidence must come from the others.
        if counts.shown() >= terms.pairs_min || counts.is_silent() {
            continue;
        }
        let mut why = Vec::new();
        for (n, what) in [
            (counts.both_fail, "fail under both"),
            (counts.inconclusive, "are inconclusive under the baseline"),
            (
                counts.newly_inconclusive,
                "are inconclusive under the candidate",
            ),
        ] {
            if n > 0 {
                why.push(format!("{n} {what}"));
            }
        }
        let detail = if why.is_empty() {
            String::new()
        } else {
            format!(" ({})", why.join(", "))
        };
        reasons.push(Reason {
            answer: Answer::Inconclusive,
            text: format!(
                "{}: only {} of {all} pairs show that the candidate works{detail}; {} are needed",
                c.scenario.name,
                counts.shown(),
                terms.pairs_min
            ),
            remedy: Some(if why.is_empty() {
                format!("--seeds {}", terms.pairs_min)
            } else {
                "look at why they do not pass: `chaos --runbook` shows it".to_owned()
            }),
        });
    }
    let shown: u64 = judgement.comparisons.iter().map(|c| c.counts.shown()).sum();
    let needed = trials_needed(terms.new_failures_max_ppm);
    if shown < needed {
        let scenarios = (judgement.comparisons.len() as u64).max(1);
        let seeds = needed.div_ceil(scenarios);
        reasons.push(Reason {
            answer: Answer::Inconclusive,
            text: format!("{shown} pairs without a new failure are too few: to show at 95 % that fewer than {} fail newly takes {needed}",
                tenths_of_percent(u64::from(terms.new_failures_max_ppm))),
            remedy: Some(format!("{} more seeds: --seeds {seeds}", seeds.saturating_sub(judgement.seeds.1))),
        });
    }
}

fn adopt(question: &Question, judgement: &Judgement) -> Reason {
    let shown: u64 = judgement.comparisons.iter().map(|c| c.counts.shown()).sum();
    let newly: u64 = judgement
        .comparisons
        .iter()
        .map(|c| c.counts.newly_passing)
        .sum();
    let (_, high) = share_ppm(0, shown);
    let better = if newly == 0 {
        String::new()
    } else {
        format!(" {newly} of them fail under the baseline.")
    };
    let silent: Vec<&str> = judgement
        .comparisons
        .iter()
        .filter(|c| c.counts.is_silent())
        .map(|c| c.scenario.name.as_str())
        .collect();
    let silent = if silent.is_empty() {
        String::new()
    } else {
        format!(
            ". Nothing is said by {}: no drill passes there under either",
            silent.join(", ")
        )
    };
    Reason {
        answer: Answer::Adopt,
        text: format!(
            "no new failure in {shown} pairs: at 95 %, fewer than {} fail newly.{better} p99 of RTO and impact stay within the margin ({}){silent}",
            tenths_of_percent(high),
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
        assert_eq!(looks(1_000), [62, 125, 250, 500, 1_000]);
        assert_eq!(looks(100), [12, 25, 50, 100]);
        assert_eq!(looks(3), [3]);
    }

    #[test]
    fn answers_have_their_exit_codes() {
        let codes = [Answer::Adopt, Answer::Reject, Answer::Inconclusive].map(Answer::exit_code);
        assert_eq!(codes, [0, 1, 3]);
    }
}
