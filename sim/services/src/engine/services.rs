//! The state of the application.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use contract::image;
use contract::ledger::DatabaseError;
use sim::application::{Application, Done, NothingListens, PodLogLine};
use sim::event_queue::EventQueue;
use sim::measured::Distribution;
use sim::observe::SampleSink;
use sim::rng::Rng;
use sim::time::Micros;

use super::pod::Pod;
use super::store::{Server as StoreServer, StoreOp, StoreReply, StoreSeen, Stored};
use super::traffic::{Event, Wait, Work};
use crate::describe::{App, Client, Hop, Rate, Share};

/// How often it is caught up with, at least.
const TICK: Micros = Micros::from_secs(1);
/// How often a pod writes how many requests it served, in ticks.
const TELLS_EVERY: u64 = 10;

/// What can be set of a drill of an application.
#[derive(Clone, Debug)]
pub struct ServicesConfig {
    /// The application.
    pub app: Arc<App>,
    /// When its clients begin.
    pub clients_begin: Micros,
    /// A client's request that takes longer is slow.
    pub slow_after: Micros,
    /// Requests a second of all clients together, if not as described: each client's share stays.
    pub rate_per_s: Option<u32>,
}

impl ServicesConfig {
    /// The application as it is described: its clients begin after a minute, when its pods run, and a request of theirs
    /// that takes longer than half a second is slow.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            clients_begin: Micros::from_secs(60),
            slow_after: Micros::from_millis(500),
            rate_per_s: None,
        }
    }

    /// The client at the rate that it has in this drill.
    fn at_rate(&self, client: &Client) -> Client {
        let rate_per_s = self.rate_per_s.map(Rate::whole);
        self.app.at_rate(client, rate_per_s)
    }
}

/// What the clients saw in one second. A request counts in the second in which its end is known to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests that were answered rightly, retries included.
    pub answered: u32,
    /// Requests that failed, or were answered wrongly.
    pub errors: u32,
    /// Of those answered, how many were slow.
    pub slow: u32,
}

/// A service or a client as traffic sees it: what it calls.
pub(super) struct Node {
    /// Its calls, by position in the list of all.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// A call, of a service or of a client.
pub(super) struct Edge {
    /// Which addresses answer it.
    pub(super) address: usize,
    pub(super) share: Share,
    pub(super) hop: Hop,
    pub(super) optional: bool,
    /// Who waits, in the order in which they give up.
    pub(super) waits: VecDeque<Wait>,
}

/// What of a service is needed for each request.
pub(super) struct Server {
    pub(super) request: Distribution,
    pub(super) concurrency: usize,
    pub(super) queue: usize,
    pub(super) rng: Rng,
}

/// Clients of one kind.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) rng: Rng,
}

/// An application that a file describes, under the load of its clients.
pub struct Services {
    pub(super) app: Arc<App>,
    pub(super) slow_after: Micros,
    pub(super) now: Micros,
    pub(super) seed: u64,
    /// Services first, then clients.
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    pub(super) servers: Vec<Server>,
    pub(super) sources: Vec<Source>,
    /// Names of the Services of Kubernetes, by position.
    pub(super) addresses: Vec<String>,
    /// The pods behind each, by position.
    pub(super) routes: Vec<Vec<u32>>,
    pub(super) router: Rng,
    pub(super) pods: Vec<Pod>,
    /// The live serving process of a pod, by its UID.
    pub(super) by_uid: BTreeMap<String, u32>,
    pub(super) works: Vec<Work>,
    pub(super) free: Vec<u32>,
    pub(super) events: EventQueue<Event>,
    pub(super) seconds: Vec<Second>,
    pub(super) store: Option<StoreServer>,
    /// Writes that were sent, which are numbered from 1.
    pub(super) writes: u64,
    /// Writes whose answer a client holds, by their number.
    pub(super) acknowledged: Vec<u64>,
    pub(super) outbox: Vec<PodLogLine>,
    pub(super) happened: u64,
    /// Before then, no pod does anything.
    pub(super) still_until: Micros,
    pub(super) held_up: u64,
    next_tick: Micros,
}

impl Services {
    /// What the clients saw, second by second, up to `now`.
    pub fn seconds(&mut self, now: Micros) -> &[Second] {
        self.catch_up(now);
        &self.seconds
    }

    /// The version of the image that the process of a pod is of; `None`: it does not run.
    #[must_use]
    pub fn version(&self, uid: &str) -> Option<&str> {
        let pod = self.pods.get(*self.by_uid.get(uid)? as usize)?;
        Some(image::version(&pod.container.image))
    }

