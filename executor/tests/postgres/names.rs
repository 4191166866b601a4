//! Names and numbers of a ledger that PostgreSQL would make something else of.

use executor::live::{Layout, PostgresDatabase};
use executor::ports::{Database, DatabaseError, LedgerPosition};

use super::exchange::Exchange;
use super::port;
use super::server::Server;

/// PostgreSQL cuts names off after 63 bytes: what is added to a longer one is lost,
/// and `DROP DATABASE` would meet another.
pub(super) async fn that_would_be_cut_off_are_refused(server: &Server) {
    let _exchange = Exchange::create(server, "cut").await;
    let refused = |outcome: Result<(), DatabaseError>| match outcome {
        Err(DatabaseError::Precondition(why)) => assert!(why.contains("cuts names off"), "{why}"),
        other => panic!("{other:?}"),
    };
    for (length, fits) in [(52, true), (53, false)] {
        let name = "l".repeat(length);
        let url = format!("postgres://u@h/{name}?sslmode=disable");
        let made = PostgresDatabase::from_url(&url, Layout::default());
        if fits {
            made.expect("it fits");
        } else {
            refused(made.map(drop));
            refused(port(server, &name).fence(1).await.map(drop));
        }
    }
    let port = port(server, "cut");
    refused(port.snapshot(&"s".repeat(54)).await.map(drop));
    let longest = "s".repeat(53);
    for _ in 0..2 {
        port.snapshot(&longest).await.expect("it fits");
    }
    port.fence(1).await.expect("fence");
    refused(port.restore(&longest, &"a".repeat(64), 1).await.map(drop));
    port.restore(&longest, &"a".repeat(63), 1)
        .await
        .expect("it fits");
}

/// Another application may count in INTEGER columns.
pub(super) async fn of_short_numbers_do_no_harm(server: &Server) {
    let exchange = Exchange::create(server, "short").await;
    let owner = exchange.owner().await;
    owner
        .batch_execute(
            "ALTER TABLE order_log ALTER seq TYPE INTEGER; ALTER TABLE orders ALTER order_id TYPE INTEGER;
             ALTER TABLE trades ALTER trade_id TYPE INTEGER; ALTER TABLE ledger_meta ALTER trade_id TYPE INTEGER;
             ALTER TABLE leader ALTER epoch TYPE INTEGER; INSERT INTO order_log VALUES (1, '{}', 0)",
        )
        .await
        .expect("short numbers");
    drop(owner);
    let at = |log_seq| LedgerPosition {
        log_seq,
        ..LedgerPosition::default()
    };
    let port = port(server, "short");
    assert_eq!(port.position().await, Ok(at(1)));
    port.snapshot("short_before").await.expect("snapshot");
    let owner = exchange.owner().await;
    owner
        .batch_execute("INSERT INTO order_log VALUES (2, '{}', 0); UPDATE leader SET epoch = 7")
        .await
        .expect("more");
    port.fence(1).await.expect("fence");
    let report = port.restore("short_before", "short_aside", 1).await;
    let report = report.expect("restored");
    assert_eq!((report.before, report.after), (at(2), at(1)));
    let replayed = port.replay("short_aside", 1).await.expect("replayed");
    assert_eq!((replayed.entries, replayed.position), (1, at(2)));
    let row = exchange.owner().await;
    let row = row.query_one("SELECT epoch FROM leader", &[]).await;
    assert_eq!(row.expect("a row").get::<_, i32>(0), 7);
}
