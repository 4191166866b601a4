//! Was every order in the log sent by a client, and is it there once?
//!
//! An order that a client holds an acknowledgement for is another oracle's. What is left must be one that a client sent
//! without learning what became of it; of equal ones there may be as many as were sent.

use std::collections::BTreeMap;

use crate::evidence::Evidence;
use crate::oracles::finding::PhantomsFinding;

/// Orders that nobody sent, and orders that are there more often than they were sent.
pub(super) fn check(evidence: &Evidence) -> PhantomsFinding {
    let mut sent: BTreeMap<u64, u64> = BTreeMap::new();
    for content in &evidence.unclaimed.unanswered {
        *sent.entry(*content).or_default() += 1;
    }
    let mut phantoms = 0;
    let mut example = None;
    for order in &evidence.unclaimed.present {
        match sent.get_mut(&order.content) {
            Some(left @ 1..) => *left -= 1,
            _ => {
                phantoms += 1;
                example.get_or_insert(order.id);
            }
        }
    }
    PhantomsFinding {
        acknowledged: evidence.orders.acknowledged.len() as u64,
        unclaimed: evidence.unclaimed.present.len() as u64,
        phantoms,
        example,
    }
}
