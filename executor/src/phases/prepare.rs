//! Before a deployment: what a rollback goes back to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;

use super::READ;
use crate::baseline::{Baseline, Build, CONFIG_MAP, KEY, ServiceBaseline};
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::executor::Executor;
use crate::exposition::builds;
use crate::journal::Journal;
use crate::kubernetes::{Cluster, Workload, config_maps_of, image_of, is_live, owner_uid};
use crate::planner::{PlanError, kinds_undone};
use crate::pod_port::PodPort;
use crate::ports::{HistoryRow, Snapshot};
use crate::queries::Language;
use crate::report::StepOutcome;
use crate::runbook::{Command, Step, Trigger};
use crate::verdict::{ConditionVerdict, any};
use crate::workload::WorkloadKind;

use super::observe::{Workloads, revision_number, workloads};

/// How long it is tried to open a ledger that a failed snapshot may have left closed.
const REOPEN: SignedDuration = SignedDuration::from_secs(300);

impl Executor {
    /// Records the baseline and takes the snapshot, before a deployment.
    ///
    /// # Errors
    /// A step of the prepare phase failed, a rollback is under way, or the cluster can't be reached.
    pub async fn prepare(&self) -> Result<Baseline, Error> {
        self.begin(Stage::Prepare).await;
        let cluster = self.cluster();
        let begun = self.begun_last().await?;
        let steps: Vec<&Step> = self.runbook.preparation().collect();
        let record = steps
            .iter()
            .find(|step| step.command == Command::RecordRelease);
        // A runbook without the step can't be rolled back by, so the release is recorded all the same.
        let mut baseline = match record {
            Some(step) => self.step(step, self.record(self.end(step))).await?,
            None => self.record(self.now() + READ).await?,
        };
        for step in steps {
            if let Command::Snapshot { name } = &step.command {
                if self.options.stop.is_cancelled() {
                    return Err(Error::Interrupted);
                }
                self.still_none_begun(begun).await?;
                // Once begun, it is seen through: the ledger is closed meanwhile.
                let snapshot = self.snapshot(name, self.end(step));
                baseline.snapshot = Some(self.step(step, snapshot).await?);
            }
        }
        let text = serde_json::to_string(&baseline).map_err(|error| Error::Unreadable {
            what: "the baseline".to_owned(),
            reason: error.to_string(),
        })?;
        self.still_none_begun(begun).await?;
        let change = |data: &mut BTreeMap<String, String>| {
            data.insert(KEY.to_owned(), text.clone());
            true
        };
        cluster
            .update_config_map(CONFIG_MAP, true, self.now() + READ, change)
            .await?;
        Ok(baseline)
    }

    /// When the journal's rollback was begun; refuses if it is under way.
    async fn begun_last(&self) -> Result<Option<Timestamp>, Error> {
        let until = self.now() + READ;
        let journal = Journal::load(&self.cluster(), &self.options.identity, until).await?;
        let begun = journal.begun_at();
        if journal.state.is_open() && !self.options.force {
            let since = begun.unwrap_or_else(|| self.now());
            return Err(Error::InProgress { since });
        }
        Ok(begun)
    }

