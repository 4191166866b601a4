//! What every live pod says of itself, asked one by one: a Service would answer for the healthy ones only, and
//! series of pods that are gone linger in Prometheus.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::context::{Context, Stop, Success};
use super::undo::digest_of;
use crate::baseline::Build;
use crate::error::Error;
use crate::exposition::builds;
use crate::kubernetes::{container_port, image_of, is_live};
use crate::planner::{ServicePlan, template_digest};
use crate::runbook::Phase;

const PAUSE: Duration = Duration::from_secs(1);
/// How often a wrong build must be seen before it is believed.
const PATIENCE: u32 = 3;

/// Every live pod answers `/health`, and there are as many as there should be.
pub(super) async fn health(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        loop {
            let pods = live(context, service).await?;
            let mut why = too_few(service, &pods);
            for pod in &pods {
                if let Err(error) = get(context, pod, "health").await {
                    why = Some(format!(
                        "{} is not healthy: {}",
                        pod.name_any(),
                        error.chain()
                    ));
                    break;
                }
            }
            let Some(why) = why else {
                let text = format!("{}: {} pods healthy", service.service, pods.len());
                parts.push(Success::done(text));
                break;
            };
            context.wait(&why, PAUSE).await?;
        }
    }
    Ok(Success::join(parts))
}

/// Every live pod shows a build that was recorded before the deployment; after the proof of recovery, the services that were
/// left alone must also still be as recorded.
pub(super) async fn build_info(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        if service.builds.is_empty() {
            return Err(Stop::Inconclusive(format!(
                "{}: no build was recorded before the deployment",
                service.service
            )));
        }
        let mut wrong = 0;
        loop {
            let pods = live(context, service).await?;
            let mut why = too_few(service, &pods);
            for pod in &pods {
                match get(context, pod, "metrics").await.map(|text| builds(&text)) {
                    Ok(build) if service.builds.contains(&build) => {}
                    Ok(build) => {
                        wrong += 1;
                        why = Some(format!("{} runs {}", pod.name_any(), name(&build)));
                    }
                    Err(error) => why = Some(format!("{}: {}", pod.name_any(), error.chain())),
                }
                if why.is_some() {
                    break;
                }
            }
            let Some(why) = why else {
                let wanted: Vec<String> = service.builds.iter().map(name).collect();
                let text = format!(
                    "{}: {} pods run {}",
                    service.service,
                    pods.len(),
                    wanted.join(" or ")
                );
                parts.push(Success::done(text));
                break;
            };
            if wrong >= PATIENCE {
                return Err(Stop::Failed(format!(
                    "{why}, which is not the recorded build"
                )));
            }
            context.wait(&why, PAUSE).await?;
        }
    }
    if context.step.phase == Phase::After && context.step.service.is_none() {
        left_alone(context).await?;
    }
    Ok(Success::join(parts))
}

/// T3: a release that somebody deployed meanwhile may be of a service that the plan has no step for.
async fn left_alone(context: &Context<'_>) -> Result<(), Stop> {
    let api = context.cluster.deployments();
    for name in &context.plan.unchanged {
        let Some(recorded) = context.baseline.services.get(name) else {
            continue;
        };
        let found = context.cluster.get_opt(&api, name, &context.budget).await?;
        let found = found.ok_or_else(|| Stop::Failed(format!("deployment {name} is gone")))?;
        if digest_of(&found) != template_digest(&recorded.template) {
            let image = found.spec.as_ref().map(|spec| image_of(&spec.template));
            return Err(Stop::Failed(format!(
                "{name} was as recorded when the rollback began, and is {} now: another release was deployed meanwhile",
                image.unwrap_or_default()
            )));
        }
    }
    Ok(())
}

/// Pods of the service that are not on their way out.
pub(super) async fn live(context: &Context<'_>, service: &ServicePlan) -> Result<Vec<Pod>, Stop> {
    let mut pods = context
        .cluster
        .list_pods(&service.selector, &context.budget)
        .await?;
    pods.retain(is_live);
    Ok(pods)
}

fn too_few(service: &ServicePlan, pods: &[Pod]) -> Option<String> {
    is_short(&service.service, service.replicas, pods)
}

/// What is missing if there are fewer pods of the service than `replicas`, at least one.
pub(super) fn is_short(service: &str, replicas: i32, pods: &[Pod]) -> Option<String> {
    let wanted = usize::try_from(replicas).unwrap_or(0).max(1);
    (pods.len() < wanted).then(|| format!("{service}: {} of {wanted} pods are live", pods.len()))
}

/// A page of a pod.
pub(super) async fn get(context: &Context<'_>, pod: &Pod, path: &str) -> Result<String, Error> {
    let soon = context.ports.clock.now() + SignedDuration::from_secs(2);
    let budget = context.budget.within(soon);
    context
        .cluster
        .pod_get(&pod.name_any(), container_port(pod), path, &budget)
        .await
}

/// A build for a reader: its version, or its labels.
fn name(build: &Build) -> String {
    let parts: Vec<String> = build
        .iter()
        .map(|(metric, labels)| match labels.get("version") {
            Some(version) => format!("version {version}"),
            None => format!("{metric} {labels:?}"),
        })
        .collect();
    if parts.is_empty() {
        "no build_info".to_owned()
    } else {
        parts.join(", ")
    }
}
