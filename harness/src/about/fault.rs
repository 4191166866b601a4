//! Kinds of faults.

use super::page::{About, Fact, Kind, scenarios_with};
use crate::scenario::fault::Blocks;
use crate::scenario::keys::{self, LeftOut};
use crate::scenario::{FAULTS, FaultSpec};

pub(super) fn all() -> Vec<About> {
    FAULTS.iter().map(one).collect()
}

fn one(spec: &FaultSpec) -> About {
    let worlds: Vec<&str> = spec.worlds.iter().map(|world| world.as_str()).collect();
    let mut facts = vec![Fact::new("worlds", worlds.join(", "))];
    let strikes = if spec.strikes.servers() {
        "what serves the clients"
    } else {
        "the executor, or what it acts on or sees"
    };
    facts.push(Fact::new("strikes", strikes));
    if spec.blocks != Blocks::NoWay {
        let can = "while it lasts, nothing that an executor does may bring the exchange back";
        facts.push(Fact::new("blocks", can));
    }
    About {
        kind: Kind::Fault,
        name: spec.name.to_owned(),
        group: "",
        what: spec.what.to_owned(),
        facts,
        keys: keys::of_fault(spec).into_iter().map(Into::into).collect(),
        example: example(spec),
        scenarios: scenarios_with(|scenario| {
            scenario.faults.iter().any(|fault| fault.kind == spec.kind)
        }),
    }
}

/// The fault with what must be said of it and nothing else.
fn example(spec: &FaultSpec) -> String {
    let mut out = "[[faults]]\n".to_owned();
    for key in keys::of_fault(spec) {
        let value = match (key.name, key.default) {
            ("kind", _) => spec.name,
            ("target", _) => spec.targets.names().first().copied().unwrap_or_default(),
            ("chance", LeftOut::Refused) => "25%",
            ("by", LeftOut::Refused) => "-30s",
            (_, LeftOut::Refused) => "5s",
            _ => continue,
        };
        out.push_str(&format!("{} = \"{value}\"\n", key.name));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::all;
    use crate::scenario::Scenario;

    #[test]
    fn every_example_is_a_fault_that_a_scenario_may_have_and_every_fault_has_a_scenario() {
        for about in all() {
            let text = format!(
                "name = \"mine\"\n[release]\nto = \"1.5.0-slow-path\"\n[expect]\ntrigger = \"sla-latency-p99\"\n{}",
                about.example
            );
            let scenario = Scenario::parse("mine.toml", &text, &[]).expect(&about.name);
            assert_eq!(scenario.faults[0].kind.as_str(), about.name);
            assert!(!about.scenarios.is_empty(), "{}", about.name);
        }
    }
}
