//! What the ledger holds against what the order log gives, orders that nobody sent, and who wrote.

use super::Case;
use crate::evidence::{
    BookEntry, Evidence, ExecutorOutcome, LedgerState, LedgerWrite, PodLog, Reckoning, Slot,
    Unclaimed, WriteSeen, Wrote,
};
use crate::oracles::finding::OracleName;
use crate::verdict::Verdict;

/// What a good drill leaves: two accounts whose numbers are right, an order whose answer was lost,
/// and two hosts one after the other.
pub(super) fn fill(e: &mut Evidence) {
    let state = LedgerState {
        rows: vec![
            (Slot::Applied, 60),
            (
                Slot::Free {
                    account: 0,
                    asset: 0,
                },
                1_000,
            ),
            (
                Slot::Free {
                    account: 1,
                    asset: 0,
                },
                2_000,
            ),
            (
                Slot::Locked {
                    account: 1,
                    asset: 0,
                },
                0,
            ),
            (Slot::Fees(0), 5),
            (Slot::Order(40), 77),
        ],
        trades: (1..=9).map(|id| BookEntry { id, content: id }).collect(),
    };
    e.reckoning = Some(Reckoning {
        as_of: 60,
        found: state.clone(),
        expected: state,
        refused: Vec::new(),
    });
    e.unclaimed = Unclaimed {
        present: vec![BookEntry { id: 61, content: 4 }],
        unanswered: vec![3, 4],
    };
    let ledger = |operation, token, fence| Wrote::Ledger {
        operation,
        token,
        fence,
    };
    let lease = |token, lasts_ms| Wrote::Lease { token, lasts_ms };
    for service in ["gateway", "matching", "risk"] {
        e.bad_logs.push(PodLog {
            service: service.to_owned(),
            pod: format!("{service}-0"),
            uid: format!("{service}-0"),
            seen_until_ms: 151_000,
            lines: vec!["up".to_owned()],
        });
    }
    e.writes = Some(vec![
        write("a", 150_500, lease(1, 20_000)),
        write(
            "a",
            151_000,
            object("PATCH /api/v1/namespaces/dex-production/configmaps/dex-trading"),
        ),
        write(
            "a",
            151_500,
            object("PATCH /apis/apps/v1/namespaces/dex-production/deployments/gateway"),
        ),
        write("a", 152_000, ledger(LedgerWrite::Fence, 1, None)),
        write("b", 173_000, lease(2, 20_000)),
        write("b", 174_000, ledger(LedgerWrite::Undo, 2, Some(1))),
        write("b", 175_000, ledger(LedgerWrite::Unfence, 2, Some(2))),
        write("b", 176_000, lease(2, 0)),
    ]);
}

fn write(host: &str, at_ms: u64, what: Wrote) -> WriteSeen {
    WriteSeen {
        host: host.to_owned(),
        number: at_ms,
        sent_ms: at_ms - 2,
        at_ms,
        what,
    }
}

/// Another host writes the lease for `lasts_ms`, while the first one holds it.
fn written_by_another(e: &mut Evidence, lasts_ms: u64) {
    let writes = writes(e);
    writes.truncate(1);
    let at_ms = writes[0].at_ms + 5_000;
    writes.push(write("b", at_ms, Wrote::Lease { token: 7, lasts_ms }));
}

/// A write that host `a` sent under its lease takes effect once host `b` has taken that.
fn overtaken(e: &mut Evidence, at_ms: u64) {
    let mut late = write("a", at_ms, object("PATCH /configmaps/rollback-journal"));
    late.sent_ms = 152_000;
    let writes = writes(e);
    let after = writes.partition_point(|it| it.at_ms < at_ms);
    writes.insert(after, late);
}

fn object(request: &str) -> Wrote {
    Wrote::Object {
        request: request.to_owned(),
        flag: None,
    }
}

fn found(e: &mut Evidence) -> &mut LedgerState {
    &mut e.reckoning.as_mut().expect("read").found
}

fn writes(e: &mut Evidence) -> &mut Vec<WriteSeen> {
    e.writes.as_mut().expect("recorded")
}

