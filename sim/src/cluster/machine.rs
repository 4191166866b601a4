//! The cluster: one synchronous state machine.

use std::collections::{BTreeMap, BTreeSet};

use super::api::cache::WatchCaches;
use super::api::logs::Follow;
use super::api::managed::Writer;
use super::api::services;
use super::api::watch::Watches;
use super::autoscaler::Recommendations;
use super::due_items::{Item, Work};
use super::endpoints::ProxyState;
use super::events::Recorder;
use super::kinds::Kind;
use super::kubelet::{ContainerRef, Kubelet};
use super::objects::Quota;
use super::queue::DelayingQueue;
use super::scheduler::NODE_PODS;
use super::store::{Change, Ref, Store};
use super::timings::Timings;
use super::value;
use super::wire::{Target, WatchFrame, WatchId};
use crate::cluster::json::{Value, json};
use crate::event_queue::EventQueue;
use crate::fingerprint::Fingerprint;
use crate::measured::Distribution;
use crate::rng::Rng;
use crate::time::Micros;
use crate::workload::Workload;

/// One random stream for each component.
pub(crate) struct Streams {
    pub(crate) api: Rng,
    pub(crate) names: Rng,
    pub(crate) controllers: Rng,
    pub(crate) scheduler: Rng,
    pub(crate) kubelet: Rng,
    /// When pods' workers take them up again without news.
    pub(crate) resyncs: Rng,
    /// Of what happens to the containers that are not their pod's first.
    containers: Rng,
    pub(crate) endpoints: Rng,
    pub(crate) proxy: Rng,
    pub(crate) config: Rng,
    pub(crate) garbage: Rng,
    pub(crate) watch: Rng,
}

impl Streams {
    fn new(seed: u64) -> Self {
        let derive = |component: &str| Rng::derive(seed, &format!("cluster/{component}"));
        Self {
            api: derive("api"),
            names: derive("names"),
            controllers: derive("controllers"),
            scheduler: derive("scheduler"),
            kubelet: derive("kubelet"),
            resyncs: derive("resyncs"),
            containers: derive("containers"),
            endpoints: derive("endpoints"),
            proxy: derive("proxy"),
            config: derive("config"),
            garbage: derive("garbage"),
            watch: derive("watch"),
        }
    }

    /// The stream of what happens to a container.
    pub(crate) fn of(&mut self, container: ContainerRef) -> &mut Rng {
        if container.leads() {
            &mut self.kubelet
        } else {
            &mut self.containers
        }
    }
}

/// The simulated control plane with its nodes.
pub struct Cluster {
    pub(crate) now: Micros,
    pub(crate) store: Store,
    pub(crate) event_queue: EventQueue<Item>,
    pub(crate) pending: BTreeSet<Work>,
    pub(crate) queue: DelayingQueue,
    pub(crate) timings: Timings,
    pub(crate) rng: Streams,
    pub(crate) watches: Watches,
    /// The logs that are followed.
    pub(crate) follows: BTreeMap<WatchId, Follow>,
    pub(crate) caches: WatchCaches,
    pub(crate) kubelet: Kubelet,
    pub(crate) proxy: ProxyState,
    pub(crate) recorder: Recorder,
    pub(crate) targets: Vec<Target>,
    pub(crate) targets_generation: u64,
    pub(crate) quota: Quota,
    /// The kinds that were added.
    pub(crate) custom: Vec<Kind>,
    pub(crate) services_given: services::Given,
    pub(crate) recommendations: Recommendations,
    /// Before then no controller and no kubelet does anything.
    still_until: Micros,
    fingerprint: Fingerprint,
    /// Who writes at present.
    pub(crate) writer: Writer,
}

/// Who writes, if nobody else does.
pub(crate) const CONTROLLERS: Writer = Writer::component("kube-controller-manager");

/// Whose work an item is.
fn component(item: &Item) -> Writer {
    match item {
        Item::Work(Work::Schedule(_)) | Item::Later(Work::Schedule(_)) => {
            Writer::component("kube-scheduler")
        }
        Item::Work(Work::Pod(_))
        | Item::Later(Work::Pod(_))
        | Item::Pod { .. }
        | Item::Container { .. } => Writer::component("kubelet"),
        _ => CONTROLLERS,
    }
}

impl Cluster {
    /// A cluster with one node and the namespaces `default`, `kube-system` and `namespaces`.
    #[must_use]
    pub fn new(seed: u64, namespaces: &[String]) -> Self {
        Self::with(seed, namespaces, Timings::default(), 1)
    }

