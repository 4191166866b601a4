//! Kinds that CustomResourceDefinitions add (`apiextensions-apiserver`).
//!
//! Their objects are plain: they are stored, listed, watched and deleted like any others, and no controller acts on
//! them. A definition is served as soon as it is written.

mod definition;
mod kind;
mod schema;

pub(crate) use kind::CustomColumn;
pub use kind::CustomKind;
pub(crate) use schema::{Violation, pruned, violations};
