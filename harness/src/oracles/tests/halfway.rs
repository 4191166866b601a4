//! What is there, and what can be brought back, where a restore was given up.

use super::executor::escalated;
use super::{Case, verdict_of};
use crate::evidence::{Evidence, ExecutorOutcome, Recoverable};
use crate::oracles::ask_all;
use crate::oracles::finding::OracleName;
use crate::scenario::{Expected, Path};
use crate::verdict::Verdict;

/// A person was rightly called in the middle of a restore: of 50 acknowledged orders and trades, the snapshot holds 20.
fn escalated_while_restoring() -> Evidence {
    let mut e = escalated();
    e.expect.path = Path::Restore;
    e.executor.path = Path::Restore;
    let rest = Recoverable {
        orders: e.orders.present.split_off(20),
        trades: e.trades.present.split_off(20),
        ..Recoverable::default()
    };
    e.recoverable = Some(rest);
    e
}

#[test]
fn a_restore_that_was_given_up_loses_nothing_that_can_be_brought_back() {
    for finding in ask_all(&escalated_while_restoring()) {
        assert_eq!(finding.verdict(), Verdict::Pass, "{finding:?}");
    }
    fn kept(e: &mut Evidence) -> &mut Recoverable {
        e.recoverable.as_mut().expect("somebody looked")
    }
    let cases: [Case; 10] = [
        (
            "a trade that no replay makes",
            |e| kept(e).trades.truncate(29),
            OracleName::Trades,
            Verdict::Fail,
        ),
        (
            "a trade that comes back as another",
            |e| kept(e).trades[3].content += 1,
            OracleName::Trades,
            Verdict::Fail,
        ),
        (
            "a trade that the replay makes anew under its number",
            |e| {
                let mut again = e.trades.present[3];
                again.content += 1;
                kept(e).trades.push(again);
            },
            OracleName::Trades,
            Verdict::Fail,
        ),
        (
            "a trade that is in the ledger already",
            |e| {
                let there = e.trades.present[3];
                kept(e).trades.push(there);
            },
            OracleName::Trades,
            Verdict::Pass,
        ),
        (
            "an order in no log",
            |e| kept(e).orders.truncate(29),
            OracleName::Orders,
            Verdict::Fail,
        ),
        (
            "no log at all",
            |e| kept(e).orders.clear(),
            OracleName::Orders,
            Verdict::Fail,
        ),
        (
            "nobody looked for trades",
            |e| e.recoverable = None,
            OracleName::Trades,
            Verdict::Inconclusive,
        ),
        (
            "nobody looked for orders",
            |e| e.recoverable = None,
            OracleName::Orders,
            Verdict::Inconclusive,
        ),
        (
            "nobody looked, and what is there is wrong",
            |e| {
                e.recoverable = None;
                e.trades.present[3].content += 1;
            },
            OracleName::Trades,
            Verdict::Fail,
        ),
        (
            "nobody needed to look",
            |e| {
                let rest = e.recoverable.take().expect("somebody looked");
                e.trades.present.extend(rest.trades);
            },
            OracleName::Trades,
            Verdict::Pass,
        ),
    ];
    for (name, doctor, oracle, verdict) in cases {
        let mut e = escalated_while_restoring();
        doctor(&mut e);
        assert_eq!(verdict_of(oracle, &e), verdict, "{name}");
    }
    // What counts is what happened, not what was expected.
    let mut e = escalated_while_restoring();
    e.expect.outcome = Expected::Recovered;
    assert_eq!(verdict_of(OracleName::Trades, &e), Verdict::Pass);
    // Whoever claims recovery must have it in the ledger.
    let mut e = escalated_while_restoring();
    e.executor.outcome = ExecutorOutcome::Recovered;
    assert_eq!(verdict_of(OracleName::Trades, &e), Verdict::Fail);
    assert_eq!(verdict_of(OracleName::Orders, &e), Verdict::Fail);
}
