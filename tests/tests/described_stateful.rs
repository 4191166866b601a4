//! The worked example with a StatefulSet: what its scenarios promise, and the undo that hangs behind a broken pod.

use std::time::Duration;

use e2e::described::Example;
use e2e::drills::{assert_passes, edited, failed, run, without_step};
use firedrill::drill::{DrillResult, Ending};
use firedrill::oracles::OracleName;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::{Crash, CrashSide, Scenario};
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;

fn jobs() -> Example {
    Example::new("jobs")
}

fn text(path: &str) -> String {
    jobs().text(path)
}

/// The drill of this scenario, with `more` at its end.
fn plan_of(scenario: &str, more: &str, runbook: &str, seed: u64) -> DrillPlan {
    let whole = format!("{}{more}", text(&format!("scenarios/{scenario}.toml")));
    jobs().plan_of(&whole, seed, runbook)
}

fn plan(scenario: &str, seed: u64) -> DrillPlan {
    jobs().plan(scenario, seed)
}

/// What a step came to, in words.
fn said(result: &DrillResult, step: &str, service: &str) -> String {
    let mut steps = result.steps.iter();
    let found = steps.find(|it| it.name == step && it.service.as_deref() == Some(service));
    found.map_or_else(String::new, |it| it.detail.clone())
}

#[test]
fn a_broken_pod_is_deleted_and_the_queue_goes_back() {
    for seed in 1..=4 {
        let result = run(&plan("broken-pod", seed));
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Recovered);
        assert_eq!(
            said(&result, "delete-broken", "queue"),
            "queue: deleted queue-2"
        );
        let builds = result
            .findings
            .iter()
            .find(|it| it.oracle() == OracleName::Builds);
        let builds = builds.expect("it is asked").to_string();
        assert_eq!(builds, "every live pod runs the right build");
    }
}

#[test]
fn without_the_deletion_the_undo_hangs_and_a_person_is_told_which_pod_it_waits_for() {
    let runbook = without_step(&text("rollback.md"), "delete-broken");
    for seed in 1..=3 {
        let result = run(&plan_of("broken-pod", "", &runbook, seed));
        assert_eq!(result.verdicts.overall, Verdict::Fail);
        assert_eq!(result.ending, Ending::Escalated);
        let why = said(&result, "queue-status", "queue");
        assert!(
            why.contains("the rollout waits for queue-2") && why.contains("kubernetes#67250"),
            "{why}"
        );
        // The runbook halts nothing, so that nobody hears of it.
        let mut told = result.timeline.iter();
        let page = told.find(|it| it.what.starts_with("paged a person"));
        let page = &page.expect("somebody was paged").what;
        assert!(
            !page.contains("halted") && !page.contains("ledger"),
            "{page}"
        );
    }
}

/// Pods that are ready are left to the controller. Where the bad release is still rolled out when it is taken back, its
/// last pod is not ready yet, and may be deleted.
#[test]
fn pods_that_are_ready_go_back_one_after_the_other() {
    let nothing = "queue: no pod of the release that is taken back is left";
    let last = "queue: deleted queue-0";
    for seed in 1..=3 {
        let result = run(&plan("refused-jobs", seed));
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Recovered);
        let told = said(&result, "delete-broken", "queue");
        assert!([nothing, last].contains(&told.as_str()), "{told}");
    }
}

#[test]
fn both_kinds_of_services_go_back_by_steps_of_their_own() {
    for seed in 1..=3 {
        let result = run(&plan("both-change", seed));
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Recovered);
        assert!(said(&result, "undo-api", "api").starts_with("api: rolled back to revision 1"));
        assert!(
            said(&result, "undo-queue", "queue").starts_with("queue: rolled back to revision 1")
        );
        assert!(said(&result, "undo-api", "queue").is_empty());
        assert!(said(&result, "undo-queue", "api").is_empty());
    }
}

/// Charts call a workload `prod-web` and its pods `web`. The executor goes by the workload, and so do the oracles.
#[test]
fn a_workload_may_be_called_otherwise_than_the_label_of_its_pods() {
    let example = jobs().with_manifests("{app: queue}", "{app: jobqueue}");
    let runbook = text("rollback.md").replace("app=\"queue\"", "app=\"jobqueue\"");
    let scenario = text("scenarios/broken-pod.toml");
    let result = run(&example.plan_of(&scenario, 1, &runbook));
    assert_passes(&result);
    // What a person who types the runbook's command would find is told all the same.
    let mut told = result.timeline.iter();
    let nothing =
        "the pods of `queue` have the label `app=jobqueue`: kubectl would find none of them";
    assert!(
        told.any(|it| it.what.contains(nothing)),
        "{:#?}",
        result.timeline
    );
}

#[test]
fn a_warm_up_that_is_too_short_for_pods_in_turn_is_told_with_one_that_would_do() {
    let example = jobs().with_manifests("  replicas: 3\n", "  replicas: 20\n");
    let result = run(&example.plan("refused-jobs", 1));
    assert_eq!(result.verdicts.overall, Verdict::Inconclusive);
    let told: Vec<String> = result.problems().iter().map(ToString::to_string).collect();
    let says = |it: &String| {
        it.contains("of 20 pods of statefulset queue are available") && it.contains("`warm_up = \"")
    };
    assert!(told.iter().any(says), "{told:#?}");
}

