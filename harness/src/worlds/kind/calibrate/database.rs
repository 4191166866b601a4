//! The executor's database port on the real server, by how much there is to copy, to rewrite and to replay.

use std::time::Duration;

use dex::release::Service;
use dex::service::migrate::Genesis;
use executor::live::{Layout, PostgresDatabase};
use executor::ports::{Database as _, DatabaseError, UndoScript};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use sim::measured::{BySize, OfSize, Sampled};
use sim_exchange::measured::Database;

use super::traffic::line_after;
use super::{Stage, now_us, sampled};
use crate::worlds::common::manifests::{NAMESPACE, selector};
use crate::worlds::kind::clock::sleep;
use crate::worlds::kind::ledger::{LedgerServer, said};
use crate::worlds::kind::perform::release;

/// Fences of the ledger in use.
const FENCES: u64 = 8;
/// Plain statements.
const STATEMENTS: u32 = 50;
/// What they begin with.
const STABLE: &str = dex::release::STABLE;
/// Breaks the schema, and has an undo script that loses nothing.
const BREAKING: &str = "2.0.0-decimal-ledger";
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A ledger to be measured.
struct Shape {
    accounts: u32,
    ballast_mb: u32,
    entries: u32,
    rounds: u32,
}

const SHAPES: [Shape; 4] = [
    Shape {
        accounts: 1_000,
        ballast_mb: 0,
        entries: 5_000,
        rounds: 8,
    },
    Shape {
        accounts: 5_000,
        ballast_mb: 20,
        entries: 20_000,
        rounds: 5,
    },
    Shape {
        accounts: 20_000,
        ballast_mb: 200,
        entries: 50_000,
        rounds: 4,
    },
    Shape {
        accounts: 50_000,
        ballast_mb: 1_000,
        entries: 100_000,
        rounds: 3,
    },
];

fn port(ledger: &LedgerServer) -> Result<PostgresDatabase, String> {
    PostgresDatabase::from_url(&ledger.executor_url(), Layout::default())
        .map_err(|error| error.to_string())
}

fn failed(what: &'static str) -> impl Fn(DatabaseError) -> String {
    move |error| format!("{what}: {error}")
}

/// PostgreSQL's version.
pub(super) async fn version(ledger: &LedgerServer) -> Result<String, String> {
    let row = ledger
        .superuser()
        .await?
        .query_one("SHOW server_version", &[])
        .await
        .map_err(|error| said("the server's version", &error))?;
    let version: String = row.get(0);
    Ok(version.split(' ').next().unwrap_or_default().to_owned())
}

/// Samples of one kind for each shape.
#[derive(Default)]
struct Sizes(Vec<OfSize>);

impl Sizes {
    fn add(&mut self, what: &str, size: u64, samples: &[u64]) -> Result<(), String> {
        let took = sampled(what, samples)?;
        self.0.push(OfSize { size, took });
        Ok(())
    }

    fn done(self, what: &str) -> Result<BySize, String> {
        BySize::try_from(self.0).map_err(|error| format!("{what}: {error}"))
    }
}

/// A plain statement, and everything else about the database.
pub(super) async fn measure(stage: &Stage<'_>) -> Result<(Sampled, Database), String> {
    (stage.say)("statements and fences");
    let live = port(stage.ledger)?;
    let mut statements = Vec::new();
    for _ in 0..STATEMENTS {
        statements.push(ask(&live).await?);
        sleep(Duration::from_millis(50)).await;
    }
    let statement = sampled("statement", &statements)?;
    let usual = statement.distribution.median();
    let pods = Api::<Pod>::namespaced(stage.admin.clone(), NAMESPACE);
    let matching = pods
        .list(&ListParams::default().labels(&selector(Service::Matching)))
        .await
        .map_err(|error| format!("list pods: {error}"))?;
    let matching = matching
        .items
        .first()
        .ok_or("no matching engine")?
        .name_any();
    let (mut fence, mut unfence, mut reconnect) = (Vec::new(), Vec::new(), Vec::new());
    for token in 1..=FENCES {
        sleep(Duration::from_secs(2)).await;
        let begun = now_us();
        live.fence(token).await.map_err(failed("fence"))?;
        fence.push((now_us() - begun).saturating_sub(usual));
        let closed = line_after(&pods, &matching, "was ended", begun).await?;
        let reopened = line_after(&pods, &matching, "sessions reopened", begun).await?;
        reconnect.push(reopened.saturating_sub(closed));
        let begun = now_us();
        live.unfence(token).await.map_err(failed("unfence"))?;
        unfence.push((now_us() - begun).saturating_sub(usual));
    }
    let empty = Genesis {
        accounts: 1,
        markets: 1,
    };
    let empty = stage
        .ledger
        .beside("calibration_empty", &release(STABLE)?, empty)
        .await?;
    let empty_bytes = bytes(&empty).await?;
    let [mut snapshot, mut restore, mut migrate, mut undo, mut replay] =
        std::array::from_fn(|_| Sizes::default());
    for shape in &SHAPES {
        (stage.say)(&format!(
            "a ledger of {} accounts and {} MB more",
            shape.accounts, shape.ballast_mb
        ));
        let seen = measured(stage, shape, usual).await?;
        snapshot.add("snapshot", seen.bytes, &seen.snapshot)?;
        restore.add("restore", seen.bytes, &seen.restore)?;
        migrate.add("migrate", seen.rows, &seen.migrate)?;
        undo.add("undo", seen.rows, &seen.undo)?;
        replay.add("replay", u64::from(shape.entries), &seen.replay)?;
    }
    let database = Database {
        fence: sampled("fence", &fence)?,
        unfence: sampled("unfence", &unfence)?,
        reconnect: sampled("reconnect", &reconnect)?,
        snapshot: snapshot.done("snapshot")?,
        restore: restore.done("restore")?,
        migrate: migrate.done("migrate")?,
        undo: undo.done("undo")?,
        replay: replay.done("replay")?,
        empty_bytes,
    };
    Ok((statement, database))
}

