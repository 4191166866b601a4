//! The kubelet: pods from binding to their last trace (`pkg/kubelet`).
//!
//! ```text
//! admit ─> Sandbox ─> for one container after another:
//!
//!             image, environment ─> Start ─> Observed ─> probes …
//!               ▲   │ ErrImagePull, CreateContainerConfigError
//!               └ Retry        Exit ─> ExitObserved ─> Retry (CrashLoopBackOff)
//!
//! deletion ─> preStop hook ─> SIGTERM ─> Stopped, when all are: ─> Removed
//! ```
//!
//! Init containers come first, each after the end of the one before; a sidecar (an init container with `restartPolicy:
//! Always`) only has to have started. A tick of a probe that changes nothing does not touch the store. Whenever the
//! pod's worker computes the status, what is not ready is asked at once ([`syncs`]).
//!
//! What happens to the first container of a pod that is no init container is drawn from one stream, and what happens to
//! all others from another one, so that a container more leaves the rest of a run as it was.

mod container;
mod containers;
mod env;
mod hooks;
mod images;
mod logged;
mod obstacle;
mod phase;
mod pod;
mod probes;
mod status;
mod syncs;
mod termination;
mod worker;

pub(crate) use container::ContainerRef;
pub use images::ImageState;
pub(crate) use logged::Logged;
pub use obstacle::Obstacle;
pub(crate) use pod::Kubelet;
