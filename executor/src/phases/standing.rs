//! Stopping where it is safe, and where things stand then.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::executor::Executor;
use crate::journal::State;
use crate::planner::{LedgerPath, Loss, Plan};
use crate::report::{Outcome, Report, StepReport};
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
    reason.push_str(&after_a_space(standing(plan, &went_well(&facts))));
    facts.report(plan, Outcome::Stopped { reason })
}

/// The steps that were done and went well, by their position.
pub(super) fn went_well(facts: &Facts) -> BTreeSet<usize> {
    let well = |(index, report): (usize, &StepReport)| report.outcome.is_done().then_some(index);
    facts.steps.iter().enumerate().filter_map(well).collect()
}

/// How many of the steps that recovery waits for have not ended yet. Then come checks that must show that it held.
#[must_use]
pub fn steps_to_recovery(plan: &Plan, ended: &BTreeSet<usize>) -> usize {
    (0..plan.steps.len())
        .filter(|index| !ended.contains(index) && plan.delays_recovery(*index))
        .count()
}

/// The text behind a space; nothing stays nothing.
pub(super) fn after_a_space(text: String) -> String {
    if text.is_empty() {
        return text;
    }
    format!(" {text}")
}

/// Whether the fence is up and trading is halted, and what stays paused,
/// judged by the steps of the plan that went well. Nothing where there is nothing of it to tell.
#[must_use]
pub fn standing(plan: &Plan, done: &BTreeSet<usize>) -> String {
    let mut text = of_the_ledger(plan, done);
    let mut paused = BTreeSet::new();
    for step in plan.steps.iter().filter(|step| done.contains(&step.index)) {
        match (step.command.spec().leaves, &step.service) {
            (Leaves::Paused, Some(service)) => _ = paused.insert(service.as_str()),
            (Leaves::Resumed, Some(service)) => _ = paused.remove(service.as_str()),
            (Leaves::Paused | Leaves::Resumed, None)
            | (Leaves::Nothing | Leaves::Fenced | Leaves::Unfenced, _) => {}
        }
    }
    if !paused.is_empty() {
        let paused: Vec<&str> = paused.into_iter().collect();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&format!(
            "Rollouts are paused: {}. `kubectl rollout resume` them before anything is undone.",
            paused.join(", ")
        ));
    }
    text
}

/// Whether the fence is up and trading is halted.
fn of_the_ledger(plan: &Plan, done: &BTreeSet<usize>) -> String {
    let mut fenced = false;
    let mut values = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| done.contains(&step.index)) {
        match step.command.spec().leaves {
            Leaves::Fenced => fenced = true,
            Leaves::Unfenced => fenced = false,
            Leaves::Nothing | Leaves::Paused | Leaves::Resumed => {}
        }
        if let Command::SetConfigValue { name, key, value } = &step.command {
            values.insert((name, key), value);
        }
    }
    let flags: Vec<String> = values
        .iter()
        .map(|((name, key), value)| format!("{name}: {key}={value}"))
        .collect();
    let flags = flags.join(", ");
    let halts = &plan.naming.halts;
    if fenced {
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
    // What a later step sets to something else is not as it is to stay.
    let reopens = plan.steps.iter().find(|step| match &step.command {
        Command::SetConfigValue { name, key, value } => {
            !done.contains(&step.index) && values.get(&(name, key)).is_some_and(|set| *set != value)
        }
        _ => false,
    });
    match reopens {
        Some(step) => format!(
            "{fence}, but {flags} is set until `{}`: {halts} is halted{}.",
            step.label(),
            plan.naming.of(" at the gateways", "")
        ),
        // Whoever has nothing to halt is not told that it is not halted.
        None if plan.halts_nothing => String::new(),
        None if flags.is_empty() => format!("{fence}: {halts} is not halted."),
        None => format!("{fence} ({flags}): {halts} is not halted."),
    }
}
