//! The ledger's tables, as whoever reads them finds them: the services that run, and whoever looks from outside.
//!
//! Amounts come as text whatever the schema, so a build that was made for another one stumbles in its own parser.

use tokio_postgres::{Row, Transaction};

use crate::book::Resting;
use crate::command::Trade;
use crate::market::MarketSpec;
use crate::order_log::LogEntry;
use crate::rows::{BalanceRow, Column, Rows, VenueRow};
use crate::types::{AccountId, Amount, AssetId, MarketId, OrderId, Price, Qty, Seq, Side, TradeId};

/// The columns of `trades` that [`trade`] reads, in their order.
pub const TRADE_COLUMNS: &str = "trade_id, seq, market, price, qty, taker_side::text, taker_order, taker, \
    maker_order, maker, taker_fee, maker_fee";

/// The columns of `order_log` that [`log_entry`] reads, in their order.
pub const LOG_COLUMNS: &str = "seq, entry::text, chain";

/// The rows of the ledger. Nothing of them is checked.
///
/// # Errors
/// The database's.
pub async fn rows(transaction: &Transaction<'_>) -> Result<Rows, tokio_postgres::Error> {
    let meta = transaction
        .query_one("SELECT applied_seq, trade_id FROM ledger_meta", &[])
        .await?;
    let markets = transaction
        .query(
            "SELECT market, base_asset, quote_asset, min_price, max_qty, base_per_lot, quote_per_tick_lot,
                    maker_fee_bps, taker_fee_bps
             FROM markets ORDER BY market",
            &[],
        )
        .await?;
    let balances = transaction
        .query(
            "SELECT account, asset, free::text, locked::text FROM balances ORDER BY account, asset",
            &[],
        )
        .await?;
    let venue = transaction
        .query(
            "SELECT asset, fees::text, suspense::text, adjustments::text, deposits::text
             FROM venue_balances ORDER BY asset",
            &[],
        )
        .await?;
    let orders = transaction
        .query(
            "SELECT market, order_id, account, side::text, price, qty, remaining
             FROM orders WHERE remaining > 0",
            &[],
        )
        .await?;
    Ok(Rows {
        applied_seq: Seq(unsigned(&meta, 0)),
        trade_id: TradeId(unsigned(&meta, 1)),
        markets: markets.iter().map(market).collect(),
        balances: balances
            .iter()
            .map(|row| BalanceRow {
                account: account(row, 0),
                asset: AssetId(small(row, 1)),
                free: amount(row, 2),
                locked: amount(row, 3),
            })
            .collect(),
        venue: venue
            .iter()
            .map(|row| VenueRow {
                asset: AssetId(small(row, 0)),
                fees: amount(row, 1),
                suspense: amount(row, 2),
                adjustments: amount(row, 3),
                deposits: amount(row, 4),
            })
            .collect(),
        orders: orders.iter().map(order).collect(),
    })
}

/// A row of `order_log`.
///
/// # Errors
/// Its command is none that this program knows.
pub fn log_entry(row: &Row) -> Result<LogEntry, serde_json::Error> {
    Ok(LogEntry {
        seq: Seq(unsigned(row, 0)),
        command: serde_json::from_str(row.get(1))?,
        chain: row.get::<_, i64>(2).cast_unsigned(),
    })
}

/// A row of `trades`.
#[must_use]
pub fn trade(row: &Row) -> Trade {
    Trade {
        id: TradeId(unsigned(row, 0)),
        seq: Seq(unsigned(row, 1)),
        market: MarketId(small(row, 2)),
        price: Price(row.get(3)),
        qty: Qty(row.get(4)),
        taker_side: side(row.get(5)),
        taker_order: OrderId(unsigned(row, 6)),
        taker: account(row, 7),
        maker_order: OrderId(unsigned(row, 8)),
        maker: account(row, 9),
        taker_fee: Amount(row.get(10)),
        maker_fee: Amount(row.get(11)),
    }
}

fn market(row: &Row) -> MarketSpec {
    MarketSpec {
        id: MarketId(small(row, 0)),
        base: AssetId(small(row, 1)),
        quote: AssetId(small(row, 2)),
        min_price: Price(row.get(3)),
        max_qty: Qty(row.get(4)),
        base_per_lot: row.get(5),
        quote_per_tick_lot: row.get(6),
        maker_fee_bps: row.get(7),
        taker_fee_bps: row.get(8),
    }
}

fn order(row: &Row) -> (MarketId, Resting) {
    let resting = Resting {
        id: OrderId(unsigned(row, 1)),
        account: account(row, 2),
        side: side(row.get(3)),
        price: Price(row.get(4)),
        qty: Qty(row.get(5)),
        remaining: Qty(row.get(6)),
    };
    (MarketId(small(row, 0)), resting)
}

/// A side as the tables write it; their check admits only `B` and `S`.
fn side(letter: &str) -> Side {
    if letter == "B" { Side::Buy } else { Side::Sell }
}

/// An amount, as text whatever the schema.
fn amount(row: &Row, column: usize) -> Column {
    Column::Text(row.get::<_, &str>(column).into())
}

/// A BIGINT that the tables' checks keep at 0 or above.
#[must_use]
pub fn unsigned(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or(0)
}

fn small(row: &Row, column: usize) -> u16 {
    u16::try_from(row.get::<_, i16>(column)).unwrap_or(0)
}

/// A counter as BIGINT.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn account(row: &Row, column: usize) -> AccountId {
    AccountId(u32::try_from(unsigned(row, column)).unwrap_or(u32::MAX))
}
