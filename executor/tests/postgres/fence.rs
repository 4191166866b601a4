//! The fence against every way in which rights to write are given, and the names in a layout of one's own.

use executor::live::{Layout, PostgresDatabase};
use executor::ports::{Database, DatabaseError};
use tokio_postgres::Client;

use super::exchange::{Exchange, connect, refusal};
use super::server::Server;
use super::{port, script};

/// Roles that may write by a way of their own, and a table with a name that has to be quoted.
const WAYS: &str = r#"
    CREATE ROLE "group" NOLOGIN;
    CREATE ROLE group_writer LOGIN IN ROLE "group";
    GRANT INSERT ON orders TO "group";
    CREATE ROLE column_writer LOGIN;
    GRANT SELECT, UPDATE (remaining) ON orders TO column_writer;
    CREATE ROLE public_writer LOGIN;
    CREATE TABLE "odd ""name""; DROP TABLE leader" (n INT);
    GRANT INSERT ON "odd ""name""; DROP TABLE leader" TO PUBLIC;
    CREATE ROLE definer_user LOGIN;
    CREATE FUNCTION credit(who BIGINT, amount BIGINT) RETURNS VOID LANGUAGE sql VOLATILE SECURITY DEFINER
        AS 'UPDATE balances SET free = free + amount WHERE account = who';
    CREATE ROLE passing LOGIN;
    GRANT DELETE ON orders TO passing WITH GRANT OPTION;
    SET ROLE passing; GRANT DELETE ON orders TO column_writer; RESET ROLE;"#;

const ODD: &str = r#"INSERT INTO "odd ""name""; DROP TABLE leader" VALUES (1)"#;

async fn writes(client: &Client, statement: &str) {
    client.execute(statement, &[]).await.expect(statement);
}

pub(super) async fn holds_against_every_way_to_write(server: &Server) {
    let exchange = Exchange::create(server, "ways").await;
    let owner = exchange.owner().await;
    owner.batch_execute(WAYS).await.expect("roles and rights");
    let rights = "SELECT relname::text, relacl::text FROM pg_class WHERE relkind = 'r' AND relacl IS NOT NULL
                    AND relname NOT LIKE 'rollback%' ORDER BY 1";
    let before: Vec<(String, Vec<String>)> = acls(&owner, rights).await;
    let cases = [
        (
            "group_writer",
            "INSERT INTO orders VALUES (1, 1, 0, 'B', 1, 1, 1)",
        ),
        ("column_writer", "UPDATE orders SET remaining = 0"),
        ("public_writer", ODD),
        ("definer_user", "SELECT credit(1, 5)"),
    ];
    let markets =
        "INSERT INTO assets VALUES (1, 2); INSERT INTO markets VALUES (0, 0, 1, 1, 1, 1, 1, 0, 0)";
    owner.batch_execute(markets).await.expect("a market");
    for (role, statement) in cases {
        writes(&connect(server, role, "ways").await, statement).await;
    }

    let port = port(server, "ways");
    let idle = connect(server, "group_writer", "ways").await;
    port.fence(1).await.expect("the fence goes up");
    assert!(
        idle.query("SELECT 1", &[]).await.is_err(),
        "sessions of who lost a right are ended"
    );
    for (role, statement) in cases {
        let client = connect(server, role, "ways").await;
        assert_eq!(refusal(&client, statement).await, "42501", "{role}");
    }
    assert!(port.fence(1).await.expect("again").already_up);
    port.unfence(1).await.expect("the fence goes down");
    for (role, statement) in &cases[1..] {
        writes(&connect(server, role, "ways").await, statement).await;
    }
    let passed_on = connect(server, "column_writer", "ways").await;
    writes(&passed_on, "DELETE FROM orders WHERE order_id = 99").await;
    let after = acls(&owner, rights).await;
    for ((table, was), (_, is)) in before.iter().zip(&after) {
        assert_eq!(was, is, "{table}");
    }
}

/// Who has what on each table; who gave it may be another one afterwards.
async fn acls(owner: &Client, query: &str) -> Vec<(String, Vec<String>)> {
    let rows = owner.query(query, &[]).await.expect("rights");
    rows.iter()
        .map(|row| {
            let acl: String = row.get(1);
            let mut items: Vec<String> = Vec::new();
            for item in acl.trim_matches(['{', '}']).split(',') {
                let item = item.split('/').next().unwrap_or_default();
                let (grantee, privileges) = item.split_once('=').unwrap_or((item, ""));
                items.extend(privileges.chars().map(|one| format!("{grantee}={one}")));
            }
            items.sort();
            (row.get(0), items)
        })
        .collect()
}

