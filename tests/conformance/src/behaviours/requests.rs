//! What requests are refused with, and which version of an object a write is meant for.

use http::Method;
use serde_json::json;

use super::compare::{holds, same, with};
use super::objects::{deployment, lease, map, service};
use super::paths::{DEPLOYMENTS, LEASES, MAP, MAPS};
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_missing_object_is_not_found,
        "apimachinery/pkg/api/errors/errors.go NewNotFound"
    ),
    behaviour!(
        a_missing_object_of_a_group_is_named_with_it,
        "apimachinery/pkg/api/errors/errors.go NewNotFound"
    ),
    behaviour!(
        an_unknown_resource_is_not_found,
        "apimachinery/pkg/api/errors/errors.go NewGenericServerResponse"
    ),
    behaviour!(
        an_object_is_created_once,
        "apimachinery/pkg/api/errors/errors.go NewAlreadyExists"
    ),
    behaviour!(
        an_object_needs_its_namespace,
        "apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go"
    ),
    behaviour!(
        a_stale_update_conflicts,
        "apiserver/pkg/registry/generic/registry/store.go Update, OptimisticLockErrorMsg"
    ),
    behaviour!(
        a_stale_update_of_a_group_conflicts,
        "apiserver/pkg/registry/generic/registry/store.go Update, OptimisticLockErrorMsg"
    ),
    behaviour!(
        an_update_without_a_version_is_unconditional,
        "pkg/registry/core/configmap/strategy.go AllowUnconditionalUpdate"
    ),
    behaviour!(
        a_deployment_may_be_replaced_without_a_version,
        "pkg/registry/apps/deployment/strategy.go AllowUnconditionalUpdate"
    ),
    behaviour!(
        a_lease_is_updated_at_a_version_only,
        "pkg/registry/coordination/lease/strategy.go AllowUnconditionalUpdate"
    ),
    behaviour!(
        a_put_creates_a_lease,
        "pkg/registry/coordination/lease/strategy.go AllowCreateOnUpdate"
    ),
    behaviour!(
        a_put_creates_no_config_map,
        "pkg/registry/core/configmap/strategy.go AllowCreateOnUpdate"
    ),
    behaviour!(
        an_update_names_what_its_url_names,
        "apiserver/pkg/endpoints/handlers/rest.go checkName"
    ),
    behaviour!(
        an_update_stays_in_its_namespace,
        "apiserver/pkg/endpoints/handlers/rest.go checkName"
    ),
    behaviour!(
        a_creation_stays_in_its_namespace,
        "apiserver/pkg/registry/rest/create.go EnsureObjectNamespaceMatchesRequestNamespace"
    ),
    behaviour!(
        a_creation_has_no_version,
        "apiserver/pkg/storage/etcd3/store.go Create"
    ),
    behaviour!(
        an_update_with_another_uid_conflicts,
        "apiserver/pkg/registry/generic/registry/store.go Update"
    ),
    behaviour!(
        an_update_of_a_service_may_leave_its_address_out,
        "pkg/registry/core/service/storage/storage.go patchAllocatedValues"
    ),
    behaviour!(
        an_equal_update_changes_nothing,
        "apiserver/pkg/storage/etcd3/store.go GuaranteedUpdate"
    ),
    behaviour!(
        versions_are_of_all_kinds_together,
        "apiserver/pkg/storage/etcd3/store.go"
    ),
    behaviour!(
        a_server_fills_in_what_identifies_an_object,
        "apiserver/pkg/registry/rest/meta.go FillObjectMetaSystemFields"
    ),
    behaviour!(
        a_uid_that_a_client_chooses_is_replaced,
        "apiserver/pkg/registry/rest/meta.go FillObjectMetaSystemFields"
    ),
    behaviour!(
        an_object_made_again_is_another,
        "apiserver/pkg/registry/rest/meta.go FillObjectMetaSystemFields"
    ),
    behaviour!(
        a_name_is_generated_from_its_beginning,
        "apiserver/pkg/storage/names/generate.go"
    ),
    behaviour!(
        a_name_wins_over_its_beginning,
        "apiserver/pkg/registry/rest/create.go BeforeCreate"
    ),
    behaviour!(
        an_object_needs_a_name,
        "apimachinery/pkg/api/validation/objectmeta.go ValidateObjectMetaAccessor"
    ),
    behaviour!(
        a_body_of_another_kind_is_refused,
        "apiserver/pkg/endpoints/handlers/create.go"
    ),
    behaviour!(
        a_body_that_is_no_json_is_refused,
        "apiserver/pkg/endpoints/handlers/create.go"
    ),
    behaviour!(
        an_unknown_media_type_is_refused,
        "apiserver/pkg/endpoints/handlers/negotiation/errors.go"
    ),
    behaviour!(
        what_no_media_type_is_accepted_for_is_refused,
        "apiserver/pkg/server/handler.go serviceErrorHandler"
    ),
    behaviour!(
        a_form_that_is_not_served_is_refused,
        "apiserver/pkg/endpoints/handlers/negotiation/errors.go"
    ),
    behaviour!(
        a_namespaced_object_is_not_created_outside,
        "apiserver/pkg/endpoints/installer.go registerResourceHandlers"
    ),
    behaviour!(
        a_namespace_becomes_active,
        "pkg/registry/core/namespace/strategy.go PrepareForCreate"
    ),
    behaviour!(
        a_namespace_carries_its_name_as_a_label,
        "pkg/apis/core/v1/defaults.go SetDefaults_Namespace"
    ),
];

