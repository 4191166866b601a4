//! The end of a container: preStop hook, SIGTERM, grace, SIGKILL; and of a pod.
//!
//! The containers of a pod are stopped side by side, and each has the whole grace period. Sidecars wait for the
//! others to end (`pkg/kubelet/kuberuntime`: `kuberuntime_container.go` killContainer,
//! `kuberuntime_termination_order.go`).

use super::container::{ContainerRef, Exit, Role, State};
use super::pod::PodRun;
use crate::cluster::due_items::{PodStep, ProbeKind, Step, Work};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::DeleteOptions;
use crate::time::Micros;
use crate::workload::Workload;

/// Shortest time between SIGTERM and SIGKILL (`minimumGracePeriodInSeconds`).
const GRACE_MIN: Micros = Micros::from_secs(2);
/// Shortest grace period of a pod that is deleted (`pkg/kubelet/pod_workers.go` calculateEffectiveGracePeriod).
const POD_GRACE_MIN: Micros = Micros::from_secs(1);
/// Exit code of a process that SIGKILL ended.
const KILLED: i32 = 137;

/// How a container is being stopped, until SIGTERM is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    /// What was left of the grace period at `since`.
    grace: Micros,
    /// When what it does now began: the hook, or waiting for its turn.
    since: Micros,
    /// Whether the whole pod goes, so that a sidecar waits for others.
    whole_pod: bool,
    /// Whether it waits for them now.
    waits: bool,
}

impl Kill {
    /// What is left of the grace period. The kubelet counts what has passed in whole seconds.
    fn left(self, now: Micros) -> Micros {
        let passed_s = now.saturating_sub(self.since).0 / 1_000_000;
        self.grace.saturating_sub(Micros::from_secs(passed_s))
    }
}

impl PodRun {
    /// Whether a sidecar may be sent SIGTERM: no container runs any more, nor does the sidecar after it
    /// (newTerminationOrdering).
    fn may_end(&self, place: u16) -> bool {
        let next = self
            .placed()
            .find(|(other, c)| c.role == Role::Sidecar && *other > place);
        self.containers[usize::from(place)].role != Role::Sidecar
            || !(self.mains().any(|c| c.process) || next.is_some_and(|(_, c)| c.process))
    }

    /// Nothing that was to come comes any more.
    fn drop_what_is_planned(&mut self) {
        self.epoch += 1;
        self.working_on = None;
        self.queue.clear();
        self.unseen.clear();
        for container in &mut self.containers {
            container.epoch += 1;
        }
    }
}

