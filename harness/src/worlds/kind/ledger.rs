//! The ledger's database: set up before the drill, migrated by the deployer, read by the harness.
//!
//! The harness looks as `dex_app`, which owns nothing and may be disconnected by the executor at any time:
//! no look of the harness's ever keeps a snapshot or a restore waiting.
//! The superuser is used before and after the rollback only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use dex::exchange::{AMPLE_DEPOSIT, Exchange};
use dex::invariants::{Reckoned, reckon};
use dex::order_log::LogEntry;
use dex::release::{Build, Release, Service};
use dex::rows::{self, Column, Rows};
use dex::service::migrate::{Genesis, migrate};
use dex::service::tables::{self, LOG_COLUMNS, TRADE_COLUMNS};
use dex::{Command, command::Trade};
use sim_exchange::database::{order_content, trade_content};
use tokio_postgres::{Client, Config, IsolationLevel, NoTls};

use super::clock::within;
use super::docker::random_word;
use super::server::Server;
use crate::evidence::{Acknowledgements, BookEntry, LedgerState, Reckoning};

/// The rights of the executor's role.
const ROLES: &str = include_str!("../../../../deploy/executor-role.sql");
/// The ledger's name.
const NAME: &str = "ledger";
/// A look takes no longer than this, or is none.
const LOOK: Duration = Duration::from_secs(2);
/// Who looks, so that the harness's own sessions can be told from the exchange's.
const EYE: &str = "firedrill";

/// The ways to the ledger.
#[derive(Clone)]
pub(super) struct LedgerServer {
    name: String,
    address: Ipv4Addr,
    superuser: String,
    app: String,
    executor: String,
}

/// An error of the database with everything that caused it.
pub(super) fn said(what: &str, error: &dyn std::error::Error) -> String {
    format!("{what}: {}", dex::with_causes(error))
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // It ends with the client; whoever waits for an answer gets its error.
    drop(tokio::spawn(connection));
    Ok(client)
}

impl LedgerServer {
    /// Makes the ledger on a server that has just been started: base schema, accounts, markets, roles.
    pub(super) async fn create(
        server: &Server,
        release: &Release,
        genesis: Genesis,
    ) -> Result<Self, String> {
        let ledger = Self {
            name: NAME.to_owned(),
            address: server.address,
            superuser: server.password.clone(),
            app: random_word()?,
            executor: random_word()?,
        };
        ledger.open(release, genesis).await?;
        Ok(ledger)
    }

    /// Makes another ledger on the same server, with the same roles.
    pub(super) async fn beside(
        &self,
        name: &str,
        release: &Release,
        genesis: Genesis,
    ) -> Result<Self, String> {
        let ledger = Self {
            name: name.to_owned(),
            ..self.clone()
        };
        ledger.open(release, genesis).await?;
        Ok(ledger)
    }

    async fn open(&self, release: &Release, genesis: Genesis) -> Result<(), String> {
        let create = async {
            let client = connect(&self.as_superuser("postgres")).await?;
            let database = format!("CREATE DATABASE {}", self.name);
            client.batch_execute(&database).await
        };
        create
            .await
            .map_err(|error| said("create the ledger", &error))?;
        let owner = self.as_superuser(&self.name);
        migrate(&owner, release, Some(genesis), Some(&self.app))
            .await
            .map_err(|error| said("open the ledger", &error))?;
        let password = format!("ALTER ROLE rollback_executor PASSWORD '{}'", self.executor);
        self.superuser()
            .await?
            .batch_execute(&format!("{ROLES};{password}"))
            .await
            .map_err(|error| said("the ledger's roles", &error))
    }

    /// A session of the superuser in the ledger. None may stay while the executor copies it.
    pub(super) async fn superuser(&self) -> Result<Client, String> {
        connect(&self.as_superuser(&self.name))
            .await
            .map_err(|error| said("the ledger", &error))
    }

    /// A session of the superuser in the ledger that can change nothing.
    async fn read_only(&self) -> Result<Client, String> {
        let client = self.superuser().await?;
        let statement = "SET default_transaction_read_only = on";
        let set = client.batch_execute(statement).await;
        set.map_err(|error| said("the ledger", &error))?;
        Ok(client)
    }

