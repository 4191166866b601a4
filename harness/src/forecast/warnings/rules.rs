//! The rules, by name, and all that they find.

use super::look::{Known, Look};
use super::{of_containers, of_pods, of_rollouts};
use crate::forecast::answer::Warning;
use crate::forecast::workload::Workload;

type Rule = fn(&mut Look<'_>);

/// The rules by name, each with what it looks at.
pub const RULES: [(&str, &str); 25] = [
    ("single-replica", "one pod takes all of the traffic"),
    ("recreate", "all pods are stopped before one starts"),
    ("no-surge", "a rollout goes on only with pods missing"),
    ("all-unavailable", "a rollout may take all pods at once"),
    ("no-history", "revisionHistoryLimit keeps no revision"),
    ("short-history", "revisionHistoryLimit keeps few revisions"),
    ("progress-deadline", "a stuck rollout is reported late"),
    ("paused", "an undo is refused"),
    ("ordered-hang", "an undo waits for a broken pod for ever"),
    ("on-delete", "an undo replaces no pod"),
    ("partition", "a rollout replaces some of the pods"),
    (
        "autoscaler-and-replicas",
        "an apply resets what the autoscaler did",
    ),
    ("blocking-budget", "no pod may be evicted"),
    ("no-readiness-probe", "a pod counts as ready at once"),
    (
        "liveness-before-start",
        "the liveness probe stops a process that starts",
    ),
    ("moving-tag", "an undo brings the same image"),
    ("always-pull", "each start asks the registry"),
    (
        "hook-eats-grace",
        "the preStop hook takes the whole grace period",
    ),
    ("no-pre-stop", "a pod is stopped while it gets traffic"),
    ("host-port", "two pods do not fit on one node"),
    (
        "config-not-versioned",
        "an undo leaves the configuration as it is",
    ),
    (
        "volume-of-one-node",
        "a new pod waits for the old one's disk",
    ),
    ("node-fits-none", "the pod fits on no node"),
    ("slow-first-probe", "the first probe comes late"),
    ("requests-missing", "where a pod fits is not known"),
];

/// Everything that the rules find, by place.
#[must_use]
pub(crate) fn warnings(workload: &Workload, known: &Known<'_>) -> Vec<Warning> {
    let rules: [&[Rule]; 3] = [of_rollouts::ALL, of_containers::ALL, of_pods::ALL];
    let mut look = Look {
        workload,
        known,
        found: Vec::new(),
    };
    for rule in rules.into_iter().flatten() {
        rule(&mut look);
    }
    look.found.sort();
    look.found.dedup();
    look.found
}
