//! A runbook after it was read: a closed set of typed steps, in the document's order.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use contract::rollback::TriggerEvent;
pub use contract::rollback::{Phase, TriggerClass};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::command::{Asks, Command};
use super::naming::Naming;
use crate::pod_port::PodPort;
use crate::workload::WorkloadKind;

/// The ConfigMap with the migration files where a runbook names none.
pub(super) const MIGRATIONS: &str = "migrations";

/// The executable procedure.
#[derive(Clone, Debug, PartialEq)]
pub struct Runbook {
    /// First heading of the document.
    pub title: String,
    /// SHA-like hexadecimal digest of the text: which runbook was followed, for the journal.
    pub digest: String,
    /// Recovery time objective: trigger to recovered.
    pub rto: Duration,
    /// Recovery point objective: how many acknowledged records may be absent afterwards.
    pub rpo_records: u64,
    /// How long after a deployment the triggers are watched.
    pub validation_window: Duration,
    /// Kubernetes namespace of the application.
    pub namespace: String,
    /// Deployments and StatefulSets of one release, in the order in which they are rolled back.
    pub services: Vec<String>,
    /// Base URL of Prometheus.
    pub prometheus: String,
    /// Base URL of Loki; `None`: log checks read the pods' own logs.
    pub loki: Option<String>,
    /// The ConfigMap that holds the migration files, by their names.
    pub migrations: String,
    /// What its halt, its records and its log are called.
    pub naming: Naming,
    /// When a rollback is mandatory.
    pub triggers: Vec<Trigger>,
    /// The steps of all phases.
    pub steps: Vec<Step>,
}

/// What of a runbook holds for all of its steps: its front matter. From the moment that there is a plan, this and the
/// plan are all that an executor knows of its runbook.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms<'a> {
    /// See [`Runbook::rto`].
    pub rto: Duration,
    /// See [`Runbook::rpo_records`].
    pub rpo_records: u64,
    /// See [`Runbook::validation_window`].
    pub validation_window: Duration,
    /// See [`Runbook::namespace`].
    pub namespace: &'a str,
    /// See [`Runbook::services`].
    pub services: &'a [String],
    /// See [`Runbook::prometheus`].
    pub prometheus: &'a str,
    /// See [`Runbook::loki`].
    pub loki: Option<&'a str>,
    /// See [`Runbook::triggers`].
    pub triggers: &'a [Trigger],
}

impl Runbook {
    /// The port at which pods show their build, if a step asks for it.
    pub(crate) fn build_port(&self) -> Option<PodPort> {
        self.steps.iter().find_map(|step| match step.command {
            Command::CheckBuildInfo { port } => Some(port),
            _ => None,
        })
    }

    /// The kinds of workloads that are recorded before a deployment; Deployments if no step records anything.
    #[must_use]
    pub fn kinds_recorded(&self) -> BTreeSet<WorkloadKind> {
        let mut steps = self.preparation();
        let record = steps.find(|step| step.command == Command::RecordRelease);
        record.map_or_else(
            || BTreeSet::from([WorkloadKind::Deployment]),
            |step| step.kinds.clone(),
        )
    }

    /// Whether a step asks for the ledger's database.
    #[must_use]
    pub fn asks_the_database(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| step.command.spec().asks == Asks::Database)
    }

    /// What holds for all steps.
    #[must_use]
    pub fn terms(&self) -> Terms<'_> {
        // Named one by one, so that a new field must be thought of here.
        let Self {
            title: _,
            digest: _,
            rto,
            rpo_records,
            validation_window,
            namespace,
            services,
            prometheus,
            loki,
            migrations: _,
            naming: _,
            triggers,
            steps: _,
        } = self;
        Terms {
            rto: *rto,
            rpo_records: *rpo_records,
            validation_window: *validation_window,
            namespace,
            services,
            prometheus,
            loki: loki.as_deref(),
            triggers,
        }
    }

    /// The steps of `prepare`, in order: all that is known of the runbook's steps before a deployment, besides
    /// [what is set](Self::values_set).
    pub fn preparation(&self) -> impl Iterator<Item = &Step> {
        let steps = self.steps.iter();
        steps.filter(|step| step.phase == Phase::Prepare)
    }

    /// ConfigMaps that a step sets a value of: they are the runbook's, not the release's.
    #[must_use]
    pub fn values_set(&self) -> BTreeSet<&str> {
        let steps = self.steps.iter();
        let set = steps.filter_map(|step| match &step.command {
            Command::SetConfigValue { name, .. } => Some(name.as_str()),
            _ => None,
        });
        set.collect()
    }

    /// The snapshots that `prepare` takes, in order.
    pub fn snapshots_taken(&self) -> impl Iterator<Item = &str> {
        self.preparation().filter_map(|step| match &step.command {
            Command::Snapshot { name } => Some(name.as_str()),
            _ => None,
        })
    }

    /// The snapshot that it restores.
    #[must_use]
    pub fn snapshot_restored(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| match &step.command {
            Command::RestoreSnapshot { name } => Some(name.as_str()),
            _ => None,
        })
    }
}

