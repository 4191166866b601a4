//! The smallest case that still shows a failure.
//!
//! Greedy and deterministic: of the scenarios that are one step simpler, the first that still shows it is taken, until
//! none is left or the budget is spent; then the smallest seed. What "still shows it" means is the caller's:
//! [`campaign`] asks one drill, [`verify`](crate::verify) a pair.
//!
//! - `cut`: the loop, and what the case that is left lacks, in words.
//! - `simpler`: the scenarios that are one step simpler.

pub mod campaign;
mod cut;
mod simpler;

pub use cut::{Cut, cut_down};
pub use simpler::simpler;
