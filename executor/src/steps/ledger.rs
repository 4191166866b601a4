//! The ledger database: fence, undo, restore, replay.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use serde_json::json;

use super::context::{Context, Stop, Success};
use crate::clock::timeout;
use crate::error::Error;
use crate::lease::is_held_with;
use crate::ports::{DatabaseError, Snapshot};

/// How long an undo script waits for a lock before it lets those behind it through and tries again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Takes writing away from the application and cuts its sessions.
pub(super) async fn fence(context: &Context<'_>) -> Result<Success, Stop> {
    let database = &context.ports.database;
    let report = ask(context, "raise the fence", || database.fence(context.token)).await?;
    let up = ask(context, "read the fence", || database.fence_token()).await?;
    if up != Some(context.token) {
        return Err(Stop::Failed(format!(
            "the fence was raised, but reads {up:?}"
        )));
    }
    let detail = format!(
        "fence up, {} sessions terminated",
        report.sessions_terminated
    );
    Ok(if report.already_up {
        Success::already(detail)
    } else {
        Success::done(detail)
    })
}

/// Lets the application write again.
pub(super) async fn unfence(context: &Context<'_>) -> Result<Success, Stop> {
    let database = &context.ports.database;
    let before = ask(context, "read the fence", || database.fence_token()).await?;
    if before.is_none() {
        return Ok(Success::already("the fence is down"));
    }
    ask(context, "lower the fence", || {
        database.unfence(context.token)
    })
    .await?;
    match ask(context, "read the fence", || database.fence_token()).await? {
        None => Ok(Success::done("fence down")),
        Some(token) => Err(Stop::Failed(format!(
            "the fence was lowered, but reads token {token}"
        ))),
    }
}

/// Runs the undo scripts of the plan, newest version first.
pub(super) async fn undo(context: &Context<'_>) -> Result<Success, Stop> {
    let database = &context.ports.database;
    let scripts = &context.plan.ledger.undo;
    let mut undone = Vec::new();
    for script in scripts {
        let history = ask(context, "read the history", || database.history()).await?;
        let applied = history
            .iter()
            .any(|row| row.version.as_ref() == Some(&script.version));
        if !applied {
            continue;
        }
        ask(context, &format!("run {}", script.name), || {
            database.undo(script, LOCK_TIMEOUT, context.token)
        })
        .await?;
        undone.push(script.name.as_str());
    }
    let history = ask(context, "read the history", || database.history()).await?;
    let left: Vec<&str> = scripts
        .iter()
        .filter(|script| {
            history
                .iter()
                .any(|row| row.version.as_ref() == Some(&script.version))
        })
        .map(|script| script.version.as_str())
        .collect();
    if !left.is_empty() {
        let left = left.join(", ");
        return Err(Stop::Failed(format!(
            "the history still shows version {left} as applied"
        )));
    }
    let schema = context.plan.target_schema.as_deref().unwrap_or("none");
    Ok(if undone.is_empty() {
        Success::already(format!("the schema is at version {schema}"))
    } else {
        Success::done(format!(
            "{} run, the schema is at version {schema}",
            undone.join(", ")
        ))
    })
}

/// Puts a copy of the snapshot in place of the ledger.
pub(super) async fn restore(context: &Context<'_>, snapshot: &str) -> Result<Success, Stop> {
    let database = &context.ports.database;
    let set_aside = &context.plan.set_aside;
    let found = ask(context, "look for the snapshot", || {
        database.find_snapshot(snapshot)
    })
    .await?;
    if let Some(why) = another(context.baseline.snapshot.as_ref(), found.as_ref()) {
        return Err(Stop::Failed(format!("snapshot {snapshot} {why}")));
    }
    let report = ask(context, "restore the snapshot", || {
        database.restore(snapshot, set_aside, context.token)
    })
    .await?;
    let wanted = context.baseline.schema_version.as_ref();
    let history = ask(context, "read the history", || database.history()).await?;
    let newer = history.iter().find(|row| {
        let known = context.baseline.history.iter();
        row.version.is_some() && !known.clone().any(|before| before.version == row.version)
    });
    if let Some(row) = newer {
        return Err(Stop::Failed(format!(
            "the snapshot was restored, but its history shows {} above version {wanted:?}",
            row.script
        )));
    }
    let detail = format!(
        "{} back from {} to {}; the ledger that was in use is kept as {}",
        context.plan.naming.log, report.before.log_seq, report.after.log_seq, report.set_aside
    );
    let success = if report.already_done {
        Success::already(detail)
    } else {
        Success::done(detail)
    };
    Ok(Success {
        data: json!({ "restore": report }),
        ..success
    })
}

