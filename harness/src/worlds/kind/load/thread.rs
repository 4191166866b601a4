//! What all clients need of this machine: a thread of their own, and connections that they keep.

use std::thread::JoinHandle;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::request::Http;

/// Runs what `clients` makes on a thread of its own: nothing else that the harness does holds it up.
///
/// # Errors
/// There is no runtime or no thread.
pub(super) fn start<F: Future<Output = ()>>(
    clients: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime for the clients: {error}"))?;
    std::thread::Builder::new()
        .name("clients".to_owned())
        .spawn(move || runtime.block_on(clients()))
        .map_err(|error| format!("no thread for the clients: {error}"))
}

/// A connection that its client keeps, and that must be made within `limit`.
pub(super) fn connection(limit: Duration) -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(limit));
    Client::builder(TokioExecutor::new()).build(connector)
}
