//! Admission, start, exit and crash loop of a pod's container.

use super::pod::{Exit, PodRun, State};
use super::probes::probes_of;
use crate::cluster::due_items::{Item, ProbeKind, Step};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{self, text};
use crate::cluster::wire::Target;
use crate::time::Micros;
use crate::workload::{ContainerStart, StartOutcome, Workload};

impl Cluster {
    /// Compares a pod in the store with what runs.
    pub(crate) fn kubelet_sync(&mut self, key: &str, workload: &mut dyn Workload) {
        let known = self.kubelet.by_key.get(key).copied();
        let pod = self.get(Kind::Pod, key);
        match (pod, known) {
            (None, None) => {}
            (None, Some(id)) => {
                // Deleted with no grace: the process goes all the same.
                self.begin_termination(id, Micros::ZERO, workload);
            }
            (Some(pod), None) => {
                let v = &pod.value;
                if text(v, &["spec", "nodeName"]).is_empty() {
                    return;
                }
                self.kubelet.admitted += 1;
                let id = self.kubelet.admitted;
                self.kubelet.pods.insert(id, PodRun::new(self.now, key, v));
                self.kubelet.by_key.insert(key.to_owned(), id);
                if value::deleting(v) {
                    self.begin_termination(id, Micros::ZERO, workload);
                    return;
                }
                self.mark_status(id);
                let app = value::label(v, "app");
                let sandbox = self.timings.sandbox(app, &mut self.rng.kubelet);
                self.step_after(id, sandbox, Step::Sandbox);
            }
            (Some(pod), Some(id)) => {
                let terminating = self.kubelet.pods.get(&id).is_some_and(|r| r.terminating);
                if value::deleting(&pod.value) && !terminating {
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
    pub(super) fn step_after(&mut self, id: u32, delay: Micros, step: Step) {
        if let Some(run) = self.kubelet.pods.get(&id) {
            let item = Item::Container {
                pod: id,
                epoch: run.epoch,
                step,
            };
            self.event_queue.push(self.now + delay, item);
        }
    }

    /// The same at the next look at the node's containers, which is when the kubelet notices what has happened to them
    /// (`pkg/kubelet/pleg/generic.go`). So what follows from one pod's start begins in step with these looks.
    pub(super) fn step_at_next_look(&mut self, id: u32, step: Step) {
        let Some(run) = self.kubelet.pods.get(&id) else {
            return;
        };
        let phase = self
            .kubelet
            .looks
            .get(&run.node)
            .copied()
            .unwrap_or_default();
        let period = self.timings.relist.0;
        let wait = (phase.0 + period - self.now.0 % period) % period;
        let look = self.timings.look.draw(&mut self.rng.kubelet);
        self.step_after(id, Micros(wait) + look, step);
    }

    pub(crate) fn container_step(
        &mut self,
        id: u32,
        epoch: u32,
        step: Step,
        workload: &mut dyn Workload,
    ) {
        let Some(run) = self.kubelet.pods.get(&id) else {
            return;
        };
        if step == Step::Status {
            return self.write_status(id);
        }
        if run.epoch != epoch {
            return;
        }
        match step {
            Step::Sandbox => {
                let ip = self.kubelet.next_ip();
                if let Some(run) = self.kubelet.pods.get_mut(&id) {
                    run.ip = ip;
                }
                self.ensure_image(id);
            }
            Step::PullFailed => self.pull_failed(id),
            Step::Retry => self.try_start(id),
            Step::Start => self.start_container(id, workload),
            Step::Observed => self.observe_start(id),
            Step::Exit(code) => self.container_exits(id, code, workload),
            Step::ExitObserved => self.observe_exit(id),
            Step::Probe(kind) => self.probe(id, kind, workload),
            Step::Stopped => self.stopped(id, workload),
            Step::Removed => self.removed(id),
            Step::Status => {}
        }
    }

    /// Starts the container unless a crash loop's back-off holds it.
    fn try_start(&mut self, id: u32) {
        let (first, max, now) = (self.timings.back_off, self.timings.back_off_max, self.now);
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        let Some(finished) = run
            .last
            .as_ref()
            .map(|e| e.finished)
            .filter(|_| run.restarting)
        else {
            return self.ensure_image(id);
        };
        if run.crash_back_off.holds(finished, now, max) {
            let message = format!(
                "back-off {}s restarting failed container={} pod={}_{}({})",
                run.crash_back_off.delay().0 / 1_000_000,
                run.container,
                run.name(),
                value::split_key(&run.key).0,
                run.uid
            );
            let event = format!(
                "Back-off restarting failed container {} in pod",
                run.container
            );
            run.state = State::Waiting {
                reason: "CrashLoopBackOff",
                message,
            };
            self.mark_status(id);
            self.pod_event(id, true, "BackOff", &event);
            let retry = self.timings.pod_retry.draw(&mut self.rng.kubelet);
            self.step_after(id, retry, Step::Retry);
            return;
        }
        run.crash_back_off.next(finished, now, first, max);
        run.restarting = false;
        self.ensure_image(id);
    }

    fn start_container(&mut self, id: u32, workload: &mut dyn Workload) {
        let Some(pod) = self.pod_object(id) else {
            return;
        };
        let ip = self.kubelet.pods.get(&id).map_or("", |r| r.ip.as_str());
        let env = match self.environment(&pod.value, ip) {
            Ok(env) => env,
            Err(message) => {
                if let Some(run) = self.kubelet.pods.get_mut(&id) {
                    run.state = State::Waiting {
                        reason: "CreateContainerConfigError",
                        message: message.clone(),
                    };
                }
                self.mark_status(id);
                self.pod_event(id, true, "Failed", &format!("Error: {message}"));
                let retry = self.timings.pod_retry.draw(&mut self.rng.kubelet);
                self.step_after(id, retry, Step::Retry);
                return;
            }
        };
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        run.process = true;
        run.process_since = self.now;
        run.starts += 1;
        let start = ContainerStart {
            namespace: value::split_key(&run.key).0.to_owned(),
            pod: run.name().to_owned(),
            uid: run.uid.clone(),
            app: run.app.clone(),
            image: run.image.clone(),
            env,
            restart: run.restarts(),
        };
        let container = run.container.clone();
        let outcome = workload.start(self.now, &start);
        self.refresh_targets();
        self.pod_event(
            id,
            false,
            "Created",
            &format!("Created container: {container}"),
        );
        self.pod_event(
            id,
            false,
            "Started",
            &format!("Started container {container}"),
        );
        self.step_at_next_look(id, Step::Observed);
        if let StartOutcome::Exits { after, code } = outcome {
            self.step_after(id, after, Step::Exit(code));
        }
    }

    fn observe_start(&mut self, id: u32) {
        let Some(pod) = self.pod_object(id) else {
            return;
        };
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        if !run.process {
            return;
        }
        run.state = State::Running {
            since: run.process_since,
        };
        run.probes = probes_of(&pod.value);
        let has = |kind| run.probes.iter().any(|p| p.kind == kind);
        run.started = !has(ProbeKind::Startup);
        run.ready = run.started && !has(ProbeKind::Readiness);
        self.mark_status(id);
        self.start_probes(id);
    }

    fn container_exits(&mut self, id: u32, code: i32, workload: &mut dyn Workload) {
        let now = self.now;
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        run.exit = Some(Exit {
            code,
            started: run.process_since,
            finished: now,
        });
        run.process = false;
        // Probes stop; what the status shows changes when the kubelet notices.
        run.probes.clear();
        run.epoch += 1;
        workload.gone(now, &run.uid);
        self.refresh_targets();
        self.step_at_next_look(id, Step::ExitObserved);
    }

    pub(super) fn observe_exit(&mut self, id: u32) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        let Some(exit) = run.exit.take() else {
            return;
        };
        run.clear_process();
        let again = run.restarts_after(exit.code);
        run.last = Some(exit.clone());
        run.state = State::Terminated(exit);
        run.restarting = again;
        self.mark_status(id);
        if again {
            self.try_start(id);
        }
    }

    /// Publishes the pods that can be scraped.
    pub(super) fn refresh_targets(&mut self) {
        let targets: Vec<Target> = self
            .kubelet
            .pods
            .values()
            .filter(|r| !r.ip.is_empty())
            .map(|r| Target {
                pod: r.name().to_owned(),
                namespace: value::split_key(&r.key).0.to_owned(),
                uid: r.uid.clone(),
                app: r.app.clone(),
                ip: r.ip.clone(),
                port: u16::try_from(r.port).unwrap_or(80),
                running: r.process,
            })
            .collect();
        if targets != self.targets {
            self.targets = targets;
            self.targets_generation += 1;
        }
    }
}
