//! One look of the autoscaler (`horizontal.go` reconcileAutoscaler).

use std::collections::BTreeMap;

use super::replicas::{Measured, by_utilization, is_unready};
use crate::cluster::api::selectors::LabelSelector;
use crate::cluster::api::status::ApiError;
use crate::cluster::deployment::spec_replicas;
use crate::cluster::due_items::Work;
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::placement;
use crate::cluster::store::Ref;
use crate::cluster::value::{
    self, at, deleting, int, items, name, namespace, remove, set, text, timestamp,
};
use crate::time::Micros;
use crate::workload::Workload;

/// From one look to the next (`horizontal-pod-autoscaler-sync-period`).
const PERIOD: Micros = Micros::from_secs(15);
/// How far back recommendations hold a decrease back (`…-downscale-stabilization`).
const DOWN_WINDOW_S: i64 = 300;
/// An increase is to twice as many, or to this many if that is more (`calculateScaleUpLimit`).
const UP_FACTOR: i64 = 2;
const UP_LEAST: i64 = 4;

const SOURCE: &str = "horizontal-pod-autoscaler";

/// What each autoscaler found lately, by key: when, and how many replicas.
pub(crate) type Recommendations = BTreeMap<String, Vec<(Micros, i64)>>;

/// What the metrics ask for.
struct Metrics {
    replicas: i64,
    statuses: Vec<Value>,
    /// What asks for that many.
    name: String,
}

/// Why a metric has no answer.
struct Failure {
    reason: &'static str,
    message: String,
}

impl Cluster {
    /// Lets an autoscaler look after its period.
    pub(crate) fn autoscaler_waits(&mut self, key: String) {
        self.enqueue_at(self.now + PERIOD, Work::Autoscaler(key));
    }

    pub(crate) fn sync_autoscaler(
        &mut self,
        key: &str,
        workload: &mut dyn Workload,
    ) -> Result<(), ApiError> {
        let Some(stored) = self.get(Kind::HorizontalPodAutoscaler, key) else {
            self.recommendations.remove(key);
            return Ok(());
        };
        self.autoscaler_waits(key.to_owned());
        let mut scaler = stored.value.clone();
        let outcome = self.look(key, &mut scaler, workload);
        if scaler["status"] != stored.value["status"] {
            remove(&mut scaler, &["metadata", "resourceVersion"]);
            self.update(Kind::HorizontalPodAutoscaler, key, scaler, Part::Status)?;
        }
        outcome
    }

    fn target(&self, scaler: &Value) -> Option<(Kind, Ref)> {
        let of = |field: &str| text(scaler, &["spec", "scaleTargetRef", field]);
        let kind = Kind::of_object(of("apiVersion"), of("kind")).filter(|k| k.has_scale())?;
        let target = self.get(kind, &value::key(namespace(scaler), of("name")))?;
        Some((kind, target))
    }

