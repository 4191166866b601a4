//! What the manifests say of the services.

use std::collections::BTreeMap;
use std::ops::Range;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Probe};
use sim::time::Micros;

use super::app::{Service, Spread};
use super::quantity::{Share, megabytes};
use super::store::SchemaNeed;
use crate::manifests::{Manifests, Object};
use crate::mistake::Mistakes;

/// Pods of all Deployments together, at most.
const PODS_MOST: u32 = 5_000;

/// A service as its manifest has it, with what is assumed of the rest.
pub(super) fn service(
    m: &mut Mistakes,
    place: &Range<usize>,
    manifests: &Manifests,
    object: &Object,
    deployment: &Deployment,
) -> Option<Service> {
    let template = &deployment.spec.as_ref()?.template;
    let labels = template
        .metadata
        .as_ref()?
        .labels
        .clone()
        .unwrap_or_default();
    let container: &Container = template.spec.as_ref()?.containers.first()?;
    let app = labels.get("app").cloned();
    if app.is_none() {
        let (line, column) = object.line_and_column(&["spec", "template", "metadata"]);
        m.add(
            place.clone(),
            format!(
                "{}:{line}:{column}: the pods of Deployment `{}` have no label `app`",
                object.document.name,
                object.name()
            ),
            "metrics and logs name a service by that label",
            "add the label `app` to the pod template",
        );
    }
    let selects = |it: &&Object| {
        let selector = it.at(&["spec", "selector"]).as_object();
        it.kind() == "Service"
            && it.namespace() == object.namespace()
            && selector.is_some_and(|selector| {
                !selector.is_empty()
                    && selector
                        .iter()
                        .all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
            })
    };
    let replicas = deployment.spec.as_ref()?.replicas.unwrap_or(1);
    let replicas = u32::try_from(replicas).unwrap_or(0);
    if replicas > PODS_MOST {
        let (line, column) = object.line_and_column(&["spec", "replicas"]);
        m.add(
            place.clone(),
            format!(
                "{}:{line}:{column}: the Deployment `{}` has {replicas} pods",
                object.document.name,
                object.name()
            ),
            format!("at most {PODS_MOST} pods can be simulated"),
            "drill a part of the application: fewer replicas, and fewer requests of its clients",
        );
    }
    let address = manifests.objects.iter().find(selects);
    let path = |probe: &Option<Probe>| probe.as_ref()?.http_get.as_ref()?.path.clone();
    let limits = container
        .resources
        .as_ref()
        .and_then(|it| it.limits.as_ref());
    let limit = limits
        .and_then(|it| it.get("memory"))
        .map_or(0, |it| megabytes(&it.0));
    let live = path(&container.liveness_probe);
    Some(Service {
        name: object.name().to_owned(),
        app: app.unwrap_or_default(),
        container: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        replicas,
        address: address.map(|it| it.name().to_owned()),
        live_path: live.filter(|it| Some(it) != path(&container.readiness_probe).as_ref()),
        start: Spread::of(Micros::from_secs(2), Micros::from_secs(6)),
        request: Spread::of(Micros::from_millis(5), Micros::from_millis(40)),
        concurrency: 16,
        queue: 100,
        shutdown: Micros::from_secs(5),
        errors: Share(0),
        full_after: None,
        memory_mb: (0, limit),
        calls: Vec::new(),
        needs_env: Vec::new(),
        needs: Vec::new(),
        schema: SchemaNeed::default(),
    })
}

/// What the Deployments must satisfy together: the pods can be told apart, and there are not too many.
pub(super) fn all(m: &mut Mistakes, place: &Range<usize>, services: &[Service]) {
    let mut by_app: BTreeMap<&str, &str> = BTreeMap::new();
    for service in services.iter().filter(|it| !it.app.is_empty()) {
        if let Some(other) = by_app.insert(&service.app, &service.name) {
            m.add(
                place.clone(),
                format!(
                    "the pods of the Deployments `{other}` and `{}` have the same label `app`: `{}`",
                    service.name, service.app
                ),
                "metrics and logs name a service by that label",
                "give the pods of each Deployment a label `app` of their own",
            );
        }
    }
    let pods: u64 = services.iter().map(|it| u64::from(it.replicas)).sum();
    let alone = services.iter().any(|it| it.replicas > PODS_MOST);
    if pods > u64::from(PODS_MOST) && !alone {
        m.add(
            place.clone(),
            format!("the Deployments have {pods} pods together"),
            format!("at most {PODS_MOST} pods can be simulated"),
            "drill a part of the application: fewer replicas, and fewer requests of its clients",
        );
    }
}
