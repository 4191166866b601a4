//! What a sync does to the pods (`stateful_set_control.go` updateStatefulSet).

use std::ops::ControlFlow;

use super::pods::{
    claims, first_ordinal, has_claims, is_ready, is_unavailable, new_pod, ordinal, revision_of,
    with_identity,
};
use crate::cluster::api::status::ApiError;
use crate::cluster::deployment::spec_replicas;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::{DeleteOptions, Part};
use crate::cluster::replicaset::is_available;
use crate::cluster::store::Ref;
use crate::cluster::value::{self, at, deleting, int, name, namespace, text};
use crate::time::Micros;

/// Most replicas that are looked at.
const MOST: i64 = 100_000;

/// What the status counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) replicas: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
    pub(super) current: i64,
    pub(super) updated: i64,
}

/// One place of the sequence: a pod that is there, or that is to be created.
struct Place {
    pod: Value,
    exists: bool,
}

/// The pods of a sync, by what is to become of them.
pub(super) struct Plan {
    current: String,
    update: String,
    min_ready_s: i64,
    ordered: bool,
    /// By ordinal.
    replicas: Vec<Place>,
    /// Beyond the sequence, the highest ordinal first.
    condemned: Vec<Value>,
}

/// Whether a step was the last one of this sync.
type Flow = Result<ControlFlow<()>, ApiError>;

const GO_ON: Flow = Ok(ControlFlow::Continue(()));
const WAIT: Flow = Ok(ControlFlow::Break(()));

/// Whether a new pod is of the current revision although there is a later one (`newVersionedStatefulSetPod`).
fn stays_current(stateful: &Value, ordinal: i64) -> bool {
    let strategy = at(stateful, &["spec", "updateStrategy"]).unwrap_or(&Value::Null);
    let first = first_ordinal(stateful);
    match strategy.get("rollingUpdate") {
        Some(rules) => ordinal < first + int(rules, &["partition"]).unwrap_or(0),
        None => {
            let current = int(stateful, &["status", "currentReplicas"]).unwrap_or(0);
            text(strategy, &["type"]) == "RollingUpdate" && ordinal < first + current
        }
    }
}

impl Plan {
    /// From the pods that are there, and both revisions with their templates.
    pub(super) fn new(
        stateful: &Value,
        (current, current_template): (&str, Value),
        (update, update_template): (&str, Value),
        pods: &[Ref],
    ) -> Self {
        let first = first_ordinal(stateful);
        let end = first + spec_replicas(stateful).clamp(0, MOST);
        let mut condemned = Vec::new();
        let mut there: Vec<(i64, &Value)> = Vec::new();
        for pod in pods {
            match ordinal(&pod.value) {
                Some(at) if (first..end).contains(&at) => there.push((at, &pod.value)),
                Some(_) => condemned.push(pod.value.clone()),
                None => {}
            }
        }
        condemned.sort_by_key(|pod| std::cmp::Reverse(ordinal(pod)));
        let place = |at: i64| match there.iter().find(|(of, _)| *of == at) {
            Some((_, pod)) => Place {
                pod: (*pod).clone(),
                exists: true,
            },
            None if stays_current(stateful, at) => Place {
                pod: new_pod(stateful, &current_template, current, at),
                exists: false,
            },
            None => Place {
                pod: new_pod(stateful, &update_template, update, at),
                exists: false,
            },
        };
        Self {
            current: current.to_owned(),
            update: update.to_owned(),
            min_ready_s: int(stateful, &["spec", "minReadySeconds"]).unwrap_or(0),
            ordered: text(stateful, &["spec", "podManagementPolicy"]) != "Parallel",
            replicas: (first..end).map(place).collect(),
            condemned,
        }
    }

    fn count<'a>(&self, pods: impl Iterator<Item = &'a Value>, now: Micros) -> Counts {
        let mut counts = Counts::default();
        for pod in pods {
            counts.replicas += 1;
            if is_ready(pod) {
                counts.ready += 1;
                counts.available += i64::from(is_available(pod, self.min_ready_s, now));
            }
            if !deleting(pod) {
                counts.current += i64::from(revision_of(pod) == self.current);
                counts.updated += i64::from(revision_of(pod) == self.update);
            }
        }
        counts
    }

    /// Counts all pods.
    pub(super) fn count_all(&self, pods: &[Ref], now: Micros) -> Counts {
        self.count(pods.iter().map(|pod| &pod.value), now)
    }

    /// Counts those that were there when the sync began.
    fn count_known(&self, now: Micros) -> Counts {
        let there = self.replicas.iter().filter(|place| place.exists);
        self.count(there.map(|place| &place.pod).chain(&self.condemned), now)
    }

    /// The name of the first pod of the sequence that is not available, or of the condemned one with the lowest
    /// ordinal.
    fn first_unavailable(&self, now: Micros) -> Option<&str> {
        let replicas = self.replicas.iter().map(|place| &place.pod);
        let mut all = replicas.chain(self.condemned.iter().rev());
        all.find(|pod| is_unavailable(pod, self.min_ready_s, now))
            .map(name)
    }
}

