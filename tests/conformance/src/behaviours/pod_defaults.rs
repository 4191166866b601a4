//! What a server fills in for pods.

use serde_json::{Value, json};

use super::compare::{same, with};
use super::objects::{IMAGE, deployment, pod};
use super::paths::DEPLOYMENTS;
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_pod_is_filled_in,
        "pkg/apis/core/v1/defaults.go SetDefaults_PodSpec"
    ),
    behaviour!(
        a_pod_has_an_account_and_a_priority,
        "plugin/pkg/admission/serviceaccount/admission.go"
    ),
    behaviour!(
        a_pod_stands_five_minutes_of_a_lost_node,
        "plugin/pkg/admission/defaulttolerationseconds/admission.go"
    ),
    behaviour!(
        a_container_is_filled_in,
        "pkg/apis/core/v1/defaults.go SetDefaults_Container"
    ),
    behaviour!(
        the_newest_image_is_always_pulled,
        "pkg/apis/core/v1/defaults.go SetDefaults_Container"
    ),
    behaviour!(
        a_probe_is_filled_in,
        "pkg/apis/core/v1/defaults.go SetDefaults_Probe"
    ),
    behaviour!(
        a_request_over_http_is_filled_in,
        "pkg/apis/core/v1/defaults.go SetDefaults_HTTPGetAction"
    ),
    behaviour!(
        a_pod_requests_its_limits,
        "pkg/apis/core/v1/defaults.go SetDefaults_Pod"
    ),
    behaviour!(
        a_template_requests_what_it_says,
        "pkg/apis/core/v1/defaults.go SetDefaults_Pod"
    ),
    behaviour!(
        a_pod_without_resources_is_best_effort,
        "pkg/apis/core/v1/helper/qos/qos.go ComputePodQOS"
    ),
    behaviour!(
        a_pod_with_all_limits_is_guaranteed,
        "pkg/apis/core/v1/helper/qos/qos.go ComputePodQOS"
    ),
    behaviour!(
        a_pod_with_some_requests_is_burstable,
        "pkg/apis/core/v1/helper/qos/qos.go ComputePodQOS"
    ),
];

/// A pod with this as its one container, named `web`, with the image.
async fn with_container(on: &Ground, fields: Value) -> Result<Value, String> {
    let web = with(json!({"name": "web", "image": IMAGE}), fields);
    let asked = with(pod("a"), json!({"spec": {"containers": [web]}}));
    on.make("v1/pods", &asked).await
}

async fn a_pod_is_filled_in(on: Ground) -> Result<(), String> {
    let made = on.make("v1/pods", &pod("a")).await?;
    same(
        &made["spec"],
        &json!({
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler", "securityContext": {}, "enableServiceLinks": true,
        }),
    )?;
    same(&made["status"], &json!({"phase": "Pending"}))
}

async fn a_pod_has_an_account_and_a_priority(on: Ground) -> Result<(), String> {
    let made = on.make("v1/pods", &pod("a")).await?;
    same(
        &made["spec"],
        &json!({
            "serviceAccountName": "default", "serviceAccount": "default",
            "priority": 0, "preemptionPolicy": "PreemptLowerPriority",
        }),
    )
}

async fn a_pod_stands_five_minutes_of_a_lost_node(on: Ground) -> Result<(), String> {
    let made = on.make("v1/pods", &pod("a")).await?;
    let stands = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    let both = json!([
        stands("node.kubernetes.io/not-ready"),
        stands("node.kubernetes.io/unreachable")
    ]);
    same(&made["spec"]["tolerations"], &both)
}

async fn a_container_is_filled_in(on: Ground) -> Result<(), String> {
    let made = with_container(&on, json!({"ports": [{"containerPort": 80}]})).await?;
    same(
        &made["spec"]["containers"],
        &json!([{
            "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File", "resources": {},
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
        }]),
    )
}

async fn the_newest_image_is_always_pulled(on: Ground) -> Result<(), String> {
    for (nth, (image, policy)) in [
        ("conformance/web", "Always"),
        ("conformance/web:latest", "Always"),
        ("registry.example:5000/web", "Always"),
        ("conformance/web:1", "IfNotPresent"),
    ]
    .into_iter()
    .enumerate()
    {
        let containers = json!([{"name": "web", "image": image}]);
        let asked = with(
            pod(&format!("a{nth}")),
            json!({"spec": {"containers": containers}}),
        );
        let made = on.make("v1/pods", &asked).await?;
        same(
            &made["spec"]["containers"],
            &json!([{"image": image, "imagePullPolicy": policy}]),
        )?;
    }
    Ok(())
}

async fn a_probe_is_filled_in(on: Ground) -> Result<(), String> {
    let probe = json!({"tcpSocket": {"port": 80}});
    let made = with_container(
        &on,
        json!({"readinessProbe": probe, "livenessProbe": probe}),
    )
    .await?;
    let filled = json!({
        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
        "initialDelaySeconds": null,
    });
    same(
        &made["spec"]["containers"],
        &json!([{"readinessProbe": filled, "livenessProbe": filled}]),
    )
}

async fn a_request_over_http_is_filled_in(on: Ground) -> Result<(), String> {
    let hook = json!({"httpGet": {"port": 80}});
    let fields = json!({"readinessProbe": hook, "lifecycle": {"preStop": hook}});
    let made = with_container(&on, fields).await?;
    let filled = json!({"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}});
    same(
        &made["spec"]["containers"],
        &json!([{"readinessProbe": filled, "lifecycle": {"preStop": filled}}]),
    )
}

async fn a_pod_requests_its_limits(on: Ground) -> Result<(), String> {
    let resources = json!({"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "500m"}});
    let made = with_container(&on, json!({"resources": resources})).await?;
    let requests = json!({"cpu": "500m", "memory": "64Mi"});
    same(
        &made["spec"]["containers"],
        &json!([{"resources": {"requests": requests}}]),
    )
}

async fn a_template_requests_what_it_says(on: Ground) -> Result<(), String> {
    let web = json!({"name": "web", "image": IMAGE, "resources": {"limits": {"cpu": "1"}}});
    let containers = json!({"spec": {"template": {"spec": {"containers": [web]}}}});
    let made = on
        .make(DEPLOYMENTS, &with(deployment("a", 0), containers))
        .await?;
    let unsaid = json!([{"resources": {"limits": {"cpu": "1"}, "requests": null}}]);
    same(&made["spec"]["template"]["spec"]["containers"], &unsaid)
}

/// The class of a pod with these resources.
async fn class(on: &Ground, resources: Value, wanted: &str) -> Result<(), String> {
    let made = with_container(on, json!({"resources": resources})).await?;
    same(&made["status"], &json!({"qosClass": wanted}))
}

async fn a_pod_without_resources_is_best_effort(on: Ground) -> Result<(), String> {
    class(&on, json!({}), "BestEffort").await
}

async fn a_pod_with_all_limits_is_guaranteed(on: Ground) -> Result<(), String> {
    let limits = json!({"cpu": "1", "memory": "64Mi"});
    class(&on, json!({"limits": limits}), "Guaranteed").await
}

async fn a_pod_with_some_requests_is_burstable(on: Ground) -> Result<(), String> {
    class(&on, json!({"requests": {"cpu": "1"}}), "Burstable").await
}
