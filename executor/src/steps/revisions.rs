//! `kubectl rollout history` of a StatefulSet: the recorded ControllerRevision is the latest one, and all pods are of
//! it.

use super::concurrent::unchanged;
use super::context::{Context, Stop, Success};
use super::undo::{history, read};
use crate::kubernetes::{Revision, Workload};
use crate::planner::{ServicePlan, template_digest};

/// Reviews the ControllerRevisions of the services.
pub(super) async fn review(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        loop {
            unchanged(context, service).await?;
            let workload = read(context, service).await?;
            let revisions = history(context, service).await?;
            let found = review_one(service, &workload, &revisions);
            if context.is_reviewed(found, &mut parts).await? {
                break;
            }
        }
    }
    Ok(Success::join(parts))
}

/// Pure.
fn review_one(
    service: &ServicePlan,
    workload: &Workload,
    revisions: &[Revision],
) -> Result<String, String> {
    let name = &service.service;
    let latest = revisions
        .iter()
        .max_by_key(|it| (it.number, it.name.clone()));
    let Some(latest) = latest else {
        return Err(format!("{name}: it has no ControllerRevision"));
    };
    if template_digest(&latest.template) != service.template_digest {
        return Err(format!(
            "{name}: the latest revision, {}, is not the recorded one",
            latest.name
        ));
    }
    if workload.update_revision() != Some(&latest.name) || !workload.is_of_one_revision() {
        return Err(format!("{name}: not all pods are of {} yet", latest.name));
    }
    let counts = workload.counts();
    let full = service.replicas.max(workload.replicas());
    if counts.updated < full || counts.available < full {
        return Err(format!(
            "{name}: {} has {} of {full} pods available",
            latest.name,
            counts.available.min(counts.updated)
        ));
    }
    Ok(format!(
        "{name}: {} serves with {} pods, and no pod is of another revision",
        latest.name, counts.available
    ))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
    use serde_json::{Value, json};

    use super::review_one;
    use crate::kubernetes::{Revision, Workload};
    use crate::planner::ServicePlan;
    use crate::steps::fixtures::{service, template};
    use crate::workload::WorkloadKind;

    fn revision(name: &str, number: i64, template: &Value) -> Revision {
        let revision: ControllerRevision = serde_json::from_value(json!({
            "metadata": { "name": name }, "revision": number, "data": { "spec": { "template": template } },
        }))
        .expect("a ControllerRevision");
        Revision::from(&revision)
    }

    fn workload(current: &str, available: i32) -> Workload {
        let typed: StatefulSet = serde_json::from_value(json!({
            "metadata": { "name": "gateway", "uid": "u" },
            "spec": { "serviceName": "gateway", "selector": {}, "replicas": 3, "template": template() },
            "status": { "replicas": 3, "updatedReplicas": 3, "availableReplicas": available,
                "currentRevision": current, "updateRevision": "good" },
        }))
        .expect("a StatefulSet");
        typed.into()
    }

    #[test]
    fn the_recorded_revision_must_be_the_latest_and_serve_alone() {
        let service = ServicePlan {
            kind: WorkloadKind::StatefulSet,
            ..service()
        };
        let bad = revision("bad", 2, &json!({ "spec": { "containers": [] } }));
        let known = [revision("good", 3, &template()), bad.clone()];
        assert!(review_one(&service, &workload("good", 3), &known).is_ok());
        assert!(review_one(&service, &workload("bad", 3), &known).is_err());
        assert!(review_one(&service, &workload("good", 2), &known).is_err());
        let not_undone = [revision("good", 1, &template()), bad];
        assert!(review_one(&service, &workload("good", 3), &not_undone).is_err());
        assert!(review_one(&service, &workload("good", 3), &[]).is_err());
    }
}
