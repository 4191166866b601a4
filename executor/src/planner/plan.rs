//! A plan: what will be done, in which order, and why. It is journaled whole before anything is
//! changed, so that whoever resumes acts on the same targets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decide::{LedgerDecision, LedgerPath};
use super::reason::StepReason;
use crate::baseline::Build;
use crate::placeholders::uses;
use crate::report::{StepReport, TriggerEvent};
use crate::runbook::{self, Command, Condition, Effect, Naming, OnFail, Phase};
use crate::verdict::show_value;
use crate::workload::WorkloadKind;

/// What `run` does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Title of the runbook.
    pub runbook: String,
    /// Digest of the runbook's text.
    pub digest: String,
    /// When the state it rests on was observed.
    pub observed_at: Timestamp,
    /// What calls for the rollback.
    pub trigger: Option<TriggerEvent>,
    /// What happens to the ledger.
    pub ledger: LedgerDecision,
    /// Schema version to go back to.
    pub target_schema: Option<String>,
    /// Name under which the ledger in use is set aside by a restore.
    pub set_aside: String,
    /// What the runbook calls its halt, its records and its log.
    #[serde(default, skip_serializing_if = "Naming::is_default")]
    pub naming: Naming,
    /// Whether the runbook halts nothing in any rollback: it has no fence and sets no flag.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halts_nothing: bool,
    /// Services that are rolled back, in order.
    pub services: Vec<ServicePlan>,
    /// Services that are as the baseline recorded them.
    pub unchanged: Vec<String>,
    /// What they must still be afterwards, and what steps that stand by for them go back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<ServicePlan>,
    /// Steps, in order.
    pub steps: Vec<PlannedStep>,
    /// Steps of the runbook that are done only if somebody changes a service while it is rolled back.
    /// The position of each is that of the step that it would stand before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stand_by: Vec<PlannedStep>,
    /// Steps of the runbook that do not apply.
    pub skipped: Vec<SkippedStep>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Where one service goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// Name of the service and of its workload.
    pub service: String,
    /// Of which kind its workload is.
    #[serde(default, skip_serializing_if = "WorkloadKind::goes_without_saying")]
    pub kind: WorkloadKind,
    /// UID of its workload.
    pub uid: String,
    /// Selector of its pods, as a query parameter.
    pub selector: String,
    /// Image now.
    pub from_image: String,
    /// Image that was recorded.
    pub to_image: String,
    /// Digest of the bad release's template.
    pub bad_digest: String,
    /// Pinned target.
    pub target: Target,
    /// Template to go back to.
    pub template: Value,
    /// Its digest.
    pub template_digest: String,
    /// Replicas that were wanted.
    pub replicas: i32,
    /// Builds that the pods showed.
    pub builds: BTreeSet<Build>,
    /// ConfigMaps to put back, with what they held; only those that differ.
    pub config: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether it was paused when the plan was made.
    #[serde(default)]
    pub paused: bool,
    /// ControllerRevisions of a StatefulSet that were rolled out since the baseline: pods of no other revision may be
    /// deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_back: Vec<String>,
    /// Why it is rolled back.
    pub why: String,
}

/// How the recorded template is brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Target {
    /// A ReplicaSet with the recorded template is still there.
    ReplicaSet {
        /// Its name.
        name: String,
        /// Its revision when the plan was made.
        revision: u64,
    },
    /// A ControllerRevision with the recorded template is still there.
    ControllerRevision {
        /// Its name.
        name: String,
        /// Its number when the plan was made.
        revision: u64,
    },
    /// It was pruned: the recorded template is applied again.
    Recorded,
    /// The template is already the recorded one.
    Unchanged,
}

/// One step to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Position in the plan, from 0: what the journal refers to.
    pub index: usize,
    /// Name in the runbook.
    pub name: String,
    /// Heading in the runbook.
    pub title: String,
    /// Service, for a step that runs once for each.
    pub service: Option<String>,
    /// The command as a person would type it, as far as its placeholders are known.
    pub text: String,
    /// The command.
    pub command: Command,
    /// Phase.
    pub phase: Phase,
    /// Its budget.
    pub budget: Duration,
    /// What its failure leads to.
    pub on_fail: OnFail,
    /// What its value must be.
    pub expect: Option<Condition>,
    /// How many requests its window must hold.
    pub min_requests: Option<u64>,
    /// How they are counted.
    pub count_query: Option<String>,
    /// How long its outcome must go on holding.
    pub hold: Option<Duration>,
    /// The step whose failure it makes good: it is done only after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<usize>,
    /// Why it is done, by name; `None`: the plan was journaled by a build that gave no names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<StepReason>,
    /// Why it is done, in words.
    pub why: String,
}

impl PlannedStep {
    /// `name` or `name (service)`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.service {
            Some(service) => format!("{} ({service})", self.name),
            None => self.name.clone(),
        }
    }
}

