//! The executor's database port, as its documentation has it: one suite, run against the simulated server and against a
//! real PostgreSQL, so that the two worlds can't differ in what an executor may rely on.

#[expect(
    dead_code,
    reason = "the port's own tests look at more of the exchange than this suite does"
)]
#[path = "../../executor/tests/postgres/exchange.rs"]
mod exchange;
#[expect(
    dead_code,
    reason = "the tests that share the file need different parts of it"
)]
#[path = "../support/postgres.rs"]
mod server;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dex::command::Command;
use dex::migrations::{Kind, Set};
use dex::types::{AccountId, MarketId, Price, Qty, Side, Tif};
use executor::live::{Layout, PostgresDatabase};
use executor::ports::{Database, DatabaseError, UndoScript};
use futures::future::BoxFuture;
use server::on_a_server;
use sim::Limits;
use sim::time::Micros;
use sim_exchange::database::DbOp;
use sim_exchange::{World, WorldConfig};

/// What the suite needs of the exchange whose ledger it is.
#[async_trait]
trait Exchange: Sync {
    /// Name of the database in use.
    fn ledger(&self) -> &str;
    /// Appends an order, each time another one, by the exchange's own role; the SQLSTATE if it is refused.
    async fn write(&self) -> Result<(), String>;
    /// Opens a session of the exchange, which is kept.
    async fn connect(&self);
    /// Whether the session that was opened last is still there.
    async fn connected(&self) -> bool;
    /// The bad release's migration to version 2.
    async fn migrate(&self);
    /// Somebody's transaction takes locks on the ledger's tables, and does not end by itself.
    async fn hold_locks(&self);
}

type Part = for<'a> fn(&'a dyn Database, &'a dyn Exchange) -> BoxFuture<'a, ()>;

/// Each part has a ledger of its own, of this name where databases have one.
const PARTS: [(&str, Part); 8] = [
    ("port_fence", |p, e| Box::pin(the_fence(p, e))),
    ("port_stale", |p, e| Box::pin(stale_tokens(p, e))),
    ("port_unfenced", |p, e| Box::pin(without_the_fence(p, e))),
    ("port_undo", |p, e| Box::pin(undo(p, e))),
    ("port_locks", |p, e| Box::pin(locks(p, e))),
    ("port_snapshots", |p, e| Box::pin(snapshots(p, e))),
    ("port_restore", |p, e| Box::pin(restore_and_replay(p, e))),
    ("port_diverged", |p, e| Box::pin(diverged(p, e))),
];

const LOCK_TIMEOUT: Duration = Duration::from_millis(200);

fn undo_file() -> dex::migrations::Migration {
    let mut files = Set::Decimal.files();
    files.retain(|file| file.script().kind == Kind::Undo);
    files.pop().expect("the release ships an undo script")
}

fn script(sql: &str) -> UndoScript {
    UndoScript {
        version: "2".to_owned(),
        name: undo_file().name.to_owned(),
        sql: sql.to_owned(),
    }
}

async fn versions(port: &dyn Database) -> Vec<String> {
    let history = port.history().await.expect("the history");
    history.into_iter().filter_map(|row| row.version).collect()
}

async fn log_seq(port: &dyn Database) -> u64 {
    port.position().await.expect("the position").log_seq
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, DatabaseError>, wanted: &str) {
    match outcome {
        Err(DatabaseError::Refused { sqlstate, .. }) if sqlstate == wanted => {}
        other => panic!("{other:?} instead of a refusal with {wanted}"),
    }
}

#[track_caller]
fn precondition<T: std::fmt::Debug>(outcome: Result<T, DatabaseError>) {
    assert!(
        matches!(outcome, Err(DatabaseError::Precondition(_))),
        "{outcome:?} instead of a precondition that does not hold"
    );
}

/// It cuts the exchange's sessions and takes writing from it, once;
/// whoever lowers it twice does nothing the second time.
async fn the_fence(port: &dyn Database, exchange: &dyn Exchange) {
    assert_eq!(port.token_max().await, Ok(0));
    assert_eq!(port.fence_token().await, Ok(None));
    // Nothing is lowered, so nothing is remembered of the token.
    assert_eq!(port.unfence(9).await, Ok(()));
    exchange.write().await.expect("the exchange may write");
    exchange.connect().await;
    let report = port.fence(5).await.expect("raised");
    assert!(report.sessions_terminated >= 1 && !report.already_up);
    assert!(!exchange.connected().await);
    assert_eq!(exchange.write().await, Err("42501".to_owned()));
    assert_eq!(port.fence_token().await, Ok(Some(5)));
    exchange.connect().await;
    let again = port.fence(5).await.expect("raised again");
    assert!(again.already_up);
    // A successor takes it over.
    let taken = port.fence(6).await.expect("taken over");
    assert!(!taken.already_up);
    assert_eq!(port.fence_token().await, Ok(Some(6)));
    for _ in 0..2 {
        assert_eq!(port.unfence(6).await, Ok(()));
        assert_eq!(port.fence_token().await, Ok(None));
    }
    exchange
        .write()
        .await
        .expect("the exchange may write again");
}

