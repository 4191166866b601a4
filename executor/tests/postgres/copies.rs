//! What a copy of the ledger must have beside its rows, and which copy it must be.

use std::pin::pin;

use executor::ports::{Database, DatabaseError};
use futures::channel::oneshot;
use futures::future::{Either, select};

use super::exchange::{self, Exchange, connect};
use super::port;
use super::server::Server;
use super::sessions::{closed, until};

/// Rights on the database, its connection limit and its settings are the ledger's own, as they are now.
pub(super) async fn keep_what_is_not_rows(server: &Server) {
    let exchange = Exchange::create(server, "attributes").await;
    let maintenance = exchange.maintenance().await;
    maintenance
        .batch_execute(
            r#"CREATE ROLE stranger LOGIN;
               REVOKE ALL ON DATABASE attributes FROM PUBLIC;
               GRANT CONNECT ON DATABASE attributes TO dex_app;
               ALTER DATABASE attributes CONNECTION LIMIT 7;
               ALTER DATABASE attributes SET work_mem = '5MB';
               ALTER DATABASE attributes SET search_path = "$user", public, "a ""b"", c";
               ALTER ROLE dex_app IN DATABASE attributes SET statement_timeout = '9s'"#,
        )
        .await
        .expect("attributes");
    let attributes = "
        SELECT datconnlimit::text || ' ' || (SELECT string_agg(a.grantee::regrole || ':' || a.privilege_type, ',' ORDER BY 1)
                                             FROM aclexplode(datacl) a WHERE a.grantee <> datdba)
            || ' ' || (SELECT string_agg(setrole::regrole || ':' || setconfig::text, ' ' ORDER BY setrole)
                       FROM pg_db_role_setting WHERE setdatabase = d.oid)
        FROM pg_database d WHERE datname = 'attributes'";
    let now = async || -> String {
        let row = maintenance.query_one(attributes, &[]).await;
        row.expect("attributes").get(0)
    };
    let before = now().await;
    let port = port(server, "attributes");
    port.snapshot("attributes_before").await.expect("snapshot");
    port.fence(1).await.expect("fence");
    port.restore("attributes_before", "attributes_aside", 1)
        .await
        .expect("restore");
    port.unfence(1).await.expect("unfence");
    assert_eq!(now().await, before);
    let app = exchange.app().await;
    let row = app
        .query_one(
            "SELECT current_setting('search_path'), current_setting('statement_timeout')",
            &[],
        )
        .await
        .expect("settings");
    assert_eq!(row.get::<_, String>(0), r#""$user", public, "a ""b"", c""#);
    assert_eq!(row.get::<_, String>(1), "9s");
    let mut config = server.config("stranger");
    let refused = config
        .dbname("attributes")
        .connect(tokio_postgres::NoTls)
        .await;
    assert!(
        refused.is_err(),
        "whom the ledger refuses the copy refuses, too"
    );
}

/// A snapshot that holds something else than it says is not put in the ledger's place.
pub(super) async fn that_are_not_what_they_say_are_refused(server: &Server) {
    let exchange = Exchange::create(server, "empty").await;
    let app = exchange.app().await;
    for seq in 1..=3_i64 {
        app.execute(exchange::APPEND, &[&seq])
            .await
            .expect("append");
    }
    let port = port(server, "empty");
    port.snapshot("empty_before").await.expect("snapshot");
    // Somebody empties it; its comment still says what it was.
    let maintenance = exchange.maintenance().await;
    maintenance
        .batch_execute("ALTER DATABASE empty_before WITH ALLOW_CONNECTIONS true")
        .await
        .expect("opened");
    let inside = connect(server, "owner", "empty_before").await;
    inside
        .batch_execute("DELETE FROM order_log")
        .await
        .expect("emptied");
    drop(inside);
    port.fence(1).await.expect("fence");
    let refused = port.restore("empty_before", "empty_aside", 1).await;
    match refused {
        Err(DatabaseError::Precondition(why)) => {
            assert!(
                why.contains("says log up to 3") && why.contains("holds log up to 0"),
                "{why}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        port.position().await.map(|it| it.log_seq),
        Ok(3),
        "the ledger is in its place"
    );
}

/// What the last incident set aside does not pass for this one's.
pub(super) async fn of_the_last_incident_are_not_this_ones(server: &Server) {
    let exchange = Exchange::create(server, "twice").await;
    let port = port(server, "twice");
    port.snapshot("twice_before").await.expect("snapshot");
    for token in [1, 2] {
        let app = exchange.app().await;
        app.execute(exchange::APPEND, &[&i64::try_from(token).expect("small")])
            .await
            .expect("append");
        port.fence(token).await.expect("fence");
        let restore = async |aside: &str| port.restore("twice_before", aside, token).await;
        if token == 2 {
            let refused = restore("ledger_set_aside").await;
            assert!(
                matches!(&refused, Err(DatabaseError::Refused { sqlstate, .. }) if sqlstate == "42P04"),
                "the last incident's is taken for done: {refused:?}"
            );
            let replayed = port.replay("ledger_set_aside", token).await;
            assert!(
                matches!(replayed, Err(DatabaseError::Precondition(_))),
                "{replayed:?}"
            );
        }
        let aside = if token == 1 {
            "ledger_set_aside"
        } else {
            "another"
        };
        let report = restore(aside).await.expect("restored");
        assert!(!report.already_done);
        assert!(restore(aside).await.expect("again").already_done);
        assert_eq!(
            port.replay(aside, token).await.map(|it| it.entries),
            Ok(token)
        );
        port.unfence(token).await.expect("unfence");
    }
}

/// An executor that is killed in the middle of the copy leaves nobody who could open the ledger, so the server does.
/// As by `kill -9`, its tasks are gone and its connections closed. The copy waits for a lock that somebody holds, so
/// that it is met half-way.
pub(super) async fn of_a_killed_executor_leave_the_ledger_open(server: &Server) {
    let exchange = Exchange::create(server, "killed").await;
    let mut somebody = exchange.maintenance().await;
    let held = somebody.transaction().await.expect("a transaction");
    held.batch_execute("COMMENT ON DATABASE killed IS NULL")
        .await
        .expect("a lock on the database");
    let port = port(server, "killed");
    let (kill, killed) = oneshot::channel::<()>();
    let executor = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let taken = pin!(port.snapshot("killed_before"));
            match select(taken, killed).await {
                Either::Left((taken, _)) => panic!("nobody let go of the lock: {taken:?}"),
                Either::Right(_) => {}
            }
        });
        // Nothing that it had begun goes on.
        runtime.shutdown_background();
    });
    let watcher = exchange.maintenance().await;
    let copies = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%killed%' AND wait_event_type = 'Lock'";
    while watcher
        .query_one(copies, &[])
        .await
        .expect("asked")
        .get::<_, i64>(0)
        == 0
    {
        assert!(!executor.is_finished(), "the copy was never seen to wait");
    }
    // Asked of the catalog: whoever connects may be queued behind the copy.
    until(&watcher, &closed("killed")).await;
    kill.send(()).expect("it lives");
    executor.join().expect("it ends");
    // Whoever asks for the executors' lock gets it after the one who waits to open the ledger.
    watcher
        .batch_execute("SET lock_timeout = '60s'; SELECT pg_advisory_lock(hashtextextended('rollback:killed', 0))")
        .await
        .expect("the copying session has ended");
    exchange.app().await;
    held.rollback().await.expect("the lock is let go");
}

/// Of an executor that lives and loses its session, another session opens the ledger, and the one that waited for
/// that is gone.
pub(super) async fn leave_nobody_waiting(server: &Server) {
    let exchange = Exchange::create(server, "waiting").await;
    port(server, "waiting")
        .snapshot("waiting_before")
        .await
        .expect("a snapshot");
    let watcher = exchange.maintenance().await;
    watcher
        .batch_execute("SET lock_timeout = '60s'; SELECT pg_advisory_lock(hashtextextended('rollback:waiting', 0))")
        .await
        .expect("nobody has it");
    let row = watcher
        .query_one(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO%rollback:waiting%'",
            &[],
        )
        .await
        .expect("asked");
    assert_eq!(row.get::<_, i64>(0), 0);
    exchange.app().await;
}
