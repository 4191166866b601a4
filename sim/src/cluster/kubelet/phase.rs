//! A pod's phase (`pkg/kubelet/kubelet_pods.go` getPhase).

use super::container::{ContainerRun, Role, State};
use super::pod::PodRun;

/// How many containers are in each state.
#[derive(Debug, Default)]
struct Counts {
    /// Init containers that the pod waits for.
    initializing: u32,
    /// Init containers that have failed.
    failed: u32,
    /// Sidecars that the pod waits for.
    starting: u32,
    /// The rest is about the other containers and the sidecars.
    running: u32,
    waiting: u32,
    stopped: u32,
    succeeded: u32,
}

impl Counts {
    fn count(&mut self, container: &ContainerRun) {
        let ran = container.last.as_ref();
        match (container.role, &container.state) {
            (Role::Init, State::Running { .. }) => self.initializing += 1,
            (Role::Init, State::Terminated(exit)) => self.failed += u32::from(exit.code != 0),
            (Role::Init, State::Waiting { .. }) => match ran {
                Some(exit) => self.failed += u32::from(exit.code != 0),
                None => self.initializing += 1,
            },
            (Role::Sidecar, State::Running { .. }) => {
                self.starting += u32::from(!container.started);
                self.running += 1;
            }
            (Role::Sidecar, State::Waiting { .. }) if ran.is_none() => {
                self.starting += 1;
                self.waiting += 1;
            }
            (Role::Sidecar, _) => {}
            (Role::Main, State::Running { .. }) => self.running += 1,
            (Role::Main, State::Terminated(exit)) => {
                self.stopped += 1;
                self.succeeded += u32::from(exit.code == 0);
            }
            (Role::Main, State::Waiting { .. }) if ran.is_none() => self.waiting += 1,
            (Role::Main, State::Waiting { .. }) => self.stopped += 1,
        }
    }
}

impl PodRun {
    /// Whether a container that is no init container has ever run, as the status shows it
    /// (HasAnyRegularContainerStarted).
    pub(super) fn has_begun(&self) -> bool {
        self.mains()
            .any(|c| !matches!(c.state, State::Waiting { .. }))
    }

    pub(super) fn phase(&self) -> &'static str {
        let mut counts = Counts::default();
        for container in &self.containers {
            counts.count(container);
        }
        let ended = |c: &ContainerRun| matches!(c.state, State::Terminated(_));
        let terminal = self.terminating && self.mains().all(|c| ended(c) || c.starts == 0);
        let policy = self.restart_policy.as_str();
        let initializing = counts.initializing > 0 || counts.starting > 0 && !self.has_begun();
        if counts.failed > 0 && policy == "Never" {
            "Failed"
        } else if initializing || counts.waiting > 0 {
            "Pending"
        } else if counts.running > 0 {
            "Running"
        } else if counts.stopped == 0 {
            "Pending"
        } else if !terminal && !matches!(policy, "OnFailure" | "Never") {
            // All of them are started again.
            "Running"
        } else if counts.stopped == counts.succeeded {
            "Succeeded"
        } else if terminal || policy == "Never" {
            "Failed"
        } else {
            "Running"
        }
    }
}
