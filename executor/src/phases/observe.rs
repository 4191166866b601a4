//! Reads the state that the planner decides on: four calls to the API server, two to four to the database.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;
use kube::api::ListParams;

use crate::baseline::Baseline;
use crate::clock::timeout;
use crate::error::Error;
use crate::executor::Executor;
use crate::kubernetes::{Cluster, image_of, owner_uid, revision_of, template_value, timestamp};
use crate::planner::{
    Observed, Reconciler, ReplicaSetState, ServiceState, decide, depends_on_size, template_digest,
};
use crate::ports::DatabaseError;
use crate::report::TriggerEvent;

impl Executor {
    /// The state now, with `baseline` to compare it with, asked for until `deadline`.
    pub(super) async fn observe(
        &self,
        baseline: Baseline,
        trigger: Option<TriggerEvent>,
        deadline: Timestamp,
    ) -> Result<Observed, Error> {
        let cluster = self.cluster();
        let (deployments, sets) = workloads(&cluster, deadline).await?;
        let api = cluster.config_maps();
        let params = ListParams::default();
        let list = cluster
            .call("list configmaps", deadline, || api.list(&params))
            .await?;
        let maps: BTreeMap<String, BTreeMap<String, String>> = list
            .items
            .into_iter()
            .map(|map| (map.name_any(), map.data.unwrap_or_default()))
            .collect();
        let services = deployments
            .iter()
            .map(|deployment| {
                (
                    deployment.name_any(),
                    state(deployment, &sets, &baseline, &maps),
                )
            })
            .collect();
        let database = &self.ports.database;
        let history = self
            .database("read the history", deadline, || database.history())
            .await?;
        let snapshot = match self.runbook.snapshot_restored() {
            Some(name) => {
                let find = || database.find_snapshot(name);
                self.database("look for the snapshot", deadline, find)
                    .await?
            }
            None => None,
        };
        let mut observed = Observed {
            at: self.now(),
            baseline,
            services,
            history,
            scripts: maps
                .get(&self.runbook.migrations)
                .cloned()
                .unwrap_or_default(),
            snapshot,
            position: None,
            trigger,
            force: self.options.force,
        };
        if depends_on_size(decide(&observed).path) {
            let position = self
                .database("read the position", deadline, || database.position())
                .await?;
            observed.position = Some(position);
            observed.at = self.now();
        }
        Ok(observed)
    }

    /// Asks the database until it answers for good or `deadline` comes.
    pub(super) async fn database<T, F, Fut>(
        &self,
        what: &str,
        deadline: Timestamp,
        operation: F,
    ) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, DatabaseError>>,
    {
        let cluster = self.cluster();
        let mut pause = Duration::from_millis(200);
        loop {
            let limit = cluster.left(deadline).max(Duration::from_millis(1));
            match timeout(&*self.ports.clock, limit, operation()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(source)) => {
                    if !source.is_transient() || !cluster.pause(pause, deadline).await {
                        return Err(Error::Database {
                            what: what.to_owned(),
                            source,
                        });
                    }
                }
                Err(_) => {
                    return Err(Error::Deadline {
                        what: what.to_owned(),
                        limit,
                    });
                }
            }
            pause = (pause * 2).min(Duration::from_secs(3));
        }
    }
}

/// Deployments and ReplicaSets of the namespace.
pub(super) async fn workloads(
    cluster: &Cluster,
    deadline: Timestamp,
) -> Result<(Vec<Deployment>, Vec<ReplicaSet>), Error> {
    let params = ListParams::default();
    let api = cluster.deployments();
    let deployments = cluster
        .call("list deployments", deadline, || api.list(&params))
        .await?;
    let api = cluster.replica_sets();
    let sets = cluster
        .call("list replicasets", deadline, || api.list(&params))
        .await?;
    Ok((deployments.items, sets.items))
}

fn state(
    deployment: &Deployment,
    sets: &[ReplicaSet],
    baseline: &Baseline,
    maps: &BTreeMap<String, BTreeMap<String, String>>,
) -> ServiceState {
    let uid = deployment.uid().unwrap_or_default();
    let spec = deployment.spec.as_ref();
    let template = spec
        .map(|spec| template_value(&spec.template))
        .unwrap_or_default();
    let recorded = baseline.services.get(&deployment.name_any());
    let config = recorded
        .iter()
        .flat_map(|recorded| recorded.config.keys())
        .filter_map(|name| maps.get(name).map(|data| (name.clone(), data.clone())))
        .collect();
    ServiceState {
        paused: spec.and_then(|spec| spec.paused).unwrap_or(false),
        replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
        template_digest: template_digest(&template),
        image: spec
            .map(|spec| image_of(&spec.template))
            .unwrap_or_default(),
        revision: revision_of(&deployment.metadata),
        replica_sets: sets
            .iter()
            .filter(|set| owner_uid(&set.metadata) == Some(&uid))
            .map(set_state)
            .collect(),
        reconciler: Reconciler::of(
            deployment.metadata.labels.as_ref(),
            deployment.metadata.annotations.as_ref(),
        ),
        config,
        uid,
    }
}

fn set_state(set: &ReplicaSet) -> ReplicaSetState {
    let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    ReplicaSetState {
        name: set.name_any(),
        revision: revision_of(&set.metadata),
        template_digest: template
            .map(|template| template_digest(&template_value(template)))
            .unwrap_or_default(),
        created_at: set.metadata.creation_timestamp.as_ref().map(timestamp),
    }
}
