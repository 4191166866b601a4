//! What a shell may complete an argument to: the names of scenarios, releases, faults and triggers, and files.

use std::ffi::OsStr;

use clap::builder::StyledStr;
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};
use firedrill::about::{self, Kind};
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::{BUILT_IN, known_releases};

/// The built-in scenarios.
pub(crate) fn scenarios() -> Vec<CompletionCandidate> {
    BUILT_IN
        .iter()
        .map(|built_in| CompletionCandidate::new(built_in.name))
        .collect()
}

/// The releases of the catalogue.
pub(crate) fn releases() -> Vec<CompletionCandidate> {
    known_releases()
        .into_iter()
        .map(CompletionCandidate::new)
        .collect()
}

/// Everything that `show` knows, with one sentence.
pub(crate) fn everything() -> Vec<CompletionCandidate> {
    let Ok(runbook) = LoadedRunbook::built_in() else {
        return Vec::new();
    };
    let all = Kind::ALL
        .into_iter()
        .flat_map(|kind| about::all(kind, &runbook));
    all.flat_map(|about| {
        let help = format!("{}: {}", about.kind, about.what);
        let names = [about.name.clone(), format!("{}/{}", about.kind, about.name)];
        names.map(|name| CompletionCandidate::new(name).help(Some(StyledStr::from(help.clone()))))
    })
    .collect()
}

/// The built-in scenarios, also by folder and name, `all`, and files.
pub(crate) fn scenarios_and_files(current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    let names = BUILT_IN.iter().map(|built_in| built_in.name);
    let paths = BUILT_IN.iter().filter_map(|built_in| {
        let below = built_in.file.strip_prefix("scenarios/")?;
        below.strip_suffix(".toml").filter(|it| it.contains('/'))
    });
    // A path is of interest to who has begun one.
    let paths = paths.filter(|_| typed.contains('/'));
    let names = names
        .chain(["all"])
        .chain(paths)
        .filter(|name| name.starts_with(typed.as_ref()));
    let mut candidates: Vec<CompletionCandidate> = names.map(CompletionCandidate::new).collect();
    candidates.extend(PathCompleter::file().complete(current));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(candidates: Vec<CompletionCandidate>) -> Vec<String> {
        let values = candidates.iter().map(CompletionCandidate::get_value);
        values
            .map(|value| value.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn names_are_known() {
        let everything = values(everything());
        for name in [
            "latency-regression",
            "1.5.0-slow-path",
            "api-slow",
            "sla-latency-p99",
            "fault/api-slow",
        ] {
            assert!(everything.iter().any(|it| it == name), "{name}");
        }
        assert!(values(releases()).contains(&"1.5.0-slow-path".to_owned()));
        let begun = values(scenarios_and_files(OsStr::new("latency-r")));
        assert_eq!(begun, ["latency-regression"]);
        let below = values(scenarios_and_files(OsStr::new("faults/api-sl")));
        assert_eq!(below, ["faults/api-slow"]);
    }
}
