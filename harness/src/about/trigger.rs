//! The triggers of a runbook.

use executor::runbook::{Runbook, Trigger, TriggerClass};

use super::page::{About, Fact, Kind, scenarios_with};
use crate::scenario::format_duration;

pub(super) fn all(runbook: &Runbook) -> Vec<About> {
    runbook.triggers.iter().map(one).collect()
}

fn one(trigger: &Trigger) -> About {
    let class = match trigger.class {
        TriggerClass::P0 => "P0, for what must never happen",
        TriggerClass::Sla => "SLA, for a breach of the service level",
        TriggerClass::DataIntegrity => "data integrity, for books that do not balance",
    };
    let held = format_duration(trigger.hold_for);
    About {
        kind: Kind::Trigger,
        name: trigger.name.clone(),
        group: "",
        what: format!(
            "Fires at a value {} that holds for {held}. Class {class}.",
            trigger.condition
        ),
        facts: vec![
            Fact::new("query", trigger.query.trim()),
            Fact::new("condition", trigger.condition.to_string()),
            Fact::new("held for", held),
        ],
        keys: Vec::new(),
        example: format!("[expect]\ntrigger = \"{}\"\n", trigger.name),
        scenarios: scenarios_with(|scenario| {
            scenario.expect.trigger.as_deref() == Some(trigger.name.as_str())
        }),
    }
}
