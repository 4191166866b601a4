//! The ledger as a build loads it: rows, then the order log's tail replayed in memory.
//!
//! Amounts come as text whatever the schema, so a build that was made for another one stumbles in its own parser.

use tokio_postgres::{Client, IsolationLevel, Row, Transaction};

use super::database::Trouble;
use super::tables::{self, LOG_COLUMNS, signed};
use crate::causes::with_causes;
use crate::command::Event;
use crate::exchange::Exchange;
use crate::ledger::{Balance, Venue};
use crate::order_log::{LogEntry, OrderLog, replay_into, verify};
use crate::release::Build;
use crate::rows::{self, Rows};
use crate::types::Seq;

/// Why the ledger was not loaded.
#[derive(Clone, Debug)]
pub(super) enum LoadError {
    /// The database did not answer.
    Database(Trouble),
    /// The build cannot read what is there.
    Unreadable(String),
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(Trouble::of(&error))
    }
}

/// The ledger's balances as they stand in the database.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) seq: Seq,
    pub(super) balances: Vec<Balance>,
    pub(super) venue: Vec<Venue>,
}

/// A loaded ledger.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) state: Exchange,
    /// Hash chain of the log's last entry.
    pub(super) chain: u64,
    pub(super) written: Written,
    /// What the replay of the tail made happen, not yet in the rows.
    pub(super) replayed: Vec<Event>,
    /// Entries of the tail that this build refused, though they were accepted once and acknowledged.
    pub(super) refused: Vec<Seq>,
}

/// Loads the ledger for `build`, in process `instance`.
pub(super) async fn load(
    client: &mut Client,
    build: &Build,
    instance: u64,
) -> Result<Loaded, LoadError> {
    let transaction = snapshot(client).await?;
    let rows = checked_rows(&transaction).await?;
    let applied = rows.applied_seq;
    let tail = read_log(&transaction, applied, None).await?;
    let head = read_chain(&transaction, applied).await?;
    transaction.commit().await?;
    let head = match head {
        Some(head) => head,
        None if applied == Seq(0) => OrderLog::new().chain(),
        None => {
            return Err(LoadError::Unreadable(format!(
                "order_log has no entry {applied}, which the rows include"
            )));
        }
    };
    verify(applied, head, &tail).map_err(|error| LoadError::Unreadable(with_causes(&error)))?;
    let mut state =
        rows::decode(build, &rows).map_err(|error| LoadError::Unreadable(with_causes(&error)))?;
    let written = Written {
        seq: applied,
        balances: state.ledger().balances().to_vec(),
        venue: state.ledger().venue().to_vec(),
    };
    if state.undecodable().is_empty() {
        state = state.under(*build, instance);
    }
    let mut replayed = Vec::with_capacity(tail.len() * 3);
    let (state, refused) = replay_into(state, &tail, &mut replayed);
    Ok(Loaded {
        state,
        chain: tail.last().map_or(head, |entry| entry.chain),
        written,
        replayed,
        refused,
    })
}

/// Begins a transaction that sees one state of the database.
pub(super) async fn snapshot(
    client: &mut Client,
) -> Result<Transaction<'_>, tokio_postgres::Error> {
    client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
}

/// The hash chain at entry `seq`, if that is there.
pub(super) async fn read_chain(
    transaction: &Transaction<'_>,
    seq: Seq,
) -> Result<Option<u64>, tokio_postgres::Error> {
    let row = transaction
        .query_opt(
            "SELECT chain FROM order_log WHERE seq = $1",
            &[&signed(seq.0)],
        )
        .await?;
    Ok(row.map(|row| row.get::<_, i64>(0) as u64))
}

/// The log's entries behind `after`, up to `to`.
pub(super) async fn read_log(
    transaction: &Transaction<'_>,
    after: Seq,
    to: Option<Seq>,
) -> Result<Vec<LogEntry>, LoadError> {
    let to = to.map_or(i64::MAX, |seq| signed(seq.0));
    let found = transaction
        .query(
            &format!(
                "SELECT {LOG_COLUMNS} FROM order_log WHERE seq > $1 AND seq <= $2 ORDER BY seq"
            ),
            &[&signed(after.0), &to],
        )
        .await?;
    let entry = |row: &Row| {
        tables::log_entry(row).map_err(|error| {
            let seq = Seq(tables::unsigned(row, 0));
            LoadError::Unreadable(format!("order_log.entry {seq}: {error}"))
        })
    };
    found.iter().map(entry).collect()
}

/// The rows, if they can be those of a ledger.
pub(super) async fn checked_rows(transaction: &Transaction<'_>) -> Result<Rows, LoadError> {
    let rows = tables::rows(transaction).await?;
    check(&rows)?;
    Ok(rows)
}

/// What [`Exchange::from_parts`] insists on, as an error: a database is not this program's own memory.
fn check(rows: &Rows) -> Result<(), LoadError> {
    let numbered = rows
        .markets
        .iter()
        .enumerate()
        .all(|(n, spec)| spec.is_sound() && usize::from(spec.id.0) == n);
    let fitting = rows.orders.iter().all(|(market, order)| {
        rows.markets
            .get(usize::from(market.0))
            .is_some_and(|spec| order.price >= spec.min_price && order.price <= spec.max_price())
    });
    if rows.markets.is_empty() || rows.balances.is_empty() {
        return Err(LoadError::Unreadable(
            "the ledger has no markets or no accounts".to_owned(),
        ));
    }
    if numbered && fitting {
        Ok(())
    } else {
        Err(LoadError::Unreadable(
            "markets are not numbered from 0, not sound, or do not fit the orders".to_owned(),
        ))
    }
}
