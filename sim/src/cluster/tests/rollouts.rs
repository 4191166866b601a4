//! Rollouts: revisions, undo, deadlines, Recreate, scaling, history.

use std::collections::BTreeMap;

use super::lab::{Behaviour, Lab, NS, apps, condition, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Kind, Timings};
use crate::measured::Measured;
use crate::time::Micros;

fn never_ready() -> Behaviour {
    Behaviour {
        ready_after: None,
        ..Behaviour::default()
    }
}

fn lab_with_bad(image: &str) -> Lab {
    let mut lab = Lab::new(7);
    lab.fake.behaviours.insert(image.to_owned(), never_ready());
    lab
}

/// The instants at which pods of `image` were bound and became ready, in the order of readiness, until `n` of them are.
fn starts(lab: &mut Lab, image: &str, n: usize) -> Vec<(Micros, Micros)> {
    let mut bound = BTreeMap::new();
    let mut ready = BTreeMap::new();
    let from = lab.now;
    while ready.len() < n {
        assert!(lab.now < from + Micros::from_secs(60), "{ready:?}");
        let next = lab.cluster.next_at().expect("something is going to happen");
        lab.run_until(next);
        for pod in lab.cluster.objects(Kind::Pod, NS) {
            if pod["spec"]["containers"][0]["image"] != image {
                continue;
            }
            let name = pod["metadata"]["name"].as_str().expect("a name");
            if pod["spec"]["nodeName"].as_str().is_some() {
                bound.entry(name.to_owned()).or_insert(lab.now);
            }
            if condition(pod, "Ready")["status"] == "True" {
                ready.entry(name.to_owned()).or_insert(lab.now);
            }
        }
    }
    let mut starts: Vec<_> = ready.iter().map(|(name, at)| (bound[name], *at)).collect();
    starts.sort_by_key(|start| start.1);
    starts
}

/// As a calibration does it: each service rolled out, one pod after the other.
#[test]
fn pods_start_as_those_that_were_measured() {
    let mut took = Vec::new();
    for seed in 0..60 {
        let mut lab = Lab::new(seed);
        for (service, replicas) in [("matching", 1), ("risk", 1), ("gateway", 3)] {
            let at_once = Behaviour {
                ready_after: Some(Micros::ZERO),
                ..Behaviour::default()
            };
            lab.fake.behaviours.insert("new".to_owned(), at_once);
            lab.post(&apps("deployments"), &deployment(service, replicas, "old"));
            lab.rolled_out(service, 30);
            // Whoever rolls out knows nothing of the kubelet's looks.
            lab.run_until(lab.now + Micros(3_000_000 + seed * 1_016_777));
            lab.set_image(service, "new");
            let starts = starts(&mut lab, "new", replicas as usize);
            took.extend(starts.iter().map(|(bound, ready)| ready.0 - bound.0));
            lab.run_secs(20);
            lab.set_image(service, "old");
            lab.rolled_out(service, 30);
            lab.run_secs(20);
        }
    }
    took.sort_unstable();
    let measured = Measured::built_in().pods.whole_start.distribution;
    for share in [250_000, 500_000, 750_000] {
        let drawn = took[took.len() * share as usize / 1_000_000];
        let real = measured.quantile(share);
        assert!(
            drawn.abs_diff(real) < real / 8,
            "{share} of a million pods take {drawn} µs at most, and took {real} µs on the cluster"
        );
    }
}

#[test]
fn pods_of_a_rollout_become_ready_whole_looks_of_the_kubelet_apart() {
    let period = Timings::default().relist.0;
    let (mut in_step, mut all) = (0, 0);
    for seed in 0..40 {
        let mut lab = Lab::new(seed);
        lab.post(&apps("deployments"), &deployment("gateway", 3, "old"));
        lab.rolled_out("gateway", 30);
        lab.set_image("gateway", "new");
        let starts = starts(&mut lab, "new", 3);
        for pair in starts.windows(2) {
            let off = (pair[1].1.0 - pair[0].1.0) % period;
            all += 1;
            in_step += u32::from(off.min(period - off) < 60_000);
        }
    }
    // By chance it would be an eighth. Some are a probe late.
    assert!(in_step * 10 >= all * 6, "{in_step} of {all}");
}

