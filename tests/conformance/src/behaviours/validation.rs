//! What is refused for what it says, with the words and the causes.

use serde_json::{Value, json};

use super::compare::{same, with};
use super::ground::Patch;
use super::objects::*;
use super::paths::DEPLOYMENTS;
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_deployment_selects_its_template,
        "pkg/apis/apps/validation/validation.go ValidatePodTemplateSpecForReplicaSet"
    ),
    behaviour!(
        the_selector_of_a_deployment_stays,
        "pkg/registry/apps/deployment/strategy.go ValidateUpdate"
    ),
    behaviour!(
        the_selector_of_a_replica_set_stays,
        "pkg/registry/apps/replicaset/strategy.go ValidateUpdate"
    ),
    behaviour!(
        the_selector_of_a_daemon_set_stays,
        "pkg/registry/apps/daemonset/strategy.go ValidateUpdate"
    ),
    behaviour!(
        a_deadline_is_longer_than_readiness,
        "pkg/apis/apps/validation/validation.go ValidateDeploymentSpec"
    ),
    behaviour!(
        a_rollout_may_not_stand_still,
        "pkg/apis/apps/validation/validation.go ValidateRollingUpdateDeployment"
    ),
    behaviour!(
        a_recreation_does_not_roll,
        "pkg/apis/apps/validation/validation.go ValidateDeploymentStrategy"
    ),
    behaviour!(
        replicas_are_not_negative,
        "pkg/apis/apps/validation/validation.go ValidateDeploymentSpec"
    ),
    behaviour!(
        all_mistakes_are_told_at_once,
        "apimachinery/pkg/api/errors/errors.go NewInvalid"
    ),
    behaviour!(
        a_pod_needs_containers,
        "pkg/apis/core/validation/validation.go validateContainers"
    ),
    behaviour!(
        a_container_needs_an_image,
        "pkg/apis/core/validation/validation.go validateContainerCommon"
    ),
    behaviour!(
        containers_have_names_of_their_own,
        "pkg/apis/core/validation/validation.go validateContainers"
    ),
    behaviour!(
        a_request_is_no_more_than_its_limit,
        "pkg/apis/core/validation/validation.go ValidateContainerResourceRequirements"
    ),
    behaviour!(
        a_name_is_a_subdomain,
        "apimachinery/pkg/util/validation/validation.go IsDNS1123Subdomain"
    ),
    behaviour!(
        a_namespace_has_no_dots,
        "apimachinery/pkg/util/validation/validation.go IsDNS1123Label"
    ),
    behaviour!(
        a_label_has_a_known_form,
        "apimachinery/pkg/util/validation/validation.go IsValidLabelValue"
    ),
    behaviour!(
        a_config_key_has_a_known_form,
        "apimachinery/pkg/util/validation/validation.go IsConfigMapKey"
    ),
    behaviour!(
        an_immutable_config_map_keeps_its_data,
        "pkg/apis/core/validation/validation.go ValidateConfigMapUpdate"
    ),
    behaviour!(
        an_immutable_config_map_stays_so,
        "pkg/apis/core/validation/validation.go ValidateConfigMapUpdate"
    ),
    behaviour!(
        an_immutable_config_map_may_be_labelled,
        "pkg/apis/core/validation/validation.go ValidateConfigMapUpdate"
    ),
    behaviour!(
        an_immutable_secret_keeps_its_data,
        "pkg/apis/core/validation/validation.go ValidateSecretUpdate"
    ),
    behaviour!(
        the_type_of_a_secret_stays,
        "pkg/apis/core/validation/validation.go ValidateSecretUpdate"
    ),
    behaviour!(
        a_service_needs_ports,
        "pkg/apis/core/validation/validation.go ValidateService"
    ),
    behaviour!(
        ports_of_a_service_are_named_if_they_are_several,
        "pkg/apis/core/validation/validation.go validateServicePort"
    ),
    behaviour!(
        the_address_of_a_service_stays,
        "pkg/apis/core/validation/validation.go ValidateServiceClusterIPsRelatedFields"
    ),
    behaviour!(
        a_budget_has_one_bound,
        "pkg/apis/policy/validation/validation.go ValidatePodDisruptionBudgetSpec"
    ),
    behaviour!(
        an_autoscaler_has_more_at_most_than_at_least,
        "pkg/apis/autoscaling/validation/validation.go validateHorizontalPodAutoscalerSpec"
    ),
    behaviour!(
        the_pods_of_a_job_end,
        "pkg/apis/batch/validation/validation.go validateJobSpec"
    ),
    behaviour!(
        the_template_of_a_job_stays,
        "pkg/apis/batch/validation/validation.go ValidateJobSpecUpdate"
    ),
    behaviour!(
        a_cron_job_has_a_schedule,
        "pkg/apis/batch/validation/validation.go validateScheduleFormat"
    ),
    behaviour!(
        the_service_of_a_stateful_set_stays,
        "pkg/apis/apps/validation/validation.go ValidateStatefulSetUpdate"
    ),
    behaviour!(
        a_lease_lasts_some_time,
        "pkg/apis/coordination/validation/validation.go ValidateLeaseSpec"
    ),
    behaviour!(
        an_object_has_one_controller,
        "apimachinery/pkg/api/validation/objectmeta.go ValidateOwnerReferences"
    ),
    behaviour!(
        a_wrong_type_is_refused,
        "apiserver/pkg/endpoints/handlers/rest.go transformDecodeError"
    ),
    behaviour!(
        a_quantity_is_a_number,
        "apimachinery/pkg/api/resource/quantity.go ParseQuantity"
    ),
];

