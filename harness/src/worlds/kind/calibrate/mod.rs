//! What the live world takes, measured: the record that the simulation draws from ([`sim::measured`]).
//!
//! It is measured as in a drill: the exchange runs, clients send two hundred requests a second from this host, and the
//! executor's own account and role are used. Nothing is judged here.
//!
//! - `measure`: all of it, one after the other, and on which machine.
//! - `api`: the API server by verb, and Prometheus.
//! - `pods`: rollouts, seen through watches and the pods' own lines.
//! - `traffic`: how a change of endpoints or of the halt flag reaches traffic.
//! - `database`: fence, copies, undo and replay, by size.
//!
//! All instants are of this host's clock, which the node shares: it is a container here.

mod api;
mod database;
mod measure;
mod pods;
mod traffic;

pub use measure::calibrate;

use measure::{Following, Stage, now_us, sampled};
