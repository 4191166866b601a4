//! What a plan loses for good, or may lose. Undo scripts that are not marked lossless are never planned, so that it
//! comes down to the restore: the snapshot's rows replace what was written since,
//! and only the log is copied over.

pub use contract::rollback::{Loss, LossKind};

use super::plan::{Plan, PlannedStep};
use crate::runbook::{Command, OnFail};

impl Plan {
    /// What the steps from position `next` on may lose, the worst last. Steps that stand by for another's failure don't
    /// count: see [`Plan::losses_instead_of`].
    #[must_use]
    pub fn losses_from(&self, next: usize) -> Vec<Loss> {
        self.losses(|step| step.index >= next && step.instead_of.is_none())
    }

    /// What the steps may lose that are done only if the one at `index` fails, the worst last.
    #[must_use]
    pub fn losses_instead_of(&self, index: usize) -> Vec<Loss> {
        self.losses(|step| step.instead_of == Some(index))
    }

    fn losses(&self, counts: impl Fn(&PlannedStep) -> bool) -> Vec<Loss> {
        let mut losses = Vec::new();
        for step in self.steps.iter().filter(|step| counts(step)) {
            let Command::RestoreSnapshot { name } = &step.command else {
                continue;
            };
            losses.push(Loss {
                kind: LossKind::OutsideTheLog,
                step: step.label(),
                what: format!(
                    "whatever was written to the ledger since snapshot `{name}` and is not in the {} (corrections by hand, for instance); it remains in `{}`",
                    self.naming.log,
                    self.set_aside
                ),
            });
            let mut replays = self
                .steps
                .iter()
                .filter(|later| later.index > step.index && later.command == Command::ReplayLog);
            let lost = match replays.next() {
                None => Some(format!("no later step replays the {}", self.naming.log)),
                Some(replay) if replay.on_fail == OnFail::Continue => Some(format!(
                    "step `{}` may fail and be passed over (rb.on-fail is continue)",
                    replay.label()
                )),
                Some(_) => None,
            };
            if let Some(why) = lost {
                losses.push(Loss {
                    kind: LossKind::Acknowledged,
                    step: step.label(),
                    what: format!(
                        "{} acknowledged since snapshot `{name}`: {why}; they remain in `{}`",
                        self.naming.records, self.set_aside
                    ),
                });
            }
        }
        losses.sort_by_key(|loss| loss.kind);
        losses
    }
}
