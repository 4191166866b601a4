//! When a pod's worker computes the pod's status, and what that asks of readiness probes.
//!
//! A worker takes a pod up when there is news of it: a container has started or ended (`pkg/kubelet/pleg/generic.go`),
//! the result of a probe has changed (`kubelet.go` syncLoopIteration, handleProbeSync), or the pod's labels or
//! annotations have. It takes no notice before the node's containers were looked at once more than when it last had
//! done with the pod (`pod_workers.go` podWorkerLoop, which waits for `podCache.GetNewerThan`). Without news it takes
//! the pod up again after `syncFrequency` (`pod_workers.go` completeWork).
//!
//! Whenever it computes the status, it has each container asked at once that runs, has started and is not ready
//! (`prober/prober_manager.go` UpdatePodStatus). So a new container is asked at the look that finds it, and once more
//! at the next look, as its probe's worker takes it up with the result that it has failed, which is news.

use super::container::ContainerRef;
use super::pod::PodRun;
use crate::cluster::due_items::{PodStep, ProbeKind};
use crate::cluster::machine::Cluster;
use crate::time::Micros;

/// The clock at whose ticks the kubelet finds out which pods are due without news (`kubelet.go` syncLoop).
const TICK: Micros = Micros::from_secs(1);

impl PodRun {
    /// The containers that are not ready and have a readiness probe, if `probed`, or have none.
    fn unready(&self, probed: bool) -> Vec<u16> {
        self.placed()
            .filter(|(_, c)| c.is_unready() && c.has_probe(ProbeKind::Readiness) == probed)
            .map(|(place, _)| place)
            .collect()
    }
}

impl Cluster {
    /// The first look at the containers of a node at or after `from`.
    pub(super) fn look_from(&self, node: &str, from: Micros) -> Micros {
        let phase = self.kubelet.looks.get(node).copied().unwrap_or_default();
        let period = self.timings.relist.0;
        let wait = (phase.0 + period - from.0 % period) % period;
        from + Micros(wait)
    }

    /// The labels or annotations of a pod have changed.
    pub(crate) fn pod_changed(&mut self, key: &str) {
        if let Some(id) = self.kubelet.by_key.get(key).copied() {
            self.sync_soon(id);
        }
    }

    /// There is news of a pod: its worker takes it up as soon as there was a look since it last had done with it.
    pub(super) fn sync_soon(&mut self, id: u32) {
        let now = self.now;
        let Some(run) = self.kubelet.pods.get(&id) else {
            return;
        };
        if run.terminating || run.finishing || run.sync_at.is_some() {
            return;
        }
        let look = self.look_from(&run.node, run.synced + Micros(1));
        // A look takes the same always (`Timings::look`).
        let seen = look + Micros(self.timings.look.median());
        let at = seen.max(now);
        if let Some(run) = self.kubelet.pods.get_mut(&id) {
            run.sync_at = Some(at);
        }
        self.pod_step_after(id, at - now, PodStep::Sync);
    }

    /// The worker's turn may have come to take a pod up.
    pub(super) fn sync(&mut self, id: u32) {
        let (now, busy) = (self.now, self.is_busy(id));
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        let is_due = |at: Option<Micros>| at.is_some_and(|at| at <= now);
        if !is_due(run.sync_at) && !is_due(run.resync_at) {
            return;
        }
        if busy {
            run.sync_at = None;
            run.resync_at = None;
            run.news = true;
            return;
        }
        self.synced(id);
    }

    /// The worker computes a pod's status.
    pub(super) fn synced(&mut self, id: u32) {
        let now = self.now;
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        if run.terminating || run.finishing {
            return;
        }
        run.synced = now;
        run.sync_at = None;
        run.resync_at = None;
        let (asked, unasked) = (run.unready(true), run.unready(false));
        for place in unasked {
            let of = ContainerRef { pod: id, place };
            if let Some(container) = self.kubelet.container_mut(of) {
                container.ready = true;
            }
            self.mark_status(of);
        }
        if asked.is_empty() {
            return;
        }
        for place in asked {
            self.ask_readiness(ContainerRef { pod: id, place });
        }
        // Of pods whose containers are ready nothing would come of it.
        let frequency = self.timings.sync_frequency.0;
        let wait = self.rng.resyncs.between(frequency, frequency * 3 / 2);
        let at = Micros((now.0 + wait).next_multiple_of(TICK.0));
        if let Some(run) = self.kubelet.pods.get_mut(&id) {
            run.resync_at = Some(at);
        }
        self.pod_step_after(id, at - now, PodStep::Sync);
    }
}
