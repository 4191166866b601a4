//! The gateway's HTTP face: one worker that is busy with one request at a time, and the way to the engine that leads.
//!
//! The worker is a thread. What the gateway's code counts as work takes that long there, so a build that does more
//! has a slower pod, with a queue before it. The wait for the matching engine does not keep it busy.

mod markets;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Request as HttpRequest, Response, StatusCode};
use axum::routing::post;
use futures::future::join;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::oneshot;

use super::Role;
use crate::gateway::{Admission, Decision, Gateway, GatewayConfig, Request, TradingMode};
use crate::market::MarketSpec;
use crate::release::Build;
use crate::service::api::{
    CommandRequest, ErrorReply, LEADER_HEADER, MAINTENANCE_HEADER, OrderRequest,
};
use crate::service::clock;
use crate::service::http::{maintenance, refusal, with_probes};
use crate::service::log::Log;
use crate::service::metrics::{Answer, Page, Requests};
use crate::service::run::ServiceFailure;
use crate::service::settings::Settings;
use crate::service::status::Status;
use crate::types::UNIT_NANOS;

/// How long a request may take; a client waits for 2 s.
const DEADLINE: Duration = Duration::from_millis(1_800);
/// Between two attempts to reach the engine that leads.
const RETRY: Duration = Duration::from_millis(20);
/// Between two looks at the halt flag.
const MODE_EVERY: Duration = Duration::from_millis(200);
/// Looks at the halt flag between two heartbeats in its log: 10 s, so that silence in its log
/// means something.
const HEARTBEAT_LOOKS: u32 = 50;
/// Largest answer of the engine, in bytes.
const ANSWER_MAX: usize = 1 << 20;

/// A request for the worker.
struct Ask {
    request: Request,
    received: Instant,
    answer: oneshot::Sender<Admission>,
}

struct Door {
    worker: mpsc::Sender<Ask>,
    in_flight: AtomicUsize,
    queue_max: usize,
    requests: Requests,
    log: Arc<Log>,
    client: Client<HttpConnector, Body>,
    /// Address of the Service `matching`.
    service: String,
    /// Address of the engine that leads, if another one told it.
    leader: Mutex<Option<String>>,
}

/// One request under way, also if its client goes away.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The gateway and its routes.
pub(super) fn role(
    settings: &Settings,
    build: Build,
    log: &Arc<Log>,
    status: &Arc<Status>,
) -> Result<Role, ServiceFailure> {
    let config = GatewayConfig::from_env(&settings.env)?;
    let accounts = u32::try_from(settings.number("DEX_ACCOUNTS", 1_000)?).unwrap_or(u32::MAX);
    let markets = u16::try_from(settings.number("DEX_MARKETS", 4)?).unwrap_or(u16::MAX);
    let markets: Vec<_> = (0..markets).map(MarketSpec::standard).collect();
    let own_markets = markets.len();
    let unit_nanos = settings.number("DEX_UNIT_NANOS", UNIT_NANOS)?;
    let lame_duck = Duration::from_millis(settings.number("DEX_LAME_DUCK_MS", 3_000)?);
    let file = settings.mode_file();

    let halted = Arc::new(AtomicBool::new(
        read_mode(&file) == Some(TradingMode::Maintenance),
    ));
    let gateway = Gateway::new(build, settings.instance(), config, accounts, &markets);
    let (worker, asks) = mpsc::channel();
    let seen = halted.clone();
    std::thread::Builder::new()
        .name("worker".to_owned())
        .spawn(move || work(gateway, unit_nanos, &seen, &asks))
        .map_err(ServiceFailure::Listen)?;

    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_millis(300)));
    let door = Arc::new(Door {
        worker,
        in_flight: AtomicUsize::new(0),
        queue_max: usize::from(config.queue_max),
        requests: Requests::default(),
        log: log.clone(),
        client: Client::builder(TokioExecutor::new()).build(connector),
        service: settings.matching()?.to_string(),
        leader: Mutex::new(None),
    });
    let (exposed, watching, reader) = (door.clone(), log.clone(), door.clone());
    let router = Router::new().route(
        "/orders",
        post(move |body: Bytes| {
            let door = door.clone();
            async move { door.serve(&body).await }
        }),
    );
    let started = status.clone();
    let expose = move || {
        let mut page = Page::of(&build);
        exposed.requests.expose(&mut page);
        page.finish()
    };
    Ok(Role {
        router: with_probes(router, status, expose),
        work: Box::pin(async move {
            let ready = async {
                reader.read_markets(build, own_markets).await;
                started.set_ready();
            };
            join(ready, watch_mode(file, halted, watching)).await.1
        }),
        // The Service goes on sending requests for a while.
        drain: Box::pin(clock::sleep(lame_duck)),
    })
}

