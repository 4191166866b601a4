//! The scenarios that are built in, and the releases that scenarios may name.

use super::{Scenario, ScenarioError};

/// A scenario whose text is part of the program, so that its name and digest stand for it.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Name, as in the file.
    pub name: &'static str,
    /// Where the file lies in the repository.
    pub file: &'static str,
    /// The file.
    pub text: &'static str,
    /// Whether `chaos` without arguments runs it.
    pub by_default: bool,
}

/// All built-in scenarios.
pub const BUILT_IN: [BuiltIn; 5] = [
    BuiltIn {
        name: "latency-regression",
        file: "scenarios/latency-regression.toml",
        text: include_str!("../../../scenarios/latency-regression.toml"),
        by_default: true,
    },
    BuiltIn {
        name: "balance-anomaly",
        file: "scenarios/balance-anomaly.toml",
        text: include_str!("../../../scenarios/balance-anomaly.toml"),
        by_default: true,
    },
    BuiltIn {
        name: "breaking-migration",
        file: "scenarios/breaking-migration.toml",
        text: include_str!("../../../scenarios/breaking-migration.toml"),
        by_default: true,
    },
    BuiltIn {
        name: "breaking-migration-snapshot",
        file: "scenarios/extra/breaking-migration-snapshot.toml",
        text: include_str!("../../../scenarios/extra/breaking-migration-snapshot.toml"),
        by_default: false,
    },
    BuiltIn {
        name: "good-release",
        file: "scenarios/extra/good-release.toml",
        text: include_str!("../../../scenarios/extra/good-release.toml"),
        by_default: false,
    },
];

/// The built-in scenario called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|b| b.name == name)
}

/// Reads the built-in scenario called `name`; `None` if there is none.
///
/// # Errors
/// Mistakes in it: its trigger may be missing from a changed runbook.
pub fn built_in(name: &str, triggers: &[String]) -> Option<Result<Scenario, ScenarioError>> {
    find(name).map(|b| Scenario::parse(b.file, b.text, triggers))
}

/// The release that `word` names: by its name, or by the version that its images are tagged with, which is the
/// name up to its first hyphen and all that an executor can know.
#[must_use]
pub fn release_named(word: &str) -> Option<&'static str> {
    let known = known_releases();
    let version = |name: &&str| name.split('-').next() == Some(word);
    let exact = known.iter().find(|name| **name == word);
    exact
        .or_else(|| known.iter().find(|name| version(name)))
        .copied()
}

/// Names of the releases that scenarios may deploy.
#[must_use]
pub fn known_releases() -> Vec<&'static str> {
    dex::Release::names()
}
