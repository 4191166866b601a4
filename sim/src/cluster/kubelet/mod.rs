//! The kubelet: pods from binding to their last trace (`pkg/kubelet`).
//!
//! ```text
//! admit ─> Sandbox ─> image, environment ─> Start ─> Observed ─> probes …
//!             ▲            │ ErrImagePull, CreateContainerConfigError
//!             └── Retry <──┘        Exit ─> ExitObserved ─> Retry (CrashLoopBackOff)
//! deletion ─> SIGTERM ─> Stopped ─> Removed
//! ```
//!
//! The first container of a pod is its process; further ones share its fate. No init containers,
//! no preStop hooks. A tick of a probe that changes nothing does not touch the store.

mod containers;
mod env;
mod images;
mod obstacle;
mod pod;
mod probes;
mod status;
mod termination;

pub use images::ImageState;
pub use obstacle::Obstacle;
pub(crate) use pod::Kubelet;
