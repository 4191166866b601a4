//! What each service does in its process: one module for each, and one arm of [`role`].

mod gateway;
mod matching;
mod risk;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use futures::future::BoxFuture;

use super::log::Log;
use super::run::ServiceFailure;
use super::settings::Settings;
use super::status::Status;
use crate::release::{Build, Service};

/// One service.
pub(super) struct Role {
    pub(super) router: Router,
    /// Runs as long as the process; what it returns is fatal.
    pub(super) work: BoxFuture<'static, ServiceFailure>,
    /// What comes between SIGTERM and the end of the server.
    pub(super) drain: BoxFuture<'static, ()>,
}

/// The service of `build`; `address` is where peers reach the process.
///
/// # Errors
/// A setting or the release's configuration makes no sense.
pub(super) fn role(
    settings: &Settings,
    build: Build,
    address: SocketAddr,
    log: &Arc<Log>,
    status: &Arc<Status>,
) -> Result<Role, ServiceFailure> {
    match build.service {
        Service::Gateway => gateway::role(settings, build, log, status),
        Service::Matching => matching::role(settings, build, address, log, status),
        Service::Risk => risk::role(settings, build, log, status),
    }
}
