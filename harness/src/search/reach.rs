//! Where a fault of a kind can hit something: the instants at which what it hits is there, how soon after them it must
//! begin, and how long it must last. It is known before a fault is drawn, so that few drills show nothing.

#[cfg(test)]
use std::time::Duration;

use executor::runbook::{Phase, Runbook, Step, When};

use crate::scenario::fault::FaultSpec;
use crate::scenario::{Anchor, Path};

/// The instants at which a fault can hit, and the times that it is drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// When.
    pub(super) anchors: Vec<Anchor>,
    /// How long after that, at most, in milliseconds.
    pub(super) latest_ms: u64,
    /// How long it lasts, at least, in milliseconds.
    pub(super) shortest_ms: u64,
}

/// Where a fault of the kind `spec` on `target` can hit in a rollback that comes to `steps`; `before_the_proof`:
/// only while what it does to the clients can still be made good before the first query of the proof. The instants are
/// in the order of the steps.
pub(super) fn reach(
    steps: &[&Step],
    spec: &FaultSpec,
    target: Option<&str>,
    before_the_proof: bool,
) -> Option<Reach> {
    let needs = spec.draws.needs(target)?;
    let before = steps
        .iter()
        .take_while(|step| !step.command.judges_a_value())
        .count();
    let count = if before_the_proof {
        before
    } else {
        steps.len()
    };
    let taken = (0..count).filter(|&at| needs.place.takes(&steps[at].command));
    // At the step, and between it and the one before it.
    let at_steps = taken.flat_map(|at| {
        let step = Anchor::Step(steps[at].name.clone());
        let between = at.checked_sub(1).map(|before| steps[before]);
        // The first end of a step that is done for each service is followed by the next service,
        // unless this one is, too.
        let between = between.filter(|it| !it.for_each_service || steps[at].for_each_service);
        let between = between.map(|it| Anchor::After(it.name.clone()));
        std::iter::once(step).chain(between)
    });
    let trigger = needs.place.is_at_the_trigger().then_some(Anchor::Trigger);
    let anchors: Vec<Anchor> = trigger.into_iter().chain(at_steps).collect();
    (!anchors.is_empty()).then_some(Reach {
        anchors,
        // The last steps before the proof take a second or two.
        latest_ms: if before_the_proof {
            needs.latest_ms.min(500)
        } else {
            needs.latest_ms
        },
        shortest_ms: needs.shortest_ms,
    })
}

/// The steps of phase `run` that a rollback on `path` comes to, in order. Of those that the state of the services
/// decides about, it comes to the ones that `is_planned` says.
pub(super) fn steps_on<'a>(
    runbook: &'a Runbook,
    path: Path,
    is_planned: &dyn Fn(&str) -> bool,
) -> Vec<&'a Step> {
    let steps = runbook.steps.iter().filter(|step| step.phase == Phase::Run);
    let steps = steps.filter(|step| match step.when {
        When::Always => true,
        When::LedgerBreaking => matches!(path, Path::Undo | Path::Restore),
        When::LedgerUndo => path == Path::Undo,
        When::LedgerRestore => path == Path::Restore,
        When::DeploymentPaused | When::ConfigChanged | When::ConfigOnly | When::ReplicasReduced => {
            is_planned(&step.name)
        }
    });
    steps.collect()
}

/// The longest that a fault of the drills that must recover lasts.
#[cfg(test)]
pub(super) const SHORT: Duration = Duration::from_secs(12);
