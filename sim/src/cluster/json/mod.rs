//! JSON trees that share what they have in common.
//!
//! Every version of an object is kept for the watches, and one version mostly differs from the one before in a
//! single branch. So a copy of a tree is one more reference to it, a change copies only the nodes from the root to
//! where it is made, and branches that two trees share compare as equal without a look inside. Members stand in
//! the order of their names, as `serde_json` writes them.
//!
//! Of the crates that share, `imbl-value` keeps members in the order in which they came, so that a text depends on the
//! way to it, and all names in one table behind one lock; lists of `immutable-json` are no slices.

mod make;
mod map;
mod value;

pub(crate) use make::{ToJson, json};
pub use map::Map;
pub use value::Value;
