//! Whether the drill may be judged at all: the host, the steady state before, the fault.

use std::time::Duration;

use super::{Case, GOOD_SECOND, ask, fault, good, verdict_of};
use crate::evidence::{
    Contention, Evidence, ExecutorOutcome, HostSeen, InjectedFault, Ms, Second, Share,
};
use crate::oracles::ask_all;
use crate::oracles::finding::{Finding, OracleName};
use crate::scenario::FaultKind;
use crate::verdict::{Verdict, judge};

/// Evidence that these oracles must see through.
pub(super) fn cases() -> Vec<Case> {
    use Verdict::Inconclusive;
    vec![
        (
            "a host that held its clients up",
            |e| {
                e.host = Some(HostSeen {
                    sent: 10_000,
                    late: 2,
                    worst_ms: 400,
                    delays: vec![(169_600, 170_000)],
                    ..HostSeen::default()
                });
            },
            OracleName::Host,
            Inconclusive,
        ),
        (
            "clients that sent nothing",
            |e| e.host = Some(HostSeen::default()),
            OracleName::Host,
            Inconclusive,
        ),
        (
            "errors in the warm-up",
            |e| e.seconds[30].errors = 5,
            OracleName::SteadyState,
            Inconclusive,
        ),
        (
            "slow in the warm-up",
            |e| e.seconds[20..40].iter_mut().for_each(|s| s.slow = 100),
            OracleName::SteadyState,
            Inconclusive,
        ),
        (
            "halted in the warm-up",
            |e| e.seconds[30].maintenance = 1,
            OracleName::SteadyState,
            Inconclusive,
        ),
        (
            "broken in the warm-up",
            |e| e.probes[2].violations.push("x".into()),
            OracleName::SteadyState,
            Inconclusive,
        ),
        (
            "no traffic at all",
            |e| e.seconds = vec![Second::default(); 900],
            OracleName::SteadyState,
            Inconclusive,
        ),
        (
            "nobody looked",
            |e| e.probes.clear(),
            OracleName::SteadyState,
            Inconclusive,
        ),
        (
            "never deployed",
            |e| e.deployed_ms = None,
            OracleName::FaultFired,
            Inconclusive,
        ),
        (
            "never ran",
            |e| e.deployed_build_seen = false,
            OracleName::FaultFired,
            Inconclusive,
        ),
        (
            "no harm",
            |e| e.seconds = vec![GOOD_SECOND; 900],
            OracleName::FaultFired,
            Inconclusive,
        ),
    ]
}

/// A drill on a host that sent `late` of 20,000 requests late, the last one at `last_ms`.
fn busy(late: u64, last_ms: Ms) -> Evidence {
    let mut e = good();
    e.host = Some(HostSeen {
        sent: 20_000,
        late,
        worst_ms: 900,
        delays: vec![(last_ms.saturating_sub(900), last_ms)],
        ..HostSeen::default()
    });
    e
}

/// A drill on a host that stood still from `from_ms` to `to_ms`.
fn stood_still(from_ms: Ms, to_ms: Ms) -> Evidence {
    let mut e = busy(1, to_ms);
    if let Some(host) = &mut e.host {
        host.stood_still(from_ms, to_ms);
    }
    e
}

fn judged(e: &Evidence) -> Verdict {
    judge(&ask_all(e)).overall
}

#[test]
fn a_late_request_in_ten_thousand_decides_nothing_and_a_starved_host_fails_nobody() {
    let host = |late, last_ms| {
        let mut e = busy(late, last_ms);
        // What the clients saw of it, and what an executor would be blamed for.
        e.seconds[455].errors = 50;
        e
    };
    assert_eq!(
        verdict_of(OracleName::Host, &host(2, 456_000)),
        Verdict::Pass
    );
    let starved = host(3, 456_000);
    assert_eq!(
        verdict_of(OracleName::Host, &starved),
        Verdict::Inconclusive
    );
    assert_eq!(judged(&host(2, 456_000)), Verdict::Fail);
    assert_eq!(judged(&starved), Verdict::Inconclusive);
    // Once its clients are punctual again, what they see counts again.
    assert_eq!(judged(&host(3, 170_000)), Verdict::Fail);
}

