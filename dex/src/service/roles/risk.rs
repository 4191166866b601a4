//! The risk service: reads rows, new trades and the log's new stretch every few seconds, and reconciles them.
//!
//! The shadow of a state must run under the build that made it; the leader's row names that build.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use tokio_postgres::Transaction;

use super::Role;
use crate::causes::with_causes;
use crate::command::Trade;
use crate::exchange::Exchange;
use crate::order_log::LogEntry;
use crate::release::Build;
use crate::risk::Reconciler;
use crate::rows;
use crate::service::clock;
use crate::service::database::Database;
use crate::service::http::with_probes;
use crate::service::load::{LoadError, checked_rows, read_log, snapshot};
use crate::service::log::Log;
use crate::service::metrics::Page;
use crate::service::run::ServiceFailure;
use crate::service::settings::Settings;
use crate::service::status::Status;
use crate::service::tables::{self, TRADE_COLUMNS, signed};
use crate::types::{Seq, TradeId};

/// Between two looks at the session.
const KEEP_EVERY: Duration = Duration::from_millis(200);

/// Gauges and counters.
#[derive(Default)]
struct Gauges {
    anomalies: AtomicU64,
    runs: AtomicU64,
    irregularities: AtomicU64,
    mismatches: AtomicU64,
}

struct Risk {
    build: Build,
    every: Duration,
    database: Database,
    log: Arc<Log>,
    status: Arc<Status>,
    gauges: Arc<Gauges>,
}

/// What one run reads.
struct Reading {
    live: Exchange,
    trades: Vec<Trade>,
    entries: Vec<LogEntry>,
}

/// The risk service and its routes.
pub(super) fn role(
    settings: &Settings,
    build: Build,
    log: &Arc<Log>,
    status: &Arc<Status>,
) -> Result<Role, ServiceFailure> {
    let gauges = Arc::new(Gauges::default());
    let risk = Risk {
        build,
        every: Duration::from_secs(settings.number("RECONCILE_SECONDS", 5)?),
        database: Database::new(settings.database()?, "dex-risk"),
        log: log.clone(),
        status: status.clone(),
        gauges: gauges.clone(),
    };
    let expose = move || {
        let mut page = Page::of(&build);
        for (metric, gauge) in [
            ("dex_reconciliation_anomalies", &gauges.anomalies),
            ("dex_reconciliation_runs_total", &gauges.runs),
            ("dex_matching_irregularities_total", &gauges.irregularities),
            ("dex_state_hash_mismatches_total", &gauges.mismatches),
        ] {
            page.number(metric, gauge.load(Ordering::Relaxed));
        }
        page.finish()
    };
    Ok(Role {
        router: with_probes(Router::new(), status, expose),
        work: Box::pin(risk.run()),
        drain: Box::pin(async {}),
    })
}

impl Risk {
    async fn run(mut self) -> ServiceFailure {
        let first = loop {
            // From the end: earlier trades were reconciled by earlier processes.
            match self.read(TradeId(u64::MAX), Seq(u64::MAX)).await {
                Ok(reading) => break reading,
                Err(LoadError::Unreadable(reason)) => return ServiceFailure::Ledger(reason),
                Err(LoadError::Database(_)) => clock::sleep(Duration::from_millis(50)).await,
            }
        };
        let mut read_to = first.live.seq();
        let mut reconciler = Reconciler::starting_after(first.live.trade_id());
        self.status.set_ready();
        self.log
            .info(&format!("reconciling from trade {}", first.live.trade_id()));
        loop {
            let due = clock::now() + self.every;
            while clock::now() < due {
                clock::sleep(KEEP_EVERY.min(self.every)).await;
                self.keep_session().await;
            }
            match self.read(reconciler.last_trade(), read_to).await {
                Ok(reading) => {
                    self.reconcile(&mut reconciler, &reading);
                    read_to = reading.live.seq();
                }
                Err(LoadError::Database(trouble)) => {
                    self.log
                        .warn(&format!("not reconciled: {}", trouble.text()));
                }
                Err(LoadError::Unreadable(reason)) => {
                    self.log.error(&format!("cannot load the ledger: {reason}"));
                    self.status.fail(reason);
                    // The liveness probe ends it.
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Opens the session again if it was ended, so that the process is ready again before its next run.
    async fn keep_session(&mut self) {
        let open = self.database.session(&self.log).await.is_ok();
        self.status.set_connected(open);
    }

    fn reconcile(&self, reconciler: &mut Reconciler, reading: &Reading) {
        let findings = reconciler.run_entries(&reading.live, &reading.trades, &reading.entries);
        let gauges = &self.gauges;
        let before = gauges
            .anomalies
            .swap(reconciler.anomalies(), Ordering::Relaxed);
        gauges
            .runs
            .store(reconciler.runs_total(), Ordering::Relaxed);
        gauges
            .irregularities
            .store(reconciler.irregularities_total(), Ordering::Relaxed);
        gauges
            .mismatches
            .store(reconciler.hash_mismatches_total(), Ordering::Relaxed);
        if findings.anomalies != before {
            let text = format!("reconciliation: {} balance anomalies", findings.anomalies);
            if findings.anomalies > 0 {
                self.log.error(&text);
            } else {
                self.log.info(&text);
            }
        }
        if findings.irregularities > 0 {
            self.log.error(&format!(
                "matching irregularities: {}",
                findings.irregularities
            ));
        }
        if findings.hash_mismatch == Some(true) {
            self.log.error("state hash differs from the shadow's");
        }
    }

    /// Reads the ledger with the trades behind `trade` and the log behind `seq`; a restored ledger may be behind both.
    async fn read(&mut self, trade: TradeId, seq: Seq) -> Result<Reading, LoadError> {
        let outcome = self.database.session(&self.log).await;
        self.status.set_connected(outcome.is_ok());
        let (client, _) = outcome.map_err(LoadError::Database)?;
        let transaction = snapshot(client).await?;
        let rows = checked_rows(&transaction).await?;
        let maker = maker(&transaction).await?;
        let trades = read_trades(&transaction, trade.min(rows.trade_id), rows.trade_id).await?;
        let from = seq.min(rows.applied_seq);
        let entries = read_log(&transaction, from, Some(rows.applied_seq)).await?;
        transaction.commit().await?;
        let mut live = rows::decode(&self.build, &rows)
            .map_err(|error| LoadError::Unreadable(with_causes(&error)))?;
        if let Some(maker) = maker {
            live = live.under(maker, 0);
        }
        Ok(Reading {
            live,
            trades,
            entries,
        })
    }
}

/// The build that leads.
async fn maker(transaction: &Transaction<'_>) -> Result<Option<Build>, tokio_postgres::Error> {
    let row = transaction
        .query_one("SELECT holder FROM leader", &[])
        .await?;
    let holder: &str = row.get(0);
    Ok(holder.split(' ').nth(1).and_then(Build::by_image))
}

async fn read_trades(
    transaction: &Transaction<'_>,
    after: TradeId,
    to: TradeId,
) -> Result<Vec<Trade>, tokio_postgres::Error> {
    let found = transaction
        .query(
            &format!(
                "SELECT {TRADE_COLUMNS} FROM trades WHERE trade_id > $1 AND trade_id <= $2 ORDER BY trade_id"
            ),
            &[&signed(after.0), &signed(to.0)],
        )
        .await?;
    Ok(found.iter().map(tables::trade).collect())
}
