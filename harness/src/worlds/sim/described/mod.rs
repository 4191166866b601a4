//! Drills of an application that a file describes, in the simulated world.
//!
//! Acts, executor, record, judgement and reports are those of the exchange's drills. What is here is what such an
//! application has otherwise: its manifests, its releases, and what its clients saw.

mod deployer;
mod looks;
mod perform;
mod stage;
mod store;

pub(super) use perform::perform;
