//! Stopping where it is safe, and where things stand then.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::executor::Executor;
use crate::journal::State;
use crate::planner::{LedgerPath, Loss, Plan, PlannedStep};
use crate::report::{Outcome, Report, Standing, StepOutcome, StepReport};
use crate::runbook::{Command, Leaves};
use crate::steps::Facts;
use crate::stop::unless;

impl Executor {
    /// `work`, which must be safe to leave anywhere, or `None` once a stop is asked for.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        unless(&self.options.stop, work).await
    }

    /// Refuses a plan of which the steps from `next` on may lose more than is allowed.
    pub(super) fn refuse_loss(&self, plan: &Plan, next: usize) -> Result<(), Error> {
        self.refuse_losses(plan.losses_from(next))
    }

    /// Refuses losses beyond what is allowed.
    pub(super) fn refuse_losses(&self, mut losses: Vec<Loss>) -> Result<(), Error> {
        losses.retain(|loss| loss.kind > self.options.may_lose);
        if losses.is_empty() {
            Ok(())
        } else {
            Err(Error::WouldLose { losses })
        }
    }
}

/// The report of a rollback that was asked to stop and can be resumed.
pub(super) fn stopped(plan: &Plan, facts: Facts, state: &State) -> Report {
    let steps = plan.steps.len();
    let next = state.next_step().unwrap_or(steps);
    let mut reason = format!("stopped after {next} of {steps} steps");
    if let Some(step) = plan.steps.get(next) {
        reason.push_str(&format!(", before `{}`", step.label()));
        if matches!(
            state,
            State::Acting { .. } | State::Stopped { .. } | State::Closed { .. }
        ) && step.command.has_side_effect()
        {
            reason.push_str(", which was begun earlier and may have taken effect");
        }
    }
    reason.push('.');
    reason.push_str(&where_it_stands(plan, &facts, state));
    facts.report(plan, Outcome::Stopped { reason }, state)
}

/// The steps that were done and went well, by their position.
fn went_well(facts: &Facts) -> BTreeSet<usize> {
    let well = |(index, report): (usize, &StepReport)| report.outcome.is_done().then_some(index);
    facts.steps.iter().enumerate().filter_map(well).collect()
}

/// The steps that were begun and did not go well, by their position: one whose answer was lost may have taken effect.
fn unsure(facts: &Facts, state: &State) -> BTreeSet<usize> {
    let failed = |(index, report): (usize, &StepReport)| {
        matches!(
            report.outcome,
            StepOutcome::Failed | StepOutcome::Inconclusive
        )
        .then_some(index)
    };
    let mut begun: BTreeSet<usize> = facts.steps.iter().enumerate().filter_map(failed).collect();
    if let State::Acting { step, .. } = state {
        begun.insert(*step);
    }
    begun
}

/// Whether a person who looks on sees another state of the application once the step has taken effect.
fn changes_standing(step: &PlannedStep) -> bool {
    step.command.spec().leaves != Leaves::Nothing
        || matches!(step.command, Command::SetConfigValue { .. })
}

/// How many of the steps that recovery waits for have not ended yet. Then come checks that must show that it held.
#[must_use]
pub fn steps_to_recovery(plan: &Plan, ended: &BTreeSet<usize>) -> usize {
    (0..plan.steps.len())
        .filter(|index| !ended.contains(index) && plan.delays_recovery(*index))
        .count()
}

/// [`standing`] of a rollback that has come to `state`, behind a space; nothing stays nothing.
pub(super) fn where_it_stands(plan: &Plan, facts: &Facts, state: &State) -> String {
    let text = standing(plan, &went_well(facts), &unsure(facts, state));
    if text.is_empty() {
        return text;
    }
    format!(" {text}")
}

/// Whether the fence is up and the halt is on, and what stays paused, judged by the steps of the plan that went
/// well. Those that are `unsure` may have taken effect, so what depends on them is told as unknown. Nothing where there
/// is nothing of it to tell.
#[must_use]
pub fn standing(plan: &Plan, well: &BTreeSet<usize>, unsure: &BTreeSet<usize>) -> String {
    let matters = |index: &usize| plan.steps.get(*index).is_some_and(changes_standing);
    let unsure: BTreeSet<usize> = unsure.iter().copied().filter(matters).collect();
    let least = Stands::after(plan, well);
    let all: BTreeSet<usize> = well.union(&unsure).copied().collect();
    let most = Stands::after(plan, &all);
    let (without, with) = (least.in_words(), most.in_words());
    let mut told = Vec::new();
    if without == with {
        told.push(without);
    } else {
        let labels = unsure.iter().filter_map(|index| plan.steps.get(*index));
        let labels: Vec<String> = labels.map(|step| format!("`{}`", step.label())).collect();
        let one = labels.len() == 1;
        told.push(format!(
            "It is not known whether {} took effect, so look at that first.",
            labels.join(" and ")
        ));
        // Of several, any may have taken effect without the others.
        if one {
            let clauses = [("If it did not", without), ("If it did", with)];
            let clauses = clauses.iter().filter(|(_, text)| !text.is_empty());
            told.extend(clauses.map(|(when, text)| format!("{when}: {text}")));
        }
    }
    let paused = names(least.paused.intersection(&most.paused));
    if !paused.is_empty() {
        told.push(format!(
            "Rollouts are paused: {paused}. `kubectl rollout resume` them before anything is undone."
        ));
    }
    let perhaps = names(least.paused.symmetric_difference(&most.paused));
    if !perhaps.is_empty() {
        told.push(format!(
            "Rollouts may be paused: {perhaps}. `kubectl rollout resume` those that are before anything is undone."
        ));
    }
    told.retain(|text| !text.is_empty());
    told.join(" ")
}

