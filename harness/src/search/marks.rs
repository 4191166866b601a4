//! The marks that the drills of a search can meet, from the catalogues of what there is: the table of faults, the steps
//! of the runbook by path, the outcomes of steps, the planner's reasons, and what each oracle can find.
//!
//! What is recorded ([`Met`]) is finer than a mark: it also has the service of the step and the fault's target.
//! A mark that was never reached is a hole, unless `unreachable` says why no drill of a search reaches it.

use std::collections::BTreeMap;
use std::fmt;

use executor::StepOutcome;
use executor::planner::{LedgerReason, Refusal, StepReason};
use executor::runbook::{Effect, OnFail, Phase, Runbook, Step, When};

use super::coverage::{Coverage, Met, of};
use super::names;
use super::unreachable;
use crate::drill::struck::{CRASH, Side};
use crate::finding::OracleName;
use crate::scenario::Path;
use crate::scenario::fault::{FAULTS, FaultSpec};
use crate::worlds::WorldKind;

/// How many drills must have met every mark that they can meet.
pub const DRILLS_FOR_ALL: u64 = 10_000;

/// Something that the drills of a search must meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A fault of a kind hit something of its target.
    Fault {
        /// Kind.
        kind: &'static str,
        /// Target, where the kind has one.
        target: Option<String>,
    },
    /// A step met a kind of fault.
    Meeting {
        /// Kind.
        kind: &'static str,
        /// Step.
        step: String,
        /// On which side of the step's effect.
        side: Side,
    },
    /// A step ended in this way.
    Outcome {
        /// Step.
        step: String,
        /// How.
        outcome: String,
    },
    /// A step was planned, or left out, for this reason.
    Planned {
        /// Step.
        step: String,
        /// Whether it was left out.
        left_out: bool,
        /// Why.
        because: StepReason,
    },
    /// The ledger was dealt with for this reason.
    Ledger(LedgerReason),
    /// A service was brought back in this way.
    Target(&'static str),
    /// There was no plan for this reason.
    Refused(Refusal),
    /// An oracle found this.
    Found {
        /// Who.
        oracle: OracleName,
        /// What.
        kind: &'static str,
    },
}

/// What marks are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Which faults hit whom.
    Faults,
    /// Which step met which fault.
    Meetings,
    /// How steps ended.
    Outcomes,
    /// What the planner decided, and why.
    Planner,
    /// What oracles found.
    Oracles,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 5] = [
        Self::Faults,
        Self::Meetings,
        Self::Outcomes,
        Self::Planner,
        Self::Oracles,
    ];

    /// The words in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Faults => "faults that hit",
            Self::Meetings => "steps that met a fault",
            Self::Outcomes => "outcomes of steps",
            Self::Planner => "reasons of the planner",
            Self::Oracles => "findings of oracles",
        }
    }
}

impl Mark {
    /// What it is about.
    #[must_use]
    pub fn part(&self) -> Part {
        match self {
            Self::Fault { .. } => Part::Faults,
            Self::Meeting { .. } => Part::Meetings,
            Self::Outcome { .. } => Part::Outcomes,
            Self::Planned { .. } | Self::Ledger(_) | Self::Target(_) | Self::Refused(_) => {
                Part::Planner
            }
            Self::Found { .. } => Part::Oracles,
        }
    }

    /// The mark that `met` counts for, if there is one.
    #[must_use]
    pub fn of(met: &Met) -> Option<Self> {
        Some(match met {
            Met::Hit { kind, target, .. } => Self::Fault {
                kind,
                target: target.clone(),
            },
            Met::Struck {
                step, kind, side, ..
            } => Self::Meeting {
                kind,
                step: step.clone(),
                side: *side,
            },
            Met::Ended { step, outcome } => Self::Outcome {
                step: step.clone(),
                outcome: outcome.clone(),
            },
            Met::Planned {
                step,
                left_out,
                because,
            } => Self::Planned {
                step: step.clone(),
                left_out: *left_out,
                because: *because,
            },
            Met::Ledger { because } => Self::Ledger(*because),
            Met::Target { target } => Self::Target(target),
            Met::Refused { because } => Self::Refused(*because),
            Met::Found { oracle, kind } => Self::Found {
                oracle: *oracle,
                kind,
            },
            Met::Began { .. } | Met::Rolled { .. } => return None,
        })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault { kind, target } => write!(f, "{} hits", of(kind, target.as_ref())),
            Self::Meeting { kind, step, side } => {
                write!(f, "{step} meets {kind} {}", side.as_str())
            }
            Self::Outcome { step, outcome } => write!(f, "{step} ends: {outcome}"),
            Self::Planned {
                step,
                left_out,
                because,
            } => {
                let how = if *left_out {
                    "is left out"
                } else {
                    "is planned"
                };
                write!(f, "{step} {how}: {because}")
            }
            Self::Ledger(because) => write!(f, "the ledger's way: {because}"),
            Self::Target(target) => write!(f, "a service goes back to: {target}"),
            Self::Refused(because) => write!(f, "there is no plan: {because}"),
            Self::Found { oracle, kind } => write!(f, "{oracle} finds: {kind}"),
        }
    }
}

