//! What a description says, checked: services, clients and releases by their numbers.

use std::collections::BTreeMap;

use contract::image;
use serde_json::Value;
use sim::cluster::NODE_PODS;
use sim::measured::Distribution;
use sim::time::Micros;

use super::bundle::Bundle;
use super::http::Http;
use super::quantity::{Rate, Share};
use super::store::{SchemaNeed, SchemaRange, Store};
use crate::manifests::{Manifests, Object, WorkloadKind};
use crate::metrics::Preset;

/// An application: its manifests, and how its services, clients and releases behave.
#[derive(Clone, Debug)]
pub struct App {
    /// Its name.
    pub name: String,
    /// The namespace of its Deployments and StatefulSets.
    pub namespace: String,
    /// What is deployed before a drill.
    pub manifests: Manifests,
    /// Its services, in the order in which their workloads are applied.
    pub services: Vec<Service>,
    /// What it stores, if it has a data store.
    pub store: Option<Store>,
    /// Its clients.
    pub clients: Vec<Client>,
    /// What the release that the manifests hold is called.
    pub prior: String,
    /// Releases that can be deployed over it, by name.
    pub releases: BTreeMap<String, Release>,
    /// How its services expose their metrics.
    pub preset: Preset,
    /// The path of its runbook as the description has it, if it names one.
    pub runbook: Option<String>,
    /// The paths of its scenarios as the description has them.
    pub scenarios: Vec<String>,
    /// The files that it was read from.
    pub bundle: Bundle,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread(pub Distribution);

impl Spread {
    /// The log-normal distribution with that median and that 99th percentile, cut off at one in a thousand.
    ///
    /// Its points come from square roots and products alone, so that they are the same on every machine.
    #[must_use]
    pub fn of(median: Micros, p99: Micros) -> Self {
        /// Standard deviations from the median at each of [`sim::measured::POINTS`] above it, as 1,024ths of those
        /// of the 99th percentile.
        const ABOVE: [(usize, u32); 5] =
            [(75, 297), (90, 564), (95, 724), (99, 1_024), (100, 1_360)];
        let median_us = median.0.max(1);
        let ratio = (p99.0.max(median_us)) as f64 / median_us as f64;
        let root = (0..10).fold(ratio, |root, _| root.sqrt());
        let mut samples = vec![median_us; 101];
        let mut from = 51;
        for (at, exponent) in ABOVE {
            let by = power(root, exponent);
            let high = (median_us as f64 * by).round() as u64;
            let low = (median_us as f64 / by).round() as u64;
            let (low_from, low_to) = (100 - at, 100 - from);
            samples[from..=at].fill(high);
            samples[low_from..=low_to].fill(low);
            from = at + 1;
        }
        let distribution = Distribution::of(&samples);
        Self(distribution.unwrap_or(Distribution::fixed(median_us)))
    }
}

fn power(base: f64, exponent: u32) -> f64 {
    let (mut result, mut square, mut left) = (1.0, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result *= square;
        }
        square *= square;
        left >>= 1;
    }
    result
}

/// A service: a Deployment or a StatefulSet, and how its processes behave.
#[derive(Clone, Debug)]
pub struct Service {
    /// Name of its workload.
    pub name: String,
    /// Of which kind its workload is.
    pub kind: WorkloadKind,
    /// The label `app` of its series and of its log lines, unique among the services. It is the first of the pods'
    /// labels `app` and `app.kubernetes.io/name`, and the workload's name where there is neither or another service has
    /// the same.
    pub app: String,
    /// Name of the container that serves.
    pub container: String,
    /// Image of that container in the manifests.
    pub image: String,
    /// Pods that its workload asks for.
    pub replicas: u32,
    /// For how long a pod must have been ready before its workload counts it as available (`minReadySeconds`).
    pub min_ready: Micros,
    /// Name of the Service in front of it, if there is one.
    pub address: Option<String>,
    /// Path of its liveness probe, where that is not the readiness probe's.
    pub live_path: Option<String>,
    /// From the start of a process until it listens.
    pub start: Spread,
    /// Its own work on one request.
    pub request: Spread,
    /// Requests that a pod works on at a time.
    pub concurrency: u32,
    /// Requests that wait in a pod; any more are refused with 503.
    pub queue: u32,
    /// From SIGTERM until the process exits. Up to then it serves.
    pub shutdown: Micros,
    /// Share of the requests that fail although nothing is wrong.
    pub errors: Share,
    /// From the start until its memory limit is reached, if its memory grows.
    pub full_after: Option<Micros>,
    /// Memory at the start and the limit, in MB; 0: neither is known.
    pub memory_mb: (u64, u64),
    /// The calls that each request makes, one after the other.
    pub calls: Vec<Call>,
    /// Environment variables without which it does not start.
    pub needs_env: Vec<String>,
    /// Services without which it is not ready, by index.
    pub needs: Vec<usize>,
    /// The schema that its builds work on, where a release says nothing else; of services of the store.
    pub schema: SchemaNeed,
}

