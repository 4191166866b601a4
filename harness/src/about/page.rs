//! What is known of one thing that has a name.

use std::fmt;

use serde::Serialize;

use crate::scenario::keys::{Key, LeftOut};
use crate::scenario::{BUILT_IN, Scenario};

/// The kinds of things that have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A built-in scenario.
    Scenario,
    /// A release that a scenario may deploy.
    Release,
    /// A kind of fault.
    Fault,
    /// A trigger of the runbook.
    Trigger,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scenario, Self::Release, Self::Fault, Self::Trigger];

    /// The word for one.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Release => "release",
            Self::Fault => "fault",
            Self::Trigger => "trigger",
        }
    }

    /// The kind that `word` names, in the singular or the plural.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let one = word.strip_suffix('s').unwrap_or(word);
        Self::ALL.into_iter().find(|kind| kind.as_str() == one)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The group that it is listed in; empty: none.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub group: &'static str,
    /// One sentence.
    pub what: String,
    /// What else is known, in an order for people.
    pub facts: Vec<Fact>,
    /// What a file may say of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyShown>,
    /// How a scenario says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub example: String,
    /// The built-in scenarios that have it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<&'static str>,
}

/// One thing that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Of what.
    pub of: &'static str,
    /// What.
    pub is: String,
}

impl Fact {
    pub(super) fn new(of: &'static str, is: impl Into<String>) -> Self {
        Self { of, is: is.into() }
    }
}

/// A key of a scenario file, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyShown {
    /// Table and name.
    pub key: String,
    /// What this scenario's file says or leaves to the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Which values it takes.
    pub values: String,
    /// What it is where it is left out; `null`: it must be given.
    pub default: Option<&'static str>,
    /// What it says.
    pub what: &'static str,
}

impl From<Key> for KeyShown {
    fn from(key: Key) -> Self {
        Self {
            key: key.path(),
            value: None,
            values: key.values,
            default: match key.default {
                LeftOut::Refused => None,
                LeftOut::Value(text) | LeftOut::Words(text) => Some(text),
            },
            what: key.what,
        }
    }
}

/// The built-in scenarios that `has` holds for.
pub(super) fn scenarios_with(has: impl Fn(&Scenario) -> bool) -> Vec<&'static str> {
    let read = BUILT_IN.iter().filter_map(|built_in| {
        let scenario = Scenario::parse(built_in.file, built_in.text, &[]).ok()?;
        Some((built_in.name, scenario))
    });
    read.filter(|(_, scenario)| has(scenario))
        .map(|(name, _)| name)
        .collect()
}