/// Why `found` is not the snapshot that was `recorded` before the deployment, if so.
fn another(recorded: Option<&Snapshot>, found: Option<&Snapshot>) -> Option<String> {
    let Some(found) = found else {
        return Some("is gone".to_owned());
    };
    let differs = found.differs_from(recorded?)?;
    Some(format!("is another one than was recorded: {differs}"))
}

/// Copies the log's tail, so that what was acknowledged after the snapshot is not lost.
pub(super) async fn replay(context: &Context<'_>) -> Result<Success, Stop> {
    let database = &context.ports.database;
    let set_aside = &context.plan.set_aside;
    let what = format!("replay the {}", context.plan.naming.log);
    let report = ask(context, &what, || database.replay(set_aside, context.token)).await?;
    if let Some(restore) = &context.facts.restore {
        let missing = restore
            .before
            .log_seq
            .saturating_sub(report.position.log_seq);
        // An upper bound: how many records those entries made is known only to what was set aside.
        let records = restore.before.trades.saturating_sub(restore.after.trades);
        if missing > 0 && records > context.terms.rpo_records {
            return Err(Stop::Failed(format!(
                "{missing} entries of the {} can't be replayed: up to {records} acknowledged {} are lost, {} may be; \
                 they are in {set_aside}",
                context.plan.naming.log, context.plan.naming.records, context.terms.rpo_records
            )));
        }
    }
    let detail = format!(
        "{} entries copied, the {} ends at {}",
        report.entries, context.plan.naming.log, report.position.log_seq
    );
    Ok(if report.entries == 0 {
        Success::already(detail)
    } else {
        Success::done(detail)
    })
}

/// Asks the database until it answers for good or the budget is spent. Its operations are idempotent.
async fn ask<T, F, Fut>(context: &Context<'_>, what: &str, operation: F) -> Result<T, Stop>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, DatabaseError>>,
{
    let clock = &*context.ports.clock;
    let mut pause = Duration::from_millis(200);
    loop {
        let began = clock.now();
        let error = match within(context, what, operation()).await? {
            Ok(answer) => return Ok(answer),
            Err(DatabaseError::StaleToken(token)) => {
                let by = format!("the fence carries executor token {token}");
                if is_held_with(context.cluster, context.token).await {
                    // Nobody else acts as executor, so somebody must be told that the halt is on.
                    return Err(Stop::Failed(format!(
                        "could not {what}: {by}, and this executor has {}, though it holds the lease: somebody \
                         used the fence by hand",
                        context.token
                    )));
                }
                return Err(Stop::Fatal(Error::Superseded { by }));
            }
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => return Err(Stop::Failed(format!("could not {what}: {error}"))),
        };
        context.refused(what, &error, began, pause).await?;
        pause = (pause * 2).min(Duration::from_secs(3));
    }
}

/// The answer of `operation`, which is left to its work for as long as the step may wait: one that is dropped would be
/// done again from its beginning.
async fn within<T>(
    context: &Context<'_>,
    what: &str,
    operation: impl Future<Output = T>,
) -> Result<T, Stop> {
    let mut operation = pin!(operation);
    loop {
        let limit = context.left();
        match timeout(&*context.ports.clock, limit, operation.as_mut()).await {
            Ok(answer) => return Ok(answer),
            Err(elapsed) => context.in_time(&format!("could not {what} yet: {elapsed}"))?,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::another;
    use crate::ports::{LedgerPosition, Snapshot};

    fn snapshot(second: i64, log_seq: u64) -> Snapshot {
        Snapshot {
            name: "before".to_owned(),
            taken_at: Timestamp::from_second(second).unwrap_or_default(),
            size_bytes: 1,
            position: LedgerPosition {
                log_seq,
                ..LedgerPosition::default()
            },
            schema_version: None,
        }
    }

    #[test]
    fn only_the_recorded_snapshot_is_put_back() {
        let recorded = snapshot(10, 5);
        assert_eq!(another(Some(&recorded), Some(&snapshot(10, 5))), None);
        assert_eq!(another(None, Some(&recorded)), None, "nothing was recorded");
        for found in [Some(snapshot(11, 5)), Some(snapshot(10, 0)), None] {
            assert!(
                another(Some(&recorded), found.as_ref()).is_some(),
                "{found:?}"
            );
        }
    }
}