#[test]
fn three_replicas_roll_out_in_about_the_time_that_kind_takes() {
    let mut first = Vec::new();
    let mut second = Vec::new();
    for seed in 0..99 {
        let mut lab = Lab::new(seed);
        lab.post(
            &apps("deployments"),
            &deployment("gateway", 3, "dex/gateway:1"),
        );
        first.push(lab.rolled_out("gateway", 30));
        lab.run_secs(10);
        lab.set_image("gateway", "dex/gateway:2");
        second.push(lab.rolled_out("gateway", 30));
    }
    first.sort();
    second.sort();
    let (first, second) = (first[49], second[49]);
    // Three pods at once take as long as the slowest; an update by one pod at a time,
    // as three of them and the end of the last.
    let pod = Measured::built_in().pods.whole_start.distribution.median();
    let end = Measured::built_in().pods.teardown.distribution.median();
    assert!(
        (pod * 4 / 5..=pod * 7 / 4).contains(&first.0),
        "first rollout {first}, a pod {pod} µs"
    );
    assert!(
        (pod * 5 / 2..=pod * 7 / 2 + end).contains(&second.0),
        "update {second}, a pod {pod} µs, its end {end} µs"
    );
}

#[test]
fn undo_to_the_first_revision_makes_a_third() {
    let mut lab = Lab::new(1);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 3, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    lab.set_image("gateway", "dex/gateway:2");
    lab.rolled_out("gateway", 30);
    lab.merge(
        &apps("deployments/gateway"),
        &json!({"metadata": {"annotations": {"only-here": "x"}}}),
    );
    lab.run_secs(5);
    assert_eq!(
        lab.revisions("gateway")
            .iter()
            .map(|r| (r.0.as_str(), r.2))
            .collect::<Vec<_>>(),
        [("1", 0), ("2", 3)]
    );
    let before = lab.get(&apps("deployments/gateway"))["metadata"]["generation"].as_i64();
    let (status, patched) = lab.undo("gateway", "dex/gateway:1");
    assert_eq!(status, 200, "{patched}");
    assert_eq!(
        patched["metadata"]["generation"].as_i64(),
        before.map(|g| g + 1)
    );
    assert!(
        patched["metadata"]["annotations"]
            .get("only-here")
            .is_none(),
        "annotations of the Deployment alone are lost"
    );
    lab.rolled_out("gateway", 30);
    lab.run_secs(2);
    let revisions = lab.revisions("gateway");
    assert_eq!(
        revisions,
        [
            ("2".to_owned(), "dex/gateway:2".to_owned(), 0),
            ("3".to_owned(), "dex/gateway:1".to_owned(), 3),
        ],
        "no third ReplicaSet, number 1 is gone"
    );
    let d = lab.get(&apps("deployments/gateway"));
    assert_eq!(
        d["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "3"
    );
    let reused = lab
        .cluster
        .objects(Kind::ReplicaSet, NS)
        .find(|rs| rs["spec"]["replicas"] == 3)
        .expect("the reused ReplicaSet");
    assert_eq!(
        reused["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"],
        "1"
    );
    assert_eq!(
        lab.event_messages("gateway", "DeploymentRollback"),
        Vec::<String>::new(),
        "a client-side undo makes no such event"
    );
}

/// Rolls out a Deployment of four and returns the bounds that its pods kept meanwhile:
/// wanted at least and at most, ready at least.
fn bounds_kept(seed: u64, strategy: &Value) -> (i64, i64, usize) {
    let mut lab = Lab::new(seed);
    let mut d = deployment("gateway", 4, "dex/gateway:1");
    d["spec"]["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": strategy});
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("gateway", 30);
    lab.set_image("gateway", "dex/gateway:2");
    let done = lab.now + Micros::from_secs(30);
    let mut kept = (i64::MAX, 0, usize::MAX);
    while let Some(next) = lab.cluster.next_at().filter(|at| *at < done) {
        lab.run_until(next);
        let sizes: i64 = lab.revisions("gateway").iter().map(|r| r.2).sum();
        let ready = lab
            .pods()
            .iter()
            .filter(|p| condition(p, "Ready")["status"] == "True")
            .count();
        kept = (kept.0.min(sizes), kept.1.max(sizes), kept.2.min(ready));
    }
    assert_eq!(lab.revisions("gateway")[1].2, 4, "it is rolled out");
    kept
}

