//! Sessions that are in the way: of others, which hold locks or don't end, and of operations that were given up.

use std::pin::pin;
use std::process::Command;
use std::time::Duration;

use executor::clock::timeout;
use executor::live::SystemClock;
use executor::ports::{Database, DatabaseError};
use futures::future::{Either, join, select};
use tokio_postgres::Client;

use super::exchange::{self, Exchange};
use super::server::Server;
use super::{LOCK_TIMEOUT, port, script};

/// Long enough for everything; without a limit a fault would hang the test.
const LIMIT: Duration = Duration::from_secs(120);

async fn within<F: Future>(future: F) -> F::Output {
    let ended = timeout(&SystemClock, LIMIT, future).await;
    ended.expect("somebody waits without end")
}

/// The process that serves a session.
pub(super) async fn pid(client: &Client) -> i32 {
    let row = client.query_one("SELECT pg_backend_pid()", &[]).await;
    row.expect("a number").get(0)
}

/// Sends a signal to a process.
pub(super) fn kill(signal: &str, pid: impl std::fmt::Display) {
    let line = format!("kill -s {signal} {pid}");
    let sent = Command::new("sh").args(["-c", &line]).status();
    assert!(sent.expect("sh runs").success());
}

/// Asks until the answer is yes.
pub(super) async fn until(watcher: &Client, question: &str) {
    let asked = async {
        loop {
            let row = watcher.query_one(question, &[]).await;
            if row.expect("an answer").get(0) {
                return;
            }
        }
    };
    within(asked).await;
}

/// Whether the ledger `name` is closed to sessions.
pub(super) fn closed(name: &str) -> String {
    format!("SELECT NOT datallowconn FROM pg_database WHERE datname = '{name}'")
}

/// Waits for whoever has the executors' lock.
async fn nobody_is_at_it(watcher: &Client, ledger: &str) {
    let lock = format!("hashtextextended('rollback:{ledger}', 0)");
    let statement = format!(
        "SET lock_timeout = '60s'; SELECT pg_advisory_lock({lock}); SELECT pg_advisory_unlock({lock})"
    );
    let waited = watcher.batch_execute(&statement).await;
    waited.expect("the operation has ended");
}

