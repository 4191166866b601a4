//! Tables of what makes pods, besides Deployments and ReplicaSets.

use super::age;
use super::cells::template;
use super::columns::{AGE, CONTAINERS, Column, IMAGES, NAME, SELECTOR, number, text as column};
use crate::cluster::api::selectors::LabelSelector;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{self, at, condition_true, int, items, name, text};
use crate::time::Micros;

/// Most metrics of an autoscaler in one cell.
const MOST_METRICS: usize = 2;

/// The columns of one of these kinds.
pub(super) fn columns(kind: Kind) -> &'static [Column] {
    const STATEFUL_SET: &[Column] = &[
        NAME,
        column(
            "Ready",
            "How many pods are ready, and how many there should be.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
    ];
    const DAEMON_SET: &[Column] = &[
        NAME,
        number("Desired", "How many nodes should run its pod."),
        number("Current", "How many of them have its pod."),
        number("Ready", "How many of them have a ready pod."),
        number(
            "Up-to-date",
            "How many of them have a pod of the present template.",
        ),
        number("Available", "How many of them have an available pod."),
        column("Node Selector", "The labels of the nodes that it is for."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ];
    const REVISION: &[Column] = &[
        NAME,
        column("Controller", "What it is a revision of."),
        number("Revision", "Its number."),
        AGE,
    ];
    const JOB: &[Column] = &[
        NAME,
        column("Status", "Whether it runs, is complete or has failed."),
        column(
            "Completions",
            "How many pods have succeeded, and how many should.",
        ),
        column("Duration", "How long it has run."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ];
    const CRON_JOB: &[Column] = &[
        NAME,
        column("Schedule", "When it is due."),
        column("Timezone", "The time zone of its schedule."),
        column("Suspend", "Whether it is suspended."),
        number("Active", "How many of its jobs run."),
        column("Last Schedule", "The time since it was last due."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ];
    const AUTOSCALER: &[Column] = &[
        NAME,
        column("Reference", "What it scales."),
        column("Targets", "What it measures, and what that should be."),
        column("MinPods", "How many pods there are at least."),
        column("MaxPods", "How many pods there are at most."),
        column("Replicas", "How many pods there are."),
        AGE,
    ];
    match kind {
        Kind::StatefulSet => STATEFUL_SET,
        Kind::DaemonSet => DAEMON_SET,
        Kind::ControllerRevision => REVISION,
        Kind::Job => JOB,
        Kind::CronJob => CRON_JOB,
        Kind::HorizontalPodAutoscaler => AUTOSCALER,
        _ => &[],
    }
}

/// The cells of an object of one of these kinds.
pub(super) fn cells(now: Micros, kind: Kind, object: &Value) -> Vec<Value> {
    let age = age::since(now, object, &["metadata", "creationTimestamp"]);
    let called = name(object).to_owned();
    let of = |path: &[&str]| int(object, path).unwrap_or(0);
    let number = |path: &[&str]| Value::from(of(path));
    match kind {
        Kind::StatefulSet => {
            let [containers, images, _] = template(object, &["spec"]);
            let ready = (of(&["status", "readyReplicas"]), of(&["spec", "replicas"]));
            vec![
                called.into(),
                format!("{}/{}", ready.0, ready.1).into(),
                age.into(),
                containers.into(),
                images.into(),
            ]
        }
        Kind::DaemonSet => {
            let [containers, images, selector] = template(object, &["spec"]);
            let nodes = at(object, &["spec", "template", "spec", "nodeSelector"]);
            vec![
                called.into(),
                number(&["status", "desiredNumberScheduled"]),
                number(&["status", "currentNumberScheduled"]),
                number(&["status", "numberReady"]),
                number(&["status", "updatedNumberScheduled"]),
                number(&["status", "numberAvailable"]),
                or_none(LabelSelector::of_map(nodes).text()).into(),
                age.into(),
                containers.into(),
                images.into(),
                selector.into(),
            ]
        }
        Kind::ControllerRevision => {
            let owner = value::controller_of(object).map_or_else(
                || "<none>".to_owned(),
                |owner| {
                    let kind = text(owner, &["kind"]).to_lowercase();
                    let group = text(owner, &["apiVersion"]).split_once('/');
                    let group = group.map_or_else(String::new, |(group, _)| format!(".{group}"));
                    format!("{kind}{group}/{}", text(owner, &["name"]))
                },
            );
            let revision = number(&["revision"]);
            vec![called.into(), owner.into(), revision, age.into()]
        }
        Kind::Job => {
            let [containers, images, selector] = template(object, &["spec"]);
            vec![
                called.into(),
                job_status(object).into(),
                completions(object).into(),
                duration(now, object).into(),
                age.into(),
                containers.into(),
                images.into(),
                selector.into(),
            ]
        }
        Kind::CronJob => {
            let [containers, images, selector] = template(object, &["spec", "jobTemplate", "spec"]);
            let suspended = value::flag(object, &["spec", "suspend"]);
            let zone = or_none(text(object, &["spec", "timeZone"]).to_owned());
            let last = at(object, &["status", "lastScheduleTime"]).map_or_else(
                || "<none>".to_owned(),
                |_| age::since(now, object, &["status", "lastScheduleTime"]),
            );
            vec![
                called.into(),
                text(object, &["spec", "schedule"]).to_owned().into(),
                zone.into(),
                (if suspended { "True" } else { "False" }).into(),
                items(object, &["status", "active"]).len().into(),
                last.into(),
                age.into(),
                containers.into(),
                images.into(),
                selector.into(),
            ]
        }
        Kind::HorizontalPodAutoscaler => {
            let reference = |field: &str| text(object, &["spec", "scaleTargetRef", field]);
            let least = int(object, &["spec", "minReplicas"]);
            vec![
                called.into(),
                format!("{}/{}", reference("kind"), reference("name")).into(),
                metrics(object).into(),
                least
                    .map_or_else(|| "<unset>".to_owned(), |n| n.to_string())
                    .into(),
                number(&["spec", "maxReplicas"]),
                number(&["status", "currentReplicas"]),
                age.into(),
            ]
        }
        _ => vec![],
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() {
        "<none>".to_owned()
    } else {
        text
    }
}

/// `printJob`.
fn job_status(job: &Value) -> &'static str {
    let by_condition = [
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ];
    let found = by_condition
        .into_iter()
        .find(|(of_type, _)| condition_true(job, of_type));
    match found {
        Some((_, shown)) => shown,
        None if value::deleting(job) => "Terminating",
        None => "Running",
    }
}

fn completions(job: &Value) -> String {
    let succeeded = int(job, &["status", "succeeded"]).unwrap_or(0);
    let parallel = int(job, &["spec", "parallelism"]).unwrap_or(0);
    match int(job, &["spec", "completions"]) {
        Some(all) => format!("{succeeded}/{all}"),
        None if parallel > 1 => format!("{succeeded}/1 of {parallel}"),
        None => format!("{succeeded}/1"),
    }
}

fn duration(now: Micros, job: &Value) -> String {
    let time = |field: &str| value::parse_timestamp(text(job, &["status", field]));
    let Some(started) = time("startTime") else {
        return String::new();
    };
    let end = time("completionTime").unwrap_or(now);
    age::human(end.saturating_sub(started))
}

/// `formatHPAMetrics`.
fn metrics(autoscaler: &Value) -> String {
    let specs = items(autoscaler, &["spec", "metrics"]);
    if specs.is_empty() {
        return "<none>".to_owned();
    }
    let current = items(autoscaler, &["status", "currentMetrics"]);
    let mut all: Vec<String> = specs
        .iter()
        .enumerate()
        .map(|(i, spec)| metric(spec, current.get(i).unwrap_or(&Value::Null)))
        .collect();
    let more = all.len().saturating_sub(MOST_METRICS);
    all.truncate(MOST_METRICS);
    let shown = all.join(", ");
    if more > 0 {
        format!("{shown} + {more} more...")
    } else {
        shown
    }
}

fn metric(spec: &Value, current: &Value) -> String {
    let of_type = text(spec, &["type"]);
    let (member, by_resource) = match of_type {
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "External" => ("external", false),
        _ => return "<unknown type>".to_owned(),
    };
    let shown = |v: Option<&Value>, unit: &str, none: &str| match v {
        None => none.to_owned(),
        Some(v) => match v.as_str() {
            Some(text) => format!("{text}{unit}"),
            None => format!("{v}{unit}"),
        },
    };
    let (field, unit, end) = if at(spec, &[member, "target", "averageValue"]).is_some() {
        let average = !by_resource && of_type != "Pods";
        ("averageValue", "", if average { " (avg)" } else { "" })
    } else if by_resource {
        ("averageUtilization", "%", "")
    } else {
        ("value", "", "")
    };
    let is = shown(at(current, &[member, "current", field]), unit, "<unknown>");
    let target = shown(at(spec, &[member, "target", field]), unit, "<auto>");
    let resource = match text(spec, &[member, "name"]) {
        named if by_resource => format!("{named}: "),
        _ => String::new(),
    };
    format!("{resource}{is}/{target}{end}")
}
