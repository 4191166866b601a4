//! What `cargo xtask kind calibrate` measured on a real cluster, and how the simulation draws from it.
//!
//! `data/timings.toml` is the record of the cluster: each quantity with the number of its samples and its quantiles
//! in µs. [`Measured`] is its form; a key that is missing or unknown is an error. An application may have a record
//! of its own, which is read with [`read`] and written with [`to_text`]. Draws are by the inverse of the
//! distribution function, linear between two points and in integers: the same on every machine.

use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::time::Micros;

/// The record that this build carries.
const BUILT_IN: &str = include_str!("../data/timings.toml");
/// What a file says before anything else, but for where the quantities are explained.
const HEADER: &str = "\
# What the simulation's timings are drawn from. Written by `cargo xtask kind calibrate`; don't edit it by hand.
# `n`: how many samples. `us`: min, p1, p5, p10, p25, p50, p75, p90, p95, p99, max, in microseconds (the ages and sizes
# too). What each quantity means stands beside its field in ";
/// The points of a distribution, in millionths of the samples: min, p1, p5, p10, p25, p50, p75, p90, p95, p99, max.
pub const POINTS: [u64; 11] = [
    0, 10_000, 50_000, 100_000, 250_000, 500_000, 750_000, 900_000, 950_000, 990_000, WHOLE,
];
/// All samples.
const WHOLE: u64 = 1_000_000;

/// How long something takes: its quantiles at [`POINTS`], in µs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distribution {
    us: [u64; POINTS.len()],
}

impl Distribution {
    /// Always the same, in µs.
    #[must_use]
    pub const fn fixed(us: u64) -> Self {
        Self {
            us: [us; POINTS.len()],
        }
    }

    /// Evenly between two values in µs, both included; `min` must not exceed `max`.
    #[must_use]
    pub const fn between(min: u64, max: u64) -> Self {
        let mut us = [0; POINTS.len()];
        let mut i = 0;
        while i < us.len() {
            us[i] = min + (max - min) * POINTS[i] / WHOLE;
            i += 1;
        }
        Self { us }
    }

    /// The same in ms.
    #[must_use]
    pub const fn millis(min: u64, max: u64) -> Self {
        Self::between(min * 1_000, max * 1_000)
    }

    /// Of samples in µs, in any order; `None` if there are none.
    #[must_use]
    pub fn of(samples: &[u64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)? as u64;
        let us = POINTS.map(|point| {
            // Linear between the two nearest samples.
            let (at, rest) = (last * point / WHOLE, last * point % WHOLE);
            let low = sorted[at as usize];
            let high = sorted[(at + 1).min(last) as usize];
            low + (high - low) * rest / WHOLE
        });
        Some(Self { us })
    }

    /// The value below which `millionths` of the samples lie, in µs.
    #[must_use]
    pub fn quantile(self, millionths: u64) -> u64 {
        let millionths = millionths.min(WHOLE);
        let above = POINTS.partition_point(|point| *point < millionths).max(1);
        let (from, to) = (POINTS[above - 1], POINTS[above]);
        let (low, high) = (self.us[above - 1], self.us[above]);
        low + (high - low) * (millionths - from) / (to - from)
    }

    /// The median, in µs.
    #[must_use]
    pub fn median(self) -> u64 {
        self.us[5]
    }

    /// The shortest and the longest, in µs.
    #[must_use]
    pub fn ends(self) -> (u64, u64) {
        (self.us[0], self.us[POINTS.len() - 1])
    }

    /// Shorter by `us` at every point, but never below 0.
    #[must_use]
    pub fn less(self, us: u64) -> Self {
        Self {
            us: self.us.map(|it| it.saturating_sub(us)),
        }
    }

    /// Nowhere below `us`.
    #[must_use]
    pub fn at_least(self, us: u64) -> Self {
        Self {
            us: self.us.map(|it| it.max(us)),
        }
    }

    /// One value.
    pub fn draw(self, rng: &mut Rng) -> Micros {
        Micros(self.quantile(rng.below(WHOLE + 1)))
    }
}

/// A distribution with the number of its samples, as the record holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Plain", into = "Plain")]
pub struct Sampled {
    /// How many samples.
    pub n: u64,
    /// Their distribution.
    pub distribution: Distribution,
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    n: u64,
    us: Vec<u64>,
}

impl TryFrom<Plain> for Sampled {
    type Error = String;

    fn try_from(plain: Plain) -> Result<Self, String> {
        let us: [u64; POINTS.len()] = plain
            .us
            .try_into()
            .map_err(|us: Vec<u64>| format!("{} values in `us`, not {}", us.len(), POINTS.len()))?;
        if plain.n == 0 {
            return Err("`n` is 0: nothing was measured".to_owned());
        }
        if !us.is_sorted() {
            return Err("`us` must not decrease".to_owned());
        }
        Ok(Self {
            n: plain.n,
            distribution: Distribution { us },
        })
    }
}

impl From<Sampled> for Plain {
    fn from(sampled: Sampled) -> Self {
        Self {
            n: sampled.n,
            us: sampled.distribution.us.to_vec(),
        }
    }
}

impl Sampled {
    /// Of samples in µs; `None` if there are none.
    #[must_use]
    pub fn of(samples: &[u64]) -> Option<Self> {
        Some(Self {
            n: samples.len() as u64,
            distribution: Distribution::of(samples)?,
        })
    }
}

/// How long something takes by how much there is of it: in `size` order, at least one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<OfSize>", into = "Vec<OfSize>")]
pub struct BySize(Vec<OfSize>);

/// One size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfSize {
    /// Bytes or rows.
    pub size: u64,
    /// How long it took.
    pub took: Sampled,
}

impl TryFrom<Vec<OfSize>> for BySize {
    type Error = String;