    /// Whether a process of that version has been started in a pod of the service with that name.
    #[must_use]
    pub fn has_run(&self, service: &str, version: &str) -> bool {
        let Some(at) = self.app.service(service) else {
            return false;
        };
        let mut all = self.pods.iter().filter(|pod| pod.service == at);
        all.any(|it| image::version(&it.container.image) == version)
    }

    /// The last error that a process of a pod wrote, whether that process still runs or not.
    #[must_use]
    pub fn last_complaint(&self, uid: &str) -> Option<String> {
        let mut pods = self.pods.iter().rev();
        let last = pods.find(|pod| pod.container.uid == uid)?;
        let lines = last.lines(Micros::ZERO).into_iter().rev();
        lines
            .map(|line| line.text)
            .find(|it| it.starts_with("error "))
    }

    /// The writes whose answer a client holds; each as it was sent.
    pub fn acknowledged(&mut self, now: Micros) -> Vec<Stored> {
        self.catch_up(now);
        let store = self.store.iter();
        let each = |store: &StoreServer| {
            let ids = self.acknowledged.iter();
            ids.map(|id| store.content(*id)).collect::<Vec<_>>()
        };
        store.flat_map(each).collect()
    }

    /// The rows of the store in use.
    pub fn stored(&mut self, now: Micros) -> Vec<Stored> {
        self.catch_up(now);
        self.store.iter().flat_map(StoreServer::rows).collect()
    }

    /// What the store in use lacks of its log; nothing where there is no log.
    pub fn in_the_log_alone(&mut self, now: Micros) -> Vec<Stored> {
        self.catch_up(now);
        self.store.iter().flat_map(StoreServer::missing).collect()
    }

    /// What the store holds besides rows; `None`: there is no store.
    #[must_use]
    pub fn store_seen(&self) -> Option<StoreSeen> {
        self.store.as_ref().map(StoreServer::seen)
    }

    /// The token of the store's fence; `None`: it is not up, or there is no store.
    #[must_use]
    pub fn fence(&self) -> Option<u64> {
        self.store.as_ref()?.fence
    }

    /// The store, if that service uses it.
    pub(super) fn store_of(&mut self, service: usize) -> Option<&mut StoreServer> {
        let its = self.app.store.as_ref()?.services.contains(&service);
        self.store.as_mut().filter(|_| its)
    }

    /// Processes that are connected to the store.
    fn sessions(&self) -> u32 {
        let services = self.app.store.iter().flat_map(|it| &it.services);
        let live = |service: usize| {
            let mut pods = self.pods.iter();
            pods.by_ref()
                .filter(|pod| pod.service == service && !pod.is_gone)
                .count() as u32
        };
        services.map(|service| live(*service)).sum()
    }

    pub(super) fn listening(&self, now: Micros, uid: &str) -> Option<&Pod> {
        let pod = self.pods.get(*self.by_uid.get(uid)? as usize)?;
        pod.listens(now).then_some(pod)
    }

    /// The pods write how many requests they served.
    fn tell(&mut self, tick: Micros) {
        let turn = tick.0 / TICK.0;
        for (slot, pod) in self.pods.iter_mut().enumerate() {
            if pod.listens(tick) && (turn + slot as u64).is_multiple_of(TELLS_EVERY) {
                let answers = pod.counts.answers();
                let text = format!("served {} requests", answers - pod.told);
                pod.told = answers;
                pod.log(tick, "info", text, &mut self.outbox);
            }
        }
    }
}

impl Application for Services {
    type Config = ServicesConfig;
    type Operation = StoreOp;

