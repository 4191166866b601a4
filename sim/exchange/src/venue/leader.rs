//! The matching engine that leads: how it loads the ledger, follows the database, writes, and hands over.

use std::sync::Arc;

use dex::command::{Event, Failure};
use dex::exchange::Exchange as Core;
use dex::order_log::replay_into;
use dex::release::Build;
use dex::rows;
use dex::types::Seq;
use dex::with_causes;

use super::{Due, SimulatedExchange};
use crate::database::{TradeRow, trade_content};
use crate::pod::{Answer, Hop, Role};
use sim::time::Micros;

/// A state that the leader has computed and not yet written, because it may not.
#[derive(Clone, Debug)]
struct Unwritten {
    /// The state tables that it was computed from.
    loaded: Arc<Core>,
    state: Box<Core>,
    events: Vec<Event>,
    trades: Vec<TradeRow>,
    /// Entries of the tail that its build refused, though they were accepted once and acknowledged.
    refused: Vec<Seq>,
}

/// The matching pod that leads.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    pub(super) pod: usize,
    /// It has a session, may write, and its state is the database's.
    pub(super) in_step: bool,
    /// What of the database it has loaded.
    generation: u64,
    unwritten: Option<Unwritten>,
    /// Executed since it leads.
    pub(super) orders: u64,
    pub(super) trades: u64,
}

impl Leader {
    /// Trades that it has replayed and not yet written.
    pub(super) fn unwritten_trades(&self) -> &[TradeRow] {
        self.unwritten.as_ref().map_or(&[], |u| &u.trades)
    }
}

/// Whether the leader can execute a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    Refused(Answer, &'static str),
}

impl SimulatedExchange {
    /// The ledger as `build` loads it in process `instance`: rows, then the order log's tail.
    fn load(&self, build: &Build, instance: u64) -> Result<Unwritten, rows::DecodeError> {
        let ledger = self.db.ledger();
        let mut state = rows::decode(build, &rows::encode(ledger.schema(), ledger.state()))?;
        if state.undecodable().is_empty() {
            state = state.under(*build, instance);
        }
        let tail = ledger.log().after(state.seq());
        let mut events = Vec::with_capacity(tail.len() * 3);
        let (state, refused) = replay_into(state, tail, &mut events);
        let trades = events
            .iter()
            .filter_map(|event| match event {
                Event::Trade(trade) => Some(TradeRow {
                    id: trade.id.0,
                    content: trade_content(trade),
                }),
                _ => None,
            })
            .collect();
        Ok(Unwritten {
            loaded: Arc::new(ledger.state().clone()),
            state: Box::new(state),
            events,
            trades,
            refused,
        })
    }

    /// The pod says what its replay refused: in its log, and as an anomaly of the books.
    fn tell_refused(&mut self, at: Micros, pod: usize, loaded: &Unwritten) {
        let Some(first) = loaded.refused.first() else {
            return;
        };
        let refused = loaded.refused.len();
        if let Role::Matching(state) = &mut self.pods[pod].role {
            // The same tail may be loaded again before it is written.
            state.refused = state.refused.max(refused as u64);
        }
        let text = format!(
            "the replay refused {refused} acknowledged entries of the order log, the first is {first}"
        );
        self.log(pod, at, "error", text);
    }

    /// Whether `pod`'s build can read the ledger's rows; the error chain as the process would log it.
    pub(super) fn check_rows(&self, build: &Build) -> Result<(), String> {
        let ledger = self.db.ledger();
        if build.schema == ledger.schema() {
            return Ok(());
        }
        rows::decode(build, &rows::encode(ledger.schema(), ledger.state()))
            .map(|_| ())
            .map_err(|error| with_causes(&error))
    }

