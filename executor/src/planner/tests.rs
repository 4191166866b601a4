//! Tables of decisions, and plans as people read them.

mod base;
mod ledger;
mod plans;
mod reasons;
mod services;
mod stateful;
