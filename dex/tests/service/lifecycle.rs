//! Processes come, lead, are halted, slow, stopped, killed, and lose their database.

use std::path::PathBuf;

use crate::ledger::Ledger;
use crate::load::{order, place};
use crate::process::{Http, Process, eventually};
use crate::server::Server;
use crate::{gateway, matching, quiet, risk};

pub(crate) async fn the_halt_flag_halts(server: &Server) {
    let ledger = Ledger::open(server, "halt", "1.4.2").await;
    let engine = matching(&ledger, "1.4.2").await;
    let file: PathBuf = std::env::temp_dir().join(format!("firedrill-mode-{}", std::process::id()));
    std::fs::write(&file, "open").expect("a file");
    let address = engine.address().to_string();
    let door = Process::ready(
        "dex/gateway:1.4.2",
        &[
            ("MATCHING_ADDR", &address),
            ("DEX_TRADING_MODE_FILE", file.to_str().expect("UTF-8")),
        ],
    )
    .await;
    let http = Http::new();
    place(&http, &[door.address()], 1..21, quiet)
        .await
        .is_clean();
    std::fs::write(&file, "maintenance\n").expect("a file");
    door.logs("trading is halted").await;
    let halted = place(&http, &[door.address()], 21..41, quiet).await;
    assert!(halted.acknowledged.is_empty());
    assert!(
        halted
            .refused
            .iter()
            .all(|a| a.maintenance && a.status == 503)
    );
    let sample = "dex_requests_total{code=\"503\",maintenance=\"true\"}";
    assert_eq!(http.metric(door.address(), sample).await, Some(20));
    std::fs::write(&file, "open").expect("a file");
    door.logs("trading is open").await;
    place(&http, &[door.address()], 41..61, quiet)
        .await
        .is_clean();
    std::fs::remove_file(&file).expect("it was there");
}

pub(crate) async fn the_lead_is_handed_over(server: &Server) {
    let ledger = Ledger::open(server, "handover", "1.4.2").await;
    let mut first = matching(&ledger, "1.4.2").await;
    let door = gateway(&first, "1.4.2").await;
    let http = Http::new();
    let mut second = None;
    // The gateway knows the first only; it learns from it who leads.
    let mut all = place(&http, &[door.address()], 1..401, async || {
        second = Some(matching(&ledger, "1.4.3").await);
    })
    .await;
    let mut second = second.expect("started");
    second.logs("leading in epoch 2").await;
    all.add(place(&http, &[door.address()], 401..501, quiet).await);
    all.is_clean();
    first.logs("a newer epoch leads, standing by").await;
    ledger.holds(&all.acknowledged).await;
    let executed = http
        .metric(second.address(), "dex_orders_total")
        .await
        .unwrap();
    assert!(executed >= 100, "{executed} executed by the second");

    // The leader dies; the one that stands by takes over. What was under way may be lost, nothing acknowledged is.
    let crash = place(&http, &[door.address()], 501..901, async || second.kill()).await;
    first.logs("leading in epoch 3").await;
    assert!(crash.broken.is_empty(), "the gateway lives");
    assert!(
        crash.refused.iter().all(|a| a.status == 503),
        "{:?}",
        crash.refused
    );
    all.acknowledged.extend(crash.acknowledged);
    all.add(place(&http, &[door.address()], 901..1_001, quiet).await);
    all.is_clean();
    ledger.holds(&all.acknowledged).await;

    // Asked to go, the leader gives the lead up, and the next takes it at once.
    let third = matching(&ledger, "1.4.2").await;
    third.logs("leading in epoch 4").await;
    first.terminate();
    assert_eq!(first.ends().await.code(), Some(0));
    let fourth = matching(&ledger, "1.4.2").await;
    fourth.logs("leading in epoch 5").await;
    fourth.terminate();
    third.logs("leading in epoch 6").await;
    let holder =
        "SELECT count(*) FROM leader WHERE epoch = 6 AND holder LIKE '%dex/matching:1.4.2%'";
    assert_eq!(ledger.number(holder).await, 1);
}