#[test]
fn a_rolling_update_never_leaves_its_bounds() {
    for seed in 0..20 {
        // What is wanted keeps to them. What is ready need not: pods that become ready at one look of the kubelet can
        // meet a ReplicaSet's status from before the last scale-down,
        // which `scaleDownOldReplicaSetsForRollingUpdate` trusts.
        let quarters = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
        let (least, most, _) = bounds_kept(seed, &quarters);
        assert!(least >= 3 && most <= 5, "{least} to {most}, seed {seed}");
        // One pod after the other, as the exchange's are: nobody misses one.
        let surge = json!({"maxSurge": 1, "maxUnavailable": 0});
        let (least, most, ready) = bounds_kept(seed, &surge);
        assert_eq!((least, most, ready), (4, 5, 4), "seed {seed}");
    }
}

#[test]
fn a_bad_image_stalls_times_out_and_is_undone() {
    let mut lab = lab_with_bad("dex/gateway:bad");
    let mut d = deployment("gateway", 3, "dex/gateway:1");
    d["spec"]["progressDeadlineSeconds"] = 20.into();
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("gateway", 30);
    lab.set_image("gateway", "dex/gateway:bad");
    lab.run_secs(15);
    let sizes: Vec<i64> = lab.revisions("gateway").iter().map(|r| r.2).collect();
    assert_eq!(
        sizes,
        [3, 1],
        "maxUnavailable 25% of 3 is 0: the old ones stay"
    );
    let progressing = |lab: &Lab| {
        condition(
            lab.cluster
                .object(Kind::Deployment, NS, "gateway")
                .expect("exists"),
            "Progressing",
        )["reason"]
            .as_str()
            .unwrap_or("")
            .to_owned()
    };
    assert_eq!(progressing(&lab), "ReplicaSetUpdated");
    lab.run_secs(12);
    assert_eq!(progressing(&lab), "ProgressDeadlineExceeded");
    lab.undo("gateway", "dex/gateway:1");
    let took = lab.rolled_out("gateway", 30);
    assert!(
        took < Micros::from_secs(2),
        "the old pods never left: {took}"
    );
    lab.run_secs(2);
    assert_eq!(progressing(&lab), "NewReplicaSetAvailable");
    assert_eq!(
        lab.revisions("gateway")
            .iter()
            .map(|r| r.2)
            .collect::<Vec<_>>(),
        [0, 3]
    );
}

#[test]
fn after_a_healthy_bad_release_the_condition_is_stale_right_after_undo() {
    let mut lab = Lab::new(5);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.set_image("risk", "dex/risk:2");
    lab.rolled_out("risk", 30);
    lab.run_secs(5);
    let bad = lab
        .cluster
        .objects(Kind::ReplicaSet, NS)
        .find(|rs| rs["spec"]["replicas"] == 1)
        .and_then(|rs| rs["metadata"]["name"].as_str())
        .expect("active")
        .to_owned();
    lab.undo("risk", "dex/risk:1");
    let generation = lab.get(&apps("deployments/risk"))["metadata"]["generation"].clone();
    lab.wait(5, |c| {
        c.object(Kind::Deployment, NS, "risk")
            .is_some_and(|d| d["status"]["observedGeneration"] == generation)
    });
    let d = lab.get(&apps("deployments/risk"));
    let progressing = condition(&d, "Progressing");
    assert_eq!(progressing["reason"], "NewReplicaSetAvailable");
    assert!(
        progressing["message"]
            .as_str()
            .is_some_and(|m| m.contains(&bad)),
        "it still names the bad ReplicaSet: {progressing}"
    );
    assert_ne!(d["status"]["updatedReplicas"], 1);
}