impl Cluster {
    /// The pod is being deleted: its containers are stopped now, and the rest follows when all have ended.
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
        run.drop_what_is_planned();
        if !run.has_process() {
            return self.tear_down(id);
        }
        self.kill_all(id, grace.max(POD_GRACE_MIN), workload);
    }

    /// Nothing is left to run in a pod that is not deleted: its sidecars are stopped.
    pub(super) fn finish(&mut self, id: u32, workload: &mut dyn Workload) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        run.finishing = true;
        run.drop_what_is_planned();
        let grace = run.grace;
        self.kill_all(id, grace, workload);
    }

    fn kill_all(&mut self, id: u32, grace: Micros, workload: &mut dyn Workload) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        let running: Vec<(u16, String)> = run
            .placed()
            .filter(|(_, c)| c.process)
            .map(|(place, c)| (place, c.name.clone()))
            .collect();
        for (place, name) in running {
            let of = ContainerRef { pod: id, place };
            let message = format!("Stopping container {name}");
            self.pod_event(id, false, "Killing", &message);
            self.kill(of, grace, true, workload);
            self.ask_while_it_stops(of);
        }
    }

    /// Stops a container: its hook first, which counts against the grace period.
    fn kill(
        &mut self,
        of: ContainerRef,
        grace: Micros,
        whole_pod: bool,
        workload: &mut dyn Workload,
    ) {
        let hook = if grace > Micros::ZERO {
            self.pre_stop(of, workload).min(grace)
        } else {
            Micros::ZERO
        };
        let since = self.now;
        let Some(container) = self.kubelet.container_mut(of) else {
            return;
        };
        container.kill = Some(Kill {
            grace,
            since,
            whole_pod,
            waits: false,
        });
        if hook > Micros::ZERO {
            self.step_after(of, hook, Step::HookDone);
        } else {
            self.wait_for_turn(of, workload);
        }
    }

    pub(super) fn hook_done(&mut self, of: ContainerRef, workload: &mut dyn Workload) {
        let now = self.now;
        let container = self.kubelet.container_mut(of);
        if let Some(kill) = container.and_then(|c| c.kill.as_mut()) {
            kill.grace = kill.left(now);
            kill.since = now;
            self.wait_for_turn(of, workload);
        }
    }

    fn wait_for_turn(&mut self, of: ContainerRef, workload: &mut dyn Workload) {
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let may_end = run.may_end(of.place);
        let container = &mut run.containers[usize::from(of.place)];
        let Some(kill) = container.kill.as_mut() else {
            return;
        };
        if may_end || !kill.whole_pod || kill.grace == Micros::ZERO {
            let grace = kill.grace;
            return self.signal(of, grace, workload);
        }
        kill.waits = true;
        let grace = kill.grace;
        self.step_after(of, grace, Step::TurnOver);
    }

    pub(super) fn turn_over(&mut self, of: ContainerRef, workload: &mut dyn Workload) {
        let now = self.now;
        let kill = self.kubelet.container(of).and_then(|c| c.kill);
        if let Some(kill) = kill.filter(|k| k.waits) {
            self.signal(of, kill.left(now), workload);
        }
    }

    /// A container has ended: whoever waited for it may be next.
    fn take_turns(&mut self, id: u32, workload: &mut dyn Workload) {
        let Some(run) = self.kubelet.pods.get(&id) else {
            return;
        };
        let next: Vec<u16> = run
            .placed()
            .filter(|(place, c)| c.kill.is_some_and(|k| k.waits) && run.may_end(*place))
            .map(|(place, _)| place)
            .collect();
        for place in next {
            self.turn_over(ContainerRef { pod: id, place }, workload);
        }
    }

    /// Sends SIGTERM and puts the end of the process on the event queue.
    fn signal(&mut self, of: ContainerRef, grace: Micros, workload: &mut dyn Workload) {
        let now = self.now;
        let ignores = self.ignores_term(of);
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let grace = grace.max(GRACE_MIN);
        let drain = if ignores {
            Micros(u64::MAX)
        } else {
            workload.terminate(now, run.process(of.place))
        };
        let end = now + drain.min(grace);
        let container = &mut run.containers[usize::from(of.place)];
        container.kill = None;
        container.exit = Some(Exit {
            code: if drain <= grace { 0 } else { KILLED },
            started: container.process_since,
            finished: end,
        });
        self.step_after(of, end - now, Step::Stopped);
    }

    /// A probe has failed for good: the container is stopped, and started again afterwards.
    pub(super) fn kill_to_restart(
        &mut self,
        of: ContainerRef,
        kind: ProbeKind,
        workload: &mut dyn Workload,
    ) {
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        if run.terminating || run.finishing {
            return;
        }
        run.working_on = Some(of.place);
        let pod_grace = run.grace;
        let container = &mut run.containers[usize::from(of.place)];
        let which = match kind {
            ProbeKind::Startup => "startup",
            _ => "liveness",
        };
        let name = &container.name;
        let message = match container.role {
            Role::Sidecar => format!("Init container {name} failed {which} probe"),
            _ => format!("Container {name} failed {which} probe, will be restarted"),
        };
        let probe = container.probes.iter().find(|p| p.kind == kind);
        let grace = probe.and_then(|p| p.grace).unwrap_or(pod_grace);
        container.probes.clear();
        container.epoch += 1;
        self.pod_event(of.pod, false, "Killing", &message);
        self.kill(of, grace, false, workload);
    }

    pub(super) fn stopped(&mut self, of: ContainerRef, workload: &mut dyn Workload) {
        let now = self.now;
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        workload.gone(now, run.process(of.place));
        run.containers[usize::from(of.place)].process = false;
        let all = run.terminating || run.finishing;
        if all && run.has_process() {
            self.refresh_targets();
            return self.take_turns(of.pod, workload);
        }
        if all {
            // The pod's worker waits for all of them, so the status shows their ends at once.
            for container in &mut run.containers {
                let exit = container.exit.take();
                container.clear_process();
                if let Some(exit) = exit {
                    container.state = State::Terminated(exit);
                }
            }
        }
        let terminating = run.terminating;
        self.refresh_targets();
        if all {
            self.mark_status(of);
            if terminating {
                self.tear_down(of.pod);
            }
            return;
        }
        if let Some(run) = self.kubelet.pods.get_mut(&of.pod) {
            run.working_on = None;
        }
        self.observe_exit(of, workload);
        let run = self.kubelet.pods.get(&of.pod);
        if run.is_some_and(|r| r.working_on.is_none()) {
            self.go_on(of.pod);
        }
    }

    fn tear_down(&mut self, id: u32) {
        let teardown = self.timings.teardown.draw(&mut self.rng.kubelet);
        self.pod_step_after(id, teardown, PodStep::Removed);
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
        if self.get(Kind::Pod, &run.key).is_some() {
            // Another pod has its name, as those of StatefulSets do.
            self.enqueue(Work::Pod(run.key));
        }
    }
}
