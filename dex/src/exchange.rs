//! The matching core: several markets over one ledger, as a deterministic state machine.
//!
//! `state × command → state × events`. No clock, no randomness, no I/O: replaying the order log gives the
//! same orders, trades and ids. Only an accepted command advances the sequence; whatever was
//! rejected or failed has changed nothing and does not belong in the log.
//!
//! The [`Build`] decides which code runs: the faults of bad releases sit in the very places where such
//! bugs live (choice of the maker, settlement, the request path's decoder).

use crate::book::{Book, Resting, Slot};
use crate::command::{CloseReason, Command, Event, EventSink, Failure, Outcome, Reject, Trade};
use crate::index::OrderIndex;
use crate::ledger::Ledger;
use crate::market::MarketSpec;
use crate::release::{Build, Defect};
use crate::types::{
    AccountId, Amount, AssetId, MarketId, OrderId, Price, Qty, Seq, Side, StableHash, Tif, TradeId,
    Work,
};

/// Work of taking an order: checks, reservation, log entry, answer.
pub const WORK_PLACE: u64 = 80;
/// Work of a cancellation.
pub const WORK_CANCEL: u64 = 40;
/// Work of matching and settling one fill.
pub const WORK_FILL: u64 = 25;
/// A deposit in each asset with which no account of a drill runs short, in minor units.
pub const AMPLE_DEPOSIT: Amount = Amount(2_000_000_000_000);

/// Every so many trades the faulty settlement credits twice, or the wrong account.
const FAULTY_SETTLEMENT_EVERY: u64 = 16;

/// One market: its terms and its book.
#[derive(Clone, Debug)]
struct Market {
    spec: MarketSpec,
    book: Book,
}

/// The exchange's state and the build that runs on it.
#[derive(Clone, Debug)]
pub struct Exchange {
    build: Build,
    /// Which process this is. Correct code never looks at it.
    instance: u64,
    seq: Seq,
    trade_id: TradeId,
    markets: Vec<Market>,
    ledger: Ledger,
    index: OrderIndex,
    /// Stays 0 unless a build lets its process leak into the state.
    stamp: u64,
    /// Accounts whose row the build could not decode, ascending.
    undecodable: Vec<AccountId>,
    work: Work,
}

/// An order that is about to be matched.
struct Taker {
    id: OrderId,
    account: AccountId,
    side: Side,
    price: Price,
    remaining: Qty,
}

impl Exchange {
    /// A fresh exchange with `markets` standard markets, `accounts` accounts and about `deposit` of every
    /// asset on each account. Balances differ a little from account to account, as real ones do.
    ///
    /// # Panics
    /// If the deposits exceed [`DEPOSITS_MAX`](crate::ledger::DEPOSITS_MAX) in total, or `deposit` is not positive.
    #[must_use]
    pub fn genesis(build: Build, accounts: u32, markets: u16, deposit: Amount) -> Self {
        let specs: Vec<MarketSpec> = (0..markets).map(MarketSpec::standard).collect();
        let mut ledger = Ledger::new(accounts, markets + 1);
        for account in 0..accounts {
            for asset in 0..=markets {
                let extra = (u64::from(account) * 37 + u64::from(asset) * 11) % 10_007;
                ledger
                    .deposit(
                        AccountId(account),
                        AssetId(asset),
                        deposit + Amount(extra as i64),
                    )
                    .expect("deposits are in range");
            }
        }
        Self::from_parts(build, &specs, ledger, Vec::new(), Seq(0), TradeId(0))
    }

    /// An exchange out of its parts: open orders in any order, with their positions.
    ///
    /// # Panics
    /// If a market's terms are not sound, markets are not numbered from 0, or an order does not fit its market.
    #[must_use]
    pub fn from_parts(
        build: Build,
        specs: &[MarketSpec],
        ledger: Ledger,
        mut orders: Vec<(MarketId, Resting)>,
        seq: Seq,
        trade_id: TradeId,
    ) -> Self {
        let mut markets: Vec<Market> = Vec::with_capacity(specs.len());
        for (n, spec) in specs.iter().enumerate() {
            assert!(
                spec.is_sound() && usize::from(spec.id.0) == n,
                "sound terms, numbered from 0"
            );
            markets.push(Market {
                spec: *spec,
                book: Book::new(spec.min_price),
            });
        }
        // A level's queue is in the order of arrival, which is the order of ids.
        orders.sort_unstable_by_key(|(_, o)| o.id);
        let mut index = OrderIndex::new();
        for (market, order) in orders {
            let book = &mut markets[usize::from(market.0)].book;
            assert!(book.in_band(order.price), "the price fits the market");
            let slot = book.insert(order);
            index.insert(order.id, market, slot);
        }
        Self {
            build,
            instance: 0,
            seq,
            trade_id,
            markets,
            ledger,
            index,
            stamp: 0,
            undecodable: Vec::new(),
            work: Work(0),
        }
    }

