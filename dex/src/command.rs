//! What goes into the matching core and what comes out of it.

use serde::{Deserialize, Serialize};

use crate::types::{AccountId, Amount, MarketId, OrderId, Price, Qty, Seq, Side, Tif, TradeId};

/// One command, as it stands in the order log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Places a limit order.
    Place {
        /// Who places it.
        account: AccountId,
        /// Where.
        market: MarketId,
        /// Buy or sell.
        side: Side,
        /// Limit price in ticks.
        price: Price,
        /// Quantity in lots.
        qty: Qty,
        /// How long it lives.
        tif: Tif,
    },
    /// Cancels what is left of an order.
    Cancel {
        /// Who cancels; must own the order.
        account: AccountId,
        /// Which order.
        order: OrderId,
    },
}

impl Command {
    /// The account that sent the command.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Place { account, .. } | Self::Cancel { account, .. } => *account,
        }
    }
}

/// Why a command was refused on business grounds (HTTP 400: not an error of the exchange).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Reject {
    /// No such account.
    #[error("unknown account")]
    UnknownAccount,
    /// No such market.
    #[error("unknown market")]
    UnknownMarket,
    /// The price is outside the market's band.
    #[error("price outside the band")]
    PriceOutOfBand,
    /// The quantity is not in `1..=max_qty`.
    #[error("quantity out of range")]
    QtyOutOfRange,
    /// The free balance does not cover the reservation.
    #[error("insufficient funds")]
    InsufficientFunds,
    /// The order is not open, or is another account's.
    #[error("unknown order")]
    UnknownOrder,
    /// The gateway's limit of requests per account and second.
    #[error("rate limit exceeded")]
    RateLimited,
    /// The gateway has seen this request id a moment ago.
    #[error("duplicate request")]
    Duplicate,
    /// The gateway's limit of notional per order.
    #[error("order too large")]
    OrderTooLarge,
}

/// Why the exchange failed a request (HTTP 500): an error of the release, not of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The build could not decode the account's row.
    #[error("cannot decode the balance of account {0}")]
    AccountUndecodable(AccountId),
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Accepted {
        /// The order that was placed or cancelled.
        order_id: OrderId,
        /// Lots filled at once (0 for a cancel).
        filled: Qty,
        /// Lots that rest in the book now (0 for a cancel).
        resting: Qty,
    },
    /// It was refused and changed nothing.
    Rejected(Reject),
    /// The exchange failed; nothing was changed and the command must **not** be appended to the log.
    Failed(Failure),
}

/// A trade, complete: what the ledger settles, what clients are told and what the `trades` table keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Trade id.
    pub id: TradeId,
    /// The command that caused it.
    pub seq: Seq,
    /// Market.
    pub market: MarketId,
    /// Price: the maker's.
    pub price: Price,
    /// Lots.
    pub qty: Qty,
    /// Side of the taker.
    pub taker_side: Side,
    /// Order that came later.
    pub taker_order: OrderId,
    /// Its account.
    pub taker: AccountId,
    /// Order that was in the book.
    pub maker_order: OrderId,
    /// Its account.
    pub maker: AccountId,
    /// Fee of the taker, in the quote asset.
    pub taker_fee: Amount,
    /// Fee of the maker, in the quote asset.
    pub maker_fee: Amount,
}

/// One side of a trade, as the account that took part sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Trade id, the same on both sides.
    pub trade: TradeId,
    /// Own order.
    pub order: OrderId,
    /// Own account.
    pub account: AccountId,
    /// Own side.
    pub side: Side,
    /// Price in ticks.
    pub price: Price,
    /// Lots.
    pub qty: Qty,
}

impl Trade {
    /// Both sides of the trade: the taker's, then the maker's.
    #[must_use]
    pub const fn fills(&self) -> [Fill; 2] {
        [
            Fill {
                trade: self.id,
                order: self.taker_order,
                account: self.taker,
                side: self.taker_side,
                price: self.price,
                qty: self.qty,
            },
            Fill {
                trade: self.id,
                order: self.maker_order,
                account: self.maker,
                side: self.taker_side.opposite(),
                price: self.price,
                qty: self.qty,
            },
        ]
    }
}

/// Why an order is no longer open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Nothing is left.
    Filled,
    /// Its owner cancelled it.
    Cancelled,
    /// Immediate-or-cancel: the rest found no counterpart.
    Expired,
}

/// Who is told of what happens, in order. A [`Vec`] keeps all of it.
pub trait EventSink {
    /// Something happened.
    fn push(&mut self, event: Event);
}

impl EventSink for Vec<Event> {
    #[inline]
    fn push(&mut self, event: Event) {
        Self::push(self, event);
    }
}

/// Keeps nothing: for a replay of which only the state at the end matters.
impl EventSink for () {
    #[inline]
    fn push(&mut self, _: Event) {}
}

/// Something that happened, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An order was taken.
    OrderAccepted {
        /// Its id.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// Where.
        market: MarketId,
        /// Buy or sell.
        side: Side,
        /// Limit price.
        price: Price,
        /// Lots ordered.
        qty: Qty,
    },
    /// Two orders met.
    Trade(Trade),
    /// An order is closed.
    OrderClosed {
        /// Its id.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// Lots that were not filled.
        unfilled: Qty,
        /// Why.
        reason: CloseReason,
    },
}
