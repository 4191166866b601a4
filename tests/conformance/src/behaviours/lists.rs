//! Lists: pages, versions, selectors, and other forms of the answer.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::objects::*;
use super::paths::LEASES;
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_list_is_in_the_order_of_names,
        "apiserver/pkg/storage/etcd3/store.go GetList"
    ),
    behaviour!(
        a_list_has_seen_the_writes_before,
        "apiserver/pkg/storage/etcd3/store.go GetList"
    ),
    behaviour!(
        a_list_of_nothing_is_empty,
        "apiserver/pkg/storage/etcd3/store.go GetList"
    ),
    behaviour!(
        a_list_comes_in_pages,
        "apiserver/pkg/storage/continue.go EncodeContinue"
    ),
    behaviour!(
        pages_are_of_one_state,
        "apiserver/pkg/storage/etcd3/store.go GetList"
    ),
    behaviour!(
        nobody_counts_what_a_selector_leaves,
        "apiserver/pkg/storage/continue.go PrepareContinueToken"
    ),
    behaviour!(
        a_further_page_names_no_version,
        "apiserver/pkg/storage/util.go ValidateListOptions"
    ),
    behaviour!(
        a_page_has_a_place,
        "apiserver/pkg/storage/continue.go DecodeContinue"
    ),
    behaviour!(
        an_old_state_is_listed,
        "apiserver/pkg/storage/etcd3/store.go GetList"
    ),
    behaviour!(
        a_match_is_of_a_version,
        "apimachinery/pkg/apis/meta/internalversion/validation/validation.go ValidateListOptions"
    ),
    behaviour!(
        a_match_has_a_known_name,
        "apimachinery/pkg/apis/meta/internalversion/validation/validation.go ValidateListOptions"
    ),
    behaviour!(
        no_state_is_exactly_the_version_zero,
        "apimachinery/pkg/apis/meta/internalversion/validation/validation.go ValidateListOptions"
    ),
    behaviour!(
        labels_are_selected_by_value,
        "apimachinery/pkg/labels/selector.go Matches"
    ),
    behaviour!(
        labels_are_selected_by_set,
        "apimachinery/pkg/labels/selector.go Matches"
    ),
    behaviour!(
        labels_are_selected_by_being_there,
        "apimachinery/pkg/labels/selector.go Matches"
    ),
    behaviour!(
        a_label_selector_that_is_none_is_refused,
        "apimachinery/pkg/labels/selector.go Parse"
    ),
    behaviour!(
        fields_are_selected_by_name,
        "apimachinery/pkg/fields/selector.go Matches"
    ),
    behaviour!(
        pods_are_selected_by_phase_and_node,
        "pkg/apis/core/v1/conversion.go AddFieldLabelConversionsForPod"
    ),
    behaviour!(
        secrets_are_selected_by_type,
        "pkg/apis/core/v1/conversion.go AddFieldLabelConversionsForSecret"
    ),
    behaviour!(
        a_pod_is_not_selected_by_any_field,
        "pkg/apis/core/v1/conversion.go AddFieldLabelConversionsForPod"
    ),
    behaviour!(
        most_kinds_are_selected_by_name_alone,
        "apimachinery/pkg/runtime/conversion.go DefaultMetaV1FieldSelectorConversion"
    ),
    behaviour!(
        all_namespaces_are_listed_together,
        "apiserver/pkg/endpoints/installer.go registerResourceHandlers"
    ),
    behaviour!(
        a_list_is_a_table_if_it_is_asked_for,
        "pkg/printers/internalversion/printers.go AddHandlers"
    ),
    behaviour!(
        a_row_may_do_without_its_object,
        "apiserver/pkg/endpoints/handlers/response.go asTable"
    ),
    behaviour!(
        metadata_alone_is_listed,
        "apiserver/pkg/endpoints/handlers/response.go asPartialObjectMetadataList"
    ),
];

/// Leases of these names, the first in the tier `front` and the others in `back`; the list of them afterwards.
async fn leases(on: &Ground, names: &[&str]) -> Result<Value, String> {
    for (nth, name) in names.iter().enumerate() {
        let tier = if nth == 0 { "front" } else { "back" };
        let labels = json!({"metadata": {"labels": {"tier": tier}}});
        on.make(LEASES, &with(lease(name), labels)).await?;
    }
    on.read(LEASES).await
}

