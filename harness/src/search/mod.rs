//! Search: drills that nobody wrote down. A whole drill is drawn from a number; failures are sorted into classes, and the
//! smallest case of each is found.
//!
//! ```text
//! seed, number ──draw──▶ scenario ──drill──▶ result ──judge──▶ sound, silent, or failed
//!                 ▲                             │                            │
//!                 └────────── coverage ◀────────┘            class ◀──cut down┘
//! ```
//!
//! - `draw`: a drill from a number; `reach`: where a fault can hit something. `coverage`: what drills have met, which the next draws prefer to miss.
//! - `bound`: how long a rollback may take, by the budgets of its plan. `heal`: when what befell a drill was over, and what must come of it then.
//! - `judge`: what of a drill is a failure, in each half of the drills.
//! - `class`: which failures are the same, and which are known.
//! - `mutate`: mutants of a runbook. `kill`: what catches each of them.
//! - `campaign`: the search itself. `show`, `write`: what it found, in words and as files.

mod bound;
mod campaign;
mod class;
mod coverage;
mod draw;
mod heal;
mod judge;
mod kill;
mod mutate;
mod reach;
mod show;
mod write;

pub use campaign::{BATCH, FoundClass, Options, SearchError, Searched, search};
pub use class::{Class, Known, known};
pub use coverage::{Coverage, Met};
pub use draw::{Drawn, Half, NoRelease, Space};
pub use judge::{Judged, judge};
pub use kill::{Fate, Tried, kill, tally};
pub use mutate::{Mutant, found, mutants};
pub use show::{Matrix, scenario, summary};
pub use write::write;
