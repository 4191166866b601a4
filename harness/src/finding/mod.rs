//! What the oracles find: typed values with their numbers. Words are made of them only where something is printed.
//!
//! - `name`: the oracles by name, with the stage that each judges.
//! - `fact`: what all findings have in common, and the enum of them all.
//! - `injection`, `execution`, `writers`, `recovery`, `spans`, `books`, `ledger`, `remains`: what there is to find, stage by stage.
//! - `withheld`: what any of them says where its evidence is missing.

mod books;
mod execution;
mod fact;
mod injection;
mod ledger;
mod name;
mod recovery;
mod remains;
mod spans;
mod withheld;
mod writers;

pub use books::{BookCounts, BooksFinding, Recorded, State as BooksState};
pub use execution::{ClaimFinding, Ended, FilesFinding, OutcomeFinding, TriggerFinding};
pub use fact::{Bearing, Class, Fact, Finding, Numbers, Severity, order, voids};
pub use injection::{HostFinding, InjectionFinding, SteadyFinding, SteadyState};
pub use ledger::{LedgerFinding, PhantomsFinding};
pub use name::OracleName;
pub use recovery::{
    BuildsFinding, Counted, ErrorRateFinding, HoldFinding, InvariantsFinding, LatencyFinding,
    RtoFinding,
};
pub use remains::{Difference, MaintenanceFinding, StateFinding};
pub use spans::{DetectionFinding, ImpactFinding};
pub use withheld::{Because, WithheldFinding};
pub use writers::{Trespass, WritersFinding};
