//! What both worlds need: the manifests, when faults are due, what a deployment does, and what is read of executor and
//! exchange. It knows neither world.

pub(super) mod deployer;
mod executor;
pub(crate) mod manifests;
mod readings;
mod schedule;
pub(crate) mod template;

pub(super) use executor::{calls_a_person, carry_on, copy_report, told};
pub(super) use readings::{build_version, pairs, told_by_clients, versions};
pub(super) use schedule::Schedule;
