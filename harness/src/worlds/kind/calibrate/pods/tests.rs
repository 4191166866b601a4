//! What is read out of watches and lines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Life, Seen, lives, reactions, stamped};

fn seen(at_us: u64, kind: &'static str, object: Value) -> Seen {
    Seen {
        at_us,
        kind,
        gone: false,
        object,
    }
}

fn pod(spec: Value, status: Value, deleting: Option<&str>) -> Value {
    json!({
        "metadata": {
            "name": "g-1", "labels": {"app": "gateway"}, "deletionTimestamp": deleting,
            "ownerReferences": [{"name": "g"}],
        },
        "spec": spec, "status": status,
    })
}

fn slice(ready: bool) -> Value {
    json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "gateway"}},
        "endpoints": [{"targetRef": {"name": "g-1"}, "conditions": {"ready": ready}}],
    })
}

#[test]
fn a_pods_life_is_read_from_its_events_each_instant_once() {
    let node = || json!({"nodeName": "n"});
    let state = |state: Value, ready: &str| {
        json!({
            "containerStatuses": [{"state": state}],
            "conditions": [{"type": "Ready", "status": ready}],
        })
    };
    let running = || state(json!({"running": {}}), "False");
    let mut end = seen(90, "Pod", pod(node(), running(), Some("x")));
    end.gone = true;
    let events = [
        seen(10, "Pod", pod(json!({}), json!({}), None)),
        seen(15, "Pod", pod(node(), json!({}), None)),
        seen(
            20,
            "Pod",
            pod(node(), state(json!({"waiting": {}}), "False"), None),
        ),
        seen(30, "Pod", pod(node(), running(), None)),
        seen(35, "Pod", pod(node(), running(), None)),
        seen(
            40,
            "Pod",
            pod(node(), state(json!({"running": {}}), "True"), None),
        ),
        seen(44, "EndpointSlice", slice(true)),
        seen(
            70,
            "Pod",
            pod(node(), state(json!({"running": {}}), "True"), Some("x")),
        ),
        seen(75, "EndpointSlice", slice(false)),
        end,
    ];
    let lines = vec![
        (25, "level=info starting gateway 1".to_owned()),
        (26, "level=info listening on 0.0.0.0:8080".to_owned()),
    ];
    let written = BTreeMap::from([("g-1".to_owned(), lines.clone())]);
    let lives = lives(&events, &written);
    let some = Some;
    assert_eq!(
        lives["g-1"],
        (
            "gateway".to_owned(),
            Life {
                created: some(10),
                bound: some(15),
                running: some(30),
                ready: some(40),
                deleted: some(70),
                gone: some(90),
                listed: some(44),
                unlisted: some(75),
                lines,
            }
        )
    );
    assert_eq!(lives["g-1"].1.first_line(), Some(25));
}

#[test]
fn a_pod_that_was_there_before_has_no_beginning() {
    let old = pod(json!({"nodeName": "n"}), json!({}), None);
    let lives = lives(&[seen(10, "Pod", old)], &BTreeMap::new());
    let life = &lives["g-1"].1;
    assert_eq!((life.created, life.bound), (None, None));
}

#[test]
fn controllers_react_to_a_deployments_change_and_to_a_new_set() {
    let deployment =
        |generation| json!({"metadata": {"name": "gateway", "generation": generation}});
    let set = |name| {
        json!({"metadata": {
            "name": name, "generation": 1, "ownerReferences": [{"name": "gateway"}]}})
    };
    let events = [
        seen(1, "Deployment", deployment(4)),
        seen(2, "ReplicaSet", set("old")),
        seen(100, "Deployment", deployment(5)),
        seen(107, "ReplicaSet", set("g")),
        seen(108, "Deployment", deployment(5)),
        seen(110, "Pod", pod(json!({}), json!({}), None)),
        seen(120, "Pod", pod(json!({}), json!({}), None)),
    ];
    assert_eq!(reactions(&events), [7, 3]);
}

#[test]
fn lines_carry_the_nodes_instants() {
    let line = "2026-01-02T03:04:05.123456789Z level=info starting gateway 1.4.2";
    let (at, text) = stamped(line).expect("an instant and a text");
    assert_eq!(at % 1_000_000, 123_456);
    assert_eq!(text, "level=info starting gateway 1.4.2");
    assert_eq!(stamped("level=info"), None);
}