/// The worker: admits one request after the other and takes as long as that is work.
fn work(mut gateway: Gateway, unit_nanos: u64, halted: &AtomicBool, asks: &mpsc::Receiver<Ask>) {
    let mut free = clock::now();
    while let Ok(ask) = asks.recv() {
        let mode = if halted.load(Ordering::Acquire) {
            TradingMode::Maintenance
        } else {
            TradingMode::Open
        };
        let admission = gateway.admit(&ask.request, mode);
        // A late wake-up delays one request, not all that follow.
        free = free.max(ask.received) + Duration::from_nanos(admission.work.nanos(unit_nanos));
        clock::block_until(free);
        // A client that has gone away is not told.
        let _ = ask.answer.send(admission);
    }
}

/// The halt flag, open if the file is not there; `None` if it cannot be read now.
fn read_mode(file: &PathBuf) -> Option<TradingMode> {
    match std::fs::read_to_string(file) {
        Ok(mode) => Some(TradingMode::parse(mode.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(TradingMode::Open),
        Err(_) => None,
    }
}

async fn watch_mode(file: PathBuf, halted: Arc<AtomicBool>, log: Arc<Log>) -> ServiceFailure {
    let mut looks = 0_u32;
    loop {
        clock::sleep(MODE_EVERY).await;
        looks = (looks + 1) % HEARTBEAT_LOOKS;
        if looks == 0 {
            log.info("heartbeat");
        }
        let Some(mode) = read_mode(&file) else {
            continue;
        };
        let now_halted = mode == TradingMode::Maintenance;
        if halted.swap(now_halted, Ordering::AcqRel) != now_halted {
            log.info(if now_halted {
                "trading is halted"
            } else {
                "trading is open"
            });
        }
    }
}

/// An answer to the client, and why, if it is not what it asked for.
type Served = (Answer, Response<Body>, String);

fn unavailable(reason: impl Into<String>) -> Served {
    let reason = reason.into();
    let response = refusal(StatusCode::SERVICE_UNAVAILABLE, &reason);
    (Answer::Unavailable, response, reason)
}

fn rejected(reason: String) -> Served {
    let response = refusal(StatusCode::BAD_REQUEST, &reason);
    (Answer::Rejected, response, reason)
}

fn broken(reason: String) -> Served {
    let response = refusal(StatusCode::INTERNAL_SERVER_ERROR, &reason);
    (Answer::Internal, response, reason)
}

fn halted(reason: String) -> Served {
    let response = maintenance(&reason);
    (Answer::Maintenance, response, reason)
}

impl Door {
    async fn serve(&self, body: &[u8]) -> Response<Body> {
        let received = clock::now();
        let Some((answer, response, reason)) = self.answer(body, received).await else {
            // Forgotten: the connection stays open, and the client gives up by itself.
            return std::future::pending().await;
        };
        self.requests.count(answer, clock::now() - received);
        if !matches!(answer, Answer::Ok | Answer::Rejected) {
            self.log.refusal(answer, &reason);
        }
        response
    }

    /// The answer; `None`: the build has lost the request.
    async fn answer(&self, body: &[u8], received: Instant) -> Option<Served> {
        let before = self.in_flight.fetch_add(1, Ordering::AcqRel);
        let _under_way = UnderWay(&self.in_flight);
        if before >= self.queue_max {
            return Some(unavailable("queue is full"));
        }
        let parsed: Result<OrderRequest, _> = serde_json::from_slice(body);
        let command = match &parsed {
            Ok(request) => request.command(),
            Err(error) => return Some(rejected(error.to_string())),
        };
        let (Ok(OrderRequest { id, .. }), Some(command)) = (parsed, command) else {
            let needed = "one of place and cancel, and an id, are needed";
            return Some(rejected(needed.to_owned()));
        };
        let (answer, wait) = oneshot::channel();
        let ask = Ask {
            request: Request {
                id,
                at_micros: clock::unix_micros(),
                command,
            },
            received,
            answer,
        };
        if self.worker.send(ask).is_err() {
            return Some(unavailable("the worker has ended"));
        }
        let deadline = received + DEADLINE;
        Some(match clock::by(deadline, wait).await {
            Some(Ok(admission)) => match admission.decision {
                Decision::Forward => {
                    let request = CommandRequest { id, command };
                    match serde_json::to_vec(&request) {
                        Ok(body) => self.forward(body.into(), deadline).await,
                        Err(error) => unavailable(error.to_string()),
                    }
                }
                Decision::Reject(reject) => rejected(reject.to_string()),
                Decision::Maintenance => halted("trading is halted".to_owned()),
                Decision::Broken => broken("request was not understood".to_owned()),
                Decision::Lost => return None,
            },
            Some(Err(_)) => unavailable("the worker has ended"),
            None => unavailable("no time left in the queue"),
        })
    }

    /// Passes a command on to the engine that leads. Only what certainly was not executed is sent again.
    async fn forward(&self, body: Bytes, deadline: Instant) -> Served {
        let mut last = "matching engine does not answer";
        while clock::now() + RETRY < deadline {
            let known = self.leader.lock().ok().and_then(|leader| leader.clone());
            let address = known.as_deref().unwrap_or(&self.service);
            let mut request = HttpRequest::new(Body::from(body.clone()));
            *request.method_mut() = axum::http::Method::POST;
            let Ok(uri) = format!("http://{address}/commands").parse() else {
                return unavailable("malformed address of the matching engine");
            };
            *request.uri_mut() = uri;
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            match clock::by(deadline, self.client.request(request)).await {
                Some(Ok(response)) if response.status() == StatusCode::MISDIRECTED_REQUEST => {
                    last = "no matching engine leads";
                    let told = response.headers().get(LEADER_HEADER);
                    let told = told.and_then(|l| l.to_str().ok().map(str::to_owned));
                    let news = told.is_some() && told.as_deref() != Some(address);
                    self.set_leader(told);
                    if news {
                        continue;
                    }
                }
                // Pod addresses are used again: somebody else answers there now, and has executed nothing.
                Some(Ok(response)) if response.status() == StatusCode::NOT_FOUND => {
                    last = "no matching engine at its last address";
                    self.set_leader(None);
                }
                Some(Ok(response)) => return pass(response.map(Body::new), deadline).await,
                Some(Err(error)) if error.is_connect() => {
                    last = "matching engine cannot be reached";
                    self.set_leader(None);
                }
                Some(Err(error)) => {
                    self.set_leader(None);
                    let reason = format!("matching engine did not answer: {error}");
                    return unavailable(reason);
                }
                None => break,
            }
            clock::sleep(RETRY).await;
        }
        unavailable(last)
    }

    fn set_leader(&self, leader: Option<String>) {
        if let Ok(mut known) = self.leader.lock() {
            *known = leader;
        }
    }
}

/// Passes the engine's answer on.
async fn pass(response: Response<Body>, deadline: Instant) -> Served {
    let (head, body) = response.into_parts();
    let Some(Ok(body)) = clock::by(deadline, to_bytes(body, ANSWER_MAX)).await else {
        return unavailable("matching engine's answer broke off");
    };
    if head.status == StatusCode::OK {
        let mut response = Response::new(Body::from(body));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        return (Answer::Ok, response, String::new());
    }
    let reason = serde_json::from_slice::<ErrorReply>(&body).map_or_else(
        |_| format!("matching engine answered {}", head.status),
        |reply| reply.error,
    );
    match head.status {
        StatusCode::BAD_REQUEST => rejected(reason),
        StatusCode::SERVICE_UNAVAILABLE if head.headers.contains_key(MAINTENANCE_HEADER) => {
            halted(reason)
        }
        StatusCode::INTERNAL_SERVER_ERROR => broken(reason),
        _ => unavailable(reason),
    }
}

#[cfg(test)]
mod tests;
