//! The old ReplicaSet serves at full size, every other one is at zero.

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;

use super::concurrent::unchanged;
use super::context::{Context, Stop, Success};
use super::undo::{digest_of_set, owned_sets};
use crate::planner::ServicePlan;

/// Reviews the ReplicaSets of the services.
pub(super) async fn review(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        loop {
            // A paused Deployment looks well until its next pod is missing.
            unchanged(context, service).await?;
            let sets = owned_sets(context.cluster, context, service).await?;
            if context
                .is_reviewed(review_one(service, &sets), &mut parts)
                .await?
            {
                break;
            }
        }
    }
    Ok(Success::join(parts))
}

fn review_one(service: &ServicePlan, sets: &[ReplicaSet]) -> Result<String, String> {
    let name = &service.service;
    let (old, others): (Vec<&ReplicaSet>, Vec<&ReplicaSet>) = sets
        .iter()
        .partition(|set| digest_of_set(set) == service.template_digest);
    let Some(old) = old.into_iter().max_by_key(|set| wanted(set)) else {
        return Err(format!("{name}: no ReplicaSet has the recorded template"));
    };
    if let Some(other) = others
        .iter()
        .find(|set| wanted(set) > 0 || present(set) > 0)
    {
        let (wanted, present) = (wanted(other), present(other));
        return Err(format!(
            "{name}: {} still has {present} pods, {wanted} wanted",
            other.name_any()
        ));
    }
    let available = old
        .status
        .as_ref()
        .and_then(|status| status.available_replicas)
        .unwrap_or(0);
    let full = service.replicas.max(wanted(old));
    if wanted(old) < full || available < full {
        return Err(format!(
            "{name}: {} has {available} of {full} pods available",
            old.name_any()
        ));
    }
    Ok(format!(
        "{name}: {} serves with {available} pods, all others are at zero",
        old.name_any()
    ))
}

fn wanted(set: &ReplicaSet) -> i32 {
    set.spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1)
}

fn present(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map_or(0, |status| status.replicas)
}
