//! What a scenario must satisfy to be drilled by a certain runbook: the steps at which its faults begin are there, and
//! are carried out on the way that it expects. A fault that never begins makes every drill inconclusive, and that is
//! better said before the first one.

use executor::runbook::{Command, Phase, Runbook, Step, When};

use super::error::{Mistakes, SCENARIO, ScenarioError};
use super::fault::Asked;
use super::quantity::format_duration;
use super::{Anchor, Path, Scenario};
use super::{keys, raw};
use crate::suggest;

/// Checks `scenario`, which was read from `file`.
///
/// # Errors
/// Every fault that could never begin, with its place and a remedy.
pub(super) fn check(
    scenario: &Scenario,
    file: &str,
    runbook: &Runbook,
) -> Result<(), ScenarioError> {
    let raw = raw::parse(file, &scenario.text)?;
    let mut m = Mistakes::default();
    // Of the exchange's procedure this is said already where the scenario is read.
    let own = !scenario.application.is_the_exchange();
    let (most, rto) = (runbook.rto, scenario.expect.rto_max);
    if own && rto > most && rto > keys::RTO_MAX {
        let (asked, most) = (format_duration(rto), format_duration(most));
        m.add(
            raw.expect.rto_max.span(),
            format!("impossible expectation: rto_max of {asked} is beyond the procedure's RTO"),
            format!("longer than {most}"),
            format!(
                "at most \"{most}\", as the runbook's `rto` says: a scenario may be stricter than the procedure, never laxer"
            ),
        );
    }
    for (fault, given) in scenario.faults.iter().zip(&raw.faults) {
        let place = given
            .when
            .as_ref()
            .map_or(given.kind.span(), |when| when.span());
        let kind = fault.kind.as_str();
        // The exchange's drills count who looks for lines that are held back, whatever the runbook is.
        if own && fault.kind.spec().felt_by == Some(Asked::Loki) && !asks_loki(runbook) {
            m.add(
                given.kind.span(),
                format!("`{kind}` would hit nothing: no step of the runbook asks Loki"),
                "nobody looks for the lines that it holds back",
                "leave it out, or let the runbook name `loki` and have a step `logcli query`",
            );
        }
        match &fault.when {
            Anchor::Start | Anchor::Deployment | Anchor::Ready(_) => {}
            Anchor::Trigger | Anchor::Request(_) => {
                if scenario.expect.trigger.is_none() {
                    m.add(
                        place,
                        format!("`{kind}` begins at a trigger, and none is expected to fire"),
                        "never comes",
                        "let it begin at `when = \"deployment\"`, or expect a trigger",
                    );
                }
            }
            Anchor::Step(name) | Anchor::After(name) => {
                match runbook.steps.iter().find(|step| step.name == *name) {
                    None => {
                        let known: Vec<&str> =
                            runbook.steps.iter().map(|s| s.name.as_str()).collect();
                        m.add(
                            place,
                            format!("the runbook has no step `{name}`"),
                            "unknown step",
                            suggest::help(name, &known),
                        );
                    }
                    Some(step) if !is_on_the_way(step, scenario.expect.path) => m.add(
                        place,
                        format!(
                            "the step `{name}` is not carried out on the expected path, `{}`",
                            scenario.expect.path.as_str()
                        ),
                        "never comes",
                        "name a step of that path, or expect another path",
                    ),
                    Some(_) => {}
                }
            }
        }
    }
    m.into_result(SCENARIO, file, &scenario.text)
}

/// Whether a step looks for lines of the logs in Loki.
fn asks_loki(runbook: &Runbook) -> bool {
    let asks = |step: &Step| matches!(step.command, Command::LogQuery { .. });
    runbook.loki.is_some() && runbook.steps.iter().any(asks)
}

/// Whether a rollback on `path` can come to `step`. Where the undo fails, the ledger is restored:
/// so a restore may have tried it.
fn is_on_the_way(step: &Step, path: Path) -> bool {
    if step.phase == Phase::Prepare {
        return true;
    }
    match (path, step.when) {
        (Path::None, _) => false,
        (
            _,
            When::Always
            | When::DeploymentPaused
            | When::ConfigChanged
            | When::ConfigOnly
            | When::ReplicasReduced,
        ) => true,
        (Path::Application, When::LedgerBreaking | When::LedgerUndo | When::LedgerRestore)
        | (Path::Undo, When::LedgerRestore) => false,
        (Path::Undo | Path::Restore, When::LedgerBreaking | When::LedgerUndo)
        | (Path::Restore, When::LedgerRestore) => true,
    }
}
