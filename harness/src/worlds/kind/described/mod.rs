//! Drills of an application that a file describes, on the cluster: with the images of its manifests.
//!
//! - `plan`: what is created for it, before anything is touched; `ground`: that in the cluster, applied and cleared.
//! - `looks`: what is seen of it from outside; `stage`: what happens in the acts of a drill.
//! - `perform`: the drill from its beginning to the evidence.
//!
//! Its clients are in `load`, as those of the exchange are.

mod ground;
mod looks;
mod perform;
mod plan;
mod stage;

pub(super) use perform::perform;
