//! Pods that run on an older configuration, replaced one by one: with an unchanged template no rollout does it.
//!
//! They are evicted, not deleted: an eviction heeds the service's disruption budget (Kubernetes,
//! "API-initiated Eviction").

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::EvictParams;

use super::concurrent::unchanged;
use super::context::{Context, Stop, Success};
use crate::budget::Budget;
use crate::error::Error;
use crate::kubernetes::{Cluster, in_words, is_live, is_status, timestamp};
use crate::planner::ServicePlan;
use crate::workload::WorkloadKind;

/// How long until the next look.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Whose pods are replaced.
pub(crate) struct Pods<'a> {
    pub(crate) service: &'a str,
    /// Of which kind the workload is that keeps them.
    pub(crate) kind: WorkloadKind,
    pub(crate) selector: &'a str,
    pub(crate) replicas: i32,
    /// Those that were created before that.
    pub(crate) older_than: Timestamp,
}

/// What came of one look.
pub(crate) enum Look {
    /// No pod is older, and all are there.
    Done,
    /// One was evicted.
    Evicted,
    /// What it waits for.
    Waits(String),
}

/// Replaces the pods that started before their configuration was put back. Done again, it finds nothing to do.
pub(super) async fn replace(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        parts.push(replace_of(context, service).await?);
    }
    Ok(Success::join(parts))
}

async fn replace_of(context: &Context<'_>, service: &ServicePlan) -> Result<Success, Stop> {
    let name = &service.service;
    let restored = context
        .facts
        .config_restored
        .iter()
        .filter(|(of, _)| of.is_none() || of.as_ref() == Some(name))
        .map(|(_, at)| *at)
        .max();
    let Some(older_than) = restored else {
        let text =
            format!("{name}: its pods were left alone, as no step restored its configuration");
        return Ok(Success::already(text));
    };
    let pods = Pods {
        service: name,
        kind: service.kind,
        selector: &service.selector,
        replicas: service.replicas,
        older_than,
    };
    let mut replaced = 0;
    loop {
        let why = match pods.look(context.cluster, &context.budget).await? {
            Look::Done if replaced == 0 => {
                let text = format!("{name}: no pod is older than its configuration");
                return Ok(Success::already(text));
            }
            Look::Done => return Ok(Success::done(format!("{name}: {replaced} pods replaced"))),
            Look::Evicted => {
                replaced += 1;
                format!("{name}: replacing pods")
            }
            Look::Waits(why) => {
                // Pods that somebody scaled away never come.
                unchanged(context, service).await?;
                why
            }
        };
        context.wait(&why, LOOK).await?;
    }
}

impl Pods<'_> {
    /// Evicts one of them if all are there, so that never more than one is missing.
    pub(crate) async fn look(&self, cluster: &Cluster, budget: &Budget) -> Result<Look, Error> {
        let mut pods = cluster.list_pods(self.selector, budget).await?;
        pods.retain(is_live);
        let workload = cluster.workload(self.kind, self.service, budget).await?;
        let available = workload.map_or(0, |workload| workload.counts().available);
        let full = available >= self.replicas
            && i32::try_from(pods.len()).is_ok_and(|count| count >= self.replicas);
        if !full {
            let why = format!("{}: waiting until all pods are available", self.service);
            return Ok(Look::Waits(why));
        }
        match pods.iter().find(|pod| self.is_older(pod)) {
            None => Ok(Look::Done),
            Some(pod) => evict(cluster, &pod.name_any(), budget).await,
        }
    }

    fn is_older(&self, pod: &Pod) -> bool {
        let created = pod.metadata.creation_timestamp.as_ref();
        created.is_some_and(|at| timestamp(at) < self.older_than)
    }
}

async fn evict(cluster: &Cluster, pod: &str, budget: &Budget) -> Result<Look, Error> {
    let api = cluster.pods();
    let params = EvictParams::default();
    let send = || async {
        match api.evict(pod, &params).await {
            // Its disruption budget does not allow it for now.
            Err(error) if is_status(&error, 429) => Ok(Look::Waits(format!(
                "could not evict {pod} yet: {}",
                in_words(&error)
            ))),
            // It is gone, or the answer to an earlier attempt was lost.
            Err(error) if !is_status(&error, 404) => Err(error),
            _ => Ok(Look::Evicted),
        }
    };
    cluster
        .call(&format!("evict pod {pod}"), budget, send)
        .await
}
