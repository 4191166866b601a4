//! The ledger's database as its owner sees it, and what clients were told, held against each other.

use std::collections::BTreeMap;
use std::process::Command;

use dex::Command as Order;
use dex::service::api::{OrderReply, OrderRequest};
use tokio_postgres::{Client, NoTls};

use crate::server::Server;

/// A ledger database of its own.
pub(crate) struct Ledger<'a> {
    server: &'a Server,
    pub(crate) name: String,
}

/// A trade's columns.
type Row = [i64; 11];

impl<'a> Ledger<'a> {
    /// An empty database `name`.
    pub(crate) async fn create(server: &'a Server, name: &str) -> Self {
        let ledger = Self {
            server,
            name: name.to_owned(),
        };
        ledger.maintain(&format!("CREATE DATABASE {name}")).await;
        ledger
    }

    /// A database `name`, migrated to `release` and opened.
    pub(crate) async fn open(server: &'a Server, name: &str, release: &str) -> Self {
        let ledger = Self::create(server, name).await;
        ledger.migrate(release).expect("it migrates");
        ledger
    }

    /// Copies the database as it is, closed to sessions meanwhile, as a snapshot is taken.
    pub(crate) async fn copy(&self, name: &str) -> Ledger<'a> {
        for statement in [
            "ALTER DATABASE {own} WITH ALLOW_CONNECTIONS false",
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{own}'",
            "CREATE DATABASE {copy} TEMPLATE {own}",
            "ALTER DATABASE {own} WITH ALLOW_CONNECTIONS true",
        ] {
            let statement = statement.replace("{own}", &self.name);
            self.maintain(&statement.replace("{copy}", name)).await;
        }
        Ledger {
            server: self.server,
            name: name.to_owned(),
        }
    }

    async fn maintain(&self, statement: &str) {
        let client = connect(self.server, "owner", "postgres").await;
        client.batch_execute(statement).await.expect(statement);
    }

    /// What the exchange connects to.
    pub(crate) fn url(&self) -> String {
        self.server.url("dex_app", &self.name)
    }

    /// What the owner connects to, for Java.
    pub(crate) fn jdbc(&self) -> String {
        let url = self.server.url("owner", &self.name);
        format!("jdbc:{}", url.replace("owner@", ""))
    }

    pub(crate) async fn owner(&self) -> Client {
        connect(self.server, "owner", &self.name).await
    }

    fn tool(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_dex-migrate"))
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", self.server.url("owner", &self.name))
            .output()
            .expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    pub(crate) fn migrate(&self, release: &str) -> Result<String, String> {
        self.tool(&[
            "migrate",
            "--release",
            release,
            "--accounts",
            "40",
            "--markets",
            "2",
        ])
    }

    pub(crate) fn info(&self, release: &str) -> String {
        self.tool(&["info", "--release", release]).expect("info")
    }

    /// Takes the right to write from the exchange, and its sessions.
    pub(crate) async fn fence(&self) {
        let owner = self.owner().await;
        owner
            .batch_execute(
                "REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM dex_app;
                 GRANT UPDATE ON leader TO dex_app;
                 SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                 WHERE datname = current_database() AND usename = 'dex_app'",
            )
            .await
            .expect("fenced");
    }

    pub(crate) async fn unfence(&self) {
        let owner = self.owner().await;
        owner
            .batch_execute(
                "GRANT INSERT, UPDATE, DELETE ON assets, markets, accounts, balances, venue_balances, orders,
                    ledger_meta TO dex_app;
                 GRANT INSERT ON trades, order_log TO dex_app",
            )
            .await
            .expect("unfenced");
    }

    pub(crate) async fn number(&self, query: &str) -> i64 {
        let row = self.owner().await.query_one(query, &[]).await;
        row.expect("a number").get(0)
    }

    pub(crate) async fn text(&self, query: &str) -> String {
        let row = self.owner().await.query_one(query, &[]).await;
        row.expect("a text").get(0)
    }

    /// Every trade, by id.
    pub(crate) async fn trades(&self) -> BTreeMap<i64, Row> {
        let rows = self
            .owner()
            .await
            .query(
                "SELECT trade_id, seq, market::bigint, price, qty, (taker_side = 'B')::int::bigint, taker_order, taker,
                    maker_order, maker, taker_fee, maker_fee FROM trades",
                &[],
            )
            .await
            .expect("trades");
        let columns = |row: &tokio_postgres::Row| std::array::from_fn(|n| row.get(n + 1));
        rows.iter().map(|row| (row.get(0), columns(row))).collect()
    }

    async fn log(&self) -> BTreeMap<u64, Order> {
        let rows = self
            .owner()
            .await
            .query("SELECT seq, entry::text FROM order_log", &[])
            .await
            .expect("the log");
        rows.iter()
            .map(|row| {
                let command = serde_json::from_str(row.get(1)).expect("a command");
                (row.get::<_, i64>(0) as u64, command)
            })
            .collect()
    }

    /// Fails unless every acknowledged order and trade is there as acknowledged.
    pub(crate) async fn holds(&self, acknowledged: &[(OrderRequest, OrderReply)]) {
        let (log, trades) = (self.log().await, self.trades().await);
        for (request, reply) in acknowledged {
            let command = request.command().expect("it was accepted");
            if request.place.is_some() {
                assert_eq!(log.get(&reply.order_id.0), Some(&command), "{reply:?}");
            }
            for t in &reply.trades {
                let row = [
                    t.seq.0 as i64,
                    i64::from(t.market.0),
                    t.price.0,
                    t.qty.0,
                    i64::from(t.taker_side == dex::types::Side::Buy),
                    t.taker_order.0 as i64,
                    i64::from(t.taker.0),
                    t.maker_order.0 as i64,
                    i64::from(t.maker.0),
                    t.taker_fee.0,
                    t.maker_fee.0,
                ];
                assert_eq!(trades.get(&(t.id.0 as i64)), Some(&row), "{t:?}");
            }
        }
    }
}

async fn connect(server: &Server, user: &str, database: &str) -> Client {
    let mut config = server.config(user);
    let (client, connection) = config
        .dbname(database)
        .connect(NoTls)
        .await
        .expect("a session");
    drop(tokio::spawn(connection));
    client
}
