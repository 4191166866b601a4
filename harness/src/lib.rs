//! Fire drills on rollbacks: scenarios, drills, oracles, verdicts and reports.
//!
//! ```text
//! scenario ─┐
//! seed ─────┼─▶ worlds: perform the drill ─▶ evidence ─▶ oracles ─▶ findings ─▶ verdicts ─▶ report
//! runbook ──┘                                  (plain data)  (pure)
//! ```
//!
//! Only [`worlds`] knows how a drill happens. Everything to the right of the evidence is a pure
//! function, and none of it believes what the executor says. Determinism: a drill's result is a pure
//! function of (build, scenario, runbook, seed, world).

pub mod about;
pub mod budget;
pub mod campaign;
pub mod crash_points;
pub mod delta;
pub mod digest;
pub mod drill;
pub mod evidence;
pub mod forecast;
pub mod oracles;
pub mod report;
pub mod runbooks;
pub mod runner;
pub mod scenario;
pub mod search;
pub mod shrink;
pub mod stats;
pub mod step_durations;
pub use sim_services::suggest;
pub mod token;
pub mod verdict;
pub mod verify;
pub mod worlds;

pub use oracles::finding;
