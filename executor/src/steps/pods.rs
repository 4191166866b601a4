//! What every live pod says of itself, asked one by one: a Service would answer for the healthy ones only, and
//! series of pods that are gone linger in Prometheus.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::concurrent::{self, unchanged};
use super::context::{Context, Stop, Success};
use super::looks::{Looks, Trouble};
use super::query::no_data;
use crate::baseline::Build;
use crate::exposition::builds;
use crate::kubernetes::is_live;
use crate::planner::ServicePlan;
use crate::pod_port::PodPort;
use crate::runbook::Phase;

/// How often a wrong build must be seen before it is believed.
const PATIENCE: u32 = 3;
/// No look at the pods on the way takes longer.
const GLANCE: SignedDuration = SignedDuration::from_secs(5);

/// Every live pod answers `/health`, and there are as many as there should be.
pub(super) async fn health(context: &Context<'_>, port: PodPort) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    let mut all = Vec::new();
    for service in context.services() {
        let mut looks = Looks::new(context);
        loop {
            let pods = live(context, service).await?;
            let mut why = too_few(service, &pods).map(Trouble::Seen);
            for pod in &pods {
                if let Err(error) = looks.get(pod, port, "health").await {
                    let what = format!("{} is not healthy", pod.name_any());
                    why = Some(Trouble::of(&what, &error));
                    break;
                }
            }
            let Some(why) = why else {
                let text = format!("{}: {} pods healthy", service.service, pods.len());
                parts.push(Success::done(text));
                break;
            };
            unchanged(context, service).await?;
            looks.wait(why).await?;
        }
        all.push(looks);
    }
    Ok(Looks::record(&all, Success::join(parts)))
}

/// Every live pod shows a build that was recorded before the deployment, and no service of the plan was changed
/// meanwhile, one that was left alone neither.
pub(super) async fn build_info(context: &Context<'_>, port: PodPort) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    let mut all = Vec::new();
    for service in context.services() {
        if service.builds.is_empty() {
            return Err(Stop::Inconclusive(format!(
                "{}: no build was recorded before the deployment",
                service.service
            )));
        }
        let mut wrong = 0;
        let mut looks = Looks::new(context);
        loop {
            let pods = live(context, service).await?;
            let mut why = too_few(service, &pods).map(Trouble::Seen);
            for pod in &pods {
                match looks
                    .get(pod, port, "metrics")
                    .await
                    .map(|text| builds(&text))
                {
                    Ok(build) if service.builds.contains(&build) => {}
                    Ok(build) => {
                        wrong += 1;
                        let text = format!("{} runs {}", pod.name_any(), name(&build));
                        why = Some(Trouble::Seen(text));
                    }
                    Err(error) => why = Some(Trouble::of(&pod.name_any(), &error)),
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
            if context.step.phase == Phase::Run {
                unchanged(context, service).await?;
            }
            if wrong >= PATIENCE {
                return Err(Stop::Failed(format!(
                    "{}, which is not the recorded build",
                    why.text()
                )));
            }
            looks.wait(why).await?;
        }
        all.push(looks);
    }
    if context.step.service.is_none() {
        let mut looks = Looks::new(context);
        while let Err(why) = concurrent::look(context).await? {
            looks.wait(Trouble::Unanswered(why)).await?;
        }
    }
    Ok(Looks::record(&all, Success::join(parts)))
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

/// Those of the pods with these labels that are not on their way out, or why the API server did not say. A check by
/// query looks at them on the way, and no such look takes longer than [`GLANCE`].
pub(super) async fn glance(
    context: &Context<'_>,
    selector: &str,
) -> Result<Result<Vec<Pod>, String>, Stop> {
    let budget = context.budget.within(context.ports.clock.now() + GLANCE);
    match context.cluster.list_pods(selector, &budget).await {
        Ok(mut pods) => {
            pods.retain(is_live);
            Ok(Ok(pods))
        }
        Err(error) => no_data(error),
    }
}

fn too_few(service: &ServicePlan, pods: &[Pod]) -> Option<String> {
    is_short(&service.service, service.replicas, pods)
}

/// What is missing if there are fewer pods of the service than `replicas`, at least one.
pub(super) fn is_short(service: &str, replicas: i32, pods: &[Pod]) -> Option<String> {
    let wanted = usize::try_from(replicas).unwrap_or(0).max(1);
    (pods.len() < wanted).then(|| format!("{service}: {} of {wanted} pods are live", pods.len()))
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
