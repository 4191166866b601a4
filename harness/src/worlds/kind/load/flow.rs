//! Which order comes next: the mix of the simulation's clients (`sim_exchange`), from the drill's seed.

use std::collections::{BTreeMap, VecDeque};

use dex::command::Command;
use dex::market::MarketSpec;
use dex::service::api::{OrderReply, OrderRequest};
use dex::types::{AccountId, MarketId, OrderId, Price, Qty, Side, Tif};
use sim::rng::Rng;
use sim_exchange::Bursts;

use crate::scenario::Load;
use crate::worlds::common::bursts;

/// Per mille of the requests that are invalid, cross the spread, and cancel.
const INVALID: u64 = 10;
const CROSSING: u64 = 365;
const CANCELLING: u64 = 130;
/// Orders in the book that clients remember; beyond, they rather cancel than add another.
const OPEN_MAX: usize = 800;
/// Requests between two steps of a market's mid price.
const DRIFT_EVERY: u64 = 32;

/// The clients' minds.
pub(super) struct Flow {
    rng: Rng,
    accounts: u64,
    specs: Vec<MarketSpec>,
    mids: Vec<i64>,
    mean_gap_us: u64,
    bursts: Option<Bursts>,
    id: u64,
    /// Resting orders, the oldest first, and whose they are.
    open: VecDeque<(u64, u32)>,
    /// What is left of them, as far as their owners have learned it.
    left: BTreeMap<u64, i64>,
}

impl Flow {
    pub(super) fn new(load: &Load, seed: u64) -> Self {
        let markets = u16::try_from(load.markets).unwrap_or(u16::MAX).max(1);
        let specs: Vec<_> = (0..markets).map(MarketSpec::standard).collect();
        Self {
            rng: Rng::derive(seed, "clients"),
            accounts: u64::from(load.accounts.max(1)),
            mids: specs.iter().map(|spec| spec.mid_price().0).collect(),
            specs,
            mean_gap_us: 1_000_000 / u64::from(load.rate_per_s.max(1)),
            bursts: bursts(load),
            id: 0,
            open: VecDeque::new(),
            left: BTreeMap::new(),
        }
    }

    /// Who asks next (one of `clients`), at `at_us` since the beginning: the request's id, what it asks, and when the
    /// one after it is sent.
    pub(super) fn next(&mut self, clients: u64, at_us: u64) -> (u64, u64, Command, u64) {
        self.id += 1;
        let command = self.command();
        let client = self.rng.below(clients);
        (client, self.id, command, self.after(at_us))
    }

    /// When the request after the one at `at_us` is sent. A gap that reaches into another rate is drawn anew from where
    /// that begins.
    fn after(&mut self, at_us: u64) -> u64 {
        let Some(bursts) = self.bursts else {
            return at_us + self.gap(self.mean_gap_us);
        };
        let mut from = at_us;
        loop {
            let (bursting, until) = bursts.at(from);
            let mean = if bursting {
                1_000_000 / bursts.rate_per_s.max(1)
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

    /// A Poisson process: exponentially distributed gaps. This world is not replayed, so a float decides nothing.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "gaps are some ms, and positive"
    )]
    fn gap(&mut self, mean_us: u64) -> u64 {
        let uniform = (self.rng.below(1 << 32) + 1) as f64 / (1_u64 << 32) as f64;
        (-uniform.ln() * mean_us as f64) as u64
    }

    fn command(&mut self) -> Command {
        let kind = self.rng.below(1_000);
        let wants_cancel = (INVALID + CROSSING..INVALID + CROSSING + CANCELLING).contains(&kind);
        let crowded = self.open.len() >= OPEN_MAX && kind >= INVALID + CROSSING;
        if (wants_cancel || crowded)
            && let Some(cancel) = self.cancel()
        {
            return cancel;
        }
        let account = AccountId(u32::try_from(self.rng.below(self.accounts)).unwrap_or(0));
        let market = usize::try_from(self.rng.below(self.specs.len() as u64)).unwrap_or(0);
        if self.id.is_multiple_of(DRIFT_EVERY) {
            self.drift(market);
        }
        let side = if self.rng.ratio(1, 2) {
            Side::Buy
        } else {
            Side::Sell
        };
        let crossing = (INVALID..INVALID + CROSSING).contains(&kind);
        let distance = i64::try_from(self.rng.between(1, 16)).unwrap_or(1);
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
            i64::try_from(self.rng.between(1, 128)).unwrap_or(1)
        };
        Command::Place {
            account,
            market: MarketId(u16::try_from(market).unwrap_or(0)),
            side,
            price: Price(self.mids[market] + offset),
            qty: Qty(qty),
            tif: if crossing && self.rng.ratio(1, 2) {
                Tif::Ioc
            } else {
                Tif::Gtc
            },
        }
    }