/// All marks of the drills of one runbook.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Each with the reason for which no search reaches it, if there is one.
    marks: BTreeMap<Mark, Option<&'static str>>,
    steps: Vec<(String, Vec<Side>)>,
}

/// How many marks of a part there are, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Marks that can be met.
    pub all: usize,
    /// Of them, those that were.
    pub met: usize,
    /// Marks that no search meets, for a reason.
    pub unreachable: usize,
}

/// How often each mark was met.
#[derive(Clone, Debug)]
pub struct Tally<'a> {
    catalogue: &'a Catalogue,
    times: BTreeMap<Mark, u64>,
}

impl Catalogue {
    /// The marks of drills by `runbook`.
    #[must_use]
    pub fn of(runbook: &Runbook) -> Self {
        let mut catalogue = Self {
            marks: BTreeMap::new(),
            steps: Vec::new(),
        };
        let steps = runbook.steps.iter();
        let steps: Vec<&Step> = steps.filter(|it| it.phase != Phase::Prepare).collect();
        for step in &steps {
            let sides = sides(step);
            catalogue.steps.push((step.name.clone(), sides.to_vec()));
            catalogue.outcomes(runbook, step);
            catalogue.reasons(runbook, step);
        }
        catalogue.faults(&steps);
        for &because in LedgerReason::ALL {
            catalogue.add(Mark::Ledger(because), unreachable::ledger(because));
        }
        for target in names::targets() {
            catalogue.add(Mark::Target(target), None);
        }
        for &because in Refusal::ALL {
            let why = unreachable::refusal(runbook, because);
            catalogue.add(Mark::Refused(because), why);
        }
        for oracle in OracleName::ALL {
            for kind in oracle.kinds() {
                let mark = Mark::Found {
                    oracle,
                    kind: kind.name,
                };
                catalogue.add(mark, unreachable::finding(oracle, *kind));
            }
        }
        catalogue
    }

    fn add(&mut self, mark: Mark, why_not: Option<&'static str>) {
        self.marks.insert(mark, why_not);
    }

    fn outcomes(&mut self, runbook: &Runbook, step: &Step) {
        let changes = step.command.spec().effect == Effect::Changes;
        let all = [
            (StepOutcome::Done, true),
            (StepOutcome::Failed, true),
            (StepOutcome::AlreadySo, changes),
            (StepOutcome::Skipped, makes_good(runbook, step)),
            (StepOutcome::Inconclusive, step.command.judges_a_value()),
        ];
        for (outcome, _) in all.into_iter().filter(|(_, can)| *can) {
            let mark = Mark::Outcome {
                step: step.name.clone(),
                outcome: outcome.to_string(),
            };
            self.add(mark, None);
        }
    }

    fn reasons(&mut self, runbook: &Runbook, step: &Step) {
        use StepReason as R;
        let (planned, left_out): (&[R], &[R]) = match step.when {
            When::Always if step.for_each_service => (&[R::ServiceDiffers], &[]),
            When::Always => (&[R::EveryRollback], &[]),
            When::LedgerBreaking => (&[R::LedgerIsUndone, R::LedgerIsRestored], &[R::LedgerStays]),
            When::LedgerUndo => (&[R::LedgerIsUndone], &[R::LedgerStays, R::LedgerIsRestored]),
            When::LedgerRestore if makes_good(runbook, step) => (
                &[R::LedgerIsRestored, R::InsteadOfAnother],
                &[R::LedgerStays],
            ),
            When::LedgerRestore => (&[R::LedgerIsRestored], &[R::LedgerStays, R::LedgerIsUndone]),
            When::DeploymentPaused => (&[R::Paused, R::StandsBy], &[R::NotPaused]),
            When::ReplicasReduced => (&[R::ScaledDown, R::StandsBy], &[R::NotScaledDown]),
            When::ConfigOnly => (&[R::ConfigurationOnly], &[R::NotConfigurationOnly]),
            When::ConfigChanged => (&[R::ConfigurationChanged], &[R::ConfigurationAsRecorded]),
        };
        let each = step.for_each_service.then_some(&R::ServiceAsRecorded);
        let planned = planned.iter().map(|because| (false, because));
        let left_out = left_out.iter().chain(each).map(|because| (true, because));
        for (left_out, &because) in planned.chain(left_out) {
            let mark = Mark::Planned {
                step: step.name.clone(),
                left_out,
                because,
            };
            self.add(mark, None);
        }
    }

