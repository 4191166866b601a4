//! Tests of the cluster as a whole.

mod api;
mod caches;
mod hindrances;
mod lab;
mod pods;
mod rollouts;
mod watches;
mod wire;