    fn drift(&mut self, market: usize) {
        let spec = &self.specs[market];
        let quarter = (spec.max_price().0 - spec.min_price.0) / 4;
        let step = if self.rng.ratio(1, 2) { 1 } else { -1 };
        let mid = self.mids[market] + step;
        self.mids[market] = mid.clamp(spec.min_price.0 + quarter, spec.max_price().0 - quarter);
    }

    /// Cancels the oldest open order that is not known to be filled.
    fn cancel(&mut self) -> Option<Command> {
        while let Some((id, account)) = self.open.pop_front() {
            if self.left.remove(&id).is_some_and(|left| left > 0) {
                return Some(Command::Cancel {
                    account: AccountId(account),
                    order: OrderId(id),
                });
            }
        }
        None
    }

    /// The clients learn from an answer: whose order rests, and which ones were filled.
    pub(super) fn learn(&mut self, request: &OrderRequest, reply: &OrderReply) {
        for trade in &reply.trades {
            if let Some(left) = self.left.get_mut(&trade.maker_order.0) {
                *left -= trade.qty.0;
            }
        }
        if request.place.is_some() && reply.resting.0 > 0 {
            self.open.push_back((reply.order_id.0, request.account.0));
            self.left.insert(reply.order_id.0, reply.resting.0);
            if self.open.len() > OPEN_MAX * 2
                && let Some((id, _)) = self.open.pop_front()
            {
                self.left.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        let load = Load {
            rate_per_s: 200,
            accounts: 100,
            markets: 2,
            bursts: None,
        };
        Flow::new(&load, 7)
    }

    #[test]
    fn a_burst_has_its_own_rate() {
        use std::time::Duration;
        let load = Load {
            rate_per_s: 100,
            accounts: 100,
            markets: 2,
            bursts: Some(crate::scenario::Bursts {
                rate_per_s: 400,
                every: Duration::from_secs(20),
                lasts: Duration::from_secs(5),
            }),
        };
        let mut flow = Flow::new(&load, 7);
        let (mut at, mut within, mut beside) = (0, 0_u32, 0_u32);
        while at < 200_000_000 {
            if at % 20_000_000 < 15_000_000 {
                beside += 1;
            } else {
                within += 1;
            }
            at = flow.next(64, at).3;
        }
        // Fifteen of twenty seconds at 100, five at 400, ten times.
        assert!((14_300..15_700).contains(&beside), "{beside}");
        assert!((19_300..20_700).contains(&within), "{within}");
    }

    #[test]
    fn the_mix_and_the_rate_are_those_of_the_simulation() {
        let mut flow = flow();
        let (mut invalid, mut ioc, mut at) = (0, 0, 0);
        for _ in 0..20_000 {
            let (client, _, command, next) = flow.next(64, at);
            assert!(client < 64);
            at = next;
            if let Command::Place { qty, tif, .. } = command {
                invalid += u32::from(qty.0 == 0);
                ioc += u32::from(tif == Tif::Ioc);
            }
        }
        assert!((150..250).contains(&invalid), "{invalid} invalid");
        assert!((3_400..3_900).contains(&ioc), "{ioc} immediate or cancel");
        let mean = at / 20_000;
        assert!((4_850..5_150).contains(&mean), "mean gap {mean} µs");
    }

    #[test]
    fn what_is_filled_is_not_cancelled() {
        let mut flow = flow();
        let place = |id| {
            let command = Command::Place {
                account: AccountId(3),
                market: MarketId(0),
                side: Side::Buy,
                price: Price(9_000),
                qty: Qty(5),
                tif: Tif::Gtc,
            };
            OrderRequest::new(id, &command)
        };
        let rests = |id| OrderReply {
            order_id: OrderId(id),
            filled: Qty(0),
            resting: Qty(5),
            trades: Vec::new(),
        };
        flow.learn(&place(1), &rests(11));
        flow.learn(&place(2), &rests(12));
        flow.left.insert(11, 0);
        let cancel = Command::Cancel {
            account: AccountId(3),
            order: OrderId(12),
        };
        assert_eq!(flow.cancel(), Some(cancel));
        assert_eq!(flow.cancel(), None);
    }
}
