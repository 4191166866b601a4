//! The state of the world, and what happens at one instant of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use http::HeaderValue;
use http::header::DATE;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::application::{Application, Done, Operation};
use crate::cluster::{
    ApiError, ApiRequest, ApiResponse, Cluster, Ticket, Timings, WatchFrame, WatchId,
};
use crate::event_queue::EventQueue;
use crate::fabric::{EffectSide, Fabric, FabricTimings, Fate, Server};
use crate::fingerprint::Fingerprint;
use crate::observe::{Config as PrometheusConfig, Loki, Prometheus};
use crate::time::Micros;
use crate::world::front::WorldBody;
use crate::world::scrapes::Scrapes;
use crate::world::writes::{self, Change, History, Write};

/// How the world is set up; `C` is the application's part.
#[derive(Clone, Debug, Default)]
pub struct WorldConfig<C> {
    /// The application and its clients.
    pub application: C,
    /// Latencies between programs and servers.
    pub fabric: FabricTimings,
    /// Latencies and settings of the cluster's own components.
    pub cluster: Timings,
    /// How Prometheus scrapes.
    pub prometheus: PrometheusConfig,
}

/// A request on its way into the world.
#[derive(Clone)]
pub(crate) enum Call<O> {
    Kube(ApiRequest),
    Http(Server, http::Request<Bytes>),
    Db(O),
}

/// What comes back.
pub(crate) enum Reply<O: Operation> {
    Kube(http::Response<WorldBody>),
    Http(http::Response<Bytes>),
    Db(Done<O>),
    /// The connection was cut; whether the request took effect is unknown to its sender.
    Cut,
}

pub(crate) struct Pending<O: Operation> {
    call: Call<O>,
    sent_at: Micros,
    back: Micros,
    origin: String,
    number: u64,
    cut_reply: bool,
    die_after: bool,
    /// It has waited for its kind's watch cache.
    fresh: bool,
    /// `None` for the second copy of a duplicated request.
    reply: Option<oneshot::Sender<Reply<O>>>,
}

enum Item<O: Operation> {
    Wake(oneshot::Sender<()>),
    Arrive(Box<Pending<O>>),
    FinishDb(Box<Pending<O>>),
    Reply(oneshot::Sender<Reply<O>>, Box<Reply<O>>),
    Frame(WatchId, WatchFrame),
    Digest,
}

struct OpenWatch {
    frames: mpsc::UnboundedSender<Bytes>,
    /// Frames of one watch never overtake each other.
    last_at: Micros,
}

/// The world's state. Programs reach it through [`World`](super::World); oracles look at it directly.
pub struct WorldState<A: Application> {
    now: Micros,
    /// The control plane.
    pub cluster: Cluster,
    /// What runs in the pods, its clients and what it stores.
    pub application: A,
    /// Metrics.
    pub prometheus: Prometheus,
    /// Logs.
    pub loki: Loki,
    /// What every request passes through.
    pub fabric: Fabric,
    event_queue: EventQueue<Item<A::Operation>>,
    watches: BTreeMap<WatchId, OpenWatch>,
    /// Requests that wait for a watch cache.
    waiting: BTreeMap<Ticket, Box<Pending<A::Operation>>>,
    fingerprint: Fingerprint,
    steps: u64,
    /// Before then nothing on the node does anything.
    node_still: Micros,
    /// Requests to the node that have waited for it.
    held_up: u64,
    writes: Vec<Write<A::Operation>>,
    history: History,
}

const DIGEST_EVERY: Micros = Micros::from_secs(1);

