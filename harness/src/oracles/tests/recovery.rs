//! When the exchange recovered, whether that lasted, and how long clients and books were harmed.

use super::{Case, GOOD_SECOND, fault, good, verdict_of};
use crate::evidence::{Evidence, InjectedFault, Ms, Second};
use crate::oracles::finding::OracleName;
use crate::oracles::recovery::{another_incident_ms, first_harm_ms, recovered_ms, tail};
use crate::oracles::{ask, ask_all};
use crate::scenario::FaultKind;
use crate::verdict::Verdict;

/// The same in each of some seconds.
fn each(e: &mut Evidence, seconds: std::ops::Range<usize>, change: fn(&mut Second)) {
    e.seconds[seconds].iter_mut().for_each(change);
}

/// Evidence that these oracles must see through.
pub(super) fn cases() -> Vec<Case> {
    use Verdict::{Fail, Inconclusive};
    vec![
        (
            "recovered too late",
            |e| each(e, 180..455, |s| s.errors = 50),
            OracleName::Rto,
            Fail,
        ),
        (
            "never recovered",
            |e| each(e, 180..900, |s| s.errors = 50),
            OracleName::Rto,
            Fail,
        ),
        (
            "slow for too long",
            |e| each(e, 180..460, |s| s.slow = 3),
            OracleName::Rto,
            Fail,
        ),
        (
            "slow until the end, but for the last seconds that fill no window",
            |e| each(e, 180..895, |s| s.slow = 200),
            OracleName::Rto,
            Fail,
        ),
        (
            "halted for too long",
            |e| each(e, 180..455, |s| s.maintenance = 1),
            OracleName::Rto,
            Fail,
        ),
        (
            "broken for too long",
            |e| {
                let looks = e.probes[18..=46].iter_mut();
                looks.for_each(|p| p.violations.push("x".into()));
            },
            OracleName::Rto,
            Fail,
        ),
        (
            "a late look only",
            |e| e.probes.truncate(10),
            OracleName::Rto,
            Fail,
        ),
        (
            "no full window of evidence",
            |e| e.seconds.truncate(189),
            OracleName::Rto,
            Fail,
        ),
        (
            "harmed for too long",
            |e| each(e, 180..600, |s| s.errors = 50),
            OracleName::Impact,
            Fail,
        ),
        (
            "harmed to the end",
            |e| each(e, 180..900, |s| s.errors = 50),
            OracleName::Impact,
            Fail,
        ),
        (
            "shut by the preparation",
            |e| each(e, 70..85, |s| s.maintenance = 200),
            OracleName::Impact,
            Fail,
        ),
        (
            "harmed for minutes where nothing should trigger",
            |e| {
                e.expect.trigger = None;
                e.executor.trigger = None;
                each(e, 95..450, |s| s.errors = 50);
            },
            OracleName::Rto,
            Fail,
        ),
        (
            "held beyond what is on record",
            |e| e.seconds.truncate(240),
            OracleName::Hold,
            Inconclusive,
        ),
        (
            "noticed late",
            |e| {
                each(e, 180..310, |s| s.errors = 50);
                e.executor.trigger.as_mut().expect("one fired").at_ms = 300_400;
            },
            OracleName::Detection,
            Fail,
        ),
        (
            "never noticed",
            |e| e.executor.trigger = None,
            OracleName::Detection,
            Fail,
        ),
        (
            "too few requests",
            |e| e.seconds.truncate(300),
            OracleName::ErrorRate,
            Inconclusive,
        ),
        (
            "more requests fail than may",
            |e| e.seconds[400].errors = 20,
            OracleName::ErrorRate,
            Fail,
        ),
        (
            "as many fail as chance may hide",
            |e| e.seconds[400].errors = 10,
            OracleName::ErrorRate,
            Inconclusive,
        ),
        (
            "refused after recovery",
            |e| e.seconds[400].maintenance = 5,
            OracleName::ErrorRate,
            Fail,
        ),
        (
            "no recovery",
            |e| each(e, 180..900, |s| s.errors = 50),
            OracleName::ErrorRate,
            Fail,
        ),
        (
            "slow after recovery",
            |e| each(e, 200..900, |s| s.slow = 3),
            OracleName::Latency,
            Fail,
        ),
        (
            "broken after recovery",
            |e| e.probes[40].violations.push("x".into()),
            OracleName::Invariants,
            Fail,
        ),
        (
            "broken at the end",
            |e| e.probes[90].violations.push("x".into()),
            OracleName::Invariants,
            Fail,
        ),
        (
            "nobody looked at the end",
            |e| e.probes.truncate(80),
            OracleName::Invariants,
            Inconclusive,
        ),
        (
            "too short a hold",
            |e| e.end_ms = 200_000,
            OracleName::Hold,
            Inconclusive,
        ),
        (
            "a relapse",
            |e| each(e, 400..403, |s| s.errors = 50),
            OracleName::Hold,
            Fail,
        ),
    ]
}

