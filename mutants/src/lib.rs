//! Executors that are broken on purpose, and the hunt for them: would a drill notice?
//!
//! ```text
//! bug ──▶ drills, those first that stress it ──▶ one fails that passes with the sound executor ──cut down──▶ the smallest case
//! ```
//!
//! - `bug`: what a bug is. `bugs`: those that bent ports make, and the catalogue of all.
//! - `ports`: decorators of the executor's ports, which the end-to-end tests use too.
//! - `patches`: bugs that are patches of the executor's source, and the copy of the workspace in which they are built.
//! - `cases`: drills in the order in which they are tried. `hunt`: the search for the drill that fails.
//!   `report`: its table.
//!
//! Nothing of this is in the programs that are shipped: they do not depend on this package.

pub mod bug;
pub mod bugs;
mod cases;
mod cpu;
pub mod hunt;
pub mod patches;
mod planted;
pub mod ports;
pub mod report;

/// Whether this build has the bugs that are patches.
pub const HAS_PATCHES: bool = planted::BUILT;
