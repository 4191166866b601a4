//! The tight loop: requests from the client to the matching engine and back.
//!
//! At one instant, what happens inside pods comes first, then answers, timeouts, commands that reach the
//! engine, and new requests.

use std::collections::VecDeque;

use dex::command::{Command, Event, EventSink, Outcome, Trade};
use dex::gateway::{Decision, Request};

use super::faults::ShownIn;
use super::leader::Readiness;
use super::{Due, SimulatedExchange};
use crate::clients::{Clients, DISCONNECTED, Waiting};
use crate::database::{TradeRow, order_content};
use crate::draws::network_us;
use crate::pod::{Answer, Hop};
use crate::record::{Acknowledged, ErrorKind, Seen};
use sim::application::Application as _;
use sim::time::Micros;

/// Way from a gateway to the matching engine and back, in µs.
const HOP_US: u64 = 120;
/// Refusing a request because the queue is full, in µs.
const SHED_US: u64 = 60;

/// An answer on its way to the client.
#[derive(Clone, Copy, Debug)]
struct Reply {
    at: u64,
    /// Number of the request.
    id: u64,
    answer: u8,
    /// The order that was placed, 0 if none.
    order: u64,
    content: u64,
    /// Where its trades are among those executed.
    trades_from: u64,
    trades: u32,
}

const ANSWERS: [(Answer, Seen); 5] = [
    (Answer::Ok, Seen::Ok),
    (Answer::Rejected, Seen::Rejected),
    (Answer::Maintenance, Seen::Maintenance),
    (Answer::Unavailable, Seen::Error(ErrorKind::Unavailable)),
    (Answer::Internal, Seen::Error(ErrorKind::Internal)),
];

impl Reply {
    fn plain(at: u64, id: u64, answer: Answer) -> Self {
        Self {
            at,
            id,
            answer: answer as u8,
            order: 0,
            content: 0,
            trades_from: 0,
            trades: 0,
        }
    }
}

/// Answers on their way, by when they arrive, then by number of the request. A new one is nearly always among the last,
/// so it is put in its place from the end.
#[derive(Debug)]
pub(super) struct Replies(VecDeque<Reply>);

impl Replies {
    pub(super) fn new() -> Self {
        Self(VecDeque::with_capacity(1_024))
    }

    #[inline]
    fn next_at(&self) -> u64 {
        self.0.front().map_or(u64::MAX, |reply| reply.at)
    }

    #[inline]
    fn push(&mut self, reply: Reply) {
        let earlier = |other: &Reply| (other.at, other.id) < (reply.at, reply.id);
        if self.0.back().is_none_or(earlier) {
            return self.0.push_back(reply);
        }
        match self.0.iter().rposition(earlier) {
            Some(before) => self.0.insert(before + 1, reply),
            None => self.0.push_front(reply),
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Reply> {
        self.0.pop_front()
    }
}

/// Trades that were executed for clients whose answers are on their way, numbered from the first one of all.
#[derive(Debug)]
pub(super) struct Executed {
    trades: Vec<Acknowledged>,
    /// Number of the first one that is kept.
    first: u64,
    /// How many may be kept until it is looked again which ones no answer carries any more.
    kept_max: usize,
}

impl Executed {
    /// The least that may be kept.
    const KEPT: usize = 4_096;

    pub(super) fn new() -> Self {
        Self {
            trades: Vec::with_capacity(Self::KEPT),
            first: 0,
            kept_max: Self::KEPT,
        }
    }

    /// Number of the next one.
    #[inline]
    fn end(&self) -> u64 {
        self.first + self.trades.len() as u64
    }

    /// Adds the trades of an answer that is about to be sent, and forgets those that none of `replies` carries.
    #[inline]
    fn extend(&mut self, rows: &[TradeRow], replies: &Replies) {
        if self.trades.len() >= self.kept_max {
            let end = self.end();
            let carried = replies.0.iter().filter(|reply| reply.trades > 0);
            let first = carried.map(|reply| reply.trades_from).min().unwrap_or(end);
            self.trades.drain(..(first - self.first) as usize);
            self.first = first;
            // Where most of them are under way, it is looked again only after as many more.
            self.kept_max = Self::KEPT.max(self.trades.len() * 2);
        }
        self.trades.extend(rows.iter().map(|row| Acknowledged {
            id: row.id,
            content: row.content,
        }));
    }

    #[inline]
    fn get(&self, from: u64, count: u32) -> &[Acknowledged] {
        if count == 0 {
            return &[];
        }
        let from = (from - self.first) as usize;
        &self.trades[from..from + count as usize]
    }
}

/// Who is told of what a command brings about.
struct Told<'a> {
    unread: &'a mut Vec<Trade>,
    unseen: &'a mut Vec<Trade>,
    clients: &'a mut Clients,
}

impl EventSink for Told<'_> {
    #[inline]
    fn push(&mut self, event: Event) {
        match event {
            Event::Trade(trade) => {
                self.unread.push(trade);
                self.unseen.push(trade);
            }
            Event::OrderClosed { order, .. } => self.clients.order_closed(order),
            Event::OrderAccepted { .. } => {}
        }
    }
}

