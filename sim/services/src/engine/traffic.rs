//! Requests: from a client through the services and back.

use sim::time::Micros;

use super::services::{Edge, Services};
use super::store::Served;
use crate::describe::{Backoff, Share};

/// No work, no pod.
const NONE: u32 = u32::MAX;
/// From a request that no process takes until its sender knows: a refused connection, or a 503 of a full queue.
const REFUSED_AFTER: Micros = Micros::from_millis(1);
/// Positions in [`CODES`](crate::metrics::CODES).
const OK: usize = 0;
const FAILED: usize = 1;
const FULL: usize = 2;

/// What happens at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A client of that kind sends a request.
    Client(u32),
    /// A pod is done with its own work on a request.
    Worked(Handle),
    /// A call found nobody to take it.
    Refused(Handle),
    /// A call is tried again.
    Again(Handle),
    /// The first of those who wait for that call gives up.
    Timeout(u32),
}

/// A piece of work, unless its place in the slab has been given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    at: u32,
    generation: u32,
}

/// Somebody who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    until: Micros,
    who: Handle,
    /// Which of its tries.
    tries: u32,
}

/// A request at a pod, or at the client that sent it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    generation: u32,
    /// Whose it is: a service, or behind them a client.
    node: u32,
    /// The pod that works on it.
    pod: u32,
    /// Who waits for the answer; that place may have been given to another piece of work since.
    parent: Handle,
    /// When it came.
    since: Micros,
    /// The call that it waits for just now.
    child: u32,
    /// Its next call, by its position in the list of all.
    call: u32,
    /// How often that call has been tried again.
    retries: u32,
    /// How often anything was tried, so that a wait knows its own.
    tries: u32,
    fails: bool,
    wrong: bool,
    /// What it writes into the store, by its number; 0: nothing.
    write: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Answered { wrong: bool },
    Failed,
}

const NOBODY: Handle = Handle {
    at: NONE,
    generation: 0,
};

fn happens(rng: &mut sim::rng::Rng, share: Share) -> bool {
    match share.0 {
        0 => false,
        1_000_000.. => true,
        some => rng.ratio(u64::from(some), u64::from(Share::ALL.0)),
    }
}

