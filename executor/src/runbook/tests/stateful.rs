//! Commands about StatefulSets.

use std::collections::BTreeSet;

use super::base::{GOOD, mistakes, parsed};
use crate::runbook::{Command, Step};
use crate::workload::WorkloadKind;

/// [`GOOD`] with this command in a step for each service at the end of `run`.
fn with_step(command: &str) -> String {
    let step = format!(
        "```sh {{\"name\":\"added\",\"rb.phase\":\"run\",\"rb.timeout\":\"1s\",\"rb.for-each\":\"service\"}}\n{command}\n```\n\n## Afterwards"
    );
    GOOD.replacen("## Afterwards", &step, 1)
}

fn added(command: &str) -> Step {
    let steps = parsed(&with_step(command)).runbook.steps.into_iter();
    let mut found = steps.filter(|it| it.name == "added");
    found.next().expect("the step")
}

#[test]
fn each_spelling_of_the_kind_is_understood() {
    for kind in [
        "statefulset",
        "statefulsets",
        "sts",
        "statefulset.apps",
        "statefulsets.v1.apps",
    ] {
        let status = added(&format!("kubectl rollout status {kind}/$SERVICE -n web"));
        assert_eq!(status.command, Command::RolloutStatus);
        assert_eq!(status.kinds, BTreeSet::from([WorkloadKind::StatefulSet]));
        assert!(
            status.is_for(WorkloadKind::StatefulSet) && !status.is_for(WorkloadKind::Deployment)
        );
        let scale = format!("kubectl scale {kind} $SERVICE -n web --replicas=$TARGET_REPLICAS");
        assert_eq!(added(&scale).command, Command::RestoreReplicas);
    }
    let undo = "kubectl rollout undo sts/$SERVICE -n web --to-revision=$TARGET_REVISION";
    assert_eq!(added(undo).command, Command::RolloutUndo { pinned: true });
    let history = "kubectl rollout history sts/$SERVICE -n web";
    assert_eq!(added(history).command, Command::ReviewRevisions);
    // What names no kind is for all.
    let logs = added("kubectl logs -n web -l app=$SERVICE --since=10m --tail=-1");
    assert!(WorkloadKind::ALL.into_iter().all(|kind| logs.is_for(kind)));
}

#[test]
fn both_kinds_are_recorded_where_both_are_listed() {
    let text = GOOD.replacen("kubectl get deployments", "kubectl get deploy,sts", 1);
    let recorded = parsed(&text).runbook.kinds_recorded();
    assert_eq!(recorded, BTreeSet::from(WorkloadKind::ALL));
    let deployments = BTreeSet::from([WorkloadKind::Deployment]);
    assert_eq!(parsed(GOOD).runbook.kinds_recorded(), deployments);
}

#[test]
fn what_kubectl_has_for_one_kind_only_is_refused_for_the_other() {
    for (command, help) in [
        (
            "kubectl rollout pause sts/$SERVICE -n web",
            "kubectl has no such command for a StatefulSet",
        ),
        (
            "kubectl rollout history deployment/$SERVICE -n web",
            "for a Deployment, write `kubectl get replicasets",
        ),
        (
            "kubectl rollout undo daemonset/$SERVICE -n web",
            "write `kubectl rollout undo deployment/$SERVICE` or `kubectl rollout undo statefulset/$SERVICE`",
        ),
        (
            "kubectl delete pods -n web -l app=$SERVICE",
            "pods of no other revision than those that are taken back may be deleted",
        ),
    ] {
        let found = mistakes(&with_step(command));
        assert!(
            found.iter().any(|it| it.help.contains(help)),
            "{command}: {found:?}"
        );
    }
}

#[test]
fn an_undo_of_a_stateful_set_without_a_deletion_of_broken_pods_is_warned_of() {
    let warned = |text: &str| {
        let parsed = parsed(text);
        parsed
            .warnings()
            .iter()
            .any(|it| it.code == "no-broken-pods")
    };
    let undo = "kubectl rollout undo sts/$SERVICE -n web --to-revision=$TARGET_REVISION";
    assert!(!warned(GOOD));
    assert!(warned(&with_step(undo)));
    let delete =
        "kubectl delete pods -n web -l 'app=$SERVICE,controller-revision-hash in ($BAD_REVISIONS)'";
    assert_eq!(added(delete).command, Command::DeleteBrokenPods);
    let both = with_step(undo).replacen(
        "## Afterwards",
        &format!(
            "```sh {{\"name\":\"broken\",\"rb.phase\":\"run\",\"rb.timeout\":\"1s\",\"rb.for-each\":\"service\"}}\n{delete}\n```\n\n## Afterwards"
        ),
        1,
    );
    assert!(!warned(&both));
}

#[test]
fn of_steps_for_one_kind_each_the_longer_ones_count() {
    let step = |kind: &str, seconds: u32| {
        format!(
            "```sh {{\"name\":\"{kind}\",\"rb.phase\":\"run\",\"rb.timeout\":\"{seconds}s\",\"rb.for-each\":\"service\"}}\nkubectl rollout status {kind}/$SERVICE -n web\n```\n\n"
        )
    };
    // The RTO is 300 s, and there are two services: the steps of both kinds together would take 353 s.
    let with = |deployment: u32, stateful: u32| {
        let steps = format!(
            "{}{}## Afterwards",
            step("deployment", deployment),
            step("statefulset", stateful)
        );
        mistakes(&GOOD.replacen("## Afterwards", &steps, 1))
    };
    assert_eq!(with(5, 30), []);
    assert!(with(5, 60).iter().any(|it| it.code == "budget"));
}
