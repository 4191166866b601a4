//! The exchange as an application of the simulated world.

use std::collections::BTreeMap;

use super::SimulatedExchange;
use crate::config::ExchangeConfig;
use crate::database::{DbOp, DbReply};
use crate::measured::Measured;
use crate::pod::Role;
use contract::ledger::DatabaseError;
use dex::release::NAMESPACE;
use sim::application::{Application, NothingListens, PodLogLine};
use sim::cluster::Timings;
use sim::measured::Distribution;
use sim::observe::SampleSink;
use sim::time::Micros;

impl Application for SimulatedExchange {
    type Config = ExchangeConfig;
    type Operation = DbOp;

    fn new(config: ExchangeConfig, seed: u64) -> Self {
        Self::with_ledger(config, seed)
    }

    fn namespaces(_: &ExchangeConfig) -> Vec<String> {
        vec![NAMESPACE.to_owned()]
    }

    /// A pod's start takes as long as its volumes take.
    fn sandboxes(_: &ExchangeConfig) -> BTreeMap<String, Distribution> {
        let measured = Measured::built_in().process.iter();
        let sandboxes = measured.map(|(service, it)| {
            let sandbox = Timings::sandbox_of_start(it.up.distribution);
            (service.clone(), sandbox)
        });
        sandboxes.collect()
    }

    /// When something happens inside a pod that is not traffic, with which it catches up lazily.
    fn next_at(&self) -> Option<Micros> {
        self.event_queue
            .next_at()
            .map(|at| at.max(self.faults.pods_still))
    }

    fn advance(&mut self, now: Micros) {
        self.catch_up(now);
    }

    /// What is in the network already arrives.
    fn stand_still(&mut self, now: Micros, until: Micros) {
        self.hold_up_gateways(now, until);
        self.faults.pods_still = self.faults.pods_still.max(until);
        self.engine_free = self.engine_free.max(until.0);
        self.find_next_hop();
    }

    fn held_up(&mut self, now: Micros) -> u64 {
        self.catch_up(now);
        self.faults.held_up
    }

    fn scrape(
        &mut self,
        now: Micros,
        uid: &str,
        sink: &mut dyn SampleSink,
    ) -> Result<(), NothingListens> {
        self.catch_up(now);
        let index = self.running(uid).ok_or(NothingListens)?;
        if matches!(self.pods[index].role, Role::Broken) {
            return Err(NothingListens);
        }
        if matches!(self.pods[index].role, Role::Risk(_)) {
            self.faults
                .alarms
                .values_mut()
                .for_each(|shown| *shown += 1);
        }
        self.expose(index, sink);
        Ok(())
    }

    fn take_logs(&mut self) -> Vec<PodLogLine> {
        std::mem::take(&mut self.outbox)
    }

    fn digest(&self) -> u64 {
        let mut z = self.digest ^ self.happenings;
        z = (z ^ (z >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        z ^ (z >> 32)
    }

    fn begin(&mut self, now: Micros, operation: &DbOp) -> Result<Micros, DatabaseError> {
        self.catch_up(now);
        let begun = self.db.begin(now, operation);
        self.database_changed(now);
        begun
    }

    fn finish(&mut self, now: Micros, operation: &DbOp) -> Result<DbReply, DatabaseError> {
        self.catch_up(now);
        let done = self.db.finish(now, operation);
        self.database_changed(now);
        let position = self.db.ledger().position();
        self.fold(&[
            now.0,
            position.log_seq,
            position.trades,
            u64::from(done.is_ok()),
        ]);
        done
    }

    fn fence(&self) -> Option<u64> {
        self.db.ledger().fence()
    }
}
