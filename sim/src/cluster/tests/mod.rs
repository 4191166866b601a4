//! Tests of the cluster as a whole.

mod adoption;
mod api;
mod caches;
mod controllers;
mod failures;
mod lab;
mod obstacles;
mod operations;
mod pods;
mod reference;
mod rollouts;
mod server;
mod watches;
mod wire;
