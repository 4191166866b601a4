//! The database port against a real PostgreSQL, with the exchange's own migrations.

mod copies;
mod exchange;
mod fence;
mod names;
mod rights;
#[expect(
    dead_code,
    reason = "the tests that share the file need different parts of it"
)]
#[path = "../../../tests/support/postgres.rs"]
mod server;
mod sessions;
mod signals;
mod tls;

use std::time::Duration;

use executor::live::{Layout, PostgresDatabase};
use executor::ports::{Database, DatabaseError, LedgerPosition, UndoScript};

use exchange::Exchange;
use server::{Server, on_a_server};

const LOCK_TIMEOUT: Duration = Duration::from_millis(200);

#[test]
fn the_port_on_a_real_postgresql() {
    on_a_server(async |server| {
        undo(server).await;
        undo_is_all_or_nothing(server).await;
        restore_and_replay(server).await;
        snapshots(server).await;
        a_snapshot_that_is_refused_leaves_the_ledger_open(server).await;
        tls::is_as_the_url_says().await;
        fence::holds_against_every_way_to_write(server).await;
        fence::that_would_not_hold_is_not_raised(server).await;
        fence::goes_by_the_names_that_it_is_given(server).await;
        copies::of_a_killed_executor_leave_the_ledger_open(server).await;
        copies::leave_nobody_waiting(server).await;
        copies::keep_what_is_not_rows(server).await;
        copies::that_are_not_what_they_say_are_refused(server).await;
        copies::of_the_last_incident_are_not_this_ones(server).await;
        rights::are_enough(server).await;
        rights::are_all_needed(server).await;
        rights::end_at_the_ledger(server).await;
        rights::over_sessions_are_told(server).await;
        sessions::that_hold_locks_are_ended(server).await;
        sessions::of_whoever_gave_up_end(server).await;
        sessions::that_do_not_end_are_told(server).await;
        sessions::may_be_lost_while_the_ledger_is_closed(server).await;
        sessions::need_not_wait_for_a_restore(server).await;
        names::that_would_be_cut_off_are_refused(server).await;
        names::of_short_numbers_do_no_harm(server).await;
        signals::are_heard_by_every_command(server).await;
    });
}

fn port(server: &Server, ledger: &str) -> PostgresDatabase {
    PostgresDatabase::new(server.config("owner"), ledger, Layout::default())
}

fn script(sql: &str) -> UndoScript {
    UndoScript {
        version: "2".to_owned(),
        name: "U2__decimal_ledger.sql".to_owned(),
        sql: sql.to_owned(),
    }
}

/// Fence, undo, unfence: each refuses stale tokens, and does nothing the second time.
async fn undo(server: &Server) {
    let exchange = Exchange::create(server, "undo").await;
    let port = port(server, "undo");
    let grants = exchange.grants().await;
    exchange.migrate_to_decimal().await;
    assert_eq!(exchange.type_of_free().await, "text");
    let app = exchange.app().await;
    app.execute(exchange::APPEND, &[&1_i64])
        .await
        .expect("the exchange may write");
    assert_eq!(port.fence_token().await, Ok(None));

    let report = port.fence(5).await.expect("the fence goes up");
    assert_eq!((report.sessions_terminated, report.already_up), (1, false));
    assert!(
        app.execute(exchange::APPEND, &[&2_i64]).await.is_err(),
        "its session is gone"
    );
    let app = exchange.app().await;
    assert_eq!(
        exchange::refusal(&app, "INSERT INTO order_log VALUES (2, '{}', 0)").await,
        "42501"
    );
    assert_eq!(
        exchange::refusal(&app, "UPDATE balances SET free = '1.00'").await,
        "42501"
    );
    app.execute("UPDATE leader SET epoch = epoch + 1", &[])
        .await
        .expect("leadership stays writable");
    app.query("SELECT * FROM balances", &[])
        .await
        .expect("reading is allowed");

    assert!(port.fence(5).await.expect("again").already_up);
    assert_eq!(port.fence_token().await, Ok(Some(5)));
    assert_eq!(port.fence(4).await, Err(DatabaseError::StaleToken(5)));
    let down = script(exchange::UNDO);
    assert_eq!(
        port.undo(&down, LOCK_TIMEOUT, 4).await,
        Err(DatabaseError::StaleToken(5))
    );
    assert_eq!(port.unfence(4).await, Err(DatabaseError::StaleToken(5)));

    for _ in 0..2 {
        assert_eq!(port.undo(&down, LOCK_TIMEOUT, 5).await, Ok(()));
        assert_eq!(exchange.type_of_free().await, "bigint");
        let versions: Vec<_> = port
            .history()
            .await
            .expect("history")
            .into_iter()
            .map(|it| it.version)
            .collect();
        assert_eq!(versions, [Some("1".to_owned())]);
    }
    for _ in 0..2 {
        assert_eq!(port.unfence(5).await, Ok(()));
        assert_eq!(port.fence_token().await, Ok(None));
        assert_eq!(
            exchange.grants().await,
            grants,
            "exactly what was taken is given back"
        );
    }
    let app = exchange.app().await;
    app.execute(exchange::APPEND, &[&2_i64])
        .await
        .expect("the exchange may write again");
    assert_eq!(
        port.fence(4).await,
        Err(DatabaseError::StaleToken(5)),
        "for good"
    );
    let not_up = port.undo(&down, LOCK_TIMEOUT, 5).await;
    assert!(
        matches!(not_up, Err(DatabaseError::Precondition(_))),
        "{not_up:?}"
    );
}

