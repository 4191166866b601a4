//! Which reads wait for their kind's watch cache, and how long.

use super::lab::{Fake, Lab, NS, apps, core, deployment};
use crate::cluster::json::json;
use crate::cluster::wire::Ticket;
use crate::cluster::{ApiRequest, Cluster, Timings};
use crate::measured::Distribution;
use crate::time::Micros;

const NOTICE: Micros = Micros(400);
const PERIOD: Micros = Micros::from_millis(100);
const AT_ONCE: Option<Micros> = None;

fn timings() -> Timings {
    Timings {
        notice: Distribution::fixed(NOTICE.0),
        notice_period: PERIOD,
        background: Vec::new(),
        ..Timings::default()
    }
}

fn lab(timings: Timings) -> Lab {
    Lab {
        cluster: Cluster::with(7, &[NS.to_owned()], timings, 1),
        fake: Fake::default(),
        now: Micros::from_secs(1),
    }
}

fn ask(lab: &mut Lab, path: &str) -> Option<Ticket> {
    let request = ApiRequest {
        method: http::Method::GET,
        uri: path.parse().expect("a path"),
        content_type: None,
        accept: None,
        body: bytes::Bytes::new(),
        user: "test".to_owned(),
        user_agent: None,
    };
    lab.cluster.await_cache(lab.now, &request)
}

/// How long a read waits; the lab's time is then its end.
fn wait(lab: &mut Lab, path: &str) -> Option<Micros> {
    let begun = lab.now;
    let ticket = ask(lab, path)?;
    loop {
        if lab.cluster.take_fresh().contains(&ticket) {
            return Some(lab.now - begun);
        }
        lab.run_until(lab.cluster.next_at().expect("a notice is due"));
    }
}

fn pass(lab: &mut Lab, span: Micros) {
    lab.run_until(lab.now + span);
}

/// A ConfigMap that nobody heeds.
fn write(lab: &mut Lab, name: &str) {
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {}});
    lab.post(&core("configmaps"), &object);
}

#[test]
fn after_a_write_elsewhere_a_list_waits_for_the_next_notice() {
    let mut lab = lab(timings());
    write(&mut lab, "a");
    // Nothing was asked for a while: the store is asked at once.
    assert_eq!(wait(&mut lab, &core("pods")), Some(NOTICE));
    // Nothing was written since.
    assert_eq!(wait(&mut lab, &core("pods")), AT_ONCE);
    // Asked a moment ago: the rest of the period, and the notice.
    for spent in [Micros(0), Micros::from_millis(30), Micros::from_millis(99)] {
        pass(&mut lab, spent);
        write(&mut lab, &format!("b{}", spent.0));
        let rest = PERIOD - spent;
        assert_eq!(wait(&mut lab, &core("pods")), Some(rest), "{spent}");
    }
    pass(&mut lab, PERIOD);
    write(&mut lab, "c");
    assert_eq!(wait(&mut lab, &core("pods")), Some(NOTICE));
}

#[test]
fn what_needs_no_newer_cache_is_answered_at_once() {
    let mut lab = lab(timings());
    assert_eq!(wait(&mut lab, &core("pods")), AT_ONCE);
    write(&mut lab, "a");
    let version = lab.cluster.resource_version();
    // Its own kind's write; any version; one object; a log; a kind without a cache;
    // a watch from a version; what is refused.
    for path in [
        core("configmaps"),
        core("pods?resourceVersion=0"),
        core("pods?resourceVersion=1"),
        core("pods?limit=2&resourceVersion=1"),
        core("pods/gateway-1"),
        core("pods/gateway-1/log?follow=false"),
        core("events"),
        core(&format!("pods?watch=true&resourceVersion={version}")),
        core("pods?watch=true&resourceVersion=0"),
        core("pods?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"),
        core(&format!("pods?resourceVersion={}", version + 1)),
        "/version".to_owned(),
    ] {
        assert_eq!(wait(&mut lab, &path), AT_ONCE, "{path}");
    }
}

#[test]
fn whatever_must_see_a_version_waits_for_it() {
    for path in [
        "pods?resourceVersion=",
        "pods?limit=5",
        "pods?labelSelector=app%3Dgateway",
        "pods?watch=true",
        "pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        "pods?resourceVersion=VERSION",
        "pods?resourceVersion=VERSION&resourceVersionMatch=Exact",
        // A position in that version, and one that is no longer consistent.
        "pods?limit=5&continue=v1.HEX.61",
        "pods?limit=5&continue=v1.0.61",
    ] {
        let mut lab = lab(timings());
        write(&mut lab, "a");
        let version = lab.cluster.resource_version();
        let path = path
            .replace("VERSION", &version.to_string())
            .replace("HEX", &format!("{version:x}"));
        assert_eq!(wait(&mut lab, &core(&path)), Some(NOTICE), "{path}");
    }
}

#[test]
fn each_kind_has_a_timer_of_its_own_and_one_notice_serves_all_who_wait() {
    let mut lab = lab(timings());
    write(&mut lab, "a");
    assert_eq!(wait(&mut lab, &core("pods")), Some(NOTICE));
    assert_eq!(wait(&mut lab, &apps("replicasets")), Some(NOTICE));
    write(&mut lab, "b");
    let first = ask(&mut lab, &core("pods")).expect("it waits");
    pass(&mut lab, Micros::from_millis(10));
    write(&mut lab, "c");
    let second = ask(&mut lab, &core("pods?limit=1")).expect("it waits");
    assert_eq!(lab.cluster.take_fresh(), []);
    pass(&mut lab, PERIOD);
    assert_eq!(lab.cluster.take_fresh(), [first, second]);
}

#[test]
fn an_event_of_its_kind_ends_the_wait() {
    let mut lab = lab(timings());
    write(&mut lab, "a");
    assert_eq!(wait(&mut lab, &apps("deployments")), Some(NOTICE));
    write(&mut lab, "b");
    let waits = ask(&mut lab, &apps("deployments")).expect("it waits");
    pass(&mut lab, Micros::from_millis(5));
    assert_eq!(lab.cluster.take_fresh(), []);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 0, "dex/gateway:1"),
    );
    assert_eq!(lab.cluster.take_fresh(), [waits]);
}

#[test]
fn what_the_control_plane_writes_counts_as_written_elsewhere() {
    let mut lab = lab(Timings {
        background: Timings::default().background,
        ..timings()
    });
    let mut waits = 0;
    for _ in 0..100 {
        pass(&mut lab, Micros::from_secs(1));
        waits += u32::from(wait(&mut lab, &core("pods")).is_some());
        assert_eq!(wait(&mut lab, &core("pods?resourceVersion=0")), AT_ONCE);
    }
    // Two Leases every 2 s: one second without any of them is rare, one second with one is not.
    assert!((40..=100).contains(&waits), "{waits}");
}

#[test]
fn lists_leave_every_other_draw_alone() {
    let rolled_out = |with_lists: bool| {
        let mut lab = Lab::new(11);
        lab.post(
            &apps("deployments"),
            &deployment("gateway", 3, "dex/gateway:1"),
        );
        for _ in 0..300 {
            pass(&mut lab, PERIOD);
            if with_lists {
                ask(&mut lab, &core("pods"));
                ask(&mut lab, &apps("deployments"));
            }
        }
        assert_eq!(lab.cluster.take_fresh().is_empty(), !with_lists);
        lab.cluster.fingerprint().value()
    };
    assert_eq!(rolled_out(false), rolled_out(true));
}
