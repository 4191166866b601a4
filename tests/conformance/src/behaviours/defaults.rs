//! What a server fills in for all but pods.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::objects::*;
use super::paths::DEPLOYMENTS;
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_deployment_is_filled_in,
        "pkg/apis/apps/v1/defaults.go SetDefaults_Deployment"
    ),
    behaviour!(
        a_rolling_update_is_filled_in,
        "pkg/apis/apps/v1/defaults.go SetDefaults_Deployment"
    ),
    behaviour!(
        a_recreation_has_no_bounds,
        "pkg/apis/apps/v1/defaults.go SetDefaults_Deployment"
    ),
    behaviour!(
        a_template_is_filled_in,
        "pkg/apis/apps/v1/zz_generated.defaults.go SetObjectDefaults_Deployment"
    ),
    behaviour!(
        no_replicas_stay_none,
        "pkg/apis/apps/v1/defaults.go SetDefaults_Deployment"
    ),
    behaviour!(
        a_replica_set_has_one_replica_and_no_labels,
        "pkg/apis/apps/v1/defaults.go SetDefaults_ReplicaSet"
    ),
    behaviour!(
        a_stateful_set_is_filled_in,
        "pkg/apis/apps/v1/defaults.go SetDefaults_StatefulSet"
    ),
    behaviour!(
        an_update_on_deletion_has_no_partition,
        "pkg/apis/apps/v1/defaults.go SetDefaults_StatefulSet"
    ),
    behaviour!(
        a_daemon_set_is_filled_in,
        "pkg/apis/apps/v1/defaults.go SetDefaults_DaemonSet"
    ),
    behaviour!(
        a_job_is_filled_in,
        "pkg/apis/batch/v1/defaults.go SetDefaults_Job"
    ),
    behaviour!(
        a_job_with_workers_has_no_completions,
        "pkg/apis/batch/v1/defaults.go SetDefaults_Job"
    ),
    behaviour!(
        a_job_knows_its_pods_by_its_uid,
        "pkg/registry/batch/job/strategy.go generateSelector"
    ),
    behaviour!(
        a_cron_job_is_filled_in,
        "pkg/apis/batch/v1/defaults.go SetDefaults_CronJob"
    ),
    behaviour!(
        an_autoscaler_is_filled_in,
        "pkg/apis/autoscaling/v2/defaults.go SetDefaults_HorizontalPodAutoscaler"
    ),
    behaviour!(
        the_behaviour_of_an_autoscaler_is_filled_in,
        "pkg/apis/autoscaling/v2/defaults.go GenerateHPAScaleUpRules"
    ),
    behaviour!(
        a_service_is_filled_in,
        "pkg/apis/core/v1/defaults.go SetDefaults_Service"
    ),
    behaviour!(
        a_service_keeps_clients_for_three_hours,
        "pkg/apis/core/v1/defaults.go SetDefaults_Service"
    ),
    behaviour!(
        a_headless_service_has_no_address,
        "pkg/registry/core/service/storage/storage.go normalizeClusterIPs"
    ),
    behaviour!(
        a_name_outside_has_no_address,
        "pkg/registry/core/service/storage/alloc.go allocateCreate"
    ),
    behaviour!(
        a_service_on_nodes_gets_a_port_there,
        "pkg/registry/core/service/storage/alloc.go initNodePorts"
    ),
    behaviour!(
        a_secret_is_opaque,
        "pkg/apis/core/v1/defaults.go SetDefaults_Secret"
    ),
    behaviour!(
        the_text_of_a_secret_becomes_data,
        "pkg/apis/core/v1/conversion.go Convert_v1_Secret_To_core_Secret"
    ),
    behaviour!(
        a_claim_is_filled_in,
        "pkg/apis/core/v1/defaults.go SetDefaults_PersistentVolumeClaim"
    ),
    behaviour!(
        a_network_policy_is_of_what_it_has_rules_for,
        "pkg/apis/networking/v1/defaults.go SetDefaults_NetworkPolicy"
    ),
    behaviour!(
        a_binding_is_of_a_role_of_its_group,
        "pkg/apis/rbac/v1/defaults.go SetDefaults_RoleBinding"
    ),
];

async fn a_deployment_is_filled_in(on: Ground) -> Result<(), String> {
    let asked = with(deployment("a", 0), json!({"spec": {"replicas": null}}));
    // Nothing shall be rolled out for what is looked at here.
    let asked = with(asked, json!({"spec": {"paused": true}}));
    let made = on.make(DEPLOYMENTS, &asked).await?;
    same(
        &made,
        &json!({
            "metadata": {"labels": null, "generation": 1},
            "spec": {
                "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                "minReadySeconds": null,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            },
        }),
    )
}

/// The strategy of a Deployment that is made with `strategy`.
async fn strategy_of(on: &Ground, strategy: Value) -> Result<Value, String> {
    let strategy = json!({"spec": {"strategy": strategy}});
    let asked = with(deployment("a", 0), strategy);
    let made = on.make(DEPLOYMENTS, &asked).await?;
    Ok(made["spec"]["strategy"].clone())
}

async fn a_rolling_update_is_filled_in(on: Ground) -> Result<(), String> {
    same(
        &strategy_of(&on, json!({"rollingUpdate": {"maxUnavailable": 0}})).await?,
        &json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}),
    )
}