/// A condition that makes a rollback mandatory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Unique name, kebab-case.
    pub name: String,
    /// Class.
    pub class: TriggerClass,
    /// PromQL; its value is compared with `condition`.
    pub query: String,
    /// When the value is bad.
    pub condition: Condition,
    /// How long the condition must hold without a break (debounce).
    pub hold_for: Duration,
}

impl Trigger {
    /// It fired with `value` at `at`, its condition having held since `since`.
    #[must_use]
    pub fn fired(&self, value: f64, since: Timestamp, at: Timestamp) -> TriggerEvent {
        TriggerEvent {
            name: self.name.clone(),
            class: self.class,
            value: Some(value),
            since,
            fired_at: at,
            reason: format!("{} {}", self.query, self.condition),
        }
    }
}

/// A comparison with a constant. No data and NaN never satisfy it and never refute it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Comparison operator.
    pub operator: Operator,
    /// Right-hand side.
    pub value: f64,
}

/// Comparison operators of [`Condition`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    LessOrEqual,
    /// `>`
    #[serde(rename = ">")]
    Greater,
    /// `>=`
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// `==`
    #[serde(rename = "==")]
    Equal,
}

impl Condition {
    /// Whether `value` satisfies the condition; `None` for NaN.
    #[must_use]
    pub fn holds(&self, value: f64) -> Option<bool> {
        if value.is_nan() {
            return None;
        }
        Some(match self.operator {
            Operator::Less => value < self.value,
            Operator::LessOrEqual => value <= self.value,
            Operator::Greater => value > self.value,
            Operator::GreaterOrEqual => value >= self.value,
            Operator::Equal => value == self.value,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Equal => "==",
        };
        write!(f, "{operator} {}", self.value)
    }
}

/// One command of the runbook, with what surrounds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Unique name, kebab-case, from the fence's attribute `name`.
    pub name: String,
    /// Text of the heading above it.
    pub title: String,
    /// Line of the command in the document, from 1.
    pub line: usize,
    /// The command as written.
    pub text: String,
    /// The command as understood.
    pub command: Command,
    /// The kinds of workloads that the command names: the step is done for services of these kinds. Empty: it names
    /// none, and is for all.
    pub kinds: BTreeSet<WorkloadKind>,
    /// Which phase it belongs to (`rb.phase`).
    pub phase: Phase,
    /// Its budget, retries included (`rb.timeout`).
    pub timeout: Duration,
    /// What happens if it fails for good (`rb.on-fail`).
    pub on_fail: OnFail,
    /// When it applies (`rb.when`).
    pub when: When,
    /// Whether it runs once for each service, with `$SERVICE` set (`rb.for-each` = `service`).
    pub for_each_service: bool,
    /// What its value must be (`rb.expect`), for queries.
    pub expect: Option<Condition>,
    /// How many requests the window of a query must hold (`rb.min-requests`), so that no evidence is
    /// never a pass. 30,000 without an error bound the rate below 0.01 % at 95 % (rule of three).
    pub min_requests: Option<u64>,
    /// PromQL that gives the number of requests in the window (`rb.requests`); what `min_requests` is
    /// held against. With `min_requests` and without this a query can't pass.
    pub count_query: Option<String>,
    /// How long its outcome must go on holding (`rb.hold`).
    pub hold: Option<Duration>,
}

impl Step {
    /// Whether the step is for services that are workloads of this kind.
    #[must_use]
    pub fn is_for(&self, kind: WorkloadKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

/// What a failed step leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFail {
    /// Stop, keep the halt and the fence if they are there, page a person.
    Abort,
    /// Note it and go on.
    Continue,
    /// Correct the ledger from the snapshot instead: the steps of the restore path are done after all.
    /// Only for the undo of the schema, whose failure leaves the ledger as it was.
    Restore,
}

/// When a step applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Always.
    Always,
    /// The ledger must be corrected, by undo or restore: the schema change is breaking or the data are wrong.
    LedgerBreaking,
    /// The ledger is corrected by undo scripts.
    LedgerUndo,
    /// The ledger is corrected from the snapshot.
    LedgerRestore,
    /// The Deployment is paused.
    DeploymentPaused,
    /// The release changed the service's configuration.
    ConfigChanged,
    /// The release changed nothing of the service but its configuration, so that no rollout replaces its pods.
    ConfigOnly,
    /// The Deployment wants fewer replicas than were recorded.
    ReplicasReduced,
}