    /// The same state under another build, in another process.
    #[must_use]
    pub fn under(mut self, build: Build, instance: u64) -> Self {
        self.build = build;
        self.instance = instance;
        self.undecodable.clear();
        self
    }

    pub(crate) fn set_undecodable(&mut self, accounts: Vec<AccountId>) {
        self.undecodable = accounts;
    }

    /// Accounts whose requests fail because the build could not decode their row, ascending.
    #[must_use]
    pub fn undecodable(&self) -> &[AccountId] {
        &self.undecodable
    }

    /// The build that runs.
    #[must_use]
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// The last command applied.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The last trade's id: also the number of trades ever made.
    #[must_use]
    pub fn trade_id(&self) -> TradeId {
        self.trade_id
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Every market's terms and book, by id.
    pub fn markets(&self) -> impl Iterator<Item = (&MarketSpec, &Book)> {
        self.markets.iter().map(|m| (&m.spec, &m.book))
    }

    /// The terms and the book of one market.
    #[must_use]
    pub fn market(&self, id: MarketId) -> Option<(&MarketSpec, &Book)> {
        self.markets
            .get(usize::from(id.0))
            .map(|m| (&m.spec, &m.book))
    }

    /// An open order.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<(MarketId, &Resting)> {
        let (market, slot) = self.index.get(id)?;
        Some((market, self.markets[usize::from(market.0)].book.get(slot)))
    }