/// The names of a list's items.
fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().into_iter().flatten();
    items
        .filter_map(|it| it["metadata"]["name"].as_str())
        .collect()
}

/// Holds against the names in a list.
fn has(list: &Value, wanted: &[&str]) -> Result<(), String> {
    holds(names(list) == wanted, &format!("{wanted:?}"), list)
}

async fn a_list_is_in_the_order_of_names(on: Ground) -> Result<(), String> {
    let list = leases(&on, &["c", "a", "b"]).await?;
    same(
        &list,
        &json!({"kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1"}),
    )?;
    has(&list, &["a", "b", "c"])
}

/// The number that a version is.
fn version(of: &Value) -> u64 {
    let text = of["metadata"]["resourceVersion"].as_str();
    text.and_then(|it| it.parse().ok()).unwrap_or_default()
}

async fn a_list_has_seen_the_writes_before(on: Ground) -> Result<(), String> {
    for name in ["a", "b", "c"] {
        let made = on.make(LEASES, &lease(name)).await?;
        let list = on.read(LEASES).await?;
        holds(names(&list).contains(&name), "what was made", &list)?;
        holds(version(&list) >= version(&made), "a version since", &list)?;
    }
    Ok(())
}

async fn a_list_of_nothing_is_empty(on: Ground) -> Result<(), String> {
    let list = on.read(LEASES).await?;
    same(
        &list,
        &json!({"items": [], "metadata": {"continue": null, "remainingItemCount": null}}),
    )?;
    holds(version(&list) > 0, "a version", &list)
}

/// Where the next page begins.
fn next(list: &Value) -> &str {
    list["metadata"]["continue"].as_str().unwrap_or_default()
}

async fn a_list_comes_in_pages(on: Ground) -> Result<(), String> {
    leases(&on, &["a", "b", "c"]).await?;
    let first = on.read(&format!("{LEASES}?limit=2")).await?;
    has(&first, &["a", "b"])?;
    same(&first["metadata"], &json!({"remainingItemCount": 1}))?;
    let further = format!("{LEASES}?limit=2&continue={}", next(&first));
    let second = on.read(&further).await?;
    has(&second, &["c"])?;
    same(
        &second["metadata"],
        &json!({"continue": null, "remainingItemCount": null}),
    )
}

async fn pages_are_of_one_state(on: Ground) -> Result<(), String> {
    leases(&on, &["a", "b", "c"]).await?;
    let first = on.read(&format!("{LEASES}?limit=1")).await?;
    on.delete(&format!("{LEASES}/b")).await?.with(200)?;
    on.make(LEASES, &lease("d")).await?;
    let further = format!("{LEASES}?continue={}", next(&first));
    let second = on.read(&further).await?;
    has(&second, &["b", "c"])?;
    holds(version(&first) == version(&second), "one version", &second)
}

async fn nobody_counts_what_a_selector_leaves(on: Ground) -> Result<(), String> {
    leases(&on, &["a", "b", "c"]).await?;
    let path = format!("{LEASES}?limit=1&labelSelector=tier%3Dback");
    let first = on.read(&path).await?;
    has(&first, &["b"])?;
    holds(!next(&first).is_empty(), "a further page", &first)?;
    same(&first["metadata"], &json!({"remainingItemCount": null}))
}

async fn a_further_page_names_no_version(on: Ground) -> Result<(), String> {
    leases(&on, &["a", "b"]).await?;
    let first = on.read(&format!("{LEASES}?limit=1")).await?;
    let (place, at) = (next(&first), version(&first));
    let path = format!("{LEASES}?limit=1&continue={place}&resourceVersion={at}");
    let message = "specifying resource version is not allowed when using continue";
    on.get(&path).await?.refuses(400, "BadRequest", message)
}

async fn a_page_has_a_place(on: Ground) -> Result<(), String> {
    let answer = on.get(&format!("{LEASES}?limit=1&continue=there")).await?;
    answer.refuses_saying(400, "BadRequest", "continue key is not valid")
}

