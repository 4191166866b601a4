//! The write-ahead journal: intent, act, verify, done.

mod entry;
mod store;
#[cfg(test)]
mod tests;

pub use entry::{Entry, IllegalTransition, Record, State};
pub use store::CONFIG_MAP;
pub(crate) use store::Journal;
