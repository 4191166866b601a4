//! What the clients themselves saw: the drill is judged by this, not by what the exchange reports.

use std::collections::BTreeMap;

use dex::service::api::{OrderReply, OrderRequest};
use sim_exchange::database::order_content;

use super::super::ledger::entry;
use crate::evidence::{
    BookEntry, Contention, HostSeen, LATE_MS, Ms, STILL_MS, STOLEN_PERMILLE, Second,
};

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
    /// Beyond that a request was slow, in µs.
    slow_us: u64,
    /// One entry for each second since the drill began, by when clients learned it.
    pub(in crate::worlds::kind) seconds: Vec<Second>,
    /// Acknowledged orders.
    pub(in crate::worlds::kind) orders: Vec<BookEntry>,
    /// Acknowledged trades.
    pub(in crate::worlds::kind) trades: Vec<BookEntry>,
    /// Content of each order whose client learned neither that it was taken nor that it was refused.
    pub(in crate::worlds::kind) unanswered: Vec<u64>,
    /// Errors by kind: how many, the first and the last, in ms of the drill.
    pub(in crate::worlds::kind) errors: BTreeMap<String, (u64, Ms, Ms)>,
    /// How punctual the clients themselves were.
    pub(in crate::worlds::kind) host: HostSeen,
}

impl Record {
    pub(super) fn new(slow_ms: Ms) -> Self {
        Self {
            slow_us: slow_ms * 1_000,
            seconds: Vec::new(),
            orders: Vec::new(),
            trades: Vec::new(),
            unanswered: Vec::new(),
            errors: BTreeMap::new(),
            host: HostSeen::default(),
        }
    }

    /// The clients sent a request at `at_us`, which was due `late_us` earlier.
    pub(super) fn sent(&mut self, at_us: u64, late_us: u64) {
        self.host.sent += 1;
        if late_us > LATE_MS * 1_000 {
            self.host.late += 1;
            self.host.worst_ms = self.host.worst_ms.max(late_us / 1_000);
            let (due_ms, at_ms) = (at_us.saturating_sub(late_us) / 1_000, at_us / 1_000);
            self.host.was_late(due_ms, at_ms);
            if late_us >= STILL_MS * 1_000 {
                self.host.stood_still(due_ms, at_ms);
            }
        }
    }

    /// What CPU time the host did not get so far, and in the second that ended at `at_us`: the share of it that was
    /// stolen, in thousandths.
    pub(super) fn machine(&mut self, at_us: u64, contention: Contention, stolen: Option<u64>) {
        self.host.contention = contention;
        if stolen.is_some_and(|permille| permille >= STOLEN_PERMILLE) {
            let at_ms = at_us / 1_000;
            self.host.stood_still(at_ms.saturating_sub(1_000), at_ms);
        }
    }

    /// A request ended at `at_us` after `took_us`.
    pub(super) fn add(&mut self, at_us: u64, took_us: u64, request: &OrderRequest, seen: Seen) {
        let second = usize::try_from(at_us / 1_000_000).unwrap_or(usize::MAX);
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Second::default());
        }
        let bucket = &mut self.seconds[second];
        let slow = u32::from(took_us > self.slow_us);
        match seen {
            Seen::Ok(reply) => {
                bucket.answered += 1;
                bucket.slow += slow;
                // An order's id is new; that of a cancel is an older order's.
                if let (Some(_), Some(command)) = (request.place, request.command()) {
                    self.orders.push(BookEntry {
                        id: reply.order_id.0,
                        content: order_content(&command),
                    });
                }
                self.trades.extend(reply.trades.iter().map(entry));
            }
            Seen::Rejected => {
                bucket.answered += 1;
                bucket.slow += slow;
            }
            Seen::Maintenance => bucket.maintenance += 1,
            Seen::Error(kind) => {
                bucket.errors += 1;
                bucket.slow += slow;
                if let (Some(_), Some(command)) = (request.place, request.command()) {
                    self.unanswered.push(order_content(&command));
                }
                let at = at_us / 1_000;
                let errors = self.errors.entry(kind).or_insert((0, at, at));
                errors.0 += 1;
                errors.2 = at;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dex::Command;
    use dex::types::{AccountId, OrderId, Qty};

    use super::*;

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

    #[test]
    fn a_host_that_stood_still_is_known_by_late_requests_and_by_stolen_seconds() {
        let mut record = Record::new(100);
        // Two requests that were due while nothing ran, and one that was late for less.
        record.sent(5_000_000, 1_500_000);
        record.sent(5_000_100, 1_000_000);
        record.sent(9_000_000, 999_999);
        let nothing = Contention::default();
        record.machine(20_000_000, nothing, Some(499));
        record.machine(21_000_000, nothing, Some(500));
        record.machine(22_000_000, nothing, None);
        assert_eq!(record.host.stalls, [(3_500, 5_000), (20_000, 21_000)]);
    }
}
