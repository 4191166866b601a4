//! Helpers shared by Firedrill's end-to-end tests.

pub mod api_server;
pub mod checks;
pub mod decorated;
pub mod drills;
pub mod orders;
pub mod runbooks;
pub mod triggers;
pub mod tripwire;
