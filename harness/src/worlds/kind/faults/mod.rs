//! Faults in the live world: begun when their instant comes, ended when their time is over, and counted from outside.
//!
//! ```text
//! reached(anchor) ──▶ run: waits ─▶ begin ─▶ waits ─▶ end
//!                          stop() ends every wait: whatever has begun is ended
//! ```
//!
//! - `injector`: when each fault begins and ends.
//! - `live`: how a cluster begins and ends it.
//! - `node`: the node, its processes and its packets.
//! - `seen`: which pods a service has, and whether what was killed is gone, and its successor there.
//!
//! What a drill that is killed leaves in force, the next one takes back first (`heal`).

mod injector;
mod live;
mod node;
mod seen;

use live::blocking;

pub(super) use injector::{Due, Injector};
pub(super) use live::{LedgerSite, Site};
pub(super) use node::heal;
