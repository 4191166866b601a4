//! An executor that is not in this process, in the simulated world: it talks to the world over HTTP.
//!
//! - `actor`: who carries out a phase: a program, a person, or a recording of either.
//! - `reach`: the world's addresses, and the files that whoever acts gets and leaves.
//! - `child`: one process of a program, its end, and its death; `program`: its phases.
//! - `guard`: what is done where this process dies without a word.
//! - `session`: a person, or a tool, that works by hand.
//! - `played`: a recording; `tape`: what is recorded.
//! - `host`: whoever acts, as an executor on a host of the drill.

mod actor;
mod child;
mod guard;
mod host;
mod played;
mod program;
mod reach;
mod session;
mod tape;

pub(super) use actor::Actor;
pub(super) use host::OutsideHost;
pub(super) use played::Played;
pub(super) use program::ByProgram;
pub(super) use reach::{Opening, Reach};
pub(super) use session::BySession;
pub(super) use tape::{Looking, Tape};

pub use session::{Opened, Session, SessionEnd, make_way};
