//! Who is connected to the ledger in use: the exchange's sessions, and transactions of others with their locks.

use std::collections::BTreeMap;

use sim::time::Micros;

/// Everybody who is connected to the ledger in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients {
    /// Sessions of the exchange's role: by pod UID, how many.
    sessions: BTreeMap<String, u32>,
    /// Until when each transaction of somebody else holds locks on the ledger's tables.
    transactions: Vec<Micros>,
}

impl Clients {
    /// Sessions of the exchange.
    pub(super) fn sessions(&self) -> u32 {
        self.sessions.values().sum()
    }

    pub(super) fn connect(&mut self, uid: &str, count: u32) {
        self.sessions.insert(uid.to_owned(), count);
    }

    pub(super) fn disconnect(&mut self, uid: &str) {
        self.sessions.remove(uid);
    }

    pub(super) fn connected(&self, uid: &str) -> bool {
        self.sessions.contains_key(uid)
    }

    /// Somebody's transaction takes locks until `until`.
    pub(super) fn hold_locks(&mut self, until: Micros) {
        self.transactions.push(until);
    }

    /// When the last lock of somebody else is released; `now` if there is none.
    pub(super) fn locks_free_at(&mut self, now: Micros) -> Micros {
        self.transactions.retain(|until| *until > now);
        self.transactions.iter().copied().fold(now, Micros::max)
    }

    /// `pg_terminate_backend` for every session of the exchange's role; how many there were.
    pub(super) fn end_sessions(&mut self) -> u32 {
        let count = self.sessions();
        self.sessions.clear();
        count
    }

    /// `pg_terminate_backend` for every client of the ledger, the exchange or not:
    /// what needs the ledger to itself begins so.
    pub(super) fn end_all(&mut self) {
        self.transactions.clear();
        self.sessions.clear();
    }
}
