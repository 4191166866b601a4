//! One batch of commands, or a replayed tail, as one statement: log, trades, orders, balances and position together,
//! and only if the writer still leads and the rows are where it thinks they are.
//!
//! The leader's row is locked while the statement runs. So a new leader, who must update that row first, loads a ledger
//! in which everything of the old one is either committed or refused for good.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Statement};

use super::load::Written;
use super::tables::signed;
use crate::command::{Event, Trade};
use crate::exchange::Exchange;
use crate::order_log::LogEntry;
use crate::release::SchemaVersion;
use crate::rows::{decimals, to_decimal};
use crate::types::{AccountId, Amount, AssetId, OrderId, Seq, Side, TradeId};

/// What is to be written, column by column.
#[derive(Debug, Default)]
pub(super) struct Change {
    from: Seq,
    to: Seq,
    trade_id: TradeId,
    log: (Vec<i64>, Vec<String>, Vec<i64>),
    trades: Vec<Trade>,
    opened: Vec<Opened>,
    /// Orders that were there, with what is left of them.
    remaining: BTreeMap<i64, i64>,
    balances: Vec<(usize, [String; 2])>,
    venue: Vec<(usize, [String; 4])>,
    assets: usize,
}

#[derive(Debug)]
struct Opened {
    order: i64,
    account: i64,
    market: i16,
    side: &'static str,
    price: i64,
    qty: i64,
    remaining: i64,
}

fn letter(side: Side) -> &'static str {
    match side {
        Side::Buy => "B",
        Side::Sell => "S",
    }
}

/// An amount as the schema keeps it, in text.
fn amount(schema: SchemaVersion, asset: usize, amount: Amount) -> String {
    match schema {
        SchemaVersion::V1 => amount.0.to_string(),
        SchemaVersion::V2 => to_decimal(amount.0, decimals(AssetId(asset as u16))).into(),
    }
}

impl Change {
    /// What brings the rows from `written` to `state`, where `events` say what happened in between and `entries` are
    /// those that the log lacks.
    pub(super) fn between(
        written: &Written,
        state: &Exchange,
        events: &[Event],
        entries: &[LogEntry],
    ) -> Self {
        let schema = state.build().schema;
        let ledger = state.ledger();
        let assets = usize::from(ledger.assets());
        let mut change = Self {
            from: written.seq,
            to: state.seq(),
            trade_id: state.trade_id(),
            assets,
            ..Self::default()
        };
        for entry in entries {
            change.log.0.push(signed(entry.seq.0));
            let json = serde_json::to_string(&entry.command).expect("a command has a JSON form");
            change.log.1.push(json);
            change.log.2.push(entry.chain as i64);
        }
        let left = |id: OrderId| state.order(id).map_or(0, |(_, order)| order.remaining.0);
        let mut accounts = BTreeSet::new();
        let mut opened = BTreeSet::new();
        for event in events {
            match *event {
                Event::OrderAccepted {
                    order,
                    account,
                    market,
                    side,
                    price,
                    qty,
                } => {
                    accounts.insert(account);
                    opened.insert(order);
                    change.opened.push(Opened {
                        order: signed(order.0),
                        account: i64::from(account.0),
                        market: market.0 as i16,
                        side: letter(side),
                        price: price.0,
                        qty: qty.0,
                        remaining: left(order),
                    });
                }
                Event::Trade(trade) => {
                    accounts.extend([trade.taker, trade.maker]);
                    if !opened.contains(&trade.maker_order) {
                        let id = trade.maker_order;
                        change.remaining.insert(signed(id.0), left(id));
                    }
                    change.trades.push(trade);
                }
                Event::OrderClosed { order, account, .. } => {
                    accounts.insert(account);
                    if !opened.contains(&order) {
                        change.remaining.insert(signed(order.0), left(order));
                    }
                }
            }
        }
        for AccountId(account) in accounts {
            let first = account as usize * assets;
            let now = &ledger.balances()[first..first + assets];
            let before = &written.balances[first..first + assets];
            for (asset, (now, before)) in now.iter().zip(before).enumerate() {
                if now != before {
                    let text = [now.free, now.locked].map(|a| amount(schema, asset, a));
                    change.balances.push((first + asset, text));
                }
            }
        }
        for (asset, (now, before)) in ledger.venue().iter().zip(&written.venue).enumerate() {
            if now != before {
                let text = [now.fees, now.suspense, now.adjustments, now.deposits]
                    .map(|a| amount(schema, asset, a));
                change.venue.push((asset, text));
            }
        }
        change
    }

    /// Notes that the rows are now as in `state`, from which this change was made.
    pub(super) fn note(&self, written: &mut Written, state: &Exchange) {
        written.seq = self.to;
        for (index, _) in &self.balances {
            written.balances[*index] = state.ledger().balances()[*index];
        }
        written.venue.copy_from_slice(state.ledger().venue());
    }

