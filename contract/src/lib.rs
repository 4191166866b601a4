//! What an executor and the worlds in which it acts say to each other: plain values, and what follows from one of them
//! alone. Each is defined here once, so that a simulated database answers in the words of the real one.

pub mod duration;
pub mod image;
pub mod ledger;
pub mod rollback;
pub mod wire;