    /// Refuses if a rollback has begun since the last one was begun at `before`: what was recorded is half rolled back,
    /// and what it goes back to must not be replaced beneath it.
    async fn still_none_begun(&self, before: Option<Timestamp>) -> Result<(), Error> {
        match self.begun_last().await? {
            Some(since) if Some(since) != before => Err(Error::Step {
                step: "prepare".to_owned(),
                reason: format!(
                    "a rollback was begun at {since}, in the middle of this: prepare again"
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Takes the snapshot. Whatever keeps it from being taken must not leave the ledger closed, so somebody looks into
    /// it then: the port opens a ledger that an operation left closed.
    async fn snapshot(&self, name: &str, end: Timestamp) -> Result<Snapshot, Error> {
        let database = &self.ports.database;
        let take = || database.snapshot(name);
        let taken = self.database("take the snapshot", end, take).await;
        if taken.is_err() {
            let until = self.now() + REOPEN;
            self.database("open the ledger again", until, || database.position())
                .await?;
        }
        taken
    }

    fn end(&self, step: &Step) -> Timestamp {
        self.now() + SignedDuration::try_from(step.timeout).unwrap_or(READ)
    }

    /// Runs one step with its events.
    async fn step<T>(
        &self,
        step: &Step,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let name = step.name.clone();
        self.emit(&Event::StepStarted {
            name,
            service: None,
            budget: step.timeout,
        });
        let result = work.await;
        let (outcome, detail) = match &result {
            Ok(_) => (StepOutcome::Done, String::new()),
            Err(error) => (StepOutcome::Failed, error.chain()),
        };
        let name = step.name.clone();
        self.emit(&Event::StepFinished {
            name,
            service: None,
            outcome,
            detail,
        });
        result.map_err(|error| Error::Step {
            step: step.name.clone(),
            reason: error.chain(),
        })
    }

    async fn record(&self, deadline: Timestamp) -> Result<Baseline, Error> {
        let cluster = self.cluster();
        let kinds = self.runbook.kinds_recorded();
        let all = workloads(&cluster, &kinds, deadline).await?;
        let api = cluster.pods();
        let params = ListParams::default();
        let pods = cluster
            .call("list pods", deadline, || api.list(&params))
            .await?
            .items;
        let mut services = BTreeMap::new();
        let mut refuse = Vec::new();
        for name in &self.runbook.services {
            let found: Vec<&Workload> = all.found.iter().filter(|it| it.name() == *name).collect();
            let workload = match found.as_slice() {
                [one] => *one,
                [] => {
                    let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
                    refuse.push(format!("{} {name} does not exist", words.join(" or ")));
                    continue;
                }
                [..] => {
                    refuse.push(format!(
                        "both a Deployment and a StatefulSet are called {name}: give one of them another name"
                    ));
                    continue;
                }
            };
            let word = workload.kind().word();
            if !workload.is_settled() {
                refuse.push(format!("{word} {name} is in the middle of a rollout"));
                continue;
            }
            // A Deployment's pods are its ReplicaSets', a StatefulSet's are its own.
            let owned: BTreeSet<&str> = match workload.kind() {
                WorkloadKind::Deployment => all
                    .of(workload)
                    .filter_map(|it| it.uid.as_deref())
                    .collect(),
                WorkloadKind::StatefulSet => BTreeSet::from([workload.uid()]),
            };
            let own = |pod: &&Pod| {
                is_live(pod) && owner_uid(&pod.metadata).is_some_and(|owner| owned.contains(owner))
            };
            let pods: Vec<&Pod> = pods.iter().filter(own).collect();
            let service = self
                .record_service(&cluster, (workload, &all), &pods, deadline)
                .await?;
            refuse.extend(self.not_undone(workload));
            refuse.extend(self.hopeless(name, &service));
            services.insert(name.clone(), service);
        }
        if !refuse.is_empty() {
            return Err(Error::Step {
                step: "prepare".to_owned(),
                reason: refuse.join("; "),
            });
        }
        let database = &self.ports.database;
        let history = self
            .database("read the history", deadline, || database.history())
            .await?;
        let position = self
            .database("read the position", deadline, || database.position())
            .await?;
        Ok(Baseline {
            recorded_at: self.now(),
            runbook: self.runbook.digest.clone(),
            services,
            triggers: self.trigger_values().await,
            schema_version: schema_version(&history),
            history,
            position,
            snapshot: None::<Snapshot>,
        })
    }

    /// Why no step of the runbook could roll this workload back.
    fn not_undone(&self, workload: &Workload) -> Option<String> {
        let (kind, name) = (workload.kind(), workload.name());
        if workload.ordinals().is_some_and(|it| it.on_delete) {
            return Some(format!(
                "statefulset {name} has the update strategy OnDelete, so that no undo replaces its pods: give it the \
                 strategy RollingUpdate, or leave it out of `services`"
            ));
        }
        let undone = kinds_undone(&self.runbook);
        (!undone.is_empty() && !undone.contains(&kind)).then(|| {
            let refusal = PlanError::NoUndo {
                kind,
                service: name.to_owned(),
            };
            refusal.to_string()
        })
    }

    /// Why a step of the runbook could never succeed with a service that was recorded so.
    fn hopeless(&self, name: &str, service: &ServiceBaseline) -> Option<String> {
        let mut commands = self.runbook.steps.iter().map(|step| &step.command);
        if service.replicas == 0 && commands.any(|it| *it == Command::RolloutStatus) {
            let word = service.kind.word();
            return Some(format!(
                "{word} {name} wants 0 replicas, so no rollout of it can be waited for: scale it up, or leave it \
                 out of `services`"
            ));
        }
        let port = self.runbook.build_port()?;
        service.builds.is_empty().then(|| {
            format!("no pod of {name} shows a build at {port}, path /metrics, so none can be told from another")
        })
    }

    async fn record_service(
        &self,
        cluster: &Cluster,
        (workload, all): (&Workload, &Workloads),
        pods: &[&Pod],
        deadline: Timestamp,
    ) -> Result<ServiceBaseline, Error> {
        let template = workload.template().cloned().unwrap_or_default();
        let mut seen: BTreeSet<Build> = BTreeSet::new();
        for pod in pods {
            let port = self.runbook.build_port().unwrap_or(PodPort::First);
            let text = cluster
                .pod_get(
                    &pod.name_any(),
                    port,
                    "metrics",
                    deadline,
                    &Mutex::default(),
                )
                .await?;
            let build = builds(&text);
            if !build.is_empty() {
                seen.insert(build);
            }
        }
        let set_by_runbook = self.runbook.values_set();
        let api = cluster.config_maps();
        let mut config = BTreeMap::new();
        for name in config_maps_of(&template) {
            if set_by_runbook.contains(name.as_str()) {
                continue;
            }
            if let Some(found) = cluster.get_opt(&api, &name, deadline).await? {
                config.insert(name, found.data.unwrap_or_default());
            }
        }
        Ok(ServiceBaseline {
            kind: workload.kind(),
            uid: workload.uid().to_owned(),
            selector: workload.selector(),
            template: workload.template_value(),
            revision: revision_number(workload, all),
            replicas: workload.replicas(),
            image: image_of(&template),
            config,
            builds: seen,
        })
    }

    /// Each trigger's value before the deployment. No answer is no value.
    ///
    /// What holds now disarms its trigger, so it must have held for as long as the trigger asks for: of a flap, the
    /// value before it is recorded.
    async fn trigger_values(&self) -> BTreeMap<String, Option<f64>> {
        let queries = self.queries();
        let mut values = BTreeMap::new();
        for trigger in &self.runbook.triggers {
            let answer = queries
                .ask(&self.runbook.prometheus, Language::Prom, &trigger.query)
                .await;
            let (verdict, mut value) = any(&answer.unwrap_or_default(), trigger.condition);
            if verdict == ConditionVerdict::Holds
                && let Some(calm) = self.calm_before(trigger).await
            {
                value = Some(calm);
            }
            values.insert(trigger.name.clone(), value);
        }
        values
    }

    /// A value of the trigger's query, from the time for which its condition must hold, with which it did not.
    async fn calm_before(&self, trigger: &Trigger) -> Option<f64> {
        let (queries, base) = (self.queries(), &self.runbook.prometheus);
        for at in looks_back(self.now(), trigger.hold_for) {
            let answer = queries
                .ask_at(base, Language::Prom, &trigger.query, at)
                .await;
            let (verdict, value) = any(&answer.unwrap_or_default(), trigger.condition);
            if verdict == ConditionVerdict::Refuted {
                return value;
            }
        }
        None
    }
}

/// Instants at which a condition that holds is looked at again: as far back as its trigger asks for, and half-way.
fn looks_back(now: Timestamp, hold_for: std::time::Duration) -> [Timestamp; 2] {
    let back = |span| now - SignedDuration::try_from(span).unwrap_or(SignedDuration::ZERO);
    [back(hold_for / 2), back(hold_for)]
}

/// Version of the last versioned migration that succeeded. By rank: ranks grow as migrations are applied.
fn schema_version(history: &[HistoryRow]) -> Option<String> {
    history
        .iter()
        .filter(|row| row.success && row.version.is_some())
        .max_by_key(|row| row.installed_rank)
        .and_then(|row| row.version.clone())
}
