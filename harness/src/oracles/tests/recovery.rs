//! When the exchange recovered, and whether that lasted.

use super::{Case, good};
use crate::evidence::Second;
use crate::oracles::ask_all;
use crate::oracles::recovery::{first_harm_ms, recovered_ms};
use crate::verdict::Verdict;

/// Evidence that these oracles must see through.
pub(super) fn cases() -> Vec<Case> {
    use Verdict::{Fail, Inconclusive};
    vec![
        (
            "recovered too late",
            |e| e.seconds[455].errors = 50,
            "rto",
            Fail,
        ),
        (
            "never recovered",
            |e| e.seconds[899].errors = 50,
            "rto",
            Fail,
        ),
        (
            "slow for too long",
            |e| e.seconds[180..460].iter_mut().for_each(|s| s.slow = 3),
            "rto",
            Fail,
        ),
        (
            "halted for too long",
            |e| e.seconds[455].maintenance = 1,
            "rto",
            Fail,
        ),
        (
            "broken for too long",
            |e| e.probes[46].violations.push("x".into()),
            "rto",
            Fail,
        ),
        ("a late look only", |e| e.probes.truncate(10), "rto", Fail),
        (
            "too few requests",
            |e| e.seconds.truncate(300),
            "error-rate",
            Inconclusive,
        ),
        (
            "no recovery",
            |e| e.seconds[899].errors = 50,
            "error-rate",
            Fail,
        ),
        (
            "broken at the end",
            |e| e.probes[90].violations.push("x".into()),
            "invariants",
            Fail,
        ),
        (
            "nobody looked at the end",
            |e| e.probes.truncate(80),
            "invariants",
            Inconclusive,
        ),
        (
            "too short a hold",
            |e| e.end_ms = 200_000,
            "hold",
            Inconclusive,
        ),
        ("a relapse", |e| e.seconds[400].errors = 50, "hold", Fail),
    ]
}

#[test]
fn recovery_is_where_the_clients_saw_it() {
    assert_eq!(recovered_ms(&good()), Some(180_000));
    // The first ten seconds in which more than one request in a hundred is slow.
    assert_eq!(first_harm_ms(&good()), Some(91_000));
}

#[test]
fn a_single_late_error_is_within_the_bound_and_an_early_one_is_not() {
    let mut late = good();
    late.seconds[400].errors = 1;
    assert_eq!(recovered_ms(&late), Some(180_000));
    let mut early = good();
    early.seconds[190].errors = 1;
    assert_eq!(recovered_ms(&early), Some(191_000));
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
    assert!(ask_all(&e).iter().all(|f| f.verdict == Verdict::Pass));
}
