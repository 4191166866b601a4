//! Helpers shared by Firedrill's end-to-end tests.

pub mod tripwire;
