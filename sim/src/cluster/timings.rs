//! How long the control plane takes: every latency in one place.
//!
//! What a cluster shows from outside is drawn from what was measured there ([`crate::measured`]). The rest stands here
//! as constants with where they come from.

use std::collections::BTreeMap;

use crate::measured::{Distribution, Measured};
use crate::rng::Rng;
use crate::time::Micros;

/// Latencies of every component.
#[derive(Clone, Debug)]
pub struct Timings {
    /// From a write to what a controller made of it: its watch, its queue, its work and its own write.
    pub controller: Distribution,
    /// From a pod's creation to its binding.
    pub schedule: Distribution,
    /// Retry of an unschedulable pod.
    pub schedule_retry: Distribution,
    /// From a pod's deletion to the kubelet's first act.
    pub kubelet: Distribution,
    /// From a pod's binding: the kubelet's first act, sandbox, network and volumes.
    pub sandbox: Distribution,
    /// The same of pods with other volumes, by their label `app`.
    pub sandbox_of: BTreeMap<String, Distribution>,
    /// Creating and starting a container whose image is present.
    pub container_start: Distribution,
    /// A registry's answer to a question for an image: its manifest, or that there is none.
    pub registry: Distribution,
    /// From one of the kubelet's looks at all containers to the next (PLEG):
    /// what has changed is noticed then and not before.
    pub relist: Micros,
    /// From such a look to the decision that follows from what it found.
    pub look: Distribution,
    /// From the status that says running to the readiness probe that it sets off.
    pub first_probe: Distribution,
    /// From the kubelet's decision to the status in the store.
    pub status_write: Distribution,
    /// The kubelet's `syncFrequency`: a pod's worker takes it up again so long after it last did, or up to half as
    /// long again.
    pub sync_frequency: Micros,
    /// The pod worker's wait before it tries again (`backOffPeriod` with jitter).
    pub pod_retry: Distribution,
    /// From the last process's end to the deletion of the pod.
    pub teardown: Distribution,
    /// From a pod's change to its EndpointSlice.
    pub endpoints: Distribution,
    /// From an EndpointSlice's write to rules that route accordingly, kube-proxy idle before.
    pub proxy: Distribution,
    /// kube-proxy's shortest pause between two runs (`minSyncPeriod`).
    pub proxy_min_sync: Micros,
    /// From a ConfigMap's write to the workload that watches it; what its pods take is the workload's.
    pub config_lag: Distribution,
    /// Garbage collection of one owner's dependents.
    pub garbage: Distribution,
    /// First back-off of a crash loop or a failing pull; doubles up to [`Self::back_off_max`].
    pub back_off: Micros,
    /// Longest back-off.
    pub back_off_max: Micros,
    /// How far the watch log reaches back (etcd compaction interval).
    pub watch_log: Micros,
    /// Pause between two bookmarks of a watch.
    pub bookmark: Micros,
    /// From a watch cache's request for progress to the store's notice.
    pub notice: Distribution,
    /// Shortest pause between two such requests for one kind.
    pub notice_period: Micros,
    /// Periods of what the control plane writes besides what the simulation's store holds.
    pub background: Vec<Micros>,
}

/// Of a pod's start, the container's share: what a restart in place takes. Only the whole start can be seen from
/// outside, so it is a constant (containerd creates and starts a container in 100 to 200 ms).
const CONTAINER_START_US: u64 = 150_000;

/// `genericPlegRelistPeriod` (`pkg/kubelet/kubelet.go`): a second from the end of one look to the beginning of the
/// next, which takes some milliseconds.
const RELIST: Micros = Micros(1_005_000);

/// What a control plane of one node writes by itself, whatever happens.
const BACKGROUND: [Micros; 5] = [
    // kube-scheduler and kube-controller-manager renew their Leases (`leaderElection.retryPeriod`),
    Micros::from_secs(2),
    Micros::from_secs(2),
    // the kubelet its node's (a quarter of `nodeLeaseDurationSeconds`),
    Micros::from_secs(10),
    // the API server its identity's (`IdentityLeaseRenewIntervalPeriod`)
    Micros::from_secs(10),
    // and its address (`DefaultEndpointReconcilerInterval`).
    Micros::from_secs(10),
];

impl Timings {
    /// What was measured, with constants for what can't be.
    #[must_use]
    pub fn measured(measured: &Measured) -> Self {
        let pods = &measured.pods;
        let traffic = &measured.traffic;
        let status_write = Distribution::millis(3, 12);
        Self {
            controller: pods.controller.distribution,
            schedule: pods.schedule.distribution,
            // `podInitialBackoffSeconds` and `podMaxBackoffSeconds`.
            schedule_retry: Distribution::millis(1_000, 10_000),
            kubelet: pods.signal.distribution,
            sandbox: Self::sandbox_of_start(pods.up.distribution),
            sandbox_of: BTreeMap::new(),
            container_start: Distribution::fixed(CONTAINER_START_US),
            // Only pulls wait for it, and a calibrated cluster has none: a public registry's answer to a manifest.
            registry: Distribution::millis(400, 1_500),
            relist: RELIST,
            // A container that starts just before a look is seen the soonest.
            look: Distribution::fixed(pods.observe.distribution.ends().0)
                .less(status_write.median()),
            first_probe: pods.ready.distribution.less(status_write.median()),
            // A status is one PUT of the kubelet's.
            status_write,
            // The default of `KubeletConfiguration`.
            sync_frequency: Micros::from_secs(60),
            pod_retry: Distribution::millis(10_000, 15_000),
            teardown: pods.teardown.distribution,
            endpoints: traffic.endpoint_removed.distribution,
            proxy: traffic.route_removed.distribution,
            proxy_min_sync: Micros::from_secs(1),
            config_lag: measured.api.watch.distribution,
            // Nothing in a drill waits for it.
            garbage: Distribution::millis(10, 60),
            back_off: Micros::from_secs(10),
            back_off_max: Micros::from_secs(300),
            watch_log: Micros::from_secs(300),
            bookmark: Micros::from_secs(60),
            notice: measured.api.notice.distribution,
            notice_period: Micros(measured.api.progress.distribution.median()),
            background: BACKGROUND.to_vec(),
        }
    }

    /// What of the time from a pod's binding to its process's first line passes before its container is created.
    #[must_use]
    pub fn sandbox_of_start(up: Distribution) -> Distribution {
        up.less(CONTAINER_START_US)
    }

    /// Sandbox, network and volumes of a pod with this label `app`.
    pub(crate) fn draw_sandbox(&self, app: &str, rng: &mut Rng) -> Micros {
        self.sandbox_of.get(app).unwrap_or(&self.sandbox).draw(rng)
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self::measured(Measured::built_in())
    }
}
