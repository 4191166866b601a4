//! Tests of the cluster as a whole.

mod adoption;
mod api;
mod bodies;
mod caches;
mod containers;
mod controllers;
mod failures;
mod hooks;
mod init_containers;
mod lab;
mod logs;
mod managed;
mod obstacles;
mod operations;
mod placement;
mod pods;
mod reference;
mod requests;
mod rollouts;
mod server;
mod watches;
mod wire;
