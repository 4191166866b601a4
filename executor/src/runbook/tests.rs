//! Tests of the runbook reader.

mod base;
mod commands;
mod lints;
mod mistakes;
mod mistakes_in_commands;
mod reading;
mod robustness;
mod stateful;