    /// Number of open orders.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.markets.iter().map(|m| m.book.len()).sum()
    }

    /// Work done by the last command.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work
    }

    /// Applies one command and tells `events` what happened.
    ///
    /// # Panics
    /// If `seq` is not the number after the last accepted command's.
    #[inline]
    pub fn apply(&mut self, seq: Seq, command: &Command, events: &mut impl EventSink) -> Outcome {
        if !self.undecodable.is_empty()
            && self.undecodable.binary_search(&command.account()).is_ok()
        {
            self.work = Work(WORK_CANCEL);
            return Outcome::Failed(Failure::AccountUndecodable(command.account()));
        }
        self.execute(seq, command, events)
    }

    /// As [`Exchange::apply`], past the request path: what a replay does.
    #[inline]
    pub(crate) fn execute(
        &mut self,
        seq: Seq,
        command: &Command,
        events: &mut impl EventSink,
    ) -> Outcome {
        assert_eq!(seq.0, self.seq.0 + 1, "commands are applied in sequence");
        let outcome = match *command {
            Command::Place {
                account,
                market,
                side,
                price,
                qty,
                tif,
            } => {
                self.work = Work(WORK_PLACE);
                let taker = Taker {
                    id: OrderId(seq.0),
                    account,
                    side,
                    price,
                    remaining: qty,
                };
                self.place(seq, market, taker, tif, events)
            }
            Command::Cancel { account, order } => {
                self.work = Work(WORK_CANCEL);
                self.cancel(account, order, events)
            }
        };
        match outcome {
            Ok(accepted) => {
                self.seq = seq;
                accepted
            }
            Err(reject) => Outcome::Rejected(reject),
        }
    }

    /// Passes over a log entry that this build does not accept (see [`crate::order_log::replay`]).
    pub(crate) fn skip(&mut self, seq: Seq) {
        self.seq = seq;
    }

    #[inline]
    fn place(
        &mut self,
        seq: Seq,
        market_id: MarketId,
        mut taker: Taker,
        tif: Tif,
        events: &mut impl EventSink,
    ) -> Result<Outcome, Reject> {
        if taker.account.0 >= self.ledger.accounts() {
            return Err(Reject::UnknownAccount);
        }
        let market_index = usize::from(market_id.0);
        let Market { spec, book } = self
            .markets
            .get(market_index)
            .ok_or(Reject::UnknownMarket)?;
        let spec = *spec;
        if !book.in_band(taker.price) {
            return Err(Reject::PriceOutOfBand);
        }
        if !(1..=spec.max_qty.0).contains(&taker.remaining.0) {
            return Err(Reject::QtyOutOfRange);
        }
        let reserved = spec.reservation(taker.side, taker.price, taker.remaining);
        self.ledger
            .reserve(taker.account, spec.reserved_asset(taker.side), reserved)
            .map_err(|_| Reject::InsufficientFunds)?;
        let qty = taker.remaining;
        events.push(Event::OrderAccepted {
            order: taker.id,
            account: taker.account,
            market: market_id,
            side: taker.side,
            price: taker.price,
            qty,
        });
        while taker.remaining.0 > 0 {
            let Some(slot) = self.next_maker(market_index, &taker) else {
                break;
            };
            self.fill(seq, &spec, &mut taker, slot, events);
        }
        let left = taker.remaining;
        let mut resting = Qty(0);
        if left.0 == 0 {
            events.push(closed(taker.id, taker.account, left, CloseReason::Filled));
        } else if tif == Tif::Ioc {
            let rest = spec.reservation(taker.side, taker.price, left);
            self.ledger
                .release(taker.account, spec.reserved_asset(taker.side), rest);
            events.push(closed(taker.id, taker.account, left, CloseReason::Expired));
        } else {
            resting = left;
            let slot = self.markets[market_index].book.insert(Resting {
                id: taker.id,
                account: taker.account,
                side: taker.side,
                price: taker.price,
                qty,
                remaining: left,
            });
            self.index.insert(taker.id, market_id, slot);
        }
        Ok(Outcome::Accepted {
            order_id: taker.id,
            filled: Qty(qty.0 - left.0),
            resting,
        })
    }

    /// The resting order that `taker` meets next, if their prices cross.
    #[inline]
    fn next_maker(&self, market: usize, taker: &Taker) -> Option<Slot> {
        let book = &self.markets[market].book;
        let side = taker.side.opposite();
        let best = book.best(side)?;
        let crosses = match taker.side {
            Side::Buy => best <= taker.price,
            Side::Sell => best >= taker.price,
        };
        if !crosses {
            return None;
        }
        if self.build.has(Defect::PriorityInversion) {
            return book.back(side);
        }
        book.front(side)
    }

    /// Matches `taker` with the order in `slot`, at the maker's price.
    #[inline]
    fn fill(
        &mut self,
        seq: Seq,
        spec: &MarketSpec,
        taker: &mut Taker,
        slot: Slot,
        events: &mut impl EventSink,
    ) {
        self.work.0 += WORK_FILL;
        let book = &mut self.markets[usize::from(spec.id.0)].book;
        let maker = *book.get(slot);
        let qty = Qty(taker.remaining.0.min(maker.remaining.0));
        if qty == maker.remaining {
            book.remove(slot);
            self.index.remove(maker.id);
        } else {
            book.reduce(slot, qty);
        }
        self.trade_id.0 += 1;
        let notional = spec.notional(maker.price, qty);
        let trade = Trade {
            id: self.trade_id,
            seq,
            market: spec.id,
            price: maker.price,
            qty,
            taker_side: taker.side,
            taker_order: taker.id,
            taker: taker.account,
            maker_order: maker.id,
            maker: maker.account,
            taker_fee: Amount(spec.taker_fee(notional)),
            maker_fee: Amount(spec.maker_fee(notional)),
        };
        let (buy_limit, buy_remaining) = match taker.side {
            Side::Buy => (taker.price, taker.remaining),
            Side::Sell => (maker.price, maker.remaining),
        };
        self.settle(spec, &trade, notional, buy_limit, buy_remaining);
        taker.remaining.0 -= qty.0;
        events.push(Event::Trade(trade));
        if qty == maker.remaining {
            events.push(closed(maker.id, maker.account, Qty(0), CloseReason::Filled));
        }
        if self.build.has(Defect::UnstableHash) {
            // The defect: something of the process (an address, a clock) gets into the state.
            let mut hash = StableHash::from_digest(self.stamp);
            hash.word(self.instance);
            self.stamp = hash.digest();
        }
    }

    /// Settles one trade: base to the buyer, notional to the seller, fees to the venue, and what
    /// the buyer had reserved beyond that back to the buyer.
    #[inline]
    fn settle(
        &mut self,
        spec: &MarketSpec,
        trade: &Trade,
        notional: i64,
        buy_limit: Price,
        buy_remaining: Qty,
    ) {
        let (buyer, buyer_fee, seller, seller_fee) = match trade.taker_side {
            Side::Buy => (trade.taker, trade.taker_fee, trade.maker, trade.maker_fee),
            Side::Sell => (trade.maker, trade.maker_fee, trade.taker, trade.taker_fee),
        };
        let cost = Amount(notional);
        let after = Qty(buy_remaining.0 - trade.qty.0);
        let freed = spec.reservation(Side::Buy, buy_limit, buy_remaining)
            - spec.reservation(Side::Buy, buy_limit, after);
        let base = Amount(spec.base_amount(trade.qty));
        self.ledger.settle(seller, buyer, spec.base, base);
        let faulty = trade.id.0.is_multiple_of(FAULTY_SETTLEMENT_EVERY);
        let paid = if self.build.has(Defect::Misdirected) && faulty {
            // The defect: an index that is off by one.
            AccountId((seller.0 + 1) % self.ledger.accounts())
        } else {
            seller
        };
        self.ledger.settle(buyer, paid, spec.quote, cost);
        self.ledger.fee_from_locked(buyer, spec.quote, buyer_fee);
        self.ledger.fee_from_free(seller, spec.quote, seller_fee);
        self.ledger
            .release(buyer, spec.quote, freed - cost - buyer_fee);
        if self.build.has(Defect::DoubleCredit) && faulty {
            // The defect: a retried settlement is taken for a new one, and only its credit goes through.
            self.ledger.credit_without_debit(seller, spec.quote, cost);
        }
    }

    #[inline]
    fn cancel(
        &mut self,
        account: AccountId,
        id: OrderId,
        events: &mut impl EventSink,
    ) -> Result<Outcome, Reject> {
        let (market, slot) = self.index.get(id).ok_or(Reject::UnknownOrder)?;
        let Market { spec, book } = &mut self.markets[usize::from(market.0)];
        if book.get(slot).account != account {
            return Err(Reject::UnknownOrder);
        }
        let order = book.remove(slot);
        self.index.remove(id);
        let rest = spec.reservation(order.side, order.price, order.remaining);
        self.ledger
            .release(account, spec.reserved_asset(order.side), rest);
        events.push(closed(id, account, order.remaining, CloseReason::Cancelled));
        Ok(Outcome::Accepted {
            order_id: id,
            filled: Qty(0),
            resting: Qty(0),
        })
    }

    /// Whether nothing of the process that computed the state is in it, as must be.
    #[must_use]
    pub fn is_of_no_process(&self) -> bool {
        self.stamp == 0
    }

    /// A hash of the whole state: positions, balances, and open orders by priority. It does not depend
    /// on the build, the process, or the layout in memory.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let mut hash = StableHash::default();
        hash.word(self.seq.0);
        hash.word(self.trade_id.0);
        hash.word(self.stamp);
        self.ledger.hash_into(&mut hash);
        for market in &self.markets {
            hash.word(u64::from(market.spec.id.0));
            hash.word(market.book.len() as u64);
            for (_, o) in market.book.orders() {
                hash.words([
                    o.id.0,
                    u64::from(o.account.0) << 1 | u64::from(o.side == Side::Sell),
                    o.price.0 as u64,
                    o.qty.0 as u64,
                    o.remaining.0 as u64,
                ]);
            }
        }
        hash.digest()
    }

    /// Books `amount` to an account and to nobody else, as whoever writes to the table by hand can do:
    /// the books are off by it.
    ///
    /// # Panics
    /// If there is no such account or asset.
    pub fn book_without_counter_entry(
        &mut self,
        account: AccountId,
        asset: AssetId,
        amount: Amount,
    ) {
        self.ledger.credit_without_debit(account, asset, amount);
    }

    /// The ledger to overwrite, for tests that doctor a state.
    #[cfg(test)]
    pub(crate) fn doctor_ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// A book to overwrite, for tests that doctor a state.
    #[cfg(test)]
    pub(crate) fn doctor_book(&mut self, market: MarketId) -> &mut Book {
        &mut self.markets[usize::from(market.0)].book
    }
}

#[inline]
const fn closed(order: OrderId, account: AccountId, unfilled: Qty, reason: CloseReason) -> Event {
    Event::OrderClosed {
        order,
        account,
        unfilled,
        reason,
    }
}

#[cfg(test)]
mod tests;
