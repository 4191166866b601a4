//! The services as processes of their own, on a real PostgreSQL.

mod flyway;
mod ledger;
mod lifecycle;
mod load;
mod process;
#[path = "../../../tests/support/postgres.rs"]
mod server;

use std::io::Write;

use dex::service::api::OrderRequest;
use dex::types::{AccountId, OrderId};

use ledger::Ledger;
use load::{Outcome, order, place};
use process::{Http, Process, eventually};
use server::Server;

#[test]
fn the_services_on_a_real_postgresql() {
    server::on_a_server(async |server| {
        orders_are_matched_and_kept(server).await;
        a_fence_is_maintenance_and_a_restart_restores_the_book(server).await;
        lifecycle::the_halt_flag_halts(server).await;
        lifecycle::the_lead_is_handed_over(server).await;
        lifecycle::a_gateway_drains(server).await;
        lifecycle::without_a_database_it_waits_and_can_be_stopped().await;
        lifecycle::a_slow_build_is_slow(server).await;
        a_replayed_tail_gives_the_same_trades(server).await;
        another_schema_stops_old_releases(server).await;
        a_double_credit_is_found(server).await;
        lifecycle::a_restart_of_the_database_is_survived(server).await;
        if flyway::flyway_and_the_tool_agree(server).await.is_none() {
            left_out("the real Flyway; set FLYWAY_JARS to a folder with its jars");
        }
    });
}

fn left_out(what: &str) {
    // Not `println!`, which the test harness would keep to itself; nobody can be told if it fails.
    let _ = writeln!(std::io::stderr(), "LEFT OUT: {what}");
}

async fn matching(ledger: &Ledger<'_>, version: &str) -> Process {
    let image = format!("dex/matching:{version}");
    Process::ready(&image, &[("DATABASE_URL", &ledger.url())]).await
}

async fn risk(ledger: &Ledger<'_>, version: &str) -> Process {
    let image = format!("dex/risk:{version}");
    let variables = [
        ("DATABASE_URL", ledger.url()),
        ("RECONCILE_SECONDS", "1".into()),
    ];
    let variables = variables.each_ref().map(|(k, v)| (*k, v.as_str()));
    Process::ready(&image, &variables).await
}

async fn gateway(engine: &Process, version: &str) -> Process {
    let image = format!("dex/gateway:{version}");
    let address = engine.address().to_string();
    let variables = [
        ("MATCHING_ADDR", address.as_str()),
        ("DEX_ACCOUNTS", "40"),
        ("DEX_MARKETS", "2"),
        ("DEX_LAME_DUCK_MS", "300"),
        ("DEX_TRADING_MODE_FILE", "/nonexistent/mode"),
    ];
    Process::ready(&image, &variables).await
}

async fn quiet() {}

/// Places one order after the other, from `id` on, until one is taken; what was acknowledged.
async fn taken_again(http: &Http, door: &Process, mut id: u64) -> Outcome {
    eventually("orders are taken again", async || {
        id += 1;
        let mut one = place(http, &[door.address()], id..id + 1, quiet).await;
        one.refused.clear();
        (one.acknowledged.len() == 1).then_some(one)
    })
    .await
}

