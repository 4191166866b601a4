//! What releases change of pod templates besides the image, in the form of Kubernetes objects.

use dex::release::{Release, Service, TemplateChange};
use serde_json::{Value, json};

use super::manifests;

/// Writes into a Deployment's pod template what `release` changes of that of `service`: the image, and whatever else it
/// says. On a template that holds nothing but the container's name, what comes out is a strategic merge patch.
pub(crate) fn change(template: &mut Value, service: Service, release: &Release) {
    let containers = &mut template["spec"]["containers"];
    if containers.is_null() {
        *containers = json!([{"name": manifests::container(service)}]);
    }
    template["spec"]["containers"][0]["image"] = release.build(service).image().into();
    for change in release.template(service) {
        let container = &mut template["spec"]["containers"][0];
        match change {
            TemplateChange::Env { name, value } => {
                let variable = json!({"name": name, "value": value});
                match container["env"].as_array_mut() {
                    Some(variables) => variables.push(variable),
                    None => container["env"] = json!([variable]),
                }
            }
            TemplateChange::Args(args) => container["args"] = json!(args),
            TemplateChange::Limit { resource, quantity } => {
                container["resources"]["limits"][resource] = quantity.into();
            }
            TemplateChange::ReadinessPeriod(seconds) => {
                container["readinessProbe"]["periodSeconds"] = seconds.into();
            }
            TemplateChange::Annotation { key, value } => {
                template["metadata"]["annotations"][key] = value.into();
            }
        }
    }
}

/// Whether `to` changes the pod template of `service` where `from` runs.
pub(crate) fn differs(service: Service, from: &Release, to: &Release) -> bool {
    from.build(service) != to.build(service) || !from.template(service).eq(to.template(service))
}

#[cfg(test)]
mod tests {
    use dex::release::{Release, STABLE, Service};
    use serde_json::{Value, json};

    use super::{change, differs};

    fn release(name: &str) -> Release {
        Release::by_name(name).expect("it is in the catalogue")
    }

    #[test]
    fn a_release_changes_what_its_row_says_and_nothing_else() {
        let mut template = json!({"spec": {"containers": [{
            "name": "gateway", "image": "dex/gateway:1.4.2", "env": [{"name": "A", "value": "1"}],
            "readinessProbe": {"periodSeconds": 1, "failureThreshold": 2},
        }]}});
        change(
            &mut template,
            Service::Gateway,
            &release("1.5.8-new-template"),
        );
        let container = &template["spec"]["containers"][0];
        assert_eq!(container["image"], "dex/gateway:1.5.8");
        assert_eq!(
            container["env"],
            json!([{"name": "A", "value": "1"}, {"name": "LOG_FORMAT", "value": "json"}])
        );
        assert_eq!(container["args"], json!(["--verbose"]));
        assert_eq!(
            container["resources"],
            json!({"limits": {"memory": "512Mi"}})
        );
        assert_eq!(
            container["readinessProbe"],
            json!({"periodSeconds": 2, "failureThreshold": 2})
        );
    }

    #[test]
    fn an_empty_template_becomes_a_patch() {
        let mut patch = Value::Null;
        change(
            &mut patch,
            Service::Gateway,
            &release("1.5.7-bad-configuration"),
        );
        assert_eq!(
            patch,
            json!({
                "metadata": {"annotations": {"checksum/config": "5d41402a"}},
                "spec": {"containers": [{"name": "gateway", "image": "dex/gateway:1.5.7"}]},
            })
        );
    }

    #[test]
    fn a_service_whose_image_stays_can_differ() {
        let (from, to) = (release(STABLE), release("1.5.8-new-template"));
        let changed = Service::ALL.map(|service| differs(service, &from, &to));
        assert_eq!(changed, [false, true, true], "matching, risk, gateway");
    }
}