#[test]
fn recovery_is_where_the_clients_saw_it() {
    assert_eq!(recovered_ms(&good()), Some(180_000));
    assert_eq!(first_harm_ms(&good()), Some(100_000));
}

#[test]
fn harm_is_dated_when_it_begins_and_not_when_the_window_does_that_shows_it() {
    let slow = |seconds: std::ops::Range<usize>, slow: u32| {
        let mut e = good();
        e.seconds[100..180].fill(GOOD_SECOND);
        e.seconds[seconds].iter_mut().for_each(|s| s.slow = slow);
        first_harm_ms(&e)
    };
    // One second is enough for the ten that end with it.
    assert_eq!(slow(130..131, 21), Some(130_000));
    assert_eq!(slow(130..131, 20), None, "one in a hundred may be slow");
    assert_eq!(slow(130..180, 3), Some(130_000));
    // It began before the release was there, and is harm only from then on.
    assert_eq!(slow(88..95, 30), Some(90_000));
}

#[test]
fn the_seconds_that_date_the_recovery_show_nothing_of_what_comes_after_it() {
    let until = |second| {
        let mut e = good();
        e.seconds.truncate(second);
        [OracleName::ErrorRate, OracleName::Latency].map(|oracle| verdict_of(oracle, &e))
    };
    // 30,000 requests after the ten seconds from 180 s on.
    assert_eq!(until(340), [Verdict::Pass, Verdict::Pass]);
    assert_eq!(until(339), [Verdict::Inconclusive, Verdict::Pass]);
    assert_eq!(until(190), [Verdict::Inconclusive, Verdict::Inconclusive]);
}

#[test]
fn nothing_that_comes_later_moves_a_recovery() {
    for (second, expected) in [
        (185, 186_000),
        (189, 190_000),
        (190, 180_000),
        (899, 180_000),
    ] {
        let mut e = good();
        e.seconds[second].errors = 1;
        assert_eq!(recovered_ms(&e), Some(expected), "{second}");
    }
    let mut e = good();
    e.seconds.truncate(190);
    assert_eq!(recovered_ms(&e), Some(180_000), "a full window is enough");
}

#[test]
fn one_noisy_second_costs_the_tail_what_it_costs_and_no_more() {
    let mut e = good();
    e.seconds[304].slow = 38;
    assert_eq!(recovered_ms(&e), Some(180_000));
    for finding in ask_all(&e) {
        assert_eq!(finding.verdict(), Verdict::Pass, "{finding:?}");
    }
    // Eight errors in 144,000 requests are below 0.01 % for certain, nine are not.
    for (errors, verdict) in [(7, Verdict::Pass), (9, Verdict::Inconclusive)] {
        e.seconds[304].errors = errors;
        let found = ask(OracleName::ErrorRate, &e);
        assert_eq!(found.verdict(), verdict, "{errors}: {found}");
        assert_eq!(verdict_of(OracleName::Claim, &e), Verdict::Pass);
    }
}

