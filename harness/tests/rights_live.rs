//! On the cluster itself: the executor's account may do what `deploy/rbac.yaml` says, and is refused everything else.
//! That the file holds no more than is needed is shown in `tests/tests/rights.rs`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

const RBAC: &str = include_str!("../../deploy/rbac.yaml");
const NAMESPACE: &str = "dex-production";

/// A way to the cluster with the executor's account; `None` if there is no cluster.
async fn executor() -> Option<kube::Client> {
    let file = std::env::var_os("FIREDRILL_CLUSTER").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../target/firedrill/cluster.json"
            ))
        },
        PathBuf::from,
    );
    let text = std::fs::read_to_string(file).ok()?;
    let facts: Value = serde_json::from_str(&text).expect("cluster.json");
    let kubeconfig = facts["executor_kubeconfig"].as_str().expect("its path");
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the executor's kubeconfig");
    let options = KubeConfigOptions {
        context: facts["context"].as_str().map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .expect("a configuration");
    Some(kube::Client::try_from(config).expect("a client"))
}

fn words(rule: &Value, field: &str) -> Vec<String> {
    let words = rule[field].as_array().into_iter().flatten();
    words
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}

/// One string for each single right.
fn flat(rules: &[Value]) -> BTreeSet<String> {
    let mut flat = BTreeSet::new();
    for rule in rules {
        let mut names = words(rule, "resourceNames");
        if names.is_empty() {
            names.push("any".to_owned());
        }
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                for verb in words(rule, "verbs") {
                    for name in &names {
                        flat.insert(format!("{verb} {group}/{resource} {name}"));
                    }
                }
            }
        }
    }
    flat
}

async fn rules(client: &kube::Client) -> BTreeSet<String> {
    let review: SelfSubjectRulesReview =
        serde_json::from_value(json!({"spec": {"namespace": NAMESPACE}})).expect("a review");
    let review = Api::<SelfSubjectRulesReview>::all(client.clone())
        .create(&PostParams::default(), &review)
        .await
        .expect("the rules");
    let status = json!(review.status);
    assert_eq!(status["incomplete"], false);
    flat(status["resourceRules"].as_array().expect("rules"))
        .into_iter()
        // Every account may ask what it may do.
        .filter(|right| {
            !right.contains("authorization.k8s.io/") && !right.contains("authentication.k8s.io/")
        })
        .collect()
}

async fn may(
    client: &kube::Client,
    namespace: &str,
    verb: &str,
    resource: &str,
    name: &str,
) -> bool {
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
    let review: SelfSubjectAccessReview = serde_json::from_value(json!({"spec": {
        "resourceAttributes": {"namespace": namespace, "verb": verb, "group": group,
            "resource": resource, "subresource": sub, "name": name}}}))
    .expect("a review");
    let review = Api::<SelfSubjectAccessReview>::all(client.clone())
        .create(&PostParams::default(), &review)
        .await
        .expect("an answer");
    review.status.is_some_and(|status| status.allowed)
}

fn refused<T>(outcome: Result<T, kube::Error>, what: &str) {
    match outcome {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 403, "{what}: {status:?}"),
        Err(error) => panic!("{what}: {error}"),
        Ok(_) => panic!("{what} was allowed"),
    }
}

async fn check(client: kube::Client) {
    let objects: Vec<Value> = serde_saphyr::from_multiple(RBAC).expect("deploy/rbac.yaml");
    let role = objects
        .iter()
        .find(|it| it["kind"] == "Role")
        .expect("a Role");
    let written = flat(role["rules"].as_array().expect("rules"));
    assert_eq!(
        rules(&client).await,
        written,
        "the cluster's rules are the file's"
    );
    for (namespace, verb, resource, name) in [
        (NAMESPACE, "create", "pods", ""),
        (NAMESPACE, "create", "pods/exec", ""),
        (NAMESPACE, "delete", "pods", ""),
        (NAMESPACE, "get", "secrets", "ledger-database"),
        (NAMESPACE, "list", "secrets", ""),
        (NAMESPACE, "create", "deployments.apps", ""),
        (NAMESPACE, "delete", "deployments.apps", "gateway"),
        (NAMESPACE, "update", "deployments.apps", "gateway"),
        (NAMESPACE, "patch", "deployments.apps", "somebody-elses"),
        (NAMESPACE, "patch", "deployments/scale.apps", "gateway"),
        (NAMESPACE, "delete", "replicasets.apps", ""),
        (NAMESPACE, "delete", "configmaps", "dex-trading"),
        (NAMESPACE, "patch", "configmaps", "dex-migrations"),
        (NAMESPACE, "update", "leases.coordination.k8s.io", "another"),
        (
            NAMESPACE,
            "delete",
            "leases.coordination.k8s.io",
            "rollback",
        ),
        (NAMESPACE, "patch", "services", "gateway"),
        (
            NAMESPACE,
            "delete",
            "poddisruptionbudgets.policy",
            "gateway",
        ),
        (NAMESPACE, "create", "serviceaccounts/token", "default"),
        (
            NAMESPACE,
            "patch",
            "roles.rbac.authorization.k8s.io",
            "rollback-executor",
        ),
        (
            NAMESPACE,
            "create",
            "rolebindings.rbac.authorization.k8s.io",
            "",
        ),
        ("kube-system", "list", "pods", ""),
        ("kube-system", "get", "configmaps", "kubeadm-config"),
        ("kube-system", "get", "secrets", ""),
        ("default", "create", "configmaps", ""),
        ("monitoring", "patch", "deployments.apps", "prometheus"),
        ("", "list", "namespaces", ""),
        ("", "list", "nodes", ""),
        ("", "get", "nodes/proxy", ""),
        (
            "",
            "create",
            "clusterrolebindings.rbac.authorization.k8s.io",
            "",
        ),
    ] {
        let allowed = may(&client, namespace, verb, resource, name).await;
        assert!(
            !allowed,
            "{verb} {resource} {name} in {namespace:?} is allowed"
        );
    }
    assert!(may(&client, NAMESPACE, "patch", "deployments.apps", "gateway").await);
    assert!(may(&client, NAMESPACE, "get", "pods/proxy", "any").await);
    // And tried.
    let secrets = Api::<Secret>::namespaced(client.clone(), NAMESPACE);
    refused(secrets.list(&ListParams::default()).await, "secrets");
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "intruder"},
        "spec": {"containers": [{"name": "x", "image": "x"}]},
    }))
    .expect("a pod");
    let trial = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    refused(pods.create(&trial, &pod).await, "a pod");
    let elsewhere = Api::<Pod>::namespaced(client, "kube-system");
    refused(
        elsewhere.list(&ListParams::default()).await,
        "another namespace",
    );
}

#[test]
fn the_account_may_do_what_the_file_says_and_no_more() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match executor().await {
            Some(client) => check(client).await,
            None => {
                // Not `println!`, which the test harness would keep to itself.
                let mut out = std::io::stderr();
                let _ = writeln!(
                    out,
                    "LEFT OUT: no cluster; `cargo xtask kind up` makes one, FIREDRILL_CLUSTER names its cluster.json"
                );
            }
        }
    });
}
