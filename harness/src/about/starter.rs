//! The scenario that somebody begins with.

use std::fmt::Write as _;

use crate::scenario::keys::{self, Key, LeftOut};

/// The text of a scenario called `name` that passes. It says what must be said; every other key stands there as a
/// comment, with its default.
#[must_use]
pub fn starter(name: &str) -> String {
    let mut out = format!(
        "# A scenario: a bad release, a load, and what must come of it.\n\
         #\n\
         #     firedrill check {name}.toml\n\
         #     firedrill chaos {name}.toml --seeds 20\n\
         #\n\
         # Keys that are commented out show their defaults. `firedrill list keys` tells what they take.\n\n"
    );
    let mut table = "";
    for key in keys::all() {
        if key.table != table {
            table = key.table;
            let _ = match table {
                "crash" => {
                    write!(
                        out,
                        "\n# The executor dies in the middle, and another host resumes.\n# [crash]\n"
                    )
                }
                "timing" => write!(out, "{DEPLOYMENT}\n[timing]\n"),
                "expect" => write!(out, "{FAULT}\n[expect]\n"),
                table => write!(out, "\n[{table}]\n"),
            };
        }
        let _ = writeln!(out, "{}", line(&key, name));
    }
    out
}

/// What a Deployment of one's own looks like, commented out.
const DEPLOYMENT: &str = "
# What is not as in the manifests. `firedrill list keys` tells what else a Deployment may be.
# [[deployments]]
# service = \"gateway\"
# replicas = 5
";

/// What a fault looks like, commented out.
const FAULT: &str = "
# What else goes wrong. `firedrill list faults` names the kinds, and `firedrill show NAME` tells what each takes.
# [[faults]]
# kind = \"api-slow\"
# when = \"step undo-app\"
# lasts = \"20s\"
# delay = \"800ms\"
";

fn line(key: &Key, name: &str) -> String {
    let said = match key.name {
        "name" => Some(format!("\"{name}\"")),
        "description" => Some("\"the slow gateway, and what I want to know about it\"".to_owned()),
        "to" => Some("\"1.5.0-slow-path\"".to_owned()),
        "trigger" => Some("\"sla-latency-p99\"".to_owned()),
        _ => None,
    };
    let text = match (said, key.default) {
        (Some(said), _) => format!("{} = {said}", key.name),
        // What these depend on is said above and below.
        (None, _) if key.name == "path" => "# path = \"application\"".to_owned(),
        (None, _) if key.name == "burst_rate_per_s" => "# burst_rate_per_s = 200".to_owned(),
        (None, _) if key.name == "impact_max" => "# impact_max = \"8m\"".to_owned(),
        (None, LeftOut::Value(value)) => format!("# {} = {value}", key.name),
        (None, LeftOut::Words(words)) => format!("# {}: {words}", key.name),
        (None, LeftOut::Refused) => format!("# {}", key.name),
    };
    format!("{text:31} # {}", key.what).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::starter;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::Scenario;

    #[test]
    fn the_starter_is_right_as_it_is_and_with_every_key_said() {
        let runbook = LoadedRunbook::built_in().expect("it loads");
        let read = |text: &str| {
            let scenario = Scenario::parse("mine.toml", text, &runbook.triggers()).expect(text);
            scenario.fits("mine.toml", &runbook.runbook).expect(text);
            scenario
        };
        let text = starter("mine");
        let short = read(&text);
        assert_eq!((short.name.as_str(), short.faults.len()), ("mine", 0));
        let said: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key) if key.contains(" = ") || key.starts_with('[') => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let long = read(&said);
        assert_eq!((long.faults.len(), long.deployments.len()), (1, 1));
        assert!(long.crash.is_some());
        let alike = Scenario {
            faults: Vec::new(),
            deployments: Vec::new(),
            crash: None,
            text: short.text.clone(),
            ..long
        };
        assert_eq!(alike, short, "the comments show the defaults");
        assert!(text.lines().all(|line| line.chars().count() <= 130));
    }
}