impl SimulatedExchange {
    /// Lets happen, in the order of time, whatever is due at or before `now`.
    pub(super) fn catch_up(&mut self, now: Micros) {
        let now = now.0;
        loop {
            let pods_at = self.next_at().map_or(u64::MAX, |at| at.0);
            // Nothing below changes the event queue or the route, except through happenings of pods.
            loop {
                let reply_at = self.replies.next_at();
                let timeout_at = self.clients.next_timeout();
                let (hop_at, gateway) = self.next_hop;
                let arrival_at = self.clients.next_arrival;
                let at = reply_at.min(timeout_at).min(hop_at).min(arrival_at);
                if at > now || at >= pods_at {
                    break;
                }
                if at == reply_at {
                    self.deliver();
                } else if at == timeout_at {
                    self.time_out(at);
                } else if at == hop_at {
                    self.reach_engine(at, gateway);
                } else {
                    self.send(at);
                }
            }
            if pods_at > now {
                return;
            }
            if let Some((at, due)) = self.event_queue.pop_due(Micros(now)) {
                self.happen(at.max(self.faults.pods_still), due);
            }
        }
    }

    fn happen(&mut self, at: Micros, due: Due) {
        match due {
            Due::Ready(pod) => self.become_ready(at, pod),
            Due::Mode(gateway, mode, version) => self.see_mode(at, gateway, mode, version),
            Due::Reconnect(pod) => self.reconnect(at, pod),
            Due::Reconcile(pod) => self.reconcile(at, pod),
            Due::Heartbeat(pod) => self.heartbeat(at, pod),
            Due::Takeover => self.fill_vacancy(at),
        }
    }

    /// A client sends a request.
    #[inline]
    fn send(&mut self, at: u64) {
        self.clients.schedule_next(at);
        let id = self.clients.in_flight.next_id();
        let command = self.clients.command(id);
        let bits = self.clients.bits();
        let record = &mut self.clients.record;
        record.sent += 1;
        if record.first_at.is_none() {
            record.first_at = Some(Micros(at));
        }
        let connection = (((bits & 0xffff) * self.clients.connections.len() as u64) >> 16) as usize;
        let Some(index) = self.connected(connection, at) else {
            // The answer to a SYN is a reset, at once.
            self.clients.in_flight.push(Waiting {
                sent: at,
                gateway: DISCONNECTED,
                connection: connection as u16,
                open: true,
                command,
            });
            self.clients.in_flight.close(id);
            self.seen(at, id, Seen::Error(ErrorKind::Refused), None);
            return;
        };
        let received = at + network_us(bits >> 16);
        let back_us = network_us(bits >> 22);
        let still_until = self.faults.gateways_still;
        self.faults.held_up += u64::from(received < still_until);
        let gateway = &mut self.gateways[index as usize];
        if gateway.draining {
            // `Connection: close`: the next request opens another one.
            self.clients.connections[connection] = DISCONNECTED;
        }
        self.clients.in_flight.push(Waiting {
            sent: at,
            gateway: index,
            connection: connection as u16,
            open: true,
            command,
        });
        if gateway.hops.len() >= usize::from(gateway.gateway.config().queue_max) {
            let done = received.max(still_until) + SHED_US;
            gateway.count(Answer::Unavailable, done - received);
            let pod = gateway.pod;
            self.replies
                .push(Reply::plain(done + back_us, id, Answer::Unavailable));
            let at = Micros(received.max(still_until));
            self.write_refusal(pod, at, Answer::Unavailable, "queue is full");
            return;
        }
        if self.faults.failing.is_some()
            && let Some(shown_in) = self.fails_here(index)
        {
            return self.fail_for_no_reason(index, received, back_us, id, shown_in);
        }
        let gateway = &mut self.gateways[index as usize];
        let admission = gateway.gateway.admit(
            &Request {
                id,
                at_micros: received,
                command,
            },
            gateway.mode,
        );
        let begun = received.max(gateway.busy_until);
        let done = begun + admission.work.nanos(self.config.service.gateway_unit_ns) / 1_000;
        gateway.busy_until = done;
        let answer = match admission.decision {
            Decision::Forward => {
                let due = done + HOP_US;
                let hop = Hop {
                    due,
                    id,
                    received,
                    command,
                    back_us: back_us as u32,
                };
                gateway.hops.push_back(hop);
                if gateway.hops.len() == 1 {
                    self.hop_came(due, index);
                }
                return;
            }
            Decision::Reject(_) => Answer::Rejected,
            Decision::Maintenance => Answer::Maintenance,
            Decision::Broken => Answer::Internal,
            // The client waits until its patience ends.
            Decision::Lost => return,
        };
        gateway.count(answer, done - received);
        let pod = gateway.pod;
        self.replies.push(Reply::plain(done + back_us, id, answer));
        match answer {
            Answer::Maintenance => {
                self.write_refusal(pod, Micros(received), answer, "trading is halted");
            }
            Answer::Internal => {
                self.write_refusal(pod, Micros(received), answer, "request was not understood");
            }
            _ => {}
        }
    }

