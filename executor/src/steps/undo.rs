//! `kubectl rollout undo`, `pause` and `resume`, request for request (`pkg/polymorphichelpers/rollback.go`), with two
//! additions: the pinned target is recognized by its template, and what came of the patch is read back.
//!
//! A Deployment goes back to the template of a ReplicaSet. A StatefulSet goes back by the patch that a
//! ControllerRevision keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::context::{Changed, Context, Stop, Success};
use crate::clock::timeout;
use crate::error::Error;
use crate::kubernetes::{
    Cluster, Revision, Workload, in_words, is_conflict, is_status, owner_uid, retry_pause,
    template_value,
};
use crate::planner::{ServicePlan, template_digest};
use crate::workload::WorkloadKind;

/// Annotations that kubectl keeps from the Deployment; all others come from the ReplicaSet.
const KEPT: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// Where an undo goes.
#[derive(Clone, Debug, PartialEq)]
struct Destination {
    /// Template, without `pod-template-hash`.
    template: Value,
    /// Its digest.
    digest: String,
    /// Annotations of its ReplicaSet; `None`: the recorded template, with the Deployment's annotations.
    annotations: Option<BTreeMap<String, String>>,
    /// What a ControllerRevision keeps; `None`: there is none, and the template is put in the place of the present one.
    patch: Option<Value>,
    /// For a reader.
    name: String,
}

/// Rolls the services back.
pub(super) async fn undo(context: &Context<'_>, pinned: bool) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        parts.push(undo_one(context, service, pinned).await?);
    }
    Ok(Success::join(parts))
}

async fn undo_one(
    context: &Context<'_>,
    service: &ServicePlan,
    pinned: bool,
) -> Result<Success, Stop> {
    let cluster = context.cluster;
    let name = &service.service;
    let mut fixed: Option<Destination> = None;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let workload = read(context, service).await?;
        let now = digest_of(&workload);
        if pinned && now == service.template_digest {
            return Ok(Success::already(format!(
                "{name}: its template is the recorded one already"
            )));
        }
        let destination = match &fixed {
            Some(destination) => destination.clone(),
            None => {
                let revisions = history(context, service).await?;
                let found = if pinned {
                    recorded(service, &revisions)
                } else {
                    previous(service, &revisions)?
                };
                fixed.insert(found).clone()
            }
        };
        if workload.paused() {
            return Err(Stop::Changed {
                service: name.clone(),
                what: Changed::Paused,
                why: "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
                    .to_owned(),
            });
        }
        if now == destination.digest {
            // kubectl says so, exits 0 and has done nothing. Later checks tell whether that is where it should be.
            let text = format!(
                "{name}: skipped rollback (current template already matches {})",
                destination.name
            );
            return Ok(Success::already(text));
        }
        let patch = undo_patch(&workload, &destination)?;
        let began = cluster.clock.now();
        let limit = cluster
            .request_timeout
            .min(cluster.left(context.budget.last()));
        let send = cluster.patch_workload(service.kind, name, &patch);
        let send = timeout(&*cluster.clock, limit, send).await;
        let (error, pause) = match send {
            Ok(Ok(patched)) => {
                if digest_of(&patched) != destination.digest {
                    return Err(Stop::Failed(format!(
                        "{name}: the template was patched, but reads otherwise"
                    )));
                }
                return Ok(Success::done(format!(
                    "{name}: rolled back to {}",
                    destination.name
                )));
            }
            // The server tries to apply the patch a few times and then says that others wrote meanwhile.
            Ok(Err(error)) if is_status(&error, 409) => {
                (in_words(&error), Duration::from_millis(100))
            }
            Ok(Err(error)) => match retry_pause(&error, attempt) {
                Some(pause) => (in_words(&error), pause),
                None => {
                    let why = in_words(&error);
                    return Err(Stop::Failed(format!("{name}: undo refused: {why}")));
                }
            },
            Err(elapsed) => (elapsed.to_string(), Duration::from_millis(100)),
        };
        // Whether it took effect is unknown: read again before patching again.
        context
            .refused(&format!("undo {name}"), &error, began, pause)
            .await?;
    }
}

