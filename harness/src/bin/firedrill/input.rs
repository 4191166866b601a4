//! Scenarios and runbooks as the command line names them.

use std::path::Path;
use std::sync::Arc;

use executor::read_text;
use executor::runbook::Runbook;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::{self, BUILT_IN, Scenario};
use firedrill::suggest;

use crate::exit::Failure;
use crate::terminal;

/// Reads the runbook: `file`, or the built-in one. What is unwise in it is told; it is refused for that if `strict`.
pub(crate) fn runbook(file: Option<&Path>, strict: bool) -> Result<LoadedRunbook, Failure> {
    let Some(path) = file else {
        return LoadedRunbook::built_in().map_err(|errors| Failure::Input(errors.into()));
    };
    let (name, text) = (path.display().to_string(), read(path, "runbook")?);
    let parsed =
        Runbook::parse_and_lint(&name, &text).map_err(|errors| Failure::Input(errors.into()))?;
    if let Some(warnings) = parsed.diagnostic() {
        let warnings = miette::Report::new(warnings.clone());
        if strict {
            return Err(Failure::Input(warnings));
        }
        terminal::complain_of(&warnings);
    }
    let loaded =
        LoadedRunbook::parse(&name, &text).map_err(|errors| Failure::Input(errors.into()))?;
    loaded.check_services().map_err(Failure::Input)?;
    Ok(loaded)
}

/// Reads the scenarios that `names` name; none: the default ones. Repeated ones are read once. Those of files must fit `runbook`; those
/// that are built in too if `all_fit`.
pub(crate) fn scenarios(
    names: &[String],
    runbook: &LoadedRunbook,
    all_fit: bool,
) -> Result<Vec<Arc<Scenario>>, Failure> {
    let triggers = runbook.triggers();
    let mut scenarios: Vec<Arc<Scenario>> = Vec::new();
    let mut add = |file: &str, text: &str, fits: bool| {
        let scenario =
            Scenario::parse(file, text, &triggers).map_err(|e| Failure::Input(e.into()))?;
        if fits {
            let fitting = scenario.fits(file, &runbook.runbook);
            fitting.map_err(|e| Failure::Input(e.into()))?;
        }
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
            add(built_in.file, built_in.text, all_fit)?;
        }
    }
    for name in names {
        if let Some(built_in) = scenario::find(name) {
            add(built_in.file, built_in.text, all_fit)?;
        } else if looks_like_a_path(name) {
            add(name, &read(Path::new(name), "scenario")?, true)?;
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
    read_text(path).map_err(|error| {
        Failure::input(
            format!("cannot read the {what} {}: {error}", path.display()),
            format!("give the path of a readable text file in UTF-8 that holds a {what}"),
        )
    })
}