async fn a_recreation_has_no_bounds(on: Ground) -> Result<(), String> {
    same(
        &strategy_of(&on, json!({"type": "Recreate"})).await?,
        &json!({"type": "Recreate", "rollingUpdate": null}),
    )
}

async fn a_template_is_filled_in(on: Ground) -> Result<(), String> {
    let made = on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    same(
        &made["spec"]["template"]["spec"],
        &json!({
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler", "securityContext": {},
            "containers": [{"imagePullPolicy": "IfNotPresent", "terminationMessagePolicy": "File"}],
            // What is filled in for pods alone.
            "enableServiceLinks": null, "serviceAccountName": null, "tolerations": null, "priority": null,
        }),
    )
}

async fn no_replicas_stay_none(on: Ground) -> Result<(), String> {
    let made = on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    same(&made, &json!({"spec": {"replicas": 0}}))
}

async fn a_replica_set_has_one_replica_and_no_labels(on: Ground) -> Result<(), String> {
    let asked = with(replica_set("a", 0), json!({"spec": {"replicas": null}}));
    let made = on.make("apps/v1/replicasets?dryRun=All", &asked).await?;
    same(
        &made,
        &json!({"metadata": {"labels": null}, "spec": {"replicas": 1}}),
    )
}

async fn a_stateful_set_is_filled_in(on: Ground) -> Result<(), String> {
    let asked = with(stateful_set("a", 0), json!({"spec": {"replicas": null}}));
    let made = on.make("apps/v1/statefulsets?dryRun=All", &asked).await?;
    same(
        &made["spec"],
        &json!({
            "replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        }),
    )
}

async fn an_update_on_deletion_has_no_partition(on: Ground) -> Result<(), String> {
    let strategy = json!({"spec": {"updateStrategy": {"type": "OnDelete"}}});
    let made = on
        .make(
            "apps/v1/statefulsets",
            &with(stateful_set("a", 0), strategy),
        )
        .await?;
    same(
        &made["spec"]["updateStrategy"],
        &json!({"type": "OnDelete", "rollingUpdate": null}),
    )
}

async fn a_daemon_set_is_filled_in(on: Ground) -> Result<(), String> {
    let made = on.make("apps/v1/daemonsets", &daemon_set("a")).await?;
    same(
        &made["spec"],
        &json!({
            "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        }),
    )
}

/// A Job that does not begin.
fn suspended() -> Value {
    with(job("a"), json!({"spec": {"suspend": true}}))
}

async fn a_job_is_filled_in(on: Ground) -> Result<(), String> {
    let made = on.make("batch/v1/jobs", &suspended()).await?;
    same(
        &made["spec"],
        &json!({
            "completions": 1, "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed",
            "podReplacementPolicy": "TerminatingOrFailed", "activeDeadlineSeconds": null,
            "ttlSecondsAfterFinished": null,
        }),
    )
}

async fn a_job_with_workers_has_no_completions(on: Ground) -> Result<(), String> {
    let asked = with(suspended(), json!({"spec": {"parallelism": 3}}));
    let made = on.make("batch/v1/jobs", &asked).await?;
    same(
        &made["spec"],
        &json!({"parallelism": 3, "completions": null}),
    )
}

async fn a_job_knows_its_pods_by_its_uid(on: Ground) -> Result<(), String> {
    let made = on.make("batch/v1/jobs", &suspended()).await?;
    let uid = &made["metadata"]["uid"];
    let labels = json!({
        "batch.kubernetes.io/controller-uid": uid, "controller-uid": uid,
        "batch.kubernetes.io/job-name": "a", "job-name": "a",
    });
    let selector = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    same(
        &made["spec"],
        &json!({"selector": selector, "template": {"metadata": {"labels": labels}}}),
    )
}

async fn a_cron_job_is_filled_in(on: Ground) -> Result<(), String> {
    let made = on.make("batch/v1/cronjobs", &cron_job("a")).await?;
    same(
        &made["spec"],
        &json!({
            "concurrencyPolicy": "Allow", "suspend": false,
            "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
            // A Job gets its own when it is made.
            "jobTemplate": {"spec": {"backoffLimit": null, "template": {"spec": {"dnsPolicy": "ClusterFirst"}}}},
        }),
    )
}

const AUTOSCALERS: &str = "autoscaling/v2/horizontalpodautoscalers";

async fn an_autoscaler_is_filled_in(on: Ground) -> Result<(), String> {
    let made = on.make(AUTOSCALERS, &autoscaler("a")).await?;
    let target = json!({"type": "Utilization", "averageUtilization": 80});
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
    same(
        &made["spec"],
        &json!({"minReplicas": 1, "metrics": [cpu], "behavior": null}),
    )
}

async fn the_behaviour_of_an_autoscaler_is_filled_in(on: Ground) -> Result<(), String> {
    let asked = json!({"spec": {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 5}}}});
    let made = on.make(AUTOSCALERS, &with(autoscaler("a"), asked)).await?;
    let all = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let four = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    same(
        &made["spec"]["behavior"],
        &json!({
            "scaleUp": {"stabilizationWindowSeconds": 5, "selectPolicy": "Max", "policies": [four, all]},
            "scaleDown": {"selectPolicy": "Max", "policies": [all]},
        }),
    )
}

async fn a_service_is_filled_in(on: Ground) -> Result<(), String> {
    let made = on.make("v1/services", &service("a")).await?;
    let ip = &made["spec"]["clusterIP"];
    same(
        &made,
        &json!({
            "spec": {
                "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
                "ipFamilyPolicy": "SingleStack", "clusterIPs": [ip], "externalTrafficPolicy": null,
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": null}],
            },
            "status": {"loadBalancer": {}},
        }),
    )
}

async fn a_service_keeps_clients_for_three_hours(on: Ground) -> Result<(), String> {
    let asked = json!({"spec": {"sessionAffinity": "ClientIP"}});
    let made = on.make("v1/services", &with(service("a"), asked)).await?;
    let config = json!({"clientIP": {"timeoutSeconds": 10800}});
    same(&made["spec"], &json!({"sessionAffinityConfig": config}))
}

async fn a_headless_service_has_no_address(on: Ground) -> Result<(), String> {
    let asked = json!({"spec": {"clusterIP": "None"}});
    let made = on.make("v1/services", &with(service("a"), asked)).await?;
    same(
        &made["spec"],
        &json!({"clusterIP": "None", "clusterIPs": ["None"], "type": "ClusterIP"}),
    )
}

async fn a_name_outside_has_no_address(on: Ground) -> Result<(), String> {
    let asked = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"type": "ExternalName", "externalName": "shop.example"},
    });
    let made = on.make("v1/services", &asked).await?;
    same(
        &made["spec"],
        &json!({
            "externalName": "shop.example", "sessionAffinity": "None",
            "clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null,
            "internalTrafficPolicy": null,
        }),
    )
}