/// Pauses Deployments.
pub(super) async fn pause(context: &Context<'_>) -> Result<Success, Stop> {
    set_paused(context, true).await
}

/// Resumes paused Deployments.
pub(super) async fn resume(context: &Context<'_>) -> Result<Success, Stop> {
    set_paused(context, false).await
}

async fn set_paused(context: &Context<'_>, wanted: bool) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        parts.push(written(context, || set_paused_one(context, service, wanted)).await?);
    }
    Ok(Success::join(parts))
}

async fn set_paused_one(
    context: &Context<'_>,
    service: &ServicePlan,
    wanted: bool,
) -> Result<Result<Success, Error>, Stop> {
    let name = &service.service;
    let is_paused = |it: &Deployment| it.spec.as_ref().and_then(|spec| spec.paused) == Some(true);
    if read(context, service).await?.paused() == wanted {
        let is = if wanted {
            "paused already"
        } else {
            "not paused"
        };
        return Ok(Ok(Success::already(format!("{name} is {is}"))));
    }
    // What kubectl sends: a strategic merge patch that sets the field, or removes it
    // (`pkg/polymorphichelpers/objectpauser.go`, `objectresumer.go`).
    let paused = wanted.then_some(true);
    let patch = Patch::Strategic(json!({ "spec": { "paused": paused } }));
    let api = context.cluster.deployments();
    let params = PatchParams::default();
    let send = || api.patch(name, &params, &patch);
    let (verb, done) = if wanted {
        ("pause", "paused")
    } else {
        ("resume", "resumed")
    };
    let what = format!("{verb} deployment {name}");
    let patched = match context.cluster.call(&what, &context.budget, send).await {
        Ok(patched) => patched,
        Err(error) => return Ok(Err(error)),
    };
    if is_paused(&patched) != wanted {
        let reads = if wanted { "not paused" } else { "paused" };
        return Err(Stop::Failed(format!(
            "{name} was {done}, but reads {reads}"
        )));
    }
    Ok(Ok(Success::done(format!("{name} {done}"))))
}

