//! What faults do to pods: late, stuck, deaf to SIGTERM.

use super::lab::{Lab, apps, deployment};
use crate::cluster::Obstacle;
use crate::time::Micros;

const IMAGE: &str = "dex/risk:1";

fn hindered(what: Obstacle) -> Lab {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 1, IMAGE));
    lab.rolled_out("risk", 30);
    lab.run_secs(1);
    lab.cluster.hinder(IMAGE, what);
    lab
}

fn available(lab: &mut Lab) -> bool {
    lab.get(&apps("deployments/risk"))["status"]["availableReplicas"] == 1
}

#[test]
fn pods_that_ran_already_stay_ready() {
    for what in [
        Obstacle::NeverReady,
        Obstacle::ReadyLate(Micros::from_secs(60)),
    ] {
        let mut lab = hindered(what);
        lab.run_secs(10);
        assert!(available(&mut lab), "{what:?}");
        assert_eq!(lab.cluster.lift(IMAGE, what), 0);
    }
}

#[test]
fn a_stuck_pod_becomes_ready_once_that_is_lifted() {
    let mut lab = hindered(Obstacle::NeverReady);
    lab.set_image("risk", "dex/risk:2");
    lab.rolled_out("risk", 30);
    lab.set_image("risk", IMAGE);
    lab.run_secs(20);
    assert_eq!(lab.pods().len(), 2, "the new one waits, the old one serves");
    assert_eq!(lab.cluster.lift(IMAGE, Obstacle::NeverReady), 1);
    lab.rolled_out("risk", 5);
}

#[test]
fn a_late_pod_becomes_ready_in_its_time() {
    let late = Obstacle::ReadyLate(Micros::from_secs(8));
    let mut lab = hindered(late);
    lab.set_image("risk", "dex/risk:2");
    let began = lab.rolled_out("risk", 30);
    lab.set_image("risk", IMAGE);
    let took = lab.rolled_out("risk", 30).saturating_sub(began);
    // It counts from the process's start, and the lab looks once a second: up to two had passed.
    assert!(took >= Micros::from_secs(6), "{took:?}");
    assert!(took < Micros::from_secs(14), "{took:?}");
    assert_eq!(lab.cluster.lift(IMAGE, late), 1);
}

#[test]
fn a_pod_that_ignores_sigterm_is_killed_at_the_end_of_its_grace_period() {
    let mut lab = hindered(Obstacle::IgnoresTerm);
    lab.set_image("risk", "dex/risk:2");
    lab.rolled_out("risk", 30);
    let grace_s = lab.pods()[0]["spec"]["terminationGracePeriodSeconds"]
        .as_u64()
        .expect("a grace period");
    lab.run_secs(grace_s - 3);
    assert_eq!(lab.pods().len(), 2, "it is still there");
    lab.run_secs(5);
    assert_eq!(lab.pods().len(), 1);
    assert_eq!(lab.cluster.lift(IMAGE, Obstacle::IgnoresTerm), 1);
}