#[test]
fn what_recovered_before_the_exchange_is_struck_must_recover_again() {
    let struck = |kind, at: usize, seconds: usize| {
        let mut e = good();
        e.faults = vec![fault(kind, at as Ms * 1_000, at as Ms * 1_000)];
        each(&mut e, at..at + seconds, |s| s.errors = 50);
        e
    };
    let killed = struck(FaultKind::PodsKilled, 260, 4);
    assert_eq!(recovered_ms(&killed), Some(264_000));
    // Whoever dates recovery before that has not looked.
    assert_eq!(verdict_of(OracleName::Claim, &killed), Verdict::Fail);
    assert_eq!(verdict_of(OracleName::ErrorRate, &killed), Verdict::Pass);
    let unseen = struck(FaultKind::PodsKilled, 260, 0);
    assert_eq!(recovered_ms(&unseen), Some(180_000));
    // Of no fault's doing, it is the recovery's own.
    let relapsed = struck(FaultKind::ApiSlow, 260, 4);
    assert_eq!(recovered_ms(&relapsed), Some(180_000));
    assert_eq!(verdict_of(OracleName::Hold, &relapsed), Verdict::Fail);
    // Beyond the objective it leaves nobody the time, and shows nothing of whether it would have held.
    let late = struck(FaultKind::PodsKilled, 460, 4);
    assert_eq!(recovered_ms(&late), Some(464_000));
    assert_eq!(verdict_of(OracleName::Rto, &late), Verdict::Inconclusive);
}

#[test]
fn what_strikes_once_recovery_has_held_and_the_executor_has_ended_is_another_incident() {
    let struck = |kind, at: usize, ended_ms| {
        let mut e = good();
        e.faults = vec![fault(kind, at as Ms * 1_000, at as Ms * 1_000)];
        e.executor.ended_ms = ended_ms;
        // Its clients see it for longer than a relapse takes.
        each(&mut e, at..at + 30, |s| s.errors = 50);
        e
    };
    // Recovered at 180 s.
    let held = 180 + usize::try_from(good().hold_ms / 1_000).expect("seconds");
    let ended_ms = Some(held as Ms * 1_000 - 2_000);
    let another = struck(FaultKind::NodePaused, held, ended_ms);
    assert_eq!(recovered_ms(&another), Some(180_000));
    let after = tail(&another).expect("a recovery");
    assert_eq!(
        (after.until_ms, after.relapsed_ms),
        (held as Ms * 1_000, None)
    );
    for finding in ask_all(&another) {
        assert_eq!(finding.verdict(), Verdict::Pass, "{finding:?}");
    }
    // So few requests fail that no second is bad: it is another incident all the same.
    let mut few = struck(FaultKind::RequestsFailing, held, ended_ms);
    few.seconds = good().seconds;
    each(&mut few, held..900, |s| s.errors = 1);
    assert_eq!(another_incident_ms(&few), Some(held as Ms * 1_000));
    assert_eq!(verdict_of(OracleName::ErrorRate, &few), Verdict::Pass);
    few.faults.clear();
    assert_eq!(another_incident_ms(&few), None);
    assert_eq!(verdict_of(OracleName::ErrorRate, &few), Verdict::Fail);
    // Not held for as long, the executor still at work, and nobody knows its end: it must recover again.
    let at_work = Some(held as Ms * 1_000);
    for (at, ended_ms) in [(held - 1, ended_ms), (held, at_work), (held, None)] {
        let e = struck(FaultKind::NodePaused, at, ended_ms);
        assert_eq!(recovered_ms(&e), Some((at as Ms + 30) * 1_000), "{at}");
        assert_eq!(tail(&e).expect("a recovery").until_ms, 900_000);
    }
    // Nothing struck: what is bad then is a relapse.
    let relapsed = struck(FaultKind::ApiSlow, held, ended_ms);
    assert_eq!(verdict_of(OracleName::Hold, &relapsed), Verdict::Fail);
    assert_eq!(verdict_of(OracleName::ErrorRate, &relapsed), Verdict::Fail);
    // Before the next incident it may relapse all the same.
    let mut before = another.clone();
    each(&mut before, 300..304, |s| s.errors = 50);
    assert_eq!(verdict_of(OracleName::Hold, &before), Verdict::Fail);
}

