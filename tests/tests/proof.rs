//! What the executor claims of a recovery rests on what clients saw: pods that were killed, logs that stopped and
//! requests that did not come are no proof, and a burst of errors is outlived.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use e2e::drills::{assert_passes, changed, edited, plan, plan_by, run, without_step};
use executor::ports::{HttpClient, Ports};
use firedrill::drill::{DrillResult, run_decorated};
use firedrill::evidence::StepSaid;
use firedrill::finding::OracleName;
use firedrill::runbooks::BUILT_IN;
use firedrill::scenario::{Anchor, Expected, Fault, FaultKind, PartsPerMillion, Scenario};
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;
use sim::time::Micros;
use tower::ServiceExt;

fn told(result: &DrillResult, words: &str) -> bool {
    let mut entries = result.timeline.iter();
    entries.any(|entry| entry.what.contains(words))
}

/// The first fault so long after its anchor.
fn at(seconds: u64) -> impl FnOnce(&mut Scenario) {
    move |scenario| scenario.faults[0].at = Duration::from_secs(seconds)
}

#[track_caller]
fn claims_nothing_false(result: &DrillResult) {
    let claim = result
        .findings
        .iter()
        .find(|f| f.oracle() == OracleName::Claim);
    let claim = claim.expect("the oracle looked");
    assert_eq!(claim.verdict(), Verdict::Pass, "{claim}");
}

#[test]
fn gateways_that_are_killed_during_the_proof_begin_it_anew() {
    for seconds in [10, 60, 100, 145] {
        let result = run(&edited(plan("gateways-killed-proving", 3), at(seconds)));
        claims_nothing_false(&result);
        // From 145 s on no clean window is over in time: a person is paged.
        assert_eq!(result.rto_claimed_ms.is_some(), seconds < 145, "{seconds}");
    }
    let result = run(&plan("gateways-killed-proving", 3));
    assert_passes(&result);
    assert!(told(&result, "the window began anew"));
}

#[test]
fn a_burst_of_errors_is_outlived_while_time_is_left() {
    for seconds in [3, 12, 40] {
        let result = run(&edited(plan("errors-while-proving", 5), at(seconds)));
        assert_passes(&result);
        assert!(told(&result, "the window began anew"), "{seconds}");
    }
}

#[test]
fn logs_that_stop_within_the_window_are_no_zero() {
    for seconds in [20, 90, 130] {
        let result = run(&edited(plan("logs-stopping", 2), at(seconds)));
        assert_eq!(result.rto_claimed_ms, None, "{seconds}");
        assert!(told(&result, "proves nothing"), "{seconds}");
    }
}

#[test]
fn a_quiet_exchange_is_proven_within_the_reserve() {
    let result = run(&plan("quiet-exchange", 1));
    assert_passes(&result);
    assert!(told(&result, "of the reserve used"));
}

#[test]
fn what_too_few_requests_show_is_said_and_nothing_is_claimed() {
    let plan = edited(plan("quiet-exchange", 1), |scenario| {
        scenario.load.rate_per_s = 100;
    });
    let result = run(&plan);
    assert_eq!(result.rto_claimed_ms, None);
    assert!(told(&result, "% at 95 %"));
}

fn fault(kind: FaultKind, step: &str, at_s: u64, lasts_s: Option<u64>) -> Fault {
    Fault {
        kind,
        when: Anchor::Step(step.to_owned()),
        at: Duration::from_secs(at_s),
        jitter: Duration::ZERO,
        lasts: lasts_s.map(Duration::from_secs),
        target: None,
        delay: None,
        chance: None,
        by: None,
    }
}

fn on(mut fault: Fault, target: &str) -> Fault {
    fault.target = Some(target.to_owned());
    fault
}

/// A plan of the scenario with that fault in it.
fn met_by(name: &str, seed: u64, text: &str, fault: Fault) -> DrillPlan {
    edited(plan_by(name, seed, text), |scenario| {
        scenario.faults.push(fault);
    })
}

#[track_caller]
fn step<'a>(result: &'a DrillResult, name: &str) -> &'a StepSaid {
    let mut steps = result.steps.iter();
    let found = steps.find(|step| step.name == name);
    found.unwrap_or_else(|| panic!("no step {name}: {:#?}", result.timeline))
}