    fn role(&self, role: &str, password: &str, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host(self.address.to_string())
            .port(5432)
            .user(role)
            .password(password)
            .dbname(database)
            .application_name(EYE)
            .connect_timeout(Duration::from_secs(2));
        config
    }

    fn as_superuser(&self, database: &str) -> Config {
        self.role("postgres", &self.superuser, database)
    }

    fn url(&self, role: &str, password: &str) -> String {
        format!(
            "postgresql://{role}:{password}@{}:5432/{}",
            self.address, self.name
        )
    }

    /// The exchange's URL.
    pub(super) fn exchange_url(&self) -> String {
        self.url("dex_app", &self.app)
    }

    /// The executor's URL.
    pub(super) fn executor_url(&self) -> String {
        self.url("rollback_executor", &self.executor)
    }

    /// When the server that answers now started.
    pub(super) async fn server_started(&self) -> Result<String, String> {
        let failed = |error: tokio_postgres::Error| said("the ledger's server", &error);
        let started = async {
            let client = connect(&self.as_superuser("postgres")).await?;
            let query = "SELECT pg_postmaster_start_time()::text";
            Ok(client.query_one(query, &[]).await?.get(0))
        };
        within(LOOK, started)
            .await
            .ok_or("no answer from the ledger's server")?
            .map_err(failed)
    }

    /// Runs the versioned migrations that the history lacks, as the tables' owner.
    pub(super) async fn migrate(&self, release: &Release) -> Result<(), String> {
        let mut config = self.as_superuser(&self.name);
        config.options("-c role=dex_owner");
        migrate(&config, release, None, None)
            .await
            .map(drop)
            .map_err(|error| said("migrate", &error))
    }

    /// Invariants that do not hold; an error if nothing could be seen.
    pub(super) async fn violations(&self) -> Result<Vec<String>, String> {
        let rows = within(LOOK, self.rows())
            .await
            .ok_or("no answer from the ledger")?
            .map_err(|error| said("look at the ledger", &error))?;
        Ok(violations(&rows))
    }

    async fn rows(&self) -> Result<Rows, tokio_postgres::Error> {
        let mut client = connect(&self.role("dex_app", &self.app, &self.name)).await?;
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        tables::rows(&transaction).await
    }

    /// What the ledger holds of the acknowledged orders, what of those that nobody holds an acknowledgement for,
    /// and its trades.
    pub(super) async fn present(&self, orders: &Acknowledgements) -> Result<Found, String> {
        let client = self.read_only().await?;
        let log = order_log(&client).await?;
        let contents: BTreeMap<u64, (bool, u64)> = log
            .iter()
            .map(|entry| {
                let placed = matches!(entry.command, Command::Place { .. });
                (entry.seq.0, (placed, order_content(&entry.command)))
            })
            .collect();
        let acknowledged: BTreeSet<u64> = orders.acknowledged.iter().map(|it| it.id).collect();
        let entry = |(id, content): (u64, u64)| BookEntry { id, content };
        let present = orders.acknowledged.iter().filter_map(|order| {
            let (_, content) = *contents.get(&order.id)?;
            Some(entry((order.id, content)))
        });
        let unclaimed = contents
            .iter()
            .filter(|(id, (placed, _))| *placed && !acknowledged.contains(id))
            .map(|(id, (_, content))| entry((*id, *content)));
        Ok(Found {
            orders: present.collect(),
            unclaimed: unclaimed.collect(),
            trades: trades(&client).await?.iter().map(self::entry).collect(),
        })
    }