    /// A matching pod takes the lead.
    pub(super) fn take_lead(&mut self, at: Micros, pod: usize) {
        let (Some(build), instance) = (self.pods[pod].build, self.pods[pod].instance) else {
            return;
        };
        match self.load(&build, instance) {
            Ok(loaded) => {
                self.tell_refused(at, pod, &loaded);
                let old = self.step_down(at);
                if let Some(old) = old {
                    self.log(
                        old,
                        at,
                        "info",
                        "a newer epoch leads, standing by".to_owned(),
                    );
                }
                let ledger = self.db.ledger_mut();
                ledger.epoch += 1;
                let epoch = ledger.epoch;
                let (seq, replayed) = (loaded.state.seq(), loaded.trades.len());
                self.leader = Some(Leader {
                    pod,
                    in_step: false,
                    generation: self.db.generation(),
                    unwritten: Some(loaded),
                    orders: 0,
                    trades: 0,
                });
                self.engine_free = self.engine_free.max(at.0);
                self.log(
                    pod,
                    at,
                    "info",
                    format!(
                        "leading in epoch {epoch} from entry {seq}, {replayed} trades replayed"
                    ),
                );
                self.fold(&[at.0, epoch, seq.0]);
                // Writes what it replayed if it may.
                self.prepare_leader(at);
                self.find_next_hop();
            }
            Err(error) => self.fail(at, pod, with_causes(&error)),
        }
    }

    /// The leader leads no more. Returns its pod.
    pub(super) fn step_down(&mut self, at: Micros) -> Option<usize> {
        let leader = self.leader.take()?;
        if let Role::Matching(state) = &mut self.pods[leader.pod].role {
            state.orders += leader.orders;
            state.trades += leader.trades;
        }
        self.fold(&[at.0, leader.pod as u64]);
        Some(leader.pod)
    }

    /// A pod that cannot go on: it stays up, unhealthy, until its liveness probe fails.
    pub(super) fn fail(&mut self, at: Micros, pod: usize, reason: String) {
        self.log(
            pod,
            at,
            "error",
            format!("cannot load the ledger: {reason}"),
        );
        self.pods[pod].failed = Some(reason);
    }

    /// Another matching pod takes the lead, if there is one that can.
    pub(super) fn fill_vacancy(&mut self, at: Micros) {
        if self.leader.is_some() {
            return;
        }
        let candidate = self.pods.iter().rposition(|pod| {
            matches!(pod.role, Role::Matching(_))
                && pod.alive
                && pod.ready
                && !pod.terminating
                && pod.failed.is_none()
                && self.db.connected(&pod.uid)
        });
        if let Some(pod) = candidate {
            self.take_lead(at, pod);
        }
    }

    /// Brings the leader in step with the database, or says why it is not.
    pub(super) fn prepare_leader(&mut self, at: Micros) -> Readiness {
        let Some(leader) = &self.leader else {
            return Readiness::Refused(Answer::Unavailable, "no matching engine leads");
        };
        let (index, generation) = (leader.pod, leader.generation);
        let pod = &self.pods[index];
        if pod.failed.is_some() {
            return Readiness::Refused(Answer::Internal, "matching engine cannot read the ledger");
        }
        if !self.db.connected(&pod.uid) {
            return if self.db.is_down() || self.db.accepts_connections() {
                Readiness::Refused(
                    Answer::Unavailable,
                    "matching engine has no database session",
                )
            } else {
                Readiness::Refused(
                    Answer::Maintenance,
                    "ledger is closed to connections (55000)",
                )
            };
        }
        if self.db.fenced() {
            return Readiness::Refused(
                Answer::Maintenance,
                "permission denied for table order_log (42501)",
            );
        }
        if generation != self.db.generation() {
            let Some(build) = pod.build else {
                return Readiness::Refused(Answer::Internal, "no build");
            };
            match self.load(&build, pod.instance) {
                Ok(loaded) => {
                    self.tell_refused(at, index, &loaded);
                    let (seq, generation) = (loaded.state.seq(), self.db.generation());
                    if let Some(leader) = &mut self.leader {
                        leader.unwritten = Some(loaded);
                        leader.generation = generation;
                    }
                    self.log(
                        index,
                        at,
                        "warn",
                        format!("ledger has changed, loaded again from entry {seq}"),
                    );
                }
                Err(error) => {
                    self.fail(at, index, with_causes(&error));
                    return Readiness::Refused(
                        Answer::Internal,
                        "matching engine cannot read the ledger",
                    );
                }
            }
        }
        let Some(leader) = &mut self.leader else {
            return Readiness::Refused(Answer::Unavailable, "no matching engine leads");
        };
        if let Some(Unwritten {
            loaded,
            state,
            events,
            trades,
            refused: _,
        }) = leader.unwritten.take()
        {
            if let Some(first) = trades.first() {
                // Reconciliation reads the replayed trades in place of those it knew.
                self.unread_trades.retain(|t| t.id.0 < first.id);
                self.unread_trades
                    .extend(events.iter().filter_map(|event| match event {
                        Event::Trade(trade) => Some(*trade),
                        _ => None,
                    }));
            }
            self.db.ledger_mut().persist(loaded, *state, &trades);
        }
        leader.in_step = true;
        Readiness::Ready
    }