    fn look(
        &mut self,
        key: &str,
        scaler: &mut Value,
        workload: &mut dyn Workload,
    ) -> Result<(), ApiError> {
        let now = self.now;
        let Some((kind, target)) = self.target(scaler) else {
            let of = |field: &str| text(scaler, &["spec", "scaleTargetRef", field]).to_owned();
            let why = format!("{} {:?} not found", of("kind").to_lowercase(), of("name"));
            let message =
                format!("the HPA controller was unable to get the target's current scale: {why}");
            put(
                scaler,
                now,
                ("AbleToScale", false),
                ("FailedGetScale", &message),
            );
            self.event(scaler, true, "FailedGetScale", &why, SOURCE);
            return Ok(());
        };
        let message = "the HPA controller was able to get the target's current scale";
        put(
            scaler,
            now,
            ("AbleToScale", true),
            ("SucceededGetScale", message),
        );
        let current = spec_replicas(&target.value);
        let shown = int(&target.value, &["status", "replicas"]).unwrap_or(0);
        set(scaler, &["status", "currentReplicas"], shown);
        let least = int(scaler, &["spec", "minReplicas"]).unwrap_or(1);
        let most = int(scaler, &["spec", "maxReplicas"]).unwrap_or(1);
        let recent = self.recommendations.entry(key.to_owned()).or_default();
        if recent.is_empty() {
            recent.push((now, current));
        }
        let (desired, why) = if current == 0 && least != 0 {
            let message = "scaling is disabled since the replica count of the target is zero";
            put(
                scaler,
                now,
                ("ScalingActive", false),
                ("ScalingDisabled", message),
            );
            (0, String::new())
        } else if current > most {
            (
                most,
                "Current number of replicas above Spec.MaxReplicas".to_owned(),
            )
        } else if current < least {
            (
                least,
                "Current number of replicas below Spec.MinReplicas".to_owned(),
            )
        } else {
            match self.metrics(scaler, &target.value, current, workload) {
                Ok(found) => {
                    set(scaler, &["status", "currentMetrics"], found.statuses);
                    let desired = self.normalized(key, scaler, current, found.replicas);
                    let why = match desired.cmp(&current) {
                        std::cmp::Ordering::Greater => format!("{} above target", found.name),
                        _ => "All metrics below target".to_owned(),
                    };
                    (desired, why)
                }
                Err(failure) => {
                    self.failed(scaler, &failure);
                    set(scaler, &["status", "desiredReplicas"], current);
                    return Ok(());
                }
            }
        };
        set(scaler, &["status", "desiredReplicas"], desired);
        if desired == current {
            return Ok(());
        }
        let mut object = target.value.clone();
        set(&mut object, &["spec", "replicas"], desired);
        remove(&mut object, &["metadata", "resourceVersion"]);
        self.update(kind, &value::key_of(&target.value), object, Part::Main)?;
        let message =
            format!("the HPA controller was able to update the target scale to {desired}");
        put(
            scaler,
            now,
            ("AbleToScale", true),
            ("SucceededRescale", &message),
        );
        set(scaler, &["status", "lastScaleTime"], timestamp(now));
        let message = format!("New size: {desired}; reason: {why}");
        self.event(scaler, false, "SuccessfulRescale", &message, SOURCE);
        Ok(())
    }

    fn failed(&mut self, scaler: &mut Value, failure: &Failure) {
        let message = format!(
            "the HPA was unable to compute the replica count: {}",
            failure.message
        );
        let why = (failure.reason, message.as_str());
        put(scaler, self.now, ("ScalingActive", false), why);
        self.event(scaler, true, failure.reason, &failure.message, SOURCE);
        let all = items(scaler, &["spec", "metrics"]).len();
        let message = format!(
            "invalid metrics ({all} invalid out of {all}), first error is: failed to get cpu resource metric value: {}",
            failure.message
        );
        self.event(
            scaler,
            true,
            "FailedComputeMetricsReplicas",
            &message,
            SOURCE,
        );
    }

    /// The most that one of the metrics asks for (`computeReplicasForMetrics`).
    fn metrics(
        &mut self,
        scaler: &mut Value,
        target: &Value,
        current: i64,
        workload: &mut dyn Workload,
    ) -> Result<Metrics, Failure> {
        let mut best: Option<Metrics> = None;
        let mut statuses = Vec::new();
        let mut first_failure = None;
        for spec in items(scaler, &["spec", "metrics"]).to_vec() {
            let found = match cpu_target(&spec) {
                Some(percent) => self.cpu_replicas(target, current, percent, workload),
                None => Err(not_served(&spec)),
            };
            match found {
                Ok((replicas, status)) => {
                    statuses.push(status);
                    if best.as_ref().is_none_or(|best| best.replicas < replicas) {
                        best = Some(Metrics {
                            replicas,
                            statuses: Vec::new(),
                            name: "cpu resource utilization (percentage of request)".to_owned(),
                        });
                    }
                }
                Err(failure) => first_failure = first_failure.or(Some(failure)),
            }
        }
        match (best, first_failure) {
            // With a metric missing, nothing is taken away.
            (Some(best), Some(failure)) if best.replicas < current => Err(failure),
            (Some(mut best), _) => {
                let message = format!(
                    "the HPA was able to successfully calculate a replica count from {}",
                    best.name
                );
                let why = ("ValidMetricFound", message.as_str());
                put(scaler, self.now, ("ScalingActive", true), why);
                best.statuses = statuses;
                Ok(best)
            }
            (None, failure) => Err(failure.unwrap_or_else(|| Failure {
                reason: "InvalidMetricSourceType",
                message: "there is no metric".to_owned(),
            })),
        }
    }

