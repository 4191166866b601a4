//! The database migrations, named and summed up as Flyway does it.
//!
//! Files lie under `dex/migrations/`; a folder named after a release holds what that release adds. A comment in the
//! file's head says what a rollback may rely on: `-- rollback: compatible` or `breaking` in a `V` file (absent:
//! breaking), `lossless` or `lossy` in a `U` file (absent: lossy).

use std::fmt;

use crate::release::SchemaVersion;

/// The role that the exchange's services connect as. A fence is raised against it.
pub const APP_ROLE: &str = "dex_app";

/// The one table that the role may still write under the fence.
pub const LEADER_TABLE: &str = "leader";

/// Flyway's history table.
pub const HISTORY_TABLE: &str = "flyway_schema_history";

/// What kind of script a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `V`: applied once, in the order of versions.
    Versioned,
    /// `U`: undoes the versioned one.
    Undo,
    /// `R`: applied whenever its content changes.
    Repeatable,
}

/// A migration file's name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptName {
    /// What kind of script.
    pub kind: Kind,
    /// Version; empty for a repeatable script.
    pub version: String,
    /// Description, with spaces for underscores.
    pub description: String,
}

/// A name that is no migration's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It does not end in `.sql`.
    #[error("file name does not end in .sql")]
    Suffix,
    /// It does not start with `V`, `U` or `R`.
    #[error("file name does not start with V, U or R")]
    Prefix,
    /// No `__` between version and description.
    #[error("no __ between version and description")]
    Separator,
    /// The version is not numbers joined by `.` or `_`, or a repeatable script has one.
    #[error("malformed version")]
    Version,
    /// Nothing after `__`.
    #[error("no description")]
    Description,
}

impl ScriptName {
    /// Takes a file's name apart: `V2__decimal_ledger.sql` → versioned, `2`, `decimal ledger`.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let stem = name.strip_suffix(".sql").ok_or(NameError::Suffix)?;
        let kind = match stem.as_bytes().first() {
            Some(b'V') => Kind::Versioned,
            Some(b'U') => Kind::Undo,
            Some(b'R') => Kind::Repeatable,
            _ => return Err(NameError::Prefix),
        };
        let (version, description) = stem[1..].split_once("__").ok_or(NameError::Separator)?;
        let parts_are_numbers = version
            .split(['.', '_'])
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        if version.is_empty() != (kind == Kind::Repeatable)
            || !(version.is_empty() || parts_are_numbers)
        {
            return Err(NameError::Version);
        }
        if description.is_empty() {
            return Err(NameError::Description);
        }
        Ok(Self {
            kind,
            version: version.replace('_', "."),
            description: description.replace('_', " "),
        })
    }
}

/// What a script's head says about going back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rollback {
    /// The previous release can run on the migrated schema.
    Compatible,
    /// It cannot.
    Breaking,
    /// The undo script restores everything.
    Lossless,
    /// It loses something.
    Lossy,
}

impl fmt::Display for Rollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compatible => "compatible",
            Self::Breaking => "breaking",
            Self::Lossless => "lossless",
            Self::Lossy => "lossy",
        })
    }
}

/// Reads the `-- rollback:` comment among the comment lines at the head of `sql`. Absent, unknown or of the other kind
/// of script: the cautious value, breaking for `V` and `R`, lossy for `U`.
#[must_use]
pub fn rollback(kind: Kind, sql: &str) -> Rollback {
    let value = sql
        .lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with("--"))
        .find_map(|line| line.strip_prefix("--")?.trim().strip_prefix("rollback:"))
        .map(str::trim);
    match (kind, value) {
        (Kind::Undo, Some("lossless")) => Rollback::Lossless,
        (Kind::Undo, _) => Rollback::Lossy,
        (_, Some("compatible")) => Rollback::Compatible,
        _ => Rollback::Breaking,
    }
}

/// Flyway's checksum: CRC-32 over the lines without their terminators, as a signed number. A byte-order mark at the
/// start does not count.
#[must_use]
pub fn checksum(sql: &str) -> i32 {
    let sql = sql.strip_prefix('\u{feff}').unwrap_or(sql);
    let mut crc = crc32fast::Hasher::new();
    // A line ends at LF, CR LF or a lone CR, as for Java's BufferedReader.
    for line in sql.split(['\n', '\r']) {
        crc.update(line.as_bytes());
    }
    crc.finalize() as i32
}

/// One migration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// File name.
    pub name: &'static str,
    /// Content.
    pub sql: &'static str,
}

impl Migration {
    /// The name's parts.
    ///
    /// # Panics
    /// Never: a test parses every embedded name.
    #[must_use]
    pub fn script(&self) -> ScriptName {
        ScriptName::parse(self.name).expect("embedded names are well-formed")
    }

