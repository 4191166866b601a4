//! How a cluster begins each kind of fault that it can do, and ends it.

use std::net::Ipv4Addr;

use super::super::docker;
use super::super::ledger::LedgerServer;
use super::injector::Injector;
use super::node::{self, Cut};
use super::seen::{self, PodBefore};
use crate::scenario::Fault;
use crate::scenario::fault::Live;

/// What faults are done to.
#[derive(Clone)]
pub(in super::super) struct Site {
    /// Container of the node.
    pub(in super::super) node: String,
    /// The way to the cluster for the harness itself.
    pub(in super::super) client: kube::Client,
    /// Namespace of the application's services.
    pub(in super::super) namespace: String,
    /// The server of its ledger; `None`: it has none.
    pub(in super::super) ledger: Option<LedgerSite>,
}

/// The ledger's server.
#[derive(Clone)]
pub(in super::super) struct LedgerSite {
    /// Its container.
    pub(in super::super) server: String,
    /// Its address, as pods reach it.
    pub(in super::super) address: Ipv4Addr,
    /// Docker network of it and the node.
    pub(in super::super) network: String,
    /// The ways to the ledger.
    pub(in super::super) ways: LedgerServer,
}

impl Site {
    /// # Errors
    /// There is none. Scenarios with faults of it are refused before: `scenario/check_application`.
    fn ledger(&self) -> Result<LedgerSite, String> {
        let ledger = self.ledger.clone();
        ledger.ok_or_else(|| "the application has no ledger on this cluster".to_owned())
    }
}

/// A fault that has begun, and what its end needs to know.
pub(super) enum Begun {
    /// Over already, with so many hits.
    Hit(u64),
    Paused,
    Cut(Cut),
    /// The API server's processes that were killed.
    ApiServer(Vec<u32>),
    /// The ledger's server that was killed, and when it had started.
    Database(LedgerSite, String),
    Pods(Vec<PodBefore>),
}

/// Runs what waits for another program, off the threads that must not wait.
#[expect(
    clippy::disallowed_methods,
    reason = "a drill on a real cluster takes real time"
)]
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string())?
}

impl Injector {
    /// Begins `fault`; an error says what the harness could not do.
    pub(super) async fn begin(&self, fault: &Fault) -> Result<Begun, String> {
        let node = self.site.node.clone();
        // What a cluster can't do is refused before: `worlds::check`.
        let live = fault.kind.spec().live.ok_or("this world can't do it")?;
        match live {
            Live::ExecutorKilled => {
                let hits = self.victim.kill(fault.delay.unwrap_or_default())?;
                Ok(Begun::Hit(hits))
            }
            Live::NodePaused => {
                blocking(move || node::pause(&node)).await?;
                Ok(Begun::Paused)
            }
            Live::ConnectionsDropped => {
                let whose = match fault.target.as_deref() {
                    Some("database") => Cut::Database(self.site.ledger()?.address),
                    Some("kubernetes") => Cut::Kubernetes,
                    other => return Err(format!("connections to {other:?} can't be dropped")),
                };
                blocking(move || node::cut(&node, whose)).await?;
                Ok(Begun::Cut(whose))
            }
            Live::ApiServerRestarted => {
                blocking(move || {
                    let pids = node::processes(&node, seen::API_SERVER)?;
                    // There is none, so it hits nothing.
                    if pids.is_empty() {
                        return Ok(Begun::Hit(0));
                    }
                    node::kill(&node, &pids)?;
                    Ok(Begun::ApiServer(pids))
                })
                .await
            }
            Live::DatabaseRestarted => {
                let ledger = self.site.ledger()?;
                let before = ledger.ways.server_started().await?;
                let server = ledger.server.clone();
                blocking(move || docker::kill(&server)).await?;
                Ok(Begun::Database(ledger, before))
            }
            Live::PodsKilled => {
                let service = fault.target.as_deref().unwrap_or_default();
                let (client, namespace) = (&self.site.client, &self.site.namespace);
                let pods = seen::pods(client, namespace, service).await?;
                let uids: Vec<String> = pods.iter().map(|pod| pod.uid.clone()).collect();
                let killed = blocking(move || node::kill_pods(&node, &uids)).await?;
                Ok(match killed {
                    // None of its processes runs, so it hits nothing.
                    0 => Begun::Hit(0),
                    _ => Begun::Pods(pods),
                })
            }
        }
    }

    /// Takes it back, or waits until it is over; how often it hit.
    pub(super) async fn end(&self, begun: Begun) -> Result<u64, String> {
        let node = self.site.node.clone();
        let client = &self.site.client;
        match begun {
            Begun::Hit(hits) => Ok(hits),
            Begun::Paused => blocking(move || node::unpause(&node)).await,
            Begun::Cut(whose) => blocking(move || node::mend(&node, whose)).await,
            Begun::ApiServer(pids) => seen::another_api_server(client, &node, &pids).await,
            Begun::Database(ledger, before) => {
                let LedgerSite {
                    server,
                    network,
                    address,
                    ways,
                } = ledger;
                blocking(move || docker::start(&server, &network, address)).await?;
                seen::restarted(&ways, &before).await
            }
            Begun::Pods(pods) => seen::killed(client, &self.site.namespace, &pods).await,
        }
    }
}