    /// A cluster with other latencies and `nodes` nodes.
    #[must_use]
    pub fn with(seed: u64, namespaces: &[String], timings: Timings, nodes: u32) -> Self {
        let node = |n: u32| {
            let name = format!("node-{n}");
            let pods = NODE_PODS.to_string();
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": {
                    "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                }},
                "status": {
                    "capacity": {"pods": pods}, "allocatable": {"pods": pods},
                    "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
                    "addresses": [{"type": "InternalIP", "address": format!("172.18.0.{}", n + 1)}],
                },
            })
        };
        let nodes: Vec<Value> = (1..=nodes).map(node).collect();
        Self::on(seed, namespaces, timings, &nodes)
            .unwrap_or_else(|why| panic!("what a cluster begins with is valid: {why}"))
    }

    /// A cluster with these nodes, each a whole object of kind Node: its labels, taints and `status.allocatable` count.
    ///
    /// # Errors
    /// Why the API server refuses one of the namespaces or nodes.
    pub fn on(
        seed: u64,
        namespaces: &[String],
        timings: Timings,
        nodes: &[Value],
    ) -> Result<Self, String> {
        let mut cluster = Self {
            now: Micros::ZERO,
            store: Store::new(),
            event_queue: EventQueue::default(),
            pending: BTreeSet::new(),
            queue: DelayingQueue::default(),
            caches: WatchCaches::new(seed, &timings),
            timings,
            rng: Streams::new(seed),
            watches: Watches::default(),
            follows: BTreeMap::new(),
            kubelet: Kubelet::default(),
            proxy: ProxyState::default(),
            recorder: Recorder::default(),
            targets: Vec::new(),
            targets_generation: 0,
            quota: Quota::default(),
            custom: Vec::new(),
            services_given: services::Given::default(),
            recommendations: Recommendations::new(),
            still_until: Micros::ZERO,
            fingerprint: Fingerprint::default(),
            writer: CONTROLLERS,
        };
        let own = namespaces.iter().map(String::as_str);
        for name in ["default", "kube-system"].into_iter().chain(own) {
            cluster.seed(
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            )?;
        }
        for node in nodes {
            let name = value::name(node).to_owned();
            let phase =
                Rng::derive(seed, &format!("cluster/looks/{name}")).below(cluster.timings.relist.0);
            cluster.kubelet.looks.insert(name, Micros(phase));
            cluster.seed(node.clone())?;
        }
        cluster.caches.fill(cluster.store.rv());
        Ok(cluster)
    }

    fn seed(&mut self, object: Value) -> Result<(), String> {
        let text = |path: &[&str]| value::text(&object, path).to_owned();
        let kind = Kind::of_object(&text(&["apiVersion"]), &text(&["kind"]))
            .ok_or_else(|| format!("{} is no kind that it knows", text(&["kind"])))?;
        let name = text(&["metadata", "name"]);
        let created = self.create(kind, "", object);
        created
            .map(drop)
            .map_err(|error| format!("{} {name}: {}", kind.name(), error.message))
    }

    /// The earliest instant at which the cluster has something to do.
    #[must_use]
    pub fn next_at(&self) -> Option<Micros> {
        self.event_queue
            .next_at()
            .map(|at| at.max(self.still_until))
    }

    /// Does everything that is due at or before `now`.
    pub fn advance(&mut self, now: Micros, workload: &mut dyn Workload) {
        while self.next_at().is_some_and(|at| at <= now) {
            let Some((at, item)) = self.event_queue.pop_due(now) else {
                break;
            };
            self.now = self.now.max(at.max(self.still_until));
            self.run(item, workload);
        }
        self.now = self.now.max(now);
    }

    fn run(&mut self, item: Item, workload: &mut dyn Workload) {
        self.writer = component(&item);
        match item {
            Item::Work(work) => {
                self.pending.remove(&work);
                self.work(work, workload);
            }
            Item::Later(work) => {
                if self.queue.take_due(self.now, &work) {
                    self.work(work, workload);
                }
            }
            Item::Pod { pod, epoch, step } => self.pod_step(pod, epoch, step),
            Item::Container {
                container,
                epoch,
                step,
            } => self.container_step(container, epoch, step, workload),
            Item::Proxy => self.proxy_run(workload),
            Item::WatchDeadline(id) => self.watches.end(id),
            Item::Bookmark(id) => self.bookmark(id),
            Item::Follow(id) => self.follow_on(id, workload),
            Item::Notice { kind, rv, asked } => self.caches.learn(kind, rv, asked),
            Item::ProgressDue(kind) => self.progress_due(kind),
        }
    }

    fn work(&mut self, work: Work, workload: &mut dyn Workload) {
        let result = match &work {
            Work::Deployment(key) => self.sync_deployment(key),
            Work::ReplicaSet(key) => self.sync_replica_set(key),
            Work::StatefulSet(key) => self.sync_stateful_set(key),
            Work::DaemonSet(key) => self.sync_daemon_set(key),
            Work::Job(key) => self.sync_job(key),
            Work::Autoscaler(key) => self.sync_autoscaler(key, workload),
            Work::Expired(key) => self.expire_job(key),
            Work::Schedule(key) => {
                self.schedule_pod(key);
                Ok(())
            }
            Work::Pod(key) => {
                self.kubelet_sync(key, workload);
                Ok(())
            }
            Work::Endpoints(key) => self.sync_endpoints(key),
            Work::Budget(key) => self.sync_budget(key),
            Work::Config(key) => {
                self.deliver_config(key, workload);
                Ok(())
            }
            Work::Garbage(uid) => {
                self.collect_garbage(uid);
                Ok(())
            }
        };
        if result.is_ok() {
            self.queue.forget(&work);
        } else if let Some(delay) = self.queue.failed(&work) {
            self.enqueue_at(self.now + delay, work);
        }
    }

    /// Queues work for `at`, unless it waits for an earlier instant already (`AddAfter`).
    pub(crate) fn enqueue_at(&mut self, at: Micros, work: Work) {
        if self.queue.wait_until(at, &work) {
            self.event_queue.push(at, Item::Later(work));
        }
    }

    /// Queues work for when whoever does it has seen and done it, unless it is queued already.
    pub(crate) fn enqueue(&mut self, work: Work) {
        if self.pending.contains(&work) {
            return;
        }
        let (after, rng): (Distribution, &mut Rng) = match &work {
            Work::Deployment(_)
            | Work::ReplicaSet(_)
            | Work::StatefulSet(_)
            | Work::DaemonSet(_)
            | Work::Job(_)
            | Work::Autoscaler(_)
            | Work::Expired(_)
            | Work::Budget(_) => (self.timings.controller, &mut self.rng.controllers),
            Work::Schedule(_) => (self.timings.schedule, &mut self.rng.scheduler),
            // How soon the kubelet takes up a new pod is part of what the pod's start takes.
            Work::Pod(key) if self.kubelet.by_key.contains_key(key) => {
                (self.timings.kubelet, &mut self.rng.kubelet)
            }
            Work::Pod(_) => (Distribution::fixed(0), &mut self.rng.kubelet),
            Work::Endpoints(_) => (self.timings.endpoints, &mut self.rng.endpoints),
            Work::Config(_) => (self.timings.config_lag, &mut self.rng.config),
            Work::Garbage(_) => (self.timings.garbage, &mut self.rng.garbage),
        };
        let at = self.now + after.draw(rng);
        self.pending.insert(work.clone());
        self.event_queue.push(at, Item::Work(work));
    }

    /// After every write: the fingerprint, the watches, the controllers.
    pub(crate) fn published(&mut self) {
        let Some(entry) = self.store.last().cloned() else {
            return;
        };
        self.fingerprint.record_words(
            self.now,
            1,
            &[
                entry.rv,
                entry.kind.index() as u64,
                entry.change as u64,
                entry.object.seq,
            ],
        );
        self.fingerprint
            .record(self.now, "key", entry.key.as_bytes());
        self.watches.publish(&entry);
        self.caches.learn(entry.kind, entry.rv, self.now);
        self.notify(&entry);
        let horizon = self.now.saturating_sub(self.timings.watch_log);
        self.store.compact_before(horizon);
    }

    /// The frames that watches have sent since the last call, in order.
    pub fn take_watch_frames(&mut self) -> Vec<(WatchId, WatchFrame)> {
        self.watches.take_frames()
    }

    /// The client has gone: nothing more is sent on this watch.
    pub fn close_watch(&mut self, id: WatchId) {
        self.follows.remove(&id);
        self.watches.close(id);
    }

    /// Live pods, for scraping. Unchanged while [`Self::targets_generation`] is.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Counts the changes of [`Self::targets`].
    #[must_use]
    pub fn targets_generation(&self) -> u64 {
        self.targets_generation
    }

    /// The rolling hash of every write so far.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// The object `namespace/name` as it stands, for oracles and tests.
    #[must_use]
    pub fn object(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Value> {
        self.store
            .get(kind, &value::key(namespace, name))
            .map(|o| &o.value)
    }

    /// All objects of a kind in a namespace, by name.
    pub fn objects<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        self.store
            .list(kind, Some(namespace))
            .map(|(_, o)| &o.value)
    }

    /// The objects of a kind that changed after that resourceVersion, in the order of their changes, each with
    /// whether it is gone. Changes that are older than [`Timings::watch_log`] are forgotten.
    pub fn changed_since(&self, kind: Kind, version: u64) -> impl Iterator<Item = (&Value, bool)> {
        let entries = self.store.since(version).filter(move |it| it.kind == kind);
        entries.map(|it| (&it.object.value, it.change == Change::Deleted))
    }

    /// The latest resourceVersion.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.store.rv()
    }

    /// Compacts the watch log now: everything up to the latest resourceVersion is forgotten, so that
    /// a watch from an older one gets 410.
    pub fn compact(&mut self) {
        self.store.compact(self.store.rv());
    }

    /// Compacts the watch log up to that resourceVersion.
    pub fn compact_to(&mut self, version: u64) {
        self.store.compact(version);
    }

    /// Fault: no controller, scheduler, proxy or kubelet does anything before `until`; what is due comes then.
    pub fn stand_still(&mut self, until: Micros) {
        self.still_until = self.still_until.max(until);
    }

    /// Ends every open watch, as a restart of the API server would; how many there were.
    pub fn drop_watches(&mut self) -> usize {
        for id in std::mem::take(&mut self.follows).into_keys() {
            self.watches.send(id, WatchFrame::End);
        }
        self.watches.end_all()
    }

    pub(crate) fn get(&self, kind: Kind, key: &str) -> Option<Ref> {
        self.store.get(kind, key).cloned()
    }
}
