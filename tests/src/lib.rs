//! Helpers shared by Firedrill's end-to-end tests.

pub mod checks;
pub mod covered;
pub mod described;
pub mod drills;
pub mod orders;
pub mod runbooks;
pub mod triggers;
pub mod tripwire;