impl Service {
    /// How long its pods that are ready are not yet available while all of them are replaced: those of a StatefulSet
    /// are replaced one after the other, and each is waited for.
    #[must_use]
    pub fn settles(&self) -> Micros {
        let in_turn = match self.kind {
            WorkloadKind::Deployment => 1,
            WorkloadKind::StatefulSet => u64::from(self.replicas),
        };
        Micros(self.min_ready.0.saturating_mul(in_turn))
    }
}

/// A call of another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which service, by index.
    pub to: usize,
    /// Share of the requests that make it.
    pub share: Share,
    /// How it is sent.
    pub hop: Hop,
    /// Whether a request succeeds without it.
    pub optional: bool,
}

/// How a request is sent: how long its answer is waited for, and how it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// How long the answer is waited for.
    pub timeout: Micros,
    /// How often it is tried again.
    pub retries: u32,
    /// The wait before each.
    pub backoff: Backoff,
}

/// The wait before a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first retry.
    pub first: Micros,
    /// At most.
    pub most: Micros,
    /// How many times longer each is than the one before.
    pub factor: u32,
    /// Which share of it is drawn.
    pub jitter: Share,
}

impl Backoff {
    /// No wait.
    pub const NONE: Self = Self {
        first: Micros::ZERO,
        most: Micros::ZERO,
        factor: 1,
        jitter: Share(0),
    };
}

/// Clients of one kind. They send whether they are answered or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// The service that it asks, by index.
    pub to: usize,
    /// Requests a second.
    pub rate_per_s: Rate,
    /// How it sends them.
    pub hop: Hop,
    /// When it sends at another rate.
    pub burst: Option<Burst>,
    /// Share of its requests that are writes: what is answered rightly is acknowledged.
    pub writes: Share,
    /// What a request of theirs is on a real cluster.
    pub http: Http,
}

impl Client {
    /// Requests a second at that instant.
    #[must_use]
    pub fn rate_at(&self, now: Micros) -> Rate {
        let Some(burst) = &self.burst else {
            return self.rate_per_s;
        };
        let Some(since) = now.0.checked_sub(burst.first.0) else {
            return self.rate_per_s;
        };
        let within = burst.every.map_or(since, |every| since % every.0.max(1));
        if within < burst.lasts.0 {
            burst.rate_per_s
        } else {
            self.rate_per_s
        }
    }
}

impl Backoff {
    /// The longest wait before the retry after `retries` others, and how much less it may be.
    #[must_use]
    pub fn before(self, retries: u32) -> (Micros, u64) {
        let factor = u64::from(self.factor).saturating_pow(retries);
        let wait = self.first.0.saturating_mul(factor).min(self.most.0);
        (Micros(wait), self.jitter.of(wait))
    }
}

/// A time at which clients send at another rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Requests a second then.
    pub rate_per_s: Rate,
    /// When the first begins, from the drill's beginning.
    pub first: Micros,
    /// From one to the next; `None`: there is one.
    pub every: Option<Micros>,
    /// How long each lasts.
    pub lasts: Micros,
}

/// A release that can be deployed.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// One sentence.
    pub description: String,
    /// Its images, by the index of their services.
    pub images: BTreeMap<usize, String>,
    /// What it changes of pod templates besides, as strategic merge patches, by the index of their services.
    pub templates: BTreeMap<usize, Value>,
    /// What it changes of ConfigMaps: name, key and value.
    pub config: BTreeMap<String, BTreeMap<String, String>>,
    /// The schema versions that its deployment migrates the store to, upwards.
    pub migrations: Vec<u32>,
    /// The schema that its images work on, where that is not as the service needs otherwise, by the index of their
    /// services.
    pub schema: BTreeMap<usize, SchemaRange>,
    /// What is wrong with it.
    pub defects: Vec<Defect>,
}

