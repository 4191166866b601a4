//! How long will a rollback take? From manifests alone: the undo of every workload is simulated many times.
//!
//! ```text
//! manifests ─▶ workload ─▶ simulated ─▶ undo (one draw: pods, processes) ─▶ path ─┐
//!     │            └─▶ change ─▶ the same draws again, in pairs ─────────────────┼─▶ answer ─▶ table, page, gate
//!     └─▶ warnings, limits (rules, no simulation) ───────────────────────────────┘
//! ```
//!
//! Recovered means: the workload's rollout is complete, as `kubectl rollout status` sees it, and the bad release gets
//! no traffic. Determinism: a forecast is a pure function of (build, manifests, start times, options).

mod answer;
mod change;
mod gate;
mod limits;
mod page;
mod path;
mod pods;
mod processes;
mod run;
mod simulated;
mod starts;
mod table;
mod undo;
mod warnings;
mod words;
mod workload;

pub use answer::{Bar, Chart, Forecast, LeftOut, PhaseMean, Row, Undo, Warning, Workload, Worth};
pub use gate::{Over, comment, over_budget};
pub use page::page;
pub use path::Phase;
pub use processes::Bad;
pub use run::{Images, Options, forecast};
pub use starts::Starts;
pub use table::table;
pub use warnings::RULES;
pub use words::time;
pub(crate) use workload::workloads;
pub use workload::{Place, slow};