#[test]
fn no_pod_can_be_created_no_deadline_fires_after_a_healthy_release() {
    let mut lab = Lab::new(5);
    let mut d = deployment("risk", 1, "dex/risk:1");
    d["spec"]["progressDeadlineSeconds"] = 20.into();
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    lab.set_image("risk", "dex/risk:2");
    lab.rolled_out("risk", 30);
    lab.run_secs(5);
    lab.cluster.set_pod_quota(Some(1));
    lab.undo("risk", "dex/risk:1");
    lab.run_secs(120);
    let d = lab.get(&apps("deployments/risk"));
    assert_eq!(
        condition(&d, "Progressing")["reason"],
        "NewReplicaSetAvailable"
    );
    assert_eq!(condition(&d, "ReplicaFailure")["reason"], "FailedCreate");
    assert!(
        condition(&d, "ReplicaFailure")["message"]
            .as_str()
            .is_some_and(|m| m.contains("exceeded quota"))
    );
    assert!(!lab.event_messages("risk-", "FailedCreate").is_empty());
}

#[test]
fn recreate_waits_until_old_pods_are_really_gone() {
    let mut lab = Lab::new(2);
    lab.drains("dex/risk:1", 6);
    let mut d = deployment("risk", 2, "dex/risk:1");
    d["spec"]["strategy"] = json!({"type": "Recreate"});
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    lab.fake.record.clear();
    lab.set_image("risk", "dex/risk:2");
    let took = lab.rolled_out("risk", 60);
    assert!(took > Micros::from_secs(6), "{took}");
    let last_gone = lab
        .fake
        .record
        .iter()
        .filter(|r| r.1 == "gone")
        .map(|r| r.0)
        .max();
    let first_start = lab
        .fake
        .record
        .iter()
        .filter(|r| r.1 == "start")
        .map(|r| r.0)
        .min();
    assert!(last_gone < first_start, "{:?}", lab.fake.record);
}

#[test]
fn history_is_cleaned_lowest_revision_first() {
    let mut lab = Lab::new(4);
    let mut d = deployment("risk", 1, "dex/risk:1");
    d["spec"]["revisionHistoryLimit"] = 2.into();
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    for n in 2..=5 {
        lab.set_image("risk", &format!("dex/risk:{n}"));
        lab.rolled_out("risk", 30);
        lab.run_secs(3);
    }
    let kept: Vec<String> = lab.revisions("risk").into_iter().map(|r| r.0).collect();
    assert_eq!(kept, ["3", "4", "5"]);
}

#[test]
fn scaling_during_a_rollout_is_proportional() {
    let mut lab = lab_with_bad("dex/gateway:bad");
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 4, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    lab.set_image("gateway", "dex/gateway:bad");
    lab.run_secs(10);
    let sizes = |lab: &Lab| {
        lab.revisions("gateway")
            .iter()
            .map(|r| r.2)
            .collect::<Vec<_>>()
    };
    assert_eq!(sizes(&lab), [3, 2]);
    let before = lab.event_messages("gateway", "ScalingReplicaSet").len();
    let set = |lab: &Lab, revision: &str| {
        let of = |rs: &&Value| {
            rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == revision
        };
        let mut sets = lab.cluster.objects(Kind::ReplicaSet, NS);
        let found = sets.find(of).expect("it is kept");
        found["metadata"]["name"].as_str().unwrap_or("").to_owned()
    };
    lab.merge(
        &apps("deployments/gateway/scale"),
        &json!({"spec": {"replicas": 8}}),
    );
    lab.run_secs(1);
    // 8 + 2 surge = 10 in all; 3 × 10/5 = 6 and 2 × 10/5 = 4.
    assert_eq!(sizes(&lab), [6, 4]);
    // `sync.go` scaleReplicaSet: whatever changes a size says so.
    let mut announced = lab
        .event_messages("gateway", "ScalingReplicaSet")
        .split_off(before);
    announced.sort();
    let mut expected = [
        format!("Scaled up replica set {} from 3 to 6", set(&lab, "1")),
        format!("Scaled up replica set {} from 2 to 4", set(&lab, "2")),
    ];
    expected.sort();
    assert_eq!(announced, expected);
}

