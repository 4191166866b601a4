//! How long the control plane takes: every latency in one place.
//!
//! Ranges in microseconds, both ends included. First values: API calls take single-digit
//! milliseconds, three replicas roll out in 2 to 3 s on kind with images present.

use crate::rng::Rng;
use crate::time::Micros;

/// A range of microseconds to draw from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Shortest, µs.
    pub min_us: u64,
    /// Longest, µs.
    pub max_us: u64,
}

impl Range {
    /// A range in milliseconds.
    #[must_use]
    pub const fn millis(min: u64, max: u64) -> Self {
        Self {
            min_us: min * 1_000,
            max_us: max * 1_000,
        }
    }

    /// One value of the range.
    pub fn draw(self, rng: &mut Rng) -> Micros {
        Micros(rng.between(self.min_us, self.max_us))
    }
}

/// Latencies of every component.
#[derive(Clone, Debug)]
pub struct Timings {
    /// From a write to a controller's cache.
    pub watch_lag: Range,
    /// From the cache to the end of a controller's sync (queue, work and write).
    pub sync: Range,
    /// One scheduling cycle with its binding.
    pub schedule: Range,
    /// Retry of an unschedulable pod.
    pub schedule_retry: Range,
    /// The kubelet sees a pod that was bound to it or marked for deletion.
    pub kubelet_observe: Range,
    /// Sandbox, network and volumes.
    pub sandbox: Range,
    /// Creating and starting a container whose image is present.
    pub container_start: Range,
    /// A pull that fails.
    pub pull_failure: Range,
    /// From a container's change of state to the kubelet's next look at it (PLEG).
    pub container_observe: Range,
    /// From the kubelet's decision to the status in the store.
    pub status_write: Range,
    /// The pod worker's wait before it tries again (`backOffPeriod` with jitter).
    pub pod_retry: Range,
    /// From the last process's end to the deletion of the pod.
    pub teardown: Range,
    /// kube-proxy writes its rules.
    pub proxy_program: Range,
    /// kube-proxy's shortest pause between two runs (`minSyncPeriod`).
    pub proxy_min_sync: Micros,
    /// From a ConfigMap's write to the workload that watches it.
    pub config_lag: Range,
    /// Garbage collection of one owner's dependents.
    pub garbage: Range,
    /// First back-off of a crash loop or a failing pull; doubles up to [`Self::back_off_max`].
    pub back_off: Micros,
    /// Longest back-off.
    pub back_off_max: Micros,
    /// How far the watch log reaches back (etcd compaction interval).
    pub watch_log: Micros,
    /// Pause between two bookmarks of a watch.
    pub bookmark: Micros,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            watch_lag: Range::millis(1, 10),
            sync: Range::millis(2, 8),
            schedule: Range::millis(3, 12),
            schedule_retry: Range::millis(1_000, 10_000),
            kubelet_observe: Range::millis(5, 25),
            sandbox: Range::millis(300, 500),
            container_start: Range::millis(100, 200),
            pull_failure: Range::millis(400, 1_500),
            container_observe: Range::millis(150, 450),
            status_write: Range::millis(3, 12),
            pod_retry: Range::millis(10_000, 15_000),
            teardown: Range::millis(60, 250),
            proxy_program: Range::millis(20, 120),
            proxy_min_sync: Micros::from_secs(1),
            config_lag: Range::millis(1, 10),
            garbage: Range::millis(10, 60),
            back_off: Micros::from_secs(10),
            back_off_max: Micros::from_secs(300),
            watch_log: Micros::from_secs(300),
            bookmark: Micros::from_secs(60),
        }
    }
}
