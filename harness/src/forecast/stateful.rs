//! What can be said of a StatefulSet's undo without simulating it: whether it replaces the pods, and in which order.

use sim_services::manifests::Object;

/// What is known of the undo, to go on after "only Deployments are forecast"; nothing for another kind.
pub(super) fn known(object: &Object) -> String {
    if object.kind() != "StatefulSet" {
        return String::new();
    }
    let number = |path: &[&str], or: u64| object.at(path).as_u64().unwrap_or(or);
    if object.at(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return "; an undo of it replaces no pod, as its update strategy is OnDelete".to_owned();
    }
    let pods = number(&["spec", "replicas"], 1);
    let kept = number(&["spec", "updateStrategy", "rollingUpdate", "partition"], 0).min(pods);
    let pods = if kept == 0 {
        format!("its {pods} pods")
    } else {
        format!(
            "{} of its {pods} pods, as the partition keeps the others",
            pods - kept
        )
    };
    let order = if object.at(&["spec", "podManagementPolicy"]) == "Parallel" {
        ""
    } else {
        ", and waits for ever for one of the bad release that never becomes ready (kubernetes#67250)"
    };
    format!("; an undo of it replaces {pods}, one after the other{order}")
}

#[cfg(test)]
mod tests {
    use sim_services::manifests::{Document, Manifests};

    use super::known;

    fn of(kind: &str, more: &str) -> String {
        let text = format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: db}}\nspec:\n  serviceName: db\n  \
             selector: {{matchLabels: {{app: db}}}}\n  template: {{metadata: {{labels: {{app: db}}}}, \
             spec: {{containers: [{{name: db, image: 'db:1'}}]}}}}\n{more}"
        );
        let name = "k8s/db.yaml".to_owned();
        let manifests = Manifests::parse(vec![Document { name, text }], "default");
        known(&manifests.expect("they are right").objects[0])
    }

    #[test]
    fn the_order_and_what_is_left_as_it_is_are_told() {
        let hangs = ", and waits for ever for one of the bad release that never becomes ready (kubernetes#67250)";
        assert_eq!(
            of("StatefulSet", "  replicas: 3\n"),
            format!("; an undo of it replaces its 3 pods, one after the other{hangs}")
        );
        let parallel = "  replicas: 3\n  podManagementPolicy: Parallel\n  \
                        updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2}}\n";
        assert_eq!(
            of("StatefulSet", parallel),
            "; an undo of it replaces 1 of its 3 pods, as the partition keeps the others, one after the other"
        );
        let on_delete = of("StatefulSet", "  updateStrategy: {type: OnDelete}\n");
        assert!(on_delete.contains("replaces no pod"), "{on_delete}");
    }
}