impl Services {
    /// Lets everything happen that is due up to `now`.
    pub(super) fn catch_up(&mut self, now: Micros) {
        while let Some((at, event)) = self.events.pop_due(now) {
            self.now = at;
            self.happen(event);
        }
        self.now = self.now.max(now);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Client(source) => self.client_sends(source),
            Event::Worked(work) => {
                if self.now < self.still_until {
                    self.events.push(self.still_until, event);
                } else if let Some(it) = self.live(work) {
                    if it.fails {
                        self.ends(work.at, End::Failed);
                    } else {
                        self.goes_on(work.at);
                    }
                }
            }
            Event::Refused(work) => {
                if self.live(work).is_some() {
                    self.call_failed(work.at);
                }
            }
            Event::Again(work) => {
                if self.live(work).is_some() {
                    self.calls(work.at);
                }
            }
            Event::Timeout(edge) => self.timeouts(edge as usize),
        }
    }

    fn live(&self, work: Handle) -> Option<&Work> {
        let it = self.works.get(work.at as usize)?;
        (it.generation == work.generation).then_some(it)
    }

    fn handle(&self, at: u32) -> Handle {
        Handle {
            at,
            generation: self.works[at as usize].generation,
        }
    }

    fn client_sends(&mut self, source: u32) {
        let now = self.now;
        let it = &mut self.sources[source as usize];
        let gap = it.client.rate_at(now).gap_us().max(2);
        let next = now + Micros(it.rng.between(gap / 2, gap * 3 / 2));
        self.events.push(next, Event::Client(source));
        let writes = it.client.writes;
        let is_write = happens(&mut it.rng, writes);
        let node = (self.servers.len() + source as usize) as u32;
        let work = self.new_work(node, NONE, NOBODY);
        if is_write {
            self.writes += 1;
            self.works[work as usize].write = self.writes;
        }
        self.goes_on(work);
    }

    fn new_work(&mut self, node: u32, pod: u32, parent: Handle) -> u32 {
        let call = self.nodes[node as usize].from as u32;
        let work = Work {
            generation: 0,
            node,
            pod,
            parent,
            since: self.now,
            child: NONE,
            call,
            retries: 0,
            tries: 0,
            fails: false,
            wrong: false,
            write: self.live(parent).map_or(0, |it| it.write),
        };
        if let Some(at) = self.free.pop() {
            let place = &mut self.works[at as usize];
            let generation = place.generation;
            *place = Work { generation, ..work };
            at
        } else {
            self.works.push(work);
            (self.works.len() - 1) as u32
        }
    }

    /// The next of its calls, or its end.
    fn goes_on(&mut self, at: u32) {
        loop {
            let work = &self.works[at as usize];
            let (node, call) = (work.node as usize, work.call as usize);
            if call >= self.nodes[node].to {
                return self.concludes(at);
            }
            let share = self.edges[call].share;
            let rng = match self.servers.get_mut(node) {
                Some(server) => &mut server.rng,
                None => &mut self.sources[node - self.servers.len()].rng,
            };
            if happens(rng, share) {
                return self.calls(at);
            }
            self.works[at as usize].call += 1;
        }
    }

    /// All of its calls are answered: what it reads and writes itself comes last.
    fn concludes(&mut self, at: u32) {
        let now = self.now;
        let work = self.works[at as usize];
        let pod = self.pods.get(work.pod as usize);
        let reads = pod.map(|pod| pod.behaviour.reads).unwrap_or_default();
        let served = match self.store_of(work.node as usize) {
            Some(store) => store.serve(now, reads, work.write),
            None => Served::Done,
        };
        match served {
            Served::Done => self.ends(at, End::Answered { wrong: work.wrong }),
            Served::Waits(until) => {
                let worked = Event::Worked(self.handle(at));
                self.events.push(until, worked);
            }
            Served::Fails(why) => {
                if let Some(pod) = self.pods.get_mut(work.pod as usize) {
                    pod.complain(now, &why, &mut self.outbox);
                }
                self.ends(at, End::Failed);
            }
        }
    }

    /// Sends the call that is next.
    fn calls(&mut self, at: u32) {
        let now = self.now;
        let who = self.handle(at);
        let work = &mut self.works[at as usize];
        work.tries += 1;
        let (call, tries) = (work.call as usize, work.tries);
        let Edge { address, hop, .. } = self.edges[call];
        let Some(child) = self.send(address, who) else {
            self.events.push(now + REFUSED_AFTER, Event::Refused(who));
            return;
        };
        self.works[at as usize].child = child;
        let until = now + hop.timeout;
        let waits = &mut self.edges[call].waits;
        if waits.is_empty() {
            self.events.push(until, Event::Timeout(call as u32));
        }
        waits.push_back(Wait { until, who, tries });
    }

    /// Brings a request to a pod behind the address. `None`: no process takes it.
    fn send(&mut self, address: usize, parent: Handle) -> Option<u32> {
        let now = self.now;
        let pods = self.routes.get(address)?;
        let nth = self.router.below((pods.len() as u64).max(1));
        let slot = *pods.get(nth as usize)?;
        let pod = &mut self.pods[slot as usize];
        if !pod.listens(now) {
            return None;
        }
        if now < self.still_until {
            self.held_up += 1;
        }
        let service = pod.service;
        let server = &self.servers[service];
        let works = pod.active.len() < server.concurrency;
        if !works && pod.waiting.len() >= server.queue {
            pod.counts.answer(FULL, REFUSED_AFTER.0);
            pod.complain(now, "the queue is full: 503", &mut self.outbox);
            return None;
        }
        let work = self.new_work(service as u32, slot, parent);
        if works {
            self.begins(work);
        } else {
            self.pods[slot as usize].waiting.push_back(work);
        }
        Some(work)
    }

    /// A worker of the pod takes the request.
    fn begins(&mut self, at: u32) {
        let work = &mut self.works[at as usize];
        let pod = &mut self.pods[work.pod as usize];
        let behaviour = &pod.behaviour;
        let server = &mut self.servers[pod.service];
        let takes = Micros(server.request.draw(&mut server.rng).0 * behaviour.factor);
        work.fails = happens(&mut server.rng, behaviour.errors);
        work.wrong = happens(&mut server.rng, behaviour.wrong);
        pod.active.push(at);
        let worked = self.now.max(self.still_until) + takes;
        let handle = self.handle(at);
        self.events.push(worked, Event::Worked(handle));
    }

    /// The call that it waited for failed, or took too long.
    fn call_failed(&mut self, at: u32) {
        let now = self.now;
        let work = &self.works[at as usize];
        let edge = &self.edges[work.call as usize];
        let amplified = self
            .pods
            .get(work.pod as usize)
            .and_then(|pod| pod.behaviour.retries);
        let most = amplified.unwrap_or(edge.hop.retries);
        if work.retries < most {
            let backoff = if amplified.is_some() {
                Backoff::NONE
            } else {
                edge.hop.backoff
            };
            let wait = self.wait_before(at, backoff);
            self.works[at as usize].retries += 1;
            let again = Event::Again(self.handle(at));
            self.events.push(now + wait, again);
        } else if edge.optional {
            let work = &mut self.works[at as usize];
            work.call += 1;
            work.retries = 0;
            self.goes_on(at);
        } else {
            self.ends(at, End::Failed);
        }
    }

    fn wait_before(&mut self, at: u32, backoff: Backoff) -> Micros {
        let work = &self.works[at as usize];
        let (wait, drawn) = backoff.before(work.retries);
        if drawn == 0 {
            return wait;
        }
        let node = work.node as usize;
        let rng = match self.servers.get_mut(node) {
            Some(server) => &mut server.rng,
            None => &mut self.sources[node - self.servers.len()].rng,
        };
        Micros(wait.0 - rng.between(0, drawn))
    }

    fn timeouts(&mut self, edge: usize) {
        let now = self.now;
        while let Some(wait) = self.edges[edge].waits.front().copied() {
            let waits = self.live(wait.who);
            let child = waits
                .filter(|it| it.tries == wait.tries && it.child != NONE)
                .map(|it| it.child);
            if let Some(child) = child {
                if wait.until > now {
                    self.events.push(wait.until, Event::Timeout(edge as u32));
                    return;
                }
                self.edges[edge].waits.pop_front();
                // The server does not learn that nobody waits any more.
                self.works[child as usize].parent = NOBODY;
                self.works[wait.who.at as usize].child = NONE;
                self.call_failed(wait.who.at);
            } else {
                self.edges[edge].waits.pop_front();
            }
        }
    }

    /// A request is over where it was worked on, and whoever waits for it learns how.
    fn ends(&mut self, at: u32, end: End) {
        let Work {
            pod,
            parent,
            since,
            node,
            write,
            ..
        } = self.works[at as usize];
        let place = &mut self.works[at as usize];
        place.generation = place.generation.wrapping_add(1);
        self.free.push(at);
        if pod == NONE {
            return self.client_learns(node, since, end, write);
        }
        let now = self.now;
        let it = &mut self.pods[pod as usize];
        if !it.is_gone {
            let code = if end == End::Failed { FAILED } else { OK };
            it.counts.answer(code, now.saturating_sub(since).0);
            if end == End::Failed {
                it.complain(now, "request failed: 500", &mut self.outbox);
            }
            if let Some(nth) = it.active.iter().position(|work| *work == at) {
                it.active.swap_remove(nth);
            }
            if let Some(next) = it.waiting.pop_front() {
                self.begins(next);
            }
        }
        self.answered(at, parent, end);
    }

    /// Tells whoever waits for the request at `at` how it ended.
    fn answered(&mut self, at: u32, parent: Handle, end: End) {
        if self.live(parent).is_none_or(|it| it.child != at) {
            return;
        }
        let work = &mut self.works[parent.at as usize];
        work.child = NONE;
        match end {
            End::Failed => self.call_failed(parent.at),
            End::Answered { wrong } => {
                work.wrong |= wrong;
                work.call += 1;
                work.retries = 0;
                self.goes_on(parent.at);
            }
        }
    }

    fn client_learns(&mut self, node: u32, since: Micros, end: End, write: u64) {
        let now = self.now;
        let second = (now.0 / 1_000_000) as usize;
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, super::Second::default());
        }
        let took = now.saturating_sub(since);
        let seen = &mut self.seconds[second];
        let good = end == End::Answered { wrong: false };
        if good {
            seen.answered += 1;
            if write > 0 {
                self.acknowledged.push(write);
            }
            seen.slow += u32::from(took > self.slow_after);
        } else {
            seen.errors += 1;
        }
        let what = now.0 ^ took.0.rotate_left(20) ^ u64::from(node) << 50 ^ u64::from(good) << 63;
        self.happened = self
            .happened
            .rotate_left(5)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ what;
    }

    /// The process of a pod is gone, and with it every request in it: connections break.
    pub(super) fn dies(&mut self, slot: u32) {
        let pod = &mut self.pods[slot as usize];
        pod.is_gone = true;
        let mut lost = std::mem::take(&mut pod.active);
        lost.extend(pod.waiting.drain(..));
        for at in lost {
            self.ends(at, End::Failed);
        }
    }
}
