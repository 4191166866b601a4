//! One drill: performed in a world, judged by the oracles, told as a result.

pub mod course;
mod perform;
pub mod struck;
pub mod timeline;

pub use perform::{DrillResult, Ending, Smallest, conclude, run, run_refitted};