    fn faults(&mut self, steps: &[&Step]) {
        for spec in FAULTS {
            if !spec.worlds.contains(&WorldKind::Sim) {
                continue;
            }
            let names = spec.targets.names();
            let mut targets: Vec<Option<&str>> = names.iter().map(|&name| Some(name)).collect();
            if targets.is_empty() {
                targets.push(None);
            }
            for &target in &targets {
                let mark = Mark::Fault {
                    kind: spec.name,
                    target: target.map(str::to_owned),
                };
                let why_not = match spec.draws.needs(target) {
                    None => Some(unreachable::NOT_DRAWN),
                    Some(_) => None,
                };
                self.add(mark, why_not);
            }
            for step in steps {
                let meets = |target: &Option<&str>| meets(spec, *target, step, steps);
                let why_not = match targets.iter().any(meets) {
                    true => None,
                    false if !spec.for_a_time => Some(unreachable::OVER_AT_ONCE),
                    false => Some(unreachable::BEGINS_LATER),
                };
                self.meetings(spec.name, step, why_not);
            }
        }
        for step in steps {
            self.meetings(CRASH, step, None);
        }
    }

    fn meetings(&mut self, kind: &'static str, step: &Step, why_not: Option<&'static str>) {
        for &side in sides(step) {
            let step = step.name.clone();
            self.add(Mark::Meeting { kind, step, side }, why_not);
        }
    }

    /// The steps in their order, each with the sides that it has.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &[Side])> {
        let steps = self.steps.iter();
        steps.map(|(name, sides)| (name.as_str(), sides.as_slice()))
    }

    /// All marks, each with the reason for which no search reaches it, if there is one.
    pub fn marks(&self) -> impl Iterator<Item = (&Mark, Option<&'static str>)> {
        self.marks.iter().map(|(mark, why_not)| (mark, *why_not))
    }

    /// Why no search reaches `mark`; `None`: one does, or it is none of the marks.
    #[must_use]
    pub fn why_not(&self, mark: &Mark) -> Option<&'static str> {
        self.marks.get(mark).copied().flatten()
    }

    /// How often each mark was met in `coverage`.
    #[must_use]
    pub fn tally(&self, coverage: &Coverage) -> Tally<'_> {
        let mut times: BTreeMap<Mark, u64> = BTreeMap::new();
        for (met, count) in coverage.iter() {
            if let Some(mark) = Mark::of(met) {
                let sum = times.entry(mark).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        Tally {
            catalogue: self,
            times,
        }
    }
}

impl Tally<'_> {
    /// How often `mark` was met.
    #[must_use]
    pub fn times(&self, mark: &Mark) -> u64 {
        self.times.get(mark).copied().unwrap_or(0)
    }

    /// What can be met and was not.
    pub fn holes(&self) -> impl Iterator<Item = &Mark> {
        let marks = self.catalogue.marks();
        let holes = marks.filter(|(mark, why_not)| why_not.is_none() && self.times(mark) == 0);
        holes.map(|(mark, _)| mark)
    }

    /// What was met though the code says that it can't be, with what it says. What should not be met, since it shows a
    /// failure or nothing at all, is not among them.
    pub fn refuted(&self) -> impl Iterator<Item = (&Mark, &'static str)> {
        let marks = self.catalogue.marks();
        let marks = marks.filter(|(_, why_not)| !why_not.is_some_and(unreachable::is_unwanted));
        marks.filter_map(|(mark, why_not)| Some((mark, why_not.filter(|_| self.times(mark) > 0)?)))
    }

    /// The marks of `part` in numbers.
    #[must_use]
    pub fn counts(&self, part: Part) -> Counts {
        let mut counts = Counts::default();
        for (mark, why_not) in self.catalogue.marks() {
            if mark.part() != part {
                continue;
            }
            match why_not {
                Some(_) => counts.unreachable += 1,
                None => {
                    counts.all += 1;
                    counts.met += usize::from(self.times(mark) > 0);
                }
            }
        }
        counts
    }
}

