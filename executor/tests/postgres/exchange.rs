//! The exchange's side of the test: its schema, its role, and a bad release's migration.

use tokio_postgres::{Client, NoTls};

use super::server::Server;

const BASE: &str = include_str!("../../../dex/migrations/V1__base_schema.sql");
const DECIMAL: &str = include_str!("../../../dex/migrations/2.0.0/V2__decimal_ledger.sql");
pub(crate) const UNDO: &str = include_str!("../../../dex/migrations/2.0.0/U2__decimal_ledger.sql");

/// Appends an order to the log.
pub(crate) const APPEND: &str = "INSERT INTO order_log VALUES ($1, jsonb_build_object('note', 'order ' || $1::bigint, 'text', E'tab\\t\\\\ line\\n'), $1)";

const HISTORY: &str = "
    CREATE TABLE flyway_schema_history (
        installed_rank INTEGER PRIMARY KEY, version VARCHAR(50), description VARCHAR(200) NOT NULL,
        type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INTEGER,
        installed_by VARCHAR(100) NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT now(),
        execution_time INTEGER NOT NULL, success BOOLEAN NOT NULL);
    INSERT INTO flyway_schema_history VALUES (1, '1', 'base schema', 'SQL', 'V1__base_schema.sql', 7, 'owner', now(), 1, TRUE);
    CREATE SEQUENCE tickets;
    INSERT INTO assets VALUES (0, 2);
    INSERT INTO accounts VALUES (1);
    INSERT INTO balances VALUES (1, 0, 1000, 0)";

/// A ledger database.
pub(crate) struct Exchange<'a> {
    server: &'a Server,
    name: &'static str,
}

/// A session of `user`.
pub(crate) async fn connect(server: &Server, user: &str, database: &str) -> Client {
    let mut config = server.config(user);
    let (client, connection) = config
        .dbname(database)
        .connect(NoTls)
        .await
        .expect("a session");
    drop(tokio::spawn(connection));
    client
}

/// The SQLSTATE that `statement` is refused with.
pub(crate) async fn refusal(client: &Client, statement: &str) -> String {
    let error = client.execute(statement, &[]).await.expect_err("a refusal");
    error
        .code()
        .expect("the server's refusal")
        .code()
        .to_owned()
}

impl<'a> Exchange<'a> {
    /// Creates the database `name` at schema version 1.
    pub(crate) async fn create(server: &'a Server, name: &'static str) -> Self {
        let maintenance = connect(server, "owner", "postgres").await;
        maintenance
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("created");
        let exchange = Self { server, name };
        let owner = exchange.owner().await;
        owner.batch_execute(BASE).await.expect("the base schema");
        owner.batch_execute(HISTORY).await.expect("its rows");
        exchange
    }

    pub(crate) async fn owner(&self) -> Client {
        connect(self.server, "owner", self.name).await
    }

    pub(crate) async fn maintenance(&self) -> Client {
        connect(self.server, "owner", "postgres").await
    }

    /// A session of the exchange.
    pub(crate) async fn app(&self) -> Client {
        connect(self.server, "dex_app", self.name).await
    }

    /// What the bad release does to the schema.
    pub(crate) async fn migrate_to_decimal(&self) {
        let owner = self.owner().await;
        owner.batch_execute(DECIMAL).await.expect("the migration");
        owner
            .batch_execute(
                "INSERT INTO flyway_schema_history VALUES
                 (2, '2', 'decimal ledger', 'SQL', 'V2__decimal_ledger.sql', 8, 'owner', now(), 1, TRUE)",
            )
            .await
            .expect("its row");
    }

    pub(crate) async fn type_of_free(&self) -> String {
        let query = "SELECT data_type::text FROM information_schema.columns
                     WHERE table_name = 'balances' AND column_name = 'free'";
        self.owner()
            .await
            .query_one(query, &[])
            .await
            .expect("the column")
            .get(0)
    }

    /// Every privilege that the exchange's role has.
    pub(crate) async fn grants(&self) -> Vec<(String, String)> {
        let query = "SELECT table_name::text, privilege_type::text FROM information_schema.role_table_grants
                     WHERE grantee = 'dex_app' ORDER BY 1, 2";
        let rows = self.owner().await.query(query, &[]).await.expect("grants");
        assert!(!rows.is_empty());
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}
