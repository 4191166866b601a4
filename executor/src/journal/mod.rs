//! The write-ahead journal: intent, act, verify, done.

mod entry;

pub use entry::{Entry, IllegalTransition, Record, State};
