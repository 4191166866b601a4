//! What a user may name, told from the catalogues of the code: scenarios, releases, kinds of faults and triggers.
//!
//! ```text
//! scenario::BUILT_IN ─┐
//! dex::Release ───────┤
//! scenario::FAULTS ───┼─▶ About ─┬─▶ text for a terminal of 80 columns
//! Runbook::triggers ──┘          ├─▶ JSON
//!                                └─▶ pages of the book
//! ```

mod application;
mod book;
mod catalogue;
mod entry;
mod fault;
mod first_runbook;
mod page;
mod release;
mod scenario;
mod starter;
mod store;
mod text;
mod trigger;

pub use application::{Files, application};
pub use book::{book_page, book_page_of_keys};
pub use catalogue::all;
pub use entry::Why;
pub use page::{About, Fact, KeyShown, Kind};
pub use starter::starter;
pub use text::{keys_page, listed, page};