impl Cluster {
    /// Does what is to be done now. Says what the status counts, and what went wrong.
    pub(super) fn carry_out(
        &mut self,
        stateful: &Value,
        plan: Plan,
    ) -> (Counts, Result<(), ApiError>) {
        let mut counts = plan.count_known(self.now);
        let mut steps = || -> Flow {
            for place in &plan.replicas {
                let step = self.process_replica(stateful, &plan, place);
                if step?.is_break() && plan.ordered {
                    return WAIT;
                }
            }
            let first = plan.first_unavailable(self.now).map(str::to_owned);
            for pod in &plan.condemned {
                let step = self.process_condemned(stateful, &plan, pod, first.as_deref());
                if step?.is_break() && plan.ordered {
                    return WAIT;
                }
            }
            if text(stateful, &["spec", "updateStrategy", "type"]) == "OnDelete" {
                return WAIT;
            }
            self.update_one(stateful, &plan, &mut counts)
        };
        let outcome = steps().map(|_| ());
        (counts, outcome)
    }

    /// `processReplica`.
    fn process_replica(&mut self, stateful: &Value, plan: &Plan, place: &Place) -> Flow {
        let pod = &place.pod;
        if !place.exists {
            self.create_stateful_pod(stateful, pod)?;
            return if plan.ordered { WAIT } else { GO_ON };
        }
        match text(pod, &["status", "phase"]) {
            "Failed" | "Succeeded" => {
                if !deleting(pod) {
                    self.delete_stateful_pod(stateful, pod)?;
                }
                return WAIT;
            }
            "Pending" if has_claims(stateful) => self.create_claims(stateful, pod)?,
            _ => {}
        }
        let settled =
            !deleting(pod) && is_ready(pod) && is_available(pod, plan.min_ready_s, self.now);
        if plan.ordered && !settled {
            return WAIT;
        }
        if let Some(corrected) = with_identity(pod) {
            let key = value::key_of(pod);
            self.update(Kind::Pod, &key, corrected, Part::Main)?;
        }
        GO_ON
    }

    /// `processCondemned`.
    fn process_condemned(
        &mut self,
        stateful: &Value,
        plan: &Plan,
        pod: &Value,
        first_unavailable: Option<&str>,
    ) -> Flow {
        if deleting(pod) {
            return if plan.ordered { WAIT } else { GO_ON };
        }
        let available = is_ready(pod) && is_available(pod, plan.min_ready_s, self.now);
        if plan.ordered && !available && first_unavailable != Some(name(pod)) {
            return WAIT;
        }
        self.delete_stateful_pod(stateful, pod)?;
        WAIT
    }

    /// Deletes the pod with the highest ordinal that is of another revision, if those after it are available.
    fn update_one(&mut self, stateful: &Value, plan: &Plan, counts: &mut Counts) -> Flow {
        let path = ["spec", "updateStrategy", "rollingUpdate", "partition"];
        let partition = int(stateful, &path).unwrap_or(0);
        let from = usize::try_from(partition).unwrap_or(0);
        for place in plan.replicas.iter().skip(from).rev() {
            let pod = &place.pod;
            if revision_of(pod) != plan.update && !deleting(pod) {
                self.delete_stateful_pod(stateful, pod)?;
                counts.current -= 1;
                return WAIT;
            }
            if is_unavailable(pod, plan.min_ready_s, self.now) {
                return WAIT;
            }
        }
        GO_ON
    }

    fn create_stateful_pod(&mut self, stateful: &Value, pod: &Value) -> Result<(), ApiError> {
        let claimed = self.create_claims(stateful, pod);
        if let Err(e) = claimed {
            self.stateful_event(stateful, "create", pod, Some(&e));
            return Err(e);
        }
        let made = self.create(Kind::Pod, namespace(stateful), pod.clone());
        match made {
            Ok(_) => {
                self.stateful_event(stateful, "create", pod, None);
                Ok(())
            }
            // Somebody else's pod has the name: it is tried again, without an event.
            Err(e) if e.reason == "AlreadyExists" => Err(e),
            Err(e) => {
                self.stateful_event(stateful, "create", pod, Some(&e));
                Err(e)
            }
        }
    }

    fn delete_stateful_pod(&mut self, stateful: &Value, pod: &Value) -> Result<(), ApiError> {
        let key = value::key_of(pod);
        let gone = self.delete(Kind::Pod, &key, &DeleteOptions::default());
        self.stateful_event(stateful, "delete", pod, gone.as_ref().err());
        gone.map(|_| ())
    }

    fn create_claims(&mut self, stateful: &Value, pod: &Value) -> Result<(), ApiError> {
        let ns = namespace(stateful).to_owned();
        for (_, claim) in claims(stateful, ordinal(pod).unwrap_or(0)) {
            let key = value::key(&ns, name(&claim));
            if self.get(Kind::PersistentVolumeClaim, &key).is_some() {
                continue;
            }
            let called = name(&claim).to_owned();
            self.create(Kind::PersistentVolumeClaim, &ns, claim)?;
            let message = format!(
                "create Claim {called} Pod {} in StatefulSet {} success",
                name(pod),
                name(stateful)
            );
            self.event(stateful, false, "SuccessfulCreate", &message, SOURCE);
        }
        Ok(())
    }

    fn stateful_event(
        &mut self,
        stateful: &Value,
        verb: &str,
        pod: &Value,
        error: Option<&ApiError>,
    ) {
        let (pod, called) = (name(pod), name(stateful));
        let (reason, outcome) = match (verb, error) {
            ("create", None) => ("SuccessfulCreate", "successful".to_owned()),
            (_, None) => ("SuccessfulDelete", "successful".to_owned()),
            ("create", Some(e)) => ("FailedCreate", format!("failed error: {}", e.message)),
            (_, Some(e)) => ("FailedDelete", format!("failed error: {}", e.message)),
        };
        let message = format!("{verb} Pod {pod} in StatefulSet {called} {outcome}");
        self.event(stateful, error.is_some(), reason, &message, SOURCE);
    }
}

const SOURCE: &str = "statefulset-controller";
