//! What goes wrong with an undo, or may: each rule looks at one class of failure, and says where the line is and what
//! would be right.

mod look;
mod of_containers;
mod of_pods;
mod of_rollouts;
mod rules;

pub(crate) use look::Known;
pub use rules::RULES;
pub(crate) use rules::warnings;
