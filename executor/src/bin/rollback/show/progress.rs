//! Where a rollback is, as far as its events say: what a person who looks on must know.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use executor::planner::Plan;
use executor::{Event, standing, steps_to_recovery};
use jiff::Timestamp;

/// The step that is under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Current {
    /// Its name and service.
    pub(crate) label: String,
    /// When it began.
    pub(crate) since: Timestamp,
    /// Its budget.
    pub(crate) budget: Duration,
    /// What it waits for.
    pub(crate) why: Option<String>,
}

/// Where it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    plan: Option<Arc<Plan>>,
    /// Steps that went well, by position.
    done: BTreeSet<usize>,
    /// Steps that ended, well or not.
    ended: BTreeSet<usize>,
    /// The step under way.
    pub(crate) current: Option<Current>,
    /// When the RTO's clock began.
    fired_at: Option<Timestamp>,
    /// End of the last step that recovery waits for.
    recovered_at: Option<Timestamp>,
    /// A stop was asked for.
    pub(crate) stopping: bool,
}

impl Progress {
    /// Takes in an event.
    pub(crate) fn take_in(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::TriggerFired(trigger) => self.fired_at = Some(trigger.fired_at),
            Event::PlanInForce { plan, next } => {
                self.fired_at = plan.trigger.as_ref().map(|trigger| trigger.fired_at);
                self.done = (0..*next).collect();
                self.ended = self.done.clone();
                self.plan = Some(Arc::clone(plan));
            }
            Event::StepStarted {
                name,
                service,
                budget,
            } => {
                self.current = Some(Current {
                    label: label(name, service.as_ref()),
                    since: at,
                    budget: *budget,
                    why: None,
                });
            }
            Event::StepWaiting { why, .. } => {
                if let Some(current) = &mut self.current {
                    current.why = Some(why.clone());
                }
            }
            Event::StepFinished {
                name,
                service,
                outcome,
                ..
            } => {
                self.current = None;
                let Some(plan) = &self.plan else { return };
                let step = plan
                    .steps
                    .iter()
                    .find(|step| step.name == *name && step.service == *service);
                let Some(step) = step else { return };
                self.ended.insert(step.index);
                if outcome.is_done() {
                    self.done.insert(step.index);
                }
                let waits = steps_to_recovery(plan, &self.ended);
                if waits == 0 && self.recovered_at.is_none() {
                    self.recovered_at = Some(at);
                }
            }
            _ => {}
        }
    }

    /// Whether there are steps to show.
    pub(crate) fn is_under_way(&self) -> bool {
        self.plan.is_some()
    }

    /// Steps that ended, and all.
    pub(crate) fn count(&self) -> (usize, usize) {
        let all = self.plan.as_ref().map_or(0, |plan| plan.steps.len());
        (self.ended.len(), all)
    }

    /// The steps to come after the one under way.
    pub(crate) fn to_come(&self) -> Vec<String> {
        let Some(plan) = &self.plan else {
            return Vec::new();
        };
        let current = self.current.as_ref().map(|current| current.label.as_str());
        plan.steps
            .iter()
            .filter(|step| !self.ended.contains(&step.index))
            .map(executor::planner::PlannedStep::label)
            .filter(|label| Some(label.as_str()) != current)
            .collect()
    }

    /// The clock of the RTO at `now`, in words.
    pub(crate) fn clock(&self, now: Timestamp, rto: Duration) -> Clock {
        let Some(fired_at) = self.fired_at else {
            return Clock::Unset;
        };
        let since =
            |at: Timestamp| Duration::try_from(at.duration_since(fired_at)).unwrap_or_default();
        if let Some(at) = self.recovered_at {
            return Clock::Proving { took: since(at) };
        }
        let gone = since(now);
        match rto.checked_sub(gone) {
            Some(left) => Clock::Left { left, gone },
            None => Clock::Over { by: gone - rto },
        }
    }

    /// Whether the halt is on and the fence up; `None` if nothing was planned, so that nothing was changed.
    pub(crate) fn standing(&self) -> Option<String> {
        let plan = self.plan.as_ref()?;
        // One that is under way will tell by its end.
        let unsure = self.ended.difference(&self.done).copied().collect();
        Some(standing(plan, &self.done, &unsure)).filter(|text| !text.is_empty())
    }
}

/// The clock of the RTO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Nothing fired yet.
    Unset,
    /// It runs.
    Left {
        /// Until it is missed.
        left: Duration,
        /// Since the trigger.
        gone: Duration,
    },
    /// It is missed.
    Over {
        /// By how much.
        by: Duration,
    },
    /// Everything that recovery waits for is done; the checks must show that it held from then on.
    Proving {
        /// Trigger to then.
        took: Duration,
    },
}

/// A step's name, with its service if it has one.
pub(crate) fn label(name: &str, service: Option<&String>) -> String {
    service.map_or_else(|| name.to_owned(), |service| format!("{name} ({service})"))
}

#[cfg(test)]
#[path = "progress_tests.rs"]
pub(crate) mod tests;
