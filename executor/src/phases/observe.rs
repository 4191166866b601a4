//! Reads the state that the planner decides on: from the API server what there is of the kinds of workloads that were
//! recorded, and two to four answers from the database.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;

use crate::baseline::Baseline;
use crate::clock::timeout;
use crate::error::{Error, NO_TIME};
use crate::executor::Executor;
use crate::kubernetes::{Cluster, Revision, Workload, image_of, owner_uid, revision_of};
use crate::planner::{
    Observed, Reconciler, RevisionState, ServiceState, decide, depends_on_size, template_digest,
};
use crate::ports::DatabaseError;
use crate::report::TriggerEvent;
use crate::workload::WorkloadKind;

impl Executor {
    /// The state now, with `baseline` to compare it with, asked for until `deadline`.
    pub(super) async fn observe(
        &self,
        baseline: Baseline,
        trigger: Option<TriggerEvent>,
        deadline: Timestamp,
    ) -> Result<Observed, Error> {
        let cluster = self.cluster();
        let all = workloads(&cluster, &baseline.kinds(), deadline).await?;
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
        let of_its_kind = |it: &&Workload| {
            let recorded = baseline.services.get(it.name());
            recorded.is_none_or(|recorded| recorded.kind == it.kind())
        };
        let services = all
            .found
            .iter()
            .filter(of_its_kind)
            .map(|it| (it.name().to_owned(), state(it, &all, &baseline, &maps)))
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
            let limit = cluster.left(deadline).max(NO_TIME);
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

/// Workloads with the templates that they have had.
pub(super) struct Workloads {
    /// Workloads of the namespace, of the kinds that were asked for.
    pub(super) found: Vec<Workload>,
    /// The ReplicaSets and ControllerRevisions of the namespace, each with the UID of its controller and its own.
    pub(super) revisions: Vec<Owned>,
}

/// A template that a workload has had.
pub(super) struct Owned {
    /// UID of the workload.
    pub(super) owner: Option<String>,
    /// UID of the ReplicaSet or ControllerRevision.
    pub(super) uid: Option<String>,
    /// The template.
    pub(super) revision: Revision,
}

impl Owned {
    fn of<K: ResourceExt>(object: &K) -> Self
    where
        for<'a> Revision: From<&'a K>,
    {
        Self {
            owner: owner_uid(object.meta()).map(str::to_owned),
            uid: object.uid(),
            revision: Revision::from(object),
        }
    }
}

impl Workloads {
    /// The templates that a workload has had.
    pub(super) fn of<'a>(&'a self, workload: &'a Workload) -> impl Iterator<Item = &'a Owned> {
        let owned = move |it: &&Owned| it.owner.as_deref() == Some(workload.uid());
        self.revisions.iter().filter(owned)
    }
}

/// Workloads of these kinds in the namespace.
pub(super) async fn workloads(
    cluster: &Cluster,
    kinds: &BTreeSet<WorkloadKind>,
    deadline: Timestamp,
) -> Result<Workloads, Error> {
    let params = ListParams::default();
    let (mut found, mut revisions) = (Vec::new(), Vec::new());
    for kind in kinds {
        found.extend(cluster.workloads(*kind, deadline).await?);
        match kind {
            WorkloadKind::Deployment => {
                let api = cluster.replica_sets();
                let list = cluster.call("list replicasets", deadline, || api.list(&params));
                revisions.extend(list.await?.items.iter().map(Owned::of));
            }
            WorkloadKind::StatefulSet => {
                let api = cluster.controller_revisions();
                let list = cluster.call("list controllerrevisions", deadline, || api.list(&params));
                revisions.extend(list.await?.items.iter().map(Owned::of));
            }
        }
    }
    Ok(Workloads { found, revisions })
}

fn state(
    workload: &Workload,
    all: &Workloads,
    baseline: &Baseline,
    maps: &BTreeMap<String, BTreeMap<String, String>>,
) -> ServiceState {
    let template = workload.template_value();
    let recorded = baseline.services.get(workload.name());
    let config = recorded
        .iter()
        .flat_map(|recorded| recorded.config.keys())
        .filter_map(|name| maps.get(name).map(|data| (name.clone(), data.clone())))
        .collect();
    let metadata = workload.metadata();
    ServiceState {
        kind: workload.kind(),
        paused: workload.paused(),
        replicas: workload.replicas(),
        template_digest: template_digest(&template),
        image: workload.template().map(image_of).unwrap_or_default(),
        revision: revision_number(workload, all),
        revisions: all.of(workload).map(|it| known(&it.revision)).collect(),
        half_way: !workload.is_of_one_revision(),
        reconciler: Reconciler::of(metadata.labels.as_ref(), metadata.annotations.as_ref()),
        config,
        uid: workload.uid().to_owned(),
    }
}

/// The number of the revision that a workload is to be of: a Deployment's annotation, or that of the ControllerRevision
/// which a StatefulSet's new pods are made of.
pub(super) fn revision_number(workload: &Workload, all: &Workloads) -> Option<u64> {
    match workload.kind() {
        WorkloadKind::Deployment => revision_of(workload.metadata()),
        WorkloadKind::StatefulSet => {
            let update = workload.update_revision()?;
            let mut owned = all.of(workload);
            owned.find(|it| it.revision.name == update)?.revision.number
        }
    }
}

fn known(revision: &Revision) -> RevisionState {
    RevisionState {
        name: revision.name.clone(),
        revision: revision.number,
        template_digest: template_digest(&revision.template),
        created_at: revision.created_at,
    }
}
