//! The rules, and what they know.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sim_services::manifests::Manifests;

use super::{of_containers, of_pods, of_rollouts};
use crate::forecast::answer::Warning;
use crate::forecast::starts::Times;
use crate::forecast::workload::Workload;

/// What rules know besides the workload.
pub(crate) struct Known<'a> {
    /// The times of each container.
    pub(crate) starts: &'a BTreeMap<String, Times>,
    /// Everything that is deployed with it.
    pub(crate) manifests: &'a Manifests,
    /// The time in which an undo must have recovered.
    pub(crate) rto: Duration,
    /// How many nodes the manifests have.
    pub(crate) nodes: usize,
}

/// What a rule finds with: the workload, what is known besides, and where findings go.
pub(super) struct Look<'a> {
    pub(super) workload: &'a Workload,
    pub(super) known: &'a Known<'a>,
    pub(super) found: Vec<Warning>,
}

type Rule = fn(&mut Look<'_>);

/// The rules by name, each with what it looks at.
pub const RULES: [(&str, &str); 22] = [
    ("single-replica", "one pod takes all of the traffic"),
    ("recreate", "all pods are stopped before one starts"),
    ("no-surge", "a rollout goes on only with pods missing"),
    ("all-unavailable", "a rollout may take all pods at once"),
    ("no-history", "revisionHistoryLimit keeps no revision"),
    ("short-history", "revisionHistoryLimit keeps few revisions"),
    ("progress-deadline", "a stuck rollout is reported late"),
    ("paused", "an undo is refused"),
    ("autoscaler-and-replicas", "an apply resets what the autoscaler did"),
    ("blocking-budget", "no pod may be evicted"),
    ("no-readiness-probe", "a pod counts as ready at once"),
    ("liveness-before-start", "the liveness probe stops a process that starts"),
    ("moving-tag", "an undo brings the same image"),
    ("always-pull", "each start asks the registry"),
    ("hook-eats-grace", "the preStop hook takes the whole grace period"),
    ("no-pre-stop", "a pod is stopped while it gets traffic"),
    ("host-port", "two pods do not fit on one node"),
    ("config-not-versioned", "an undo leaves the configuration as it is"),
    ("volume-of-one-node", "a new pod waits for the old one's disk"),
    ("node-fits-none", "the pod fits on no node"),
    ("slow-first-probe", "the first probe comes late"),
    ("requests-missing", "where a pod fits is not known"),
];

/// Everything that the rules find, by place.
#[must_use]
pub(crate) fn warnings(workload: &Workload, known: &Known<'_>) -> Vec<Warning> {
    let rules: [&[Rule]; 3] = [
        of_rollouts::ALL,
        of_containers::ALL,
        of_pods::ALL,
    ];
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

impl<'a> Look<'a> {
    /// A finding at a path of the workload.
    pub(super) fn warn(
        &mut self,
        rule: &'static str,
        path: &[&str],
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let place = self.workload.place(path);
        self.found.push(Warning {
            place,
            rule,
            text: text.into(),
            remedy: remedy.into(),
        });
    }

    /// The value at a path of the workload.
    pub(super) fn at(&self, path: &[&str]) -> &'a Value {
        self.workload.at(path)
    }

    /// The containers that run on, with the steps to each.
    pub(super) fn lasting(&self) -> Vec<(Vec<String>, &'a Value)> {
        self.workload.lasting().collect()
    }
}

/// The steps below a container.
pub(super) fn below<'a>(path: &'a [String], rest: &[&'a str]) -> Vec<&'a str> {
    let own = path.iter().map(String::as_str);
    own.chain(rest.iter().copied()).collect()
}

/// A text of an object, empty where there is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
