//! What the steps of a runbook are there for.

pub use executor::runbook::Protection;
use executor::runbook::{Command, Kind, Phase, Step, Value};

/// What a step is there for, and why.
pub(super) fn purpose(step: &Step) -> (Protection, &'static str) {
    let spec = step.command.spec();
    match &step.command {
        _ if spec.value == Value::Answer && (step.phase == Phase::After || step.hold.is_some()) => {
            (
                Protection::Hold,
                "something may put the bad release back: a GitOps controller, a colleague",
            )
        }
        Command::PromQuery { query } if !query.contains("$WINDOW") && query.contains('[') => {
            Kind::CheckCounter.spec().protects
        }
        _ => spec.protects,
    }
}
