//! An application that a file describes, as it is drilled in the simulated world.
//!
//! - `application`: what a drill needs of it.
//! - `fit`: whether it runs before anything is deployed. `deployer`: its manifests, and a release over them.
//! - `store`: the executor's port onto its data store.

mod application;
mod deployer;
mod fit;
mod store;
