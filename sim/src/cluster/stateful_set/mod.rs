//! The StatefulSet controller (`pkg/controller/statefulset`).
//!
//! With `OrderedReady` it waits for each pod to be ready before it looks at the next one, and only then at updates. So
//! a pod of a bad revision that never becomes ready keeps a rollback from going on until somebody deletes it
//! (kubernetes#67250).
//!
//! Simpler than the real one: claims are always kept (`persistentVolumeClaimRetentionPolicy`).

mod control;
mod pods;
mod sync;