pub(crate) async fn a_gateway_drains(server: &Server) {
    let ledger = Ledger::open(server, "drain", "1.4.2").await;
    let engine = matching(&ledger, "1.4.2").await;
    let mut door = gateway(&engine, "1.4.2").await;
    let http = Http::new();
    place(&http, &[door.address()], 1..101, quiet)
        .await
        .is_clean();
    door.terminate();
    door.logs("SIGTERM: draining").await;
    // Not ready, and still serving whoever comes, but on no connection twice.
    let health = http.get(door.address(), "/health").await;
    assert_eq!(health, Some((503, "draining".to_owned())));
    let body = serde_json::to_string(&order(102)).unwrap();
    let answer = http.post(door.address(), "/orders", body).await.unwrap();
    assert_eq!((answer.status, answer.closes), (200, true), "{answer:?}");
    assert_eq!(door.ends().await.code(), Some(0));
    assert!(door.logged("all answered, ending").is_some());
}

pub(crate) async fn without_a_database_it_waits_and_can_be_stopped() {
    let nowhere = ("DATABASE_URL", "postgresql://dex_app@127.0.0.1:9/none");
    let http = Http::new();
    for image in ["dex/matching:1.4.2", "dex/risk:1.4.2"] {
        let mut process = Process::start(image, &[nowhere]);
        process.listens().await;
        process.logs("no session: ").await;
        let health = http.get(process.address(), "/health").await;
        assert_eq!(health, Some((503, "loading".to_owned())));
        let livez = http.get(process.address(), "/livez").await;
        assert_eq!(livez, Some((200, "ok".to_owned())));
        process.terminate();
        assert_eq!(process.ends().await.code(), Some(0), "{image}");
    }
}

/// 100 requests of the build that walks a list: 400 units each, and 4 more for each request before. The worker is one
/// thread, so they take at least the sum of it.
pub(crate) async fn a_slow_build_is_slow(server: &Server) {
    let ledger = Ledger::open(server, "slow", "1.4.2").await;
    let engine = matching(&ledger, "1.4.2").await;
    let address = engine.address().to_string();
    let variables = [
        ("MATCHING_ADDR", address.as_str()),
        ("DEX_UNIT_NANOS", "20000"),
        ("DEX_TRADING_MODE_FILE", "/nonexistent/mode"),
    ];
    let door = Process::ready("dex/gateway:1.5.0", &variables).await;
    let http = Http::new();
    place(&http, &[door.address()], 1..101, quiet)
        .await
        .is_clean();
    let units = 100 * 400 + 4 * 99 * 100 / 2;
    let (_, page) = http.get(door.address(), "/metrics").await.expect("metrics");
    let sum = page
        .lines()
        .find_map(|line| line.strip_prefix("dex_request_duration_seconds_sum "))
        .and_then(|seconds| seconds.parse::<f64>().ok())
        .expect("a sum");
    assert!(sum * 1e6 >= f64::from(units * 20), "{sum} s");
}

pub(crate) async fn a_restart_of_the_database_is_survived(server: &Server) {
    let ledger = Ledger::open(server, "restarted", "1.4.2").await;
    let engine = matching(&ledger, "1.4.2").await;
    let door = gateway(&engine, "1.4.2").await;
    let books = risk(&ledger, "1.4.2").await;
    let http = Http::new();
    let addresses = [door.address()];
    let mut all = place(&http, &addresses, 1..201, async || server.restart()).await;
    engine.logs("database sessions reopened").await;
    assert!(
        all.refused.iter().all(|a| a.status == 503),
        "{:?}",
        all.refused
    );
    assert_eq!(all.broken, [] as [String; 0]);
    all.refused.clear();
    all.add(place(&http, &addresses, 201..301, quiet).await);
    all.is_clean();
    ledger.holds(&all.acknowledged).await;
    books.logs("database sessions reopened").await;
    for process in [&engine, &books] {
        eventually("it is healthy again", async || {
            let (status, _) = http.get(process.address(), "/health").await?;
            (status == 200).then_some(())
        })
        .await;
    }
}
