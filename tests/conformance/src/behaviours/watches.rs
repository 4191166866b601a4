//! Watches: where they begin, what they bring, and how they end.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::objects::lease;
use super::paths::LEASES;
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_watch_brings_what_comes,
        "apiserver/pkg/endpoints/handlers/watch.go"
    ),
    behaviour!(
        a_watch_brings_what_has_come_since,
        "apiserver/pkg/storage/cacher/cacher.go Watch"
    ),
    behaviour!(
        a_watch_of_no_version_begins_with_what_is_there,
        "apiserver/pkg/storage/cacher/cacher.go Watch"
    ),
    behaviour!(
        the_end_of_an_object_has_a_version_of_its_own,
        "apiserver/pkg/storage/etcd3/watcher.go transform"
    ),
    behaviour!(
        objects_enter_and_leave_a_selector,
        "apiserver/pkg/storage/cacher/cache_watcher.go convertToWatchEvent"
    ),
    behaviour!(
        a_watch_may_be_of_one_name,
        "apiserver/pkg/storage/cacher/cacher.go Watch"
    ),
    behaviour!(
        a_write_that_changes_nothing_is_not_seen,
        "apiserver/pkg/storage/etcd3/store.go GuaranteedUpdate"
    ),
    behaviour!(
        a_dry_run_is_not_seen,
        "apiserver/pkg/registry/generic/registry/dryrun.go Create"
    ),
    behaviour!(
        a_watch_ends_in_time,
        "apiserver/pkg/endpoints/handlers/watch.go"
    ),
    behaviour!(
        a_watch_says_how_far_it_is,
        "apiserver/pkg/storage/cacher/cache_watcher.go nextBookmarkTime"
    ),
    behaviour!(
        a_watch_says_where_its_beginning_ends,
        "apiserver/pkg/storage/cacher/cache_watcher.go convertToWatchEvent"
    ),
    behaviour!(
        a_beginning_is_asked_for_with_a_match,
        "apimachinery/pkg/apis/meta/internalversion/validation/validation.go validateWatchOptions"
    ),
    behaviour!(
        a_watch_has_no_match_without_a_beginning,
        "apimachinery/pkg/apis/meta/internalversion/validation/validation.go validateWatchOptions"
    ),
    behaviour!(
        the_first_table_of_a_watch_has_the_columns,
        "apiserver/pkg/endpoints/handlers/response.go watchEncoder"
    ),
    behaviour!(
        a_collection_that_goes_is_seen_one_by_one,
        "apiserver/pkg/registry/generic/registry/store.go DeleteCollection"
    ),
];

const LEASE: &str = "coordination.k8s.io/v1/leases/a";

/// The path of a watch that begins after what there is now.
async fn from_now(on: &Ground) -> Result<String, String> {
    let list = on.read(LEASES).await?;
    let at = list["metadata"]["resourceVersion"].as_str();
    let at = at.unwrap_or_default();
    Ok(format!(
        "{LEASES}?watch=true&timeoutSeconds=5&resourceVersion={at}"
    ))
}

fn held_by(holder: &str) -> Value {
    json!({"spec": {"holderIdentity": holder}})
}

/// Makes a Lease, changes it and deletes it.
async fn a_life(on: &Ground) -> Result<(), String> {
    on.make(LEASES, &lease("a")).await?;
    on.change(LEASE, &held_by("two")).await?;
    on.delete(LEASE).await?.with(200).map(drop)
}

/// Holds against the types and holders of all events of a watch.
fn tells(events: &[Value], wanted: &[(&str, &str)]) -> Result<(), String> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let told = events.iter().map(|event| {
        let holder = &event["object"]["spec"]["holderIdentity"];
        (text(&event["type"]), text(holder))
    });
    let same = told.eq(wanted
        .iter()
        .map(|(kind, holder)| ((*kind).to_owned(), (*holder).to_owned())));
    holds(same, &format!("{wanted:?}"), &json!(events))
}

const LIFE: [(&str, &str); 3] = [("ADDED", "one"), ("MODIFIED", "two"), ("DELETED", "two")];

async fn a_watch_brings_what_comes(on: Ground) -> Result<(), String> {
    let watch = on.events(&from_now(&on).await?).await?;
    a_life(&on).await?;
    tells(&watch.rest().await?, &LIFE)
}

async fn a_watch_brings_what_has_come_since(on: Ground) -> Result<(), String> {
    let path = from_now(&on).await?;
    a_life(&on).await?;
    tells(&on.events(&path).await?.rest().await?, &LIFE)
}

async fn a_watch_of_no_version_begins_with_what_is_there(on: Ground) -> Result<(), String> {
    on.make(LEASES, &lease("a")).await?;
    on.change(LEASE, &held_by("two")).await?;
    let path = format!("{LEASES}?watch=true&timeoutSeconds=2");
    tells(&on.events(&path).await?.rest().await?, &[("ADDED", "two")])
}

async fn the_end_of_an_object_has_a_version_of_its_own(on: Ground) -> Result<(), String> {
    let path = from_now(&on).await?;
    a_life(&on).await?;
    let events = on.events(&path).await?.rest().await?;
    let versions: Vec<u64> = events
        .iter()
        .filter_map(|it| it["object"]["metadata"]["resourceVersion"].as_str())
        .filter_map(|it| it.parse().ok())
        .collect();
    holds(
        versions.len() == 3 && versions.is_sorted_by(|one, next| one < next),
        "versions that grow",
        &json!(events),
    )
}