    /// Something was done to the database: whoever depends on it takes notice.
    pub(super) fn database_changed(&mut self, now: Micros) {
        for pod in 0..self.pods.len() {
            let p = &self.pods[pod];
            if p.alive
                && p.ready
                && !p.reconnecting
                && self.uses_database(pod)
                && !self.db.connected(&p.uid)
            {
                let why = if self.db.is_cut_off() {
                    "server closed the connection unexpectedly"
                } else {
                    "terminating connection due to administrator command (57P01)"
                };
                self.log(pod, now, "warn", why.to_owned());
                self.schedule_reconnect(now, pod);
            }
        }
        if let Some(leader) = &mut self.leader {
            leader.in_step = false;
            if leader.unwritten.is_some() && !self.db.tables_locked() {
                self.prepare_leader(now);
            }
        }
        // What has waited for a lock goes on now, not before.
        self.engine_free = self.engine_free.max(now.0);
        self.find_next_hop();
    }

    fn schedule_reconnect(&mut self, now: Micros, pod: usize) {
        self.pods[pod].reconnecting = true;
        let at = now + self.db.reconnect_delay();
        self.event_queue.push(at, Due::Reconnect(pod));
    }

    /// A pool tries to open its sessions again.
    pub(super) fn reconnect(&mut self, at: Micros, pod: usize) {
        self.pods[pod].reconnecting = false;
        if !self.pods[pod].alive || self.db.connected(&self.pods[pod].uid) {
            return;
        }
        if self.open_sessions(pod) {
            self.log(pod, at, "info", "database sessions reopened".to_owned());
            if self.leader.is_none() {
                self.fill_vacancy(at);
            }
        } else {
            self.schedule_reconnect(at, pod);
        }
    }

    /// Opens a pod's sessions.
    pub(super) fn open_sessions(&mut self, pod: usize) -> bool {
        let pod = &self.pods[pod];
        let count = if matches!(pod.role, Role::Matching(_)) {
            8
        } else {
            2
        };
        self.db.connect(&pod.uid, count).is_ok()
    }

    #[inline]
    pub(super) fn count_executed(&mut self, trades: u64) {
        if let Some(leader) = &mut self.leader {
            leader.orders += 1;
            leader.trades += trades;
        }
    }

    /// A gateway writes a line about a request that it refused, if it may write another one.
    pub(super) fn write_refusal(&mut self, pod: usize, at: Micros, answer: Answer, reason: &str) {
        if self.pods[pod].lines_left.take(at, answer) {
            let (level, text) = match answer {
                Answer::Maintenance => ("warn", format!("503 maintenance: {reason}")),
                Answer::Internal => ("error", format!("500 internal error: {reason}")),
                _ => ("error", format!("503 unavailable: {reason}")),
            };
            self.log(pod, at, level, text);
        }
    }

    /// Engine and gateway write lines about a request that failed.
    pub(super) fn write_failure(
        &mut self,
        at: Micros,
        hop: &Hop,
        gateway: usize,
        failure: &Failure,
    ) {
        if let Some(pod) = self.leader.as_ref().map(|l| l.pod)
            && self.pods[pod].lines_left.take(at, Answer::Internal)
        {
            self.log(
                pod,
                at,
                "error",
                format!("request {} failed: {failure}", hop.id),
            );
        }
        if self.pods[gateway].lines_left.take(at, Answer::Internal) {
            self.log(
                gateway,
                at,
                "error",
                format!("500 internal error: {failure}"),
            );
        }
    }
}
