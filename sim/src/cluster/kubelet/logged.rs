//! Which process's log the kubelet shows (`pkg/kubelet/kubelet_pods.go` validateContainerLogStatus).
//!
//! It goes by the status that it knows itself, not by the one that the API server has: that one comes later. Nor does
//! it go by what runs: a process that it has not noticed yet is none, and the log is that of the process before.

use super::container::{ContainerRun, Role, State};
use super::pod::Kubelet;

/// Whose lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logged {
    /// Those of the process that was started last, whether it still runs or not.
    Latest,
    /// Those of the process before that one.
    Before,
}

impl ContainerRun {
    /// Whether the kubelet has not noticed yet that a process was started.
    fn has_unseen_start(&self) -> bool {
        let started = self.process || self.exit.is_some();
        started && !matches!(self.state, State::Running { .. })
    }

    /// What is shown of it, of the process before the present one if `previous`; or why nothing is.
    fn logged(&self, pod: &str, previous: bool) -> Result<Logged, String> {
        let name = &self.name;
        let seen_last = if self.has_unseen_start() {
            Logged::Before
        } else {
            Logged::Latest
        };
        match &self.state {
            State::Terminated(_) if previous => Err(not_found(name, pod)),
            _ if previous && self.last.is_none() => Err(not_found(name, pod)),
            State::Running { .. } if previous => Ok(Logged::Before),
            State::Running { .. } => Ok(Logged::Latest),
            State::Waiting { reason, .. } if self.last.is_none() => {
                let why = match *reason {
                    "ErrImagePull" => "image can't be pulled",
                    "ImagePullBackOff" => "trying and failing to pull image",
                    other => other,
                };
                Err(format!(
                    "container \"{name}\" in pod \"{pod}\" is waiting to start: {why}"
                ))
            }
            State::Waiting { .. } | State::Terminated(_) => Ok(seen_last),
        }
    }
}

fn not_found(container: &str, pod: &str) -> String {
    format!("previous terminated container \"{container}\" in pod \"{pod}\" not found")
}

impl Kubelet {
    /// The containers of the pod with this UID, without those that run before the others, and whose lines are shown of
    /// each. One whose log can't be read is left out.
    pub(crate) fn shown(&self, uid: &str) -> Vec<(&str, Logged)> {
        let of_pod = self.pods.values().filter(|run| run.uid == uid);
        let containers = of_pod.flat_map(|run| run.containers.iter());
        containers
            .filter(|it| it.role == Role::Main)
            .filter_map(|it| Some((it.name.as_str(), it.logged("", false).ok()?)))
            .collect()
    }

    /// Whose lines are shown of a container of the pod with this UID, or of its previous process if `previous`.
    ///
    /// # Errors
    /// The kubelet's own words, which the API server passes on with 400.
    pub(crate) fn logged(
        &self,
        uid: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<Logged, String> {
        let mut runs = self.pods.values();
        let Some(run) = runs.find(|run| run.uid == uid) else {
            return Err(format!("pod \"{pod}\" not found"));
        };
        let mut containers = run.containers.iter();
        match containers.find(|it| it.name == container) {
            Some(container) => container.logged(pod, previous),
            None => Err(format!(
                "container \"{container}\" in pod \"{pod}\" is not available"
            )),
        }
    }
}