    /// A gateway fails a request by a fault that the scenario planted.
    fn fail_for_no_reason(
        &mut self,
        index: u32,
        received: u64,
        back_us: u64,
        id: u64,
        shown_in: ShownIn,
    ) {
        let gateway = &mut self.gateways[index as usize];
        let done = received.max(gateway.busy_until) + SHED_US;
        if shown_in != ShownIn::Logs {
            gateway.count(Answer::Internal, done - received);
        }
        let pod = gateway.pod;
        if shown_in != ShownIn::Metrics {
            self.write_refusal(pod, Micros(received), Answer::Internal, "dependency failed");
        }
        self.replies
            .push(Reply::plain(done + back_us, id, Answer::Internal));
    }

    /// The gateway that a client is connected to; connects it if need be.
    #[inline]
    fn connected(&mut self, connection: usize, at: u64) -> Option<u32> {
        let known = self.clients.connections[connection];
        if known != DISCONNECTED {
            let gateway = &self.gateways[known as usize];
            if gateway.alive && at < gateway.closes_at {
                return Some(known);
            }
        }
        if self.route.is_empty() {
            return None;
        }
        let pick = self.clients.pick(self.route.len());
        let index = self.route[pick]?;
        let gateway = &self.gateways[index as usize];
        if !gateway.alive || at >= gateway.closes_at || !self.pods[gateway.pod].ready {
            return None;
        }
        self.clients.connections[connection] = index;
        Some(index)
    }

    /// Finds the next command that reaches the engine.
    pub(super) fn find_next_hop(&mut self) {
        let mut first = (u64::MAX, 0);
        if !self.db.tables_locked() {
            for index in &self.live_gateways {
                if let Some(hop) = self.gateways[*index as usize].hops.front() {
                    // Among commands that wait for the engine, the one that came first.
                    if (hop.due, *index) < first {
                        first = (hop.due, *index);
                    }
                }
            }
        }
        self.set_first_hop(first);
    }

    /// A gateway that had no command for the engine has one now: as [`Self::find_next_hop`], with one comparison.
    #[inline]
    fn hop_came(&mut self, due: u64, gateway: u32) {
        if self.first_hop.0 == u64::MAX || self.db.tables_locked() {
            return self.find_next_hop();
        }
        self.set_first_hop(self.first_hop.min((due, gateway)));
    }

    #[inline]
    fn set_first_hop(&mut self, first: (u64, u32)) {
        self.first_hop = first;
        self.next_hop = first;
        if first.0 != u64::MAX {
            self.next_hop.0 = first.0.max(self.engine_free);
        }
    }

    /// The engine takes a command from a gateway.
    #[inline]
    fn reach_engine(&mut self, at: u64, index: u32) {
        let Some(hop) = self.gateways[index as usize].hops.pop_front() else {
            self.find_next_hop();
            return;
        };
        let readiness = match &self.leader {
            Some(leader) if leader.in_step => Readiness::Ready,
            _ => self.prepare_leader(Micros(at)),
        };
        let (answer, done, reply) = match readiness {
            Readiness::Ready => self.execute(at, &hop, self.gateways[index as usize].pod),
            Readiness::Refused(answer, reason) => {
                let done = at + HOP_US;
                let pod = self.gateways[index as usize].pod;
                self.write_refusal(pod, Micros(at), answer, reason);
                (answer, done, Reply::plain(0, hop.id, answer))
            }
        };
        self.gateways[index as usize].count(answer, done - hop.received);
        self.replies.push(Reply {
            at: done + u64::from(hop.back_us),
            ..reply
        });
        self.find_next_hop();
    }