/// When the first fault began: the release's own mark comes before it.
#[track_caller]
fn struck_ms(result: &DrillResult) -> u64 {
    let mark = result.faults.get(1);
    mark.unwrap_or_else(|| panic!("nothing struck: {:#?}", result.timeline))
        .at_ms
}

/// Failures that only the logs show are seen at the end of the first window. The next one begins right after them,
/// wherever in it they were: any later, and no proof would be over in time.
#[test]
fn a_window_begins_anew_right_after_what_spoilt_it() {
    for at_s in [40, 76] {
        let mut burst = on(
            fault(FaultKind::RequestsFailing, "error-rate", at_s, Some(2)),
            "logs",
        );
        burst.chance = Some(PartsPerMillion(500_000));
        let result = run(&met_by("latency-regression", 3, BUILT_IN, burst));
        assert_passes(&result);
        assert!(told(&result, "the window began anew"));
        let claimed = result.rto_claimed_ms.expect("it recovered");
        let mut watched = result.timeline.iter().filter(|it| it.step == "watch");
        let fired = watched.find(|it| it.what.ends_with(" fired"));
        let fired_ms = fired.expect("a trigger").at_ms;
        let over_ms = struck_ms(&result) + 2_000 - fired_ms;
        let late = claimed.saturating_sub(over_ms);
        assert!(claimed >= over_ms - 2_000 && late < 6_000, "{late} ms late");
    }
}

/// The trigger that began the rollback shows what no step of this runbook asks for.
#[test]
fn nothing_is_claimed_while_the_trigger_fires() {
    let unasked = without_step(BUILT_IN, "books-balance");
    let alarm = |lasts_s| fault(FaultKind::BooksAlarm, "error-rate", 20, lasts_s);
    let plan = met_by("balance-anomaly", 3, &unasked, alarm(None));
    let plan = edited(plan, |scenario| {
        scenario.expect.outcome = Expected::Escalated;
    });
    let result = run(&plan);
    assert_eq!(result.rto_claimed_ms, None);
    assert!(told(&result, "trigger `data-balance-anomaly` still fires"));
    let result = run(&met_by("balance-anomaly", 3, &unasked, alarm(Some(40))));
    let claimed = result.rto_claimed_ms.expect("the alarm is over in time");
    assert!(claimed > 40_000, "{claimed}");
    assert!(told(&result, "trigger `data-balance-anomaly` still fires"));
}

/// What the query would show of the time before the recovery is not held against it.
#[test]
fn a_trigger_that_looks_back_far_is_asked_of_the_window_only() {
    let far = changed(
        "query: max(dex_reconciliation_anomalies{namespace=\"dex-production\"})",
        "query: max(max_over_time(dex_reconciliation_anomalies{namespace=\"dex-production\"}[10m]))",
    );
    assert_passes(&run(&plan_by("balance-anomaly", 3, &far)));
}

/// A pipeline deploys the next release while it is proven that the bad one is gone.
#[test]
fn a_release_that_comes_back_during_the_proof_is_seen_at_once() {
    let again = |at_s| {
        let again = fault(FaultKind::SecondRelease, "error-rate", at_s, None);
        on(again, "gateway")
    };
    let result = run(&met_by("latency-regression", 3, BUILT_IN, again(20)));
    assert_passes(&result);
    assert!(told(&result, "it is undone again now"));
    // The ledger was changed for the prior release, and trading is open: nobody knows what the other one wrote.
    let plan = met_by("breaking-migration", 3, BUILT_IN, again(20));
    let escalates = |scenario: &mut Scenario| scenario.expect.outcome = Expected::Escalated;
    let result = run(&edited(plan, escalates));
    let seen_ms = step(&result, "error-rate").finished_ms.expect("it ended");
    assert_eq!(result.rto_claimed_ms, None);
    assert!(seen_ms < struck_ms(&result) + 25_000, "{seen_ms}");
    assert!(told(&result, "its template is not the recorded one"));
    // So it is while the executor waits for orders to flow.
    let reopening = fault(FaultKind::SecondRelease, "orders-flow", 0, None);
    let plan = met_by("breaking-migration", 3, BUILT_IN, on(reopening, "gateway"));
    let result = run(&edited(plan, escalates));
    assert_eq!(result.rto_claimed_ms, None);
    assert!(!step(&result, "orders-flow").outcome.is_ok());
    assert!(told(&result, "its template is not the recorded one"));
    // While it is watched whether it stays recovered.
    let late = on(
        fault(FaultKind::SecondRelease, "stay-recovered", 5, None),
        "gateway",
    );
    let plan = met_by("latency-regression", 3, BUILT_IN, late);
    let result = run(&edited(plan, escalates));
    let seen_ms = step(&result, "stay-recovered")
        .finished_ms
        .expect("it ended");
    assert!(seen_ms < struck_ms(&result) + 25_000, "{seen_ms}");
}