async fn an_old_state_is_listed(on: Ground) -> Result<(), String> {
    let list = leases(&on, &["a", "b"]).await?;
    on.delete(&format!("{LEASES}/a")).await?.with(200)?;
    let at = version(&list);
    let path = format!("{LEASES}?resourceVersion={at}&resourceVersionMatch=Exact");
    let old = on.read(&path).await?;
    has(&old, &["a", "b"])?;
    holds(version(&old) == at, "the version", &old)?;
    let path = format!("{LEASES}?resourceVersion={at}&resourceVersionMatch=NotOlderThan");
    holds(
        version(&on.read(&path).await?) >= at,
        "a version since",
        &old,
    )
}

/// Holds against how the options of a list are refused.
async fn refused(on: &Ground, query: &str, why: &str) -> Result<(), String> {
    let answer = on.get(&format!("{LEASES}?{query}")).await?;
    let message = format!("ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: {why}");
    answer.refuses(422, "Invalid", &message)
}

async fn a_match_is_of_a_version(on: Ground) -> Result<(), String> {
    let why = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
    refused(&on, "resourceVersionMatch=Exact", why).await
}

async fn a_match_has_a_known_name(on: Ground) -> Result<(), String> {
    let path = format!("{LEASES}?resourceVersion=1&resourceVersionMatch=Newest");
    let part = "resourceVersionMatch: Unsupported value: \"Newest\": supported values: ";
    on.get(&path).await?.refuses_saying(422, "Invalid", part)
}

async fn no_state_is_exactly_the_version_zero(on: Ground) -> Result<(), String> {
    let why = "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
    refused(&on, "resourceVersion=0&resourceVersionMatch=Exact", why).await
}

/// Holds against the names that a selector of labels finds among `a` in `front`, `b` in `back`, and `c` in none.
async fn finds(on: &Ground, selectors: &[(&str, &[&str])]) -> Result<(), String> {
    leases(on, &["a", "b"]).await?;
    on.make(LEASES, &lease("c")).await?;
    for (selector, wanted) in selectors {
        let list = on
            .read(&format!("{LEASES}?labelSelector={selector}"))
            .await?;
        has(&list, wanted).map_err(|why| format!("{selector}: {why}"))?;
    }
    Ok(())
}

async fn labels_are_selected_by_value(on: Ground) -> Result<(), String> {
    finds(
        &on,
        &[
            ("tier%3Dfront", &["a"]),
            ("tier%3D%3Dback", &["b"]),
            ("tier!%3Dfront", &["b", "c"]),
            ("tier%3Dfront,tier%3Dback", &[]),
        ],
    )
    .await
}

async fn labels_are_selected_by_set(on: Ground) -> Result<(), String> {
    finds(
        &on,
        &[
            ("tier%20in%20(front,back)", &["a", "b"]),
            ("tier%20notin%20(front)", &["b", "c"]),
        ],
    )
    .await
}

async fn labels_are_selected_by_being_there(on: Ground) -> Result<(), String> {
    finds(&on, &[("tier", &["a", "b"]), ("!tier", &["c"])]).await
}

async fn a_label_selector_that_is_none_is_refused(on: Ground) -> Result<(), String> {
    let path = format!("{LEASES}?labelSelector=tier%3Da%3Db");
    let part = "found '=', expected: ',' or 'end of string'";
    on.get(&path).await?.refuses_saying(400, "BadRequest", part)
}

async fn fields_are_selected_by_name(on: Ground) -> Result<(), String> {
    leases(&on, &["a", "b", "c"]).await?;
    for (selector, wanted) in [
        ("metadata.name%3Db", &["b"][..]),
        ("metadata.name!%3Db", &["a", "c"]),
        ("metadata.namespace%3Dnobody", &[]),
    ] {
        let path = format!("{LEASES}?fieldSelector={selector}");
        has(&on.read(&path).await?, wanted).map_err(|why| format!("{selector}: {why}"))?;
    }
    Ok(())
}