async fn a_deployment_selects_its_template(on: Ground) -> Result<(), String> {
    let other = json!({"spec": {"template": {"metadata": {"labels": {"app": "another"}}}}});
    let answer = on
        .post(DEPLOYMENTS, &with(deployment("a", 0), other))
        .await?;
    let message = "Deployment.apps \"a\" is invalid: spec.template.metadata.labels: Invalid value: {\"app\":\"another\"}: `selector` does not match template `labels`";
    answer.refuses(422, "Invalid", message)?;
    let cause = json!({"reason": "FieldValueInvalid", "field": "spec.template.metadata.labels"});
    let details = json!({"name": "a", "group": "apps", "kind": "Deployment", "causes": [cause]});
    same(&answer.body["details"], &details)
}

/// A patch that selects and labels pods otherwise.
fn selecting_others() -> Value {
    let labels = json!({"app": "another"});
    json!({"spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}})
}

async fn selector_stays(on: &Ground, plural: &str, object: Value) -> Result<(), String> {
    on.make(&format!("apps/v1/{plural}"), &object).await?;
    let path = format!("apps/v1/{plural}/a");
    let answer = on.patch(Patch::Merge, &path, &selecting_others()).await?;
    answer.refuses_saying(422, "Invalid", "spec.selector: Invalid value: ")?;
    answer.refuses_saying(422, "Invalid", ": field is immutable")
}

async fn the_selector_of_a_deployment_stays(on: Ground) -> Result<(), String> {
    selector_stays(&on, "deployments", deployment("a", 0)).await
}

async fn the_selector_of_a_replica_set_stays(on: Ground) -> Result<(), String> {
    selector_stays(&on, "replicasets", replica_set("a", 0)).await
}

async fn the_selector_of_a_daemon_set_stays(on: Ground) -> Result<(), String> {
    selector_stays(&on, "daemonsets", daemon_set("a")).await
}

/// What is refused of an object with a patch over it: this of this field.
async fn refused(
    on: &Ground,
    path: &str,
    object: Value,
    field: &str,
    why: &str,
) -> Result<(), String> {
    let answer = on.post(path, &object).await?;
    answer.refuses_saying(422, "Invalid", &format!("{field}: {why}"))?;
    let causes = answer.body["details"]["causes"].as_array();
    let named = causes.is_some_and(|all| all.iter().any(|it| it["field"] == field));
    super::compare::holds(named, "a cause with the field", &answer.body)
}

async fn a_deadline_is_longer_than_readiness(on: Ground) -> Result<(), String> {
    let spec = json!({"spec": {"minReadySeconds": 9, "progressDeadlineSeconds": 9}});
    let why = "Invalid value: 9: must be greater than minReadySeconds";
    refused(
        &on,
        DEPLOYMENTS,
        with(deployment("a", 0), spec),
        "spec.progressDeadlineSeconds",
        why,
    )
    .await
}

async fn a_rollout_may_not_stand_still(on: Ground) -> Result<(), String> {
    let rolling = json!({"maxSurge": 0, "maxUnavailable": 0});
    let spec = json!({"spec": {"strategy": {"rollingUpdate": rolling}}});
    let answer = on
        .post(DEPLOYMENTS, &with(deployment("a", 0), spec))
        .await?;
    answer.refuses_saying(
        422,
        "Invalid",
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: ",
    )?;
    answer.refuses_saying(422, "Invalid", "may not be 0 when `maxSurge` is 0")
}

async fn a_recreation_does_not_roll(on: Ground) -> Result<(), String> {
    let strategy = json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}});
    let spec = json!({"spec": {"strategy": strategy}});
    let why = "Forbidden: may not be specified when strategy `type` is 'Recreate'";
    refused(
        &on,
        DEPLOYMENTS,
        with(deployment("a", 0), spec),
        "spec.strategy.rollingUpdate",
        why,
    )
    .await
}