const STALE: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

async fn a_missing_object_is_not_found(on: Ground) -> Result<(), String> {
    let answer = on.get("v1/configmaps/nobody").await?;
    answer.refuses(404, "NotFound", "configmaps \"nobody\" not found")?;
    same(
        &answer.body["details"],
        &json!({"name": "nobody", "kind": "configmaps", "group": null}),
    )
}

async fn a_missing_object_of_a_group_is_named_with_it(on: Ground) -> Result<(), String> {
    let answer = on.delete("apps/v1/deployments/nobody").await?;
    answer.refuses(404, "NotFound", "deployments.apps \"nobody\" not found")?;
    same(
        &answer.body["details"],
        &json!({"name": "nobody", "kind": "deployments", "group": "apps"}),
    )
}

async fn an_unknown_resource_is_not_found(on: Ground) -> Result<(), String> {
    let answer = on.get("apps/v1/gadgets").await?;
    let message = "the server could not find the requested resource";
    answer.refuses(404, "NotFound", message)
}

async fn an_object_is_created_once(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let answer = on.post(MAPS, &map("a")).await?;
    answer.refuses(409, "AlreadyExists", "configmaps \"a\" already exists")?;
    same(
        &answer.body["details"],
        &json!({"name": "a", "kind": "configmaps"}),
    )
}

async fn an_object_needs_its_namespace(on: Ground) -> Result<(), String> {
    let path = "/api/v1/namespaces/behaviour-of-nobody/configmaps";
    let answer = on.post(path, &map("a")).await?;
    answer.refuses(
        404,
        "NotFound",
        "namespaces \"behaviour-of-nobody\" not found",
    )?;
    same(
        &answer.body["details"],
        &json!({"name": "behaviour-of-nobody", "kind": "namespaces"}),
    )
}

async fn a_stale_update_conflicts(on: Ground) -> Result<(), String> {
    let first = on.make(MAPS, &map("a")).await?;
    on.change("v1/configmaps/a", &json!({"data": {"key": "other"}}))
        .await?;
    let answer = on.put("v1/configmaps/a", &first).await?;
    let message = format!("Operation cannot be fulfilled on configmaps \"a\": {STALE}");
    answer.refuses(409, "Conflict", &message)?;
    same(
        &answer.body["details"],
        &json!({"name": "a", "kind": "configmaps"}),
    )
}

