//! Whether the drill may be judged at all: the host, the steady state before, the fault.

use super::{Case, GOOD_SECOND, finding_of, good, verdict_of};
use crate::evidence::{Contention, Evidence, FaultSeen, HostSeen, Second, Share};
use crate::oracles::ask_all;
use crate::verdict::{Survivability, Verdict, judge};

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
                    last_ms: 170_000,
                    ..HostSeen::default()
                });
            },
            "host",
            Inconclusive,
        ),
        (
            "clients that sent nothing",
            |e| e.host = Some(HostSeen::default()),
            "host",
            Inconclusive,
        ),
        (
            "errors in the warm-up",
            |e| e.seconds[30].errors = 5,
            "steady-state",
            Inconclusive,
        ),
        (
            "slow in the warm-up",
            |e| e.seconds[20..40].iter_mut().for_each(|s| s.slow = 100),
            "steady-state",
            Inconclusive,
        ),
        (
            "halted in the warm-up",
            |e| e.seconds[30].maintenance = 1,
            "steady-state",
            Inconclusive,
        ),
        (
            "broken in the warm-up",
            |e| e.probes[2].violations.push("x".into()),
            "steady-state",
            Inconclusive,
        ),
        (
            "no traffic at all",
            |e| e.seconds = vec![Second::default(); 900],
            "steady-state",
            Inconclusive,
        ),
        (
            "nobody looked",
            |e| e.probes.clear(),
            "steady-state",
            Inconclusive,
        ),
        (
            "never deployed",
            |e| e.deployed_ms = None,
            "fault-fired",
            Inconclusive,
        ),
        (
            "never ran",
            |e| e.deployed_build_seen = false,
            "fault-fired",
            Inconclusive,
        ),
        (
            "no harm",
            |e| e.seconds = vec![GOOD_SECOND; 900],
            "fault-fired",
            Inconclusive,
        ),
    ]
}

#[test]
fn a_late_request_in_ten_thousand_decides_nothing_and_a_starved_host_fails_nobody() {
    let host = |late| {
        let mut e = good();
        e.host = Some(HostSeen {
            sent: 20_000,
            late,
            worst_ms: 900,
            last_ms: 200_000,
            ..HostSeen::default()
        });
        // What the clients saw of it, and what an executor would be blamed for.
        e.seconds[455].errors = 50;
        e
    };
    assert_eq!(verdict_of("host", &host(2)), Verdict::Pass);
    let starved = host(3);
    assert_eq!(verdict_of("host", &starved), Verdict::Inconclusive);
    let judged = |e: &Evidence| judge(&ask_all(e), Survivability::Survivable).overall;
    assert_eq!(judged(&host(2)), Verdict::Fail);
    assert_eq!(judged(&starved), Verdict::Inconclusive);
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
        let found = finding_of("host", &e);
        assert_eq!(found.verdict, Verdict::Pass);
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
        assert_eq!(told(nothing, nothing).reason, quiet);
    }
    let found = told(share(42, 310, 123_000), share(350, 980, 200_000));
    assert_eq!(
        found.reason,
        format!(
            "{quiet}; its hypervisor gave 4.2% of its CPU time to other machines, 31.0% in the second before 2m 03s; processes waited for a CPU in 35.0% of the time, 98.0% in the second before 3m 20s"
        )
    );
    assert_eq!(found.numbers["stolen_worst_permille"], 310);
    assert_eq!(found.numbers["waited_worst_ms"], 200_000);
    let found = told(None, share(350, 980, 200_000));
    assert!(!found.reason.contains("hypervisor"), "{}", found.reason);
}

#[test]
fn a_fault_that_hit_nothing_makes_a_drill_inconclusive() {
    let seen = |began_ms, hits| FaultSeen {
        what: "api-slow".to_owned(),
        blocks: false,
        began_ms,
        ended_ms: began_ms,
        hits,
    };
    let mut e = good();
    e.faults = vec![seen(Some(151_000), 3)];
    assert_eq!(verdict_of("fault-fired", &e), Verdict::Pass);
    e.faults.push(seen(Some(152_000), 0));
    assert_eq!(verdict_of("fault-fired", &e), Verdict::Inconclusive);
    e.faults[1] = seen(None, 0);
    assert_eq!(verdict_of("fault-fired", &e), Verdict::Inconclusive);
}
