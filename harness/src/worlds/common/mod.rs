//! What both worlds need: the acts of a drill, the hosts of its executors, what programs write, leave and claim, the
//! manifests, when faults are due, what a deployment does, and what is read of executor and exchange. It knows neither
//! world.

pub(super) mod acts;
mod bursts;
pub(super) mod claims;
pub(super) mod deployer;
pub(super) mod described;
mod executor;
pub(super) mod host;
pub(super) mod left;
pub(crate) mod manifests;
pub(super) mod output;
mod readings;
mod schedule;
pub(crate) mod template;

pub(super) use bursts::bursts;
pub(super) use readings::{beginning, build_version, pairs, told_by_clients, versions};
pub(super) use schedule::Schedule;