/// Whoever can write all the same is named, and nothing is changed.
pub(super) async fn that_would_not_hold_is_not_raised(server: &Server) {
    let exchange = Exchange::create(server, "holes").await;
    let owner = exchange.owner().await;
    let port = port(server, "holes");
    let refused = async |what: &str| match port.fence(1).await {
        Err(DatabaseError::Precondition(why)) => why,
        other => panic!("{what}: {other:?}"),
    };
    for (open, named, close) in [
        (
            "CREATE ROLE all_writer LOGIN IN ROLE pg_write_all_data",
            "all_writer to",
            "DROP ROLE all_writer",
        ),
        (
            "ALTER TABLE balances OWNER TO dex_app",
            "dex_app to public.balances, which it owns",
            "ALTER TABLE balances OWNER TO owner",
        ),
        (
            "ALTER ROLE dex_app SUPERUSER",
            "as a superuser (ALTER ROLE dex_app NOSUPERUSER)",
            "ALTER ROLE dex_app NOSUPERUSER",
        ),
        (
            "CREATE TABLE rollback_fence (token BIGINT, up BOOLEAN); ALTER TABLE rollback_fence OWNER TO dex_app",
            "belongs to dex_app",
            "DROP TABLE rollback_fence",
        ),
    ] {
        owner.batch_execute(open).await.expect(open);
        let why = refused(open).await;
        assert!(why.contains(named), "{why}");
        owner.batch_execute(close).await.expect(close);
        let app = exchange.app().await;
        app.query("SELECT has_table_privilege('orders', 'INSERT')", &[])
            .await
            .map(|rows| assert!(rows[0].get::<_, bool>(0), "nothing was changed: {open}"))
            .expect("asked");
    }
    port.fence(1).await.expect("now it holds");
}

/// Tables, schema and role of another application.
pub(super) async fn goes_by_the_names_that_it_is_given(server: &Server) {
    let exchange = Exchange::create(server, "names").await;
    let owner = exchange.owner().await;
    owner
        .batch_execute(
            r#"CREATE SCHEMA "Trading"; CREATE ROLE "Shop" LOGIN;
               GRANT USAGE ON SCHEMA "Trading" TO "Shop";
               ALTER TABLE order_log SET SCHEMA "Trading"; ALTER TABLE "Trading".order_log RENAME TO journal;
               ALTER TABLE leader SET SCHEMA "Trading"; ALTER TABLE flyway_schema_history RENAME TO history;
               GRANT INSERT ON "Trading".journal TO "Shop"; GRANT UPDATE, SELECT ON "Trading".leader TO "Shop""#,
        )
        .await
        .expect("another layout");
    let layout = Layout {
        role: "Shop".to_owned(),
        order_log: "Trading.journal".to_owned(),
        leader: "Trading.leader".to_owned(),
        history: "history".to_owned(),
        ..Layout::default()
    };
    let port = PostgresDatabase::new(server.config("owner"), "names", layout);
    let shop = connect(server, "Shop", "names").await;
    let append = |seq: i64| format!(r#"INSERT INTO "Trading".journal VALUES ({seq}, '{{}}', 0)"#);
    writes(&shop, &append(1)).await;
    port.snapshot("names_before").await.expect("a snapshot");
    let shop = connect(server, "Shop", "names").await;
    writes(&shop, &append(2)).await;
    port.fence(1).await.expect("fence");
    let shop = connect(server, "Shop", "names").await;
    assert_eq!(refusal(&shop, &append(3)).await, "42501");
    writes(&shop, r#"UPDATE "Trading".leader SET epoch = epoch + 1"#).await;
    drop(shop);
    port.restore("names_before", "names_aside", 1)
        .await
        .expect("restore");
    let report = port.replay("names_aside", 1).await.expect("replay");
    assert_eq!((report.entries, report.position.log_seq), (1, 2));
    assert_eq!(port.history().await.expect("history").len(), 1);
    port.undo(&script("SELECT 1"), super::LOCK_TIMEOUT, 1)
        .await
        .expect("nothing to undo");
    port.unfence(1).await.expect("unfence");
}
