//! One drill: performed in a world, judged by the oracles, told as a result.

mod perform;
pub mod struck;
pub mod time_series;
pub mod timeline;

pub use perform::{DrillResult, Ending, Smallest, conclude, run, run_decorated, run_of};