/// The sides of the effect of `step`.
fn sides(step: &Step) -> &'static [Side] {
    match step.command.spec().effect {
        Effect::Changes => &[Side::Before, Side::After],
        _ => &[Side::Looking],
    }
}

/// Whether `step` makes good the failure of an undo before it.
fn makes_good(runbook: &Runbook, step: &Step) -> bool {
    let mut before = runbook.steps.iter().take_while(|it| it.name != step.name);
    step.when == When::LedgerRestore && before.any(|it| it.on_fail == OnFail::Restore)
}

/// Whether a rollback on `path` by a runbook with `steps` may come to `step`.
fn is_on(path: Path, step: &Step, steps: &[&Step]) -> bool {
    match step.when {
        When::LedgerBreaking => path != Path::Application,
        When::LedgerUndo => path == Path::Undo,
        // Where an undo fails, the snapshot may be restored instead.
        When::LedgerRestore => {
            let instead = || steps.iter().any(|it| it.on_fail == OnFail::Restore);
            path == Path::Restore || path == Path::Undo && instead()
        }
        _ => true,
    }
}

/// Whether what is over at once, and begins so long after the first of `steps` at most, may come after all of them.
fn passes(steps: &[&&Step], latest_ms: u64) -> bool {
    let holds = |step: &&&Step| {
        step.hold
            .is_some_and(|hold| hold.as_millis() >= latest_ms.into())
    };
    steps.is_empty() || latest_ms >= 1_000 && !steps.iter().any(holds)
}

/// Whether a fault can be drawn at `step`, in a rollback that comes to it.
fn is_drawn_at(step: &Step) -> bool {
    step.phase == Phase::Run
}

/// Whether every rollback on the path of `step` comes to it.
fn is_certain(step: &Step) -> bool {
    let ledger = matches!(
        step.when,
        When::Always | When::LedgerBreaking | When::LedgerUndo | When::LedgerRestore
    );
    ledger && step.phase == Phase::Run
}

/// Whether a fault of the kind `spec` on `target` can be there in the time of `step`: what lasts, from where it is
/// drawn on; what is over at once, where it is drawn and soon after.
fn meets(spec: &FaultSpec, target: Option<&str>, step: &Step, steps: &[&Step]) -> bool {
    let Some(needs) = spec.draws.needs(target) else {
        return false;
    };
    [Path::Application, Path::Undo, Path::Restore]
        .into_iter()
        .filter(|path| is_on(*path, step, steps))
        .any(|path| {
            let on_path: Vec<&&Step> = steps.iter().filter(|it| is_on(path, it, steps)).collect();
            let Some(at) = on_path.iter().position(|it| it.name == step.name) else {
                return false;
            };
            // Steps under one heading are done service by service, so that the first may come again after the last.
            let together = |it: &&&&Step| it.for_each_service && it.title == step.title;
            let again = on_path[at..].iter().take_while(together).count();
            let at = at + again.saturating_sub(1);
            // What begins at the trigger meets the first step that there always is.
            let first = on_path.iter().position(|it| is_certain(it));
            // It begins at the step, or between it and the one before it, whose last services it may meet.
            let begins_at = |(index, it): (usize, &&&Step)| {
                let at_the_trigger = needs.place.is_at_the_trigger() && first == Some(index);
                let there = is_drawn_at(it) && needs.place.takes(&it.command);
                let mut begins: Vec<usize> = (at_the_trigger || there)
                    .then_some(index)
                    .into_iter()
                    .collect();
                // Which of the ledger's ways a rollback takes, the step before it depends on.
                for before in (0..index)
                    .rev()
                    .filter(|before| there && is_drawn_at(on_path[*before]))
                {
                    begins.push(before);
                    if matches!(on_path[before].when, When::Always | When::LedgerBreaking) {
                        break;
                    }
                }
                begins
            };
            let mut begins = on_path.iter().enumerate().flat_map(begins_at);
            begins.any(|index| {
                index <= at && (spec.for_a_time || passes(&on_path[index..at], needs.latest_ms))
            })
        })
}

#[cfg(test)]
mod tests;
