//! The options of logs, and logs that are followed.

use super::lab::{Lab, apps, core, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{ApiResponse, WatchFrame, WatchId};
use crate::time::Micros;
use crate::workload::LogLine;

fn line(at: Micros, text: &str) -> LogLine {
    let text = text.to_owned();
    LogLine { at, text }
}

/// A lab with one pod that runs, and the path of its log.
fn with_pod() -> (Lab, String) {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    let pod = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    (lab, core(&format!("pods/{pod}/log")))
}

/// What has come of a log since the last look, and whether it has ended.
fn read(lab: &mut Lab, id: WatchId) -> (String, bool) {
    let (mut text, mut ended) = (String::new(), false);
    for (of, frame) in lab.cluster.take_watch_frames() {
        assert_eq!(of, id);
        match frame {
            WatchFrame::Data(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
            WatchFrame::End => ended = true,
        }
    }
    (text, ended)
}

fn follow(lab: &mut Lab, path: &str) -> WatchId {
    match lab.raw("GET", path, "", b"") {
        ApiResponse::Log(id) => id,
        other => panic!("no log: {other:?}"),
    }
}

#[test]
fn a_followed_log_goes_on_until_its_process_ends() {
    let (mut lab, path) = with_pod();
    let before = lab.now;
    lab.fake.lines = vec![line(before, "one"), line(before, "two")];
    let id = follow(&mut lab, &format!("{path}?follow=true&tailLines=1"));
    assert_eq!(read(&mut lab, id), ("two\n".to_owned(), false));
    lab.run_secs(5);
    assert_eq!(read(&mut lab, id), (String::new(), false));
    // A line of an instant that was sent already, and a later one.
    lab.fake.lines.push(line(before, "three"));
    lab.fake.lines.push(line(lab.now, "four"));
    lab.run_secs(1);
    assert_eq!(read(&mut lab, id), ("three\nfour\n".to_owned(), false));
    let pod = path.trim_end_matches("/log");
    lab.call("DELETE", pod, "", &Value::Null);
    lab.run_secs(60);
    assert_eq!(read(&mut lab, id), (String::new(), true));
}

#[test]
fn a_follower_that_leaves_gets_nothing_more() {
    let (mut lab, path) = with_pod();
    let id = follow(&mut lab, &format!("{path}?follow=true&limitBytes=7"));
    lab.fake.lines = vec![line(lab.now, "a long line")];
    lab.run_secs(1);
    assert_eq!(read(&mut lab, id), ("a long ".to_owned(), true));
    let id = follow(&mut lab, &format!("{path}?follow=true"));
    read(&mut lab, id);
    lab.cluster.close_watch(id);
    lab.fake.lines.push(line(lab.now, "more"));
    lab.run_secs(1);
    assert_eq!(lab.cluster.take_watch_frames(), []);
}

#[test]
fn what_is_asked_of_a_log_is_checked() {
    let (mut lab, path) = with_pod();
    for (query, field) in [
        ("tailLines=-1", "tailLines"),
        ("limitBytes=0", "limitBytes"),
        ("sinceSeconds=0", "sinceSeconds"),
    ] {
        let (status, answer) = lab.call("GET", &format!("{path}?{query}"), "", &Value::Null);
        assert_eq!(
            (status, &answer["reason"]),
            (422, &json!("Invalid")),
            "{query}"
        );
        assert_eq!(answer["details"]["causes"][0]["field"], field);
    }
    let both = format!("{path}?sinceSeconds=5&sinceTime=2026-01-01T00:00:00Z");
    let (status, answer) = lab.call("GET", &both, "", &Value::Null);
    let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
    let message = answer["message"].as_str().expect("a message");
    assert!(status == 422 && message.ends_with(why), "{message}");
}
