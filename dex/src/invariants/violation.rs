//! What the functions find: a broken invariant, with whom and by how much.

use crate::order_log::LogError;
use crate::types::{AccountId, Amount, AssetId, MarketId, OrderId, Qty, TradeId};

/// A broken invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// 1: an asset's books do not balance; positive: there is too much.
    #[error("asset {asset} is off by {by}")]
    NotConserved {
        /// The asset.
        asset: AssetId,
        /// Sum of all balances less net deposits.
        by: Amount,
    },
    /// 1: a balance below zero.
    #[error("account {account} has a negative balance of asset {asset}")]
    Negative {
        /// The account.
        account: AccountId,
        /// The asset.
        asset: AssetId,
    },
    /// 2: locked differs from what open orders reserve.
    #[error(
        "account {account} has {locked} of asset {asset} locked, its orders reserve {reserved}"
    )]
    LockedMismatch {
        /// The account.
        account: AccountId,
        /// The asset.
        asset: AssetId,
        /// What is locked.
        locked: Amount,
        /// What its open orders reserve.
        reserved: Amount,
    },
    /// 3: the best bid reaches the best ask.
    #[error("market {0} is crossed")]
    Crossed(MarketId),
    /// 4: a trade without exactly one buying and one selling fill.
    #[error("trade {trade} has {fills} fills")]
    NotTwoFills {
        /// The trade.
        trade: TradeId,
        /// How many fills name it.
        fills: usize,
    },
    /// 4: the two fills of a trade differ in size, price or order, or are on one side.
    #[error("the fills of trade {0} do not match it")]
    UnequalFills(TradeId),
    /// 5: more was filled than ordered.
    #[error("order {order} over {ordered} lots was filled with {filled}")]
    Overfilled {
        /// The order.
        order: OrderId,
        /// Lots ordered.
        ordered: Qty,
        /// Lots filled.
        filled: Qty,
    },
    /// 5: an order rests with nothing left of it.
    #[error("order {0} rests without a remainder")]
    EmptyResting(OrderId),
    /// 6: another order should have been served.
    #[error("trade {trade} passed over order {before}")]
    PassedOver {
        /// The trade.
        trade: TradeId,
        /// The order that had priority.
        before: OrderId,
    },
    /// 6: a trade with an order that is not open, or at a price that it does not allow.
    #[error("trade {trade} does not fit order {order}")]
    Impossible {
        /// The trade.
        trade: TradeId,
        /// The order.
        order: OrderId,
    },
    /// 7: one trade id, two trades or two settlements.
    #[error("trade {0} appears twice")]
    Twice(TradeId),
    /// 8: a gap or a broken chain in the order log.
    #[error("order log")]
    Log(#[source] LogError),
    /// 8: a gap in the trade ids.
    #[error("expected trade {expected}, found {found}")]
    TradeGap {
        /// The id that should come.
        expected: TradeId,
        /// The one that came.
        found: TradeId,
    },
    /// 9: two processes replayed one log to different states.
    #[error("state hashes {first:016x} and {second:016x} of one log")]
    NotDeterministic {
        /// Hash in one process.
        first: u64,
        /// Hash in another.
        second: u64,
    },
    /// 9: something of the process that computed it is in the state.
    #[error("the state depends on the process that computed it")]
    OfOneProcess,
    /// 10: the state after the rollback is not the one that the log gives.
    #[error("state hash {actual:016x}, the log gives {expected:016x}")]
    NotRecovered {
        /// Hash of snapshot and replay.
        expected: u64,
        /// Hash found.
        actual: u64,
    },
    /// 11: acknowledged, absent, and not reported lost.
    #[error("acknowledged {0} is absent and was not reported lost")]
    LostSilently(Acked),
    /// 11: its content is not what was acknowledged.
    #[error("acknowledged {0} is present with another content")]
    Altered(Acked),
    /// 11: present more than once.
    #[error("{0} was executed more than once")]
    ExecutedTwice(Acked),
    /// 11: reported lost, and yet present: it would be executed a second time if sent again.
    #[error("{0} was reported lost and is present")]
    ReportedLostButPresent(Acked),
}

/// Something that a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acked {
    /// An order was taken.
    Order(OrderId),
    /// A trade was made.
    Trade(TradeId),
}

impl std::fmt::Display for Acked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Order(id) => write!(f, "order {id}"),
            Self::Trade(id) => write!(f, "trade {id}"),
        }
    }
}
