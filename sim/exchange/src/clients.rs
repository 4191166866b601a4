//! The clients: an open loop of requests over connections that are kept alive.
//!
//! Orders lie around a price that drifts slowly. A bit more than a third of the requests cross the spread, so that
//! some 0.6 trades come of each request; the rest provide liquidity or cancel it, and one in a
//! hundred is invalid. A client knows which of its orders are filled and does not cancel those.

use std::collections::VecDeque;

use dex::command::Command;
use dex::market::MarketSpec;
use dex::types::{AccountId, MarketId, OrderId, Price, Qty, Side, Tif};

use super::config::{Activity, Arrivals, Bursts, LoadConfig};
use super::draws::exponential_us;
use super::record::ClientRecord;
use sim::rng::Rng;
use sim::time::Micros;

/// Per mille of the requests that are invalid, cross the spread, and cancel.
const INVALID: u64 = 10;
const CROSSING: u64 = 365;
const CANCELLING: u64 = 130;
/// Orders in the book that clients remember; beyond, they rather cancel than add another.
const OPEN_MAX: usize = 800;
/// Requests between two steps of a market's mid price.
const DRIFT_EVERY: u64 = 32;
/// No gateway: the next request opens a connection.
pub(super) const DISCONNECTED: u32 = u32::MAX;

/// A request that a client waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) sent: u64,
    pub(super) gateway: u32,
    pub(super) connection: u16,
    pub(super) open: bool,
    pub(super) command: Command,
}

/// Requests by number, those of the last few seconds.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    slots: VecDeque<Waiting>,
    base: u64,
    /// When the oldest one that is waited for was sent; `u64::MAX`: none is.
    oldest_sent: u64,
}

impl InFlight {
    fn new(capacity: usize) -> Self {
        Self {
            slots: VecDeque::with_capacity(capacity),
            base: 1,
            oldest_sent: u64::MAX,
        }
    }

    /// Number of the next request.
    #[inline]
    pub(super) fn next_id(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    #[inline]
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.oldest_sent = self.oldest_sent.min(waiting.sent);
        self.slots.push_back(waiting);
    }

    /// Ends the wait for a request, if it is waited for.
    #[inline]
    pub(super) fn close(&mut self, id: u64) -> Option<Waiting> {
        let slot = self.slots.get_mut(id.checked_sub(self.base)? as usize)?;
        if !slot.open {
            return None;
        }
        slot.open = false;
        let waiting = *slot;
        if id == self.base {
            self.pass_over_closed();
        }
        Some(waiting)
    }

    /// The oldest request is not waited for any more.
    fn pass_over_closed(&mut self) {
        let mut oldest_sent = u64::MAX;
        while let Some(oldest) = self.slots.front() {
            if oldest.open {
                oldest_sent = oldest.sent;
                break;
            }
            self.slots.pop_front();
            self.base += 1;
        }
        self.oldest_sent = oldest_sent;
    }

    /// The commands of the requests that are waited for.
    pub(super) fn commands(&self) -> impl Iterator<Item = &Command> {
        let open = self.slots.iter().filter(|waiting| waiting.open);
        open.map(|waiting| &waiting.command)
    }

    /// How many requests are waited for.
    pub(super) fn open(&self) -> usize {
        self.slots.iter().filter(|w| w.open).count()
    }

    /// Ends the wait for the oldest request.
    pub(super) fn close_oldest(&mut self) -> Option<Waiting> {
        self.close(self.base)
    }

    /// Ends the wait for every request that was sent to `gateway`, oldest first.
    pub(super) fn close_all(&mut self, gateway: u32) -> Vec<Waiting> {
        let lost: Vec<u64> = (self.base..)
            .zip(&self.slots)
            .filter(|(_, w)| w.open && w.gateway == gateway)
            .map(|(id, _)| id)
            .collect();
        lost.into_iter().filter_map(|id| self.close(id)).collect()
    }
}

/// What the clients are about to do and wait for.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    load: LoadConfig,
    specs: Vec<MarketSpec>,
    mids: Vec<i64>,
    rng: Rng,
    mean_gap_us: u64,
    /// How many of a million requests are sent; the others are left out.
    sent_ppm: u32,
    /// When the next request is sent.
    pub(super) next_arrival: u64,
    pub(super) in_flight: InFlight,
    /// The gateway that each client is connected to.
    pub(super) connections: Vec<u32>,
    open_orders: VecDeque<(u64, u32)>,
    /// By the low bits of an order's id: whether its owner has learned that it is filled.
    filled: Vec<u64>,
    pub(super) record: ClientRecord,
}

