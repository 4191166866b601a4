//! Helpers shared by Firedrill's end-to-end tests.

pub mod drills;
pub mod tripwire;