/// Evidence that these oracles must see through.
pub(super) fn cases() -> Vec<Case> {
    use Verdict::{Fail, Inconclusive, Pass};
    let mut all: Vec<Case> = vec![
        (
            "ten units are another account's: every sum is right",
            |e| {
                found(e).rows[1].1 -= 10;
                found(e).rows[2].1 += 10;
            },
            OracleName::Ledger,
            Fail,
        ),
        (
            "a fee is a unit too high",
            |e| found(e).rows[4].1 += 1,
            OracleName::Ledger,
            Fail,
        ),
        (
            "an order rests that should not",
            |e| found(e).rows.push((Slot::Order(41), 1)),
            OracleName::Ledger,
            Fail,
        ),
        (
            "a trade has another fee",
            |e| found(e).trades[3].content += 1,
            OracleName::Ledger,
            Fail,
        ),
        (
            "a trade is there twice",
            |e| {
                let trade = found(e).trades[3];
                found(e).trades.insert(3, trade);
            },
            OracleName::Ledger,
            Fail,
        ),
        (
            "an acknowledged entry is refused by the replay",
            |e| e.reckoning.as_mut().expect("read").refused.push(33),
            OracleName::Ledger,
            Fail,
        ),
        (
            "nobody could read the ledger",
            |e| e.reckoning = None,
            OracleName::Ledger,
            Inconclusive,
        ),
        (
            "an order that nobody sent",
            |e| e.unclaimed.present.push(BookEntry { id: 62, content: 9 }),
            OracleName::Phantoms,
            Fail,
        ),
        (
            "an order that was sent once is there twice",
            |e| e.unclaimed.present.push(BookEntry { id: 62, content: 4 }),
            OracleName::Phantoms,
            Fail,
        ),
        (
            "nobody knows of any order",
            |e| {
                e.orders.acknowledged.clear();
                e.unclaimed = Unclaimed::default();
            },
            OracleName::Phantoms,
            Inconclusive,
        ),
    ];
    all.extend(writers(Fail, Pass));
    all.extend(logs(Fail, Pass));
    all
}

fn writers(fail: Verdict, pass: Verdict) -> Vec<Case> {
    vec![
        (
            "a host that was superseded goes on",
            |e| {
                let late = write("a", 174_500, object("PATCH /deployments/gateway"));
                writes(e).insert(6, late);
            },
            OracleName::Writers,
            fail,
        ),
        (
            "what was under way when the lease ran out takes effect before the next holder has written",
            |e| overtaken(e, 173_500),
            OracleName::Writers,
            pass,
        ),
        (
            "what was under way when the lease ran out takes effect after the next holder has written",
            |e| overtaken(e, 174_500),
            OracleName::Writers,
            fail,
        ),
        (
            "a host takes back the lease with its old token",
            |e| {
                let late = Wrote::Lease {
                    token: 1,
                    lasts_ms: 20_000,
                };
                writes(e).insert(6, write("a", 174_500, late));
            },
            OracleName::Writers,
            fail,
        ),
        (
            "a host takes the lease while another one holds it",
            |e| written_by_another(e, 20_000),
            OracleName::Writers,
            fail,
        ),
        (
            "a host gives up a lease that is another one's",
            |e| written_by_another(e, 0),
            OracleName::Writers,
            fail,
        ),
        (
            "a host goes on with a lease that nobody else has taken yet",
            |e| {
                let late = write("a", 171_000, object("PATCH /deployments/gateway"));
                writes(e).insert(4, late);
            },
            OracleName::Writers,
            fail,
        ),
        (
            "a host never asked for the lease",
            |e| {
                let other = write("c", 176_500, object("PATCH /deployments/gateway"));
                writes(e).push(other);
            },
            OracleName::Writers,
            fail,
        ),
        (
            "a host goes on after it gave the lease up",
            |e| {
                let late = write("b", 178_000, object("PATCH /deployments/gateway"));
                writes(e).push(late);
            },
            OracleName::Writers,
            fail,
        ),
        (
            "what was under way when the lease was given up takes effect later",
            |e| {
                let mut late = write("b", 177_000, object("PATCH /deployments/gateway"));
                late.sent_ms = 175_500;
                writes(e).push(late);
            },
            OracleName::Writers,
            pass,
        ),
        (
            "the ledger is given another token than the lease's",
            |e| {
                if let Wrote::Ledger { token, .. } = &mut writes(e)[5].what {
                    *token = 9;
                }
            },
            OracleName::Writers,
            fail,
        ),
        (
            "the ledger is rewritten while the exchange can write",
            |e| {
                if let Wrote::Ledger { fence, .. } = &mut writes(e)[5].what {
                    *fence = None;
                }
            },
            OracleName::Writers,
            fail,
        ),
    ]
}

fn logs(fail: Verdict, pass: Verdict) -> Vec<Case> {
    vec![
        (
            "a pod had written more than is kept",
            |e| e.bad_logs[0].lines.push("down".to_owned()),
            OracleName::Files,
            fail,
        ),
        (
            "and the host that should have read it had died",
            |e| {
                e.bad_logs[0].lines.push("down".to_owned());
                e.crash_ms = Some(Some(150_450));
            },
            OracleName::Files,
            pass,
        ),
        (
            "and the host died once it had changed something",
            |e| {
                e.bad_logs[0].lines.push("down".to_owned());
                e.crash_ms = Some(Some(300_000));
            },
            OracleName::Files,
            fail,
        ),
        (
            "a person is paged, and a pod's log is not kept",
            |e| {
                e.executor.outcome = ExecutorOutcome::Escalated("x".to_owned());
                e.bad_logs[1].pod = "matching-1".to_owned();
            },
            OracleName::Files,
            fail,
        ),
        (
            "a pod was gone before anything was changed",
            |e| {
                e.bad_logs[1].pod = "matching-1".to_owned();
                e.bad_logs[1].seen_until_ms = 149_000;
            },
            OracleName::Files,
            pass,
        ),
    ]
}
