//! The clients: an open loop of orders from this host to the gateway's Service, and their own record of what came back.
//!
//! - `clients`: the loop that sends.
//! - `request`: one request, and what its answer says.
//! - `flow`: which order comes next, as the simulation's clients choose it.
//! - `record`: what the clients saw.
//! - `tally`: what clients saw, whatever they ask for.
//! - `served`: the clients of an application that a file describes.
//! - `thread`: the thread and the connections of clients of both kinds.
//! - `contention`: whether this machine had its CPUs to itself.
//!
//! The load is bounded in rate and time, and goes to the drill's own containers only.

mod clients;
mod contention;
mod flow;
mod record;
mod request;
mod served;
mod tally;
mod thread;

pub(super) use clients::Load;
pub(super) use served::{Served, Target};
pub(super) use tally::Errors;