#[test]
fn refusals_for_maintenance_before_recovery_are_no_errors() {
    let mut e = good();
    for second in &mut e.seconds[155..185] {
        *second = Second {
            maintenance: 200,
            ..Second::default()
        };
    }
    e.executor.recovered_ms = Some(185_000);
    assert_eq!(recovered_ms(&e), Some(185_000));
    assert!(ask_all(&e).iter().all(|f| f.verdict() == Verdict::Pass));
}

#[test]
fn time_in_which_nobody_could_see_anything_does_not_count_as_unnoticed() {
    let mut e = good();
    each(&mut e, 180..310, |s| s.errors = 50);
    e.executor.trigger.as_mut().expect("one fired").at_ms = 300_400;
    let blind = |certain| InjectedFault {
        certain,
        ..fault(FaultKind::MetricsMissing, 150_000, 250_000)
    };
    e.faults = vec![blind(true)];
    assert_eq!(verdict_of(OracleName::Detection, &e), Verdict::Pass);
    e.faults = vec![blind(false)];
    assert_eq!(verdict_of(OracleName::Detection, &e), Verdict::Fail);
}

/// Pods are killed at `at_s`, and clients see it for four seconds from `seen_s` on.
fn killed(at_s: usize, seen_s: usize) -> Evidence {
    let mut e = good();
    let at_ms = at_s as Ms * 1_000;
    e.faults = vec![fault(FaultKind::PodsKilled, at_ms, at_ms)];
    each(&mut e, seen_s..seen_s + 4, |s| s.errors = 50);
    e
}

#[test]
fn what_strikes_too_late_for_the_executor_to_notice_makes_no_claim_false() {
    let mut e = killed(260, 260);
    // Nobody notices at once.
    for (ended_ms, verdict) in [
        (250_000, Verdict::Pass),
        (271_999, Verdict::Pass),
        (272_000, Verdict::Fail),
    ] {
        e.executor.ended_ms = Some(ended_ms);
        assert_eq!(recovered_ms(&e), Some(264_000));
        assert_eq!(verdict_of(OracleName::Claim, &e), verdict, "{ended_ms}");
    }
}

#[test]
fn a_strike_counts_from_when_the_clients_see_it() {
    let e = killed(240, 262);
    assert_eq!(recovered_ms(&e), Some(266_000));
    assert_eq!(verdict_of(OracleName::Hold, &e), Verdict::Pass);
}

#[test]
fn a_permitted_error_soon_after_recovery_makes_no_claim_false() {
    for change in [|s: &mut Second| s.errors = 1, |s: &mut Second| s.slow = 38] {
        let mut e = good();
        change(&mut e.seconds[185]);
        assert_eq!(
            recovered_ms(&e),
            Some(186_000),
            "it is dated after the noise"
        );
        assert_eq!(verdict_of(OracleName::Claim, &e), Verdict::Pass);
    }
    // More than noise; and what was bad when recovery was claimed is none, however short.
    for bad in [182..186, 180..183] {
        let mut e = good();
        each(&mut e, bad, |s| s.errors = 1);
        assert_eq!(verdict_of(OracleName::Claim, &e), Verdict::Fail);
    }
}

#[test]
fn what_is_struck_too_late_to_recover_in_time_is_unsurvivable() {
    let struck = |kind| {
        let mut e = killed(447, 447);
        e.faults[0].kind = kind;
        each(&mut e, 447..455, |s| s.errors = 50);
        verdict_of(OracleName::Rto, &e)
    };
    assert_eq!(struck(FaultKind::PodsKilled), Verdict::Inconclusive);
    // Alarms strike nobody: the relapse is the recovery's own.
    assert_eq!(struck(FaultKind::ApiSlow), Verdict::Pass);
}

