//! The pod's worker: it takes a pod up, and starts its containers one after another in their order
//! (`pkg/kubelet/pod_workers.go`, `kuberuntime_manager.go` SyncPod and computePodActions).
//!
//! While it is busy with one container it takes no notice of the others: they wait for it, and so does the status.

use super::container::{ContainerRef, Role, State};
use super::pod::PodRun;
use crate::cluster::due_items::{Item, PodStep, Step};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{self, text};
use crate::time::Micros;
use crate::workload::Workload;

impl PodRun {
    /// The containers whose turn has come: the first init container that has not been started, if those before it are
    /// done, and all others after the last one.
    fn due(&self) -> Vec<u16> {
        let inits = self.placed().filter(|(_, c)| c.role != Role::Main);
        for (place, init) in inits {
            if !init.initialized {
                return if init.asked { vec![] } else { vec![place] };
            }
        }
        self.placed()
            .filter(|(_, c)| c.role == Role::Main && !c.asked)
            .map(|(place, _)| place)
            .collect()
    }
}

impl Cluster {
    /// Compares a pod in the store with what runs.
    pub(crate) fn kubelet_sync(&mut self, key: &str, workload: &mut dyn Workload) {
        let known = self.kubelet.by_key.get(key).copied();
        let pod = self.get(Kind::Pod, key);
        match (pod, known) {
            (None, None) => {}
            (None, Some(id)) => {
                // Deleted with no grace: the processes go all the same.
                self.begin_termination(id, Micros::ZERO, workload);
            }
            (Some(pod), None) => {
                let v = &pod.value;
                if text(v, &["spec", "nodeName"]).is_empty() {
                    return;
                }
                self.kubelet.admitted += 1;
                let id = self.kubelet.admitted;
                let (namespace, own) = (value::namespace(v), value::label(v, "app"));
                let app = workload.service_label(namespace, value::workload_of(v), own);
                self.kubelet
                    .pods
                    .insert(id, PodRun::new(self.now, key, v, app));
                self.kubelet.by_key.insert(key.to_owned(), id);
                if value::deleting(v) {
                    self.begin_termination(id, Micros::ZERO, workload);
                    return;
                }
                self.mark_status(ContainerRef { pod: id, place: 0 });
                let app = value::label(v, "app");
                let sandbox = self.timings.draw_sandbox(app, &mut self.rng.kubelet);
                self.pod_step_after(id, sandbox, PodStep::Sandbox);
            }
            (Some(pod), Some(id)) => {
                let run = self.kubelet.pods.get(&id);
                let terminating = run.is_some_and(|r| r.terminating);
                let is_another = run.is_some_and(|r| r.uid != value::uid(&pod.value));
                if is_another {
                    // Deleted with no grace, and its name was taken at once: the other one starts when it is gone.
                    if !terminating {
                        self.begin_termination(id, Micros::ZERO, workload);
                    }
                } else if value::deleting(&pod.value) && !terminating {
                    let grace_s =
                        value::int(&pod.value, &["metadata", "deletionGracePeriodSeconds"])
                            .unwrap_or(0);
                    let grace = Micros::from_secs(u64::try_from(grace_s).unwrap_or(0));
                    self.begin_termination(id, grace, workload);
                }
            }
        }
    }

    /// Puts a step of a pod on the event queue, valid in its present epoch.
    pub(super) fn pod_step_after(&mut self, id: u32, delay: Micros, step: PodStep) {
        if let Some(run) = self.kubelet.pods.get(&id) {
            let item = Item::Pod {
                pod: id,
                epoch: run.epoch,
                step,
            };
            self.event_queue.push(self.now + delay, item);
        }
    }

    /// Puts a step of a container on the event queue, valid in its present epoch.
    pub(super) fn step_after(&mut self, of: ContainerRef, delay: Micros, step: Step) {
        if let Some(container) = self.kubelet.container(of) {
            let item = Item::Container {
                container: of,
                epoch: container.epoch,
                step,
            };
            self.event_queue.push(self.now + delay, item);
        }
    }

    /// The same at the next look at the node's containers, which is when the kubelet notices what has happened to them
    /// (`pkg/kubelet/pleg/generic.go`). So what follows from one pod's start begins in step with these looks.
    pub(super) fn step_at_next_look(&mut self, of: ContainerRef, step: Step) {
        let Some(run) = self.kubelet.pods.get(&of.pod) else {
            return;
        };
        let next = self.look_from(&run.node, self.now);
        let look = self.timings.look.draw(self.rng.of(of));
        self.step_after(of, next - self.now + look, step);
    }

