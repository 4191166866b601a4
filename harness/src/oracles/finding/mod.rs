//! What the oracles find: typed values with their numbers. Words are made of them only where something is printed.
//!
//! - `fact`: what all findings have in common.
//! - `injection`, `execution`, `writers`, `conduct`, `recovery`, `spans`, `books`, `ledger`, `remains`:
//!   what there is to find, stage by stage.
//! - `kinds`: how a type says what kinds of it there are, and what is known of each.
//! - `withheld`: what any of them says where its evidence is missing.

mod books;
mod conduct;
mod execution;
mod fact;
mod injection;
mod kinds;
mod ledger;
mod recovery;
mod remains;
mod spans;
mod withheld;
mod writers;

pub use super::{Finding, OracleName};
pub use books::{BookCounts, BooksFinding, Recorded, State as BooksState};
pub use conduct::{ConductFinding, UnsafeAct};
pub use execution::{ClaimFinding, Ended, FilesFinding, OutcomeFinding, TriggerFinding};
pub use fact::{Bearing, Class, Fact, Numbers, Severity, order, voids};
pub use injection::{HostFinding, InjectionFinding, SteadyFinding, SteadyState};
pub use kinds::Kind;
pub(crate) use kinds::{headline, kinds};
pub use ledger::{LedgerFinding, PhantomsFinding};
pub use recovery::{
    BuildsFinding, Counted, ErrorRateFinding, HoldFinding, InvariantsFinding, LatencyFinding,
    RtoFinding,
};
pub use remains::{Difference, MaintenanceFinding, StateFinding};
pub use spans::{DetectionFinding, ImpactFinding};
pub use withheld::{Because, WithheldFinding};
pub use writers::{Trespass, WritersFinding};