/// How long a connection and a statement take.
async fn ask(port: &PostgresDatabase) -> Result<u64, String> {
    let begun = now_us();
    port.fence_token().await.map_err(failed("statement"))?;
    Ok(now_us() - begun)
}

async fn bytes(ledger: &LedgerServer) -> Result<u64, String> {
    number(ledger, "SELECT pg_database_size(current_database())").await
}

async fn number(ledger: &LedgerServer, query: &str) -> Result<u64, String> {
    let row = ledger
        .superuser()
        .await?
        .query_one(query, &[])
        .await
        .map_err(|error| said("ask the ledger", &error))?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

async fn execute(ledger: &LedgerServer, statements: &str) -> Result<(), String> {
    ledger
        .superuser()
        .await?
        .batch_execute(statements)
        .await
        .map_err(|error| said("prepare the ledger", &error))
}

#[derive(Default)]
struct Samples {
    bytes: u64,
    rows: u64,
    snapshot: Vec<u64>,
    restore: Vec<u64>,
    migrate: Vec<u64>,
    undo: Vec<u64>,
    replay: Vec<u64>,
}

/// A whole rollback of the ledger, undone and restored, over and over; `usual` µs are a plain statement's.
async fn measured(stage: &Stage<'_>, shape: &Shape, usual: u64) -> Result<Samples, String> {
    let genesis = Genesis {
        accounts: shape.accounts,
        markets: 4,
    };
    let name = format!("calibration_{}", shape.accounts);
    let stable = release(STABLE)?;
    let ledger = stage.ledger.beside(&name, &stable, genesis).await?;
    if shape.ballast_mb > 0 {
        // A thousand bytes a row, which nothing compresses.
        execute(
            &ledger,
            &format!(
                "CREATE TABLE ballast AS
                 SELECT n, repeat(md5(n::text), 31) AS text FROM generate_series(1, {} * 1000) n;
                 ALTER TABLE ballast OWNER TO dex_owner",
                shape.ballast_mb
            ),
        )
        .await?;
    }
    let bad = release(BREAKING)?;
    let script = bad
        .migrations()
        .into_iter()
        .find(|it| it.name.starts_with("U2__"))
        .ok_or("the breaking release has no undo script")?;
    let script = UndoScript {
        version: "2".to_owned(),
        name: script.name.to_owned(),
        sql: script.sql.to_owned(),
    };
    let port = port(&ledger)?;
    let mut seen = Samples {
        rows: number(&ledger, "SELECT count(*) FROM balances").await?,
        ..Samples::default()
    };
    let beyond = |begun: u64| (now_us() - begun).saturating_sub(usual);
    for round in 1..=u64::from(shape.rounds) {
        let begun = now_us();
        let taken = port
            .snapshot(&format!("{name}_before"))
            .await
            .map_err(failed("snapshot"))?;
        seen.snapshot.push(beyond(begun));
        seen.bytes = taken.size_bytes;
        execute(
            &ledger,
            &format!(
                "INSERT INTO order_log SELECT (SELECT coalesce(max(seq), 0) FROM order_log) + n,
                     '{{\"Cancel\":{{\"account\":1,\"order\":1}}}}', 0 FROM generate_series(1, {}) n",
                shape.entries
            ),
        )
        .await?;
        let begun = now_us();
        ledger.migrate(&bad).await?;
        seen.migrate.push(now_us() - begun);
        port.fence(round).await.map_err(failed("fence"))?;
        let begun = now_us();
        port.undo(&script, LOCK_TIMEOUT, round)
            .await
            .map_err(failed("undo"))?;
        seen.undo.push(beyond(begun));
        let aside = format!("{name}_aside");
        let begun = now_us();
        port.restore(&format!("{name}_before"), &aside, round)
            .await
            .map_err(failed("restore"))?;
        seen.restore.push(beyond(begun));
        let begun = now_us();
        port.replay(&aside, round).await.map_err(failed("replay"))?;
        seen.replay.push(beyond(begun));
        port.unfence(round).await.map_err(failed("unfence"))?;
        execute(stage.ledger, &format!("DROP DATABASE {aside} WITH (FORCE)")).await?;
        // The next round begins where this one did.
        execute(&ledger, "DELETE FROM order_log").await?;
    }
    for copy in ["", "_before", "_before__previous"] {
        let statement = format!("DROP DATABASE IF EXISTS {name}{copy} WITH (FORCE)");
        execute(stage.ledger, &statement).await?;
    }
    Ok(seen)
}
