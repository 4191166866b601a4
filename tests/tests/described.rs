//! Applications that a file describes: the worked examples are drilled, and end as their scenarios say.

use std::sync::Arc;

use e2e::described::{Example, assert_repeats_by_token};
use e2e::drills::{assert_passes, edited, run};
use firedrill::drill::{Ending, timeline};
use firedrill::oracles::OracleName;
use firedrill::scenario::{Anchor, Described, Scenario, built_in};
use firedrill::token::Replays;
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;

fn example() -> Example {
    Example::new("shop")
}

fn text(path: &str) -> String {
    example().text(path)
}

fn shop() -> Described {
    example().app()
}

fn plan(scenario: &str, seed: u64) -> DrillPlan {
    example().plan(scenario, seed)
}

/// The example for a cluster is drilled here without one: what it says of its requests there changes nothing.
#[test]
fn the_example_for_a_cluster_passes_in_simulation_too() {
    let hello = Example::new("hello");
    for seed in 1..=3 {
        let result = run(&hello.plan("failing", seed));
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Recovered);
        let result = run(&hello.plan("killed-pods", seed));
        assert_passes(&result);
        let hits = result.faults_seen[0].map(|(_, hits)| hits);
        assert!(hits.is_some_and(|pods| pods > 0), "{hits:?}");
        let result = run(&hello.plan("killed-executor", seed));
        assert_passes(&result);
    }
}

/// No scenario file may have it. Where it comes to a drill all the same, the drill shows nothing and says why.
#[test]
fn a_fault_of_the_exchange_makes_the_drill_of_another_application_void() {
    let mut fault = built_in("check-books", &[])
        .expect("built in")
        .expect("right")
        .faults[0]
        .clone();
    fault.when = Anchor::Deployment;
    let result = run(&edited(plan("failing-pages", 1), |scenario| {
        scenario.faults = vec![fault];
    }));
    assert_eq!(result.verdicts.overall, Verdict::Inconclusive);
    let problems: Vec<String> = result.problems().iter().map(|it| it.to_string()).collect();
    let says = "`books-broken` is one of the exchange's";
    assert!(problems.iter().any(|it| it.contains(says)), "{problems:?}");
}

/// Where clients send little, little can be shown. Then the scenario says how much, and the one that the executor
/// writes asks for no more.
#[test]
fn a_quiet_application_is_held_to_the_limit_of_its_scenario() {
    let quiet = example().changed("rate = 220", "rate = 30");
    let limit = "[expect]\nerror_rate_max = \"0.1%\"";
    let scenario = text("scenarios/failing-pages.toml").replace("[expect]", limit);
    let runbook = text("rollback.md")
        .replace("\"< 0.0001\"", "\"< 0.001\"")
        .replace("\"30000\"", "\"3000\"");
    for seed in 1..=2 {
        let result = run(&quiet.plan_of(&scenario, seed, &runbook));
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Recovered);
    }
}

