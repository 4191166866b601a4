//! `kubectl scale`: replicas are not part of what an undo brings back.

use kube::api::Patch;
use serde_json::json;

use super::context::{Context, Stop, Success};
use super::undo::{read, written};
use crate::error::Error;
use crate::planner::ServicePlan;

/// Brings the services up to as many replicas as were recorded. More are somebody's choice, and stay.
pub(super) async fn restore(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        parts.push(written(context, || restore_one(context, service)).await?);
    }
    Ok(Success::join(parts))
}

async fn restore_one(
    context: &Context<'_>,
    service: &ServicePlan,
) -> Result<Result<Success, Error>, Stop> {
    let (name, wanted) = (&service.service, service.replicas);
    let now = read(context, service).await?.replicas();
    if now >= wanted {
        return Ok(Ok(Success::already(format!("{name} wants {now} replicas"))));
    }
    let patch = Patch::Merge(json!({ "spec": { "replicas": wanted } }));
    let send = || context.cluster.patch_workload(service.kind, name, &patch);
    let what = format!("scale {} {name} to {wanted}", service.kind.word());
    let scaled = match context.cluster.call(&what, &context.budget, send).await {
        Ok(scaled) => scaled,
        Err(error) => return Ok(Err(error)),
    };
    let now_wanted = scaled.replicas();
    if now_wanted < wanted {
        return Err(Stop::Failed(format!(
            "{name} was scaled to {wanted} replicas, but reads {now_wanted}"
        )));
    }
    Ok(Ok(Success::done(format!(
        "{name} scaled from {now} to {wanted} replicas"
    ))))
}
