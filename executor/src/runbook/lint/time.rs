//! What in a runbook can't be done in its time: holds, windows of requests, and budgets.

use super::Lint;
use crate::runbook::command::Kind;
use crate::runbook::model::{OnFail, Phase, When};
use crate::runbook::parse::{PATHS, path_budget, total};
use crate::runbook::suggest;

/// More requests a second than this are not to be counted on: few applications have them at any hour.
const RATE_MAX: u64 = 1_000;

impl Lint<'_, '_, '_> {
    /// What must hold for as long as its step may take can't have begun to hold.
    pub(super) fn holds(&mut self) {
        let runbook = self.runbook;
        for (step, place) in runbook.steps.iter().zip(self.places) {
            if let (Some(hold), Some(span)) = (step.hold, &place.hold)
                && hold >= step.timeout
            {
                let message = format!(
                    "`{}` must hold for {}, and its budget is {}",
                    step.name,
                    suggest::show(hold),
                    suggest::show(step.timeout)
                );
                self.findings.warning(
                    "hold-too-long",
                    span.clone(),
                    message,
                    "can't be over within `rb.timeout`",
                    "shorten it, or give the step a larger budget",
                );
            }
        }
    }

    /// Windows that can't hold the requests which are waited for.
    pub(super) fn requests(&mut self) {
        let runbook = self.runbook;
        let services = runbook.services.len();
        let always: Vec<usize> = path_budget(&runbook.steps, services, &[When::Always]).0;
        for (at, (step, place)) in runbook.steps.iter().zip(self.places).enumerate() {
            let (Some(wanted), Some(counted)) = (step.min_requests, &step.count_query) else {
                continue;
            };
            if let Some(span) = place
                .requests
                .clone()
                .filter(|_| !counted.contains("$WINDOW"))
            {
                self.findings.warning(
                    "requests-window",
                    span,
                    "the requests are counted in a window that doesn't begin with the recovery",
                    "without `$WINDOW`",
                    "write `[$WINDOW]`: a longer one counts requests of the bad release, a shorter one may never hold enough",
                );
            }
            if step.phase != Phase::Run {
                continue;
            }
            // The window begins before the first step that uses it, and may last until the RTO, less what comes after.
            let uses = |at: &usize| {
                let step = &runbook.steps[*at];
                step.text.contains("$WINDOW") || step.count_query.is_some()
            };
            let first = always.iter().copied().find(|at| uses(at)).unwrap_or(at);
            let is_other = |other: &usize| *other < first || *other > at;
            let others = always.iter().filter(|other| is_other(other));
            let others = total(&runbook.steps, services, others.copied());
            let longest = runbook.rto.saturating_sub(others).as_secs().max(1);
            let rate = wanted.div_ceil(longest);
            if let Some(span) = place.min_requests.clone().filter(|_| rate > RATE_MAX) {
                self.findings.warning(
                    "requests-too-many",
                    span,
                    format!(
                        "{wanted} requests take {rate} a second: within the RTO this window lasts {longest}s at most"
                    ),
                    "more than most applications have",
                    "ask for fewer: 30000 without an error bound the error rate below 0.01 %",
                );
            }
        }
    }

    /// Everything that may be needed at once fits into the RTO. An undo that is made good by a restore may fail at the
    /// end of its own budget, so both count on its path.
    pub(super) fn budgets(&mut self) {
        // An undo may fail, and somebody may scale a service down meanwhile; both at once are left out.
        const EITHER: [When; 2] = [When::DeploymentPaused, When::ConfigChanged];
        const ALL: [When; 3] = [EITHER[0], EITHER[1], When::ReplicasReduced];
        let rto = self.runbook.rto;
        let steps = &self.runbook.steps;
        let services = self.runbook.services.len();
        let sum =
            |when: &[When], more: &[When]| path_budget(steps, services, &[when, more].concat()).1;
        let worst = PATHS.iter().map(|(_, when)| sum(when, &ALL)).max();
        // Where nothing but the configuration changed, pods are replaced instead of a rollout, not on top of it.
        let replaced = (0..steps.len())
            .filter(|at| steps[*at].phase == Phase::Run && steps[*at].when == When::ConfigOnly);
        let rolled_out =
            self.run(|it| matches!(it.kind(), Kind::RolloutUndo | Kind::RolloutStatus));
        let more = total(steps, services, replaced).saturating_sub(total(
            steps,
            services,
            rolled_out.into_iter(),
        ));
        let worst = worst.unwrap_or_default().saturating_add(more);
        if worst > rto {
            let message = format!(
                "with every condition met, the budgets come to {}, more than the RTO of {}",
                suggest::show(worst),
                suggest::show(rto)
            );
            self.warn(
                "budget-worst-case",
                &message,
                "shorten the budgets of conditional steps",
            );
            return;
        }
        let undo = self.run(|it| it.kind() == Kind::UndoSchema);
        let Some(undo) = undo
            .into_iter()
            .find(|at| steps[*at].on_fail == OnFail::Restore)
        else {
            return;
        };
        let both = sum(
            &[
                When::Always,
                When::LedgerBreaking,
                When::LedgerUndo,
                When::LedgerRestore,
            ],
            &EITHER,
        );
        if both > rto {
            let message = format!(
                "if `{}` fails and the snapshot is restored instead, the budgets come to {}, more than the RTO of {}",
                steps[undo].name,
                suggest::show(both),
                suggest::show(rto)
            );
            let help = format!(
                "until it is done, nothing is left to wait for a server that refuses: shorten this budget, and those of the restore, by {} in all",
                suggest::show(both - rto)
            );
            self.warn_at(
                undo,
                "budget-fallback",
                &message,
                "may use up its budget before it fails",
                &help,
            );
        }
    }
}