/// A token below one that was seen is refused, with the fence up and after it is down;
/// a higher one takes the fence over.
async fn stale_tokens(port: &dyn Database, exchange: &dyn Exchange) {
    let snapshot = format!("{}_before", exchange.ledger());
    port.snapshot(&snapshot).await.expect("a snapshot");
    exchange.migrate().await;
    port.fence(5).await.expect("raised");
    let down = script(undo_file().sql);
    let stale = DatabaseError::StaleToken(5);
    assert_eq!(port.fence(4).await, Err(stale.clone()));
    assert_eq!(port.unfence(4).await, Err(stale.clone()));
    let undone = port.undo(&down, LOCK_TIMEOUT, 4).await;
    assert_eq!(undone, Err(stale.clone()));
    assert_eq!(versions(port).await, ["1", "2"]);
    let restored = port.restore(&snapshot, "port_stale_aside", 4).await;
    assert_eq!(restored, Err(stale));
    assert_eq!(port.undo(&down, LOCK_TIMEOUT, 7).await, Ok(()));
    assert_eq!(port.fence_token().await, Ok(Some(7)));
    assert_eq!(port.unfence(5).await, Err(DatabaseError::StaleToken(7)));
    assert_eq!(port.unfence(7).await, Ok(()));
    assert_eq!(port.token_max().await, Ok(7));
    assert_eq!(port.fence(6).await, Err(DatabaseError::StaleToken(7)));
}

/// What rewrites the ledger needs the fence, whether there is anything to do or not; nothing is changed without it.
async fn without_the_fence(port: &dyn Database, exchange: &dyn Exchange) {
    let snapshot = format!("{}_before", exchange.ledger());
    let down = script(undo_file().sql);
    precondition(port.undo(&down, LOCK_TIMEOUT, 3).await);
    port.snapshot(&snapshot).await.expect("a snapshot");
    exchange.write().await.expect("written");
    exchange.migrate().await;
    precondition(port.undo(&down, LOCK_TIMEOUT, 3).await);
    precondition(port.restore(&snapshot, "port_unfenced_aside", 3).await);
    precondition(port.replay(exchange.ledger(), 3).await);
    assert_eq!(versions(port).await, ["1", "2"]);
    assert_eq!(log_seq(port).await, 1);
    exchange.write().await.expect("the ledger is open");
}

/// A script and its row of the history go together, or neither; once undone there is nothing to do.
async fn undo(port: &dyn Database, exchange: &dyn Exchange) {
    exchange.migrate().await;
    port.fence(1).await.expect("raised");
    let broken = script("THIS IS NO SQL;");
    refused(port.undo(&broken, LOCK_TIMEOUT, 1).await, "42601");
    assert_eq!(versions(port).await, ["1", "2"]);
    for _ in 0..2 {
        let done = port.undo(&script(undo_file().sql), LOCK_TIMEOUT, 1).await;
        assert_eq!(done, Ok(()));
        assert_eq!(versions(port).await, ["1"]);
    }
}

/// Whoever holds the locks is ended by the first attempt, so the second one gets through.
async fn locks(port: &dyn Database, exchange: &dyn Exchange) {
    exchange.migrate().await;
    port.fence(1).await.expect("raised");
    exchange.hold_locks().await;
    let down = script(undo_file().sql);
    refused(port.undo(&down, LOCK_TIMEOUT, 1).await, "55P03");
    assert_eq!(versions(port).await, ["1", "2"]);
    assert_eq!(port.undo(&down, LOCK_TIMEOUT, 1).await, Ok(()));
    assert_eq!(versions(port).await, ["1"]);
}

