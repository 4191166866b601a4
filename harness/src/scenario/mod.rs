//! Scenarios: a bad release, a load, timings and expectations, in a TOML file.
//!
//! ```text
//! text ──serde──▶ raw (with spans) ──check──▶ Scenario
//!                      │                 │
//!                      └── ScenarioError: file, line, column, help; all mistakes at once
//! ```

mod application;
pub mod catalogue;
mod check;
mod check_application;
mod check_faults;
mod check_program;
mod check_runbook;
mod check_settings;
mod error;
pub mod fault;
pub mod keys;
mod model;
mod quantity;
mod raw;
mod read;
mod settings;
mod to_toml;
mod unwise;

pub use application::{Described, InRust, Stores, Subject};
pub use catalogue::{BUILT_IN, BuiltIn, built_in, find, known_releases};
pub use check_program::ProgramRefusal;
pub use error::{Mistake, ScenarioError};
pub use fault::{Anchor, FAULTS, Fault, FaultKind, FaultSpec, HeldUp, UndoScripts};
pub use model::{
    Crash, CrashSide, Expect, Expected, Lacking, Load, OfApplication, Path, ReleaseChange,
    Scenario, Timing,
};
pub use quantity::{PartsPerMillion, format_duration, format_skew, parse_duration, parse_skew};
pub use settings::{Bursts, Deployment, LedgerSize, Share, Strategy};

#[cfg(test)]
mod tests;