async fn replicas_are_not_negative(on: Ground) -> Result<(), String> {
    let why = "Invalid value: -1: must be greater than or equal to 0";
    let object = with(deployment("a", 0), json!({"spec": {"replicas": -1}}));
    refused(&on, DEPLOYMENTS, object, "spec.replicas", why).await
}

async fn all_mistakes_are_told_at_once(on: Ground) -> Result<(), String> {
    let spec = json!({"replicas": -1, "minReadySeconds": -2});
    let answer = on
        .post(
            DEPLOYMENTS,
            &with(deployment("a", 0), json!({"spec": spec})),
        )
        .await?;
    answer.refuses_saying(422, "Invalid", "Deployment.apps \"a\" is invalid: [")?;
    let fields = |field: &str| json!({"reason": "FieldValueInvalid", "field": field});
    let causes = json!([fields("spec.replicas"), fields("spec.minReadySeconds")]);
    same(&answer.body["details"]["causes"], &causes)
}

async fn a_pod_needs_containers(on: Ground) -> Result<(), String> {
    let object = with(pod("a"), json!({"spec": {"containers": []}}));
    refused(&on, "v1/pods", object, "spec.containers", "Required value").await
}

async fn a_container_needs_an_image(on: Ground) -> Result<(), String> {
    let object = with(pod("a"), json!({"spec": {"containers": [{"name": "web"}]}}));
    refused(
        &on,
        "v1/pods",
        object,
        "spec.containers[0].image",
        "Required value",
    )
    .await
}

async fn containers_have_names_of_their_own(on: Ground) -> Result<(), String> {
    let web = json!({"name": "web", "image": IMAGE});
    let object = with(pod("a"), json!({"spec": {"containers": [web, web]}}));
    let why = "Duplicate value: \"web\"";
    refused(&on, "v1/pods", object, "spec.containers[1].name", why).await
}

async fn a_request_is_no_more_than_its_limit(on: Ground) -> Result<(), String> {
    let resources = json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}});
    let web = json!({"name": "web", "image": IMAGE, "resources": resources});
    let object = with(pod("a"), json!({"spec": {"containers": [web]}}));
    let why = "Invalid value: \"2\": must be less than or equal to cpu limit of 1";
    refused(
        &on,
        "v1/pods",
        object,
        "spec.containers[0].resources.requests",
        why,
    )
    .await
}

async fn a_name_is_a_subdomain(on: Ground) -> Result<(), String> {
    let why = "Invalid value: \"Not_a_name\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    refused(
        &on,
        "v1/configmaps",
        map("Not_a_name"),
        "metadata.name",
        why,
    )
    .await
}

async fn a_namespace_has_no_dots(on: Ground) -> Result<(), String> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a.b"}});
    let why = "Invalid value: \"a.b\": must not contain dots";
    refused(&on, "/api/v1/namespaces", object, "metadata.name", why).await
}

