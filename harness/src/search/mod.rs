//! Search: drills that nobody wrote down. A whole drill is drawn from a number; failures are sorted into classes, and
//! the smallest case of each is found.
//!
//! ```text
//! seed, number ──draw──▶ scenario ──drill──▶ result ──judge──▶ sound, silent, or failed
//!                 ▲                             │                            │
//!                 └────────── coverage ◀────────┘            class ◀──cut down┘
//! ```
//!
//! - `bound`: how long a rollback may take, by the budgets of its plan. `heal`: when what affected a drill was over,
//!   and what must come of it then.
//! - `draw`: a drill from a number; `reach`: where a fault can hit something.
//! - `coverage`: what drills have met, which the next draws prefer to miss; `marks`, `unreachable`: what they can meet,
//!   and why not the rest; `matrix`: faults and steps.
//! - `judge`: what of a drill is a failure, in each half of the drills.
//! - `class`: which failures are the same, and which are known; `sort` sorts them.
//! - `mutate`: mutants of a runbook, by its `form` and in other words (`reword`). `kill`: what catches each of them;
//!   `settle`: what the rest comes to.
//! - `campaign`: the search itself. `corpus`: what it leaves to the next one.
//! - `show`, `write`, `page`: what it found, in words, as files and as a page.

mod bound;
mod campaign;
mod class;
mod corpus;
mod coverage;
mod draw;
mod form;
mod heal;
mod judge;
mod kill;
mod marks;
mod matrix;
mod mutate;
mod names;
mod page;
mod reach;
mod reword;
mod settle;
mod show;
mod sort;
mod unreachable;
mod write;

pub use campaign::{
    BATCH, Earlier, Fastest, FoundClass, Options, SearchError, Searched, Start, search, search_on,
};
pub use class::{Class, Known, known};
pub use corpus::{Case, Corpus, CorpusError};
pub use coverage::{Coverage, Met};
pub use draw::{Drawn, Half, NoRelease, Space};
pub use judge::{Judged, judge};
pub use kill::{Fate, Tried, kill, tally};
pub use marks::{Catalogue, Counts, DRILLS_FOR_ALL, Mark, Part, Tally};
pub use matrix::{Cell, Column, Matrix, Row};
pub use mutate::{Change, Mutant, found, mutants, pairs, shuffled};
pub use page::page;
pub use reword::Scale;
pub use settle::{is_open, settle};
pub use show::{markdown, scenario, summary};
pub use write::write;
