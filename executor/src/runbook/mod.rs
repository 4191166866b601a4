//! The executable runbook: Markdown in, typed steps out.
//!
//! [`Runbook::parse`] reads a document in four passes, each of which notes every mistake that it finds and
//! goes on: front matter, Markdown blocks, attributes, commands; then what only shows in the whole (budgets,
//! names used twice, snapshots that nobody takes). A runbook with a mistake is refused as a whole.
//! [`Runbook::parse_and_lint`] also finds what is legal and unwise.

mod attributes;
mod command;
mod document;
mod front_matter;
mod lint;
mod look_back;
mod model;
mod naming;
mod odd;
mod outline;
mod parse;
mod protection;
mod query;
mod source;
mod step;
mod suggest;
mod words;
mod yaml;

pub use crate::exposition::Series;
pub use command::{
    Asks, COMMANDS, Command, CommandSpec, Effect, Followed, Kind, Leaves, Missed, OnLedger, Part,
    Value,
};
pub use lint::Parsed;
pub use model::{
    Condition, OnFail, Operator, Phase, Runbook, Step, Terms, Trigger, TriggerClass, When,
};
pub use naming::Naming;
pub use protection::Protection;
pub use source::{Mistake, RunbookErrors};
pub use step::WHEN;

#[cfg(test)]
mod tests;
