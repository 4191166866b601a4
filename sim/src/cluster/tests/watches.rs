//! Watches: replay, selectors, bookmarks, initial events, expiry.

use super::lab::{Lab, core};
use crate::cluster::json::{Value, json};
use crate::time::Micros;

fn config(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": app}}, "data": {"k": "v"},
    })
}

fn summary(frames: &[(String, Value)]) -> Vec<String> {
    frames
        .iter()
        .map(|(t, o)| format!("{t} {}", o["metadata"]["name"].as_str().unwrap_or("-")))
        .collect()
}

#[test]
fn changes_since_a_version_are_replayed_then_followed() {
    let mut lab = Lab::new(1);
    lab.post(&core("configmaps"), &config("a", "x"));
    let rv = lab.cluster.resource_version();
    lab.post(&core("configmaps"), &config("b", "x"));
    lab.merge(&core("configmaps/a"), &json!({"data": {"k": "w"}}));
    let id = lab.open_watch(&core(&format!(
        "configmaps?watch=true&resourceVersion={rv}"
    )));
    assert_eq!(summary(&lab.frames(id)), ["ADDED b", "MODIFIED a"]);
    lab.call("DELETE", &core("configmaps/b"), "", &Value::Null);
    let frames = lab.frames(id);
    assert_eq!(summary(&frames), ["DELETED b"]);
    assert_eq!(
        frames[0].1["metadata"]["resourceVersion"],
        lab.cluster.resource_version().to_string()
    );
    lab.cluster.close_watch(id);
    lab.post(&core("configmaps"), &config("c", "x"));
    assert_eq!(lab.frames(id), []);
}

#[test]
fn an_object_that_leaves_the_selector_is_deleted_to_the_watcher() {
    let mut lab = Lab::new(1);
    lab.post(&core("configmaps"), &config("a", "x"));
    let rv = lab.cluster.resource_version();
    let id = lab.open_watch(&core(&format!(
        "configmaps?watch=1&labelSelector=app%3Dx&resourceVersion={rv}"
    )));
    let moved = lab.merge(
        &core("configmaps/a"),
        &json!({"metadata": {"labels": {"app": "y"}}, "data": {"k": "new"}}),
    );
    let frames = lab.frames(id);
    assert_eq!(summary(&frames), ["DELETED a"]);
    assert_eq!(frames[0].1["data"]["k"], "v", "the old content");
    assert_eq!(
        frames[0].1["metadata"]["resourceVersion"], moved["metadata"]["resourceVersion"],
        "the new version"
    );
    lab.merge(
        &core("configmaps/a"),
        &json!({"metadata": {"labels": {"app": "x"}}}),
    );
    assert_eq!(summary(&lab.frames(id)), ["ADDED a"]);
}

#[test]
fn an_old_version_is_gone() {
    let mut lab = Lab::new(1);
    lab.post(&core("configmaps"), &config("a", "x"));
    let rv = lab.cluster.resource_version();
    lab.run_secs(400);
    lab.post(&core("configmaps"), &config("b", "x"));
    lab.merge(&core("configmaps/b"), &json!({"data": {"k": "w"}}));
    let id = lab.open_watch(&core("configmaps?watch=1&resourceVersion=2"));
    let frames = lab.frames(id);
    assert_eq!(frames[0].0, "ERROR");
    assert_eq!(frames[0].1["code"], 410);
    assert_eq!(frames[0].1["reason"], "Expired");
    assert!(
        frames[0].1["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("too old resource version: 2 ("))
    );
    assert_eq!(frames[1].0, "END");
    let id = lab.open_watch(&core(&format!("configmaps?watch=1&resourceVersion={rv}")));
    assert_eq!(
        summary(&lab.frames(id)).len(),
        2,
        "nothing after {rv} was lost"
    );
}

#[test]
fn bookmarks_come_each_minute_and_before_the_end() {
    let mut lab = Lab::new(1);
    let rv = lab.cluster.resource_version();
    let id = lab.open_watch(&core(&format!(
        "configmaps?watch=1&allowWatchBookmarks=true&timeoutSeconds=100&resourceVersion={rv}"
    )));
    lab.run_until(Micros::from_secs(59));
    assert_eq!(lab.frames(id), []);
    lab.run_until(Micros::from_secs(97));
    assert_eq!(summary(&lab.frames(id)), ["BOOKMARK -"]);
    lab.run_until(Micros::from_secs(99));
    assert_eq!(summary(&lab.frames(id)), ["BOOKMARK -"]);
    lab.run_until(Micros::from_secs(101));
    assert_eq!(summary(&lab.frames(id)), ["END -"]);
}

#[test]
fn initial_events_end_with_their_bookmark() {
    let mut lab = Lab::new(1);
    lab.post(&core("configmaps"), &config("a", "x"));
    let (status, _) = lab.call(
        "GET",
        &core("configmaps?watch=1&sendInitialEvents=true"),
        "",
        &Value::Null,
    );
    assert_eq!(status, 422, "it needs resourceVersionMatch");
    let id = lab.open_watch(&core(
        "configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
    ));
    let frames = lab.frames(id);
    assert_eq!(summary(&frames), ["ADDED a", "BOOKMARK -"]);
    assert_eq!(
        frames[1].1["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    let id = lab.open_watch(&core("configmaps?watch=1&resourceVersion=0"));
    assert_eq!(
        summary(&lab.frames(id)),
        ["ADDED a"],
        "implicit without bookmarks"
    );
}

#[test]
fn a_version_from_the_future_waits() {
    let mut lab = Lab::new(1);
    let rv = lab.cluster.resource_version() + 1;
    let id = lab.open_watch(&core(&format!("configmaps?watch=1&resourceVersion={rv}")));
    lab.post(&core("configmaps"), &config("a", "x"));
    assert_eq!(lab.frames(id), [], "this change is not after {rv}");
    lab.post(&core("configmaps"), &config("b", "x"));
    assert_eq!(summary(&lab.frames(id)), ["ADDED b"]);
}

#[test]
fn dropped_watches_end() {
    let mut lab = Lab::new(1);
    let rv = lab.cluster.resource_version();
    let id = lab.open_watch(&core(&format!("configmaps?watch=1&resourceVersion={rv}")));
    lab.cluster.drop_watches();
    assert_eq!(summary(&lab.frames(id)), ["END -"]);
}
