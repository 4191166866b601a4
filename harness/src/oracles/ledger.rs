//! Is the ledger at the end, entry by entry, what the prior release's engine makes of the snapshot and the order log?
//!
//! Sums can be right and accounts wrong: a settlement that credits somebody else, a fee on the wrong side, a log that
//! was replayed in another order, entries that were acknowledged and that the replay refused.

use std::cmp::Ordering;

use crate::evidence::{BookEntry, Evidence, ExecutorOutcome, Reckoning, Slot};
use crate::oracles::finding::LedgerFinding;

/// Found against expected; entries that the engine refuses count as lost, whatever stands in the ledger.
pub(super) fn check(evidence: &Evidence) -> LedgerFinding {
    let Some(reckoning) = &evidence.reckoning else {
        return LedgerFinding::Unread;
    };
    let Reckoning {
        as_of,
        found,
        expected,
        refused,
    } = reckoning;
    if expected.rows.is_empty() {
        return LedgerFinding::Unread;
    }
    let compared = (expected.rows.len() + expected.trades.len()) as u64;
    let mut differences = 0;
    let mut first = None;
    let pairs = |(slot, number): &(Slot, i64)| (*slot, *number);
    let mut note = |what: String| {
        differences += 1;
        first.get_or_insert(what);
    };
    differing(&expected.rows, &found.rows, pairs, |slot, wanted, there| {
        note(row(slot, wanted, there));
    });
    let trade = |trade: &BookEntry| (trade.id, trade.content);
    differing(
        &expected.trades,
        &found.trades,
        trade,
        |id, wanted, there| {
            note(match (wanted, there) {
                (Some(_), None) => format!("trade {id} is not there"),
                (None, Some(_)) => format!("trade {id} should not be there"),
                _ => format!("trade {id} has another content"),
            });
        },
    );
    if differences == 0 && refused.is_empty() {
        return LedgerFinding::Equal {
            compared,
            as_of: *as_of,
        };
    }
    LedgerFinding::Differs {
        differences,
        compared,
        as_of: *as_of,
        refused: refused.len() as u64,
        first,
        claimed: evidence.executor.outcome == ExecutorOutcome::Recovered,
    }
}

fn row(slot: Slot, wanted: Option<i64>, there: Option<i64>) -> String {
    match (slot, wanted, there) {
        (Slot::Order(_), Some(_), None) => format!("{slot} is not there"),
        (Slot::Order(_), None, Some(_)) => format!("{slot} should not be there"),
        (Slot::Order(_), ..) => format!("{slot} has another content"),
        (_, Some(wanted), Some(there)) => format!("{slot} is {there} instead of {wanted}"),
        (_, Some(wanted), None) => format!("{slot} is missing, and should be {wanted}"),
        (_, None, there) => format!("{slot} is {}, and should not exist", there.unwrap_or(0)),
    }
}

/// Tells `note` of each key whose values differ in two lists that ascend by it. A key that is there twice has no
/// partner the second time.
fn differing<T, K: Ord + Copy, V: PartialEq>(
    wanted: &[T],
    found: &[T],
    of: impl Fn(&T) -> (K, V),
    mut note: impl FnMut(K, Option<V>, Option<V>),
) {
    let (mut wanted, mut found) = (wanted.iter().peekable(), found.iter().peekable());
    loop {
        let order = match (wanted.peek(), found.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => of(one).0.cmp(&of(other).0),
        };
        let one = order.is_le().then(|| wanted.next()).flatten().map(&of);
        let other = order.is_ge().then(|| found.next()).flatten().map(&of);
        match (one, other) {
            (Some((_, one)), Some((_, other))) if one == other => {}
            (Some((key, one)), other) => note(key, Some(one), other.map(|(_, value)| value)),
            (None, Some((key, other))) => note(key, None, Some(other)),
            (None, None) => {}
        }
    }
}
