//! The built-in scenarios.

use super::page::{About, Fact, KeyShown, Kind};
use crate::scenario::keys;
use crate::scenario::{BUILT_IN, BuiltIn, Scenario, format_duration, parse_duration};
use crate::worlds::WorldKind;

pub(super) fn all() -> Vec<About> {
    BUILT_IN.iter().filter_map(one).collect()
}

/// `None` never: tests read every built-in scenario.
fn one(built_in: &BuiltIn) -> Option<About> {
    let scenario = Scenario::parse(built_in.file, built_in.text, &[]).ok()?;
    let worlds: Vec<&str> = [WorldKind::Sim, WorldKind::Kind]
        .into_iter()
        .filter(|&world| scenario.lacking_in(world).is_none())
        .map(WorldKind::as_str)
        .collect();
    let mut facts = vec![
        Fact::new("file", built_in.file),
        Fact::new("worlds", worlds.join(", ")),
    ];
    if built_in.by_default {
        facts.push(Fact::new("runs", "wherever no scenario is named"));
    }
    let faults = scenario.faults.iter().map(|fault| {
        let when = fault.when.to_text();
        Fact::new("fault", format!("{}, at {when}", fault.in_words()))
    });
    facts.extend(faults);
    Some(About {
        kind: Kind::Scenario,
        name: built_in.name.to_owned(),
        group: group(built_in.file),
        what: scenario.description.clone(),
        facts,
        keys: keys(&scenario),
        example: built_in.text.to_owned(),
        scenarios: Vec::new(),
    })
}

/// The folder that the file of a built-in scenario lies in.
fn group(file: &'static str) -> &'static str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Every key with what holds in `scenario`, in its file or by default.
fn keys(scenario: &Scenario) -> Vec<KeyShown> {
    let complete: toml::Table = scenario.to_toml().parse().unwrap_or_default();
    let value = |table: &str, name: &str| {
        let within = match table {
            "" => Some(&complete),
            table => complete.get(table).and_then(toml::Value::as_table),
        };
        within
            .and_then(|table| table.get(name))
            .map(ToString::to_string)
    };
    let shown = |key: keys::Key| {
        let value = value(key.table, key.name);
        // What a scenario leaves out altogether, it has not.
        (key.table != "crash" || value.is_some()).then(|| KeyShown {
            value: value
                .map(|value| as_by_default(value, &key))
                .or_else(|| left_out(&key, scenario)),
            ..key.into()
        })
    };
    keys::all()
        .into_iter()
        .filter(|key| !matches!(key.name, "name" | "description"))
        .filter_map(shown)
        .collect()
}

/// `value` as the default is written, if it is the same: `"60s"` for `"1m"`.
fn as_by_default(value: String, key: &keys::Key) -> String {
    let duration = |text: &str| parse_duration(text.trim_matches('"')).ok();
    match key.default {
        keys::LeftOut::Value(default)
            if duration(default).is_some() && duration(default) == duration(&value) =>
        {
            default.to_owned()
        }
        _ => value,
    }
}

/// What holds for a key that [`Scenario::to_toml`] leaves out, because it is as it is by default.
fn left_out(key: &keys::Key, scenario: &Scenario) -> Option<String> {
    match (key.name, key.default) {
        ("impact_max", _) => {
            let most = format_duration(scenario.expect.impact_max);
            Some(format!("\"{most}\""))
        }
        ("burst_rate_per_s", _) => Some(scenario.load.rate_per_s.to_string()),
        (_, keys::LeftOut::Value(value)) => Some(value.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, all};

    #[test]
    fn every_key_of_every_scenario_has_a_value() {
        let all = all();
        assert_eq!(all.len(), BUILT_IN.len());
        for about in all {
            for key in &about.keys {
                assert!(key.value.is_some(), "{}: {}", about.name, key.key);
            }
            let warm_up = about.keys.iter().find(|key| key.key == "timing.warm_up");
            let warm_up = warm_up.and_then(|key| key.value.as_deref());
            assert_ne!(warm_up, Some("\"1m\""), "the default is \"60s\"");
        }
    }
}