/// A snapshot under a taken name takes the place of the one before, which is kept once;
/// no other database gives way to it.
async fn snapshots(port: &dyn Database, exchange: &dyn Exchange) {
    let name = format!("{}_before", exchange.ledger());
    let previous = format!("{name}__previous");
    assert_eq!(port.find_snapshot(&name).await, Ok(None));
    assert_eq!(port.find_snapshot(exchange.ledger()).await, Ok(None));
    refused(port.snapshot(exchange.ledger()).await, "42P04");
    exchange
        .write()
        .await
        .expect("the ledger is still the ledger");

    exchange.connect().await;
    let first = port.snapshot(&name).await.expect("the first");
    assert!(!exchange.connected().await, "sessions are cut");
    assert_eq!(first.position, port.position().await.expect("position"));
    assert_eq!(first.position.log_seq, 1);
    assert_eq!(first.schema_version.as_deref(), Some("1"));
    assert!(first.size_bytes > 0);
    assert_eq!(port.find_snapshot(&name).await, Ok(Some(first.clone())));

    let recorded = first;
    assert_eq!(recorded.differs_from(&recorded), None);

    for written in 2..=3_u64 {
        exchange.write().await.expect("the ledger is open");
        let before = port.find_snapshot(&name).await.expect("asked");
        let next = port.snapshot(&name).await.expect("another");
        assert_eq!(next.position.log_seq, written);
        assert_eq!(port.find_snapshot(&name).await, Ok(Some(next)));
        let kept = port.find_snapshot(&previous).await.expect("asked");
        assert_eq!(kept.map(|it| it.position), before.map(|it| it.position));
    }

    // Neither the one of that name now nor the one before it is the one that was recorded.
    for name in [&name, &previous] {
        let found = port.find_snapshot(name).await.expect("asked");
        let found = found.expect("both are there");
        assert!(found.differs_from(&recorded).is_some(), "{name}");
    }

    // Behind the fence a rollback is under way, and the snapshot that it may need stays.
    let last = port.find_snapshot(&name).await.expect("asked");
    port.fence(1).await.expect("raised");
    precondition(port.snapshot(&name).await);
    assert_eq!(port.find_snapshot(&name).await, Ok(last));
    assert_eq!(port.unfence(1).await, Ok(()));
    exchange.write().await.expect("the ledger is open");
}

/// A copy of the snapshot takes the ledger's place behind the fence, and the log's tail is copied once.
async fn restore_and_replay(port: &dyn Database, exchange: &dyn Exchange) {
    let name = format!("{}_before", exchange.ledger());
    for _ in 0..3 {
        exchange.write().await.expect("written");
    }
    let snapshot = port.snapshot(&name).await.expect("a snapshot");
    exchange.migrate().await;
    for _ in 0..4 {
        exchange.write().await.expect("written");
    }
    let used = port.position().await.expect("position");
    port.fence(3).await.expect("raised");
    precondition(port.restore("port_nothing", "port_aside", 3).await);
    // A name that something else has is not taken for a restore that is done.
    refused(port.restore(&name, &name, 3).await, "42P04");
    exchange.connect().await;
    for attempt in 0..2 {
        let report = port.restore(&name, "port_aside", 3).await;
        let report = report.expect("restored");
        assert_eq!(report.already_done, attempt == 1);
        assert_eq!(report.before, used);
        assert_eq!(report.after, snapshot.position);
        assert_eq!(report.set_aside, "port_aside");
        assert_eq!(versions(port).await, ["1"]);
        assert!(!exchange.connected().await);
    }
    assert_eq!(port.fence_token().await, Ok(Some(3)));
    assert_eq!(exchange.write().await, Err("42501".to_owned()));
    let found = port.find_snapshot(&name).await.expect("asked");
    assert_eq!(found.map(|it| it.position), Some(snapshot.position));
    assert_eq!(port.find_snapshot("port_aside").await, Ok(None));
    // Another restore would set the restored ledger aside, and needs another name.
    refused(port.restore("port_nothing", "port_aside", 3).await, "42P04");

    // Nor is a copy that lacks the log's tail set aside itself.
    precondition(port.restore(&name, "port_again", 3).await);

    refused(port.replay("port_missing", 3).await, "3D000");
    assert_eq!(
        port.replay("port_aside", 2).await,
        Err(DatabaseError::StaleToken(3))
    );
    for entries in [4, 0] {
        let report = port.replay("port_aside", 3).await.expect("replayed");
        assert_eq!((report.entries, report.position.log_seq), (entries, 7));
    }
    assert_eq!(port.unfence(3).await, Ok(()));
    exchange
        .write()
        .await
        .expect("the exchange may write again");
    assert_eq!(log_seq(port).await, 8);
}

/// A log that has gone its own way since the restore gets no tail of another history.
async fn diverged(port: &dyn Database, exchange: &dyn Exchange) {
    let name = format!("{}_before", exchange.ledger());
    exchange.write().await.expect("written");
    port.snapshot(&name).await.expect("a snapshot");
    for _ in 0..3 {
        exchange.write().await.expect("written");
    }
    port.fence(1).await.expect("raised");
    let aside = "port_diverged_aside";
    port.restore(&name, aside, 1).await.expect("restored");
    port.unfence(1).await.expect("lowered");
    exchange.write().await.expect("written");
    port.fence(1).await.expect("raised");
    precondition(port.replay(aside, 1).await);
    assert_eq!(log_seq(port).await, 2);
}

// --- the simulated server ----------------------------------------------------------------------