    pub(crate) fn pod_step(&mut self, id: u32, epoch: u32, step: PodStep) {
        if step == PodStep::Status {
            return self.write_status(id);
        }
        if self.kubelet.pods.get(&id).is_none_or(|r| r.epoch != epoch) {
            return;
        }
        match step {
            PodStep::Sandbox => {
                let ip = self.kubelet.next_ip();
                if let Some(run) = self.kubelet.pods.get_mut(&id) {
                    run.ip = ip;
                }
                self.start_what_is_due(id);
            }
            PodStep::Removed => self.removed(id),
            PodStep::Sync => self.sync(id),
            PodStep::Status => {}
        }
    }

    pub(crate) fn container_step(
        &mut self,
        of: ContainerRef,
        epoch: u32,
        step: Step,
        workload: &mut dyn Workload,
    ) {
        if self.kubelet.container(of).is_none_or(|c| c.epoch != epoch) {
            return;
        }
        let noticed = matches!(step, Step::Observed | Step::ExitObserved | Step::Restart(_));
        if noticed && self.is_busy(of.pod) {
            if let Some(run) = self.kubelet.pods.get_mut(&of.pod) {
                run.unseen.push((of.place, epoch, step));
            }
            return;
        }
        match step {
            Step::PullFailed => self.pull_failed(of),
            Step::Retry => self.try_again(of),
            Step::Start => self.start_container(of, workload),
            Step::Observed => self.observe_start(of),
            Step::Exit(code) => self.container_exits(of, code, workload),
            Step::ExitObserved => self.observe_exit(of, workload),
            Step::Probe(kind) => self.probe(of, kind, workload),
            Step::Restart(kind) => self.kill_to_restart(of, kind, workload),
            Step::HookDone => self.hook_done(of, workload),
            Step::TurnOver => self.turn_over(of, workload),
            Step::Stopped => self.stopped(of, workload),
        }
    }

    /// Whether the pod's worker starts or stops a container just now.
    pub(super) fn is_busy(&self, id: u32) -> bool {
        let run = self.kubelet.pods.get(&id);
        run.is_some_and(|r| r.working_on.is_some())
    }

    /// Starts the containers whose turn has come.
    pub(super) fn start_what_is_due(&mut self, id: u32) {
        let due = self.kubelet.pods.get(&id).map_or(vec![], PodRun::due);
        for place in due {
            let of = ContainerRef { pod: id, place };
            if let Some(container) = self.kubelet.container_mut(of) {
                container.asked = true;
            }
            self.ask_to_start(of);
        }
    }

    /// The worker tries again to start a container. It computes the pod's status first, as whenever it takes a pod up
    /// (`kubelet.go` SyncPod).
    fn try_again(&mut self, of: ContainerRef) {
        if !self.is_busy(of.pod) {
            self.synced(of.pod);
        }
        self.ask_to_start(of);
    }

    /// Starts a container now, or when the worker has done with those before it.
    pub(super) fn ask_to_start(&mut self, of: ContainerRef) {
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        if run.working_on.is_some() {
            if !run.queue.contains(&of.place) {
                run.queue.push_back(of.place);
            }
            return;
        }
        run.working_on = Some(of.place);
        self.try_start(of);
    }

    /// The worker has done with a container: it goes on to the next one, and then takes notice of what has happened
    /// meanwhile.
    pub(super) fn go_on(&mut self, id: u32) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        run.working_on = None;
        if let Some(place) = run.queue.pop_front() {
            return self.ask_to_start(ContainerRef { pod: id, place });
        }
        run.synced = self.now;
        let news = std::mem::take(&mut run.news);
        for (place, epoch, step) in std::mem::take(&mut run.unseen) {
            let item = Item::Container {
                container: ContainerRef { pod: id, place },
                epoch,
                step,
            };
            self.event_queue.push(self.now, item);
        }
        if news {
            self.sync_soon(id);
        }
    }

    /// Whether an init container has failed for good, or all containers have ended for good: the pod is over.
    pub(super) fn is_over(&self, id: u32) -> bool {
        let Some(run) = self.kubelet.pods.get(&id) else {
            return false;
        };
        let failed = run.containers.iter().any(|c| {
            let ended = matches!(&c.state, State::Terminated(exit) if exit.code != 0);
            c.role == Role::Init && ended && !c.restarting
        });
        failed || run.mains_are_done()
    }
}