/// A rollback procedure's order of things, in small: requests, metrics, probes, books that balance.
async fn orders_are_matched_and_kept(server: &Server) {
    let ledger = Ledger::open(server, "orders", "1.4.2").await;
    assert_eq!(ledger.migrate("1.4.2").unwrap(), "nothing to apply\n");
    assert!(ledger.info("2.0.0-decimal-ledger").contains("Pending"));
    let engine = matching(&ledger, "1.4.2").await;
    let door = gateway(&engine, "1.4.2").await;
    let books = risk(&ledger, "1.4.2").await;
    let http = Http::new();

    let outcome = place(&http, &[door.address()], 1..301, quiet).await;
    outcome.is_clean();
    assert_eq!(outcome.acknowledged.len(), 300);
    assert!(outcome.trades() > 100, "{} trades", outcome.trades());
    ledger.holds(&outcome.acknowledged).await;
    assert_eq!(
        ledger.number("SELECT count(*) FROM trades").await as usize,
        outcome.trades()
    );
    let again = http
        .post(
            door.address(),
            "/orders",
            serde_json::to_string(&order(300)).unwrap(),
        )
        .await
        .unwrap();
    assert_eq!(
        (again.status, again.body.as_str()),
        (400, r#"{"error":"duplicate request"}"#)
    );
    let open = outcome
        .acknowledged
        .iter()
        .find(|(_, r)| r.resting.0 > 0)
        .expect("one rests");
    let cancel = |id, account: AccountId, order: OrderId| {
        let command = dex::Command::Cancel { account, order };
        serde_json::to_string(&OrderRequest::new(id, &command)).unwrap()
    };
    let alien = AccountId((open.0.account.0 + 1) % 40);
    let refused = http
        .post(
            door.address(),
            "/orders",
            cancel(501, alien, open.1.order_id),
        )
        .await
        .unwrap();
    assert_eq!(refused.status, 400, "another account's order");

    for (process, image) in [(&engine, "matching"), (&door, "gateway"), (&books, "risk")] {
        let info = "dex_build_info{version=\"1.4.2\",revision=\"7c1e04b\"}";
        assert_eq!(
            http.metric(process.address(), info).await,
            Some(1),
            "{image}"
        );
        let livez = http.get(process.address(), "/livez").await;
        assert_eq!(livez, Some((200, "ok".to_owned())));
    }
    let sample = |code| format!("dex_requests_total{{code=\"{code}\",maintenance=\"false\"}}");
    assert_eq!(http.metric(door.address(), &sample(200)).await, Some(300));
    assert_eq!(http.metric(door.address(), &sample(400)).await, Some(2));
    assert_eq!(
        http.metric(door.address(), "dex_request_duration_seconds_count")
            .await,
        Some(302)
    );
    let trades = outcome.trades() as u64;
    assert_eq!(
        http.metric(engine.address(), "dex_trades_total").await,
        Some(trades)
    );
    assert_eq!(
        http.metric(engine.address(), "dex_order_log_seq").await,
        Some(300)
    );
    let runs = http
        .metric(books.address(), "dex_reconciliation_runs_total")
        .await
        .unwrap();
    eventually("two more runs", async || {
        let now = http
            .metric(books.address(), "dex_reconciliation_runs_total")
            .await?;
        (now >= runs + 2).then_some(())
    })
    .await;
    for gauge in [
        "dex_reconciliation_anomalies",
        "dex_matching_irregularities_total",
        "dex_state_hash_mismatches_total",
    ] {
        assert_eq!(
            http.metric(books.address(), gauge).await,
            Some(0),
            "{gauge}"
        );
    }
}

async fn a_fence_is_maintenance_and_a_restart_restores_the_book(server: &Server) {
    let ledger = Ledger::open(server, "fence", "1.4.2").await;
    let mut engine = matching(&ledger, "1.4.2").await;
    let door = gateway(&engine, "1.4.2").await;
    let http = Http::new();
    let mut all = place(&http, &[door.address()], 1..101, quiet).await;
    all.is_clean();

    ledger.fence().await;
    let fenced = place(&http, &[door.address()], 101..121, quiet).await;
    assert_eq!(fenced.refused.len(), 20);
    for answer in &fenced.refused {
        assert_eq!(
            (answer.status, answer.maintenance),
            (503, true),
            "{answer:?}"
        );
        assert!(answer.body.contains("42501"), "{answer:?}");
    }
    assert_eq!(ledger.number("SELECT count(*) FROM order_log").await, 100);

    // Dies and comes back while the fence is up: it loads, leads and is ready, and writes nothing.
    engine.kill();
    drop(door);
    let engine = matching(&ledger, "1.4.2").await;
    engine.logs("leading in epoch 2").await;
    let door = gateway(&engine, "1.4.2").await;
    let fenced = place(&http, &[door.address()], 121..123, quiet).await;
    assert!(
        fenced.refused.iter().all(|a| a.maintenance),
        "{:?}",
        fenced.refused
    );

    ledger.unfence().await;
    all.add(taken_again(&http, &door, 1_000).await);
    all.add(place(&http, &[door.address()], 2_000..2_100, quiet).await);
    all.is_clean();
    ledger.holds(&all.acknowledged).await;
    // The book that was restored is the one that was: what rests there is what the rows say.
    let open = "SELECT count(*) FROM orders WHERE remaining > 0";
    assert!(ledger.number(open).await > 0);
    assert_eq!(
        ledger.number("SELECT applied_seq FROM ledger_meta").await,
        all.acknowledged.len() as i64
    );
}

async fn a_replayed_tail_gives_the_same_trades(server: &Server) {
    let ledger = Ledger::open(server, "aside", "1.4.2").await;
    let mut engine = matching(&ledger, "1.4.2").await;
    let door = gateway(&engine, "1.4.2").await;
    let http = Http::new();
    let mut all = place(&http, &[door.address()], 1..201, quiet).await;
    let restored = ledger.copy("restored").await;
    // Closed to sessions, the ledger was under maintenance.
    all.add(taken_again(&http, &door, 10_000).await);
    all.add(place(&http, &[door.address()], 201..401, quiet).await);
    all.is_clean();
    engine.kill();

    // What the executor's replay does: the log's tail, and nothing else.
    let tail = ledger
        .owner()
        .await
        .query(
            "SELECT seq, entry::text, chain FROM order_log WHERE seq > 200",
            &[],
        )
        .await
        .expect("the tail");
    let into = restored.owner().await;
    for row in &tail {
        let (seq, entry, chain): (i64, &str, i64) = (row.get(0), row.get(1), row.get(2));
        let insert = "INSERT INTO order_log SELECT $1::bigint, $2::text::jsonb, $3::bigint";
        into.execute(insert, &[&seq, &entry, &chain])
            .await
            .expect("appended");
    }
    restored.fence().await;
    let engine = matching(&restored, "1.4.2").await;
    engine.logs("from entry 401").await;
    assert_eq!(
        restored.number("SELECT applied_seq FROM ledger_meta").await,
        200
    );
    restored.unfence().await;
    engine
        .logs("wrote what was replayed, entries 201 to 401")
        .await;
    restored.holds(&all.acknowledged).await;
    assert_eq!(restored.trades().await, ledger.trades().await);
    for table in ["balances", "orders", "venue_balances", "ledger_meta"] {
        let sum = format!("SELECT sum(hashtext(t::text))::bigint FROM {table} t");
        assert_eq!(
            restored.number(&sum).await,
            ledger.number(&sum).await,
            "{table}"
        );
    }
}

async fn another_schema_stops_old_releases(server: &Server) {
    let ledger = Ledger::open(server, "decimal", "1.4.2").await;
    let old = matching(&ledger, "1.4.2").await;
    let door = gateway(&old, "1.4.2").await;
    let http = Http::new();
    let mut all = place(&http, &[door.address()], 1..201, quiet).await;
    all.is_clean();
    assert_eq!(
        ledger.migrate("2.0.0-decimal-ledger").unwrap(),
        "applied V2__decimal_ledger.sql\n"
    );
    assert!(
        ledger
            .migrate("1.4.3")
            .unwrap()
            .contains("version 2 is newer")
    );
    let mismatch = ledger
        .migrate("2.0.1-decimal-lossy")
        .expect_err("another V2");
    assert!(mismatch.contains("checksum"), "{mismatch}");

    // The one that runs stumbles at its next write.
    let stumbled = place(&http, &[door.address()], 201..203, quiet).await;
    assert!(
        stumbled.refused.iter().all(|a| a.status == 500),
        "{:?}",
        stumbled.refused
    );
    old.logs("cannot load the ledger: balances.free: cannot read")
        .await;
    let (status, reason) = http.get(old.address(), "/livez").await.expect("it lives");
    assert_eq!(status, 500, "{reason}");
    // One that starts does not come up.
    let mut started = Process::start("dex/matching:1.4.2", &[("DATABASE_URL", &ledger.url())]);
    assert_eq!(started.ends().await.code(), Some(1));
    started.logs("invalid digit found in string").await;

    let engine = matching(&ledger, "2.0.0").await;
    let books = risk(&ledger, "2.0.0").await;
    let bad = gateway(&engine, "2.0.0").await;
    let mixed = place(&http, &[bad.address()], 301..501, quiet).await;
    assert!(
        mixed.acknowledged.len() > 100,
        "{}",
        mixed.acknowledged.len()
    );
    assert!(!mixed.refused.is_empty(), "some accounts cannot be decoded");
    for answer in &mixed.refused {
        assert_eq!(answer.status, 500);
        assert!(
            answer.body.contains("cannot decode the balance"),
            "{answer:?}"
        );
    }
    engine.logs("level=error request").await;
    bad.logs("level=error 500 internal error: cannot decode")
        .await;
    all.acknowledged.extend(mixed.acknowledged);
    eventually("a run on decimal rows", async || {
        let runs = http
            .metric(books.address(), "dex_reconciliation_runs_total")
            .await?;
        (runs >= 1).then_some(())
    })
    .await;
    assert_eq!(
        http.metric(books.address(), "dex_reconciliation_anomalies")
            .await,
        Some(0)
    );

    // Undone behind a fence; the release before goes on with every trade.
    ledger.fence().await;
    let undo = dex::migrations::Set::Decimal.files()[2];
    ledger
        .owner()
        .await
        .batch_execute(undo.sql)
        .await
        .expect("undone");
    let forget = "DELETE FROM flyway_schema_history WHERE version = '2'";
    ledger
        .owner()
        .await
        .batch_execute(forget)
        .await
        .expect("forgotten");
    let back = matching(&ledger, "1.4.2").await;
    let door = gateway(&back, "1.4.2").await;
    ledger.unfence().await;
    all.add(taken_again(&http, &door, 2_000).await);
    all.add(place(&http, &[door.address()], 601..701, quiet).await);
    all.is_clean();
    ledger.holds(&all.acknowledged).await;
}

async fn a_double_credit_is_found(server: &Server) {
    let ledger = Ledger::open(server, "credit", "1.4.2").await;
    let engine = matching(&ledger, "1.5.1").await;
    let door = gateway(&engine, "1.4.2").await;
    let books = risk(&ledger, "1.4.2").await;
    let http = Http::new();
    let outcome: Outcome = place(&http, &[door.address()], 1..201, quiet).await;
    outcome.is_clean();
    assert!(outcome.trades() > 16);
    eventually("reconciliation finds it", async || {
        let found = http
            .metric(books.address(), "dex_reconciliation_anomalies")
            .await?;
        (found > 0).then_some(())
    })
    .await;
    books.logs("level=error reconciliation: ").await;
    for gauge in [
        "dex_matching_irregularities_total",
        "dex_state_hash_mismatches_total",
    ] {
        assert_eq!(
            http.metric(books.address(), gauge).await,
            Some(0),
            "{gauge}"
        );
    }
}