struct Simulated {
    world: World,
    written: AtomicI64,
}

const POD: &str = "matching-1";

#[async_trait]
impl Exchange for Simulated {
    fn ledger(&self) -> &str {
        sim_exchange::database::IN_USE
    }

    async fn write(&self) -> Result<(), String> {
        let n = self.written.fetch_add(1, Ordering::Relaxed);
        let command = Command::Place {
            account: AccountId(u32::try_from(n % 20).unwrap_or(0)),
            market: MarketId(0),
            side: if n % 3 == 0 { Side::Buy } else { Side::Sell },
            price: Price(9_000 + n),
            qty: Qty(1 + n % 5),
            tif: Tif::Gtc,
        };
        let outcome = self.world.with(|state| {
            let now = state.now();
            state.application.database_mut(now).write(&command)
        });
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(error
                .sqlstate()
                .map_or_else(|| error.to_string(), str::to_owned)),
        }
    }

    async fn connect(&self) {
        let opened = self.world.with(|state| {
            let now = state.now();
            state.application.database_mut(now).connect(POD, 8)
        });
        opened.expect("a session");
    }

    async fn connected(&self) -> bool {
        self.world
            .with(|state| state.application.database().connected(POD))
    }

    async fn migrate(&self) {
        let mut files = Set::Decimal.files();
        files.retain(|file| file.script().kind == Kind::Versioned);
        let file = files.pop().expect("the release ships a migration");
        let op = DbOp::Migrate {
            name: file.name.to_owned(),
            sql: file.sql.to_owned(),
        };
        let migrated: Result<_, DatabaseError> =
            self.world.db("deployer", op).await.expect("an answer");
        migrated.expect("migrated");
    }

    async fn hold_locks(&self) {
        self.world.with(|state| {
            let now = state.now();
            let until = now + Micros::from_secs(600);
            state.application.database_mut(now).hold_locks(until);
        });
    }
}

#[test]
fn the_simulated_server_is_as_the_port_says() {
    for (name, part) in PARTS {
        let limits = Limits::default();
        let ended = sim_exchange::run(WorldConfig::default(), 1, limits, |world| async move {
            world.with(|state| {
                let now = state.now();
                state.application.stop_clients(now);
            });
            let exchange = Simulated {
                world: world.clone(),
                written: AtomicI64::new(0),
            };
            let port = firedrill::worlds::sim::database(&world, "executor");
            part(&*port, &exchange).await;
        });
        ended.unwrap_or_else(|halt| panic!("{name}: {halt}"));
    }
}

// --- PostgreSQL --------------------------------------------------------------------------------

struct Real<'a> {
    name: &'static str,
    exchange: exchange::Exchange<'a>,
    written: AtomicI64,
    /// The session that was opened last.
    session: Mutex<Option<tokio_postgres::Client>>,
    /// Those whose transactions hold locks.
    holders: Mutex<Vec<tokio_postgres::Client>>,
}

/// Each time another entry, as the exchange's are: its place in the log comes from the table.
const APPEND: &str = "INSERT INTO order_log
    SELECT coalesce(max(seq), 0) + 1, jsonb_build_object('note', $1::bigint), $1 FROM order_log";

#[async_trait]
impl Exchange for Real<'_> {
    fn ledger(&self) -> &str {
        self.name
    }

    async fn write(&self) -> Result<(), String> {
        let n = self.written.fetch_add(1, Ordering::Relaxed);
        let session = self.exchange.app().await;
        match session.execute(APPEND, &[&n]).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error
                .code()
                .map_or_else(|| error.to_string(), |code| code.code().to_owned())),
        }
    }

    async fn connect(&self) {
        let opened = self.exchange.app().await;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        *session = Some(opened);
    }

    async fn connected(&self) -> bool {
        let session = {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            session.take()
        };
        let Some(session) = session else {
            return false;
        };
        session.execute("SELECT 1", &[]).await.is_ok()
    }

    async fn migrate(&self) {
        self.exchange.migrate_to_decimal().await;
    }

    async fn hold_locks(&self) {
        let session = self.exchange.owner().await;
        let begin = "BEGIN; SELECT * FROM balances";
        session.batch_execute(begin).await.expect("locks");
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.push(session);
    }
}

#[test]
fn a_real_postgresql_is_as_the_port_says() {
    on_a_server(async |server| {
        for (name, part) in PARTS {
            let exchange = Real {
                name,
                exchange: exchange::Exchange::create(server, name).await,
                written: AtomicI64::new(0),
                session: Mutex::new(None),
                holders: Mutex::new(Vec::new()),
            };
            let port = PostgresDatabase::new(server.config("owner"), name, Layout::default());
            part(&port, &exchange).await;
        }
    });
}
