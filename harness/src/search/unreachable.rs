//! The marks that no drill of a search reaches, each with its reason. Whoever makes a search reach one takes it out
//! here; a mark that is met all the same is reported.

use executor::planner::{LedgerReason, Refusal};
use executor::runbook::{Kind as CommandKind, Runbook};

use crate::finding::{Bearing, Kind, OracleName, Severity};

/// Of a target that the table of faults does not draw.
pub(super) const NOT_DRAWN: &str = "the table of faults draws it nowhere: there is no step of every rollback at which it has something to hit";
/// Of what is over at once.
pub(super) const OVER_AT_ONCE: &str =
    "the fault is over at once, and it is drawn at no step from which it reaches this one";
/// Of what lasts.
pub(super) const BEGINS_LATER: &str =
    "the fault is drawn only where it has something to hit, which is after this step";

/// Of whatever would have to begin before the trigger.
const BEFORE_THE_TRIGGER: &str = "whatever a search draws begins at the trigger or later, so that nothing can spoil what comes before it";
const HARMFUL: &str = "every release that a search draws does harm that a trigger must notice";
const RECOVERS: &str = "every drill of a search expects a recovery";
const ON_A_CLUSTER: &str = "only a cluster, its host or its clients can show it";
const BROKEN: &str = "a sound executor does not show it of its own doing: drills that do are judged, and sorted into classes";
const IN_VAIN: &str = "a drill that shows it was drawn in vain: the fewer, the better";
const OF_PROGRAMS: &str =
    "a search drills our own executor, and this is asked of programs of somebody else's";
const OF_APPLICATIONS: &str =
    "a search drills the exchange, and this is asked of an application with a store of its own";
const ALWAYS_READ: &str = "the world itself is read, so that there is always an answer";

/// Whether that is the reason of what a drill may well show and should not.
pub(super) fn is_unwanted(why_not: &str) -> bool {
    why_not == BROKEN || why_not == IN_VAIN
}

/// Why no drill of a search has this finding; `None`: one can.
pub(super) fn finding(oracle: OracleName, kind: Kind) -> Option<&'static str> {
    use OracleName as O;
    if oracle == O::Conduct {
        return Some(OF_PROGRAMS);
    }
    if kind.bearing == Bearing::Bad(Severity::Harm) {
        return Some(BROKEN);
    }
    Some(match (oracle, kind.name) {
        (O::Host, "harness-failed" | "sent-nothing" | "busy" | "stood-still" | "punctual")
        | (O::Outcome, "cut-short" | "not-read") => ON_A_CLUSTER,
        (
            O::SteadyState,
            "no-warm-up" | "failing" | "halted" | "slow" | "broken" | "nobody-looked",
        )
        | (O::FaultFired, "never-deployed" | "never-ran")
        | (O::Trigger, "before-deployment")
        | (O::Outcome, "not-prepared") => BEFORE_THE_TRIGGER,
        (O::FaultFired, "no-harm-expected")
        | (O::Trigger, "none-as-expected" | "false-alarm")
        | (O::Rto, "nothing-to-recover" | "harm-untriggered")
        | (O::Impact, "passing")
        | (O::State, "nothing-to-compare") => HARMFUL,
        (
            O::Outcome,
            "called-in-time" | "called-late" | "called-at-some-time" | "nothing-as-expected",
        ) => RECOVERS,
        (O::Outcome, "still-running")
        | (O::Claim, "without-time")
        | (
            O::Files,
            "no-post-mortem" | "no-scenario" | "scenario-broken" | "scenario-expects-other",
        ) => BROKEN,
        (O::AcknowledgedWrites, "empty" | "there" | "unsought")
        | (O::Maintenance, "unfenced" | "fenced-as-needed") => OF_APPLICATIONS,
        (O::Maintenance, "halted-as-needed" | "open-over-wrong-ledger") => RECOVERS,
        (O::Builds, "foreign") => "no fault starts a pod of another application",
        // Of a release that is well until its pods are replaced, what is drawn beside it may keep the harm away.
        (O::FaultFired, "no-harm" | "crash-never-came" | "fault-never-fired")
        | (O::Detection, "nothing-to-detect")
        | (O::Impact, "no-harm") => IN_VAIN,
        (O::Invariants, "nobody-looked" | "not-at-the-end")
        | (O::Trades | O::Orders, "unsought")
        | (O::Ledger, "unread")
        | (O::Builds, "unknown")
        | (O::State, "not-recorded") => ALWAYS_READ,
        (O::Trades | O::Orders | O::Phantoms, "empty") => {
            "clients trade during the warm-up, and nothing can keep them from it"
        }
        (O::Maintenance, "flag-gone") => "no fault deletes the halt flag",
        _ => return None,
    })
}

