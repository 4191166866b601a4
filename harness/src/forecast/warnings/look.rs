//! What a rule looks at, and how it tells what it finds.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sim_services::manifests::Manifests;

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