#[test]
fn a_host_that_stood_still_decides_nothing_but_for_what_passes_all_the_same() {
    let with = |from_ms, to_ms, errors| {
        let mut e = stood_still(from_ms, to_ms);
        e.seconds[400].errors = errors;
        judged(&e)
    };
    assert_eq!(with(399_000, 400_400, 50), Verdict::Inconclusive);
    assert_eq!(with(399_000, 400_400, 0), Verdict::Pass);
    // Before there was anything to recover from, and long before the errors.
    assert_eq!(with(70_000, 71_400, 50), Verdict::Fail);
}

#[test]
fn what_no_client_saw_is_as_certain_as_ever_however_still_the_host_stood() {
    let doctors: [fn(&mut Evidence); 4] = [
        |e| e.pods[1].version = Some("1.5.0".into()),
        |e| e.maintenance.fence_token = Some(3),
        |e| e.trades.present.clear(),
        |e| e.files.retain(|file, _| !file.ends_with(".md")),
    ];
    for (at, doctor) in doctors.into_iter().enumerate() {
        for stall in [(20_000, 26_000), (399_000, 400_400)] {
            let mut e = stood_still(stall.0, stall.1);
            // Slow and failing while it stood still, before the deployment or after recovery.
            let second = usize::try_from(stall.0 / 1_000).expect("small");
            e.seconds[second].errors = 50;
            assert_eq!(judged(&e), Verdict::Inconclusive, "{stall:?}");
            doctor(&mut e);
            assert_eq!(judged(&e), Verdict::Fail, "{at} {stall:?}");
        }
    }
}

#[test]
fn a_host_excuses_only_what_it_can_have_caused() {
    let hosts: [fn(Ms) -> Evidence; 2] =
        [|at| stood_still(at, at + 1_400), |at| busy(30, at + 1_400)];
    for (nth, host) in hosts.into_iter().enumerate() {
        // Clients never saw the recovery that is claimed. Whatever the host did at the end, it did not cause that.
        let mut e = host(880_000);
        e.seconds[180..].iter_mut().for_each(|s| s.errors = 100);
        assert_eq!(judged(&e), Verdict::Fail, "{nth}");
        let claim = ask_all(&e)
            .into_iter()
            .find(|it| it.oracle() == OracleName::Claim)
            .expect("it is asked");
        assert!(claim.is_harm(), "{nth}: {claim}");
        // It fell back for more than a minute, and the host was held up long after that.
        let mut e = host(500_000);
        e.seconds[300..400].iter_mut().for_each(|s| s.errors = 100);
        assert_eq!(judged(&e), Verdict::Fail, "{nth}");
        // Part of a relapse does not excuse the rest of it.
        let mut e = host(310_000);
        e.seconds[300..400].iter_mut().for_each(|s| s.errors = 100);
        assert_eq!(judged(&e), Verdict::Fail, "{nth}");
        let mut e = host(310_000);
        e.seconds[310..313].iter_mut().for_each(|s| s.errors = 100);
        assert_eq!(judged(&e), Verdict::Inconclusive, "{nth}");
    }
}

#[test]
fn an_objective_that_is_missed_by_less_than_the_host_stood_still_is_not_shown_to_be_missed() {
    // Triggered at 150.4 s, so the objective ends at 450.4 s.
    let with = |recovered: usize| {
        let mut e = stood_still(200_000, 205_000);
        e.expect.impact_max = Duration::from_secs(900);
        e.executor.recovered_ms = Some(recovered as Ms * 1_000);
        e.seconds[180..recovered]
            .iter_mut()
            .for_each(|s| s.errors = 100);
        judged(&e)
    };
    assert_eq!(with(455), Verdict::Inconclusive);
    assert_eq!(with(510), Verdict::Fail);
}

#[test]
fn a_stall_in_the_warm_up_leaves_nothing_certain_that_clients_saw_later() {
    let with = |errors| {
        let mut e = stood_still(20_000, 26_000);
        e.seconds[22].errors = errors;
        // They never saw recovery.
        e.seconds[180..].iter_mut().for_each(|s| s.errors = 100);
        e
    };
    // All was well before, in spite of it.
    assert_eq!(judged(&with(0)), Verdict::Fail);
    let e = with(50);
    assert_eq!(judged(&e), Verdict::Inconclusive);
    let found = ask_all(&e);
    let claim = found.iter().find(|it| it.oracle() == OracleName::Claim);
    let claim = claim.expect("it was asked");
    assert_eq!((claim.kind(), claim.is_harm()), ("held-up", false));
    assert!(
        claim.to_string().contains("the host held its clients up"),
        "{claim}"
    );
}