/// Why no plan of a search deals with the ledger for this reason; `None`: one can.
pub(super) fn ledger(because: LedgerReason) -> Option<&'static str> {
    match because {
        LedgerReason::MigrationFailed
        | LedgerReason::RepeatableMigration
        | LedgerReason::UndoUnmarked => {
            Some("no release that can be deployed has such a migration")
        }
        LedgerReason::DataWrong
        | LedgerReason::NoMigration
        | LedgerReason::Compatible
        | LedgerReason::LosslessUndo
        | LedgerReason::NoUndoScript
        | LedgerReason::UndoNotLossless => None,
    }
}

/// Why no plan of a search is refused for this reason; `None`: one can be.
pub(super) fn refusal(runbook: &Runbook, because: Refusal) -> Option<&'static str> {
    let has = |kind| runbook.steps.iter().any(|it| it.command.kind() == kind);
    match because {
        Refusal::PredatesRelease => {
            Some("no fault is there when the baseline is recorded, so that no condition holds then")
        }
        Refusal::OutsideWindow => Some("a drill is over before the validation window is"),
        Refusal::NoSnapshot => Some("no fault touches the snapshot of the baseline"),
        Refusal::NotRecorded => {
            Some("the baseline is recorded by the very runbook that is followed")
        }
        Refusal::Gone | Refusal::Recreated => Some("no fault deletes a Deployment"),
        Refusal::Paused if has(CommandKind::RolloutResume) => {
            Some("the runbook resumes what is paused")
        }
        Refusal::MissingStep
            if has(CommandKind::UndoSchema) && has(CommandKind::RestoreSnapshot) =>
        {
            Some("the runbook has a step for every way of the ledger")
        }
        Refusal::NothingDiffers | Refusal::Paused | Refusal::MissingStep => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A name that no oracle uses any more would explain nothing.
    #[test]
    fn every_explanation_is_of_something_that_an_oracle_can_find() {
        let source = include_str!("unreachable.rs");
        let table = source.split("Some(match (oracle, kind.name) {").nth(1);
        let table = table.and_then(|rest| rest.split("_ => return None").next());
        let table = table.expect("the table").replace("\n", " ");
        let known: BTreeSet<&str> = OracleName::ALL
            .into_iter()
            .flat_map(OracleName::kinds)
            .map(|kind| kind.name)
            .collect();
        let quoted = table.split('"').skip(1).step_by(2);
        let names: Vec<&str> = quoted.filter(|it| !it.contains(' ')).collect();
        assert!(names.len() > 30, "{names:?}");
        for name in names {
            assert!(known.contains(name), "{name}");
        }
        let explained = |oracle: OracleName| {
            let kinds = oracle.kinds().iter();
            kinds.filter(move |kind| finding(oracle, **kind).is_some())
        };
        // How soon the harm shows, and to which trigger, depends on the load and the pods that are drawn.
        for oracle in [OracleName::Detection, OracleName::Trigger] {
            let mut explained = explained(oracle).map(|kind| kind.name);
            assert!(!explained.any(|name| ["late", "never", "other"].contains(&name)));
        }
        // A release that is well until its pods are replaced may do no harm: that is not wanted, but it is no surprise.
        for (oracle, name) in [
            (OracleName::Detection, "nothing-to-detect"),
            (OracleName::Impact, "no-harm"),
        ] {
            let mut of_name = oracle.kinds().iter().filter(|kind| kind.name == name);
            let kind = of_name.next().expect("a kind of this name");
            assert!(finding(oracle, *kind).is_some_and(is_unwanted), "{name}");
        }
        assert_eq!(explained(OracleName::Host).count(), 5);
        assert_eq!(explained(OracleName::Hold).count(), 0);
    }
}
