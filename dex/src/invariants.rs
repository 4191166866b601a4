//! The exchange's invariants.
