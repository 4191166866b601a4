//! What both worlds need for an application that a file describes: what a release of it changes, and what of its
//! manifests is not drilled.

use std::collections::BTreeMap;

use contract::image;
use executor::Application;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use sim_services::manifests::WorkloadKind;

use super::deployer::refused;
use crate::scenario::{Described, Scenario};

/// Kinds of manifests that run pods and are not created.
const LEFT_OUT: [&str; 5] = ["CronJob", "DaemonSet", "Job", "Pod", "ReplicaSet"];

/// Whether objects of that kind run pods and are not created.
#[cfg(feature = "kind")]
pub(in crate::worlds) fn is_left_out(kind: &str) -> bool {
    LEFT_OUT.contains(&kind)
}

/// What of the manifests would run pods and is not created, in a sentence for people; `None`: there is nothing of it.
pub(in crate::worlds) fn left_out(app: &Described) -> Option<String> {
    let names = named(app, &LEFT_OUT)?;
    Some(format!(
        "does not create {names}: of what runs pods, only Deployments and StatefulSets are drilled"
    ))
}

/// The objects of these kinds in the manifests, as people call them; `None`: there is none.
pub(in crate::worlds) fn named(app: &Described, kinds: &[&str]) -> Option<String> {
    let objects = app.manifests.objects.iter();
    let objects = objects.filter(|it| kinds.contains(&it.kind()));
    let names: Vec<String> = objects
        .map(|it| format!("{} {}", it.kind(), it.name()))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The rate of all clients together, in requests a second, if the scenario says another one than the description. It
/// counts in whole requests.
pub(in crate::worlds) fn rate_said(app: &Described, scenario: &Scenario) -> Option<u32> {
    Some(scenario.load.rate_per_s).filter(|it| *it != app.rate_per_s().ceil())
}

/// Versions of a release, by the names of their services.
pub(in crate::worlds) fn versions(app: &Described, release: &str) -> BTreeMap<String, String> {
    let images = app.images(release).into_iter();
    let services = app.services.iter().zip(images);
    services
        .map(|(service, image)| (service.name.clone(), image::version(image).to_owned()))
        .collect()
}

/// What is new of a release where another one ran before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::worlds) struct New {
    /// Images, by the names of their services.
    pub(in crate::worlds) images: BTreeMap<String, String>,
    /// Values of ConfigMaps, by name and key.
    pub(in crate::worlds) config: BTreeMap<(String, String), String>,
}

/// What is new of the release `to` where `from` ran before.
pub(in crate::worlds) fn new(app: &Described, from: &str, to: &str) -> New {
    let images = app.services.iter().zip(app.images(to));
    let images = images.zip(app.images(from));
    let new = images.filter(|((_, image), before)| image != before);
    let config = app.releases.get(to).map(|it| &it.config);
    let config = config.into_iter().flatten().flat_map(|(map, pairs)| {
        let pairs = pairs.iter();
        pairs.map(|(key, value)| ((map.clone(), key.clone()), value.clone()))
    });
    let new_config = config.filter(|((map, key), value)| {
        configured(app, from, map, key).is_none_or(|before| before != value)
    });
    New {
        images: new
            .map(|((service, image), _)| (service.name.clone(), image.to_owned()))
            .collect(),
        config: new_config.collect(),
    }
}

/// What a key of a ConfigMap is while `release` is deployed over the manifests.
fn configured<'a>(app: &'a Described, release: &str, map: &str, key: &str) -> Option<&'a str> {
    let own = app.releases.get(release).and_then(|it| it.config.get(map));
    if let Some(value) = own.and_then(|pairs| pairs.get(key)) {
        return Some(value);
    }
    let object = app.manifests.get("ConfigMap", &app.namespace, map)?;
    object.at(&["data", key]).as_str()
}

/// Deploys `to` where `from` runs: configuration, then images and templates. Its migrations come before that. What went
/// wrong.
pub(in crate::worlds) async fn deploy(
    client: &kube::Client,
    app: &Described,
    from: &str,
    to: &str,
) -> Result<(), String> {
    let params = PatchParams::default();
    let namespace = &app.namespace;
    let config = app.releases.get(to).map(|it| &it.config);
    for (name, data) in config.into_iter().flatten() {
        let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
        let patch = Patch::Merge(json!({ "data": data }));
        let patched = maps.patch(name, &params, &patch).await;
        patched.map_err(|error| refused("configure", &error))?;
    }
    for (at, patch) in patches(app, from, to) {
        let (service, patch) = (&app.services[at], Patch::Strategic(patch));
        let patched = match service.kind {
            WorkloadKind::Deployment => {
                let all = Api::<Deployment>::namespaced(client.clone(), namespace);
                all.patch(&service.name, &params, &patch).await.map(drop)
            }
            WorkloadKind::StatefulSet => {
                let all = Api::<StatefulSet>::namespaced(client.clone(), namespace);
                all.patch(&service.name, &params, &patch).await.map(drop)
            }
        };
        patched.map_err(|error| refused("set the image", &error))?;
    }
    Ok(())
}

/// The strategic merge patches of the workloads by which `to` is deployed where `from` runs, by the index of their
/// services.
fn patches(app: &Described, from: &str, to: &str) -> Vec<(usize, Value)> {
    let release = app.releases.get(to);
    let images = app.images(from).into_iter().zip(app.images(to));
    let services = app.services.iter().zip(images).enumerate();
    let changed = services.filter_map(|(at, (service, (was, image)))| {
        let change = release.and_then(|it| it.templates.get(&at));
        if was == image && change.is_none() {
            return None;
        }
        let patch = json!({
            "metadata": {"annotations": {"kubernetes.io/change-cause": format!("deploy {to}")}},
            "spec": {"template": template(&service.container, image, change)},
        });
        Some((at, patch))
    });
    changed.collect()
}