    /// The leader executes a command and commits it.
    #[inline]
    fn execute(&mut self, at: u64, hop: &Hop, gateway: usize) -> (Answer, u64, Reply) {
        let ledger = self.db.ledger_mut();
        let traded = ledger.trades().len();
        let mut told = Told {
            unread: &mut self.unread_trades,
            unseen: &mut self.unseen_trades,
            clients: &mut self.clients,
        };
        let outcome = ledger.transact(&hop.command, &mut told);
        let work = ledger.state.work();
        self.engine_free = at + work.nanos(self.config.service.matching_unit_ns) / 1_000;
        let mut reply = Reply::plain(0, hop.id, Answer::Ok);
        let answered = self.engine_free + HOP_US;
        match outcome {
            Outcome::Accepted {
                order_id, resting, ..
            } => {
                let rows = &self.db.ledger().trades()[traded..];
                reply.trades_from = self.executed.end();
                reply.trades = rows.len() as u32;
                self.executed.extend(rows, &self.replies);
                if let Command::Place { account, .. } = hop.command {
                    reply.order = order_id.0;
                    reply.content = order_content(&hop.command);
                    if resting.0 > 0 {
                        self.clients.order_rests(order_id.0, account.0);
                    }
                }
                self.count_executed(u64::from(reply.trades));
                // The commit's time is drawn by the request itself.
                let commit = self.commit_us(hop.id);
                (Answer::Ok, answered + commit, reply)
            }
            Outcome::Rejected(_) => {
                reply.answer = Answer::Rejected as u8;
                (Answer::Rejected, answered, reply)
            }
            Outcome::Failed(failure) => {
                reply.answer = Answer::Internal as u8;
                self.write_failure(Micros(at), hop, gateway, &failure);
                (Answer::Internal, answered, reply)
            }
        }
    }

    /// How long the commit of request `id` takes.
    #[inline]
    fn commit_us(&self, id: u64) -> u64 {
        let (lo, hi) = self.config.database.commit_us;
        let spread = hi.saturating_sub(lo) + 1;
        lo + (((id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) * spread) >> 32)
    }

    /// An answer reaches its client, if that still waits.
    #[inline]
    fn deliver(&mut self) {
        let Some(reply) = self.replies.pop() else {
            return;
        };
        let Some(waiting) = self.clients.in_flight.close(reply.id) else {
            if reply.order != 0 {
                self.clients.record.unknown += 1;
            }
            return;
        };
        let (answer, seen) = ANSWERS[usize::from(reply.answer)];
        if matches!(seen, Seen::Error(_)) {
            self.clients.record.unanswered(&waiting.command);
        }
        if reply.order != 0 {
            let record = &mut self.clients.record;
            record.orders.push(Acknowledged {
                id: reply.order,
                content: reply.content,
            });
            let trades = self.executed.get(reply.trades_from, reply.trades);
            record.trades.extend_from_slice(trades);
        }
        let latency = (answer != Answer::Maintenance).then(|| reply.at - waiting.sent);
        self.seen(reply.at, reply.id ^ reply.content, seen, latency);
    }

    /// A client gives up on its oldest request and closes the connection.
    fn time_out(&mut self, at: u64) {
        let id = self.clients.in_flight.next_id();
        let Some(waiting) = self.clients.in_flight.close_oldest() else {
            return;
        };
        self.clients.connections[usize::from(waiting.connection)] = DISCONNECTED;
        self.clients.record.unanswered(&waiting.command);
        self.seen(
            at,
            id,
            Seen::Error(ErrorKind::Timeout),
            Some(at - waiting.sent),
        );
    }

    /// Every request at a gateway is lost.
    pub(super) fn reset_connections(&mut self, at: Micros, gateway: u32) {
        for connection in &mut self.clients.connections {
            if *connection == gateway {
                *connection = DISCONNECTED;
            }
        }
        for waiting in self.clients.in_flight.close_all(gateway) {
            self.clients.record.unanswered(&waiting.command);
            self.seen(
                at.0,
                waiting.sent,
                Seen::Error(ErrorKind::Reset),
                Some(at.0 - waiting.sent),
            );
        }
    }

    #[inline]
    fn seen(&mut self, at: u64, what: u64, seen: Seen, latency_us: Option<u64>) {
        self.clients.record.add(Micros(at), seen, latency_us);
        let kind = match seen {
            Seen::Ok => 1,
            Seen::Rejected => 2,
            Seen::Maintenance => 3,
            Seen::Error(kind) => 4 + kind as u64,
        };
        self.fold(&[at, what << 4 | kind]);
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Replies, Reply};

    #[test]
    fn answers_arrive_in_the_order_of_time_then_of_their_requests() {
        let mut replies = Replies::new();
        assert_eq!(replies.next_at(), u64::MAX);
        for (at, id) in [(30, 1), (10, 2), (20, 4), (20, 3), (40, 5), (5, 6)] {
            replies.push(Reply::plain(at, id, Answer::Ok));
        }
        assert_eq!(replies.next_at(), 5);
        let order: Vec<_> = std::iter::from_fn(|| replies.pop().map(|r| (r.at, r.id))).collect();
        assert_eq!(order, [(5, 6), (10, 2), (20, 3), (20, 4), (30, 1), (40, 5)]);
    }
}