const FILLED_BITS: u64 = 1 << 16;

impl Clients {
    pub(super) fn new(load: &LoadConfig, specs: Vec<MarketSpec>, seed: u64) -> Self {
        let mut rng = Rng::derive(seed, "clients");
        let rate = load.rate_per_s.max(1);
        let mean_gap_us = (1_000_000 / rate).max(1);
        // Room for a drill of 15 minutes; a longer one grows it.
        let seconds = if load.stop_at == Micros::MAX {
            900
        } else {
            load.stop_at.0 / 1_000_000
        };
        let requests = (rate * seconds.min(3_600)) as usize;
        let next_arrival = load.start_at.0 + rng.below(mean_gap_us);
        Self {
            mids: specs.iter().map(|s| s.mid_price().0).collect(),
            specs,
            mean_gap_us,
            sent_ppm: 1_000_000,
            next_arrival: if next_arrival > load.stop_at.0 {
                u64::MAX
            } else {
                next_arrival
            },
            in_flight: InFlight::new((rate * 3) as usize),
            connections: vec![DISCONNECTED; usize::from(load.connections.max(1))],
            open_orders: VecDeque::with_capacity(OPEN_MAX + 1),
            filled: vec![0; (FILLED_BITS / 64) as usize],
            record: ClientRecord::with_capacity(requests, seconds as usize + 8),
            load: load.clone(),
            rng,
        }
    }

    pub(super) fn stop(&mut self, now: Micros) {
        self.load.stop_at = now;
        self.next_arrival = u64::MAX;
    }

    /// Draws when the request after the one sent at `at` is sent.
    #[inline]
    pub(super) fn schedule_next(&mut self, at: u64) {
        let next = match self.load.bursts {
            None => at + self.gap(self.mean_gap_us),
            Some(bursts) => self.next_with(bursts, at),
        };
        self.next_arrival = if next > self.load.stop_at.0 {
            u64::MAX
        } else {
            next
        };
    }

    /// A gap whose mean is `mean_us` while nobody leaves anything out.
    /// The draws are the same if somebody does; the gaps are longer.
    #[inline]
    fn gap(&mut self, mean_us: u64) -> u64 {
        let gap = match self.load.arrivals {
            Arrivals::Poisson => exponential_us(&mut self.rng, mean_us),
            Arrivals::Even => self.rng.between(mean_us / 2, mean_us * 3 / 2),
        };
        gap * 1_000_000 / u64::from(self.sent_ppm)
    }

    /// When the request after the one sent at `at` is sent, under bursts: a gap that reaches into another rate is drawn
    /// anew from where that begins.
    fn next_with(&mut self, bursts: Bursts, at: u64) -> u64 {
        let mut from = at;
        loop {
            let (bursting, until) = bursts.at(from);
            let mean = if bursting {
                (1_000_000 / bursts.rate_per_s.max(1)).max(1)
            } else {
                self.mean_gap_us
            };
            let next = from + self.gap(mean);
            if next <= until {
                return next;
            }
            from = until;
        }
    }

    /// From now on a share of the requests is left out, in parts per million, at most 99 %.
    pub(super) fn quieten(&mut self, left_out_ppm: u32) {
        self.sent_ppm = 1_000_000 - left_out_ppm.min(990_000);
    }

    /// When the oldest open request times out.
    #[inline]
    pub(super) fn next_timeout(&self) -> u64 {
        self.in_flight
            .oldest_sent
            .saturating_add(self.load.timeout.0)
    }

    /// 64 random bits for a request's way through the network.
    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// One of `n`.
    pub(super) fn pick(&mut self, n: usize) -> usize {
        self.rng.below(n as u64) as usize
    }

    #[inline]
    fn account(&mut self, draw: u64) -> AccountId {
        let accounts = u64::from(self.load.accounts);
        let uniform = ((draw & 0xffff_ffff) * accounts) >> 32;
        let account = match self.load.activity {
            Activity::Uniform => uniform,
            Activity::Skewed => (uniform * (((draw >> 32) * accounts) >> 32)) / accounts,
        };
        AccountId(account as u32)
    }

