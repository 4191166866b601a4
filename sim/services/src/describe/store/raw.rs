//! The form of what a description says of the store, with the place of each value.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::super::raw::RawSpread;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct RawStore {
    pub(super) services: Spanned<Vec<Spanned<String>>>,
    pub(super) scripts: Option<Spanned<String>>,
    pub(super) schema: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) log: bool,
    pub(super) snapshot: Option<RawSpread>,
    pub(super) restore: Option<RawSpread>,
    #[serde(default)]
    pub(super) migration: BTreeMap<Spanned<String>, RawMigration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct RawMigration {
    pub(super) takes: Option<RawSpread>,
    #[serde(default)]
    pub(super) online: bool,
    pub(super) undo: Option<Spanned<RawUndo>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct RawUndo {
    pub(super) takes: Option<RawSpread>,
    pub(super) loses: Option<Spanned<String>>,
}

/// Versions as they are written: `2`, `"1..2"`, `"2.."`.
#[derive(Clone, Debug)]
pub(in super::super) struct Versions(pub(super) String);

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ReadsVersions)
    }
}

struct ReadsVersions;

impl Visitor<'_> for ReadsVersions {
    type Value = Versions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("schema versions, such as 2 or \"1..2\"")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Versions, E> {
        Ok(Versions(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Versions, E> {
        Ok(Versions(text.to_owned()))
    }
}