#[test]
fn a_strike_that_comes_late_because_the_step_is_late_excuses_nobody() {
    // Triggered at 150.4 s, so the objective ends at 450.4 s. The strike waits for a step that the executor reaches at
    // 447 s.
    let struck = |well: std::ops::Range<usize>| {
        let mut e = good();
        e.faults = vec![fault(FaultKind::PodsKilled, 447_000, 448_000)];
        each(&mut e, 180..460, |s| s.errors = 50);
        each(&mut e, well, |s| s.errors = 0);
        verdict_of(OracleName::Rto, &e)
    };
    assert_eq!(struck(0..0), Verdict::Fail);
    assert_eq!(struck(200..447), Verdict::Inconclusive);
}

#[test]
fn samples_that_come_late_excuse_no_more_than_their_delay() {
    let noticed = |kind, target: &str, delay_ms| {
        let mut e = good();
        each(&mut e, 180..310, |s| s.errors = 50);
        e.executor.trigger.as_mut().expect("one fired").at_ms = 300_400;
        e.faults = vec![InjectedFault {
            target: Some(target.to_owned()),
            delay_ms,
            ..fault(kind, 0, 800_000)
        }];
        verdict_of(OracleName::Detection, &e)
    };
    assert_eq!(
        noticed(FaultKind::MetricsStale, "gateway", 5_000),
        Verdict::Fail
    );
    assert_eq!(
        noticed(FaultKind::MetricsStale, "gateway", 60_000),
        Verdict::Pass
    );
    assert_eq!(
        noticed(FaultKind::Unreachable, "loki", 0),
        Verdict::Fail,
        "no trigger reads logs"
    );
    assert_eq!(
        noticed(FaultKind::Unreachable, "prometheus", 0),
        Verdict::Pass
    );
}

#[test]
fn good_luck_under_the_deployed_release_dates_no_recovery() {
    // Ten good seconds, and then the harm goes on until it is rolled back.
    let lucky = |until_ms| {
        let mut e = good();
        each(&mut e, 213..240, |s| s.errors = 50);
        e.deployed_served = vec![(95_000, until_ms)];
        e
    };
    let rolled_back = lucky(180_000);
    assert_eq!(recovered_ms(&rolled_back), Some(180_000));
    let serves = lucky(236_000);
    assert_eq!(recovered_ms(&serves), Some(240_000));
    // It comes back while the executor is at work, or once that has ended.
    for (ended_ms, recovered) in [
        (Some(229_000), 180_000),
        (Some(230_000), 261_000),
        (None, 261_000),
    ] {
        let mut back = good();
        back.executor.ended_ms = ended_ms;
        back.deployed_served = vec![(95_000, 170_000), (230_000, 270_500)];
        assert_eq!(recovered_ms(&back), Some(recovered), "{ended_ms:?}");
    }
    // What is gone by the end of the good seconds takes nothing from them.
    let gone = lucky(189_000);
    assert_eq!(recovered_ms(&gone), Some(180_000));
    // Where nothing is to be rolled back, it is meant to serve.
    let mut kept = lucky(900_000);
    kept.expect.path = crate::scenario::Path::None;
    assert_eq!(recovered_ms(&kept), Some(180_000));
    // Looks that are not one after the other are two times at which it served.
    let mut evidence = good();
    for (before, at) in [(1_000, 2_000), (2_000, 3_000), (7_000, 8_000)] {
        evidence.deployed_serves(before, at);
    }
    assert_eq!(evidence.deployed_served, [(2_000, 3_000), (8_000, 8_000)]);
}

#[test]
fn a_trigger_that_tells_of_the_harm_for_longer_may_move_the_claim() {
    let claimed = |at_ms, echo_ms| {
        let mut e = good();
        let name = e.executor.trigger.as_ref().expect("one fired").name.clone();
        e.echoes_ms = [(name, echo_ms), ("another".to_owned(), 900_000)].into();
        e.executor.recovered_ms = Some(at_ms);
        verdict_of(OracleName::Claim, &e)
    };
    assert_eq!(claimed(227_500, 75_000), Verdict::Pass);
    assert_eq!(claimed(227_500, 45_000), Verdict::Fail);
    assert_eq!(claimed(256_000, 75_000), Verdict::Fail);
    // One that tells of it for a moment takes nothing from what the proof may take anyway.
    assert_eq!(claimed(209_000, 0), Verdict::Pass);
}
