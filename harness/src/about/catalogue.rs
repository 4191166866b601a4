//! Everything of one kind.

use super::page::{About, Kind};
use super::{fault, release, scenario, trigger};
use crate::runbooks::LoadedRunbook;

/// Everything of `kind`, in the order of its catalogue. Triggers are those of `runbook`.
#[must_use]
pub fn all(kind: Kind, runbook: &LoadedRunbook) -> Vec<About> {
    match kind {
        Kind::Scenario => scenario::all(),
        Kind::Release => release::all(),
        Kind::Fault => fault::all(),
        Kind::Trigger => trigger::all(&runbook.runbook),
    }
}
