//! Proof that faults bite executors, too: one that lacks what is there for a fault fails under it, by the oracle that
//! is there for it, or is refused. Each is the sound executor with one of its ports bent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use e2e::drills::{assert_fails_by, assert_passes, edited, failed, plan, run};
use executor::ports::{Database, HttpError, Ports};
use firedrill::drill::{DrillResult, run_decorated};
use firedrill::finding::{Finding, OracleName};
use firedrill::scenario::Anchor;
use firedrill::verdict::Verdict;
use http::Response;
use mutants::bugs::{
    NewestSnapshot, OwnTokens, ReplaysTwice, UndoesOne, VersionsAsText, alone_in_the_world,
    keeps_template_annotations, only_live_pods, only_now, refused_for_good, unconditional_journal,
};
use mutants::ports::{
    Asker, Decorated, Decorator, QueryServer, Question, Stopped, answers, asked, requests, undated,
};
use sim_exchange::World;

/// Passes by the built-in runbook with the sound executor, so that a failure is the bent port's.
fn sound(scenario: &str, seed: u64) {
    assert_passes(&run(&plan(scenario, seed)));
}

fn decorated(
    scenario: &str,
    seed: u64,
    decorate: &(dyn Fn(&World, Ports) -> Ports + Sync + 'static),
) -> DrillResult {
    run_decorated(&plan(scenario, seed), decorate).expect("the world builds")
}

// --- the API server ----------------------------------------------------------------------------

#[test]
fn who_does_not_wait_for_the_old_pods_claims_recovery_too_early() {
    // Whether clients still meet an old pod when it is claimed is up to the seed.
    let caught = (0..20).filter(|&seed| {
        sound("terminating-slow", seed);
        let result = decorated("terminating-slow", seed, &|_, ports| {
            answers(ports, only_live_pods)
        });
        let early = |f: &Finding| f.oracle() == OracleName::Claim && f.is_harm();
        result.findings.iter().any(early)
    });
    let caught = caught.count();
    assert!(caught >= 2, "{caught} of 20");
}

#[test]
fn who_takes_a_starting_servers_refusal_for_an_answer_gives_up() {
    sound("api-server-restarted", 3);
    let gave_up = (0..6).filter(|seed| {
        let result = decorated("api-server-restarted", *seed, &|_, ports| {
            answers(ports, |_, answer| refused_for_good(answer))
        });
        result.verdicts.overall == Verdict::Fail
    });
    assert!(gave_up.count() >= 3);
}

// --- Prometheus --------------------------------------------------------------------------------

/// Before that second of the drill there are no data.
struct Blind {
    world: World,
    until_s: u64,
}

#[async_trait]
impl Asker for Blind {
    async fn ask(
        &self,
        question: Question,
        server: &QueryServer,
    ) -> Result<Response<Bytes>, HttpError> {
        let answer = server.ask(&question).await?;
        let nothing = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        Ok(if self.world.now().as_millis() < self.until_s * 1_000 {
            answer.map(|_| Bytes::from(nothing))
        } else {
            answer
        })
    }
}

#[test]
fn who_does_not_know_what_was_wrong_before_the_release_rolls_it_back_for_nothing() {
    sound("anomaly-predates", 3);
    let result = decorated("anomaly-predates", 3, &|world, ports| {
        let world = world.clone();
        asked(ports, Blind { world, until_s: 90 })
    });
    assert_fails_by(&result, "trigger");
}

#[test]
fn who_takes_a_flap_for_the_state_before_the_release_is_disarmed_by_it() {
    sound("alarm-at-baseline", 3);
    let result = decorated("alarm-at-baseline", 3, &|_, ports| only_now(ports));
    assert_fails_by(&result, "trigger");
}

// --- the lease ---------------------------------------------------------------------------------

/// Drills `scenario` with a first host that does not notice that it stood still; how much time it lost, in ms.
fn unaware(scenario: &str, seed: u64) -> (DrillResult, u64) {
    unaware_and(scenario, seed, |ports| ports)
}

/// The same, with that host's ports bent further.
fn unaware_and(scenario: &str, seed: u64, bend: fn(Ports) -> Ports) -> (DrillResult, u64) {
    let (hosts, lost) = (AtomicUsize::new(0), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&lost);
    let result = decorated(scenario, seed, &move |world, ports| {
        if hosts.fetch_add(1, Ordering::Relaxed) > 0 {
            return ports;
        }
        assert_eq!(world.now().as_millis(), 60_000, "the first host prepares");
        let clock = Stopped::new(Arc::clone(&ports.clock), Arc::clone(&counted));
        // The API server's answers would tell it.
        bend(Ports {
            clock: Arc::new(clock),
            ..undated(ports)
        })
    });
    (result, lost.load(Ordering::Relaxed))
}

#[test]
fn a_host_that_does_not_know_that_its_lease_ran_out_is_refused() {
    for scenario in ["executor-paused", "executor-paused-restoring"] {
        for seed in 0..4 {
            let (result, lost_ms) = unaware(scenario, seed);
            assert!(lost_ms > 20_000, "{scenario}: it lost {lost_ms} ms");
            // It learned from the journal, the lease or the ledger's fence that another has taken over.
            let told = result.timeline.iter().map(|entry| entry.what.as_str());
            let refusals: Vec<&str> = told
                .filter(|what| what.contains("another executor"))
                .collect();
            assert!(
                !refusals.is_empty(),
                "{scenario} {seed}: {:#?}",
                result.timeline
            );
            let by_its_own_clock = |what: &&&str| what.contains("this host's lease ran out");
            assert_eq!(refusals.iter().find(by_its_own_clock), None, "{refusals:?}");
            assert_passes(&result);
        }
    }
}

// --- two layers at once ------------------------------------------------------------------------
//
// Lease, the holder's own clock, the journal's precondition and the fence stand behind one another, so that with one of
// them broken nothing comes to harm. What each is there for shows where the others are gone: somebody writes who must
// not, and the oracle of the writers says who.

#[test]
fn a_host_that_knows_neither_of_its_leases_end_nor_of_the_journals_writes_and_is_seen() {
    let seen = (0..4).filter(|seed| {
        let (result, lost_ms) = unaware_and("executor-paused", *seed, unconditional_journal);
        assert!(lost_ms > 20_000, "it lost {lost_ms} ms");
        let stale = failed(&result).contains(&"writers");
        if stale {
            assert_fails_by(&result, "writers");
        }
        stale
    });
    assert!(seen.count() >= 2);
}

/// Ports with the database that `of` makes of theirs.
fn with_database<T: Decorator + 'static>(
    ports: Ports,
    of: impl FnOnce(Arc<dyn Database>) -> T,
) -> Ports {
    let database = Arc::new(Decorated(of(Arc::clone(&ports.database))));
    Ports { database, ..ports }
}

