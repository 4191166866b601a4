//! The matching engine's HTTP face.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use tokio::sync::{mpsc, oneshot};

use super::Role;
use crate::release::{Build, CRASHES_AFTER_S, Defect, MarketList};
use crate::service::api::{CommandRequest, Markets};
use crate::service::clock;
use crate::service::database::Database;
use crate::service::engine::{Counters, Engine, Job, Reply};
use crate::service::http::{json, maintenance, misdirected, refusal, with_probes};
use crate::service::log::Log;
use crate::service::metrics::Page;
use crate::service::run::ServiceFailure;
use crate::service::settings::Settings;
use crate::service::status::Status;

/// Commands that wait for the engine before more are refused.
const QUEUE: usize = 1_024;

/// The engine and its routes; `address` is where peers reach it.
pub(super) fn role(
    settings: &Settings,
    build: Build,
    address: SocketAddr,
    log: &Arc<Log>,
    status: &Arc<Status>,
) -> Result<Role, ServiceFailure> {
    let counters = Arc::new(Counters::default());
    let pod = settings.pod_name();
    let mut engine = Engine {
        build,
        instance: clock::unix_micros() ^ u64::from(std::process::id()) << 40,
        holder: format!("{address} {} {pod}", build.image()),
        batch_max: usize::try_from(settings.number("LOG_BATCH", 64)?).unwrap_or(usize::MAX),
        database: Database::new(settings.database()?, "dex-matching"),
        log: log.clone(),
        status: status.clone(),
        counters: counters.clone(),
        epoch: None,
        leader: None,
        unanswered: 0,
        ledger: None,
        in_step: false,
        fresh: false,
        statement: None,
        retired: false,
    };
    let (jobs, queue) = mpsc::channel(QUEUE);
    let (engine_jobs, engine_status) = (jobs.clone(), status.clone());
    let mut router = Router::new().route(
        "/commands",
        post(move |body: Bytes| command(engine_jobs.clone(), engine_status.clone(), body)),
    );
    for list in build.market_lists {
        let counters = counters.clone();
        router = router.route(
            list.path(),
            get(move || std::future::ready(markets(&counters, *list))),
        );
    }
    let expose = move || {
        let mut page = Page::of(&build);
        for (metric, counter) in [
            ("dex_orders_total", &counters.orders),
            ("dex_trades_total", &counters.trades),
            ("dex_order_log_seq", &counters.log_seq),
        ] {
            page.number(metric, counter.load(Ordering::Relaxed));
        }
        // An anomaly of the books as those are that the reconciliation finds; only there to be seen if there is one.
        let refused = counters.refused.load(Ordering::Relaxed);
        if refused > 0 {
            page.number("dex_reconciliation_anomalies", refused);
        }
        page.finish()
    };
    Ok(Role {
        router: with_probes(router, status, expose),
        work: Box::pin(async move {
            if let Err(reason) = engine.start().await {
                return ServiceFailure::Ledger(reason);
            }
            if build.has(Defect::CrashLoop) {
                let crash = clock::now() + Duration::from_secs(CRASHES_AFTER_S);
                if clock::by(crash, engine.run(queue)).await.is_none() {
                    return ServiceFailure::Crashed;
                }
                return ServiceFailure::Ended;
            }
            engine.run(queue).await;
            ServiceFailure::Ended
        }),
        drain: Box::pin(async move {
            let (done, wait) = oneshot::channel();
            if jobs.send(Job::StepDown(done)).await.is_ok() {
                let _ = wait.await;
            }
        }),
    })
}

/// The list of markets, which is known once the ledger has been loaded.
fn markets(counters: &Counters, list: MarketList) -> Response<Body> {
    let count = counters.markets.load(Ordering::Relaxed);
    let Some(last) = count.checked_sub(1) else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "loading");
    };
    let markets = (0..=last).collect();
    match list {
        MarketList::V1 => json(StatusCode::OK, &markets),
        MarketList::V2 => json(StatusCode::OK, &Markets { markets }),
    }
}

async fn command(jobs: mpsc::Sender<Job>, status: Arc<Status>, body: Bytes) -> Response<Body> {
    let request: CommandRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if !status.is_ready() {
        return misdirected(None);
    }
    let (reply, answer) = oneshot::channel();
    let job = Job::Command(request.id, request.command, reply);
    if jobs.try_send(job).is_err() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "engine's queue is full");
    }
    match answer.await {
        Ok(Reply::Done(reply)) => json(StatusCode::OK, &reply),
        Ok(Reply::Rejected(reject)) => refusal(StatusCode::BAD_REQUEST, &reject.to_string()),
        Ok(Reply::Failed(failure)) => {
            refusal(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string())
        }
        Ok(Reply::Unreadable) => refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "matching engine cannot read the ledger",
        ),
        Ok(Reply::Maintenance(reason)) => maintenance(&reason),
        Ok(Reply::Unavailable(reason)) => refusal(StatusCode::SERVICE_UNAVAILABLE, &reason),
        Ok(Reply::NotLeading(leader)) => misdirected(leader.as_deref()),
        Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "engine has ended"),
    }
}