/// Each is made good by the step that stands by for it, of services that are left alone, too.
#[test]
fn who_is_paused_or_scaled_down_after_the_rollout_is_brought_back() {
    for (kind, cure) in [
        (FaultKind::DeploymentPaused, "it is resumed now"),
        (FaultKind::ReplicasScaled, "it is scaled up again now"),
    ] {
        // The second scenario's release leaves the gateways alone.
        for (scenario, when) in [
            ("latency-regression", "check-health"),
            ("latency-regression", "error-rate"),
            ("balance-anomaly", "rollout-status"),
            ("configuration-only", "replace-pods"),
            ("balance-anomaly", "orders-flow"),
            ("breaking-migration", "orders-flow"),
            ("balance-anomaly", "error-rate"),
        ] {
            let plan = met_by(
                scenario,
                3,
                BUILT_IN,
                on(fault(kind, when, 0, None), "gateway"),
            );
            let result = run(&plan);
            assert_passes(&result);
            assert!(
                told(&result, cure),
                "{scenario}, {kind:?} at {when}: {:#?}",
                result.timeline
            );
        }
    }
}

/// A server that throttles after the proof costs time, and no recovery.
#[test]
fn throttling_after_the_proof_costs_time_only() {
    for (kind, target, when, lasts_s) in [
        (FaultKind::ApiThrottling, None, "still-prior-build", 15),
        (FaultKind::ApiThrottling, None, "stay-recovered", 15),
        (
            FaultKind::Unreachable,
            Some("prometheus"),
            "stay-recovered",
            80,
        ),
    ] {
        let mut away = fault(kind, when, 0, Some(lasts_s));
        away.target = target.map(str::to_owned);
        let result = run(&met_by("latency-regression", 3, BUILT_IN, away));
        assert!(result.rto_claimed_ms.is_some(), "{:#?}", result.timeline);
        let outcome = step(&result, when).outcome;
        assert!(outcome.is_ok(), "{}", step(&result, when).detail);
    }
}

/// What is wrong with the pods after their rollout may pass by itself, and minutes are left.
#[test]
fn checks_of_the_pods_wait_on_while_time_is_left() {
    let mut slow = fault(FaultKind::ApiSlow, "check-health", 0, Some(20));
    slow.delay = Some(Duration::from_millis(2_500));
    let sick = on(
        fault(FaultKind::PodsSick, "check-health", 0, Some(20)),
        "gateway",
    );
    for fault in [sick, slow] {
        let result = run(&met_by("latency-regression", 3, BUILT_IN, fault));
        assert_passes(&result);
        assert!(told(&result, "it is waited for until"));
    }
}

/// Somebody books to the ledger by hand while the engine that has loaded it may not write yet. Where the engine writes
/// over that the ledger is right, and where it does not the books don't balance.
#[test]
fn what_is_booked_behind_the_fence_is_written_over_or_seen() {
    for seed in 0..4 {
        let booked = fault(FaultKind::BooksBroken, "check-health", 0, None);
        let result = run(&met_by("balance-anomaly", seed, BUILT_IN, booked));
        if result.rto_claimed_ms.is_some() {
            let mut findings = result.findings.iter();
            let ledger = findings.find(|it| it.oracle() == OracleName::Ledger);
            let ledger = ledger.expect("the oracle looked");
            assert_eq!(ledger.verdict(), Verdict::Pass, "seed {seed}: {ledger}");
        } else {
            let books = step(&result, "books-balance");
            assert!(!books.outcome.is_ok(), "seed {seed}: {}", books.detail);
        }
    }
}