#[test]
fn tokens_that_are_not_the_leases_are_seen_though_the_fence_lets_them_pass() {
    for seed in 0..2 {
        sound("balance-anomaly", seed);
        let result = decorated("balance-anomaly", seed, &|_, ports| {
            with_database(ports, OwnTokens)
        });
        assert_fails_by(&result, "writers");
    }
}

#[test]
fn two_hosts_that_both_act_fail_by_who_wrote_and_not_for_want_of_a_fault() {
    for seed in 0..3 {
        // While the first host saves the logs, so that there is everything to do yet.
        let early = edited(plan("second-executor", seed), |scenario| {
            scenario.faults[0].when = Anchor::Step("dump-logs".to_owned());
            scenario.faults[0].jitter = Duration::ZERO;
        });
        assert_passes(&run(&early));
        let hosts = AtomicUsize::new(0);
        let result = run_decorated(&early, &move |_: &World, ports| {
            if hosts.fetch_add(1, Ordering::Relaxed) == 0 {
                return ports;
            }
            requests(ports, alone_in_the_world)
        });
        let result = result.expect("the world builds");
        assert_fails_by(&result, "writers");
    }
}

// --- a database port that does something else than it says ----------------------------------------

#[test]
fn who_replays_an_order_twice_leaves_one_in_the_log_that_nobody_sent() {
    for seed in 0..3 {
        sound("balance-anomaly", seed);
        let result = decorated("balance-anomaly", seed, &|world, ports| {
            let world = world.clone();
            with_database(ports, |inner| ReplaysTwice { inner, world })
        });
        assert_fails_by(&result, "phantoms");
    }
}

#[test]
fn who_compares_versions_as_text_leaves_a_migration_that_the_prior_release_can_not_read() {
    sound("nine-to-ten", 1);
    let result = decorated("nine-to-ten", 1, &|_, ports| {
        with_database(ports, VersionsAsText)
    });
    assert_fails_by(&result, "outcome");
}

#[test]
fn who_undoes_one_of_two_migrations_does_not_bring_the_exchange_back() {
    sound("two-migrations", 1);
    let result = decorated("two-migrations", 1, &|_, ports| {
        with_database(ports, UndoesOne::new)
    });
    assert_fails_by(&result, "outcome");
    assert_fails_by(&result, "rto");
}

#[test]
fn who_restores_the_newest_snapshot_in_place_of_the_recorded_one_leaves_the_books_wrong() {
    for seed in 0..2 {
        let result = decorated("balance-anomaly", seed, &|_, ports| {
            with_database(ports, NewestSnapshot)
        });
        assert_fails_by(&result, "outcome");
        assert_eq!(result.rto_claimed_ms, None);
    }
}

#[test]
fn who_leaves_the_annotations_of_the_bad_release_is_seen() {
    sound("bad-configuration", 1);
    let result = decorated("bad-configuration", 1, &|_, ports| {
        requests(ports, keeps_template_annotations)
    });
    assert_fails_by(&result, "outcome");
}