async fn a_stale_update_of_a_group_conflicts(on: Ground) -> Result<(), String> {
    let first = on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    on.change(
        "apps/v1/deployments/a",
        &json!({"spec": {"minReadySeconds": 1}}),
    )
    .await?;
    let answer = on.put("apps/v1/deployments/a", &first).await?;
    let message = format!("Operation cannot be fulfilled on deployments.apps \"a\": {STALE}");
    answer.refuses(409, "Conflict", &message)
}

async fn an_update_without_a_version_is_unconditional(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    on.change("v1/configmaps/a", &json!({"data": {"more": "1"}}))
        .await?;
    let replaced = on.put("v1/configmaps/a", &map("a")).await?.with(200)?;
    same(&replaced, &json!({"data": {"key": "value", "more": null}}))
}

async fn a_deployment_may_be_replaced_without_a_version(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let wanted = with(deployment("a", 0), json!({"spec": {"minReadySeconds": 7}}));
    let replaced = on.put("apps/v1/deployments/a", &wanted).await?.with(200)?;
    same(&replaced, &json!({"spec": {"minReadySeconds": 7}}))
}

async fn a_lease_is_updated_at_a_version_only(on: Ground) -> Result<(), String> {
    on.make(LEASES, &lease("a")).await?;
    let answer = on
        .put("coordination.k8s.io/v1/leases/a", &lease("a"))
        .await?;
    let part = "metadata.resourceVersion: Invalid value: ";
    answer.refuses_saying(422, "Invalid", part)?;
    answer.refuses_saying(422, "Invalid", ": must be specified for an update")
}

async fn a_put_creates_a_lease(on: Ground) -> Result<(), String> {
    let made = on
        .put("coordination.k8s.io/v1/leases/a", &lease("a"))
        .await?
        .with(201)?;
    same(&made, &json!({"spec": {"holderIdentity": "one"}}))
}

async fn a_put_creates_no_config_map(on: Ground) -> Result<(), String> {
    let answer = on.put("v1/configmaps/a", &map("a")).await?;
    answer.refuses(404, "NotFound", "configmaps \"a\" not found")
}

async fn an_update_names_what_its_url_names(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let answer = on.put("v1/configmaps/a", &map("b")).await?;
    let message = "the name of the object (b) does not match the name on the URL (a)";
    answer.refuses(400, "BadRequest", message)
}

async fn an_update_stays_in_its_namespace(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let elsewhere = with(map("a"), json!({"metadata": {"namespace": "elsewhere"}}));
    let answer = on.put("v1/configmaps/a", &elsewhere).await?;
    let part = "does not match the namespace ";
    answer.refuses_saying(400, "BadRequest", part)
}

async fn a_creation_stays_in_its_namespace(on: Ground) -> Result<(), String> {
    let elsewhere = with(map("a"), json!({"metadata": {"namespace": "elsewhere"}}));
    let answer = on.post(MAPS, &elsewhere).await?;
    let message =
        "the namespace of the provided object does not match the namespace sent on the request";
    answer.refuses(400, "BadRequest", message)
}

async fn a_creation_has_no_version(on: Ground) -> Result<(), String> {
    let asked = with(map("a"), json!({"metadata": {"resourceVersion": "7"}}));
    let refused = on.post(MAPS, &asked).await?.with(500)?;
    same(
        &refused,
        &json!({"message": "resourceVersion should not be set on objects to be created"}),
    )
}

