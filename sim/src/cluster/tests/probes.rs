//! When probes are asked: at the ticks of their period, and readiness also whenever a status is computed in between
//! (`pkg/kubelet/prober`).

use super::lab::{Behaviour, Lab, NS, apps, core, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, Kind, Timings};
use crate::time::Micros;

const IMAGE: &str = "dex/risk:1";

/// A Deployment of one pod whose only probe asks `/health`, with this period.
fn asked_every(seconds: u64, probe: &str) -> Value {
    let mut d = deployment("risk", 1, IMAGE);
    let container = &mut d["spec"]["template"]["spec"]["containers"][0];
    let fields = container.as_object_mut().expect("a container");
    fields.remove("readinessProbe");
    fields.remove("livenessProbe");
    container[probe] = json!({
        "httpGet": {"path": "/health", "port": 8080}, "periodSeconds": seconds, "failureThreshold": 30,
    });
    d
}

/// A lab in which that runs, and its process answers so long after its start.
fn lab(seed: u64, d: &Value, answers_after: Option<Micros>) -> Lab {
    let mut lab = Lab::new(seed);
    behaves(&mut lab, answers_after);
    lab.post(&apps("deployments"), d);
    lab
}

fn behaves(lab: &mut Lab, answers_after: Option<Micros>) {
    let behaviour = Behaviour {
        ready_after: answers_after,
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert(IMAGE.to_owned(), behaviour);
}

/// When the process was asked, counted from its start.
fn asked(lab: &Lab) -> Vec<Micros> {
    let start = started(lab);
    lab.fake.asked.iter().map(|at| *at - start).collect()
}

fn started(lab: &Lab) -> Micros {
    let mut record = lab.fake.record.iter();
    let start = record.find(|(_, what, _)| *what == "start");
    start.expect("it runs").0
}

fn pod(lab: &Lab) -> String {
    let name = &lab.pods()[0]["metadata"]["name"];
    name.as_str().expect("a name").to_owned()
}

#[test]
fn what_is_not_ready_at_its_first_look_is_asked_again_at_the_next_one() {
    let mut again = 0;
    for seed in 0..20 {
        let mut lab = lab(
            seed,
            &asked_every(10, "readinessProbe"),
            Some(Micros::from_secs(1)),
        );
        lab.rolled_out("risk", 60);
        let ready = lab.now - started(&lab);
        let asked = asked(&lab);
        assert!(
            ready < Micros::from_millis(2_200),
            "seed {seed}: {ready}, asked {asked:?}"
        );
        again += usize::from(asked.len() == 2);
    }
    assert!(
        again > 5,
        "in most cases it was asked too soon at first: {again}"
    );
}

#[test]
fn the_period_begins_anew_with_a_question_in_between() {
    for seed in 0..10 {
        let mut lab = lab(
            seed,
            &asked_every(10, "readinessProbe"),
            Some(Micros::from_secs(5)),
        );
        lab.rolled_out("risk", 60);
        let asked = asked(&lab);
        assert_eq!(asked.len(), 3, "seed {seed}: {asked:?}");
        assert!(
            asked[1] - asked[0] < Micros::from_millis(1_100),
            "seed {seed}: {asked:?}"
        );
        assert_eq!(
            asked[2] - asked[1],
            Micros::from_secs(10),
            "seed {seed}: {asked:?}"
        );
    }
}

#[test]
fn what_stays_unready_is_asked_whenever_its_pod_is_taken_up_without_news() {
    for frequency_s in [6, 60] {
        let timings = Timings {
            sync_frequency: Micros::from_secs(frequency_s),
            ..Timings::default()
        };
        let mut lab = Lab::new(1);
        lab.cluster = Cluster::with(1, &[NS.to_owned()], timings, 1);
        behaves(&mut lab, None);
        lab.post(&apps("deployments"), &asked_every(3_600, "readinessProbe"));
        lab.run_secs(frequency_s * 20);
        let asked = asked(&lab);
        assert!(asked.len() > 10, "{frequency_s} s: {asked:?}");
        let spans: Vec<Micros> = asked.windows(2).skip(1).map(|w| w[1] - w[0]).collect();
        let allowed = Micros::from_secs(frequency_s)..=Micros::from_secs(frequency_s * 3 / 2 + 1);
        assert!(
            spans.iter().all(|it| allowed.contains(it)),
            "{frequency_s} s: {spans:?}"
        );
        assert!(
            spans.iter().any(|it| *it != spans[0]),
            "{frequency_s} s: {spans:?}"
        );
    }
}

#[test]
fn a_readiness_that_is_lost_is_asked_again_at_once() {
    let mut d = asked_every(5, "readinessProbe");
    let probe = &mut d["spec"]["template"]["spec"]["containers"][0]["readinessProbe"];
    probe["httpGet"]["path"] = "/livez".into();
    probe["failureThreshold"] = 2.into();
    let mut lab = Lab::new(1);
    let hanging = Behaviour {
        hangs_after: Some(Micros::from_secs(20)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert(IMAGE.to_owned(), hanging);
    lab.post(&apps("deployments"), &d);
    lab.run_secs(50);
    let asked = asked(&lab);
    let twice: Vec<Micros> = asked
        .windows(2)
        .filter(|w| w[0] == w[1])
        .map(|w| w[0])
        .collect();
    assert_eq!(twice.len(), 1, "{asked:?}");
    assert!(
        (25_000..31_000).contains(&twice[0].as_millis()),
        "{asked:?}"
    );
    let after: Vec<Micros> = asked.iter().copied().filter(|at| *at > twice[0]).collect();
    assert_eq!(after[0] - twice[0], Micros::from_secs(5), "{asked:?}");
}

#[test]
fn a_change_of_another_container_has_readiness_asked() {
    let mut d = asked_every(3_600, "readinessProbe");
    let containers = &mut d["spec"]["template"]["spec"]["containers"];
    let beside = json!({"name": "beside", "image": "dex/beside:1"});
    *containers = json!([containers[0].clone(), beside]);
    let mut lab = Lab::several(2);
    lab.exits("dex/beside:1", 7_300, 0);
    behaves(&mut lab, None);
    lab.post(&apps("deployments"), &d);
    lab.run_secs(12);
    let ends = lab.fake.when("gone", "beside").expect("it has ended");
    let starts = lab
        .fake
        .record
        .iter()
        .filter(|r| r.1 == "start" && r.2 == "beside");
    let restarted = starts
        .map(|r| r.0)
        .find(|at| *at > ends)
        .expect("it starts again");
    for what in [ends, restarted] {
        let soon = what..what + Micros::from_millis(1_100);
        let noticed = lab.fake.asked.iter().any(|at| soon.contains(at));
        assert!(noticed, "{what}: {:?}", lab.fake.asked);
    }
}

/// While a container waits in its back-off, its pod's worker tries again every 10 to 15 s.
#[test]
fn each_try_to_start_another_container_has_readiness_asked() {
    let mut d = asked_every(3_600, "readinessProbe");
    let containers = &mut d["spec"]["template"]["spec"]["containers"];
    let beside = json!({"name": "beside", "image": "dex/beside:1"});
    *containers = json!([containers[0].clone(), beside]);
    let mut lab = Lab::several(2);
    lab.exits("dex/beside:1", 100, 1);
    behaves(&mut lab, None);
    lab.post(&apps("deployments"), &d);
    lab.run_secs(600);
    let starts = lab.fake.record.iter();
    let starts = starts.filter(|r| r.1 == "start" && r.2 == "beside");
    let last = starts.map(|r| r.0).next_back().expect("it started");
    // The back-off takes 160 s or more by then.
    let span = last + Micros::from_secs(5)..last + Micros::from_secs(100);
    let asked = lab.fake.asked.iter().copied();
    let asked: Vec<Micros> = asked.filter(|at| span.contains(at)).collect();
    assert!(
        (6..=10).contains(&asked.len()),
        "last start {last}: {asked:?}"
    );
}

#[test]
fn a_change_of_a_pods_labels_has_readiness_asked() {
    let mut lab = lab(1, &asked_every(3_600, "readinessProbe"), None);
    lab.run_secs(20);
    let before = lab.fake.asked.len();
    let name = pod(&lab);
    let labels = json!({"metadata": {"labels": {"of": "ours"}}});
    lab.merge(&core(&format!("pods/{name}")), &labels);
    lab.run_secs(3);
    assert_eq!(lab.fake.asked.len(), before + 1);
}

/// Ticks before the delay are skipped, and it counts from the start that the status shows, in whole seconds.
#[test]
fn nothing_is_asked_before_the_initial_delay_is_over() {
    let mut sooner = 0;
    for seed in 0..20 {
        let mut d = asked_every(1, "readinessProbe");
        d["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"] =
            8.into();
        let mut lab = lab(seed, &d, Some(Micros::ZERO));
        lab.rolled_out("risk", 30);
        let shown = Micros(started(&lab).0 / 1_000_000 * 1_000_000);
        let first = lab.fake.asked[0];
        let span = shown + Micros::from_secs(8)..shown + Micros::from_secs(9);
        assert!(span.contains(&first), "seed {seed}: {first}, shown {shown}");
        sooner += usize::from(first < started(&lab) + Micros::from_secs(8));
    }
    assert!(sooner > 0, "the whole delay never went by: {sooner}");
}

#[test]
fn startup_and_liveness_are_asked_at_ticks_that_count_from_the_pods_arrival() {
    for probe in ["startupProbe", "livenessProbe"] {
        for seed in 0..5 {
            let mut lab = lab(seed, &asked_every(10, probe), None);
            lab.run_secs(45);
            let arrived = lab.cluster.objects(Kind::Pod, NS).next().expect("a pod");
            let arrived = arrived["status"]["startTime"].as_str().expect("a time");
            let arrived_s: u64 = arrived[17..19].parse().expect("seconds");
            let asked = &lab.fake.asked;
            assert!(asked.len() >= 4, "{probe}: {asked:?}");
            for (nth, at) in (1..).zip(asked) {
                let tick_s = arrived_s + nth * 10;
                let span = Micros::from_secs(tick_s)..Micros::from_secs(tick_s + 1);
                assert!(
                    span.contains(at),
                    "{probe}: tick {nth} at {at}, arrived at {arrived}"
                );
            }
        }
    }
}

#[test]
fn a_container_that_is_being_stopped_is_asked_on() {
    for answers_after in [Some(Micros::ZERO), None] {
        let mut d = asked_every(4, "readinessProbe");
        d["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 30.into();
        let mut lab = Lab::new(3);
        let behaviour = Behaviour {
            ready_after: answers_after,
            drain: Micros::from_secs(15),
            ..Behaviour::default()
        };
        lab.fake.behaviours.insert(IMAGE.to_owned(), behaviour);
        lab.post(&apps("deployments"), &d);
        lab.run_secs(21);
        lab.merge(
            &apps("deployments/risk/scale"),
            &json!({"spec": {"replicas": 0}}),
        );
        lab.run_secs(14);
        let mut record = lab.fake.record.iter();
        let stopped = record.find(|r| r.1 == "term").expect("it is stopped").0;
        let asked: Vec<Micros> = lab.fake.asked.iter().copied().skip(2).collect();
        let (before, after): (Vec<Micros>, Vec<Micros>) =
            asked.iter().partition(|at| **at < stopped);
        assert!(
            before.len() >= 2 && after.len() >= 3,
            "{stopped}: {asked:?}"
        );
        // What is ready is asked at the same ticks as before, and what is not at once.
        let next = if answers_after.is_some() {
            before[before.len() - 1] + Micros::from_secs(4)
        } else {
            stopped
        };
        assert_eq!(after[0], next, "{asked:?}");
        assert_eq!(after[1], next + Micros::from_secs(4), "{asked:?}");
    }
}