    /// The ledger beside what the matching engine of release `from` makes of its genesis and of the whole order log.
    /// Only reads.
    pub(super) async fn reckoning(
        &self,
        from: &str,
        genesis: Genesis,
    ) -> Result<Reckoning, String> {
        let build = Release::by_name(from)
            .ok_or_else(|| format!("unknown release {from}"))?
            .build(Service::Matching);
        let rows = self
            .rows()
            .await
            .map_err(|error| said("read the ledger", &error))?;
        let reader = reader(&rows).ok_or("no build reads this ledger")?;
        let found = rows::decode(&reader, &rows).map_err(|error| said("unreadable", &error))?;
        let client = self.read_only().await?;
        let log = order_log(&client).await?;
        let accounts = genesis.accounts.max(1);
        let opened = Exchange::genesis(build, accounts, genesis.markets.max(1), AMPLE_DEPOSIT);
        let Reckoned {
            state,
            trades: expected,
            refused,
        } = reckon(opened, &log, found.seq());
        let mut made = trades(&client).await?;
        made.retain(|trade| trade.id <= found.trade_id());
        Ok(Reckoning {
            as_of: found.seq().0,
            found: LedgerState::of(&found, made.iter().map(entry).collect()),
            expected: LedgerState::of(&state, expected.iter().map(entry).collect()),
            refused: refused.iter().map(|seq| seq.0).collect(),
        })
    }

    /// Token of the fence, if it is up.
    pub(super) async fn fence(&self) -> Result<Option<u64>, String> {
        let failed = |error: tokio_postgres::Error| said("the fence", &error);
        let client = connect(&self.as_superuser(&self.name))
            .await
            .map_err(failed)?;
        let there: bool = client
            .query_one("SELECT to_regclass('rollback_fence') IS NOT NULL", &[])
            .await
            .map_err(failed)?
            .get(0);
        if !there {
            return Ok(None);
        }
        let row = client
            .query_opt("SELECT token FROM rollback_fence WHERE up", &[])
            .await
            .map_err(failed)?;
        Ok(row.map(|row| tables::unsigned(&row, 0)))
    }

    /// Its identity in the server: a restore puts another database in its place.
    /// <https://www.postgresql.org/docs/current/catalog-pg-database.html>
    pub(super) async fn identity(&self) -> Result<u32, String> {
        let failed = |error: tokio_postgres::Error| said("which database the ledger is", &error);
        let client = connect(&self.as_superuser(&self.name))
            .await
            .map_err(failed)?;
        let row = client
            .query_one(
                "SELECT oid FROM pg_database WHERE datname = current_database()",
                &[],
            )
            .await
            .map_err(failed)?;
        Ok(row.get(0))
    }

    /// Layout, history and who is connected, as path to value.
    pub(super) async fn lasting(&self, out: &mut BTreeMap<String, String>) -> Result<(), String> {
        let failed = |error: tokio_postgres::Error| said("the ledger's schema", &error);
        let client = connect(&self.as_superuser(&self.name))
            .await
            .map_err(failed)?;
        let columns = client
            .query(
                "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name NOT LIKE 'rollback%'",
                &[],
            )
            .await
            .map_err(failed)?;
        for row in &columns {
            let (table, column): (&str, &str) = (row.get(0), row.get(1));
            out.insert(format!("schema/layout/{table}.{column}"), row.get(2));
        }
        let history = client
            .query(
                "SELECT installed_rank, coalesce(version, ''), type, script, success FROM flyway_schema_history",
                &[],
            )
            .await
            .map_err(failed)?;
        for row in &history {
            let rank: i32 = row.get(0);
            let (version, kind, script): (&str, &str, &str) = (row.get(1), row.get(2), row.get(3));
            let success: bool = row.get(4);
            out.insert(
                format!("schema/history/{rank}"),
                format!("{version} {kind} {script} success={success}"),
            );
        }
        let grants = client
            .query(
                "SELECT table_name::text, string_agg(privilege_type::text, ' ' ORDER BY privilege_type)
                 FROM information_schema.role_table_grants
                 WHERE grantee = 'dex_app' AND table_schema = 'public' AND table_name NOT LIKE 'rollback%'
                 GROUP BY table_name",
                &[],
            )
            .await
            .map_err(failed)?;
        for row in &grants {
            let table: &str = row.get(0);
            out.insert(format!("database/rights/{table}"), row.get(1));
        }
        let sessions = client
            .query_one(
                "SELECT coalesce(string_agg(DISTINCT application_name, ' ' ORDER BY application_name), '')
                 FROM pg_stat_activity
                 WHERE datname = current_database() AND usename = 'dex_app' AND application_name <> $1",
                &[&EYE],
            )
            .await
            .map_err(failed)?;
        out.insert("database/sessions".to_owned(), sessions.get(0));
        Ok(())
    }
}

