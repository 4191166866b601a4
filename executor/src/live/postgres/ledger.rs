//! Operations inside the ledger: history, position, undo, replay.

use std::time::Duration;

use futures::{SinkExt, TryStreamExt, pin_mut};

use super::session::{Session, failure, is_refusal, limit_waits, qualified};
use super::{Layout, PATIENCE, fence};
use crate::ports::{DatabaseError, HistoryRow, LedgerPosition, ReplayReport, UndoScript};

/// Flyway's history; empty if its table isn't there.
pub(super) async fn history(
    session: &Session,
    layout: &Layout,
) -> Result<Vec<HistoryRow>, DatabaseError> {
    let query = format!(
        "SELECT installed_rank, version, description, type, script, checksum, success
         FROM {} ORDER BY installed_rank",
        qualified(&layout.history)
    );
    let rows = match session.query(&query, &[]).await.map_err(failure) {
        Err(error) if is_refusal(&error, "42P01") => Vec::new(),
        outcome => outcome?,
    };
    Ok(rows
        .iter()
        .map(|row| HistoryRow {
            installed_rank: row.get(0),
            version: row.get(1),
            description: row.get(2),
            kind: row.get(3),
            script: row.get(4),
            checksum: row.get(5),
            success: row.get(6),
        })
        .collect())
}

/// Highest version in the history, as it was applied last.
pub(super) fn schema_version(history: &[HistoryRow]) -> Option<String> {
    let applied = history.iter().rev().filter(|row| row.success);
    applied.filter_map(|row| row.version.clone()).next()
}

/// How far the ledger has come. An order's id is its position in the log.
pub(super) async fn position(
    session: &Session,
    layout: &Layout,
) -> Result<LedgerPosition, DatabaseError> {
    let query = format!(
        "SELECT (SELECT coalesce(max(seq), 0)::bigint FROM {log}),
                (SELECT coalesce(max(order_id), 0)::bigint FROM {orders}),
                greatest((SELECT coalesce(max(trade_id), 0)::bigint FROM {trades}),
                         (SELECT coalesce(max(trade_id), 0)::bigint FROM {meta})),
                (SELECT count(*) FROM {trades})",
        log = qualified(&layout.order_log),
        orders = qualified(&layout.orders),
        trades = qualified(&layout.trades),
        meta = qualified(&layout.meta),
    );
    let row = session.query_one(&query, &[]).await.map_err(failure)?;
    let number = |index: usize| u64::try_from(row.get::<_, i64>(index)).unwrap_or(0);
    Ok(LedgerPosition {
        log_seq: number(0),
        order_id_max: number(1),
        trade_id_max: number(2),
        trades: number(3),
    })
}

/// Runs an undo script and removes its migration's row, in one transaction: a row of type `UNDO_SQL` would make the
/// open-source Flyway fail at its next start.
pub(super) async fn undo(
    session: &mut Session,
    layout: &Layout,
    script: &UndoScript,
    lock_timeout: Duration,
    token: u64,
) -> Result<(), DatabaseError> {
    let history_table = qualified(&layout.history);
    let transaction = session.transaction().await.map_err(failure)?;
    // Before anything is locked: a hung migration may hold the history's rows,
    // or an undo that was given up the fence's.
    limit_waits(&transaction, lock_timeout).await?;
    fence::hold(&transaction, token).await?;
    let query = format!("SELECT success FROM {history_table} WHERE version = $1 FOR UPDATE");
    let rows = transaction
        .query(&query, &[&script.version])
        .await
        .map_err(failure)?;
    if rows.is_empty() {
        return transaction.commit().await.map_err(failure);
    }
    if rows.iter().any(|row| !row.get::<_, bool>(0)) {
        return Err(DatabaseError::Precondition(format!(
            "migration {} did not fully succeed, so its undo script doesn't fit",
            script.version
        )));
    }
    transaction
        .batch_execute(&script.sql)
        .await
        .map_err(failure)?;
    let delete = format!("DELETE FROM {history_table} WHERE version = $1");
    let removed = transaction
        .execute(&delete, &[&script.version])
        .await
        .map_err(failure)?;
    if removed == 0 {
        return Err(DatabaseError::Precondition(format!(
            "{} removed its own row of the history",
            script.name
        )));
    }
    transaction.commit().await.map_err(failure)
}

/// Appends what `source` has in its log beyond the ledger's, in one transaction.
pub(super) async fn replay(
    session: &mut Session,
    source: &Session,
    layout: &Layout,
    token: u64,
) -> Result<ReplayReport, DatabaseError> {
    let log = qualified(&layout.order_log);
    let transaction = session.transaction().await.map_err(failure)?;
    limit_waits(&transaction, PATIENCE).await?;
    fence::hold(&transaction, token).await?;
    let query = format!("SELECT coalesce(max(seq), 0)::bigint FROM {log}");
    let last: i64 = transaction
        .query_one(&query, &[])
        .await
        .map_err(failure)?
        .get(0);
    // The newest entry of the ledger must be the source's, or the tail would follow another history.
    let query = format!("SELECT row_to_json(kept)::text FROM {log} AS kept WHERE seq = $1::bigint");
    let ours = transaction.query_opt(&query, &[&last]).await;
    let ours = ours.map_err(failure)?.map(|row| row.get::<_, String>(0));
    let theirs = source.query_opt(&query, &[&last]).await;
    let theirs = theirs.map_err(failure)?.map(|row| row.get::<_, String>(0));
    if ours != theirs {
        return Err(DatabaseError::Precondition(format!(
            "the logs of the ledger and of the one set aside have diverged at entry {last}"
        )));
    }
    let out = format!("COPY (SELECT * FROM {log} WHERE seq > {last} ORDER BY seq) TO STDOUT");
    let lines = source.copy_out(&out).await.map_err(failure)?;
    let sink = transaction
        .copy_in::<_, bytes::Bytes>(&format!("COPY {log} FROM STDIN"))
        .await
        .map_err(failure)?;
    pin_mut!(lines, sink);
    while let Some(line) = lines.try_next().await.map_err(failure)? {
        sink.send(line).await.map_err(failure)?;
    }
    let entries = sink.finish().await.map_err(failure)?;
    transaction.commit().await.map_err(failure)?;
    let position = position(session, layout).await?;
    Ok(ReplayReport { entries, position })
}
