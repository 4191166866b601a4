//! Start, exit and crash loop of a container.

use super::container::{ContainerRef, Exit, Role, State};
use super::pod::container_spec;
use super::probes::probes_of;
use crate::cluster::due_items::{ProbeKind, Step};
use crate::cluster::machine::Cluster;
use crate::cluster::value;
use crate::cluster::wire::Target;
use crate::workload::{ContainerStart, StartOutcome, Workload};

impl Cluster {
    /// Starts the container unless a crash loop's back-off holds it.
    pub(super) fn try_start(&mut self, of: ContainerRef) {
        let (first, max, now) = (self.timings.back_off, self.timings.back_off_max, self.now);
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let (pod, namespace) = (run.name().to_owned(), value::split_key(&run.key).0);
        let place = usize::from(of.place);
        let container = &mut run.containers[place];
        let Some(finished) = container
            .last
            .as_ref()
            .map(|e| e.finished)
            .filter(|_| container.restarting)
        else {
            return self.ensure_image(of);
        };
        if container.crash_back_off.holds(finished, now, max) {
            let message = format!(
                "back-off {}s restarting failed container={} pod={pod}_{namespace}({})",
                container.crash_back_off.delay().0 / 1_000_000,
                container.name,
                run.uid
            );
            let event = format!(
                "Back-off restarting failed container {} in pod",
                container.name
            );
            container.state = State::Waiting {
                reason: "CrashLoopBackOff",
                message,
            };
            self.mark_status(of);
            self.pod_event(of.pod, true, "BackOff", &event);
            return self.try_again_later(of);
        }
        container.crash_back_off.next(finished, now, first, max);
        container.restarting = false;
        self.ensure_image(of);
    }

    /// The worker gives up on a container for now, and goes on with the others.
    pub(super) fn try_again_later(&mut self, of: ContainerRef) {
        let retry = self.timings.pod_retry.draw(self.rng.of(of));
        self.step_after(of, retry, Step::Retry);
        self.go_on(of.pod);
    }

    pub(super) fn start_container(&mut self, of: ContainerRef, workload: &mut dyn Workload) {
        let Some(pod) = self.pod_object(of.pod) else {
            return;
        };
        let Some(run) = self.kubelet.pods.get(&of.pod) else {
            return;
        };
        let spec = container_spec(&pod.value, run.process(of.place).container);
        let env = match self.environment(&pod.value, spec, &run.ip) {
            Ok(env) => env,
            Err(message) => {
                if let Some(container) = self.kubelet.container_mut(of) {
                    container.state = State::Waiting {
                        reason: "CreateContainerConfigError",
                        message: message.clone(),
                    };
                }
                self.mark_status(of);
                self.pod_event(of.pod, true, "Failed", &format!("Error: {message}"));
                return self.try_again_later(of);
            }
        };
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let container = &mut run.containers[usize::from(of.place)];
        container.process = true;
        container.process_since = self.now;
        container.starts += 1;
        let name = container.name.clone();
        let (image, restart) = (container.image.clone(), container.restarts());
        let start = ContainerStart {
            namespace: value::split_key(&run.key).0.to_owned(),
            pod: run.name().to_owned(),
            uid: run.uid.clone(),
            app: run.app.clone(),
            container: name.clone(),
            image,
            env,
            restart,
        };
        let outcome = workload.start(self.now, &start);
        self.refresh_targets();
        let created = format!("Created container: {name}");
        self.pod_event(of.pod, false, "Created", &created);
        let started = format!("Started container {name}");
        self.pod_event(of.pod, false, "Started", &started);
        self.step_at_next_look(of, Step::Observed);
        if let StartOutcome::Exits { after, code } = outcome {
            self.step_after(of, after, Step::Exit(code));
        }
        self.go_on(of.pod);
    }

    pub(super) fn observe_start(&mut self, of: ContainerRef) {
        self.synced(of.pod);
        let Some(pod) = self.pod_object(of.pod) else {
            return;
        };
        let Some(container) = self.kubelet.container_mut(of) else {
            return;
        };
        if !container.process {
            return;
        }
        container.state = State::Running {
            since: container.process_since,
        };
        container.probes = match container.role {
            Role::Init => vec![],
            Role::Main | Role::Sidecar => {
                probes_of(container_spec(&pod.value, &container.name), container)
            }
        };
        let startup = container.has_probe(ProbeKind::Startup);
        let readiness = container.has_probe(ProbeKind::Readiness);
        container.started = !startup;
        container.ready = container.started && container.role != Role::Init && !readiness;
        self.mark_status(of);
        self.start_probes(of);
        if startup || readiness {
            // Their workers take up the new container with a result, which is news.
            self.sync_soon(of.pod);
        }
        self.sidecar_started(of);
    }

    /// A sidecar that has started lets the next init container start.
    pub(super) fn sidecar_started(&mut self, of: ContainerRef) {
        let Some(container) = self.kubelet.container_mut(of) else {
            return;
        };
        if container.role == Role::Sidecar && container.started && !container.initialized {
            container.initialized = true;
            self.start_what_is_due(of.pod);
        }
    }

    pub(super) fn container_exits(
        &mut self,
        of: ContainerRef,
        code: i32,
        workload: &mut dyn Workload,
    ) {
        let now = self.now;
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let container = &mut run.containers[usize::from(of.place)];
        container.exit = Some(Exit {
            code,
            started: container.process_since,
            finished: now,
        });
        container.process = false;
        // Probes stop; what the status shows changes when the kubelet notices.
        container.probes.clear();
        container.epoch += 1;
        workload.gone(now, run.process(of.place));
        self.refresh_targets();
        self.step_at_next_look(of, Step::ExitObserved);
    }

    /// What follows from a container's end: it is started again, the next one's turn has come, or the pod is over.
    pub(super) fn observe_exit(&mut self, of: ContainerRef, workload: &mut dyn Workload) {
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let container = &mut run.containers[usize::from(of.place)];
        let Some(exit) = container.exit.take() else {
            return;
        };
        self.synced(of.pod);
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let container = &mut run.containers[usize::from(of.place)];
        container.clear_process();
        let again = container.restarts_after(exit.code, &run.restart_policy);
        container.initialized |= container.role == Role::Init && exit.code == 0;
        container.last = Some(exit.clone());
        container.state = State::Terminated(exit);
        container.restarting = again;
        self.mark_status(of);
        if again {
            self.ask_to_start(of);
        } else if self.is_over(of.pod) {
            self.finish(of.pod, workload);
        } else {
            self.start_what_is_due(of.pod);
        }
    }

    /// Publishes the pods that can be scraped.
    pub(super) fn refresh_targets(&mut self) {
        let targets: Vec<Target> = self
            .kubelet
            .pods
            .values()
            .filter(|r| !r.ip.is_empty())
            .map(|r| {
                let (place, port) = r.first_port();
                Target {
                    pod: r.name().to_owned(),
                    namespace: value::split_key(&r.key).0.to_owned(),
                    uid: r.uid.clone(),
                    app: r.app.clone(),
                    ip: r.ip.clone(),
                    port: u16::try_from(port).unwrap_or(80),
                    running: r.containers[usize::from(place)].process,
                }
            })
            .collect();
        if targets != self.targets {
            self.targets = targets;
            self.targets_generation += 1;
        }
    }
}
