//! What keeps a pod from starting, as its status has it.

use std::fmt;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;

/// How long a pod must be in trouble that can't pass before it is believed.
pub(super) const TROUBLE: SignedDuration = SignedDuration::from_secs(6);

/// What keeps pods of the old release from starting.
pub(super) struct Obstacle {
    pub(super) what: String,
    /// For how long it must be there before nothing more is waited for; `None`: it passes by itself.
    pub(super) believed_after: Option<SignedDuration>,
    /// Whether it keeps pods of the old release from starting; else it keeps the rollout from getting to them.
    pub(super) of_old: bool,
}

impl Obstacle {
    /// Of a kind that ends when the cluster is as it was before: a registry that answers, room on a node, a quota.
    pub(super) fn passing(what: String) -> Self {
        Self {
            what,
            believed_after: None,
            of_old: true,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of_old {
            f.write_str("the old release can't start: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Reasons for which a container waits (`pkg/kubelet/images/types.go`, `pkg/kubelet/kuberuntime`), and whether they
/// stay whatever happens around the pod: all others are tried again by the kubelet.
const REASONS: [(&str, bool); 6] = [
    ("CrashLoopBackOff", false),
    ("ImagePullBackOff", false),
    ("ErrImageNeverPull", true),
    ("InvalidImageName", true),
    ("CreateContainerConfigError", false),
    ("CreateContainerError", false),
];

/// Why a pod does not start, if it says so.
pub(super) fn stuck(pod: &Pod) -> Option<Obstacle> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    for container in containers.chain(status.init_container_statuses.iter().flatten()) {
        let waiting = container
            .state
            .as_ref()
            .and_then(|state| state.waiting.as_ref());
        let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
        let known = REASONS.iter().find(|(known, _)| reason == Some(*known));
        if let Some((reason, for_good)) = known {
            let message = waiting
                .and_then(|waiting| waiting.message.as_deref())
                .unwrap_or("");
            return Some(Obstacle {
                what: format!("{reason} {message}").trim_end().to_owned(),
                believed_after: for_good.then_some(TROUBLE),
                of_old: true,
            });
        }
    }
    let unschedulable = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    unschedulable.map(|condition| {
        let message = condition.message.as_deref().unwrap_or("no reason given");
        Obstacle::passing(format!("unschedulable: {message}"))
    })
}