    fn cpu_replicas(
        &mut self,
        target: &Value,
        current: i64,
        percent: i64,
        workload: &mut dyn Workload,
    ) -> Result<(i64, Value), Failure> {
        let selector = at(target, &["spec", "selector"]).unwrap_or(&Value::Null);
        let selector = LabelSelector::of_object(selector);
        let pods: Vec<Ref> = self
            .store
            .list(Kind::Pod, Some(namespace(target)))
            .filter(|(_, pod)| selector.matches(&pod.value) && !deleting(&pod.value))
            .filter(|(_, pod)| text(&pod.value, &["status", "phase"]) != "Failed")
            .map(|(_, pod)| pod.clone())
            .collect();
        let mut measured = Vec::new();
        for pod in &pods {
            let requested = placement::requested(&pod.value, "cpu");
            if requested == 0 {
                let container = items(&pod.value, &["spec", "containers"]).first();
                let container = container.map_or("", |c| text(c, &["name"]));
                return Err(Failure {
                    reason: "FailedGetResourceMetric",
                    message: format!(
                        "failed to get cpu utilization: missing request for cpu in container {container} of Pod {}",
                        name(&pod.value)
                    ),
                });
            }
            measured.push(Measured {
                used: self
                    .cpu_of(&pod.value, workload)
                    .map(|millis| millis as f64),
                requested: requested as f64 / 1_000_000.0,
                unready: is_unready(&pod.value, self.now),
            });
        }
        let unknown = measured.iter().all(|pod| pod.used.is_none());
        let asked = by_utilization(current, percent, &measured).ok_or_else(|| Failure {
            reason: "FailedGetResourceMetric",
            message: if unknown {
                "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)".to_owned()
            } else {
                "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)".to_owned()
            },
        })?;
        let status = json!({"type": "Resource", "resource": {
            "name": "cpu", "current": {"averageUtilization": asked.utilization},
        }});
        Ok((asked.replicas, status))
    }

    /// CPU that a pod uses, in thousandths of a core.
    fn cpu_of(&self, pod: &Value, workload: &mut dyn Workload) -> Option<u64> {
        let run = self.kubelet.by_key.get(&value::key_of(pod))?;
        let run = self.kubelet.pods.get(run)?;
        let running: Vec<u16> = run
            .placed()
            .filter(|(_, container)| container.process)
            .map(|(place, _)| place)
            .collect();
        if running.is_empty() {
            return None;
        }
        let mut sum = 0;
        for place in running {
            sum += workload.cpu_millis(self.now, run.process(place))?;
        }
        Some(sum)
    }

