//! Classes of failure: drills that did not pass for the same reason.
//!
//! Two drills are of one class if the same oracle decided, if it found the same kind of thing, and if the executor
//! ended at the same step. The scenario does not matter, so that what strikes everywhere is told once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use executor::StepOutcome;

use super::journal::{Drill, Step};
use super::problems;
use crate::finding;
use crate::verdict::Verdict;

/// What tells one class from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassName {
    /// What came of its drills.
    pub verdict: Verdict,
    /// The oracle that decided.
    pub oracle: String,
    /// The kind of its finding, in kebab-case.
    pub kind: String,
    /// The step at which the executor ended, if one failed.
    pub step: Option<String>,
}

/// How many scenarios are named before a reason.
const NAMED_MAX: usize = 3;

/// One reason of a class, with the drills that have it.
#[derive(Debug)]
pub struct Reason<'a> {
    /// The reason of the first of its drills, in one line.
    pub text: String,
    /// Its drills, in the order of the journal; their reasons differ in numbers only.
    pub drills: Vec<&'a Drill<'a>>,
    /// Whether the text is that of all its drills, to the last number.
    pub same: bool,
}

impl Reason<'_> {
    /// The reason with the scenarios that it is true of, as one of several of its class unless it is the `only` one:
    /// `in busy-day, late-night: ...`, or `for instance, in busy-day with seed 3: ...` where others have other numbers.
    #[must_use]
    pub fn told(&self, only: bool) -> String {
        let first = self.drills[0];
        if self.same && only {
            return self.text.clone();
        }
        let example = format!("in {} with seed {}", first.scenario, first.seed);
        if only {
            return format!("for instance, {example}: {}", self.text);
        }
        let scenarios: BTreeSet<&str> = self.drills.iter().map(|d| &*d.scenario).collect();
        let named: Vec<&str> = scenarios.iter().copied().take(NAMED_MAX).collect();
        let more = match scenarios.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            n => format!(" and {n} more scenarios"),
        };
        let places = format!("in {}{more}", named.join(", "));
        if self.same {
            format!("{places}: {}", self.text)
        } else {
            format!("{places}, for instance {example}: {}", self.text)
        }
    }
}

/// A class with its drills.
#[derive(Debug)]
pub struct Class<'a> {
    /// What tells it from the others.
    pub name: ClassName,
    /// Its drills, in the order of the journal.
    pub drills: Vec<&'a Drill<'a>>,
}

/// The step that the executor ended at: the last that failed, or that found too little to decide on.
#[must_use]
pub fn failed_step<'a>(drill: &'a Drill<'_>) -> Option<&'a Step<'a>> {
    let failed = |step: &&Step<'_>| is_failed(step);
    drill.steps.iter().rev().find(failed)
}

/// Whether a step did not do what it is there for.
#[must_use]
pub fn is_failed(step: &Step<'_>) -> bool {
    is(step, StepOutcome::Failed) || is(step, StepOutcome::Inconclusive)
}

/// Whether a step was done, now and by this executor.
#[must_use]
pub fn is_done(step: &Step<'_>) -> bool {
    is(step, StepOutcome::Done)
}

/// A journal has the executor's own words.
fn is(step: &Step<'_>, outcome: StepOutcome) -> bool {
    *step.outcome == outcome.to_string()
}

impl ClassName {
    /// The class of a drill that did not pass.
    #[must_use]
    pub fn of(drill: &Drill<'_>) -> Self {
        let problems = drill.problems();
        let first = problems.first();
        Self {
            verdict: drill.verdict,
            oracle: first.map_or("stage", |f| f.oracle.as_str()).to_owned(),
            kind: first.map_or("unseen", |f| &*f.kind).to_owned(),
            step: failed_step(drill).map(|step| step.name.to_string()),
        }
    }

    /// What was found, as a plain sentence without a full stop; its name where this version has no words for it.
    #[must_use]
    pub fn headline(&self) -> String {
        finding::headline(&self.oracle, &self.kind).map_or_else(|| self.title(), str::to_owned)
    }

    /// Its name in words: `outcome: called, at step undo-app`.
    #[must_use]
    pub fn title(&self) -> String {
        let kind = self.kind.replace('-', " ");
        match &self.step {
            Some(step) => format!("{}: {kind}, at step {step}", self.oracle),
            None => format!("{}: {kind}", self.oracle),
        }
    }
}