async fn a_label_has_a_known_form(on: Ground) -> Result<(), String> {
    let object = with(map("a"), json!({"metadata": {"labels": {"app": "a b"}}}));
    let why = "Invalid value: \"a b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    refused(&on, "v1/configmaps", object, "metadata.labels", why).await
}

async fn a_config_key_has_a_known_form(on: Ground) -> Result<(), String> {
    let object = with(map("a"), json!({"data": {"a b": "value"}}));
    let why = "Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    refused(&on, "v1/configmaps", object, "data[a b]", why).await
}

const IMMUTABLE: &str = "Forbidden: field is immutable when `immutable` is set";

/// Makes an object immutable, and holds against how a change of it is refused.
async fn immutable(
    on: &Ground,
    path: &str,
    object: Value,
    patch: Value,
    field: &str,
) -> Result<(), String> {
    on.make(path, &with(object, json!({"immutable": true})))
        .await?;
    let answer = on.patch(Patch::Merge, &format!("{path}/a"), &patch).await?;
    answer.refuses_saying(
        422,
        "Invalid",
        &format!("\"a\" is invalid: {field}: {IMMUTABLE}"),
    )
}

async fn an_immutable_config_map_keeps_its_data(on: Ground) -> Result<(), String> {
    immutable(
        &on,
        "v1/configmaps",
        map("a"),
        json!({"data": {"key": "other"}}),
        "data",
    )
    .await
}

async fn an_immutable_config_map_stays_so(on: Ground) -> Result<(), String> {
    immutable(
        &on,
        "v1/configmaps",
        map("a"),
        json!({"immutable": null}),
        "immutable",
    )
    .await
}

async fn an_immutable_config_map_may_be_labelled(on: Ground) -> Result<(), String> {
    on.make("v1/configmaps", &with(map("a"), json!({"immutable": true})))
        .await?;
    let labelled = on
        .change(
            "v1/configmaps/a",
            &json!({"metadata": {"labels": {"a": "b"}}}),
        )
        .await?;
    same(
        &labelled,
        &json!({"immutable": true, "metadata": {"labels": {"a": "b"}}}),
    )
}

fn secret() -> Value {
    let metadata = json!({"name": "a"});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"key": "dmFsdWU="}})
}

async fn an_immutable_secret_keeps_its_data(on: Ground) -> Result<(), String> {
    immutable(
        &on,
        "v1/secrets",
        secret(),
        json!({"data": {"key": "b3RoZXI="}}),
        "data",
    )
    .await
}

async fn the_type_of_a_secret_stays(on: Ground) -> Result<(), String> {
    on.make("v1/secrets", &secret()).await?;
    let patch = json!({"type": "example.com/other"});
    let answer = on.patch(Patch::Merge, "v1/secrets/a", &patch).await?;
    let message =
        "Secret \"a\" is invalid: type: Invalid value: \"example.com/other\": field is immutable";
    answer.refuses(422, "Invalid", message)
}

async fn a_service_needs_ports(on: Ground) -> Result<(), String> {
    let object = with(service("a"), json!({"spec": {"ports": null}}));
    refused(&on, "v1/services", object, "spec.ports", "Required value").await
}

async fn ports_of_a_service_are_named_if_they_are_several(on: Ground) -> Result<(), String> {
    let ports = json!([{"port": 80}, {"port": 81}]);
    let object = with(service("a"), json!({"spec": {"ports": ports}}));
    refused(
        &on,
        "v1/services",
        object,
        "spec.ports[0].name",
        "Required value",
    )
    .await
}

async fn the_address_of_a_service_stays(on: Ground) -> Result<(), String> {
    on.make("v1/services", &service("a")).await?;
    let patch = json!({"spec": {"clusterIP": "10.96.254.254", "clusterIPs": ["10.96.254.254"]}});
    let answer = on.patch(Patch::Merge, "v1/services/a", &patch).await?;
    answer.refuses_saying(422, "Invalid", "may not change once set")
}

