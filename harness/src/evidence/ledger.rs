//! The ledger at the end, beside what the prior release's engine makes of the order log.

use std::fmt;

use dex::Exchange;
use dex::types::{Side, StableHash};

use super::BookEntry;

/// What a ledger holds, and what it should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// The last entry of the order log that both include.
    pub as_of: u64,
    /// What was found in the ledger.
    pub found: LedgerState,
    /// What the prior release's engine makes of the ledger as it was before the deployment, and of the order log.
    pub expected: LedgerState,
    /// Entries of the order log, and so acknowledged or about to be, that this engine refuses.
    pub refused: Vec<u64>,
}

/// The state of a ledger in canonical form, whatever its schema: two ledgers hold the same if and only if these are
/// equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// Every number, ascending by its slot.
    pub rows: Vec<(Slot, i64)>,
    /// The trades, ascending.
    pub trades: Vec<BookEntry>,
}

/// What a number in a ledger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The last entry of the order log that the tables include.
    Applied,
    /// The last trade's id.
    LastTrade,
    /// What an account may spend, in minor units.
    Free {
        /// The account.
        account: u32,
        /// The asset.
        asset: u16,
    },
    /// What an account's open orders reserve, in minor units.
    Locked {
        /// The account.
        account: u32,
        /// The asset.
        asset: u16,
    },
    /// The venue's fees of an asset, in minor units.
    Fees(u16),
    /// Its suspense account.
    Suspense(u16),
    /// Its adjustments.
    Adjustments(u16),
    /// Net deposits.
    Deposits(u16),
    /// An open order: a hash of its market, account, side, price, quantity and what is left of it.
    Order(u64),
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied => f.write_str("the position in the order log"),
            Self::LastTrade => f.write_str("the last trade's id"),
            Self::Free { account, asset } => {
                write!(f, "account {account}'s free balance of asset {asset}")
            }
            Self::Locked { account, asset } => {
                write!(f, "account {account}'s locked balance of asset {asset}")
            }
            Self::Fees(asset) => write!(f, "the venue's fees in asset {asset}"),
            Self::Suspense(asset) => write!(f, "the venue's suspense in asset {asset}"),
            Self::Adjustments(asset) => write!(f, "the venue's adjustments in asset {asset}"),
            Self::Deposits(asset) => write!(f, "the deposits of asset {asset}"),
            Self::Order(id) => write!(f, "open order {id}"),
        }
    }
}

impl LedgerState {
    /// The state of `exchange`, with `trades` in any order.
    #[must_use]
    pub fn of(exchange: &Exchange, mut trades: Vec<BookEntry>) -> Self {
        let ledger = exchange.ledger();
        let assets = usize::from(ledger.assets()).max(1);
        let balances = ledger.balances();
        let mut rows = Vec::with_capacity(2 * balances.len() + exchange.open_orders() + 32);
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        rows.push((Slot::Applied, number(exchange.seq().0)));
        rows.push((Slot::LastTrade, number(exchange.trade_id().0)));
        for (n, balance) in balances.iter().enumerate() {
            let account = u32::try_from(n / assets).unwrap_or(u32::MAX);
            let asset = u16::try_from(n % assets).unwrap_or(u16::MAX);
            rows.push((Slot::Free { account, asset }, balance.free.0));
            rows.push((Slot::Locked { account, asset }, balance.locked.0));
        }
        for (n, venue) in ledger.venue().iter().enumerate() {
            let asset = u16::try_from(n).unwrap_or(u16::MAX);
            rows.push((Slot::Fees(asset), venue.fees.0));
            rows.push((Slot::Suspense(asset), venue.suspense.0));
            rows.push((Slot::Adjustments(asset), venue.adjustments.0));
            rows.push((Slot::Deposits(asset), venue.deposits.0));
        }
        for (spec, book) in exchange.markets() {
            for (_, order) in book.orders() {
                let mut hash = StableHash::default();
                hash.words([
                    u64::from(spec.id.0) << 1 | u64::from(order.side == Side::Buy),
                    u64::from(order.account.0),
                    order.price.0.cast_unsigned(),
                    order.qty.0.cast_unsigned(),
                    order.remaining.0.cast_unsigned(),
                ]);
                rows.push((Slot::Order(order.id.0), hash.digest().cast_signed()));
            }
        }
        rows.sort_unstable();
        if !trades.is_sorted() {
            trades.sort_unstable();
        }
        Self { rows, trades }
    }
}