    fn try_from(sizes: Vec<OfSize>) -> Result<Self, String> {
        if sizes.is_empty() {
            return Err("no size was measured".to_owned());
        }
        if !sizes.is_sorted_by(|a, b| a.size < b.size) {
            return Err("sizes must increase".to_owned());
        }
        Ok(Self(sizes))
    }
}

impl From<BySize> for Vec<OfSize> {
    fn from(by_size: BySize) -> Self {
        by_size.0
    }
}

impl BySize {
    /// One value for `size`: the same quantile of the two nearest sizes, linear between them, and beyond the largest as
    /// from the one before it.
    pub fn draw(&self, size: u64, rng: &mut Rng) -> Micros {
        let millionths = rng.below(WHOLE + 1);
        let at = |i: usize| {
            let it = &self.0[i];
            (it.size, it.took.distribution.quantile(millionths))
        };
        let above = self.0.partition_point(|it| it.size < size);
        let last = self.0.len() - 1;
        if above == 0 || last == 0 {
            return Micros(at(0).1);
        }
        let above = above.min(last);
        let ((from, low), (to, high)) = (at(above - 1), at(above));
        // What takes less time although there is more of it is noise.
        let more = high.saturating_sub(low);
        let beyond = u128::from(more) * u128::from(size - from) / u128::from(to - from);
        Micros(low + u64::try_from(beyond).unwrap_or(u64::MAX / 2))
    }

    /// Every size.
    #[must_use]
    pub fn sizes(&self) -> &[OfSize] {
        &self.0
    }
}

/// On what it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Day, `YYYY-MM-DD`.
    pub date: String,
    /// Processors.
    pub cores: u64,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Kernel's release.
    pub kernel: String,
    /// Kubernetes' version.
    pub kubernetes: String,
    /// PostgreSQL's version.
    pub postgresql: String,
    /// Rollouts of each service that were measured.
    pub rounds: u64,
    /// Requests a second that clients sent meanwhile.
    pub load_per_s: u64,
}

/// The API server, seen from this machine with the executor's account: from the request to the whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// One object.
    pub get: Sampled,
    /// All of a kind that a selector names, from a watch cache that is as new as the store.
    pub list: Sampled,
    /// The same from a cache that is not, beyond that: it asks the store how far it has come,
    /// having asked nothing for a while.
    pub notice: Sampled,
    /// From one such answer to the next, if one is waited for without a break.
    pub progress: Sampled,
    /// A small change.
    pub patch: Sampled,
    /// An object replaced.
    pub put: Sampled,
    /// An object created.
    pub post: Sampled,
    /// A lease renewed (read and replaced).
    pub lease: Sampled,
    /// From a write's effect to the watcher.
    pub watch: Sampled,
}

/// Controllers, scheduler and kubelet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pods {
    /// From a Deployment's change to its new ReplicaSet, and from a ReplicaSet's to its new pod.
    pub controller: Sampled,
    /// From a pod's creation to its binding.
    pub schedule: Sampled,
    /// From the pod's binding to the first line: the kubelet, sandbox, network, the pod's volumes, container; the
    /// image is present. Of the exchange's gateways, which have no state.
    pub up: Sampled,
    /// From the process's first line to the status that says so: up to a second until the kubelet looks,
    /// and what it takes then.
    pub observe: Sampled,
    /// From there to the status that says ready.
    pub ready: Sampled,
    /// From the deletion to the process's line about SIGTERM.
    pub signal: Sampled,
    /// From the process's last line to the pod's end.
    pub teardown: Sampled,
    /// From the binding to ready, whole.
    pub whole_start: Sampled,
    /// From the deletion to the pod's end, whole.
    pub whole_end: Sampled,
}

/// How changes reach traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// From a pod's readiness to the EndpointSlice that has it.
    pub endpoint_added: Sampled,
    /// From a pod's deletion to the EndpointSlice that has it no more.
    pub endpoint_removed: Sampled,
    /// From an EndpointSlice's write to the first connection that goes through, kube-proxy idle for a while.
    pub route_added: Sampled,
    /// From an EndpointSlice's write to the last connection that went through.
    pub route_removed: Sampled,
}

/// Prometheus, seen from this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// An instant query over the gateways' requests, as the runbook makes it.
    pub query: Sampled,
    /// How old the newest sample of a target is.
    pub scrape_age: Sampled,
}

/// The server of a data store, seen from this machine through the executor's port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// A connection and one statement.
    pub statement: Sampled,
}

/// The whole record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// On what.
    pub machine: Machine,
    /// API server.
    pub api: Api,
    /// Pods.
    pub pods: Pods,
    /// Traffic.
    pub traffic: Traffic,
    /// Prometheus.
    pub monitoring: Monitoring,
    /// Data store.
    pub store: Store,
}

/// Reads a record.
///
/// # Errors
/// Where it is malformed, and what is missing, unknown or out of order.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

/// A record as a file, with what its reader must know. `explained` is the source file that says what the quantities
/// mean.
///
/// # Errors
/// It can't be written as TOML.
pub fn to_text<T: Serialize>(record: &T, explained: &str) -> Result<String, String> {
    let body = toml::to_string(record).map_err(|error| error.to_string())?;
    Ok(format!("{HEADER}`{explained}`.\n\n{body}"))
}

impl Measured {
    /// The record that this build carries.
    ///
    /// # Panics
    /// It is malformed, which a test of this crate finds first.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static MEASURED: LazyLock<Measured> = LazyLock::new(|| match read(BUILT_IN) {
            Ok(measured) => measured,
            Err(error) => panic!("sim/data/timings.toml: {error}"),
        });
        &MEASURED
    }
}

#[cfg(test)]
mod tests;