async fn objects_enter_and_leave_a_selector(on: Ground) -> Result<(), String> {
    let path = from_now(&on).await? + "&labelSelector=tier%3Dfront";
    on.make(LEASES, &lease("a")).await?;
    let tier = |tier: &str| json!({"metadata": {"labels": {"tier": tier}}});
    let entered = with(tier("front"), held_by("two"));
    on.change(LEASE, &entered).await?;
    let left = with(tier("back"), held_by("three"));
    let after = on.change(LEASE, &left).await?;
    let events = on.events(&path).await?.rest().await?;
    // What leaves is shown as it was, at the version at which it left.
    tells(&events, &[("ADDED", "two"), ("DELETED", "two")])?;
    let version = &after["metadata"]["resourceVersion"];
    same(
        &events[1]["object"],
        &json!({"metadata": {"labels": {"tier": "front"}, "resourceVersion": version}}),
    )
}

async fn a_watch_may_be_of_one_name(on: Ground) -> Result<(), String> {
    let path = from_now(&on).await? + "&fieldSelector=metadata.name%3Da";
    on.make(LEASES, &with(lease("b"), held_by("other"))).await?;
    a_life(&on).await?;
    tells(&on.events(&path).await?.rest().await?, &LIFE)
}

async fn a_write_that_changes_nothing_is_not_seen(on: Ground) -> Result<(), String> {
    on.make(LEASES, &lease("a")).await?;
    let path = from_now(&on).await?;
    on.change(LEASE, &held_by("one")).await?;
    on.change(LEASE, &held_by("two")).await?;
    tells(
        &on.events(&path).await?.rest().await?,
        &[("MODIFIED", "two")],
    )
}

async fn a_dry_run_is_not_seen(on: Ground) -> Result<(), String> {
    let path = from_now(&on).await?;
    on.make(&format!("{LEASES}?dryRun=All"), &lease("a"))
        .await?;
    on.make(LEASES, &with(lease("b"), held_by("two"))).await?;
    tells(&on.events(&path).await?.rest().await?, &[("ADDED", "two")])
}

async fn a_watch_ends_in_time(on: Ground) -> Result<(), String> {
    let path = format!("{LEASES}?watch=true&timeoutSeconds=1");
    tells(&on.events(&path).await?.rest().await?, &[])
}

async fn a_watch_says_how_far_it_is(on: Ground) -> Result<(), String> {
    on.make(LEASES, &lease("a")).await?;
    // Two seconds before its end, it does at the latest.
    let path = from_now(&on).await? + "&allowWatchBookmarks=true";
    let events = on.events(&path).await?.rest().await?;
    let last = events.last().cloned().unwrap_or_default();
    same(
        &last,
        &json!({"type": "BOOKMARK", "object": {"kind": "Lease", "metadata": {"name": null}}}),
    )?;
    holds(
        last["object"]["metadata"]["resourceVersion"].is_string(),
        "a version",
        &last,
    )
}

async fn a_watch_says_where_its_beginning_ends(on: Ground) -> Result<(), String> {
    on.make(LEASES, &lease("a")).await?;
    let options =
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let path = format!("{LEASES}?watch=true&timeoutSeconds=5&{options}");
    let mut watch = on.events(&path).await?;
    let spec = held_by("one");
    watch.brings("ADDED", spec).await?;
    let end = json!({"metadata": {"annotations": {"k8s.io/initial-events-end": "true"}}});
    watch.brings("BOOKMARK", end).await?;
    on.change(LEASE, &held_by("two")).await?;
    watch.brings("MODIFIED", held_by("two")).await.map(drop)
}

async fn a_beginning_is_asked_for_with_a_match(on: Ground) -> Result<(), String> {
    let path = format!("{LEASES}?watch=true&timeoutSeconds=1&sendInitialEvents=true");
    let part = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    on.get(&path).await?.refuses_saying(422, "Invalid", part)
}

async fn a_watch_has_no_match_without_a_beginning(on: Ground) -> Result<(), String> {
    let path = from_now(&on).await? + "&resourceVersionMatch=NotOlderThan";
    let part = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
    on.get(&path).await?.refuses_saying(422, "Invalid", part)
}

async fn the_first_table_of_a_watch_has_the_columns(on: Ground) -> Result<(), String> {
    let path = from_now(&on).await?;
    a_life(&on).await?;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut watch = on.events_as(&path, accept).await?;
    for (nth, (of_type, holder)) in LIFE.into_iter().enumerate() {
        let event = watch.expect().await?;
        same(
            &event,
            &json!({"type": of_type, "object": {"kind": "Table"}}),
        )?;
        let table = &event["object"];
        let columns = table["columnDefinitions"].as_array().map_or(0, Vec::len);
        holds((columns == 0) == (nth != 0), "columns in the first", table)?;
        holds(
            table["rows"][0]["cells"][1] == holder,
            "the holder in its row",
            table,
        )?;
    }
    Ok(())
}

async fn a_collection_that_goes_is_seen_one_by_one(on: Ground) -> Result<(), String> {
    for name in ["a", "b"] {
        on.make(LEASES, &with(lease(name), held_by(name))).await?;
    }
    let path = from_now(&on).await?;
    on.delete(LEASES).await?.with(200)?;
    let mut events = on.events(&path).await?.rest().await?;
    events.sort_by_key(|it| it["object"]["metadata"]["name"].to_string());
    tells(&events, &[("DELETED", "a"), ("DELETED", "b")])
}
