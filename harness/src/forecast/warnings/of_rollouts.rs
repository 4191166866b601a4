//! How a workload rolls.

use super::look::{Look, text};
use crate::forecast::answer::Warning;
use crate::forecast::workload::place;

pub(super) const ALL: &[fn(&mut Look<'_>)] = &[
    single_replica,
    recreate,
    fenceposts,
    history,
    deadline,
    paused,
    ordered,
    autoscaler,
    budgets,
];

fn single_replica(look: &mut Look<'_>) {
    if look.workload.replicas() == 1 {
        look.warn(
            "single-replica",
            &["spec", "replicas"],
            "there is one pod: a bad release has all of the traffic, and nothing answers while that pod is away",
            "set replicas to 2 or more",
        );
    }
}

fn recreate(look: &mut Look<'_>) {
    if look.workload.recreates() {
        look.warn(
            "recreate",
            &["spec", "strategy", "type"],
            "with Recreate all pods are stopped before one of the prior release starts: nothing answers meanwhile",
            "use RollingUpdate if two releases can run side by side",
        );
    }
}

fn fenceposts(look: &mut Look<'_>) {
    if look.workload.recreates() || look.workload.is_stateful() {
        return;
    }
    let rolling = ["spec", "strategy", "rollingUpdate"];
    let field = |name: &'static str| [rolling[0], rolling[1], rolling[2], name];
    let zero = |name| {
        let given = look.at(&field(name));
        *given == 0 || matches!(text(given), "0" | "0%")
    };
    let (no_surge, no_unavailable) = (zero("maxSurge"), zero("maxUnavailable"));
    let (surge, unavailable) = look.workload.fenceposts();
    let replicas = look.workload.replicas();
    if no_surge && no_unavailable {
        look.warn(
            "no-surge",
            &field("maxUnavailable"),
            "maxSurge and maxUnavailable are both 0: the API server refuses this Deployment",
            "set maxSurge to 1, and keep maxUnavailable at 0",
        );
    } else if surge == 0 && unavailable > 0 && replicas > 0 {
        let path = field("maxSurge");
        look.warn(
            "no-surge",
            &path,
            format!(
                "without a surge {unavailable} of {replicas} pods are missing during the whole undo"
            ),
            "set maxSurge to 1 or more, and see that there is room for the pods",
        );
    }
    if replicas > 1 && unavailable >= replicas {
        look.warn(
            "all-unavailable",
            &field("maxUnavailable"),
            "a rollout may take all pods at once: nothing answers until the first of the others is ready",
            "set maxUnavailable to 25% or less",
        );
    }
}

fn history(look: &mut Look<'_>) {
    let path = ["spec", "revisionHistoryLimit"];
    match look.at(&path).as_u64() {
        Some(0) => look.warn(
            "no-history",
            &path,
            "no revision is kept: `kubectl rollout undo` finds nothing to undo to",
            "remove the line (10 revisions are the default), or set it to 5 or more",
        ),
        Some(1) => look.warn(
            "short-history",
            &path,
            "one old revision is kept: after a bad release and an attempt to mend it, the good one is gone",
            "set revisionHistoryLimit to 5 or more",
        ),
        _ => {}
    }
}

fn deadline(look: &mut Look<'_>) {
    if look.workload.is_stateful() {
        return;
    }
    let path = ["spec", "progressDeadlineSeconds"];
    let given = look.at(&path).as_u64();
    let seconds = given.unwrap_or(600);
    let rto = look.known.rto.as_secs();
    if seconds > rto {
        let what = if given.is_some() {
            ""
        } else {
            " (the default)"
        };
        look.warn(
            "progress-deadline",
            &path,
            format!(
                "a rollout that is stuck is reported after {seconds} s{what}, and the RTO is {rto} s: \
                 `kubectl rollout status` waits for longer than there is time"
            ),
            format!(
                "set progressDeadlineSeconds to what a rollout takes, {} at most, or give `rollout status` a --timeout",
                rto.max(1)
            ),
        );
    }
}

fn paused(look: &mut Look<'_>) {
    let path = ["spec", "paused"];
    if *look.at(&path) == true {
        look.warn(
            "paused",
            &path,
            "the Deployment is paused: `kubectl rollout undo` is refused until it is resumed",
            "remove the line, or run `kubectl rollout resume` first",
        );
    }
}

fn ordered(look: &mut Look<'_>) {
    if !look.workload.is_stateful() {
        return;
    }
    if look.workload.replaces_none() {
        look.warn(
            "on-delete",
            &["spec", "updateStrategy", "type"],
            "with OnDelete an undo replaces no pod: each keeps the bad release until somebody deletes it",
            "use RollingUpdate, or have the runbook delete the pods",
        );
    } else if look.at(&["spec", "podManagementPolicy"]) != "Parallel" {
        look.warn(
            "ordered-hang",
            &["spec", "podManagementPolicy"],
            "an undo waits for ever for a pod of the bad release that never becomes ready (kubernetes#67250)",
            "have the runbook delete the broken pods after the undo, or use podManagementPolicy: Parallel",
        );
    }
    let (kept, replicas) = (look.workload.partition(), look.workload.replicas());
    if kept > 0 {
        look.warn(
            "partition",
            &["spec", "updateStrategy", "rollingUpdate", "partition"],
            format!(
                "a rollout replaces {} of {replicas} pods, and so does its undo",
                replicas.saturating_sub(kept)
            ),
            "set partition to 0 once the release is meant for all pods",
        );
    }
}

fn autoscaler(look: &mut Look<'_>) {
    let path = ["spec", "replicas"];
    if let Some(autoscaler) = &look.workload.autoscaler
        && !look.at(&path).is_null()
    {
        let text = format!(
            "the HorizontalPodAutoscaler {} sets the number of pods, and each `kubectl apply` sets it back to {}: \
             a rollback by apply loses capacity",
            autoscaler.name(),
            look.workload.replicas()
        );
        look.warn(
            "autoscaler-and-replicas",
            &path,
            text,
            "remove replicas from the manifest",
        );
    }
}

fn budgets(look: &mut Look<'_>) {
    let replicas = u64::from(look.workload.replicas());
    for budget in &look.workload.budgets {
        let given = |field: &'static str| budget.at(&["spec", field]);
        let number = |field| {
            let given = given(field);
            let percent = text(given).strip_suffix('%').and_then(|it| it.parse().ok());
            let scaled = |percent: u64| (replicas * percent).div_ceil(100);
            given.as_u64().or_else(|| percent.map(scaled))
        };
        let (least, most) = (number("minAvailable"), number("maxUnavailable"));
        let field = if least.is_some_and(|it| it >= replicas) {
            "minAvailable"
        } else if most == Some(0) {
            "maxUnavailable"
        } else {
            continue;
        };
        look.found.push(Warning {
            place: place(budget, &["spec", field]),
            rule: "blocking-budget",
            text: format!(
                "no pod of {replicas} may be evicted: an undo does not ask this budget, but a node can't be drained, \
                 and what evicts pods to apply an older configuration waits for ever"
            ),
            remedy: "use maxUnavailable: 1, and 2 or more replicas".to_owned(),
        });
    }
}