async fn pods_are_selected_by_phase_and_node(on: Ground) -> Result<(), String> {
    on.make("v1/pods", &pod("a")).await?;
    for (selector, wanted) in [
        ("status.phase%3DPending", &["a"][..]),
        ("status.phase%3DRunning", &[]),
        ("spec.nodeName%3D", &["a"]),
        (
            "spec.restartPolicy%3DAlways,spec.nodeName!%3Dnobody",
            &["a"],
        ),
    ] {
        let path = format!("v1/pods?fieldSelector={selector}");
        has(&on.read(&path).await?, wanted).map_err(|why| format!("{selector}: {why}"))?;
    }
    Ok(())
}

async fn secrets_are_selected_by_type(on: Ground) -> Result<(), String> {
    for (name, of_type) in [("a", "Opaque"), ("b", "example.com/other")] {
        let asked = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": of_type});
        on.make("v1/secrets", &asked).await?;
    }
    let path = "v1/secrets?fieldSelector=type%3Dexample.com/other";
    has(&on.read(path).await?, &["b"])
}

async fn a_pod_is_not_selected_by_any_field(on: Ground) -> Result<(), String> {
    let answer = on.get("v1/pods?fieldSelector=spec.hostname%3Da").await?;
    answer.refuses_saying(
        400,
        "BadRequest",
        "field label not supported: spec.hostname",
    )
}

async fn most_kinds_are_selected_by_name_alone(on: Ground) -> Result<(), String> {
    let part = "\"spec.replicas\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    let answer = on
        .get("apps/v1/deployments?fieldSelector=spec.replicas%3D1")
        .await?;
    answer.refuses_saying(400, "BadRequest", part)
}

async fn all_namespaces_are_listed_together(on: Ground) -> Result<(), String> {
    let mark = on.namespace().to_owned();
    let labels = json!({"metadata": {"labels": {"of": mark}}});
    on.make(LEASES, &with(lease("a"), labels)).await?;
    let path = format!("/apis/coordination.k8s.io/v1/leases?labelSelector=of%3D{mark}");
    let list = on.read(&path).await?;
    same(
        &list["items"],
        &json!([{"metadata": {"name": "a", "namespace": mark}}]),
    )
}

const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

async fn a_list_is_a_table_if_it_is_asked_for(on: Ground) -> Result<(), String> {
    on.make("apps/v1/deployments", &deployment("a", 0)).await?;
    let table = on
        .get_as("apps/v1/deployments", AS_TABLE)
        .await?
        .with(200)?;
    same(
        &table,
        &json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1"}),
    )?;
    let columns = table["columnDefinitions"].as_array().into_iter().flatten();
    let columns: Vec<&str> = columns.filter_map(|it| it["name"].as_str()).collect();
    let wanted = [
        "Name",
        "Ready",
        "Up-to-date",
        "Available",
        "Age",
        "Containers",
        "Images",
        "Selector",
    ];
    holds(columns == wanted, "the columns", &table)?;
    let row = &table["rows"][0];
    let cells: Vec<&Value> = row["cells"].as_array().into_iter().flatten().collect();
    holds(cells.len() == wanted.len(), "a cell for each", &table)?;
    holds(cells[0] == "a" && cells[1] == "0/0", "what it says", row)?;
    holds(cells[7] == "app=a", "the selector", row)?;
    same(
        &row["object"],
        &json!({"kind": "PartialObjectMetadata", "metadata": {"name": "a"}, "spec": null}),
    )
}

async fn a_row_may_do_without_its_object(on: Ground) -> Result<(), String> {
    leases(&on, &["a"]).await?;
    for (include, wanted) in [
        ("None", json!({"object": null})),
        (
            "Object",
            json!({"object": {"kind": "Lease", "spec": {"holderIdentity": "one"}}}),
        ),
    ] {
        let path = format!("{LEASES}?includeObject={include}");
        let table = on.get_as(&path, AS_TABLE).await?.with(200)?;
        same(&table["rows"], &json!([wanted])).map_err(|why| format!("{include}: {why}"))?;
    }
    Ok(())
}

async fn metadata_alone_is_listed(on: Ground) -> Result<(), String> {
    leases(&on, &["a"]).await?;
    let accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let list = on.get_as(LEASES, accept).await?.with(200)?;
    same(
        &list,
        &json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
            "items": [{"metadata": {"name": "a", "labels": {"tier": "front"}}, "spec": null}],
        }),
    )
}