/// A query over a window: when it reached the server, and how long the window was, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Looked {
    at_ms: u64,
    window_ms: u64,
}

impl Looked {
    /// Where the window began.
    fn began_ms(self) -> u64 {
        self.at_ms - self.window_ms
    }
}

/// The window of the query in `uri`, if it has one that is as long as the time since the recovery. The requests are
/// counted apart from what is held against them, by the only query with single quotes: that finds nothing.
fn window_ms(uri: &http::Uri) -> Option<u64> {
    let query = uri.query().filter(|query| !query.contains("%27"))?;
    let (_, rest) = query.split_once("%5B")?;
    let (window, _) = rest.split_once("%5D")?;
    window.strip_suffix("ms")?.parse().ok()
}

/// Performs the drill. Queries reach their server late, each by less than the one before it, from nine tenths of a
/// second down to nothing, and then again.
fn looks_of(plan: &DrillPlan) -> (DrillResult, Vec<Looked>) {
    let looks: Arc<Mutex<Vec<Looked>>> = Arc::default();
    let seen = Arc::clone(&looks);
    let decorate = move |world: &sim_exchange::World, ports: Ports| {
        let (world, seen, inner) = (world.clone(), Arc::clone(&seen), ports.http.clone());
        let slow = tower::service_fn(move |request: http::Request<Bytes>| {
            let (world, seen, inner) = (world.clone(), Arc::clone(&seen), inner.clone());
            async move {
                if let Some(window_ms) = window_ms(request.uri()) {
                    let so_far = seen.lock().expect("not poisoned").len() as u64;
                    let late_ms = 900 - so_far % 4 * 300;
                    world.sleep(Micros::from_millis(late_ms)).await;
                    let at_ms = world.now().0 / 1_000;
                    let look = Looked { at_ms, window_ms };
                    seen.lock().expect("not poisoned").push(look);
                }
                inner.oneshot(request).await
            }
        });
        Ports {
            http: HttpClient::new(slow),
            ..ports
        }
    };
    let result = run_decorated(plan, &decorate).expect("the simulated world builds");
    let looks = looks.lock().expect("not poisoned").clone();
    (result, looks)
}

/// Whatever a step of the proof has looked at and found nothing in, no later step looks at more of it, whichever host
/// carries it out: it would hold against the exchange what the proof did not see.
#[test]
fn no_step_looks_at_what_came_before_the_window_of_the_proof() {
    let killed = Fault {
        delay: Some(Duration::from_secs(1)),
        ..fault(FaultKind::ExecutorKilled, "stay-recovered", 20, None)
    };
    for (seed, killed) in [(3, None), (4, Some(killed))] {
        let whole = plan("latency-regression", seed);
        let plan = edited(whole, |scenario| scenario.faults.extend(killed));
        let (result, looks) = looks_of(&plan);
        assert_passes(&result);
        let mut compared = 0;
        for name in ["error-rate", "error-logs", "stay-recovered"] {
            // Of a step that another host carried out again, the last attempt is the one that found nothing.
            let ended = |it: &&StepSaid| it.name == name && it.finished_ms.is_some();
            let said = result.steps.iter().rfind(ended).expect("it ended");
            let (began, ended) = (said.started_ms, said.finished_ms.unwrap_or(0));
            let of_step = |look: &&Looked| (began..=ended).contains(&look.at_ms);
            let last = looks.iter().rfind(of_step).expect("it asked");
            for later in looks.iter().filter(|look| look.at_ms > ended) {
                assert!(
                    later.began_ms() + 1 >= last.began_ms(),
                    "{name}: {last:?}, {later:?}"
                );
                compared += 1;
            }
        }
        assert!(compared > 10, "{compared}");
    }
}

/// What only the logs show of the moment after the last change is seen by the proof, or by nobody.
#[test]
fn what_fails_in_the_first_second_is_seen_by_the_proof_or_by_nobody() {
    let mut anew = 0;
    for seed in 0..12 {
        let result = run(&plan("errors-in-the-first-second", seed));
        assert_passes(&result);
        anew += u32::from(step(&result, "error-logs").detail.contains("began anew"));
    }
    assert!(anew > 0, "no proof saw any of it");
}