async fn a_service_on_nodes_gets_a_port_there(on: Ground) -> Result<(), String> {
    let asked = json!({"spec": {"type": "NodePort"}});
    let made = on.make("v1/services", &with(service("a"), asked)).await?;
    same(&made["spec"], &json!({"externalTrafficPolicy": "Cluster"}))?;
    let port = made["spec"]["ports"][0]["nodePort"].as_u64();
    holds(
        port.is_some_and(|it| (30_000..=32_767).contains(&it)),
        "a port of the nodes",
        &made["spec"],
    )
}

fn secret(fields: Value) -> Value {
    let metadata = json!({"name": "a"});
    with(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}),
        fields,
    )
}

async fn a_secret_is_opaque(on: Ground) -> Result<(), String> {
    let made = on.make("v1/secrets", &secret(json!({}))).await?;
    same(&made, &json!({"type": "Opaque"}))
}

async fn the_text_of_a_secret_becomes_data(on: Ground) -> Result<(), String> {
    let asked = json!({"data": {"a": "b2xk", "b": "b2xk"}, "stringData": {"a": "value"}});
    let made = on.make("v1/secrets", &secret(asked)).await?;
    let data = json!({"a": "dmFsdWU=", "b": "b2xk"});
    same(&made, &json!({"data": data, "stringData": null}))
}

async fn a_claim_is_filled_in(on: Ground) -> Result<(), String> {
    let asked = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    });
    let path = "v1/persistentvolumeclaims?dryRun=All";
    let made = on.make(path, &asked).await?;
    same(
        &made,
        &json!({"spec": {"volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}),
    )
}

async fn a_network_policy_is_of_what_it_has_rules_for(on: Ground) -> Result<(), String> {
    for (name, spec, types) in [
        ("a", json!({}), json!(["Ingress"])),
        (
            "b",
            json!({"egress": [{"ports": [{"port": 80}]}]}),
            json!(["Ingress", "Egress"]),
        ),
    ] {
        let spec = with(json!({"podSelector": {}}), spec);
        let asked = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name}, "spec": spec,
        });
        let path = "networking.k8s.io/v1/networkpolicies";
        let made = on.make(path, &asked).await?;
        same(&made["spec"], &json!({"policyTypes": types}))?;
    }
    Ok(())
}

async fn a_binding_is_of_a_role_of_its_group(on: Ground) -> Result<(), String> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let asked = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "a"},
        "roleRef": {"kind": "Role", "name": "nobody"},
        "subjects": [{"kind": "User", "name": "one"}, {"kind": "ServiceAccount", "name": "two"}],
    });
    let path = "rbac.authorization.k8s.io/v1/rolebindings";
    let made = on.make(path, &asked).await?;
    same(
        &made,
        &json!({
            "roleRef": {"apiGroup": GROUP},
            "subjects": [{"apiGroup": GROUP}, {"apiGroup": null}],
        }),
    )
}
