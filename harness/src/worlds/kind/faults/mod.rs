//! Faults in the live world: begun when their instant comes, ended when their time is over, and counted from outside.
//!
//! ```text
//! reached(anchor) ──▶ run: waits ─▶ begin ─▶ waits ─▶ end
//!                          stop() ends every wait: whatever has begun is ended
//! ```
//!
//! - `node`: the node, its processes and its packets.
//! - `seen`: whether what was killed is gone, and its successor there.
//!
//! What a drill that is killed leaves in force, the next one takes back first (`heal`).

mod node;
mod seen;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, FutureExt as _, Shared, pending, select};

use self::node::Cut;
pub(super) use self::node::heal;
use self::seen::PodBefore;
use super::clock::sleep;
use super::docker;
use super::process::Victim;
use super::stage::Stage;
use crate::evidence::Ms;
use crate::scenario::fault::{Live, Need};
use crate::scenario::{Anchor, Fault, Scenario};
use crate::worlds::common::Schedule;

/// What faults are done to.
#[derive(Clone)]
pub(super) struct Site {
    /// Container of the node.
    pub(super) node: String,
    /// Container of the ledger's server.
    pub(super) server: String,
    /// Its address, as pods reach it.
    pub(super) address: Ipv4Addr,
    /// Docker network of both.
    pub(super) network: String,
}

/// A fault that has begun, and what its end needs to know.
enum Begun {
    /// Over already, with so many hits.
    Hit(u64),
    Paused,
    Cut(Cut),
    /// The API server's processes that were killed.
    ApiServer(Vec<u32>),
    /// When the ledger's server that was killed had started.
    Database(String),
    Pods(Vec<PodBefore>),
}

/// Begins and ends the faults of a drill.
pub(super) struct Injector {
    stage: Arc<Stage>,
    site: Site,
    schedule: Mutex<Schedule>,
    /// Faults, and when they are due, in µs of the drill.
    later: Mutex<Option<mpsc::UnboundedSender<(usize, u64)>>>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    stopped: Shared<oneshot::Receiver<()>>,
    /// The executor, where it may be killed.
    pub(super) victim: Victim,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what waits for another program, off the threads that must not wait.
#[expect(
    clippy::disallowed_methods,
    reason = "a drill on a real cluster takes real time"
)]
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string())?
}

impl Injector {
    /// For the faults of `scenario`; the receiver is for [`Injector::run`].
    pub(super) fn new(
        stage: &Arc<Stage>,
        site: Site,
        scenario: &Scenario,
        seed: u64,
    ) -> (Self, mpsc::UnboundedReceiver<(usize, u64)>) {
        let (later, receiver) = mpsc::unbounded();
        let (stop, stopped) = oneshot::channel();
        let injector = Self {
            stage: Arc::clone(stage),
            site,
            schedule: Mutex::new(Schedule::new(scenario, seed)),
            later: Mutex::new(Some(later)),
            stop: Mutex::new(Some(stop)),
            stopped: stopped.shared(),
            victim: Victim::default(),
        };
        (injector, receiver)
    }

    /// The drill has come to `anchor`. Only the first time counts.
    pub(super) fn reached(&self, anchor: &Anchor) {
        let now = self.stage.clock.now_us();
        let due = lock(&self.schedule).reached(anchor);
        if let Some(later) = &*lock(&self.later) {
            for (index, after) in due {
                // Nobody listens once the drill is over.
                let _ = later.unbounded_send((index, now + after.0));
            }
        }
    }

    /// The numbers of ready pods of the deployed release that faults wait for, the smallest first.
    pub(super) fn ready_awaited(&self) -> Vec<u32> {
        lock(&self.schedule).ready_awaited()
    }

    /// The drill is over: what has begun is ended, what has not, does not begin.
    pub(super) fn stop(&self) {
        drop(lock(&self.later).take());
        drop(lock(&self.stop).take());
    }

    /// Waits for what is due, and ends what is over, until all is ended after [`stop`](Self::stop).
    pub(super) async fn run(&self, later: mpsc::UnboundedReceiver<(usize, u64)>) {
        later
            .for_each_concurrent(None, |(index, due_us)| self.follow(index, due_us))
            .await;
    }

    /// Waits; false if the drill ended first.
    async fn waited(&self, wait: impl Future<Output = ()>) -> bool {
        let wait = std::pin::pin!(wait);
        matches!(
            select(self.stopped.clone(), wait).await,
            Either::Right(((), _))
        )
    }

    async fn follow(&self, index: usize, due_us: u64) {
        let fault = lock(&self.schedule).get(index).0.clone();
        if !self.waited(self.stage.clock.sleep_until_us(due_us)).await {
            return;
        }
        let kind = fault.kind.as_str();
        let began_ms = self.stage.clock.now_ms();
        self.stage.lock().evidence.faults[index].began_ms = Some(began_ms);
        self.stage.tell("fault", kind, fault.in_words());
        let hits = match self.begin(&fault).await {
            Err(why) => Err(why),
            Ok(begun) => {
                if fault.kind.spec().lasts != Need::No {
                    self.waited(async {
                        match fault.lasts {
                            Some(lasts) => sleep(lasts).await,
                            None => pending().await,
                        }
                    })
                    .await;
                }
                self.end(begun).await
            }
        };
        let what = match hits {
            Ok(hits) => {
                let ended_ms: Ms = self.stage.clock.now_ms();
                let seen = &mut self.stage.lock().evidence.faults[index];
                seen.ended_ms = Some(ended_ms);
                seen.hits = hits;
                format!("over; hit {hits} times")
            }
            // What it did to the drill nobody knows, which is the harness's doing.
            Err(why) => {
                self.stage.harness_failed(&format!(
                    "the fault `{}` went wrong: {why}",
                    fault.in_words()
                ));
                let node = self.site.node.clone();
                let healed = blocking(move || heal(&node)).await;
                let healed = healed.map_or_else(
                    |left| format!("; left in force: {left}"),
                    |()| String::new(),
                );
                format!("went wrong: {why}{healed}")
            }
        };
        self.stage.tell("fault", kind, what);
    }

    async fn begin(&self, fault: &Fault) -> Result<Begun, String> {
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
                    Some("database") => Cut::Database(self.site.address),
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
                let before = self.stage.ledger.server_started().await?;
                let server = self.site.server.clone();
                blocking(move || docker::kill(&server)).await?;
                Ok(Begun::Database(before))
            }
            Live::PodsKilled => {
                let service = fault.target.as_deref().unwrap_or_default();
                let pods = seen::pods(&self.stage.client, service).await?;
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
    async fn end(&self, begun: Begun) -> Result<u64, String> {
        let node = self.site.node.clone();
        let client = &self.stage.client;
        match begun {
            Begun::Hit(hits) => Ok(hits),
            Begun::Paused => blocking(move || node::unpause(&node)).await,
            Begun::Cut(whose) => blocking(move || node::mend(&node, whose)).await,
            Begun::ApiServer(pids) => seen::another_api_server(client, &node, &pids).await,
            Begun::Database(before) => {
                let Site {
                    server,
                    network,
                    address,
                    ..
                } = self.site.clone();
                blocking(move || docker::start(&server, &network, address)).await?;
                seen::restarted(&self.stage.ledger, &before).await
            }
            Begun::Pods(pods) => seen::killed(client, &pods).await,
        }
    }
}