impl<A: Application> WorldState<A> {
    pub(crate) fn new(config: WorldConfig<A::Config>, seed: u64) -> Self {
        let mut event_queue = EventQueue::default();
        event_queue.push(DIGEST_EVERY, Item::Digest);
        let mut timings = config.cluster;
        for (label, sandbox) in A::sandboxes(&config.application) {
            timings.sandbox_of.entry(label).or_insert(sandbox);
        }
        Self {
            now: Micros::ZERO,
            cluster: Cluster::with(
                seed,
                &A::namespaces(&config.application),
                timings,
                A::nodes(&config.application).max(1),
            ),
            application: A::new(config.application, seed),
            prometheus: Prometheus::new(config.prometheus, seed),
            loki: Loki::new(),
            fabric: Fabric::new(seed, config.fabric),
            event_queue,
            watches: BTreeMap::new(),
            waiting: BTreeMap::new(),
            fingerprint: Fingerprint::default(),
            steps: 0,
            node_still: Micros::ZERO,
            held_up: 0,
            writes: Vec::new(),
            history: History::default(),
        }
    }

    /// Every request that has changed something, in the order of their effects.
    #[must_use]
    pub fn writes(&self) -> &[Write<A::Operation>] {
        &self.writes
    }

    fn wrote(&mut self, pending: &Pending<A::Operation>, change: Change<A::Operation>) {
        self.writes.push(Write {
            origin: pending.origin.clone(),
            number: pending.number,
            sent_at: pending.sent_at,
            at: self.now,
            change,
        });
    }

    /// An operation of the data store takes effect.
    fn finish_db(
        &mut self,
        pending: &Pending<A::Operation>,
        op: &A::Operation,
    ) -> Done<A::Operation> {
        let fence = self.application.fence();
        let done = self.application.finish(self.now, op);
        if done.is_ok() && op.changes() {
            let op = op.clone();
            self.wrote(pending, Change::Database { op, fence });
        }
        done
    }

    /// Fault: everything on the node stands still until `until`: pods, kubelet, control plane, Prometheus, Loki.
    /// What is sent to them waits and takes effect then, whether or not its sender still waits.
    /// The database is elsewhere.
    pub fn pause_node(&mut self, until: Micros) {
        let now = self.now;
        self.node_still = self.node_still.max(until);
        self.cluster.stand_still(until);
        self.application.stand_still(now, until);
        self.prometheus.stand_still(until);
    }

    /// How many requests have met the node standing still, clients' among them.
    pub fn held_up(&mut self) -> u64 {
        self.held_up + self.application.held_up(self.now)
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.now
    }

