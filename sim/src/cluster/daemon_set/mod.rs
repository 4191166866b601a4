//! The DaemonSet controller (`pkg/controller/daemon`): one pod on each node that its template fits.
//!
//! Simpler than the real one: a failed pod is replaced without a back-off, and a revision's name is a stand-in for the
//! real hash, as with ReplicaSets.

mod manage;
mod rolling;
mod sync;