#[test]
fn pause_holds_the_template_back_but_not_the_scale() {
    let mut lab = Lab::new(4);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 2, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    lab.merge(
        &apps("deployments/gateway"),
        &json!({"spec": {"paused": true}}),
    );
    lab.set_image("gateway", "dex/gateway:2");
    lab.merge(
        &apps("deployments/gateway"),
        &json!({"spec": {"replicas": 3}}),
    );
    lab.run_secs(10);
    assert_eq!(
        lab.revisions("gateway"),
        [("1".to_owned(), "dex/gateway:1".to_owned(), 3)]
    );
    let d = lab.get(&apps("deployments/gateway"));
    assert_eq!(condition(&d, "Progressing")["reason"], "DeploymentPaused");
    lab.merge(
        &apps("deployments/gateway"),
        &json!({"spec": {"paused": false}}),
    );
    lab.rolled_out("gateway", 30);
    assert_eq!(lab.revisions("gateway").len(), 2);
}

#[test]
fn deleting_a_deployment_takes_its_sets_and_pods_along() {
    let mut lab = Lab::new(4);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 2, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    let (status, body) = lab.call("DELETE", &apps("deployments/gateway"), "", &Value::Null);
    assert_eq!((status, &body["status"]), (200, &json!("Success")));
    lab.run_secs(20);
    assert_eq!(lab.revisions("gateway"), []);
    assert_eq!(lab.pods(), Vec::<Value>::new());
    assert!(lab.fake.live.is_empty());

    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    let foreground = json!({"propagationPolicy": "Foreground"});
    lab.call(
        "DELETE",
        &apps("deployments/risk"),
        "application/json",
        &foreground,
    );
    lab.wait(30, |c| c.object(Kind::Deployment, NS, "risk").is_none());
    assert_eq!(lab.pods().len(), 0, "foreground: dependents go first");

    lab.post(
        &apps("deployments"),
        &deployment("matching", 1, "dex/matching:1"),
    );
    lab.rolled_out("matching", 30);
    let orphan = json!({"propagationPolicy": "Orphan"});
    lab.call(
        "DELETE",
        &apps("deployments/matching"),
        "application/json",
        &orphan,
    );
    lab.run_secs(20);
    assert!(
        lab.cluster
            .object(Kind::Deployment, NS, "matching")
            .is_none()
    );
    assert_eq!(lab.pods().len(), 1, "orphaned pods live on");
}

#[test]
fn the_same_seed_writes_the_same_log() {
    let run = |seed| {
        let mut lab = Lab::new(seed);
        lab.post(
            &apps("deployments"),
            &deployment("gateway", 3, "dex/gateway:1"),
        );
        lab.rolled_out("gateway", 30);
        lab.set_image("gateway", "dex/gateway:2");
        lab.run_secs(60);
        (
            lab.cluster.fingerprint().value(),
            lab.cluster.fingerprint().events(),
            lab.fake.record,
        )
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11).0, run(12).0);
}

#[test]
fn a_quiet_cluster_writes_nothing() {
    let mut lab = Lab::new(6);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 3, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    lab.run_secs(10);
    let before = lab.cluster.resource_version();
    lab.run_secs(900);
    assert_eq!(
        lab.cluster.resource_version(),
        before,
        "probes that change nothing touch nothing"
    );
}