    /// How many events have happened.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The rolling hash over everything that happened so far.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.value()
    }

    /// Mixes an event of the drill itself (an outcome, a verdict) into the fingerprint.
    pub fn record(&mut self, kind: &str, detail: &[u8]) {
        self.fingerprint.record(self.now, kind, detail);
    }

    pub(crate) fn wake_at(&mut self, at: Micros, waker: oneshot::Sender<()>) {
        self.event_queue.push(at.max(self.now), Item::Wake(waker));
    }

    /// Sends a request on its way.
    pub(crate) fn send(
        &mut self,
        origin: &str,
        server: Server,
        verb: &str,
        path: &str,
        call: Call<A::Operation>,
        reply: oneshot::Sender<Reply<A::Operation>>,
    ) {
        let now = self.now;
        let passage = self.fabric.admit(origin, server, verb, path, now);
        let number = passage.message.number;
        self.fingerprint.record(now, origin, verb.as_bytes());
        self.fingerprint
            .record_words(now, number, &[passage.out.0, passage.back.0]);
        if passage.crash == Some(EffectSide::Before) {
            self.fabric.crashed(origin);
            return; // the sender is dead: its receiver is dropped with it
        }
        let mut pending = Pending {
            call,
            sent_at: now,
            back: passage.back,
            origin: origin.to_owned(),
            number,
            cut_reply: false,
            die_after: passage.crash == Some(EffectSide::After),
            fresh: false,
            reply: Some(reply),
        };
        let mut arrives_at = now + passage.out;
        match passage.fate {
            None => {}
            Some(Fate::Delay(by)) => arrives_at += by,
            Some(Fate::CutReply) => pending.cut_reply = true,
            Some(Fate::Duplicate(after)) => {
                let copy = Pending {
                    call: pending.call.clone(),
                    origin: pending.origin.clone(),
                    reply: None,
                    ..pending
                };
                self.event_queue
                    .push(arrives_at + after, Item::Arrive(Box::new(copy)));
            }
            Some(Fate::Lose(after)) => {
                if let Some(reply) = pending.reply.take() {
                    self.event_queue
                        .push(now + after, Item::Reply(reply, Box::new(Reply::Cut)));
                }
                return;
            }
            Some(Fate::Refuse {
                status,
                retry_after_s,
            }) => {
                if let Some(reply) = pending.reply.take() {
                    let refusal = refusal(&pending.call, status, retry_after_s);
                    self.event_queue.push(
                        arrives_at + pending.back,
                        Item::Reply(reply, Box::new(refusal)),
                    );
                }
                return;
            }
        }
        self.event_queue
            .push(arrives_at, Item::Arrive(Box::new(pending)));
    }

    /// When the next event is due.
    pub(crate) fn next_at(&self) -> Option<Micros> {
        let machines = self.machines_at().into_iter().flatten();
        machines.chain(self.event_queue.next_at()).min()
    }

    /// When the cluster, the application and Prometheus have something to do next.
    fn machines_at(&self) -> [Option<Micros>; 3] {
        [
            self.cluster.next_at(),
            self.application.next_at(),
            self.prometheus.next_at(),
        ]
    }

    /// Lets events happen until one of them lets a future go on. `false`: nothing will ever happen again.
    pub(crate) fn step(&mut self, until: Micros) -> bool {
        loop {
            let Some(at) = self.next_at() else {
                return false;
            };
            self.now = at.max(self.now);
            if self.now > until {
                return false;
            }
            if self.instant() {
                return true;
            }
        }
    }

    /// Lets what is due up to `at` happen, until it lets a future go on; otherwise it is that late then.
    pub(crate) fn go_on_to(&mut self, at: Micros) {
        while let Some(due) = self.next_at().filter(|&due| due <= at) {
            self.now = due.max(self.now);
            if self.instant() {
                return;
            }
        }
        self.now = self.now.max(at);
    }

    /// Everything that is due now happens; whether it lets a future go on.
    fn instant(&mut self) -> bool {
        let now = self.now;
        self.steps += 1;
        let [cluster, application, prometheus] =
            self.machines_at().map(|at| at.is_some_and(|at| at <= now));
        if cluster {
            self.cluster.advance(now, &mut self.application);
        }
        self.collect_frames();
        if application {
            self.application.advance(now);
        }
        self.collect_logs();
        if prometheus {
            let mut source = Scrapes {
                cluster: &self.cluster,
                application: &mut self.application,
            };
            self.prometheus.advance(now, &mut source);
        }
        let mut woke = false;
        while let Some((_, item)) = self.event_queue.pop_due(now) {
            woke |= self.happen(item);
        }
        woke
    }

    fn happen(&mut self, item: Item<A::Operation>) -> bool {
        match item {
            Item::Wake(waker) => waker.send(()).is_ok(),
            Item::Digest => {
                self.fingerprint
                    .record_words(self.now, 0, &[self.application.digest()]);
                self.event_queue.push(self.now + DIGEST_EVERY, Item::Digest);
                false
            }
            Item::Arrive(pending) => self.arrive(pending),
            Item::FinishDb(pending) => {
                let Call::Db(op) = &pending.call else {
                    unreachable!("only database calls take time")
                };
                let result = self.finish_db(&pending, op);
                self.answer(*pending, Reply::Db(result))
            }
            Item::Reply(to, reply) => to.send(*reply).is_ok(),
            Item::Frame(watch, frame) => self.deliver(watch, frame),
        }
    }

    fn arrive(&mut self, mut pending: Box<Pending<A::Operation>>) -> bool {
        let now = self.now;
        if now < self.node_still && !matches!(pending.call, Call::Db(_)) {
            self.held_up += 1;
            self.event_queue
                .push(self.node_still, Item::Arrive(pending));
            return false;
        }
        let reply = match &pending.call {
            Call::Kube(request) => {
                if !pending.fresh
                    && let Some(ticket) = self.cluster.await_cache(now, request)
                {
                    self.waiting.insert(ticket, pending);
                    return false;
                }
                let response = self
                    .cluster
                    .handle(now, request.clone(), &mut self.application);
                let response = self.kube_response(response);
                if request.method != http::Method::GET && response.status().is_success() {
                    let change = Change::Cluster {
                        verb: request.method.to_string(),
                        path: request.uri.path().to_owned(),
                        body: writes::kept(&request.body),
                    };
                    self.history.wrote(&mut self.cluster, &response);
                    self.wrote(&pending, change);
                }
                self.collect_frames();
                Reply::Kube(response)
            }
            Call::Http(Server::Loki, request) => Reply::Http(self.loki.handle(now, request)),
            Call::Http(_, request) => Reply::Http(self.prometheus.handle(now, request)),
            Call::Db(op) => match self.application.begin(now, op) {
                Ok(duration) if duration > Micros::ZERO => {
                    self.event_queue
                        .push(now + duration, Item::FinishDb(pending));
                    return false;
                }
                Ok(_) => Reply::Db(self.finish_db(&pending, op)),
                Err(refused) => Reply::Db(Err(refused)),
            },
        };
        if pending.die_after {
            pending.reply = None;
        }
        self.answer(*pending, reply)
    }

    /// Sends the reply back; true if the sender's death let the drill go on.
    fn answer(&mut self, pending: Pending<A::Operation>, reply: Reply<A::Operation>) -> bool {
        let now = self.now;
        let reply = reply.dated(now);
        let Pending {
            back,
            origin,
            number,
            cut_reply,
            die_after,
            reply: to,
            ..
        } = pending;
        self.fingerprint
            .record(now, &origin, reply.summary().as_bytes());
        self.fingerprint.record_words(now, number, &[]);
        if die_after {
            self.fabric.crashed(&origin);
            return true;
        }
        if let Some(to) = to {
            let reply = if cut_reply { Reply::Cut } else { reply };
            self.event_queue
                .push(now + back, Item::Reply(to, Box::new(reply)));
        }
        false
    }

    fn kube_response(&mut self, response: ApiResponse) -> http::Response<WorldBody> {
        let builder = http::Response::builder();
        let of_stream = match response {
            ApiResponse::Log(_) => "text/plain",
            _ => "application/json",
        };
        let built = match response {
            ApiResponse::Unary {
                status,
                content_type,
                retry_after_s,
                warnings,
                body,
            } => {
                let mut builder = builder
                    .status(status)
                    .header(http::header::CONTENT_TYPE, content_type);
                if let Some(seconds) = retry_after_s {
                    builder = builder.header(http::header::RETRY_AFTER, seconds);
                }
                for warning in warnings {
                    builder = builder.header(http::header::WARNING, warning);
                }
                builder.body(WorldBody::whole(body))
            }
            ApiResponse::Watch(id) | ApiResponse::Log(id) => {
                let (frames, receiver) = mpsc::unbounded();
                let last_at = self.now;
                self.watches.insert(id, OpenWatch { frames, last_at });
                builder
                    .status(200)
                    .header(http::header::CONTENT_TYPE, of_stream)
                    .body(WorldBody::stream(receiver))
            }
        };
        built.expect("status and headers are valid")
    }

    /// Puts the frames that the API server wrote on their way to the watchers,
    /// and goes on with what has waited for a watch cache.
    fn collect_frames(&mut self) {
        for ticket in self.cluster.take_fresh() {
            if let Some(mut pending) = self.waiting.remove(&ticket) {
                pending.fresh = true;
                self.event_queue.push(self.now, Item::Arrive(pending));
            }
        }
        for (id, frame) in self.cluster.take_watch_frames() {
            let at = self.now + self.fabric.watch_lag();
            let Some(watch) = self.watches.get_mut(&id) else {
                continue;
            };
            watch.last_at = at.max(watch.last_at);
            self.event_queue.push(watch.last_at, Item::Frame(id, frame));
        }
    }

    fn deliver(&mut self, id: WatchId, frame: WatchFrame) -> bool {
        let Some(watch) = self.watches.get(&id) else {
            return false;
        };
        match frame {
            WatchFrame::Data(bytes) => {
                self.fingerprint
                    .record(self.now, "watch", &(bytes.len() as u64).to_le_bytes());
                if watch.frames.unbounded_send(bytes).is_err() {
                    // The watcher has dropped the stream.
                    self.watches.remove(&id);
                    self.cluster.close_watch(id);
                    return false;
                }
            }
            WatchFrame::End => {
                self.watches.remove(&id);
            }
        }
        true
    }

    fn collect_logs(&mut self) {
        for line in self.application.take_logs() {
            let labels: BTreeMap<String, String> = [
                ("namespace", line.namespace.as_str()),
                ("app", line.app.as_str()),
                ("pod", line.pod.as_str()),
                ("level", line.level),
            ]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
            self.loki.push(&labels, line.at, line.text);
        }
    }
}

