//! The bad release's logs, before its pods go.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::LogParams;

use super::context::{Context, Stop, Success, incident};
use crate::error::Error;
use crate::planner::ServicePlan;

/// No pod's log keeps a rollback waiting for longer.
const PER_POD: Duration = Duration::from_secs(10);
/// Nor is more than this kept of it, in bytes.
const LIMIT: i64 = 4 << 20;

/// Stores the current and the previous log of every container of the services' pods. What can't be read is noted in its
/// place: a rollback does not wait for logs.
pub(super) async fn dump(context: &Context<'_>, since: Duration) -> Result<Success, Stop> {
    let mut evidence = Vec::new();
    let mut missing = Vec::new();
    let mut pods = 0;
    for service in context.services() {
        for pod in context
            .cluster
            .list_pods(&service.selector, &context.budget)
            .await?
        {
            pods += 1;
            let (text, failures) = of_pod(context, &pod, since).await;
            missing.extend(failures);
            let name = file(context, service, &pod);
            context.store(&name, text).await?;
            evidence.push(name);
        }
    }
    let mut detail = format!("logs of {pods} pods");
    if !missing.is_empty() {
        detail.push_str(&format!(", without {}", missing.join(", ")));
    }
    let already = pods == 0;
    Ok(Success {
        already,
        detail,
        evidence,
        ..Success::default()
    })
}

fn file(context: &Context<'_>, service: &ServicePlan, pod: &Pod) -> String {
    format!(
        "{}/logs/{}/{}.log",
        incident(context.plan),
        service.service,
        pod.name_any()
    )
}

async fn of_pod(context: &Context<'_>, pod: &Pod, since: Duration) -> (String, Vec<String>) {
    let name = pod.name_any();
    let mut text = String::new();
    let mut missing = Vec::new();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    for container in containers {
        let restarts = restarts(pod, &container.name);
        // The one before comes second: a process that begins anew between the two loses nothing then.
        let current = fetch(context, &name, &container.name, false, since).await;
        let before = fetch(context, &name, &container.name, true, since).await;
        let before = match before {
            Err(error) if restarts == 0 && is_none(&error) => None,
            known => Some(("previous ", known)),
        };
        for (what, log) in before.into_iter().chain([("", current)]) {
            let label = format!("{name}/{} {what}log", container.name);
            text.push_str(&format!("==> {label}, {restarts} restarts\n"));
            match log {
                Ok(log) => text.push_str(&log),
                Err(error) => {
                    text.push_str(&format!("(not readable: {})\n", error.chain()));
                    missing.push(label);
                }
            }
        }
    }
    (text, missing)
}

async fn fetch(
    context: &Context<'_>,
    pod: &str,
    container: &str,
    previous: bool,
    since: Duration,
) -> Result<String, Error> {
    let api = context.cluster.pods();
    let params = LogParams {
        container: Some(container.to_owned()),
        previous,
        timestamps: true,
        limit_bytes: Some(LIMIT),
        since_seconds: Some(i64::try_from(since.as_secs().max(1)).unwrap_or(i64::MAX)),
        ..LogParams::default()
    };
    let soon = context.ports.clock.now() + SignedDuration::try_from(PER_POD).unwrap_or_default();
    let budget = context.budget.within(soon);
    let what = format!("read the log of {pod}");
    context
        .cluster
        .call(&what, &budget, || api.logs(pod, &params))
        .await
}

/// Whether that a container had no process before is the answer (`pkg/kubelet/kubelet_pods.go`
/// validateContainerLogStatus). A pod's status counts a restart only once the kubelet has written it, so it is no
/// reason not to ask.
pub(super) fn is_none(error: &Error) -> bool {
    let Error::Kubernetes { source, .. } = error else {
        return false;
    };
    let kube::Error::Api(status) = &**source else {
        return false;
    };
    status.code == 400 && status.message.starts_with("previous terminated container")
}

fn restarts(pod: &Pod, container: &str) -> i32 {
    pod.status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten())
        .find(|status| status.name == container)
        .map_or(0, |status| status.restart_count)
}