    fn new(config: ServicesConfig, seed: u64) -> Self {
        let app = config.app.clone();
        let mut addresses: Vec<String> = Vec::new();
        for service in &app.services {
            if let Some(address) = &service.address
                && !addresses.contains(address)
            {
                addresses.push(address.clone());
            }
        }
        let address_of = |service: usize| {
            let address = app.services.get(service).and_then(|it| it.address.as_ref());
            addresses
                .iter()
                .position(|it| Some(it) == address)
                .unwrap_or(usize::MAX)
        };
        let mut edges = Vec::new();
        let mut nodes = Vec::new();
        for service in &app.services {
            let from = edges.len();
            edges.extend(service.calls.iter().map(|call| Edge {
                address: address_of(call.to),
                share: call.share,
                hop: call.hop,
                optional: call.optional,
                waits: VecDeque::new(),
            }));
            nodes.push(Node {
                from,
                to: edges.len(),
            });
        }
        for client in &app.clients {
            let from = edges.len();
            edges.push(Edge {
                address: address_of(client.to),
                share: Share::ALL,
                hop: client.hop,
                optional: false,
                waits: VecDeque::new(),
            });
            nodes.push(Node {
                from,
                to: edges.len(),
            });
        }
        let servers = app.services.iter().map(|service| Server {
            request: service.request.0,
            concurrency: service.concurrency as usize,
            queue: service.queue as usize,
            rng: Rng::derive(seed, &format!("service {}", service.name)),
        });
        let servers = servers.collect();
        let sources = app.clients.iter().map(|client| Source {
            client: config.at_rate(client),
            rng: Rng::derive(seed, &format!("client {}", client.name)),
        });
        let mut events = EventQueue::default();
        let sources: Vec<Source> = sources.collect();
        for at in 0..sources.len() {
            events.push(config.clients_begin, Event::Client(at as u32));
        }
        Self {
            slow_after: config.slow_after,
            now: Micros::ZERO,
            seed,
            nodes,
            edges,
            servers,
            sources,
            routes: vec![Vec::new(); addresses.len()],
            addresses,
            router: Rng::derive(seed, "kube-proxy of services"),
            pods: Vec::new(),
            by_uid: BTreeMap::new(),
            works: Vec::new(),
            free: Vec::new(),
            events,
            seconds: Vec::new(),
            store: app.store.as_ref().map(|it| StoreServer::new(it, seed)),
            writes: 0,
            acknowledged: Vec::new(),
            outbox: Vec::new(),
            happened: 0,
            still_until: Micros::ZERO,
            held_up: 0,
            next_tick: TICK,
            app,
        }
    }

    fn namespaces(config: &ServicesConfig) -> Vec<String> {
        let mut all = config.app.manifests.namespaces();
        all.retain(|name| !matches!(name.as_str(), "default" | "kube-system"));
        all
    }

    fn nodes(config: &ServicesConfig) -> u32 {
        config.app.nodes()
    }

    fn next_at(&self) -> Option<Micros> {
        Some(self.next_tick)
    }

    fn advance(&mut self, now: Micros) {
        self.catch_up(now);
        while self.next_tick <= now {
            self.tell(self.next_tick);
            self.next_tick += TICK;
        }
    }

    fn stand_still(&mut self, now: Micros, until: Micros) {
        self.catch_up(now);
        self.still_until = self.still_until.max(until);
    }

    fn held_up(&mut self, now: Micros) -> u64 {
        self.catch_up(now);
        self.held_up
    }

    fn scrape(
        &mut self,
        now: Micros,
        uid: &str,
        sink: &mut dyn SampleSink,
    ) -> Result<(), NothingListens> {
        self.catch_up(now);
        let preset = self.app.preset;
        let pod = self.listening(now, uid).ok_or(NothingListens)?;
        preset.expose(image::version(&pod.container.image), &pod.counts, sink);
        Ok(())
    }

    fn take_logs(&mut self) -> Vec<PodLogLine> {
        std::mem::take(&mut self.outbox)
    }

    fn digest(&self) -> u64 {
        let stored = self.store.as_ref().map_or(0, |it| it.happened);
        self.happened ^ stored
    }

    fn begin(&mut self, now: Micros, operation: &StoreOp) -> Result<Micros, DatabaseError> {
        self.catch_up(now);
        match (operation, &mut self.store) {
            (StoreOp::Look, _) => Ok(Micros::ZERO),
            (StoreOp::Change(change), Some(store)) => store.begin(now, change),
            (StoreOp::Change(_), None) => Err(no_store()),
        }
    }

    fn finish(&mut self, now: Micros, operation: &StoreOp) -> Done<StoreOp> {
        self.catch_up(now);
        let sessions = self.sessions();
        match (operation, &mut self.store) {
            (StoreOp::Look, None) => Ok(StoreReply::Seen(StoreSeen::default())),
            (StoreOp::Look, Some(store)) => Ok(StoreReply::Seen(store.seen())),
            (StoreOp::Change(change), Some(store)) => store.finish(now, change, sessions),
            (StoreOp::Change(_), None) => Err(no_store()),
        }
    }

    fn fence(&self) -> Option<u64> {
        self.store.as_ref()?.fence
    }
}

fn no_store() -> DatabaseError {
    DatabaseError::Precondition("the application has no store".to_owned())
}
