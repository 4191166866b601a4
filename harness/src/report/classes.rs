//! Classes of failure: drills that did not pass for the same reason.
//!
//! Two drills are of one class if the same oracle decided, if it found the same kind of thing, and if the executor
//! ended at the same step. The scenario does not matter, so that what strikes everywhere is told once.

use std::cmp::Reverse;
use std::collections::BTreeMap;

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
    // The executor's own words: see `executor::StepOutcome`.
    matches!(&*step.outcome, "failed" | "inconclusive")
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

    /// Why its example did not pass, in one line.
    #[must_use]
    pub fn reason(&self) -> String {
        problems::one_line(&problems::reason(self.example()))
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
