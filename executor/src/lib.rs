//! The rollback executor.

pub mod clock;
pub mod ports;
pub mod runbook;
