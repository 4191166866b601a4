//! The exchange's state as rows of the ledger database, in either schema.
//!
//! Schema 1 keeps amounts as BIGINT minor units; schema 2 as decimal text with a fixed number of
//! decimals for each asset. A build reads and writes the schema it was made for ([`Build::schema`]) and stumbles over
//! the other as a real one would: in the parser.

use std::num::ParseIntError;

use crate::book::Resting;
use crate::exchange::Exchange;
use crate::ledger::{Balance, Ledger, Venue};
use crate::market::MarketSpec;
use crate::release::{Build, Defect, SchemaVersion};
use crate::types::{AccountId, Amount, AssetId, MarketId, Seq, TradeId};

/// Value of an amount's column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// Schema 1.
    Bigint(i64),
    /// Schema 2.
    Text(Box<str>),
}

/// A row of `balances`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceRow {
    /// Account.
    pub account: AccountId,
    /// Asset.
    pub asset: AssetId,
    /// Free.
    pub free: Column,
    /// Locked.
    pub locked: Column,
}

/// A row of `venue_balances`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueRow {
    /// Asset.
    pub asset: AssetId,
    /// Fees.
    pub fees: Column,
    /// Suspense.
    pub suspense: Column,
    /// Adjustments.
    pub adjustments: Column,
    /// Net deposits.
    pub deposits: Column,
}

/// The rows of `markets`, `balances`, `venue_balances`, `orders` (open ones) and `ledger_meta`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// `ledger_meta.applied_seq`.
    pub applied_seq: Seq,
    /// `ledger_meta.trade_id`.
    pub trade_id: TradeId,
    /// Terms of the markets.
    pub markets: Vec<MarketSpec>,
    /// By account, then asset.
    pub balances: Vec<BalanceRow>,
    /// By asset.
    pub venue: Vec<VenueRow>,
    /// By market, then priority.
    pub orders: Vec<(MarketId, Resting)>,
}

/// A row that a build cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A build for schema 1 met something other than an integer.
    #[error("{table}.{column}: cannot read {value:?} as an integer")]
    NotAnInteger {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// What is there.
        value: String,
        /// The parser's complaint.
        #[source]
        source: ParseIntError,
    },
    /// A build for schema 2 met something other than a decimal number.
    #[error("{table}.{column}: cannot read {value:?} as a decimal number")]
    NotDecimal {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// What is there.
        value: String,
        /// The parser's complaint.
        #[source]
        source: DecimalError,
    },
    /// Rows are missing, or their order is wrong.
    #[error("{0}: rows are incomplete")]
    Incomplete(&'static str),
}

/// Text that is not an amount with the asset's decimals.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// No decimal point.
    #[error("decimal point missing")]
    NoPoint,
    /// Too few or too many decimals.
    #[error("expected {expected} decimals, found {found}")]
    Decimals {
        /// The asset's.
        expected: usize,
        /// The text's.
        found: usize,
    },
    /// Something other than digits on either side of the point.
    #[error("a character that is no digit")]
    NotDigits,
    /// No digits before the point, or more than fit.
    #[error("not a number in range")]
    Digits(#[source] ParseIntError),
    /// More minor units than fit a BIGINT.
    #[error("more than a BIGINT holds")]
    OutOfRange,
}

/// Decimals of an asset's amounts in text: 2 for the quote asset, 8 for the others (table `assets`).
#[must_use]
pub const fn decimals(asset: AssetId) -> usize {
    if asset.0 == 0 { 2 } else { 8 }
}

/// Longest decimal text: sign, point, and the digits of any amount with up to 19 decimals.
const DECIMAL_MAX: usize = 42;

