//! What only the exchange can tell of a drill, read from the world itself.

use std::collections::BTreeMap;

use dex::command::Event;
use dex::order_log::replay_into;
use dex::release::{Release, Service};
use dex::rows;
use sim::cluster::Kind;
use sim_exchange::LatencyHistogram;
use sim_exchange::WorldState;
use sim_exchange::database::{LedgerDb, LedgerTables, order_content, trade_content};

use super::record::{self, Deployed};
use crate::evidence::{
    Acknowledgements, BookEntry, Evidence, ExecutorOutcome, Recoverable, Second, ms,
};
use crate::scenario::{Path, Scenario};
use crate::worlds::common::manifests::{NAMESPACE, TRADING};

/// What the clients saw in the first `whole` seconds.
pub(super) fn seconds(state: &mut WorldState, scenario: &Scenario, whole: usize) -> Vec<Second> {
    let target_ms = ms(scenario.expect.p99_max);
    let now = state.now();
    let seen = state.application.clients(now).seconds.iter().take(whole);
    seen.map(|s| Second {
        answered: s.ok + s.rejected,
        maintenance: s.maintenance,
        errors: s.errors,
        slow: slower_than(&s.latency, target_ms),
    })
    .collect()
}

/// Fills in what is in the books at the end; the ledger was as in `deployed` when the deployment began.
pub(super) fn take(
    state: &mut WorldState,
    scenario: &Scenario,
    evidence: &mut Evidence,
    deployed: Option<&Deployed>,
) {
    let now = state.now();
    let record = state.application.clients(now);
    let entries = |acknowledged: &[sim_exchange::Acknowledged]| {
        acknowledged
            .iter()
            .map(|a| BookEntry {
                id: a.id,
                content: a.content,
            })
            .collect()
    };
    evidence.trades.acknowledged = entries(&record.trades);
    evidence.orders.acknowledged = entries(&record.orders);
    let ledger = state.application.database().ledger();
    evidence.trades.present = ledger
        .trades()
        .iter()
        .map(|t| BookEntry {
            id: t.id,
            content: t.content,
        })
        .collect();
    evidence.orders.present = orders(ledger, &evidence.orders);
    evidence.unclaimed.present = record::unclaimed(ledger, &evidence.orders);
    evidence.reckoning = record::reckoning(ledger, &scenario.release.from, deployed);
    // Whoever claims recovery must have it in the ledger.
    let paths = [evidence.expect.path, evidence.executor.path];
    if evidence.executor.outcome != ExecutorOutcome::Recovered && paths.contains(&Path::Restore) {
        let release = &scenario.release.from;
        evidence.recoverable = recoverable(state.application.database(), release, &evidence.orders);
    }
    evidence.maintenance.flag = state
        .cluster
        .object(Kind::ConfigMap, NAMESPACE, TRADING)
        .and_then(|map| map["data"]["mode"].as_str())
        .map(str::to_owned);
    evidence.unclaimed.unanswered = state.application.unanswered(now);
    let since = evidence.executor.trigger.as_ref().map(|t| t.at_ms);
    let writes = record::writes(state.writes(), since);
    if evidence.executor.is_program && evidence.executor.path == Path::None {
        evidence.executor.path = record::path_of(&writes);
    }
    evidence.writes = Some(writes);
}

/// Schema, migrations and sessions of the ledger database.
pub(super) fn lasting_state(database: &LedgerDb, out: &mut BTreeMap<String, String>) {
    let ledger = database.ledger();
    out.insert(
        "schema/layout".to_owned(),
        ledger.schema().name().to_owned(),
    );
    out.insert(
        "schema/version".to_owned(),
        ledger.version().unwrap_or("none").to_owned(),
    );
    for row in ledger.history() {
        out.insert(
            format!("schema/history/{}", row.installed_rank),
            format!(
                "{:?} {} {} success={}",
                row.version, row.kind, row.script, row.success
            ),
        );
    }
    out.insert(
        "database/sessions".to_owned(),
        database.sessions().to_string(),
    );
}

/// The order log's entries. Positions in it are the orders' ids, so none can be there twice.
fn orders(ledger: &LedgerTables, books: &Acknowledgements) -> Vec<BookEntry> {
    let entries = books.acknowledged.iter().filter_map(|order| {
        let entry = ledger.log().get(dex::types::Seq(order.id))?;
        Some(BookEntry {
            id: order.id,
            content: order_content(&entry.command),
        })
    });
    // Nearly always all of them are there.
    let mut present = Vec::with_capacity(books.acknowledged.len());
    present.extend(entries);
    present
}

/// What the ledger in use lacks and can be brought back: the longest log that the server keeps, replayed by the engine
/// of `release` on the ledger's rows. Nothing if that engine can't read them.
fn recoverable(
    database: &LedgerDb,
    release: &str,
    orders: &Acknowledgements,
) -> Option<Recoverable> {
    let build = Release::by_name(release)?.build(Service::Matching);
    let ledger = database.ledger();
    let longest = database
        .names()
        .filter_map(|name| database.database(name))
        .max_by_key(|kept| kept.log().last_seq())?;
    let mut out = Recoverable {
        orders: self::orders(longest, orders),
        ..Recoverable::default()
    };
    if let Ok(rows) = rows::decode(&build, &rows::encode(ledger.schema(), ledger.state())) {
        let mut events = Vec::new();
        let state = rows.under(build, 0);
        let tail = longest.log().after(state.seq());
        let _ = replay_into(state, tail, &mut events);
        out.trades.extend(events.iter().filter_map(|event| {
            let Event::Trade(trade) = event else {
                return None;
            };
            Some(BookEntry {
                id: trade.id.0,
                content: trade_content(trade),
            })
        }));
    }
    Some(out)
}

/// How many of the latencies were beyond the target. The histogram's buckets are up to a sixteenth
/// wide; what may have been within the target counts as within it.
fn slower_than(latency: &LatencyHistogram, target_ms: u64) -> u32 {
    let total = latency.count();
    let limit_us = target_ms * 1_000 * 17 / 16;
    let within = |rank: u64| {
        latency
            .quantile(rank, total)
            .is_none_or(|us| us.0 <= limit_us)
    };
    if total == 0 || within(total) {
        return 0;
    }
    // The highest rank that is within the target, by bisection.
    let (mut lo, mut hi) = (0, total);
    while lo + 1 < hi {
        let middle = lo.midpoint(hi);
        if within(middle) {
            lo = middle
        } else {
            hi = middle
        }
    }
    u32::try_from(total - lo).unwrap_or(u32::MAX)
}