#[test]
fn an_executor_that_gives_up_while_its_host_stands_still_is_not_blamed_and_one_that_breaks_down_is()
{
    let with = |outcome, stall: (Ms, Ms)| {
        let mut e = stood_still(stall.0, stall.1);
        e.executor.outcome = outcome;
        e.executor.ended_ms = Some(300_000);
        judged(&e)
    };
    let called = || ExecutorOutcome::Escalated("no answer in time".to_owned());
    let meanwhile = (160_000, 170_000);
    assert_eq!(with(called(), meanwhile), Verdict::Inconclusive);
    assert_eq!(with(called(), (20_000, 30_000)), Verdict::Fail);
    assert_eq!(with(called(), (310_000, 320_000)), Verdict::Fail);
    let failed = ExecutorOutcome::Failed("an error".to_owned());
    assert_eq!(with(failed, meanwhile), Verdict::Fail);
}

#[test]
fn an_error_of_the_harness_is_nobodys_failure_and_excuses_no_harm() {
    let mut e = good();
    e.harness_failed = Some("list pods: connection refused".to_owned());
    e.executor.outcome = ExecutorOutcome::CutShort("list pods: connection refused".to_owned());
    e.executor.recovered_ms = None;
    // Half way, the exchange is as the executor had to leave it.
    e.seconds[180..].iter_mut().for_each(|s| s.errors = 100);
    e.maintenance.flag = Some("maintenance".to_owned());
    assert_eq!(judged(&e), Verdict::Inconclusive);
    let found = ask_all(&e);
    let mut told: Vec<&Finding> = found
        .iter()
        .filter(|it| it.verdict() != Verdict::Pass)
        .collect();
    told.sort_by_key(|it| it.order(Verdict::Inconclusive));
    assert_eq!(told[0].oracle(), OracleName::Host);
    assert!(
        told[0].to_string().contains("connection refused"),
        "{}",
        told[0]
    );
    e.trades.present.remove(3);
    assert_eq!(judged(&e), Verdict::Fail);
}

#[test]
fn cpu_time_that_others_had_is_told_and_not_judged() {
    let told = |stolen, waited| {
        let mut e = good();
        e.host = Some(HostSeen {
            sent: 20_000,
            contention: Contention { stolen, waited },
            ..HostSeen::default()
        });
        let found = ask(OracleName::Host, &e);
        assert_eq!(found.verdict(), Verdict::Pass);
        found
    };
    let share = |permille, worst_permille, worst_ms| {
        Some(Share {
            permille,
            worst_permille,
            worst_ms,
        })
    };
    let quiet = "0 of 20000 requests were sent more than 250 ms late";
    for nothing in [None, Some(Share::default())] {
        assert_eq!(told(nothing, nothing).to_string(), quiet);
    }
    let found = told(share(42, 310, 123_000), share(350, 980, 200_000));
    assert_eq!(
        found.to_string(),
        format!(
            "{quiet}; its hypervisor gave 4.2% of its CPU time to other machines, 31.0% in the second before 2m 03s; processes waited for a CPU in 35.0% of the time, 98.0% in the second before 3m 20s"
        )
    );
    assert_eq!(found.numbers().0["stolen_worst_permille"], 310);
    assert_eq!(found.numbers().0["waited_worst_ms"], 200_000);
    let found = told(None, share(350, 980, 200_000));
    assert!(!found.to_string().contains("hypervisor"), "{found}");
}

#[test]
fn a_fault_that_hit_nothing_makes_a_drill_inconclusive() {
    let seen = |began_ms, hits| InjectedFault {
        began_ms,
        ended_ms: began_ms,
        hits,
        ..fault(FaultKind::ApiSlow, 0, 0)
    };
    let mut e = good();
    e.faults = vec![seen(Some(151_000), 3)];
    assert_eq!(verdict_of(OracleName::FaultFired, &e), Verdict::Pass);
    e.faults.push(seen(Some(152_000), 0));
    assert_eq!(
        verdict_of(OracleName::FaultFired, &e),
        Verdict::Inconclusive
    );
    e.faults[1] = seen(None, 0);
    assert_eq!(
        verdict_of(OracleName::FaultFired, &e),
        Verdict::Inconclusive
    );
}