    /// The next request's command.
    #[inline]
    pub(super) fn command(&mut self, request: u64) -> Command {
        let draw = self.rng.next_u64();
        let kind = ((draw & 0xffff) * 1_000) >> 16;
        let wants_cancel = (INVALID + CROSSING..INVALID + CROSSING + CANCELLING).contains(&kind);
        let crowded = self.open_orders.len() >= OPEN_MAX && kind >= INVALID + CROSSING;
        if (wants_cancel || crowded)
            && let Some(cancel) = self.cancel()
        {
            return cancel;
        }
        let account_draw = self.rng.next_u64();
        let account = self.account(account_draw);
        let market = (((draw >> 16 & 0xffff) * self.specs.len() as u64) >> 16) as usize;
        if request.is_multiple_of(DRIFT_EVERY) {
            self.drift(market, draw);
        }
        let side = if draw >> 32 & 1 == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let crossing = (INVALID..INVALID + CROSSING).contains(&kind);
        let distance = 1 + (draw >> 33 & 15) as i64;
        // Buyers below the mid price and sellers above it wait; the other way round they trade.
        let towards_waiting = if side == Side::Buy { -1 } else { 1 };
        let offset = if crossing {
            -towards_waiting * (distance + 16)
        } else {
            towards_waiting * distance
        };
        let qty = if kind < INVALID {
            0
        } else {
            1 + (draw >> 40 & 127) as i64
        };
        Command::Place {
            account,
            market: MarketId(market as u16),
            side,
            price: Price(self.mids[market] + offset),
            qty: Qty(qty),
            tif: if crossing && draw >> 47 & 1 == 0 {
                Tif::Ioc
            } else {
                Tif::Gtc
            },
        }
    }

    fn drift(&mut self, market: usize, draw: u64) {
        let spec = &self.specs[market];
        let quarter = (spec.max_price().0 - spec.min_price.0) / 4;
        let step = (draw >> 50 & 2) as i64 - 1;
        let mid = self.mids[market] + step;
        self.mids[market] = mid.clamp(spec.min_price.0 + quarter, spec.max_price().0 - quarter);
    }

    /// Cancels the oldest open order that is not known to be filled.
    fn cancel(&mut self) -> Option<Command> {
        while let Some((id, account)) = self.open_orders.pop_front() {
            let bit = id % FILLED_BITS;
            if self.filled[(bit / 64) as usize] >> (bit % 64) & 1 == 0 {
                return Some(Command::Cancel {
                    account: AccountId(account),
                    order: OrderId(id),
                });
            }
        }
        None
    }

    /// The client learns that its order rests in the book.
    #[inline]
    pub(super) fn order_rests(&mut self, id: u64, account: u32) {
        let bit = id % FILLED_BITS;
        self.filled[(bit / 64) as usize] &= !(1 << (bit % 64));
        if self.open_orders.len() > OPEN_MAX * 2 {
            self.open_orders.pop_front();
        }
        self.open_orders.push_back((id, account));
    }

    /// Owners of resting orders learn that they were filled.
    #[inline]
    pub(super) fn order_closed(&mut self, order: OrderId) {
        let bit = order.0 % FILLED_BITS;
        self.filled[(bit / 64) as usize] |= 1 << (bit % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_at_the_rate_of_the_instant() {
        let load = LoadConfig {
            rate_per_s: 100,
            bursts: Some(Bursts {
                rate_per_s: 1_000,
                every: Micros::from_secs(20),
                lasts: Micros::from_secs(5),
            }),
            start_at: Micros::ZERO,
            stop_at: Micros::from_secs(400),
            ..LoadConfig::default()
        };
        let mut clients = Clients::new(&load, vec![MarketSpec::standard(0)], 7);
        let (mut within, mut beside) = (0_u32, 0_u32);
        while clients.next_arrival != u64::MAX {
            let at = clients.next_arrival;
            if at % 20_000_000 < 15_000_000 {
                beside += 1;
            } else {
                within += 1;
            }
            clients.schedule_next(at);
        }
        // Fifteen of twenty seconds at 100, five at 1,000, twenty times.
        assert!((29_000..31_000).contains(&beside), "{beside}");
        assert!((98_000..102_000).contains(&within), "{within}");
    }
}
