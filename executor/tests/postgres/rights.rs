//! The executor's role, as `deploy/executor-role.sql` makes it: enough for every operation, and each grant of it is
//! needed; what is not the ledger's is refused.
//!
//! Inside the ledger it acts for its owner, since an undo script may change any table: reading and writing trades can't
//! be refused to it. What binds it there are the port's own statements.

use executor::live::{Layout, PostgresDatabase};
use executor::ports::{Database, DatabaseError};

use super::exchange::{self, Exchange};
use super::server::Server;
use super::{LOCK_TIMEOUT, script, sessions};

const ROLES: &str = include_str!("../../../deploy/executor-role.sql");

fn port(server: &Server, ledger: &str) -> PostgresDatabase {
    PostgresDatabase::new(
        server.config("rollback_executor"),
        ledger,
        Layout::default(),
    )
}

/// A ledger that belongs to whom it belongs to in production.
async fn ledger<'a>(server: &'a Server, name: &'static str) -> Exchange<'a> {
    let exchange = Exchange::create(server, name).await;
    let superuser = exchange.owner().await;
    superuser.batch_execute(ROLES).await.expect("the roles");
    // Running it again does no harm.
    superuser.batch_execute(ROLES).await.expect("the roles");
    exchange
}

/// Every operation of the port, one whole rollback of each kind.
pub(super) async fn are_enough(server: &Server) {
    let exchange = ledger(server, "rights").await;
    let port = port(server, "rights");
    port.history().await.expect("history");
    port.position().await.expect("position");
    port.snapshot("rights_before").await.expect("snapshot");
    assert!(
        port.find_snapshot("rights_before")
            .await
            .expect("found")
            .is_some()
    );
    exchange.migrate_to_decimal().await;
    let app = exchange.app().await;
    let report = port.fence(1).await.expect("fence");
    assert_eq!(report.sessions_terminated, 1, "the exchange's session");
    assert!(app.query("SELECT 1", &[]).await.is_err(), "it has ended");
    assert_eq!(port.fence_token().await, Ok(Some(1)));
    port.undo(&script(exchange::UNDO), LOCK_TIMEOUT, 1)
        .await
        .expect("undo");
    port.restore("rights_before", "rights_aside", 1)
        .await
        .expect("restore");
    port.replay("rights_aside", 1).await.expect("replay");
    port.unfence(1).await.expect("unfence");
}

/// Without any one of its grants an operation is refused.
pub(super) async fn are_all_needed(server: &Server) {
    let exchange = ledger(server, "needed").await;
    // Elsewhere: in the ledger its session would be in the way.
    let superuser = exchange.maintenance().await;
    let refused = |outcome: Result<(), DatabaseError>, what: &str| match outcome {
        Err(DatabaseError::Refused { sqlstate, .. }) => assert_eq!(sqlstate, "42501", "{what}"),
        other => panic!("{what}: {other:?}"),
    };
    let port = port(server, "needed");
    for (take, give) in [
        (
            "ALTER ROLE rollback_executor NOCREATEDB",
            "ALTER ROLE rollback_executor CREATEDB",
        ),
        (
            "REVOKE dex_owner FROM rollback_executor",
            "GRANT dex_owner TO rollback_executor",
        ),
    ] {
        superuser.batch_execute(take).await.expect("taken");
        refused(port.snapshot("needed_before").await.map(drop), take);
        superuser.batch_execute(give).await.expect("given back");
    }
    let take = "REVOKE dex_app FROM rollback_executor";
    superuser.batch_execute(take).await.expect("taken");
    let app = exchange.app().await;
    refused(port.fence(1).await.map(drop), take);
    drop(app);
    superuser
        .batch_execute("GRANT dex_app TO rollback_executor")
        .await
        .expect("given back");
    drop(superuser);
    port.fence(1).await.expect("with all of them it works");
}

/// What is none of its business.
pub(super) async fn end_at_the_ledger(server: &Server) {
    let exchange = ledger(server, "ends").await;
    let superuser = exchange.owner().await;
    let pid: i32 = superuser
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .expect("a number")
        .get(0);
    let mut config = server.config("rollback_executor");
    let (client, connection) = config
        .dbname("ends")
        .connect(tokio_postgres::NoTls)
        .await
        .expect("it may log in");
    drop(tokio::spawn(connection));
    for statement in [
        "CREATE ROLE another LOGIN".to_owned(),
        "ALTER ROLE rollback_executor SUPERUSER".to_owned(),
        "ALTER ROLE owner PASSWORD 'x'".to_owned(),
        "GRANT pg_signal_backend TO rollback_executor".to_owned(),
        "ALTER DATABASE postgres RENAME TO mine".to_owned(),
        "ALTER SYSTEM SET fsync = off".to_owned(),
        "SELECT pg_read_file('PG_VERSION')".to_owned(),
        "COPY accounts TO PROGRAM 'cat'".to_owned(),
        "SELECT rolpassword FROM pg_authid".to_owned(),
        "SET ROLE owner".to_owned(),
        "CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION f()".to_owned(),
        format!("SELECT pg_terminate_backend({pid})"),
    ] {
        let sqlstate = exchange::refusal(&client, &statement).await;
        // Insufficient privilege; for a function that isn't there, the privilege is looked at first.
        assert_eq!(sqlstate, "42501", "{statement}");
    }
    superuser.query("SELECT 1", &[]).await.expect("still there");
}

/// A role that lost a right, and whose session the executor may not end, is named: what it has begun could be committed
/// behind the fence.
pub(super) async fn over_sessions_are_told(server: &Server) {
    let exchange = ledger(server, "bystander").await;
    let superuser = exchange.owner().await;
    superuser
        .batch_execute("CREATE ROLE bystander LOGIN; GRANT INSERT ON orders TO bystander")
        .await
        .expect("a role that may write");
    let bystander = exchange::connect(server, "bystander", "bystander").await;
    let pid = sessions::pid(&bystander).await;
    let port = port(server, "bystander");
    match port.fence(1).await {
        Err(DatabaseError::Refused { sqlstate, message }) => {
            assert_eq!(sqlstate, "42501");
            assert!(message.contains("not up"), "{message}");
            assert!(
                message.contains(&format!("bystander (pid {pid})")),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    superuser
        .batch_execute("GRANT bystander TO rollback_executor")
        .await
        .expect("granted");
    let report = port.fence(1).await.expect("now it may end it");
    assert_eq!((report.sessions_terminated, report.already_up), (1, true));
    assert!(
        bystander.query("SELECT 1", &[]).await.is_err(),
        "it has ended"
    );
}