fn refused_for_a_lock<T: std::fmt::Debug>(outcome: Result<T, DatabaseError>) {
    match outcome {
        Err(DatabaseError::Refused { sqlstate, message }) => {
            assert_eq!(sqlstate, "55P03", "{message}");
            assert!(message.contains("were ended"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

/// Whoever holds the history's row, a table's or the fence's is ended; the next attempt gets through.
pub(super) async fn that_hold_locks_are_ended(server: &Server) {
    let exchange = Exchange::create(server, "hung").await;
    let port = port(server, "hung");
    let hangs = async |statement: &str| {
        let client = exchange.owner().await;
        let begun = client.batch_execute(&format!("BEGIN; {statement}")).await;
        begun.expect(statement);
        client
    };
    let ended = async |client: Client| {
        let answer = client.query("SELECT 1", &[]).await;
        assert!(answer.is_err(), "whoever held the lock is ended");
    };
    let fence_row = "SELECT FROM rollback_fence FOR UPDATE";
    port.snapshot("hung_before").await.expect("snapshot");
    exchange.migrate_to_decimal().await;

    let hung = hangs("ALTER TABLE balances ADD COLUMN half_done INT").await;
    refused_for_a_lock(within(port.fence(1)).await);
    ended(hung).await;
    port.fence(1).await.expect("fence");

    let undo = async || port.undo(&script(exchange::UNDO), LOCK_TIMEOUT, 1).await;
    let history = "SELECT FROM flyway_schema_history WHERE version = '2' FOR UPDATE";
    for statement in [history, fence_row] {
        let hung = hangs(statement).await;
        refused_for_a_lock(within(undo()).await);
        ended(hung).await;
    }
    undo().await.expect("undo");

    let restore = async || port.restore("hung_before", "hung_aside", 1).await;
    let hung = hangs(fence_row).await;
    refused_for_a_lock(within(restore()).await);
    ended(hung).await;
    restore().await.expect("restore");
    let hung = hangs("LOCK TABLE order_log").await;
    refused_for_a_lock(within(port.replay("hung_aside", 1)).await);
    ended(hung).await;
    port.replay("hung_aside", 1).await.expect("replay");
}

/// What an operation was at when nobody waited for it any longer is ended in the server, too.
pub(super) async fn of_whoever_gave_up_end(server: &Server) {
    let exchange = Exchange::create(server, "given_up").await;
    let port = port(server, "given_up");
    let watcher = exchange.maintenance().await;
    port.snapshot("given_up_before").await.expect("snapshot");
    exchange.migrate_to_decimal().await;
    port.fence(1).await.expect("fence");
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'rollback'
                                AND datname LIKE 'given_up%' AND wait_event_type = 'Lock')";
    let gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity
                                   WHERE application_name = 'rollback' AND datname LIKE 'given_up%')";
    let in_the_way = async |database: &str, table: &str| {
        let client = exchange::connect(server, "owner", database).await;
        let begun = client
            .batch_execute(&format!("BEGIN; LOCK TABLE {table}"))
            .await;
        begun.expect("a lock");
        client
    };

    let holder = in_the_way("given_up", "balances").await;
    {
        let down = script(exchange::UNDO);
        let undo = pin!(port.undo(&down, LIMIT * 2, 1));
        match select(undo, pin!(until(&watcher, waits))).await {
            Either::Left((undone, _)) => panic!("it did not wait: {undone:?}"),
            Either::Right(_) => {}
        }
    }
    until(&watcher, gone).await;
    holder.query("SELECT 1", &[]).await.expect("it was let be");
    drop(holder);

    port.restore("given_up_before", "given_up_aside", 1)
        .await
        .expect("restore");
    let holder = in_the_way("given_up_aside", "order_log").await;
    {
        let replay = pin!(port.replay("given_up_aside", 1));
        match select(replay, pin!(until(&watcher, waits))).await {
            Either::Left((replayed, _)) => panic!("it did not wait: {replayed:?}"),
            Either::Right(_) => {}
        }
    }
    until(&watcher, gone).await;
    holder.query("SELECT 1", &[]).await.expect("it was let be");
}

/// A session that was told to end and is still there could commit what it has begun.
pub(super) async fn that_do_not_end_are_told(server: &Server) {
    let exchange = Exchange::create(server, "stays").await;
    let port = port(server, "stays");
    let app = exchange.app().await;
    let pid = pid(&app).await;
    kill("STOP", pid);
    let refused = within(port.fence(1)).await;
    kill("CONT", pid);
    let refused = refused.expect_err("it is still there");
    let text = refused.to_string();
    assert!(text.contains(&format!("dex_app (pid {pid})")), "{text}");
    assert!(text.contains("not up"), "{text}");
    assert!(refused.is_transient(), "{text}");
    assert!(port.fence(1).await.expect("the fence").already_up);
    assert!(app.query("SELECT 1", &[]).await.is_err(), "it has ended");
}

/// An executor that loses its session while it ends others' tries again, and the ledger is open.
pub(super) async fn may_be_lost_while_the_ledger_is_closed(server: &Server) {
    let exchange = Exchange::create(server, "lost").await;
    let port = port(server, "lost");
    let watcher = exchange.maintenance().await;
    let owner = exchange.owner().await;
    let stopped = pid(&owner).await;
    kill("STOP", stopped);
    let loses = async {
        until(&watcher, &closed("lost")).await;
        until(
            &watcher,
            "SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity
             WHERE application_name = 'rollback' AND query LIKE '%pg_terminate_backend%' AND state = 'active'",
        )
        .await;
    };
    let (taken, ()) = within(join(port.snapshot("lost_before"), loses)).await;
    kill("CONT", stopped);
    let lost = taken.expect_err("its session was lost");
    assert!(lost.is_transient(), "{lost}");
    exchange.app().await;
}

/// Whoever gives up waiting for a restore does not leave the ledger closed.
pub(super) async fn need_not_wait_for_a_restore(server: &Server) {
    let exchange = Exchange::create(server, "walked_off").await;
    let port = port(server, "walked_off");
    let watcher = exchange.maintenance().await;
    port.snapshot("walked_off_before").await.expect("snapshot");
    port.fence(1).await.expect("fence");
    let owner = exchange.owner().await;
    let stopped = pid(&owner).await;
    kill("STOP", stopped);
    {
        let restore = pin!(port.restore("walked_off_before", "walked_off_aside", 1));
        match select(restore, pin!(until(&watcher, &closed("walked_off")))).await {
            Either::Left((restored, _)) => panic!("it did not wait: {restored:?}"),
            Either::Right(_) => {}
        }
    }
    kill("CONT", stopped);
    nobody_is_at_it(&watcher, "walked_off").await;
    exchange.app().await;
    port.restore("walked_off_before", "walked_off_aside", 1)
        .await
        .expect("restored");
}
