//! What can go wrong with the server: the faults in force, and how often each has hit.

use std::collections::BTreeMap;

use sim::time::Micros;

/// Something that is wrong with the database server for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DbFault {
    /// Undo scripts fail inside their transaction, which is rolled back.
    ScriptsFail,
    /// The server is down: sessions are cut, connections refused (57P03), and what ran is rolled back.
    Down,
    /// The pods' connections break and none can be made; everybody else's stay.
    CutOff,
}

/// The faults of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    in_force: BTreeMap<DbFault, u64>,
    /// How often a rewrite has waited for somebody else's locks.
    pub(super) lock_waits: u64,
    /// Until when sessions that were ended are there again at once.
    pub(super) sessions_until: Micros,
    /// How often an operation that needs the ledger to itself has met one.
    pub(super) session_waits: u64,
}

impl Faults {
    /// Begins or ends a fault; how often it has hit since it began.
    pub(super) fn set(&mut self, fault: DbFault, on: bool) -> u64 {
        if on {
            *self.in_force.entry(fault).or_default()
        } else {
            self.in_force.remove(&fault).unwrap_or(0)
        }
    }

    pub(super) fn in_force(&self, fault: DbFault) -> bool {
        self.in_force.contains_key(&fault)
    }

    /// Whether it is in force; if so, that is a hit.
    pub(super) fn hits(&mut self, fault: DbFault) -> bool {
        let hits = self.in_force.get_mut(&fault);
        hits.map(|hits| *hits += 1).is_some()
    }
}
