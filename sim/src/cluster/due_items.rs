//! What the cluster has to do, and when.

use super::kinds::Kind;
use super::kubelet::ContainerRef;
use super::wire::WatchId;
use crate::time::Micros;

/// A controller's work queue entry: at most one of each waits at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Deployment controller, by key.
    Deployment(String),
    /// ReplicaSet controller, by key.
    ReplicaSet(String),
    /// StatefulSet controller, by key.
    StatefulSet(String),
    /// DaemonSet controller, by key.
    DaemonSet(String),
    /// Job controller, by key.
    Job(String),
    /// Horizontal pod autoscaler, by key.
    Autoscaler(String),
    /// A finished Job's time to live is over, by key.
    Expired(String),
    /// Scheduler, by pod key.
    Schedule(String),
    /// The kubelet compares a pod in the store with what it runs, by key.
    Pod(String),
    /// EndpointSlice controller, by Service key.
    Endpoints(String),
    /// Disruption controller, by PodDisruptionBudget key.
    Budget(String),
    /// A ConfigMap reaches the workload, by key.
    Config(String),
    /// Garbage collector: dependents of the owner with this UID.
    Garbage(String),
}

/// A step in the life of a pod on a node, see [`super::kubelet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodStep {
    /// The sandbox stands; the containers come next.
    Sandbox,
    /// The pod's last trace is gone: final delete.
    Removed,
    /// The status manager writes.
    Status,
    /// The pod's worker computes the status.
    Sync,
}

/// A step in the life of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A pull has failed.
    PullFailed,
    /// Back-off or retry is over: try to start again.
    Retry,
    /// The process starts.
    Start,
    /// The kubelet notices that the process runs.
    Observed,
    /// The process exits by itself.
    Exit(i32),
    /// The kubelet notices that the process has gone.
    ExitObserved,
    /// One tick of a probe.
    Probe(ProbeKind),
    /// The container is to be stopped and started again, since this probe has failed for good.
    Restart(ProbeKind),
    /// The preStop hook has ended, or its time is over.
    HookDone,
    /// The time is over in which a sidecar waits for others to end.
    TurnOver,
    /// SIGKILL or the end of draining.
    Stopped,
}

/// Which probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

/// One entry of the cluster's event queue.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// Queued work, deduplicated.
    Work(Work),
    /// Work that waits on its own (a deadline, a retry).
    Later(Work),
    /// A step of a pod; ignored if its epoch is over.
    Pod { pod: u32, epoch: u32, step: PodStep },
    /// A step of a pod's container; ignored if its epoch is over.
    Container {
        container: ContainerRef,
        epoch: u32,
        step: Step,
    },
    /// kube-proxy writes its rules.
    Proxy,
    /// A watch's `timeoutSeconds` is over.
    WatchDeadline(WatchId),
    /// A watch's bookmark is due.
    Bookmark(WatchId),
    /// The kubelet looks for new lines of a log that is followed.
    Follow(WatchId),
    /// The store's progress notice reaches a kind's watch cache: it was asked for then, and knows this version.
    Notice { kind: Kind, rv: u64, asked: Micros },
    /// A kind's watch cache may ask for progress again.
    ProgressDue(Kind),
}