impl<O: Operation> Reply<O> {
    /// The same, with when it was made in whole seconds, as Go's `net/http` writes it into every answer (RFC 9110,
    /// 6.6.1).
    fn dated(mut self, now: Micros) -> Self {
        let headers = match &mut self {
            Self::Kube(answer) => answer.headers_mut(),
            Self::Http(answer) => answer.headers_mut(),
            Self::Db(_) | Self::Cut => return self,
        };
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now.to_timestamp());
        let date = date.ok().and_then(|date| HeaderValue::try_from(date).ok());
        headers.extend(date.map(|date| (DATE, date)));
        self
    }

    fn summary(&self) -> String {
        match self {
            Self::Kube(r) => format!("kube {}", r.status().as_u16()),
            Self::Http(r) => format!("http {} {}", r.status().as_u16(), r.body().len()),
            Self::Db(Ok(reply)) => format!("db {reply:?}"),
            Self::Db(Err(error)) => format!("db {error:?}"),
            Self::Cut => "cut".to_owned(),
        }
    }
}

/// The answer of a server that refuses a request before it takes effect.
fn refusal<O: Operation>(call: &Call<O>, status: u16, retry_after_s: Option<u32>) -> Reply<O> {
    // Who is asked and may not answers with a `Status`; who has too much to do, in plain text.
    let of_rights = match status {
        401 => Some(("Unauthorized", "Unauthorized")),
        403 => Some(("Forbidden", "forbidden: its rights are not known")),
        _ => None,
    };
    let (content_type, text) = match of_rights {
        Some((reason, message)) => (
            "application/json",
            ApiError::new(status, reason, message).body().to_string(),
        ),
        None => (
            "text/plain",
            "Too many requests, please try again later.".to_owned(),
        ),
    };
    let mut builder = http::Response::builder()
        .status(status)
        .header(http::header::CONTENT_TYPE, content_type);
    if let Some(seconds) = retry_after_s {
        builder = builder.header(http::header::RETRY_AFTER, seconds);
    }
    match call {
        Call::Kube(_) => Reply::Kube(
            builder
                .body(WorldBody::whole(Bytes::from(text)))
                .expect("status is valid"),
        ),
        Call::Http(..) => Reply::Http(builder.body(Bytes::from(text)).expect("status is valid")),
        Call::Db(_) => Reply::Cut,
    }
}