impl<'a> Class<'a> {
    /// The drill that stands for it: one that was cut down, else one that is drawn, else the first.
    #[must_use]
    pub fn example(&self) -> &'a Drill<'a> {
        let cut = self.drills.iter().find(|d| d.smallest.is_some());
        let drawn = || self.drills.iter().find(|d| d.detail.is_some());
        cut.or_else(drawn).unwrap_or(&self.drills[0])
    }

    /// The one command that shows it: that of the smallest case, if there is one.
    #[must_use]
    pub fn command(&self) -> String {
        let example = self.example();
        match &example.smallest {
            Some(smallest) => smallest.command(),
            None => example.command(),
        }
    }

    /// What is left of the smallest case, in one line and without the reason, which is told already.
    #[must_use]
    pub fn smallest(&self) -> Option<String> {
        let smallest = self.example().smallest.as_ref()?;
        Some(problems::without_reason(smallest, &self.name.oracle))
    }

    /// How many of its drills are of which scenario.
    #[must_use]
    pub fn scenarios(&self) -> BTreeMap<&'a str, usize> {
        let mut scenarios = BTreeMap::new();
        for drill in &self.drills {
            *scenarios.entry(&*drill.scenario).or_default() += 1;
        }
        scenarios
    }

    /// Where it was met, in words: `3 drills of 2 scenarios`, `1 drill of latency-regression`.
    #[must_use]
    pub fn extent(&self) -> String {
        let scenarios = self.scenarios();
        let drills = match self.drills.len() {
            1 => "1 drill".to_owned(),
            n => format!("{n} drills"),
        };
        match scenarios.first_key_value() {
            Some((only, _)) if scenarios.len() == 1 => format!("{drills} of {only}"),
            _ => format!("{drills} of {} scenarios", scenarios.len()),
        }
    }

    /// Why its drills did not pass: each reason once, that of the most drills first. Reasons that differ in numbers
    /// only are one.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason<'a>> {
        let mut reasons: Vec<Reason<'a>> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for &drill in &self.drills {
            let text = problems::one_line(&problems::reason(drill));
            let at = *known
                .entry(problems::without_numbers(&text))
                .or_insert(reasons.len());
            match reasons.get_mut(at) {
                Some(reason) => {
                    reason.same &= reason.text == text;
                    reason.drills.push(drill);
                }
                None => reasons.push(Reason {
                    text,
                    drills: vec![drill],
                    same: true,
                }),
            }
        }
        // Stable, so that what is left equal stays in the order of the journal.
        reasons.sort_by_key(|reason| Reverse(reason.drills.len()));
        reasons
    }

    /// The reasons as lines, the first `most` of them, and a line that says how many more there are.
    #[must_use]
    pub fn told_reasons(&self, most: usize) -> Vec<String> {
        let reasons = self.reasons();
        let only = reasons.len() == 1;
        let mut lines: Vec<String> = reasons.iter().take(most).map(|r| r.told(only)).collect();
        if let Some(more @ 1..) = reasons.len().checked_sub(most) {
            let plural = if more == 1 { "" } else { "s" };
            lines.push(format!("and {more} more reason{plural}, in journal.json"));
        }
        lines
    }
}

/// The classes of those of `drills` that did not pass: what failed before what was inconclusive, then in the order in
/// which findings are told, then the most frequent.
#[must_use]
pub fn classes<'a>(drills: &'a [Drill<'a>]) -> Vec<Class<'a>> {
    let mut by_name: BTreeMap<ClassName, Vec<&'a Drill<'a>>> = BTreeMap::new();
    for drill in drills.iter().filter(|d| d.verdict != Verdict::Pass) {
        by_name.entry(ClassName::of(drill)).or_default().push(drill);
    }
    let mut classes: Vec<Class<'a>> = by_name
        .into_iter()
        .map(|(name, drills)| Class { name, drills })
        .collect();
    // Stable, so that what is left equal stays in the order of names.
    classes.sort_by_cached_key(|class| {
        let drill = class.drills[0];
        let first = drill.problems().first().map(|f| {
            // `None` would come before all others.
            finding::order(f.oracle, f.verdict, f.severity, drill.verdict)
        });
        let count = Reverse(class.drills.len());
        (Reverse(drill.verdict), first.is_none(), first, count)
    });
    classes
}
