//! What a description says of the store, checked.

use std::collections::BTreeMap;
use std::fmt;

use super::super::app::Spread;

/// A data store with a schema, such as a database of PostgreSQL whose migrations Flyway applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The services that read and write it, by index.
    pub services: Vec<usize>,
    /// The ConfigMap of the manifests that holds the migration files; `None`: there are none.
    pub scripts: Option<String>,
    /// The schema version before the drill: every migration up to it is applied.
    pub schema: u32,
    /// The migration files, by their version.
    pub migrations: BTreeMap<u32, Migration>,
    /// Whether there is a log outside of the store that has every acknowledged write, from which a restore can be
    /// completed.
    pub has_log: bool,
    /// How long a snapshot takes. Requests are served meanwhile.
    pub snapshot: Spread,
    /// How long it takes to put a snapshot in the store's place. No request is served meanwhile.
    pub restore: Spread,
}

/// A migration to a schema version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its file.
    pub script: Script,
    /// How long it takes.
    pub takes: Spread,
    /// Whether requests are served while it runs; if not, they wait.
    pub online: bool,
    /// How it is undone; `None`: there is no undo script.
    pub undo: Option<Undo>,
}

/// How a migration is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// Its file.
    pub script: Script,
    /// How long it takes. Requests wait meanwhile.
    pub takes: Spread,
    /// What it loses in truth, whatever its file says of itself.
    pub loses: Loses,
}

/// A file of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its name, `V2__split_the_address.sql`.
    pub name: String,
    /// Its text.
    pub sql: String,
}

/// What an undo script loses of the rows that were written since its migration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loses {
    /// Nothing.
    #[default]
    Nothing,
    /// Values: the rows stay and are not as they were acknowledged, as where a column is dropped.
    Values,
    /// The rows themselves, as where a table is dropped.
    Rows,
}

/// Schema versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaRange {
    /// The lowest.
    pub from: u32,
    /// The highest; `None`: there is no highest.
    pub to: Option<u32>,
}

impl SchemaRange {
    /// Every version.
    pub const ANY: Self = Self { from: 0, to: None };

    /// Reads `2`, `1..2` (both included) and `2..`. `None`: it is none of these, or no version at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok()).flatten()
        };
        let (from, to) = match text.trim().split_once("..") {
            None => {
                let only = number(text.trim())?;
                (only, Some(only))
            }
            Some((from, "")) => (number(from)?, None),
            Some((from, to)) => (number(from)?, Some(number(to)?)),
        };
        to.is_none_or(|to| from <= to).then_some(Self { from, to })
    }

    /// Whether that version is among them.
    #[must_use]
    pub fn covers(self, version: u32) -> bool {
        self.from <= version && self.to.is_none_or(|to| version <= to)
    }
}

impl fmt::Display for SchemaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) if to == self.from => write!(f, "{to}"),
            Some(to) => write!(f, "{}..{to}", self.from),
            None => write!(f, "{}..", self.from),
        }
    }
}

/// What becomes of a process that meets a schema that it does not work on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mismatch {
    /// It exits at its start. One that runs already fails its requests.
    #[default]
    Exits,
    /// It starts, and fails its requests.
    Errors,
}

/// Which schema a service works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaNeed {
    /// Which versions.
    pub range: SchemaRange,
    /// What becomes of it on any other.
    pub otherwise: Mismatch,
}

impl Default for SchemaNeed {
    /// Any version will do.
    fn default() -> Self {
        Self {
            range: SchemaRange::ANY,
            otherwise: Mismatch::Exits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SchemaRange;

    #[test]
    fn ranges_of_versions_are_read_and_anything_else_is_not() {
        let read = |text: &str| SchemaRange::parse(text).map(|it| it.to_string());
        for (text, shown) in [
            ("2", "2"),
            ("1..2", "1..2"),
            (" 3..3 ", "3"),
            ("2..", "2.."),
        ] {
            assert_eq!(read(text).as_deref(), Some(shown), "{text}");
        }
        for text in ["", "..2", "2..1", "1.2", "v1", "1...2", "+1", "99999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
        let covers = |text: &str, version| SchemaRange::parse(text).map(|it| it.covers(version));
        assert_eq!(covers("1..2", 2), Some(true));
        assert_eq!(covers("1..2", 3), Some(false));
        assert_eq!(covers("2..", 1), Some(false));
        assert_eq!(covers("2..", 9), Some(true));
    }
}
