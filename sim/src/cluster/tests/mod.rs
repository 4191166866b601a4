//! Tests of the cluster as a whole.

mod adoption;
mod api;
mod autoscalers;
mod caches;
mod containers;
mod controllers;
mod custom;
mod daemon_sets;
mod failures;
mod hooks;
mod init_containers;
mod jobs;
mod lab;
mod manifests;
mod obstacles;
mod operations;
mod placement;
mod pods;
mod reference;
mod rollouts;
mod server;
mod settings;
mod stateful_sets;
mod watches;
mod wire;