/// Whoever rightly waits until each pod has been ready for `minReadySeconds` claims recovery as late as that.
#[test]
fn pods_that_must_be_ready_for_a_while_make_no_claim_late() {
    let example = jobs()
        .changed("concurrency = 8\n", "concurrency = 32\n")
        .with_manifests("  replicas: 3\n", "  replicas: 3\n  minReadySeconds: 30\n");
    let timing = "[timing]\nwarm_up = \"4m\"\ndeploy_at = \"5m\"\nduration = \"30m\"\n";
    let scenario =
        text("scenarios/refused-jobs.toml").replace("[release]", &format!("{timing}[release]"));
    let result = run(&example.plan_of(&scenario, 1, &text("rollback.md")));
    assert_eq!(result.ending, Ending::Recovered);
    assert!(
        !failed(&result).contains(&"claim"),
        "{:#?}",
        result.problems()
    );
}

#[test]
fn the_same_seed_gives_the_same_drill() {
    let plan = plan("broken-pod", 9);
    assert_eq!(run(&plan).fingerprint, run(&plan).fingerprint);
}

/// The executor is killed at requests all over the rollback, before and after each takes effect: the deletion of the
/// broken pod is among them. Another host ends what it began.
#[test]
fn whoever_resumes_deletes_no_pod_twice() {
    let requests = run(&plan("broken-pod", 2)).executor_requests;
    assert!(requests > 40, "{requests}");
    for side in [CrashSide::Before, CrashSide::After] {
        for request in (10..requests.min(90)).step_by(8) {
            let plan = edited(plan("broken-pod", 2), |scenario| {
                scenario.crash = Some(Crash {
                    request,
                    side,
                    resume_after: Duration::from_secs(5),
                });
            });
            let result = run(&plan);
            assert_ne!(
                result.verdicts.overall,
                Verdict::Fail,
                "{request} {side:?}: {:#?}",
                result.problems()
            );
        }
    }
}

#[test]
fn faults_hit_the_pods_and_the_rollouts_of_a_stateful_set() {
    let of = |fault: &str| {
        let plan = plan_of(
            "refused-jobs",
            &format!("\n[[faults]]\n{fault}"),
            &text("rollback.md"),
            5,
        );
        let result = run(&plan);
        assert_ne!(
            result.verdicts.overall,
            Verdict::Fail,
            "{fault}: {:#?}",
            result.problems()
        );
        result.faults_seen[0].map(|(_, hits)| hits)
    };
    let killed =
        "kind = \"pods-killed\"\ntarget = \"queue\"\nwhen = \"deployment\"\nat = \"60s\"\n";
    assert_eq!(of(killed), Some(3));
    let pruned = "kind = \"history-pruned\"\ntarget = \"queue\"\nwhen = \"trigger\"\n";
    assert_eq!(of(pruned), Some(1));
    let undone =
        "kind = \"second-undo\"\ntarget = \"queue\"\nwhen = \"step undo-queue\"\nat = \"1s\"\n";
    assert_eq!(of(undone), Some(1));
    let healed =
        "kind = \"self-heal\"\nwhen = \"step undo-queue\"\ndelay = \"4s\"\nlasts = \"3s\"\n";
    assert!(of(healed).is_some());
}

#[test]
fn a_stateful_set_that_is_scaled_down_meanwhile_is_scaled_up_where_the_runbook_says_so() {
    let scale = "```sh {\"name\":\"restore-replicas\",\"rb.phase\":\"run\",\"rb.timeout\":\"2s\",\"rb.for-each\":\"service\",\"rb.when\":\"replicas.reduced\"}\n\
         kubectl scale statefulset/$SERVICE -n jobs --replicas=$TARGET_REPLICAS\n```\n\n";
    let runbook = text("rollback.md");
    let at = runbook
        .find("The StatefulSet goes back pod by pod")
        .expect("its words");
    let runbook = format!("{}{scale}{}", &runbook[..at], &runbook[at..]);
    let fault =
        "\n[[faults]]\nkind = \"replicas-scaled\"\ntarget = \"queue\"\nwhen = \"trigger\"\n";
    let result = run(&plan_of("broken-pod", fault, &runbook, 3));
    assert_ne!(
        result.verdicts.overall,
        Verdict::Fail,
        "{:#?}",
        result.problems()
    );
    assert!(said(&result, "restore-replicas", "queue").contains("queue scaled from 1 to 3"));
}

#[test]
fn nobody_pauses_a_stateful_set() {
    let runbook = LoadedRunbook::parse("rollback.md", &text("rollback.md"));
    let runbook = runbook.expect("the runbook is right");
    let whole = format!(
        "{}\n[[faults]]\nkind = \"deployment-paused\"\ntarget = \"queue\"\nwhen = \"trigger\"\n",
        text("scenarios/broken-pod.toml")
    );
    let refused = Scenario::parse_of(&jobs().app(), "s.toml", &whole, &runbook.triggers());
    let mistakes = refused.expect_err("there is no such thing").mistakes;
    assert_eq!(mistakes[0].message, "`deployment-paused` can't hit `queue`");
}

#[test]
fn a_runbook_for_deployments_alone_is_refused_before_the_deployment() {
    let runbook = text("rollback.md").replace("get deployments,statefulsets", "get deployments");
    let told = run(&plan_of("broken-pod", "", &runbook, 1));
    assert_ne!(told.verdicts.overall, Verdict::Pass);
    let runbook = text("rollback.md").replace("statefulset/$SERVICE", "deployment/$SERVICE");
    let runbook = runbook.replace(
        "kubectl rollout history deployment/",
        "kubectl rollout history statefulset/",
    );
    let told = run(&plan_of("broken-pod", "", &runbook, 1));
    assert_ne!(told.verdicts.overall, Verdict::Pass);
}
