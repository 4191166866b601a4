//! The data store of an application: its schema versions, the migrations between them, and what is kept of it.
//!
//! - `model`: what a description says of it, checked.
//! - `raw`: the form, with the place of each value.
//! - `scripts`: the migration files, which stand in a ConfigMap of the manifests.
//! - `check`: what it must satisfy.

mod check;
mod model;
mod raw;
mod scripts;

#[cfg(test)]
pub(crate) mod tests;

pub(super) use check::{breaking_schema, check, release, writes};
pub use model::{Loses, Migration, Mismatch, SchemaNeed, SchemaRange, Script, Store, Undo};
pub(super) use raw::{RawStore, Versions};
pub use scripts::latest_migration;