/// Something that is wrong with a service of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The service, by index.
    pub service: usize,
    /// What.
    pub kind: DefectKind,
}

/// What can be wrong with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefectKind {
    /// Its own work takes that many times as long.
    Slow(u32),
    /// That share of its requests fails with 500.
    Errors(Share),
    /// That share of its answers is 200 and wrong. Clients notice; its metrics don't.
    WrongAnswers(Share),
    /// Its processes run out of memory so long after their start.
    Leak(Micros),
    /// Its processes exit so long after their start.
    CrashLoop(Micros),
    /// Its pods never become ready.
    NeverReady,
    /// It looks for configuration that nobody gives, and does not start.
    BadConfiguration,
    /// Each of its calls is tried again so often, without any wait.
    RetryAmplification(u32),
    /// It calls a service that is not there in each request.
    MissingDependency,
    /// From its migration to that version on, no other build of the service works on the schema.
    BreakingSchema(u32),
}

impl App {
    /// The service of that name, by index.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|it| it.name == name)
    }

    /// The Service of Kubernetes in front of a service.
    #[must_use]
    pub fn front_of(&self, service: usize) -> Option<&Object> {
        let address = self.services.get(service)?.address.as_ref()?;
        self.manifests.get("Service", &self.namespace, address)
    }

    /// The names of the prior release and of all that can be deployed over it.
    #[must_use]
    pub fn release_names(&self) -> Vec<&str> {
        let others = self.releases.keys().map(String::as_str);
        std::iter::once(self.prior.as_str()).chain(others).collect()
    }

    /// The release of that name, or else the one that has an image of that version.
    #[must_use]
    pub fn release_named(&self, word: &str) -> Option<&str> {
        if word == self.prior {
            return Some(&self.prior);
        }
        if let Some((name, _)) = self.releases.get_key_value(word) {
            return Some(name);
        }
        let has = |release: &&String| {
            let images = self
                .releases
                .get(*release)
                .into_iter()
                .flat_map(|it| it.images.values());
            images
                .into_iter()
                .any(|image| image::version(image) == word)
        };
        if let Some(release) = self.releases.keys().find(has) {
            return Some(release);
        }
        let mut images = self.services.iter().map(|it| it.image.as_str());
        images
            .any(|image| image::version(image) == word)
            .then_some(self.prior.as_str())
    }

    /// The image of each service in a release, by the index of the service; nothing if there is no such release.
    #[must_use]
    pub fn images(&self, release: &str) -> Vec<&str> {
        let changed = self.releases.get(release);
        if changed.is_none() && release != self.prior {
            return Vec::new();
        }
        let image = |(at, service)| {
            let service: &Service = service;
            let new = changed.and_then(|it| it.images.get(&at));
            new.map_or(service.image.as_str(), String::as_str)
        };
        self.services.iter().enumerate().map(image).collect()
    }

    /// The schema that a service's image of `release` works on.
    #[must_use]
    pub fn schema_need(&self, service: usize, release: &Release) -> SchemaNeed {
        let need = self.services.get(service).map(|it| it.schema);
        let need = need.unwrap_or_default();
        let own = release.schema.get(&service).copied();
        SchemaNeed {
            range: own.unwrap_or(need.range),
            ..need
        }
    }

    /// Whether any client writes into the store.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.clients.iter().any(|client| client.writes.0 > 0)
    }

    /// Requests a second of all clients, without bursts.
    #[must_use]
    pub fn rate_per_s(&self) -> Rate {
        self.clients.iter().map(|client| client.rate_per_s).sum()
    }

    /// A client at the rate that it has where all clients together send `rate_per_s` requests a second; without it, at
    /// its own.
    #[must_use]
    pub fn at_rate(&self, client: &Client, rate_per_s: Option<Rate>) -> Client {
        let described = self.rate_per_s();
        let wanted = rate_per_s.unwrap_or(described);
        let of = |rate: Rate| rate.scaled(wanted, described);
        let mut client = client.clone();
        client.rate_per_s = of(client.rate_per_s);
        if let Some(burst) = &mut client.burst {
            burst.rate_per_s = of(burst.rate_per_s);
        }
        client
    }

    /// How many nodes have room for every pod twice: in a rollout the new pods come before the old ones have gone.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        let pods: u32 = self.services.iter().map(|it| it.replicas).sum();
        pods.saturating_mul(2).div_ceil(NODE_PODS).max(1)
    }
}