/// What keeps a service from starting before anything is deployed: the container, the reason, and what to add.
#[test]
fn a_container_that_cannot_start_is_named_with_what_it_lacks() {
    let told = |plan: &DrillPlan| {
        let result = run(plan);
        let mut findings = result.findings.iter();
        let host = findings.find(|it| it.oracle() == OracleName::Host);
        host.expect("every drill is asked about its host")
            .to_string()
    };
    let variable = example().changed("env = [\"CURRENCY\"]", "env = [\"NOWHERE\"]");
    let said = told(&variable.plan("failing-pages", 1));
    for part in [
        "no pod of `front`",
        "the variable NOWHERE is not set",
        "`needs.env` of [service.front]",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let mut bundle = shop().bundle.clone();
    for file in &mut bundle.manifests {
        file.text = file.text.replace(
            "configMapRef: {name: shop}",
            "configMapRef: {name: nowhere}",
        );
    }
    let app = Described::from(bundle.app().expect("it is read"));
    let mut plan = plan("failing-pages", 1);
    let text = text("scenarios/failing-pages.toml");
    let scenario = Scenario::parse_of(&app, "s.toml", &text, &plan.runbook.triggers());
    plan.scenario = Arc::new(scenario.expect("it is right"));
    let said = told(&plan);
    for part in ["CreateContainerConfigError", "nowhere", "optional: true"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_bad_release_of_the_shop_is_rolled_back_and_judged() {
    let plan = plan("failing-pages", 1);
    let result = run(&plan);
    assert_passes(&result);
    assert_eq!(result.ending, Ending::Recovered);
    assert!(
        result.rto_ms.is_some_and(|ms| ms < 120_000),
        "{:?}",
        result.rto_ms
    );
    // It has no store, and nothing in it is acknowledged.
    let shown = timeline::render(&result, &Replays::default());
    assert!(!shown.contains("acknowledged 0"), "{shown}");
    // What the shop does not have is not asked about, and each of these oracles says so.
    let of = |oracle: OracleName| {
        let mut findings = result.findings.iter();
        findings
            .find(|it| it.oracle() == oracle)
            .map(ToString::to_string)
    };
    for oracle in [
        OracleName::Trades,
        OracleName::Ledger,
        OracleName::Maintenance,
    ] {
        let said = of(oracle).expect("it is asked");
        assert_eq!(said, "does not apply: the application has no ledger");
    }
    assert_eq!(
        of(OracleName::AcknowledgedWrites).as_deref(),
        Some("does not apply: no client of the application writes into a store")
    );
    assert_eq!(
        of(OracleName::Builds).as_deref(),
        Some("every live pod runs the right build")
    );
}

#[test]
fn the_same_seed_gives_the_same_drill_and_its_token_holds_the_application() {
    assert_repeats_by_token(plan("failing-pages", 7));
}

#[test]
fn slow_pages_are_noticed_by_their_latency_alone() {
    let result = run(&plan("slow-pages", 3));
    assert_passes(&result);
    assert_eq!(result.ending, Ending::Recovered);
}

#[test]
fn a_retry_storm_outlives_the_rollback_and_a_person_is_paged() {
    let result = run(&plan("retry-storm", 2));
    assert_passes(&result);
    assert_eq!(result.ending, Ending::Escalated);
    let undone = result
        .steps
        .iter()
        .filter(|step| step.name == "rollout-status");
    assert!(undone.clone().count() > 0, "{:?}", result.steps);
    assert!(
        undone.into_iter().all(|step| step.outcome.is_ok()),
        "the rollback itself succeeds"
    );
}

#[test]
fn an_executor_that_dies_is_followed_by_another_one() {
    let plan = edited(plan("failing-pages", 5), |scenario| {
        scenario.crash = Some(firedrill::scenario::Crash {
            request: 12,
            side: firedrill::scenario::CrashSide::After,
            resume_after: std::time::Duration::from_secs(5),
        });
    });
    assert_passes(&run(&plan));
}

#[test]
fn faults_of_any_cluster_hit_the_shop_and_those_of_the_exchange_are_refused() {
    let mut plan = plan("failing-pages", 4);
    let app = shop();
    let file = "scenarios/failing-pages.toml";
    let with = |faults: &str| {
        let whole = format!("{}{faults}", text(file));
        Scenario::parse_of(&app, file, &whole, &plan.runbook.triggers())
    };
    let scenario = with(
        "
[[faults]]
kind = \"pods-killed\"
target = \"catalog\"
when = \"deployment\"
at = \"2s\"

[[faults]]
kind = \"metrics-missing\"
target = \"payment\"
when = \"deployment\"
lasts = \"10s\"

[[faults]]
kind = \"api-server-restarted\"

[[faults]]
kind = \"node-full\"
lasts = \"5s\"

[[faults]]
kind = \"pods-killed\"
target = \"front\"
when = \"ready 1\"

[[faults]]
kind = \"connections-dropped\"
target = \"kubernetes\"
when = \"step rollout-status\"
lasts = \"2s\"

[[faults]]
kind = \"executor-killed\"
when = \"step check-health\"
delay = \"5s\"
",
    );
    let refused = [
        (
            "kind = \"ledger-busy\"\nlasts = \"5s\"",
            "`ledger-busy` can not be aimed at `shop`",
        ),
        (
            "kind = \"pods-killed\"\ntarget = \"gateway\"",
            "`pods-killed` can't hit `gateway`",
        ),
        (
            "kind = \"unreachable\"\ntarget = \"database\"",
            "`unreachable` can't hit `database`",
        ),
        (
            "kind = \"connections-dropped\"\nlasts = \"5s\"\ntarget = \"database\"",
            "`connections-dropped` can't hit `database`",
        ),
    ];
    for (fault, message) in refused {
        let refused = with(&format!("\n[[faults]]\n{fault}\n"));
        assert_eq!(refused.expect_err(fault).mistakes[0].message, message);
    }
    plan.scenario = Arc::new(scenario.expect("any application can have them"));
    let result = run(&plan);
    let hits: Vec<Option<u64>> = result
        .faults_seen
        .iter()
        .map(|seen| seen.map(|(_, hits)| hits))
        .collect();
    assert_eq!(hits[0], Some(3), "the catalog has three pods: {hits:?}");
    assert!(hits[1].is_some_and(|scrapes| scrapes > 0), "{hits:?}");
    assert!(hits[2].is_some() && hits[3].is_some(), "{hits:?}");
    assert!(
        hits[4..6]
            .iter()
            .all(|it| it.is_some_and(|count| count > 0)),
        "{hits:?}"
    );
    assert_eq!(hits[6], Some(1), "the executor is killed once: {hits:?}");
    assert_eq!(run(&plan).fingerprint, result.fingerprint);
}

#[test]
fn what_means_nothing_for_the_shop_is_refused() {
    let app = shop();
    let scenario = text("scenarios/failing-pages.toml");
    for (more, message) in [
        (
            "[load]\nmarkets = 4\n",
            "`markets` means nothing for `shop`",
        ),
        (
            "[ledger]\nmore_mb = 1\n",
            "`ledger` means nothing for `shop`",
        ),
    ] {
        let refused = Scenario::parse_of(&app, "s.toml", &format!("{scenario}{more}"), &[]);
        let mistakes = refused.expect_err(more).mistakes;
        assert_eq!(mistakes[0].message, message);
    }
    let refused = Scenario::parse_of(&app, "s.toml", &scenario.replace("1.1.0", "1.1.9"), &[]);
    let mistakes = refused.expect_err("there is no such release").mistakes;
    assert_eq!((mistakes[0].line(), mistakes[0].column()), (5, 6));
    assert!(
        mistakes[0].help.contains("did you mean `1."),
        "{mistakes:?}"
    );
}