/// What a ledger holds at the end.
pub(super) struct Found {
    /// Those of the acknowledged orders that are there.
    pub(super) orders: Vec<BookEntry>,
    /// Orders that nobody holds an acknowledgement for.
    pub(super) unclaimed: Vec<BookEntry>,
    /// Every trade.
    pub(super) trades: Vec<BookEntry>,
}

/// The whole order log.
async fn order_log(client: &Client) -> Result<Vec<LogEntry>, String> {
    let query = format!("SELECT {LOG_COLUMNS} FROM order_log ORDER BY seq");
    let found = client.query(&query, &[]).await;
    let found = found.map_err(|error| said("read the order log", &error))?;
    let read =
        |row| tables::log_entry(row).map_err(|error| said("an entry of the order log", &error));
    found.iter().map(read).collect()
}

/// Every trade, by id.
async fn trades(client: &Client) -> Result<Vec<Trade>, String> {
    let query = format!("SELECT {TRADE_COLUMNS} FROM trades ORDER BY trade_id");
    let found = client.query(&query, &[]).await;
    let found = found.map_err(|error| said("read the trades", &error))?;
    Ok(found.iter().map(tables::trade).collect())
}

/// A build that reads the rows, whichever schema they are in.
fn reader(rows: &Rows) -> Option<Build> {
    let is_decimal = |column: &Column| matches!(column, Column::Text(text) if text.contains('.'));
    if rows.balances.iter().any(|row| is_decimal(&row.free)) {
        Build::by_image("dex/matching:2.0.0")
    } else {
        Build::by_image("dex/matching:1.4.2")
    }
}

/// What is wrong with the ledger that the rows hold, whichever schema they are in.
fn violations(rows: &Rows) -> Vec<String> {
    let Some(reader) = reader(rows) else {
        return vec!["no build reads this ledger".to_owned()];
    };
    let sound = rows
        .markets
        .iter()
        .enumerate()
        .all(|(n, spec)| spec.is_sound() && usize::from(spec.id.0) == n);
    if !sound {
        return vec!["the markets are not sound".to_owned()];
    }
    match rows::decode(&reader, rows) {
        Ok(exchange) => dex::invariants::state(&exchange)
            .iter()
            .map(ToString::to_string)
            .collect(),
        Err(error) => vec![said("unreadable", &error)],
    }
}

/// A trade for the books.
pub(super) fn entry(trade: &Trade) -> BookEntry {
    BookEntry {
        id: trade.id.0,
        content: trade_content(trade),
    }
}

#[cfg(test)]
mod tests {
    use dex::release::SchemaVersion;

    use super::*;

    fn text(column: &mut Column) {
        if let Column::Bigint(minor) = column {
            *column = Column::Text(minor.to_string().into());
        }
    }

    #[test]
    fn either_schema_is_read_and_money_from_nowhere_is_seen() {
        let exchange =
            dex::Exchange::genesis(Build::stable(Service::Matching), 3, 2, AMPLE_DEPOSIT);
        for schema in [SchemaVersion::V1, SchemaVersion::V2] {
            let mut rows = rows::encode(schema, &exchange);
            for row in &mut rows.balances {
                text(&mut row.free);
                text(&mut row.locked);
            }
            for row in &mut rows.venue {
                for column in [
                    &mut row.fees,
                    &mut row.suspense,
                    &mut row.adjustments,
                    &mut row.deposits,
                ] {
                    text(column);
                }
            }
            assert_eq!(violations(&rows), Vec::<String>::new(), "{schema:?}");
            if let Column::Text(free) = &rows.balances[0].free {
                rows.balances[0].free = Column::Text(format!("1{free}").into());
            }
            assert!(!violations(&rows).is_empty(), "{schema:?}");
        }
    }
}
