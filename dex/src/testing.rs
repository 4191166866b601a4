//! Traffic for the unit tests of this crate.

use crate::command::{Command, Event, Outcome, Trade};
use crate::exchange::{AMPLE_DEPOSIT, Exchange};
use crate::order_log::OrderLog;
use crate::release::{Build, Defect, Service};
use crate::types::{AccountId, MarketId, OrderId, Price, Qty, Seq, Side, Tif};

/// The stable matching build, or the same with a fault.
pub(crate) fn matching(fault: Option<Defect>) -> Build {
    fault.map_or(Build::stable(Service::Matching), |f| {
        Build::with_fault(Service::Matching, f)
    })
}

/// An amply funded exchange with two markets.
pub(crate) fn genesis(fault: Option<Defect>, accounts: u32) -> Exchange {
    Exchange::genesis(matching(fault), accounts, 2, AMPLE_DEPOSIT)
}

/// An exchange and everything that happened on it since `from`.
pub(crate) struct History {
    pub(crate) from: Exchange,
    pub(crate) exchange: Exchange,
    pub(crate) log: OrderLog,
    pub(crate) events: Vec<Event>,
}

impl History {
    pub(crate) fn new(from: Exchange) -> Self {
        Self {
            exchange: from.clone(),
            from,
            log: OrderLog::new(),
            events: Vec::new(),
        }
    }

    /// Sends one command, and logs it if it is accepted.
    pub(crate) fn send(&mut self, command: Command) -> Outcome {
        let seq = Seq(self.exchange.seq().0 + 1);
        let outcome = self.exchange.apply(seq, &command, &mut self.events);
        if matches!(outcome, Outcome::Accepted { .. }) {
            self.log.append(seq, command).unwrap();
        }
        outcome
    }

    /// Sends `n` commands drawn from `seed`: prices near the middle, one in ten a cancellation, one in eight immediate.
    pub(crate) fn drive(mut self, n: usize, seed: u64) -> Self {
        let mut rng = Draw(seed);
        let accounts = self.exchange.ledger().accounts();
        for _ in 0..n {
            let command = draw(&mut rng, accounts, &self.exchange);
            self.send(command);
        }
        self
    }

    pub(crate) fn trades(&self) -> Vec<Trade> {
        trades(&self.events)
    }
}

pub(crate) fn trades(events: &[Event]) -> Vec<Trade> {
    events
        .iter()
        .filter_map(|e| match e {
            Event::Trade(t) => Some(*t),
            _ => None,
        })
        .collect()
}

/// A small generator (splitmix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

pub(crate) fn draw(rng: &mut Draw, accounts: u32, exchange: &Exchange) -> Command {
    let account = AccountId(rng.below(u64::from(accounts)) as u32);
    if rng.below(10) == 0 {
        let order = OrderId(rng.below(exchange.seq().0 + 1));
        let owner = exchange.order(order).map_or(account, |(_, o)| o.account);
        return Command::Cancel {
            account: owner,
            order,
        };
    }
    let market = MarketId(rng.below(2) as u16);
    let mid = exchange.market(market).unwrap().0.mid_price().0;
    Command::Place {
        account,
        market,
        side: if rng.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        },
        price: Price(mid - 8 + rng.below(17) as i64),
        qty: Qty(1 + rng.below(40) as i64),
        tif: if rng.below(8) == 0 {
            Tif::Ioc
        } else {
            Tif::Gtc
        },
    }
}

/// A good-till-cancelled order, prices counted from the middle of the band.
pub(crate) fn place(account: u32, side: Side, offset: i64, qty: i64) -> Command {
    let mid = crate::market::MarketSpec::standard(0).mid_price().0;
    Command::Place {
        account: AccountId(account),
        market: MarketId(0),
        side,
        price: Price(mid + offset),
        qty: Qty(qty),
        tif: Tif::Gtc,
    }
}

/// The same, immediate or cancel.
pub(crate) fn immediate(account: u32, side: Side, offset: i64, qty: i64) -> Command {
    match place(account, side, offset, qty) {
        Command::Place {
            account,
            market,
            side,
            price,
            qty,
            ..
        } => Command::Place {
            account,
            market,
            side,
            price,
            qty,
            tif: Tif::Ioc,
        },
        cancel @ Command::Cancel { .. } => cancel,
    }
}
