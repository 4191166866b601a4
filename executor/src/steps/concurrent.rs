//! What others did to the services since the plan was made, or since they were rolled back.
//!
//! A template that is not the recorded one, a pause and a scaling down are told apart, as each has a cure of its own
//! (`phases/carry_out`). Another release of a service that is left alone has none: nobody has tried what runs then
//! together, so a person is paged.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::context::{Changed, Context, Stop};
use super::undo::{digest_of, gone, is_the_same, read};
use crate::kubernetes::{Workload, image_of};
use crate::planner::ServicePlan;
use crate::runbook::Phase;
use crate::workload::WorkloadKind;

/// No look at all services takes longer.
const LOOK: SignedDuration = SignedDuration::from_secs(5);

/// Looks at every service of the plan, rolled back or left alone. `Ok(Err)`: the API server did not say.
pub(super) async fn look(context: &Context<'_>) -> Result<Result<(), String>, Stop> {
    let (cluster, plan) = (context.cluster, context.plan);
    let budget = context.budget.within(cluster.clock.now() + LOOK);
    let all = plan.services.iter().chain(&plan.left_alone);
    let kinds: BTreeSet<WorkloadKind> = all.map(|service| service.kind).collect();
    let mut found = Vec::new();
    for kind in kinds {
        match cluster.workloads(kind, &budget).await.map_err(Stop::from) {
            Ok(of_kind) => found.extend(of_kind),
            Err(Stop::Unanswered(why)) => return Ok(Err(why)),
            Err(stop) => return Err(stop),
        }
    }
    for (services, left_alone) in [(&plan.services, false), (&plan.left_alone, true)] {
        for service in services {
            let named = |it: &&Workload| it.kind() == service.kind && it.name() == service.service;
            let workload = found.iter().find(named).ok_or_else(|| gone(service))?;
            is_the_same(service, workload)?;
            match changed(service, workload) {
                None => {}
                Some((Changed::Template, _)) if left_alone => {
                    return Err(Stop::Failed(another_release(service, workload)));
                }
                // Nobody has touched it since.
                Some((Changed::Paused, _)) if left_alone && service.paused => {}
                Some((_, why)) if context.step.phase == Phase::After => {
                    return Err(Stop::Failed(format!(
                        "{why}; somebody changed it since the recovery: stop them before you do anything about it"
                    )));
                }
                Some((what, why)) => return Err(stop(service, what, why)),
            }
        }
    }
    Ok(Ok(()))
}

/// Looks at one service that was rolled back.
pub(super) async fn unchanged(context: &Context<'_>, service: &ServicePlan) -> Result<(), Stop> {
    let workload = read(context, service).await?;
    match changed(service, &workload) {
        None => Ok(()),
        Some((what, why)) => Err(stop(service, what, why)),
    }
}

/// What is not as it was recorded, and in words. Pure.
pub(super) fn changed(service: &ServicePlan, workload: &Workload) -> Option<(Changed, String)> {
    let name = &service.service;
    if digest_of(workload) != service.template_digest {
        let why = format!("{name}: its template is not the recorded one");
        return Some((Changed::Template, why));
    }
    if workload.paused() {
        let why = format!("{name} is paused: no rollout takes place");
        return Some((Changed::Paused, why));
    }
    let wanted = workload.replicas();
    if wanted < service.replicas.max(1) {
        let recorded = service.replicas;
        let why = format!("{name}: {wanted} replicas wanted, {recorded} recorded");
        return Some((Changed::Scaled, why));
    }
    None
}

/// The stop for [`changed`].
pub(super) fn stop(service: &ServicePlan, what: Changed, why: String) -> Stop {
    let service = service.service.clone();
    Stop::Changed { service, what, why }
}

fn another_release(service: &ServicePlan, workload: &Workload) -> String {
    let image = workload.template().map(image_of);
    format!(
        "{} was as recorded when the rollback began, and is {} now: another release was deployed meanwhile",
        service.service,
        image.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::{Value, json};

    use super::changed;
    use crate::kubernetes::Workload;
    use crate::steps::Changed;
    use crate::steps::fixtures::{service, template};

    fn deployment(change: impl FnOnce(&mut Value)) -> Workload {
        let mut object = json!({
            "metadata": { "name": "gateway", "uid": "u" },
            "spec": { "selector": {}, "replicas": 3, "template": template() },
        });
        change(&mut object["spec"]);
        let typed: Deployment = serde_json::from_value(object).expect("a Deployment");
        typed.into()
    }

    #[test]
    fn what_others_do_is_told_apart() {
        let what = |change: fn(&mut Value)| changed(&service(), &deployment(change)).map(|it| it.0);
        assert_eq!(what(|_| {}), None);
        assert_eq!(what(|spec| spec["replicas"] = json!(4)), None, "more stay");
        assert_eq!(
            what(|spec| spec["replicas"] = json!(2)),
            Some(Changed::Scaled)
        );
        assert_eq!(
            what(|spec| spec["paused"] = json!(true)),
            Some(Changed::Paused)
        );
        // Whoever resumed it first would roll the other template out.
        let both = |spec: &mut Value| {
            spec["paused"] = json!(true);
            spec["template"]["spec"]["containers"][0]["image"] = json!("dex/gateway:2");
        };
        assert_eq!(what(both), Some(Changed::Template));
    }
}