fn names<'a>(services: impl Iterator<Item = &'a &'a str>) -> String {
    let names: Vec<&str> = services.copied().collect();
    names.join(", ")
}

/// The same for a program: what is claimed of the fence and of the halt.
pub(super) fn claims(plan: &Plan, facts: &Facts, state: &State) -> Standing {
    let (well, unsure) = (went_well(facts), unsure(facts, state));
    // Of several that are unsure, any may have taken effect without the others.
    let with_one = |index: &usize| well.iter().chain([index]).copied().collect();
    let mut possible: Vec<BTreeSet<usize>> = unsure.iter().map(with_one).collect();
    possible.push(well.union(&unsure).copied().collect());
    let least = Stands::after(plan, &well);
    let agreed = |of: fn(&Stands<'_>) -> bool| {
        let known = of(&least);
        let mut others = possible.iter().map(|done| of(&Stands::after(plan, done)));
        others.all(|it| it == known).then_some(known)
    };
    Standing {
        fenced: agreed(|it| it.fenced),
        halted: agreed(|it| it.halted()),
    }
}

/// What stands after some steps of a plan.
struct Stands<'a> {
    plan: &'a Plan,
    done: &'a BTreeSet<usize>,
    fenced: bool,
    /// Values of ConfigMaps, by name and key.
    values: BTreeMap<(&'a str, &'a str), &'a str>,
    /// Services whose rollouts are paused.
    paused: BTreeSet<&'a str>,
}

impl<'a> Stands<'a> {
    fn after(plan: &'a Plan, done: &'a BTreeSet<usize>) -> Self {
        let (mut fenced, mut values, mut paused) = (false, BTreeMap::new(), BTreeSet::new());
        for step in plan.steps.iter().filter(|step| done.contains(&step.index)) {
            match (step.command.spec().leaves, &step.service) {
                (Leaves::Fenced, _) => fenced = true,
                (Leaves::Unfenced, _) => fenced = false,
                (Leaves::Paused, Some(service)) => _ = paused.insert(service.as_str()),
                (Leaves::Resumed, Some(service)) => _ = paused.remove(service.as_str()),
                (Leaves::Paused | Leaves::Resumed, None) | (Leaves::Nothing, _) => {}
            }
            if let Command::SetConfigValue { name, key, value } = &step.command {
                values.insert((name.as_str(), key.as_str()), value.as_str());
            }
        }
        Self {
            plan,
            done,
            fenced,
            values,
            paused,
        }
    }

    /// The first step left that sets a value anew: what it sets is not as it is to stay.
    fn reopens(&self) -> Option<&'a PlannedStep> {
        self.plan.steps.iter().find(|step| match &step.command {
            Command::SetConfigValue { name, key, value } => {
                let set = self.values.get(&(name.as_str(), key.as_str()));
                !self.done.contains(&step.index) && set.is_some_and(|set| set != value)
            }
            _ => false,
        })
    }

    fn halted(&self) -> bool {
        self.fenced || self.reopens().is_some()
    }

    /// Whether the fence is up and the halt is on.
    fn in_words(&self) -> String {
        let plan = self.plan;
        let flags = self.values.iter();
        let flags = flags.map(|((name, key), value)| format!("{name}: {key}={value}"));
        let flags = flags.collect::<Vec<String>>().join(", ");
        let halts = &plan.naming.halts;
        if self.fenced {
            let flags = if flags.is_empty() {
                flags
            } else {
                format!(" ({flags})")
            };
            return format!("The ledger stays fenced{flags}: {halts} is halted.");
        }
        let fence = match plan.ledger.path {
            LedgerPath::Application => "The ledger was not touched",
            LedgerPath::Undo | LedgerPath::Restore => "The ledger is not fenced",
        };
        match self.reopens() {
            Some(step) => format!(
                "{fence}, but {flags} is set until `{}`: {halts} is halted.",
                step.label(),
            ),
            // Whoever has nothing to halt is not told that it is not halted.
            None if plan.halts_nothing => String::new(),
            None if flags.is_empty() => format!("{fence}: {halts} is not halted."),
            None => format!("{fence} ({flags}): {halts} is not halted."),
        }
    }
}
