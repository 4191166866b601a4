//! Scenarios and runbooks as the command line names them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::{self, BUILT_IN, Scenario};
use firedrill::suggest;

use crate::exit::Failure;

/// Reads the runbook: `file`, or the built-in one.
pub(crate) fn runbook(file: Option<&Path>) -> Result<LoadedRunbook, Failure> {
    let loaded = match file {
        None => LoadedRunbook::built_in(),
        Some(path) => {
            let text = read(path, "runbook")?;
            LoadedRunbook::parse(&path.display().to_string(), &text)
        }
    };
    loaded.map_err(|errors| Failure::Input(errors.into()))
}

/// Reads the scenarios that `names` name; none: the default ones. Repeated ones are read once.
pub(crate) fn scenarios(
    names: &[String],
    triggers: &[String],
) -> Result<Vec<Arc<Scenario>>, Failure> {
    let mut scenarios: Vec<Arc<Scenario>> = Vec::new();
    let mut add = |file: &str, text: &str| {
        let scenario =
            Scenario::parse(file, text, triggers).map_err(|e| Failure::Input(e.into()))?;
        match scenarios.iter().find(|s| s.name == scenario.name) {
            None => scenarios.push(Arc::new(scenario)),
            Some(same) if same.text == scenario.text => {}
            Some(_) => {
                return Err(Failure::input(
                    format!("two different scenarios are called `{}`", scenario.name),
                    "results are told apart by name: give one of them another `name`",
                ));
            }
        }
        Ok(())
    };
    if names.is_empty() {
        for built_in in BUILT_IN.iter().filter(|b| b.by_default) {
            add(built_in.file, built_in.text)?;
        }
    }
    for name in names {
        if let Some(built_in) = scenario::find(name) {
            add(built_in.file, built_in.text)?;
        } else if looks_like_a_path(name) {
            add(name, &read(Path::new(name), "scenario")?)?;
        } else {
            let known: Vec<&str> = BUILT_IN.iter().map(|b| b.name).collect();
            let nearest = suggest::nearest(name, known.iter().copied())
                .map_or_else(String::new, |n| format!("did you mean `{n}`? "));
            return Err(Failure::input(
                format!("there is no scenario `{name}`"),
                format!(
                    "{nearest}built in: {}; or give the path of a .toml file",
                    suggest::listed(known)
                ),
            ));
        }
    }
    Ok(scenarios)
}

fn looks_like_a_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".toml") || Path::new(name).exists()
}

/// Reads a text file.
pub(crate) fn read(path: &Path, what: &str) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::input(
            format!("cannot read the {what} {}: {error}", path.display()),
            format!("give the path of a readable text file in UTF-8 that holds a {what}"),
        )
    })
}
