//! The database migrations, named and summed up as Flyway does it.
//!
//! Files lie under `dex/migrations/`; a folder named after a release holds what that release adds. A comment in the
//! file's head says what a rollback may rely on: `-- rollback: compatible` or `breaking` in a `V` file (absent: breaking),
//! `lossless` or `lossy` in a `U` file (absent: lossy).

use std::fmt;

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

/// Reads the `-- rollback:` comment among the comment lines at the head of `sql`. Absent, unknown or of the other kind of
/// script: the cautious value, breaking for `V` and `R`, lossy for `U`.
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

/// Flyway's checksum: CRC-32 over the lines without their terminators, as a signed number. A byte-order mark at the start
/// does not count.
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
    /// Decimal amounts; the undo script restores everything.
    Decimal,
    /// Decimal amounts and a new column, which the undo script drops.
    DecimalLossy,
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
const DECIMAL: [Migration; 2] = [
    file!("2.0.0/", "V2__decimal_ledger.sql"),
    file!("2.0.0/", "U2__decimal_ledger.sql"),
];
const DECIMAL_LOSSY: [Migration; 2] = [
    file!("2.0.1/", "V2__decimal_ledger.sql"),
    file!("2.0.1/", "U2__decimal_ledger.sql"),
];

impl Set {
    /// All sets.
    pub const ALL: [Self; 3] = [Self::Base, Self::Decimal, Self::DecimalLossy];

    /// The files, versioned ones first in the order of versions, each followed by its undo script.
    #[must_use]
    pub fn files(self) -> Vec<Migration> {
        let own: &[Migration] = match self {
            Self::Base => &[],
            Self::Decimal => &DECIMAL,
            Self::DecimalLossy => &DECIMAL_LOSSY,
        };
        std::iter::once(BASE).chain(own.iter().copied()).collect()
    }
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
}
