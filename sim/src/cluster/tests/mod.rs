//! Tests of the cluster as a whole.

mod adoption;
mod api;
mod autoscalers;
mod bodies;
mod caches;
mod containers;
mod controllers;
mod custom;
mod daemon_sets;
mod failures;
#[path = "../../../../tests/support/go.rs"]
mod go;
mod hooks;
mod init_containers;
mod jobs;
mod lab;
mod logs;
mod managed;
mod manifests;
mod obstacles;
mod operations;
mod placement;
mod pods;
mod probes;
mod reference;
mod refusals;
mod requests;
mod rollouts;
mod server;
mod settings;
mod stateful_sets;
mod watches;
mod wire;