    /// Writes it, if `epoch` still leads and the rows are where the change begins; whether that was so.
    pub(super) async fn write(
        &self,
        client: &Client,
        statement: &Statement,
        epoch: i64,
    ) -> Result<bool, tokio_postgres::Error> {
        let trades = |f: fn(&Trade) -> i64| self.trades.iter().map(f).collect::<Vec<_>>();
        let opened = |f: fn(&Opened) -> i64| self.opened.iter().map(f).collect::<Vec<_>>();
        let trade_side: Vec<_> = self.trades.iter().map(|t| letter(t.taker_side)).collect();
        let trade_market: Vec<_> = self.trades.iter().map(|t| t.market.0 as i16).collect();
        let opened_side: Vec<_> = self.opened.iter().map(|o| o.side).collect();
        let opened_market: Vec<_> = self.opened.iter().map(|o| o.market).collect();
        let remaining: (Vec<i64>, Vec<i64>) = self.remaining.iter().unzip();
        let balance = |n: usize| {
            let column = self.balances.iter().map(|(_, text)| text[n].as_str());
            column.collect::<Vec<_>>()
        };
        let accounts: Vec<_> = self
            .balances
            .iter()
            .map(|(i, _)| (i / self.assets) as i64)
            .collect();
        let assets: Vec<_> = self
            .balances
            .iter()
            .map(|(i, _)| (i % self.assets) as i16)
            .collect();
        let venue = |n: usize| {
            let column = self.venue.iter().map(|(_, text)| text[n].as_str());
            column.collect::<Vec<_>>()
        };
        let venue_assets: Vec<_> = self.venue.iter().map(|(asset, _)| *asset as i16).collect();
        let row = client
            .query_one(
                statement,
                &[
                    &epoch,
                    &signed(self.from.0),
                    &signed(self.to.0),
                    &signed(self.trade_id.0),
                    &self.log.0,
                    &self.log.1,
                    &self.log.2,
                    &trades(|t| signed(t.id.0)),
                    &trades(|t| signed(t.seq.0)),
                    &trade_market,
                    &trades(|t| t.price.0),
                    &trades(|t| t.qty.0),
                    &trade_side,
                    &trades(|t| signed(t.taker_order.0)),
                    &trades(|t| i64::from(t.taker.0)),
                    &trades(|t| signed(t.maker_order.0)),
                    &trades(|t| i64::from(t.maker.0)),
                    &trades(|t| t.taker_fee.0),
                    &trades(|t| t.maker_fee.0),
                    &opened(|o| o.order),
                    &opened(|o| o.account),
                    &opened_market,
                    &opened_side,
                    &opened(|o| o.price),
                    &opened(|o| o.qty),
                    &opened(|o| o.remaining),
                    &remaining.0,
                    &remaining.1,
                    &accounts,
                    &assets,
                    &balance(0),
                    &balance(1),
                    &venue_assets,
                    &venue(0),
                    &venue(1),
                    &venue(2),
                    &venue(3),
                ],
            )
            .await?;
        Ok(row.get::<_, i64>(0) == 1)
    }
}

/// Prepares the statement for rows of `schema`.
pub(super) async fn prepare(
    client: &Client,
    schema: SchemaVersion,
) -> Result<Statement, tokio_postgres::Error> {
    let cast = match schema {
        SchemaVersion::V1 => "::bigint",
        SchemaVersion::V2 => "",
    };
    let sql = format!(
        "WITH lead AS MATERIALIZED (
            SELECT epoch FROM leader, ledger_meta WHERE epoch = $1::bigint AND applied_seq = $2::bigint
            FOR SHARE OF leader
        ), appended AS (
            INSERT INTO order_log (seq, entry, chain)
            SELECT t.seq, t.entry::jsonb, t.chain
            FROM lead, unnest($5::bigint[], $6::text[], $7::bigint[]) AS t (seq, entry, chain)
        ), traded AS (
            INSERT INTO trades (trade_id, seq, market, price, qty, taker_side, taker_order, taker, maker_order, maker,
                                taker_fee, maker_fee)
            SELECT t.* FROM lead, unnest($8::bigint[], $9::bigint[], $10::smallint[], $11::bigint[], $12::bigint[],
                $13::text[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
                $19::bigint[]) AS t
        ), opened AS (
            INSERT INTO orders (order_id, account, market, side, price, qty, remaining)
            SELECT t.* FROM lead, unnest($20::bigint[], $21::bigint[], $22::smallint[], $23::text[], $24::bigint[],
                $25::bigint[], $26::bigint[]) AS t
        ), reduced AS (
            UPDATE orders SET remaining = t.remaining
            FROM lead, unnest($27::bigint[], $28::bigint[]) AS t (order_id, remaining)
            WHERE orders.order_id = t.order_id
        ), settled AS (
            UPDATE balances SET free = t.free{cast}, locked = t.locked{cast}
            FROM lead, unnest($29::bigint[], $30::smallint[], $31::text[], $32::text[])
                AS t (account, asset, free, locked)
            WHERE balances.account = t.account AND balances.asset = t.asset
        ), earned AS (
            UPDATE venue_balances SET fees = t.fees{cast}, suspense = t.suspense{cast},
                adjustments = t.adjustments{cast}, deposits = t.deposits{cast}
            FROM lead, unnest($33::smallint[], $34::text[], $35::text[], $36::text[], $37::text[])
                AS t (asset, fees, suspense, adjustments, deposits)
            WHERE venue_balances.asset = t.asset
        ), moved AS (
            UPDATE ledger_meta SET applied_seq = $3::bigint, trade_id = $4::bigint FROM lead
            WHERE $3::bigint > $2::bigint
        )
        SELECT count(*) FROM lead"
    );
    client.prepare(&sql).await
}
