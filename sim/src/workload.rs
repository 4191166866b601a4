//! What the simulated kubelet sees of the processes that it runs.
//!
//! The control plane knows pods, probes and signals; what runs inside is the application. This trait is the line
//! between them: the control plane calls it, the application implements it.

use std::collections::BTreeMap;

use crate::time::Micros;

/// A container that the kubelet has just started.
#[derive(Clone, Debug)]
pub struct ContainerStart {
    /// Namespace of the pod.
    pub namespace: String,
    /// Pod name, unique among live pods.
    pub pod: String,
    /// Pod UID, unique for ever.
    pub uid: String,
    /// Which service this is: [`Workload::service_label`].
    pub app: String,
    /// Name of the container, unique in its pod.
    pub container: String,
    /// Image reference, for instance `shop/front:1.4.2`.
    pub image: String,
    /// Plain environment of the container (values from ConfigMaps already resolved).
    pub env: BTreeMap<String, String>,
    /// How often this container was started before in this pod.
    pub restart: u32,
}

impl ContainerStart {
    /// The process that has been started.
    #[must_use]
    pub fn process(&self) -> ProcessId<'_> {
        ProcessId {
            uid: &self.uid,
            container: &self.container,
        }
    }
}

/// Which process: that of a container in a pod. An application whose pods have one container each may go by `uid`
/// alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId<'a> {
    /// UID of the pod.
    pub uid: &'a str,
    /// Name of the container.
    pub container: &'a str,
}

/// What became of a container start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartOutcome {
    /// The process runs. It answers probes from now on (not necessarily with 200).
    Running,
    /// The process exits by itself after `after`, with `code`: it crash-loops.
    Exits {
        /// How long it runs first.
        after: Micros,
        /// Exit code of the process.
        code: i32,
    },
}

/// An HTTP answer of a container, as a probe or the API server's pod proxy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerResponse {
    /// HTTP status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

/// One line that a container wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Micros,
    /// The line, without its newline.
    pub text: String,
}

/// The processes inside the pods.
///
/// Every method first brings the application up to `now`, so callers never need to.
pub trait Workload {
    /// Which service a pod is of, as the label `app` of its series and log lines says it. `workload` is the name of
    /// what made the pod, and `own` is the pod's own label `app`, which may be empty.
    fn service_label(&self, namespace: &str, workload: &str, own: &str) -> String {
        let _ = (namespace, workload);
        own.to_owned()
    }
    /// A container's process starts.
    fn start(&mut self, now: Micros, container: &ContainerStart) -> StartOutcome;
    /// A preStop hook runs this command in the container (`lifecycle.preStop.exec`). Returns how long the command
    /// takes; the kubelet goes on earlier if the grace period ends first.
    fn pre_stop(&mut self, now: Micros, process: ProcessId<'_>, command: &[String]) -> Micros {
        let _ = (now, process, command);
        Micros::ZERO
    }
    /// A probe runs this command in the container (`exec.command`). Returns whether the command ends with code 0.
    fn exec(&mut self, now: Micros, process: ProcessId<'_>, command: &[String]) -> bool {
        let _ = (now, process, command);
        true
    }
    /// SIGTERM. Returns how long the process takes to drain and exit by itself; the kubelet kills it
    /// earlier if the grace period ends first.
    fn terminate(&mut self, now: Micros, process: ProcessId<'_>) -> Micros;
    /// The process is gone: it exited, was killed, or its node died.
    fn gone(&mut self, now: Micros, process: ProcessId<'_>);
    /// CPU that the process uses now, in thousandths of a core. `None`: nothing measures it, as on a cluster without a
    /// metrics server.
    fn cpu_millis(&mut self, now: Micros, process: ProcessId<'_>) -> Option<u64> {
        let _ = (now, process);
        None
    }
    /// `GET path` on the container's port: probes, preStop hooks of kind `httpGet`, and the API server's pod proxy.
    /// `None`: nothing listens.
    fn get(&mut self, now: Micros, process: ProcessId<'_>, path: &str)
    -> Option<ContainerResponse>;
    /// The log lines of the container's latest process from `since` on, oldest first, whether it still runs or not;
    /// those of the process before that one if `previous`.
    fn logs(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        since: Micros,
        previous: bool,
    ) -> Vec<LogLine>;
    /// kube-proxy has programmed a new set of pods (UIDs, in endpoint order) behind a Service. Requests go to the
    /// container of the pod that has the Service's target port.
    fn route(&mut self, now: Micros, service: &str, uids: &[String]);
    /// The content of a ConfigMap, as a pod that watches it comes to see it (after the watch lag).
    fn config(&mut self, now: Micros, name: &str, data: &BTreeMap<String, String>) {
        let _ = (now, name, data);
    }
}