async fn a_budget_has_one_bound(on: Ground) -> Result<(), String> {
    let object = budget("a", json!({"minAvailable": 1, "maxUnavailable": 1}));
    let answer = on.post("policy/v1/poddisruptionbudgets", &object).await?;
    answer.refuses_saying(
        422,
        "Invalid",
        "minAvailable and maxUnavailable cannot be both set",
    )
}

async fn an_autoscaler_has_more_at_most_than_at_least(on: Ground) -> Result<(), String> {
    let object = with(autoscaler("a"), json!({"spec": {"minReplicas": 5}}));
    let why = "Invalid value: 3: must be greater than or equal to `minReplicas`";
    let path = "autoscaling/v2/horizontalpodautoscalers";
    refused(&on, path, object, "spec.maxReplicas", why).await
}

async fn the_pods_of_a_job_end(on: Ground) -> Result<(), String> {
    let object = with(
        job("a"),
        json!({"spec": {"template": {"spec": {"restartPolicy": "Always"}}}}),
    );
    let answer = on.post("batch/v1/jobs", &object).await?;
    answer.refuses_saying(422, "Invalid", "spec.template.spec.restartPolicy: ")?;
    answer.refuses_saying(422, "Invalid", "\"OnFailure\", \"Never\"")
}

async fn the_template_of_a_job_stays(on: Ground) -> Result<(), String> {
    on.make(
        "batch/v1/jobs",
        &with(job("a"), json!({"spec": {"suspend": false}})),
    )
    .await?;
    let patch = image("conformance/web:2");
    let answer = on
        .patch(Patch::Strategic, "batch/v1/jobs/a", &patch)
        .await?;
    answer.refuses_saying(422, "Invalid", "spec.template: Invalid value: ")?;
    answer.refuses_saying(422, "Invalid", ": field is immutable")
}

async fn a_cron_job_has_a_schedule(on: Ground) -> Result<(), String> {
    let object = with(cron_job("a"), json!({"spec": {"schedule": "never"}}));
    let why = "Invalid value: \"never\": ";
    refused(&on, "batch/v1/cronjobs", object, "spec.schedule", why).await
}

async fn the_service_of_a_stateful_set_stays(on: Ground) -> Result<(), String> {
    on.make("apps/v1/statefulsets", &stateful_set("a", 0))
        .await?;
    let patch = json!({"spec": {"serviceName": "another"}});
    let answer = on
        .patch(Patch::Merge, "apps/v1/statefulsets/a", &patch)
        .await?;
    let part = "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy'";
    answer.refuses_saying(422, "Invalid", part)
}

async fn a_lease_lasts_some_time(on: Ground) -> Result<(), String> {
    let object = with(lease("a"), json!({"spec": {"leaseDurationSeconds": 0}}));
    let why = "Invalid value: 0: must be greater than 0";
    let path = "coordination.k8s.io/v1/leases";
    refused(&on, path, object, "spec.leaseDurationSeconds", why).await
}

async fn an_object_has_one_controller(on: Ground) -> Result<(), String> {
    let owner = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name, "controller": true});
    let owners = json!({"metadata": {"ownerReferences": [owner("one"), owner("two")]}});
    let answer = on.post("v1/configmaps", &with(map("a"), owners)).await?;
    let part =
        "Only one reference can have Controller set to true. Found \"true\" in references for";
    answer.refuses_saying(422, "Invalid", part)
}

async fn a_wrong_type_is_refused(on: Ground) -> Result<(), String> {
    let object = with(deployment("a", 0), json!({"spec": {"replicas": "three"}}));
    let answer = on.post(DEPLOYMENTS, &object).await?;
    let part = "Deployment in version \"v1\" cannot be handled as a Deployment: ";
    answer.refuses_saying(400, "BadRequest", part)
}

async fn a_quantity_is_a_number(on: Ground) -> Result<(), String> {
    let web = json!({"name": "web", "image": IMAGE, "resources": {"limits": {"cpu": "much"}}});
    let object = with(pod("a"), json!({"spec": {"containers": [web]}}));
    let answer = on.post("v1/pods", &object).await?;
    let part = "quantities must match the regular expression";
    answer.refuses_saying(400, "BadRequest", part)
}
