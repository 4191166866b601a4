//! `report.html`: one self-contained page that fetches nothing. It is a function of the journal alone, and of what
//! stands beside it ([`Beside`](super::Beside)).
//!
//! The verdict comes first, then five answers (may we ship, what went wrong, when, why, how to repeat it), then each
//! class of failure once, then the scenarios, the worst first and folded, and at the end the run. A little script
//! unfolds what a link leads to, filters the scenarios, and copies commands; without it everything can be read all the
//! same. Everything from data is escaped by the template, and a policy in the head forbids requests and other scripts.
//! Drawings are inline SVG whose positions are percentages, so that text keeps its size on a phone. What grows with the
//! number of drills is bounded, and says what it leaves out.

mod answers;
mod axis;
mod changes;
mod clients;
mod evidence;
mod facts;
mod failures;
mod flags;
mod list;
pub(crate) mod page;
mod render;
mod rto;
pub(crate) mod run;
mod scenario;
mod steps;
mod trend;

pub use render::{render, render_beside};

use render::none;
