//! Where do the 300 seconds go? The time from the first harm to the recovery, by step and by cause, over many drills of
//! a scenario, and what each parameter of the runbook and of the manifests is worth.
//!
//! ```text
//! drills ─▶ spans (of one drill) ─▶ account (over all) ─┐
//! parameters ─▶ the same seeds again, in pairs ─────────┴─▶ table, page
//! ```
//!
//! Nothing here judges: whether a drill passed is the oracles' to say.

mod account;
mod cause;
mod page;
mod parameters;
mod run;
mod spans;
mod table;

pub use account::{Account, Part};
pub use cause::Cause;
pub use page::page;
pub use parameters::Parameter;
pub use run::{Budget, Options, PAIRS_LEAST, Worth, budget};
pub use spans::{DrillSpans, Span};
pub use table::table;
