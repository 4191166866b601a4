//! What can go wrong with the pods and what they say: the faults in force, and how often each has hit.

use super::venue::Exchange;
use crate::database::DbFault;
use crate::time::Micros;

/// Gateways that run miss a change of the halt flag.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlagFault {
    /// How late they notice it; `None`: never.
    pub(super) delay: Option<Micros>,
    /// How many have missed one.
    pub(super) hits: u64,
}

/// The faults of the pods.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) flag: Option<FlagFault>,
    /// How many times risk pods have shown an anomaly that the books don't have; `None`: they say what is so.
    pub(super) alarm: Option<u64>,
    /// Before then no pod does anything by itself.
    pub(super) pods_still: Micros,
    /// Before then, in µs, no gateway works on a request.
    pub(super) gateways_still: u64,
    /// Requests that met a gateway that stood still.
    pub(super) held_up: u64,
}

impl Exchange {
    /// Fault of the database server: begins or ends; how often it has hit since it began.
    pub fn set_database_fault(&mut self, now: Micros, fault: DbFault, on: bool) -> u64 {
        self.catch_up(now);
        let hits = self.db.set_fault(fault, on);
        self.database_changed(now);
        hits
    }

    /// Fault: from now on every gateway that runs misses changes of the halt flag, for `delay` or for good.
    pub fn miss_flag(&mut self, delay: Option<Micros>) {
        self.faults.flag = Some(FlagFault { delay, hits: 0 });
    }

    /// Ends that fault: how many times a gateway has missed a change.
    pub fn heed_flag(&mut self) -> u64 {
        self.faults.flag.take().map_or(0, |fault| fault.hits)
    }

    /// Fault: from now on every risk pod shows one anomaly more than the books have.
    pub fn raise_alarm(&mut self, now: Micros) {
        self.catch_up(now);
        self.faults.alarm = Some(0);
    }

    /// Ends that fault: how often the anomaly was scraped.
    pub fn clear_alarm(&mut self, now: Micros) -> u64 {
        self.catch_up(now);
        self.faults.alarm.take().unwrap_or(0)
    }

    /// Fault: no gateway that runs works on a request before `until`. Requests are taken in and wait, as they do before a
    /// process that stands still: the node's kernel answers the connection.
    pub fn hold_up_gateways(&mut self, now: Micros, until: Micros) {
        self.catch_up(now);
        self.faults.gateways_still = self.faults.gateways_still.max(until.0);
        for index in &self.live_gateways {
            let gateway = &mut self.gateways[*index as usize];
            gateway.busy_until = gateway.busy_until.max(until.0);
        }
    }

    /// Fault: nothing happens inside any pod before `until`. What is in the network already arrives.
    pub fn stand_still(&mut self, now: Micros, until: Micros) {
        self.hold_up_gateways(now, until);
        self.faults.pods_still = self.faults.pods_still.max(until);
        self.engine_free = self.engine_free.max(until.0);
        self.find_next_hop();
    }

    /// How many requests have met a gateway that stood still, so far.
    pub fn held_up(&mut self, now: Micros) -> u64 {
        self.catch_up(now);
        self.faults.held_up
    }
}
