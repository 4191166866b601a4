//! Reports: `journal.json`, `junit.xml`, `summary.md`, `report.html`, and what the terminal shows.
//!
//! ```text
//! results ─▶ journal ─┬─▶ journal.json ─▶ read, merge ─▶ journal
//!                     ├─▶ report.html
//!                     ├─▶ junit.xml
//!                     └─▶ summary.md
//! ```
//!
//! The last three are functions of the journal alone, so they can be made again from the file, byte for byte. What
//! changed between two journals ([`against`]) and how many of them went over time ([`trend`]) is made of journals, too.

pub mod against;
mod agree;
mod beside;
pub mod classes;
pub mod html;
pub mod journal;
pub mod junit;
pub mod kept;
pub mod markdown;
pub mod meta;
pub mod problems;
pub mod read;
pub mod repetitions;
pub mod representative;
mod sentences;
pub mod summary;
pub mod table;
pub mod trend;
mod write;

pub use beside::Beside;
pub use sentences::tally;
pub use write::{
    WriteError, prepare, write_all, write_beside, write_elsewhere, write_journal, write_texts,
};

use sentences::{NAMED_MAX, limit_ms, unfinished, verdict_line};

#[cfg(test)]
pub(crate) mod tests;