async fn an_update_with_another_uid_conflicts(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let other = with(
        map("a"),
        json!({"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}}),
    );
    let answer = on.put("v1/configmaps/a", &other).await?;
    answer.refuses_saying(409, "Conflict", "Precondition failed: UID in precondition: 00000000-0000-4000-8000-000000000000, UID in object meta: ")
}

async fn an_update_of_a_service_may_leave_its_address_out(on: Ground) -> Result<(), String> {
    let made = on.make("v1/services", &service("a")).await?;
    let ip = &made["spec"]["clusterIP"];
    holds(ip.is_string() && *ip != "None", "an address", &made)?;
    let replaced = on.put("v1/services/a", &service("a")).await?.with(200)?;
    same(
        &replaced,
        &json!({"spec": {"clusterIP": ip, "clusterIPs": [ip]}}),
    )
}

async fn an_equal_update_changes_nothing(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let replaced = on.put("v1/configmaps/a", &map("a")).await?.with(200)?;
    let version = &made["metadata"]["resourceVersion"];
    same(
        &replaced,
        &json!({"metadata": {"resourceVersion": version}}),
    )
}

async fn versions_are_of_all_kinds_together(on: Ground) -> Result<(), String> {
    let number = |it: &serde_json::Value| -> u64 {
        let version = it["metadata"]["resourceVersion"].as_str();
        version.and_then(|it| it.parse().ok()).unwrap_or_default()
    };
    let first = on.make(MAPS, &map("a")).await?;
    let second = on.make(LEASES, &lease("a")).await?;
    let third = on.make(MAPS, &map("b")).await?;
    let ordered =
        0 < number(&first) && number(&first) < number(&second) && number(&second) < number(&third);
    holds(
        ordered,
        "each version is greater than the one before",
        &json!([first, second, third]),
    )
}

async fn a_server_fills_in_what_identifies_an_object(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let metadata = &made["metadata"];
    same(
        metadata,
        &json!({"name": "a", "namespace": on.namespace(), "generation": null}),
    )?;
    let uid = metadata["uid"].as_str().unwrap_or_default();
    holds(uid.len() == 36, "a UID of 36 characters", metadata)?;
    let time = metadata["creationTimestamp"].as_str().unwrap_or_default();
    holds(
        time.len() == 20 && time.ends_with('Z'),
        "a time in whole seconds of UTC",
        metadata,
    )
}

async fn a_uid_that_a_client_chooses_is_replaced(on: Ground) -> Result<(), String> {
    let own = "00000000-0000-4000-8000-000000000000";
    let asked = json!({"metadata": {"uid": own, "creationTimestamp": "2001-02-03T04:05:06Z"}});
    let made = on.make(MAPS, &with(map("a"), asked)).await?;
    let metadata = &made["metadata"];
    holds(metadata["uid"] != own, "another UID", metadata)?;
    holds(
        metadata["creationTimestamp"] != "2001-02-03T04:05:06Z",
        "another time",
        metadata,
    )
}

async fn an_object_made_again_is_another(on: Ground) -> Result<(), String> {
    let first = on.make(MAPS, &map("a")).await?;
    on.delete("v1/configmaps/a").await?.with(200)?;
    let second = on.make(MAPS, &map("a")).await?;
    holds(
        first["metadata"]["uid"] != second["metadata"]["uid"],
        "another UID",
        &second,
    )
}

async fn a_name_is_generated_from_its_beginning(on: Ground) -> Result<(), String> {
    let asked = with(
        map("a"),
        json!({"metadata": {"name": null, "generateName": "made-"}}),
    );
    let one = on.make(MAPS, &asked).await?;
    let other = on.make(MAPS, &asked).await?;
    for made in [&one, &other] {
        same(made, &json!({"metadata": {"generateName": "made-"}}))?;
        let name = made["metadata"]["name"].as_str().unwrap_or_default();
        let end = name.strip_prefix("made-").unwrap_or_default();
        let allowed = end
            .chars()
            .all(|it| "bcdfghjklmnpqrstvwxz2456789".contains(it));
        holds(
            end.len() == 5 && allowed,
            "five letters of the alphabet",
            &made["metadata"],
        )?;
    }
    holds(
        one["metadata"]["name"] != other["metadata"]["name"],
        "two names",
        &other,
    )
}

async fn a_name_wins_over_its_beginning(on: Ground) -> Result<(), String> {
    let made = on
        .make(
            MAPS,
            &with(map("a"), json!({"metadata": {"generateName": "made-"}})),
        )
        .await?;
    same(
        &made,
        &json!({"metadata": {"name": "a", "generateName": "made-"}}),
    )
}

async fn an_object_needs_a_name(on: Ground) -> Result<(), String> {
    let nameless = with(map("a"), json!({"metadata": {"name": null}}));
    let answer = on.post(MAPS, &nameless).await?;
    let message = "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required";
    answer.refuses(422, "Invalid", message)?;
    let cause = json!({
        "reason": "FieldValueRequired", "field": "metadata.name",
        "message": "Required value: name or generateName is required",
    });
    same(
        &answer.body["details"],
        &json!({"kind": "ConfigMap", "causes": [cause]}),
    )
}

async fn a_body_of_another_kind_is_refused(on: Ground) -> Result<(), String> {
    let answer = on.post("v1/secrets", &map("a")).await?;
    let part = "ConfigMap in version \"v1\" cannot be handled as a Secret: ";
    answer.refuses_saying(400, "BadRequest", part)
}

async fn a_body_that_is_no_json_is_refused(on: Ground) -> Result<(), String> {
    let answer = on
        .send(
            Method::POST,
            MAPS,
            "application/json",
            b"{\"kind\":".to_vec(),
        )
        .await?;
    answer
        .with(400)
        .and_then(|it| same(&it, &json!({"reason": "BadRequest"})))
}

async fn what_no_media_type_is_accepted_for_is_refused(on: Ground) -> Result<(), String> {
    let of_object = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
                     application/vnd.kubernetes.protobuf";
    let of_list = format!(
        "{of_object}, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    );
    for accept in ["text/html", "application/*", "text/html, image/png"] {
        for (path, message) in [(MAPS, of_list.as_str()), (MAP, of_object)] {
            let answer = on.get_as(path, accept).await?;
            answer.refuses(406, "NotAcceptable", message)?;
        }
    }
    on.get_as(MAPS, "text/html, */*").await?.with(200).map(drop)
}

async fn a_form_that_is_not_served_is_refused(on: Ground) -> Result<(), String> {
    let accept = "application/json;as=Chart;g=meta.k8s.io;v=v1";
    let answer = on.get_as(MAPS, accept).await?;
    let message = "only the following media types are accepted: application/json, application/yaml, \
                   application/vnd.kubernetes.protobuf";
    answer.refuses(406, "NotAcceptable", message)
}

async fn an_unknown_media_type_is_refused(on: Ground) -> Result<(), String> {
    let answer = on
        .send(Method::POST, MAPS, "text/csv", b"a,b".to_vec())
        .await?;
    let part = "the body of the request was in an unknown format - accepted media types include: application/json";
    answer.refuses_saying(415, "UnsupportedMediaType", part)
}

async fn a_namespaced_object_is_not_created_outside(on: Ground) -> Result<(), String> {
    let answer = on.post("/api/v1/configmaps", &map("a")).await?;
    answer.refuses(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
}

async fn a_namespace_becomes_active(on: Ground) -> Result<(), String> {
    let own = on
        .read(&format!("/api/v1/namespaces/{}", on.namespace()))
        .await?;
    same(
        &own,
        &json!({"status": {"phase": "Active"}, "spec": {"finalizers": ["kubernetes"]}}),
    )
}

async fn a_namespace_carries_its_name_as_a_label(on: Ground) -> Result<(), String> {
    let own = on
        .read(&format!("/api/v1/namespaces/{}", on.namespace()))
        .await?;
    same(
        &own,
        &json!({"metadata": {"labels": {"kubernetes.io/metadata.name": on.namespace()}}}),
    )
}