    /// What its head says about going back.
    #[must_use]
    pub fn rollback(&self) -> Rollback {
        rollback(self.script().kind, self.sql)
    }

    /// Flyway's checksum.
    #[must_use]
    pub fn checksum(&self) -> i32 {
        checksum(self.sql)
    }
}

/// Which migrations a release ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Set {
    /// Only the base schema.
    Base,
    /// An index, marked compatible: the releases before it go on working.
    Compatible,
    /// Another index, marked compatible, as version 1.9.
    Nine,
    /// That index, and decimal amounts as version 1.10; the undo script restores everything.
    Ten,
    /// Decimal amounts; the undo script restores everything.
    Decimal,
    /// Decimal amounts and a new column, which the undo script drops.
    DecimalLossy,
    /// Decimal amounts and, as a second migration, an index; both undo scripts restore everything.
    Two,
}

/// What a migration does to the ledger's rows; its undo script takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Every amount is written in the layout.
    Layout(SchemaVersion),
    /// The same, and `orders` gets a column `client_ref`, which an undo drops with what is in it.
    LayoutAndClientRef(SchemaVersion),
    /// Nothing that anybody reads or writes.
    Index,
}

macro_rules! file {
    ($folder:literal, $name:literal) => {
        Migration {
            name: $name,
            sql: include_str!(concat!("../migrations/", $folder, $name)),
        }
    };
}

const BASE: Migration = file!("", "V1__base_schema.sql");
const COMPATIBLE: [Migration; 1] = [file!("1.7.0/", "V1_1__trades_by_market.sql")];
const DECIMAL: [Migration; 2] = [
    file!("2.0.0/", "V2__decimal_ledger.sql"),
    file!("2.0.0/", "U2__decimal_ledger.sql"),
];
const DECIMAL_LOSSY: [Migration; 2] = [
    file!("2.0.1/", "V2__decimal_ledger.sql"),
    file!("2.0.1/", "U2__decimal_ledger.sql"),
];
const NINE: [Migration; 1] = [file!("1.9.0/", "V1_9__trades_by_maker.sql")];
/// The same scripts as [`DECIMAL`], under another version.
const TEN: [Migration; 3] = [
    NINE[0],
    Migration {
        name: "V1_10__decimal_ledger.sql",
        sql: DECIMAL[0].sql,
    },
    Migration {
        name: "U1_10__decimal_ledger.sql",
        sql: DECIMAL[1].sql,
    },
];
const TWO: [Migration; 4] = [
    DECIMAL[0],
    DECIMAL[1],
    file!("2.1.0/", "V2_1__trades_by_command.sql"),
    file!("2.1.0/", "U2_1__trades_by_command.sql"),
];

impl Set {
    /// All sets.
    pub const ALL: [Self; 7] = [
        Self::Base,
        Self::Compatible,
        Self::Nine,
        Self::Ten,
        Self::Decimal,
        Self::DecimalLossy,
        Self::Two,
    ];

    /// The files, versioned ones first in the order of versions, each followed by its undo script.
    #[must_use]
    pub fn files(self) -> Vec<Migration> {
        let own: &[Migration] = match self {
            Self::Base => &[],
            Self::Compatible => &COMPATIBLE,
            Self::Nine => &NINE,
            Self::Ten => &TEN,
            Self::Decimal => &DECIMAL,
            Self::DecimalLossy => &DECIMAL_LOSSY,
            Self::Two => &TWO,
        };
        std::iter::once(BASE).chain(own.iter().copied()).collect()
    }
}

impl Migration {
    /// What the script does to the ledger's rows, or takes back if it is an undo script.
    #[must_use]
    pub fn effect(&self) -> Effect {
        if DECIMAL.iter().any(|it| it.sql == self.sql) {
            Effect::Layout(SchemaVersion::V2)
        } else if DECIMAL_LOSSY.iter().any(|it| it.sql == self.sql) {
            Effect::LayoutAndClientRef(SchemaVersion::V2)
        } else if self.sql == BASE.sql {
            Effect::Layout(SchemaVersion::V1)
        } else {
            Effect::Index
        }
    }
}

