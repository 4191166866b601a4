//! The manifests that run the executor in a cluster: they say what Kubernetes understands, and run with the account
//! whose rights are tested. Their arguments are held against the command line by a test of `rollback`.

use std::path::Path;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ServiceAccount};
use k8s_openapi::serde::Serialize;
use k8s_openapi::serde::de::DeserializeOwned;
use serde_json::Value;

const RBAC: &str = include_str!("../../deploy/rbac.yaml");

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/executor")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The object in a manifest. What Kubernetes does not know is lost on the way through its types, so nothing may be.
fn object<K: DeserializeOwned + Serialize>(name: &str) -> K {
    let value: Value =
        serde_saphyr::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let typed: K =
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let again = serde_json::to_value(&typed).expect("JSON");
    lost(&value, &again, name);
    typed
}

/// Panics at the first field of `written` that `read` lacks.
fn lost(written: &Value, read: &Value, place: &str) {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            for (key, value) in written {
                let place = format!("{place}.{key}");
                match read.get(key) {
                    Some(found) => lost(value, found, &place),
                    None => assert_eq!(
                        *value,
                        serde_json::json!({}),
                        "{place}: there is no such field"
                    ),
                }
            }
        }
        (Value::Array(written), Value::Array(read)) => {
            assert_eq!(written.len(), read.len(), "{place}");
            for (at, (value, found)) in written.iter().zip(read).enumerate() {
                lost(value, found, &format!("{place}[{at}]"));
            }
        }
        _ => assert_eq!(written, read, "{place}"),
    }
}

#[test]
fn the_jobs_of_the_executor_have_its_account_and_nothing_more_than_it_needs() {
    let objects: Vec<Value> = serde_saphyr::from_multiple(RBAC).expect("deploy/rbac.yaml");
    let account = objects
        .iter()
        .find(|it| it["kind"] == "ServiceAccount")
        .expect("an account");
    let account: ServiceAccount = serde_json::from_value(account.clone()).expect("an account");
    for name in ["prepare", "watch", "resume"] {
        let job: Job = object(&format!("{name}.yaml"));
        assert_eq!(job.metadata.namespace, account.metadata.namespace, "{name}");
        // One for each deployment.
        assert_eq!(
            job.metadata.generate_name,
            Some(format!("rollback-{name}-"))
        );
        let spec = job.spec.expect("a spec");
        let pod = spec.template.spec.expect("a pod");
        assert_eq!(pod.service_account_name, account.metadata.name, "{name}");
        assert_eq!(pod.restart_policy.as_deref(), Some("Never"), "{name}");
        let [container] = pod.containers.as_slice() else {
            panic!("{name}: one container");
        };
        let args = container.args.as_deref().expect("arguments");
        assert_eq!(args[0], name);
        assert!(
            !args.iter().any(|word| word == "--accept-data-loss"),
            "{name}: nobody said so"
        );
        let security = container
            .security_context
            .as_ref()
            .expect("a security context");
        assert_eq!(security.read_only_root_filesystem, Some(true), "{name}");
        assert_eq!(security.allow_privilege_escalation, Some(false), "{name}");
        assert_eq!(
            pod.security_context.and_then(|it| it.run_as_non_root),
            Some(true),
            "{name}"
        );
        let claims: Vec<String> = pod
            .volumes
            .iter()
            .flatten()
            .filter_map(|it| Some(it.persistent_volume_claim.as_ref()?.claim_name.clone()))
            .collect();
        let evidence: PersistentVolumeClaim = object("evidence.yaml");
        assert_eq!(claims, [evidence.metadata.name.expect("a name")], "{name}");
        // What is begun anew by itself must not begin a rollback for a second time.
        assert_eq!(spec.backoff_limit == Some(0), name == "watch");
    }
}

#[test]
fn a_field_that_kubernetes_does_not_know_is_noticed() {
    let written = serde_json::json!({"spec": {"restartpolicy": "Never"}});
    let job: Job = serde_json::from_value(written.clone()).expect("unknown fields are passed over");
    let again = serde_json::to_value(&job).expect("JSON");
    let seen = std::panic::catch_unwind(|| lost(&written, &again, "job"));
    assert!(seen.is_err(), "{again}");
}
