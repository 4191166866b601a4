//! The clients: an open loop of orders from this host to the gateway's Service, and their own record of what came back.
//!
//! - `flow`: which order comes next, as the simulation's clients choose it.
//! - `record`: what the clients saw.
//! - `contention`: whether this machine had its CPUs to itself.
//!
//! The load is bounded in rate and time, and goes to the drill's own containers only.

mod contention;
mod flow;
mod record;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use dex::service::api::{MAINTENANCE_HEADER, OrderReply, OrderRequest};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use self::flow::Flow;
pub(super) use self::record::Record;
use self::record::Seen;
use super::clock::{DrillClock, sleep, within};
use crate::scenario::Scenario;

/// Clients, each with a connection of its own that it keeps.
const CLIENTS: u64 = 64;
/// How long a client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// No client sends faster than that, however late the loop is: at most this many requests at once.
const BURST: u32 = 64;

type Http = Client<HttpConnector, Full<Bytes>>;

/// The running clients.
pub(super) struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    clock: DrillClock,
    uri: http::Uri,
    flow: Mutex<Flow>,
    record: Mutex<Record>,
    stop: AtomicBool,
    in_flight: AtomicU64,
    panicked: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Starts the clients, who send to `base` until they are stopped, or the drill's longest duration has passed.
    pub(super) fn start(
        clock: DrillClock,
        base: &str,
        scenario: &Scenario,
        seed: u64,
    ) -> Result<Self, String> {
        let uri = format!("{base}/orders")
            .parse()
            .map_err(|error| format!("{base}: {error}"))?;
        let shared = Arc::new(Shared {
            clock,
            uri,
            flow: Mutex::new(Flow::new(&scenario.load, seed)),
            record: Mutex::new(Record::new(crate::evidence::ms(scenario.expect.p99_max))),
            stop: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            panicked: AtomicBool::new(false),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime for the clients: {error}"))?;
        let until_us = u64::try_from(scenario.timing.duration.as_micros()).unwrap_or(u64::MAX);
        let inside = shared.clone();
        // A thread of their own: nothing else that the harness does holds them up.
        let thread = std::thread::Builder::new()
            .name("clients".to_owned())
            .spawn(move || runtime.block_on(send(inside, until_us)))
            .map_err(|error| format!("no thread for the clients: {error}"))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What the clients have seen so far.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&lock(&self.shared.record))
    }

    /// Stops the clients once they have learned what became of their requests.
    ///
    /// # Errors
    /// They panicked: whatever was to be seen from then on, nobody saw.
    pub(super) fn stop(&mut self) -> Result<(), String> {
        self.shared.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err("the clients panicked".to_owned()),
            _ if self.shared.panicked.load(Ordering::Acquire) => {
                Err("a client panicked".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Who wants to know stops them before.
        let _ = self.stop();
    }
}

/// A request that is under way, until its client has learned what became of it or has panicked.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn begun(shared: &Arc<Shared>) -> Self {
        shared.in_flight.fetch_add(1, Ordering::AcqRel);
        Self(shared.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.store(true, Ordering::Release);
        }
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The open loop: a slow exchange does not slow it down.
async fn send(shared: Arc<Shared>, until_us: u64) {
    let clients: Vec<Http> = (0..CLIENTS)
        .map(|_| {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            connector.set_connect_timeout(Some(Duration::from_secs(1)));
            Client::builder(TokioExecutor::new()).build(connector)
        })
        .collect();
    let mut next = shared.clock.now_us();
    let mut machine = contention::Watch::start(next);
    while !shared.stop.load(Ordering::Acquire) && next < until_us {
        shared.clock.sleep_until_us(next).await;
        let now = shared.clock.now_us();
        if let Some((contention, stolen)) = machine.look(now) {
            lock(&shared.record).machine(now, contention, stolen);
        }
        for _ in 0..BURST {
            if next > now {
                break;
            }
            lock(&shared.record).sent(now, now - next);
            let (client, id, command, after) = lock(&shared.flow).next(CLIENTS, next);
            next = after;
            let client = usize::try_from(client).unwrap_or(0) % clients.len();
            let request = OrderRequest::new(id, &command);
            drop(tokio::spawn(ask(
                InFlight::begun(&shared),
                clients[client].clone(),
                request,
            )));
        }
    }
    while shared.in_flight.load(Ordering::Acquire) > 0 {
        sleep(Duration::from_millis(10)).await;
    }
}

/// One request of one client.
async fn ask(in_flight: InFlight, client: Http, request: OrderRequest) {
    let shared = &in_flight.0;
    let sent = shared.clock.now_us();
    let seen = match within(TIMEOUT, answer(&client, &shared.uri, &request)).await {
        None => Seen::Error("timeout".to_owned()),
        Some(Err(error)) => Seen::Error(error),
        Some(Ok(seen)) => seen,
    };
    let at = shared.clock.now_us();
    if let Seen::Ok(reply) = &seen {
        lock(&shared.flow).learn(&request, reply);
    }
    lock(&shared.record).add(at, at.saturating_sub(sent), &request, seen);
}

/// What kind of error a text tells of: the numbers in it make no kinds of their own.
fn kind_of(text: &str) -> String {
    let mut kind = String::new();
    for c in text.chars().take(120) {
        if !c.is_ascii_digit() {
            kind.push(c);
        } else if !kind.ends_with('#') {
            kind.push('#');
        }
    }
    kind
}

async fn answer(client: &Http, uri: &http::Uri, request: &OrderRequest) -> Result<Seen, String> {
    let body = serde_json::to_vec(request).map_err(|error| error.to_string())?;
    let message = http::Request::post(uri.clone())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::from(body))
        .map_err(|error| error.to_string())?;
    let response = client.request(message).await.map_err(|error| {
        if error.is_connect() {
            "no connection".to_owned()
        } else {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("connection lost: {}", cause.unwrap_or_default())
        }
    })?;
    let (head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| format!("answer broke off: {error}"))?
        .to_bytes();
    Ok(match head.status.as_u16() {
        200 => match serde_json::from_slice::<OrderReply>(&body) {
            Ok(reply) => Seen::Ok(reply),
            Err(error) => Seen::Error(format!("unreadable answer: {error}")),
        },
        400 => Seen::Rejected,
        503 if head.headers.contains_key(MAINTENANCE_HEADER) => Seen::Maintenance,
        status => {
            let text = String::from_utf8_lossy(&body);
            Seen::Error(format!("{status}: {}", kind_of(&text)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn errors_about_different_accounts_are_of_one_kind() {
        let kind = kind_of("cannot decode the balance of account 458");
        assert_eq!(kind, "cannot decode the balance of account #");
        assert_eq!(kind, kind_of("cannot decode the balance of account 7"));
    }
}
