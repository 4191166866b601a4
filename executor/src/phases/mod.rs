//! The phases, each usable alone.

mod carry_out;
mod config;
mod document;
mod observe;
mod prepare;
mod progress;
mod resume;
mod run;
mod shared;
mod standing;
mod watch;

pub use document::Document;
pub use standing::{standing, steps_to_recovery};

use shared::READ;