/// A script that fails, or can't get its lock, leaves schema and history as they were.
async fn undo_is_all_or_nothing(server: &Server) {
    let exchange = Exchange::create(server, "half_undo").await;
    let port = port(server, "half_undo");
    exchange.migrate_to_decimal().await;
    port.fence(1).await.expect("fence");
    let broken = script(&format!("{}\nSELECT 1 / 0;", exchange::UNDO));
    let refused = port
        .undo(&broken, LOCK_TIMEOUT, 1)
        .await
        .expect_err("a division by zero");
    assert!(
        matches!(&refused, DatabaseError::Refused { sqlstate, .. } if sqlstate == "22012"),
        "{refused}"
    );
    assert!(!refused.is_transient());
    assert_eq!(exchange.type_of_free().await, "text");
    assert_eq!(port.history().await.expect("history").len(), 2);

    let mut owner = exchange.owner().await;
    let reader = owner.transaction().await.expect("a transaction");
    reader
        .query("SELECT * FROM balances", &[])
        .await
        .expect("a lock");
    let refused = port
        .undo(&script(exchange::UNDO), LOCK_TIMEOUT, 1)
        .await
        .expect_err("no lock");
    assert!(
        matches!(&refused, DatabaseError::Refused { sqlstate, .. } if sqlstate == "55P03"),
        "{refused}"
    );
    assert!(refused.is_transient());
    assert_eq!(exchange.type_of_free().await, "text");
    reader
        .rollback()
        .await
        .expect_err("whoever held the lock is ended");
    assert_eq!(
        port.undo(&script(exchange::UNDO), LOCK_TIMEOUT, 1).await,
        Ok(())
    );

    exchange.migrate_to_decimal().await;
    let owner = exchange.owner().await;
    owner
        .execute(
            "UPDATE flyway_schema_history SET success = FALSE WHERE version = '2'",
            &[],
        )
        .await
        .expect("update");
    let refused = port.undo(&script(exchange::UNDO), LOCK_TIMEOUT, 1).await;
    assert!(
        matches!(refused, Err(DatabaseError::Precondition(_))),
        "{refused:?}"
    );
}

/// A copy of the snapshot takes the ledger's place, and the log's tail comes back.
async fn restore_and_replay(server: &Server) {
    let exchange = Exchange::create(server, "restore").await;
    let port = port(server, "restore");
    let app = exchange.app().await;
    for seq in 1..=3_i64 {
        app.execute(exchange::APPEND, &[&seq])
            .await
            .expect("append");
    }
    let snapshot = port.snapshot("restore_before").await.expect("a snapshot");
    let at_snapshot = LedgerPosition {
        log_seq: 3,
        ..LedgerPosition::default()
    };
    assert_eq!(
        (snapshot.position, snapshot.schema_version.as_deref()),
        (at_snapshot, Some("1"))
    );
    assert!(snapshot.size_bytes > 0);
    assert_eq!(
        port.find_snapshot("restore_before").await,
        Ok(Some(snapshot))
    );

    // The bad release: more orders, a wrong balance, a new leader, more numbers handed out.
    let app = exchange.app().await;
    for seq in 4..=8_i64 {
        app.execute(exchange::APPEND, &[&seq])
            .await
            .expect("append");
    }
    app.execute("UPDATE leader SET epoch = 7", &[])
        .await
        .expect("epoch");
    let owner = exchange.owner().await;
    owner
        .execute("UPDATE balances SET free = 666", &[])
        .await
        .expect("the fault");
    owner
        .batch_execute("SELECT nextval('tickets') FROM generate_series(1, 40)")
        .await
        .expect("numbers");
    drop(owner);

    let refused = port.restore("restore_before", "restore_aside", 3).await;
    assert!(
        matches!(refused, Err(DatabaseError::Precondition(_))),
        "no fence: {refused:?}"
    );
    port.fence(3).await.expect("fence");
    let refused = port.restore("nothing", "restore_aside", 3).await;
    assert!(
        matches!(refused, Err(DatabaseError::Precondition(_))),
        "no snapshot: {refused:?}"
    );
    assert_eq!(
        port.restore("restore_before", "restore_aside", 2).await,
        Err(DatabaseError::StaleToken(3))
    );
    for attempt in 0..2 {
        let report = port
            .restore("restore_before", "restore_aside", 3)
            .await
            .expect("restored");
        assert_eq!(report.already_done, attempt == 1);
        assert_eq!((report.before.log_seq, report.after), (8, at_snapshot));
    }
    assert_eq!(
        port.fence_token().await,
        Ok(Some(3)),
        "the fence is up on the copy"
    );
    let app = exchange.app().await;
    assert_eq!(
        exchange::refusal(&app, "INSERT INTO order_log VALUES (9, '{}', 0)").await,
        "42501"
    );
    let owner = exchange.owner().await;
    let number =
        async |query: &str| -> i64 { owner.query_one(query, &[]).await.expect("a row").get(0) };
    assert_eq!(number("SELECT max(free) FROM balances").await, 1_000);
    assert_eq!(
        number("SELECT epoch FROM leader").await,
        7,
        "leadership doesn't rewind"
    );
    assert_eq!(
        number("SELECT nextval('tickets')").await,
        41,
        "numbers aren't handed out twice"
    );

    assert_eq!(
        port.replay("restore_aside", 2).await,
        Err(DatabaseError::StaleToken(3))
    );
    for entries in [5, 0] {
        let report = port.replay("restore_aside", 3).await.expect("replayed");
        assert_eq!((report.entries, report.position.log_seq), (entries, 8));
    }
    assert_eq!(
        number("SELECT count(*) FROM order_log WHERE entry ->> 'note' = 'order ' || seq").await,
        8
    );
    port.unfence(3).await.expect("unfence");
    exchange
        .app()
        .await
        .execute(exchange::APPEND, &[&9_i64])
        .await
        .expect("open again");
}