/// What came of `write`, which reads and patches without a precondition. The server tries to apply such a patch a few
/// times and then says that others wrote meanwhile (409), which is no answer.
pub(super) async fn written<F>(
    context: &Context<'_>,
    write: impl Fn() -> F,
) -> Result<Success, Stop>
where
    F: Future<Output = Result<Result<Success, Error>, Stop>>,
{
    loop {
        let began = context.cluster.clock.now();
        match write().await? {
            Ok(success) => return Ok(success),
            Err(error) if is_conflict(&error) => {
                let pause = Duration::from_millis(100);
                let what = context.step.label();
                context.refused(&what, &error.chain(), began, pause).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The workload that was recorded; another of the same name is not touched.
pub(super) async fn read(context: &Context<'_>, service: &ServicePlan) -> Result<Workload, Stop> {
    let (name, cluster) = (&service.service, context.cluster);
    let found = cluster
        .workload(service.kind, name, &context.budget)
        .await?;
    let found = found.ok_or_else(|| gone(service))?;
    is_the_same(service, &found)?;
    Ok(found)
}

/// The failure where the workload is gone.
pub(super) fn gone(service: &ServicePlan) -> Stop {
    let (word, name) = (service.kind.word(), &service.service);
    Stop::Failed(format!("{word} {name} is gone"))
}

/// Refuses a workload that is not the recorded one.
pub(super) fn is_the_same(service: &ServicePlan, found: &Workload) -> Result<(), Stop> {
    if found.uid() == service.uid {
        return Ok(());
    }
    let (word, name) = (service.kind.word(), &service.service);
    Err(Stop::Failed(format!(
        "{word} {name} was deleted and created again"
    )))
}

/// The templates that the workload has had.
pub(super) async fn history(
    context: &Context<'_>,
    service: &ServicePlan,
) -> Result<Vec<Revision>, Stop> {
    if service.kind == WorkloadKind::Deployment {
        let sets = owned_sets(context.cluster, context, service).await?;
        return Ok(sets.iter().map(Revision::from).collect());
    }
    let api = context.cluster.controller_revisions();
    let params = ListParams::default().labels(&service.selector);
    let list = context
        .cluster
        .call("list controllerrevisions", &context.budget, || {
            api.list(&params)
        })
        .await?;
    let own = |uid: Option<&str>| uid == Some(&service.uid);
    let owned = list
        .items
        .iter()
        .filter(|it| own(owner_uid(&it.metadata)))
        .map(Revision::from);
    Ok(owned.collect())
}

/// ReplicaSets that the Deployment owns, by UID.
pub(super) async fn owned_sets(
    cluster: &Cluster,
    context: &Context<'_>,
    service: &ServicePlan,
) -> Result<Vec<ReplicaSet>, Stop> {
    let api = cluster.replica_sets();
    let params = ListParams::default().labels(&service.selector);
    let list = cluster
        .call("list replicasets", &context.budget, || api.list(&params))
        .await?;
    let mut sets = list.items;
    sets.retain(|set| owner_uid(&set.metadata) == Some(&service.uid));
    Ok(sets)
}

/// Digest of the workload's template.
pub(super) fn digest_of(workload: &Workload) -> String {
    template_digest(&workload.template_value())
}

/// Digest of the ReplicaSet's template.
pub(super) fn digest_of_set(set: &ReplicaSet) -> String {
    let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    template.map_or_else(String::new, |template| {
        template_digest(&template_value(template))
    })
}

/// The revision with the recorded template, whatever its number is by now, or the template itself.
fn recorded(service: &ServicePlan, revisions: &[Revision]) -> Destination {
    let newest = revisions
        .iter()
        .filter(|it| template_digest(&it.template) == service.template_digest)
        .max_by_key(|it| (it.number, it.name.clone()));
    match newest {
        Some(revision) => of_revision(revision),
        None => Destination {
            template: service.template.clone(),
            digest: service.template_digest.clone(),
            annotations: None,
            patch: None,
            name: format!(
                "the recorded template ({}), as its {} was pruned",
                service.to_image,
                service.kind.keeps_history_in()
            ),
        },
    }
}

/// The second-highest revision, as kubectl takes it without `--to-revision`.
fn previous(service: &ServicePlan, revisions: &[Revision]) -> Result<Destination, Stop> {
    let mut numbered: Vec<(u64, &Revision)> = revisions
        .iter()
        .filter_map(|it| it.number.map(|number| (number, it)))
        .collect();
    numbered.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    match numbered.get(1) {
        Some((_, revision)) => Ok(of_revision(revision)),
        None => Err(Stop::Failed(format!(
            "no rollout history found for {} \"{}\"",
            service.kind.word(),
            service.service
        ))),
    }
}

fn of_revision(revision: &Revision) -> Destination {
    let number = revision
        .number
        .map_or_else(|| "?".to_owned(), |n| n.to_string());
    Destination {
        template: revision.template.clone(),
        digest: template_digest(&revision.template),
        annotations: Some(revision.annotations.clone()),
        patch: revision.patch.clone(),
        name: format!("revision {number} ({})", revision.name),
    }
}

/// What kubectl sends.
fn undo_patch(workload: &Workload, destination: &Destination) -> Result<Patch<Value>, Stop> {
    let deployment = match workload {
        Workload::Deployment(deployment) => deployment,
        Workload::StatefulSet(_) => {
            let kept = destination.patch.clone();
            return Ok(Patch::Strategic(
                kept.unwrap_or_else(|| replacing(&destination.template)),
            ));
        }
    };
    serde_json::from_value(replacements(deployment, destination))
        .map(Patch::Json)
        .map_err(|error| Stop::Failed(format!("could not make the patch: {error}")))
}

/// What a ControllerRevision would keep of the template.
fn replacing(template: &Value) -> Value {
    let mut template = template.clone();
    template["$patch"] = json!("replace");
    json!({ "spec": { "template": template } })
}

/// Two replace operations, as kubectl makes them for a Deployment.
fn replacements(deployment: &Deployment, destination: &Destination) -> Value {
    let own = deployment.metadata.annotations.clone().unwrap_or_default();
    let annotations = match &destination.annotations {
        None => own,
        Some(theirs) => {
            let kept = own
                .into_iter()
                .filter(|(key, _)| KEPT.contains(&key.as_str()));
            let taken = theirs
                .clone()
                .into_iter()
                .filter(|(key, _)| !KEPT.contains(&key.as_str()));
            taken.chain(kept).collect()
        }
    };
    json!([
        { "op": "replace", "path": "/spec/template", "value": destination.template },
        { "op": "replace", "path": "/metadata/annotations", "value": annotations },
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
    use serde_json::json;

    use super::{Destination, of_revision, previous, replacements, replacing};
    use crate::kubernetes::Revision;
    use crate::steps::fixtures::service;

    fn set(name: &str, revision: u64, image: &str) -> Revision {
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": { "name": name, "annotations": {
                "deployment.kubernetes.io/revision": revision.to_string(),
                "deployment.kubernetes.io/desired-replicas": "3",
                "kubernetes.io/change-cause": "as before" } },
            "spec": { "selector": {}, "template": {
                "metadata": { "labels": { "app": "gateway", "pod-template-hash": "abc" } },
                "spec": { "containers": [{ "name": "gateway", "image": image }] } } }
        }))
        .expect("a ReplicaSet");
        Revision::from(&set)
    }

    #[test]
    fn the_patch_is_kubectls() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": { "name": "gateway", "annotations": {
                "deployment.kubernetes.io/revision": "2", "maintenance": "on" } },
            "spec": { "selector": {}, "template": {} }
        }))
        .expect("a Deployment");
        let patch = replacements(
            &deployment,
            &of_revision(&set("gateway-a", 1, "dex/gateway:1")),
        );
        let expected = json!([
            { "op": "replace", "path": "/spec/template", "value": {
                "metadata": { "labels": { "app": "gateway" } },
                "spec": { "containers": [{ "name": "gateway", "image": "dex/gateway:1" }] } } },
            { "op": "replace", "path": "/metadata/annotations", "value": {
                "deployment.kubernetes.io/revision": "2",
                "kubernetes.io/change-cause": "as before" } },
        ]);
        assert_eq!(patch, expected);
    }

    #[test]
    fn the_recorded_template_keeps_the_deployments_annotations() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": { "annotations": { "maintenance": "on" } },
            "spec": { "selector": {}, "template": {} }
        }))
        .expect("a Deployment");
        let destination = Destination {
            template: json!({ "spec": {} }),
            digest: String::new(),
            annotations: None,
            patch: None,
            name: String::new(),
        };
        let patch = replacements(&deployment, &destination);
        let kept: BTreeMap<String, String> =
            serde_json::from_value(patch[1]["value"].clone()).expect("annotations");
        assert_eq!(kept["maintenance"], "on");
    }

    #[test]
    fn an_unpinned_undo_goes_to_the_second_highest_revision() {
        let sets = [set("c", 3, "x:3"), set("a", 1, "x:1"), set("b", 2, "x:2")];
        assert!(previous(&service(), &sets).is_ok_and(|to| to.name == "revision 2 (b)"));
        assert!(previous(&service(), &sets[..1]).is_err());
    }

    #[test]
    fn a_template_without_a_controller_revision_replaces_the_whole_template() {
        let template = json!({ "spec": { "containers": [] } });
        let expected = json!({ "spec": { "template": { "$patch": "replace", "spec": { "containers": [] } } } });
        assert_eq!(replacing(&template), expected);
    }
}