/// One step that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedStep {
    /// Name in the runbook.
    pub name: String,
    /// Service, for a step that runs once for each.
    pub service: Option<String>,
    /// Why, by name; `None`: as in [`PlannedStep::because`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<StepReason>,
    /// Why, in words.
    pub reason: String,
}

impl Plan {
    /// Whether it was made because of `trigger`.
    #[must_use]
    pub fn answers(&self, trigger: &TriggerEvent) -> bool {
        self.trigger.as_ref().is_some_and(|own| own.is(trigger))
    }

    /// The service's part of the plan, whether it is rolled back or left alone.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServicePlan> {
        let mut all = self.services.iter().chain(&self.left_alone);
        all.find(|plan| plan.service == name)
    }

    /// How the ledger was dealt with, judged by the reports of its steps, which begin with the plan's first.
    #[must_use]
    pub fn path_taken(&self, steps: &[StepReport]) -> LedgerPath {
        let failed = |undo: usize| steps.get(undo).is_some_and(|it| !it.outcome.is_ok());
        let restored = self.steps.iter().filter_map(|step| step.instead_of);
        if restored.into_iter().any(failed) {
            LedgerPath::Restore
        } else {
            self.ledger.path
        }
    }

    /// Whether recovery can begin only after the step at `index`: it changes the application, waits for a change to be
    /// over, or asks for a number ahead of every query that looks at the time since recovery (`$WINDOW`), such as the
    /// wait for the last pod to stop refusing.
    pub(crate) fn delays_recovery(&self, index: usize) -> bool {
        let Some(step) = self.steps.get(index) else {
            return false;
        };
        let spec = step.command.spec();
        match spec.effect {
            Effect::Changes | Effect::Waits => true,
            _ if spec.value != runbook::Value::None => !self.steps[..=index]
                .iter()
                .filter_map(|step| step.command.query())
                .any(|query| uses(query, "WINDOW")),
            _ => false,
        }
    }

    /// One line: path and services.
    #[must_use]
    pub fn summary(&self) -> String {
        let services: Vec<&str> = self
            .services
            .iter()
            .map(|plan| plan.service.as_str())
            .collect();
        format!(
            "{}: {} in {} steps",
            self.ledger.path,
            services.join(", "),
            self.steps.len()
        )
    }
}

impl Target {
    /// Which it is, by a name that stays.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::ReplicaSet { .. } => "replica-set",
            Self::ControllerRevision { .. } => "controller-revision",
            Self::Recorded => "recorded",
            Self::Unchanged => "unchanged",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReplicaSet { name, revision } => {
                write!(f, "revision {revision}, ReplicaSet {name}")
            }
            Self::ControllerRevision { name, revision } => {
                write!(f, "revision {revision}, ControllerRevision {name}")
            }
            Self::Recorded => f.write_str("the recorded template, as its revision was pruned"),
            Self::Unchanged => f.write_str("its template stays"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Plan by \"{}\" ({})", self.runbook, self.digest)?;
        match &self.trigger {
            Some(trigger) => {
                write!(
                    f,
                    "Trigger  {} at {}: {}",
                    trigger.name, trigger.fired_at, trigger.reason
                )?;
                match trigger.value {
                    Some(value) => writeln!(f, " (value {})", show_value(value))?,
                    None => writeln!(f)?,
                }
            }
            None => writeln!(f, "Trigger  none: as if a service level were broken")?,
        }
        writeln!(f, "Ledger   {}: {}", self.ledger.path, self.ledger.why)?;
        for script in &self.ledger.undo {
            writeln!(
                f,
                "         undo version {} by {}",
                script.version, script.name
            )?;
        }
        writeln!(f, "Services")?;
        for plan in &self.services {
            writeln!(
                f,
                "  {}: {} -> {}, {}",
                plan.service, plan.from_image, plan.to_image, plan.target
            )?;
            writeln!(f, "    because {}", plan.why)?;
        }
        if !self.unchanged.is_empty() {
            writeln!(
                f,
                "  left alone, as recorded: {}",
                self.unchanged.join(", ")
            )?;
        }
        writeln!(f, "Steps")?;
        for step in &self.steps {
            let budget = step.budget.as_secs();
            writeln!(
                f,
                "  {:>2}. {} [{budget} s] {}",
                step.index + 1,
                step.label(),
                step.text
            )?;
            writeln!(f, "      {}", step.why)?;
        }
        if !self.skipped.is_empty() {
            writeln!(f, "Left out")?;
        }
        for step in &self.skipped {
            let label = match &step.service {
                Some(service) => format!("{} ({service})", step.name),
                None => step.name.clone(),
            };
            writeln!(f, "  {label}: {}", step.reason)?;
        }
        for note in &self.notes {
            writeln!(f, "Note: {note}")?;
        }
        Ok(())
    }
}