/// A snapshot is whole or isn't there; the one before it is kept; a ledger left closed is opened.
async fn snapshots(server: &Server) {
    let exchange = Exchange::create(server, "snap").await;
    let port = port(server, "snap");
    assert_eq!(port.find_snapshot("snap_before").await, Ok(None));
    assert_eq!(
        port.find_snapshot("snap").await,
        Ok(None),
        "a database isn't a snapshot"
    );
    let app = exchange.app().await;
    port.snapshot("snap_before").await.expect("first");
    assert!(
        app.query("SELECT 1", &[]).await.is_err(),
        "sessions are cut"
    );
    exchange
        .app()
        .await
        .execute(exchange::APPEND, &[&1_i64])
        .await
        .expect("and come back");
    let second = port.snapshot("snap_before").await.expect("second");
    assert_eq!(second.position.log_seq, 1);
    let previous = port
        .find_snapshot("snap_before__previous")
        .await
        .expect("asked");
    assert_eq!(previous.map(|it| it.position.log_seq), Some(0));

    // As an executor leaves it that dies in the middle of a copy.
    let maintenance = exchange.maintenance().await;
    maintenance
        .batch_execute("ALTER DATABASE snap WITH ALLOW_CONNECTIONS false")
        .await
        .expect("closed");
    assert_eq!(port.position().await.map(|it| it.log_seq), Ok(1));
    exchange.app().await;

    port.fence(1).await.expect("fence");
    let refused = port.snapshot("snap_before").await;
    assert!(
        matches!(refused, Err(DatabaseError::Precondition(_))),
        "{refused:?}"
    );
    assert_eq!(
        port.find_snapshot("snap_before")
            .await
            .map(|it| it.map(|it| it.position)),
        Ok(Some(second.position))
    );
}

/// An executor that may not end a superuser's session is told to have it ended, and reopens what it had closed.
async fn a_snapshot_that_is_refused_leaves_the_ledger_open(server: &Server) {
    let exchange = Exchange::create(server, "limits").await;
    exchange
        .owner()
        .await
        .batch_execute(
            "CREATE ROLE limited LOGIN CREATEDB;
             GRANT CREATE ON SCHEMA public TO limited;
             GRANT ALL ON ALL TABLES IN SCHEMA public TO limited;
             ALTER DATABASE limits OWNER TO limited",
        )
        .await
        .expect("a role of few rights");
    let superuser = exchange.owner().await;
    let port = PostgresDatabase::new(server.config("limited"), "limits", Layout::default());
    let pid = sessions::pid(&superuser).await;
    let refused = async || {
        let refused = port.snapshot("limits_before").await;
        let refused = refused.expect_err("a session that stays");
        let text = refused.to_string();
        assert!(refused.is_transient(), "somebody may end it: {text}");
        assert!(
            text.contains(&format!("end that session: owner (pid {pid})")),
            "{text}"
        );
    };
    // It can't even see what kind of session that is.
    refused().await;
    exchange.app().await;
    // Now it can, and may not end it all the same.
    superuser
        .batch_execute("GRANT pg_read_all_stats TO limited")
        .await
        .expect("granted");
    refused().await;
    // Nobody lost the ledger for it.
    superuser.query("SELECT 1", &[]).await.expect("still there");
    exchange.app().await;
}