/// What a release changes of a pod template, as a strategic merge patch.
fn template(container: &str, image: &str, change: Option<&Value>) -> Value {
    let mut template = change.cloned().unwrap_or_else(|| json!({}));
    let containers = &mut template["spec"]["containers"];
    if !containers.is_array() {
        *containers = json!([]);
    }
    if let Some(containers) = containers.as_array_mut() {
        match containers.iter_mut().find(|it| it["name"] == container) {
            Some(own) => own["image"] = image.into(),
            None => containers.push(json!({"name": container, "image": image})),
        }
    }
    template
}

/// What the executor takes for granted: the scenario of an incident may be as lax as the one that is drilled.
pub(in crate::worlds) fn bounds(scenario: &Scenario) -> Application {
    let (expect, known) = (&scenario.expect, Application::default());
    let error_rate = f64::from(expect.error_rate_max.0) / 1e6;
    let p99_ms = u32::try_from(expect.p99_max.as_millis()).unwrap_or(u32::MAX);
    Application {
        error_rate_max: known.error_rate_max.max(error_rate),
        p99_max_ms: known.p99_max_ms.max(p99_ms),
        ..known
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sim_services::describe::{Bundle, File, sample};

    use super::{left_out, new, patches, template};
    use crate::scenario::Described;

    const MANIFESTS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {mode: calm, size: '1'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, namespace: shop}
spec:
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec: {containers: [{name: web, image: 'shop/front:1.0.0'}]}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {ports: [{port: 80}], selector: {app: front}}
";

    const APP: &str = r#"
name = "shop"
manifests = ["k8s"]

[service.front]
request = { median = "5ms", p99 = "40ms" }

[[client]]
name = "browsers"
service = "front"
rate = 50
timeout = "1s"

[release."2.0.0"]
images = { front = "shop/front:2.0.0" }
config = { settings = { mode = "wild" } }

[release."2.0.0-large"]
images = { front = "shop/front:2.0.0" }
config = { settings = { mode = "wild", size = "9" } }
"#;

    fn shop() -> Described {
        let file = |path: &str, text: &str| File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let bundle = Bundle {
            app: file("app.toml", APP),
            manifests: vec![file("k8s/all.yaml", MANIFESTS)],
        };
        bundle.app().expect("the description is right").into()
    }

    #[test]
    fn a_release_is_known_by_what_it_changes_of_the_one_before_it() {
        let app = shop();
        let over_the_manifests = new(&app, &app.prior, "2.0.0");
        assert_eq!(over_the_manifests.images["front"], "shop/front:2.0.0");
        // The image and the mode were there before: only the size tells the two apart.
        let over_another = new(&app, "2.0.0", "2.0.0-large");
        assert!(over_another.images.is_empty(), "{over_another:?}");
        let size = ("settings".to_owned(), "size".to_owned());
        assert_eq!(over_another.config, [(size, "9".to_owned())].into());
        // Back to the manifests, their image is what is new.
        let back = new(&app, "2.0.0", &app.prior);
        assert_eq!(back.images["front"], "shop/front:1.0.0");
    }

    #[test]
    fn what_runs_pods_and_is_not_created_is_told() {
        let mut bundle = sample(1, 1, 200);
        let app = |bundle: &sim_services::describe::Bundle| {
            Described::from(bundle.clone().app().expect("the description is right"))
        };
        assert_eq!(left_out(&app(&bundle)), None);
        bundle.manifests.push(File {
            path: "k8s/agent.yaml".to_owned(),
            text: "\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: sample}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: 'agent:1'}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: sample}
"
            .to_owned(),
        });
        let said = left_out(&app(&bundle)).expect("it is left out");
        assert!(
            said.starts_with("does not create DaemonSet agent:"),
            "{said}"
        );
    }

    #[test]
    fn a_release_changes_its_image_and_what_it_says_besides() {
        let plain = template("web", "shop/front:2", None);
        let image = json!([{"name": "web", "image": "shop/front:2"}]);
        assert_eq!(plain, json!({"spec": {"containers": image}}));
        let change = json!({
            "metadata": {"annotations": {"a": "b"}},
            "spec": {"containers": [{"name": "web", "args": ["-v"]}]},
        });
        let changed = template("web", "shop/front:2", Some(&change));
        assert_eq!(changed["metadata"]["annotations"]["a"], "b");
        let container = json!([{"name": "web", "args": ["-v"], "image": "shop/front:2"}]);
        assert_eq!(changed["spec"]["containers"], container);
    }

    #[test]
    fn a_release_patches_the_services_that_it_changes_and_no_others() {
        let app = shop();
        assert!(patches(&app, "2.0.0", "2.0.0-large").is_empty());
        let all = patches(&app, &app.prior, "2.0.0");
        let [(at, patch)] = all.as_slice() else {
            panic!("{all:?}");
        };
        assert_eq!(app.services[*at].name, "front");
        let annotations = &patch["metadata"]["annotations"];
        assert_eq!(annotations["kubernetes.io/change-cause"], "deploy 2.0.0");
        let container = &patch["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(
            *container,
            json!({"name": "web", "image": "shop/front:2.0.0"})
        );
    }
}