/// An amount of minor units as decimal text: sign, whole part, point, and exactly `decimals` digits, 19 at most.
#[must_use]
pub fn to_decimal(minor: i64, decimals: usize) -> Box<str> {
    // By hand and from the end: thousands of amounts are written at a time, for which `format!` is slow.
    let mut text = [0_u8; DECIMAL_MAX];
    let mut at = text.len();
    let mut rest = minor.unsigned_abs();
    let mut put = |byte: u8| {
        at -= 1;
        text[at] = byte;
    };
    for _ in 0..decimals {
        put(b'0' + (rest % 10) as u8);
        rest /= 10;
    }
    put(b'.');
    loop {
        put(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if minor < 0 {
        put(b'-');
    }
    std::str::from_utf8(&text[at..])
        .expect("digits, a point and a sign")
        .into()
}

/// The minor units that decimal text stands for.
///
/// # Errors
/// Text that [`to_decimal`] would not have written for these decimals.
pub fn from_decimal(text: &str, decimals: usize) -> Result<i64, DecimalError> {
    let (whole, fraction) = text.split_once('.').ok_or(DecimalError::NoPoint)?;
    if fraction.len() != decimals {
        return Err(DecimalError::Decimals {
            expected: decimals,
            found: fraction.len(),
        });
    }
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if !digits
        .bytes()
        .chain(fraction.bytes())
        .all(|b| b.is_ascii_digit())
    {
        return Err(DecimalError::NotDigits);
    }
    let negative = whole.starts_with('-');
    let whole: i64 = whole.parse().map_err(DecimalError::Digits)?;
    let fraction = fraction.parse::<u32>().map_err(DecimalError::Digits)?;
    let fraction = if negative {
        -i64::from(fraction)
    } else {
        i64::from(fraction)
    };
    whole
        .checked_mul(10_i64.pow(decimals as u32))
        .and_then(|minor| minor.checked_add(fraction))
        .ok_or(DecimalError::OutOfRange)
}

/// The request path's own parser in 2.0.0. It re-renders the digits after the point as a
/// number, and a leading 0 gets lost.
fn request_path_accepts(text: &str) -> bool {
    text.split_once('.').is_some_and(|(_, fraction)| {
        fraction
            .parse::<u64>()
            .is_ok_and(|n| n.to_string().len() == fraction.len())
    })
}

/// The rows of `exchange` in `schema`.
#[must_use]
pub fn encode(schema: SchemaVersion, exchange: &Exchange) -> Rows {
    let ledger = exchange.ledger();
    let column = |amount: Amount, asset: usize| match schema {
        SchemaVersion::V1 => Column::Bigint(amount.0),
        SchemaVersion::V2 => Column::Text(to_decimal(amount.0, decimals(AssetId(asset as u16)))),
    };
    let assets = usize::from(ledger.assets());
    Rows {
        applied_seq: exchange.seq(),
        trade_id: exchange.trade_id(),
        markets: exchange.markets().map(|(spec, _)| *spec).collect(),
        balances: ledger
            .balances()
            .iter()
            .enumerate()
            .map(|(n, b)| BalanceRow {
                account: AccountId((n / assets) as u32),
                asset: AssetId((n % assets) as u16),
                free: column(b.free, n % assets),
                locked: column(b.locked, n % assets),
            })
            .collect(),
        venue: ledger
            .venue()
            .iter()
            .enumerate()
            .map(|(n, v)| VenueRow {
                asset: AssetId(n as u16),
                fees: column(v.fees, n),
                suspense: column(v.suspense, n),
                adjustments: column(v.adjustments, n),
                deposits: column(v.deposits, n),
            })
            .collect(),
        orders: exchange
            .markets()
            .flat_map(|(spec, book)| book.orders().map(|(_, o)| (spec.id, *o)))
            .collect(),
    }
}

/// Reads one column as `reader` does.
fn read(
    reader: &Build,
    asset: AssetId,
    table: &'static str,
    name: &'static str,
    value: &Column,
) -> Result<Amount, DecodeError> {
    let minor = match (reader.schema, value) {
        (SchemaVersion::V1, Column::Bigint(minor)) => *minor,
        (SchemaVersion::V1, Column::Text(text)) => {
            text.parse().map_err(|source| DecodeError::NotAnInteger {
                table,
                column: name,
                value: text.to_string(),
                source,
            })?
        }
        (SchemaVersion::V2, Column::Text(text)) => decimal(asset, table, name, text)?,
        (SchemaVersion::V2, Column::Bigint(minor)) => {
            decimal(asset, table, name, &minor.to_string())?
        }
    };
    Ok(Amount(minor))
}

fn decimal(
    asset: AssetId,
    table: &'static str,
    column: &'static str,
    text: &str,
) -> Result<i64, DecodeError> {
    from_decimal(text, decimals(asset)).map_err(|source| DecodeError::NotDecimal {
        table,
        column,
        value: text.to_owned(),
        source,
    })
}

/// The exchange that `reader` loads from rows.
///
/// A reader with [`Defect::DecimalDecode`] loads, but the requests of accounts whose free quote balance its
/// request path cannot decode will fail ([`Failure::AccountUndecodable`](crate::command::Failure)).
///
/// # Errors
/// The first row that the build cannot read.
pub fn decode(reader: &Build, rows: &Rows) -> Result<Exchange, DecodeError> {
    let assets = rows.venue.len();
    if assets != rows.markets.len() + 1 || !rows.balances.len().is_multiple_of(assets) {
        return Err(DecodeError::Incomplete("balances"));
    }
    let mut balances = Vec::with_capacity(rows.balances.len());
    let mut undecodable = Vec::new();
    for (n, row) in rows.balances.iter().enumerate() {
        if row.account.0 as usize != n / assets || usize::from(row.asset.0) != n % assets {
            return Err(DecodeError::Incomplete("balances"));
        }
        balances.push(Balance {
            free: read(reader, row.asset, "balances", "free", &row.free)?,
            locked: read(reader, row.asset, "balances", "locked", &row.locked)?,
        });
        if reader.has(Defect::DecimalDecode)
            && row.asset == AssetId(0)
            && matches!(&row.free, Column::Text(text) if !request_path_accepts(text))
        {
            undecodable.push(row.account);
        }
    }
    let venue = rows
        .venue
        .iter()
        .map(|row| {
            let read = |name, value| read(reader, row.asset, "venue_balances", name, value);
            Ok(Venue {
                fees: read("fees", &row.fees)?,
                suspense: read("suspense", &row.suspense)?,
                adjustments: read("adjustments", &row.adjustments)?,
                deposits: read("deposits", &row.deposits)?,
            })
        })
        .collect::<Result<Vec<_>, DecodeError>>()?;
    let mut exchange = Exchange::from_parts(
        *reader,
        &rows.markets,
        Ledger::from_parts(balances, venue),
        rows.orders.clone(),
        rows.applied_seq,
        rows.trade_id,
    );
    exchange.set_undecodable(undecodable);
    Ok(exchange)
}

#[cfg(test)]
mod tests;
