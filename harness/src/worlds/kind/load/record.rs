//! What the clients themselves saw: the drill is judged by this, not by what the exchange reports.

use std::ops::{Deref, DerefMut};

use dex::service::api::{OrderReply, OrderRequest};
use sim_exchange::database::order_content;

use super::super::ledger::entry;
use super::tally::Tally;
use crate::evidence::{BookEntry, Ms};

/// How a request ended for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Answered with 200.
    Ok(OrderReply),
    /// Answered with 400: refused on business grounds.
    Rejected,
    /// Answered with 503 marked as maintenance.
    Maintenance,
    /// Anything else, and no answer at all.
    Error(String),
}

/// Everything that the clients saw.
#[derive(Clone, Debug)]
pub(in crate::worlds::kind) struct Record {
    tally: Tally,
    /// Acknowledged orders.
    pub(in crate::worlds::kind) orders: Vec<BookEntry>,
    /// Acknowledged trades.
    pub(in crate::worlds::kind) trades: Vec<BookEntry>,
    /// Content of each order whose client learned neither that it was taken nor that it was refused.
    pub(in crate::worlds::kind) unanswered: Vec<u64>,
}

impl Deref for Record {
    type Target = Tally;

    fn deref(&self) -> &Tally {
        &self.tally
    }
}

impl DerefMut for Record {
    fn deref_mut(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

impl Record {
    pub(super) fn new(slow_ms: Ms) -> Self {
        Self {
            tally: Tally::new(slow_ms),
            orders: Vec::new(),
            trades: Vec::new(),
            unanswered: Vec::new(),
        }
    }

    /// A request ended at `at_us` after `took_us`.
    pub(super) fn add(&mut self, at_us: u64, took_us: u64, request: &OrderRequest, seen: Seen) {
        match seen {
            Seen::Ok(reply) => {
                self.tally.answered(at_us, took_us);
                // An order's id is new; that of a cancel is an older order's.
                if let (Some(_), Some(command)) = (request.place, request.command()) {
                    self.orders.push(BookEntry {
                        id: reply.order_id.0,
                        content: order_content(&command),
                    });
                }
                self.trades.extend(reply.trades.iter().map(entry));
            }
            Seen::Rejected => self.tally.answered(at_us, took_us),
            Seen::Maintenance => self.tally.second(at_us).maintenance += 1,
            Seen::Error(kind) => {
                self.tally.failed(at_us, took_us, kind);
                if let (Some(_), Some(command)) = (request.place, request.command()) {
                    self.unanswered.push(order_content(&command));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dex::Command;
    use dex::types::{AccountId, OrderId, Qty};

    use super::*;
    use crate::evidence::{HostSeen, Second};

    #[test]
    fn a_cancel_acknowledges_no_order_and_a_refusal_is_no_error() {
        let mut record = Record::new(100);
        let cancel = Command::Cancel {
            account: AccountId(1),
            order: OrderId(5),
        };
        let request = OrderRequest::new(9, &cancel);
        let reply = OrderReply {
            order_id: OrderId(5),
            filled: Qty(0),
            resting: Qty(0),
            trades: Vec::new(),
        };
        record.add(1_500_000, 2_000, &request, Seen::Ok(reply));
        record.add(1_600_000, 200_000, &request, Seen::Maintenance);
        record.add(2_100_000, 200_000, &request, Seen::Error("x".to_owned()));
        assert!(record.orders.is_empty() && record.trades.is_empty());
        let second = |answered, maintenance, errors, slow| Second {
            answered,
            maintenance,
            errors,
            slow,
        };
        assert_eq!(
            record.seconds,
            [second(0, 0, 0, 0), second(1, 1, 0, 0), second(0, 0, 1, 1)]
        );
        assert_eq!(record.errors["x"], (1, 2_100, 2_100));
        for (at_us, late_us) in [
            (3_000_000, 250_000),
            (4_000_000, 800_999),
            (5_000_000, 260_000),
        ] {
            record.sent(at_us, late_us);
        }
        let host = HostSeen {
            sent: 3,
            late: 2,
            worst_ms: 800,
            delays: vec![(3_199, 4_000), (4_740, 5_000)],
            ..HostSeen::default()
        };
        assert_eq!(record.host, host);
    }
}
