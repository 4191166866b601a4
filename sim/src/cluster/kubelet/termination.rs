//! The end of a container: SIGTERM, grace, SIGKILL; and of a pod.

use super::pod::{Exit, State};
use crate::cluster::due_items::{ProbeKind, Step};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::DeleteOptions;
use crate::time::Micros;
use crate::workload::Workload;

/// Shortest time between SIGTERM and SIGKILL.
const GRACE_MIN: Micros = Micros::from_secs(2);
/// Exit code of a process that SIGKILL ended.
const KILLED: i32 = 137;

impl Cluster {
    /// The pod is being deleted: SIGTERM now, and the rest when the process has ended.
    pub(super) fn begin_termination(
        &mut self,
        id: u32,
        grace: Micros,
        workload: &mut dyn Workload,
    ) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        if run.terminating {
            return;
        }
        run.terminating = true;
        run.epoch += 1;
        if !run.process {
            let teardown = self.timings.teardown.draw(&mut self.rng.kubelet);
            self.step_after(id, teardown, Step::Removed);
            return;
        }
        // Readiness is probed on; liveness and startup are not.
        run.probes.retain(|p| p.kind == ProbeKind::Readiness);
        let readiness = !run.probes.is_empty();
        let container = run.container.clone();
        self.pod_event(
            id,
            false,
            "Killing",
            &format!("Stopping container {container}"),
        );
        self.signal(id, grace, workload);
        if readiness {
            self.step_after(id, Micros::ZERO, Step::Probe(ProbeKind::Readiness));
        }
    }

    /// Sends SIGTERM and puts the end of the process on the event queue.
    fn signal(&mut self, id: u32, grace: Micros, workload: &mut dyn Workload) {
        let now = self.now;
        let ignores = self.ignores_term(id);
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        let grace = grace.max(GRACE_MIN);
        let drain = if ignores {
            Micros(u64::MAX)
        } else {
            workload.terminate(now, &run.uid)
        };
        let end = now + drain.min(grace);
        run.exit = Some(Exit {
            code: if drain <= grace { 0 } else { KILLED },
            started: run.process_since,
            finished: end,
        });
        self.step_after(id, end - now, Step::Stopped);
    }

    /// A probe has failed for good: the container is stopped, and started again afterwards.
    pub(super) fn kill_to_restart(
        &mut self,
        id: u32,
        kind: ProbeKind,
        workload: &mut dyn Workload,
    ) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        if run.terminating {
            return;
        }
        let which = match kind {
            ProbeKind::Startup => "startup",
            _ => "liveness",
        };
        let message = format!(
            "Container {} failed {which} probe, will be restarted",
            run.container
        );
        run.probes.clear();
        run.epoch += 1;
        let grace = run.grace;
        self.pod_event(id, false, "Killing", &message);
        self.signal(id, grace, workload);
    }

    pub(super) fn stopped(&mut self, id: u32, workload: &mut dyn Workload) {
        let now = self.now;
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        workload.gone(now, &run.uid);
        run.process = false;
        let terminating = run.terminating;
        if terminating {
            let exit = run.exit.take();
            run.clear_process();
            if let Some(exit) = exit {
                run.state = State::Terminated(exit);
            }
        }
        self.refresh_targets();
        if terminating {
            self.mark_status(id);
            let teardown = self.timings.teardown.draw(&mut self.rng.kubelet);
            self.step_after(id, teardown, Step::Removed);
        } else {
            self.observe_exit(id);
        }
    }

    /// Nothing is left on the node: the kubelet's final delete.
    pub(super) fn removed(&mut self, id: u32) {
        let Some(run) = self.kubelet.pods.remove(&id) else {
            return;
        };
        self.kubelet.by_key.remove(&run.key);
        self.refresh_targets();
        let options = DeleteOptions {
            grace_s: Some(0),
            uid: Some(run.uid),
            ..DeleteOptions::default()
        };
        // It may be gone already, after a delete without grace.
        let _gone = self.delete(Kind::Pod, &run.key, &options);
    }
}