/// The layout of the rows once the releases' migrations of these names have run, in any order:
/// undo scripts don't count.
#[must_use]
pub fn layout<'a>(scripts: impl IntoIterator<Item = &'a str>) -> SchemaVersion {
    let files: Vec<Migration> = Set::ALL.into_iter().flat_map(Set::files).collect();
    let of = |name: &str| {
        let file = files.iter().find(|file| file.name == name)?;
        match (file.script().kind, file.effect()) {
            (Kind::Undo, _) | (_, Effect::Index) => None,
            (_, Effect::Layout(layout) | Effect::LayoutAndClientRef(layout)) => Some(layout),
        }
    };
    let layouts = scripts.into_iter().filter_map(of);
    layouts.max().unwrap_or(SchemaVersion::V1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_flyways() {
        // CRC-32 of "123456789" is the published check value 0xcbf43926.
        assert_eq!(checksum("123456789") as u32, 0xcbf4_3926);
        assert_eq!(checksum("1234\n5678\r\n9\n") as u32, 0xcbf4_3926);
        assert_eq!(checksum("\u{feff}12345\r6789") as u32, 0xcbf4_3926);
        assert_eq!(checksum(""), 0);
        assert_ne!(checksum("1234 56789"), checksum("123456789"));
        assert!(checksum("123456789") < 0, "a signed number");
    }

    #[test]
    fn names_are_taken_apart() {
        let parsed = ScriptName::parse("V2_1__add_index.sql").unwrap();
        assert_eq!(parsed.kind, Kind::Versioned);
        assert_eq!(parsed.version, "2.1");
        assert_eq!(parsed.description, "add index");
        assert_eq!(
            ScriptName::parse("R__views.sql").unwrap().kind,
            Kind::Repeatable
        );
        assert_eq!(ScriptName::parse("U10__x.sql").unwrap().version, "10");
        for (name, error) in [
            ("V1__a.txt", NameError::Suffix),
            ("X1__a.sql", NameError::Prefix),
            (".sql", NameError::Prefix),
            ("V1_a.sql", NameError::Separator),
            ("V__a.sql", NameError::Version),
            ("V1x__a.sql", NameError::Version),
            ("R1__a.sql", NameError::Version),
            ("V1__.sql", NameError::Description),
        ] {
            assert_eq!(ScriptName::parse(name), Err(error), "{name}");
        }
    }

    #[test]
    fn the_head_decides_and_silence_is_caution() {
        assert_eq!(
            rollback(Kind::Versioned, "-- rollback: compatible\nSELECT 1"),
            Rollback::Compatible
        );
        assert_eq!(
            rollback(Kind::Versioned, "-- x\n\n--rollback:compatible\n"),
            Rollback::Compatible
        );
        assert_eq!(
            rollback(Kind::Versioned, "SELECT 1;\n-- rollback: compatible"),
            Rollback::Breaking
        );
        assert_eq!(
            rollback(Kind::Versioned, "-- rollback: lossless"),
            Rollback::Breaking
        );
        assert_eq!(
            rollback(Kind::Undo, "-- rollback: lossless"),
            Rollback::Lossless
        );
        assert_eq!(
            rollback(Kind::Undo, "-- rollback: compatible"),
            Rollback::Lossy
        );
        assert_eq!(rollback(Kind::Undo, ""), Rollback::Lossy);
    }

    #[test]
    fn embedded_files_say_what_the_releases_need() {
        let heads = |set: Set| -> Vec<(String, Rollback)> {
            set.files()
                .iter()
                .map(|m| {
                    (
                        format!("{:?} {}", m.script().kind, m.script().version),
                        m.rollback(),
                    )
                })
                .collect()
        };
        let v = |s: &str| s.to_owned();
        assert_eq!(heads(Set::Base), [(v("Versioned 1"), Rollback::Breaking)]);
        assert_eq!(
            heads(Set::Decimal)[1..],
            [
                (v("Versioned 2"), Rollback::Breaking),
                (v("Undo 2"), Rollback::Lossless)
            ]
        );
        assert_eq!(
            heads(Set::DecimalLossy)[1..],
            [
                (v("Versioned 2"), Rollback::Breaking),
                (v("Undo 2"), Rollback::Lossy)
            ]
        );
    }

    #[test]
    fn layouts_follow_what_scripts_do_and_not_their_versions() {
        let names = |set: Set| {
            set.files()
                .into_iter()
                .map(|file| file.name)
                .collect::<Vec<_>>()
        };
        for (set, layout) in [
            (Set::Base, SchemaVersion::V1),
            (Set::Compatible, SchemaVersion::V1),
            (Set::Nine, SchemaVersion::V1),
            (Set::Ten, SchemaVersion::V2),
            (Set::Decimal, SchemaVersion::V2),
            (Set::DecimalLossy, SchemaVersion::V2),
            (Set::Two, SchemaVersion::V2),
        ] {
            assert_eq!(super::layout(names(set)), layout, "{set:?}");
        }
        assert_eq!(super::layout(["V3__unknown.sql"]), SchemaVersion::V1);
    }

    #[test]
    fn each_breaking_migration_of_a_set_has_an_undo_script() {
        for set in Set::ALL {
            let files = set.files();
            for file in &files[1..] {
                let script = file.script();
                let undone = files.iter().any(|it| {
                    it.script().kind == Kind::Undo && it.script().version == script.version
                });
                assert!(
                    undone || file.rollback() == Rollback::Compatible,
                    "{}",
                    file.name
                );
            }
        }
    }
}
