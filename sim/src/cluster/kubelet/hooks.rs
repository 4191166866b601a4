//! preStop hooks (`pkg/kubelet/lifecycle/handlers.go`, `kuberuntime_container.go` executePreStopHook).

use super::container::{ContainerRef, ContainerRun};
use crate::cluster::json::Value;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{at, int, items, text};
use crate::time::Micros;
use crate::workload::Workload;

/// What runs before SIGTERM.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Hook {
    Sleep(Micros),
    /// GET of this path, at this port if it names one that there is. Any answer will do.
    Http(String, Option<i64>),
    /// The application says how long the command takes.
    Exec(Vec<String>),
    /// Of a kind that no kubelet runs (`tcpSocket`).
    Invalid,
}

impl Hook {
    /// The preStop hook in the spec of `container`.
    pub(super) fn of(spec: &Value, container: &ContainerRun) -> Option<Self> {
        let hook = at(spec, &["lifecycle", "preStop"])?;
        Some(if let Some(command) = hook.get("exec") {
            let words = items(command, &["command"]).iter();
            Self::Exec(
                words
                    .map(|word| word.as_str().unwrap_or("").to_owned())
                    .collect(),
            )
        } else if let Some(get) = hook.get("httpGet") {
            let port = get.get("port").and_then(|port| container.resolve(port));
            Self::Http(text(get, &["path"]).to_owned(), port)
        } else if let Some(sleep) = hook.get("sleep") {
            let seconds = int(sleep, &["seconds"]).unwrap_or(0);
            Self::Sleep(Micros::from_secs(u64::try_from(seconds).unwrap_or(0)))
        } else {
            Self::Invalid
        })
    }
}

impl Cluster {
    /// Runs the preStop hook of a container, if it has one, and says how long that takes.
    pub(super) fn pre_stop(&mut self, of: ContainerRef, workload: &mut dyn Workload) -> Micros {
        let now = self.now;
        let Some(run) = self.kubelet.pods.get(&of.pod) else {
            return Micros::ZERO;
        };
        let failed = match &run.containers[usize::from(of.place)].pre_stop {
            None => false,
            Some(Hook::Sleep(takes)) => return *takes,
            Some(Hook::Exec(command)) => {
                return workload.pre_stop(now, run.process(of.place), command);
            }
            Some(Hook::Http(path, port)) => {
                let port = port.unwrap_or_else(|| run.port_of(of.place));
                let asked = run.listener(port, of.place);
                let listens = run.containers[usize::from(asked)].process;
                let answer = listens.then(|| workload.get(now, run.process(asked), path));
                answer.flatten().is_none()
            }
            Some(Hook::Invalid) => true,
        };
        if failed {
            let message = "PreStopHook failed";
            self.pod_event(of.pod, true, "FailedPreStopHook", message);
        }
        Micros::ZERO
    }
}