    /// What is done of what the metrics ask for: not at once less, not too many more, and within the bounds
    /// (`normalizeDesiredReplicas`).
    fn normalized(&mut self, key: &str, scaler: &mut Value, current: i64, asked: i64) -> i64 {
        let now = self.now;
        let rules = |direction: &str, field: &str| {
            at(scaler, &["spec", "behavior", direction, field]).cloned()
        };
        let window = |direction: &str, otherwise: i64| {
            let given = rules(direction, "stabilizationWindowSeconds");
            let seconds = given.and_then(|v| v.as_i64()).unwrap_or(otherwise);
            Micros::from_secs(u64::try_from(seconds).unwrap_or(0))
        };
        let disabled = |direction: &str| {
            rules(direction, "selectPolicy").is_some_and(|policy| policy == "Disabled")
        };
        let (up, down) = (window("scaleUp", 0), window("scaleDown", DOWN_WINDOW_S));
        let (no_up, no_down) = (disabled("scaleUp"), disabled("scaleDown"));
        let recent = self.recommendations.entry(key.to_owned()).or_default();
        let within = |at: Micros, window: Micros| at + window > now;
        let lowest = recent.iter().filter(|(at, _)| within(*at, up));
        let lowest = lowest
            .map(|(_, n)| *n)
            .chain([asked])
            .min()
            .unwrap_or(asked);
        let highest = recent.iter().filter(|(at, _)| within(*at, down));
        let highest = highest
            .map(|(_, n)| *n)
            .chain([asked])
            .max()
            .unwrap_or(asked);
        recent.retain(|(at, _)| within(*at, up.max(down)));
        recent.push((now, asked));
        let mut desired = current.max(lowest).min(highest);
        if (desired > current && no_up) || (desired < current && no_down) {
            desired = current;
        }
        let (reason, message) = if desired > asked {
            (
                "ScaleDownStabilized",
                "recent recommendations were higher than current one, applying the highest recent recommendation",
            )
        } else if desired < asked {
            (
                "ScaleUpStabilized",
                "recent recommendations were lower than current one, applying the lowest recent recommendation",
            )
        } else {
            ("ReadyForNewScale", "recommended size matches current size")
        };
        put(scaler, now, ("AbleToScale", true), (reason, message));
        let least = int(scaler, &["spec", "minReplicas"]).unwrap_or(1);
        let most = int(scaler, &["spec", "maxReplicas"]).unwrap_or(1);
        let step = (current * UP_FACTOR).max(UP_LEAST);
        let (bound, limited, reason, message) = if desired < least {
            (
                least,
                true,
                "TooFewReplicas",
                "the desired replica count is less than the minimum replica count",
            )
        } else if desired > most.min(step) && step < most {
            (
                step,
                true,
                "ScaleUpLimit",
                "the desired replica count is increasing faster than the maximum scale rate",
            )
        } else if desired > most {
            (
                most,
                true,
                "TooManyReplicas",
                "the desired replica count is more than the maximum replica count",
            )
        } else {
            (
                desired,
                false,
                "DesiredWithinRange",
                "the desired count is within the acceptable range",
            )
        };
        put(scaler, now, ("ScalingLimited", limited), (reason, message));
        bound
    }
}

/// The target of a metric that is the utilization of CPU.
fn cpu_target(spec: &Value) -> Option<i64> {
    let cpu = text(spec, &["type"]) == "Resource" && text(spec, &["resource", "name"]) == "cpu";
    let target = int(spec, &["resource", "target", "averageUtilization"]);
    target.filter(|target| cpu && *target > 0)
}

/// Any other metric has no server.
fn not_served(spec: &Value) -> Failure {
    let (reason, what) = match text(spec, &["type"]) {
        "Resource" => ("FailedGetResourceMetric", "resource"),
        "ContainerResource" => ("FailedGetContainerResourceMetric", "container resource"),
        "Pods" => ("FailedGetPodsMetric", "pods"),
        "Object" => ("FailedGetObjectMetric", "object"),
        "External" => ("FailedGetExternalMetric", "external"),
        _ => ("InvalidMetricSourceType", "unknown"),
    };
    Failure {
        reason,
        message: format!(
            "unable to get {what} metric: no metrics are served for it, only the utilization of cpu by percentage of the request"
        ),
    }
}

/// Sets a condition; its time changes with its status alone.
fn put(
    scaler: &mut Value,
    now: Micros,
    (of_type, holds): (&str, bool),
    (reason, message): (&str, &str),
) {
    let status = if holds { "True" } else { "False" };
    let mut all = items(scaler, &["status", "conditions"]).to_vec();
    let there = all.iter_mut().find(|c| text(c, &["type"]) == of_type);
    let since = there
        .as_deref()
        .filter(|c| text(c, &["status"]) == status)
        .map_or_else(
            || timestamp(now),
            |c| text(c, &["lastTransitionTime"]).to_owned(),
        );
    let new = json!({
        "type": of_type, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": since,
    });
    match there {
        Some(there) => *there = new,
        None => all.push(new),
    }
    set(scaler, &["status", "conditions"], all);
}
