//! Behaviours of an API server and its controllers, each with one body for both worlds: it runs against the served
//! simulation and against a real cluster, and says what is otherwise than Kubernetes 1.34 has it.
//!
//! - [`Ground`]: how a body talks to the server, in a namespace of its own.
//! - [`run`]: runs behaviours one after the other.
//! - The other modules: the bodies, by subject.

mod apply;
mod compare;
mod defaults;
mod deletion;
mod ground;
mod lists;
mod objects;
mod options;
mod patches;
mod paths;
mod pod_defaults;
mod pods;
mod requests;
mod rollouts;
mod run;
mod sets;
mod strategic;
mod subresources;
mod table;
mod upkeep;
mod validation;
mod watches;

pub use compare::same;
pub use ground::{Answer, Ground};
pub use run::{Failure, run};
pub use table::{Behaviour, all};
