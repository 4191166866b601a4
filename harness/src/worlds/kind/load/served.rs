//! The clients of an application that a file describes: each of its kinds sends its own requests over HTTP, at its own
//! rate, with its own timeout and retries.
//!
//! They share the loop's rule with those of the exchange: a slow application does not slow them down.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use sim::rng::Rng;
use sim::time::Micros;
use sim_services::describe::{self, Rate};

use super::super::clock::{DrillClock, sleep, within};
use super::clients::{CLIENTS, lock};
use super::contention;
use super::request::Http;
use super::tally::Tally;
use super::thread;
use crate::evidence::Ms;

/// Requests under way at once, at most: beyond, a request counts as failed before it is sent.
const UNDER_WAY: u64 = 20_000;

/// Clients of one kind, and where their requests go.
#[derive(Clone, Debug)]
pub(in super::super) struct Target {
    /// What they are, at the rate that they have in this drill.
    pub(in super::super) client: describe::Client,
    /// Host and port.
    pub(in super::super) address: String,
}

/// The running clients.
pub(in super::super) struct Served {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    clock: DrillClock,
    tally: Mutex<Tally>,
    stop: AtomicBool,
    under_way: AtomicU64,
    panicked: AtomicBool,
}

/// What one kind of clients sends.
struct Kind {
    client: describe::Client,
    uri: http::Uri,
    method: http::Method,
    connections: Vec<Http>,
}

/// A request that is under way, until its client has learned what became of it or has panicked.
struct UnderWay(Arc<Shared>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.store(true, Ordering::Release);
        }
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Served {
    /// Starts the clients, who send until they are stopped or `until` has passed. An answer that takes more than
    /// `slow_ms` is slow.
    ///
    /// # Errors
    /// An address is none, or there is no thread.
    pub(in super::super) fn start(
        clock: DrillClock,
        targets: &[Target],
        slow_ms: Ms,
        until: Duration,
        seed: u64,
    ) -> Result<Self, String> {
        let kinds = targets.iter().map(Kind::of);
        let kinds = kinds.collect::<Result<Vec<_>, String>>()?;
        let shared = Arc::new(Shared {
            clock,
            tally: Mutex::new(Tally::new(slow_ms)),
            stop: AtomicBool::new(false),
            under_way: AtomicU64::new(0),
            panicked: AtomicBool::new(false),
        });
        let until_us = u64::try_from(until.as_micros()).unwrap_or(u64::MAX);
        let inside = Arc::clone(&shared);
        let thread = thread::start(move || send_all(inside, kinds, until_us, seed))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What the clients have seen so far.
    pub(in super::super) fn look<T>(&self, look: impl FnOnce(&Tally) -> T) -> T {
        look(&lock(&self.shared.tally))
    }

    /// Stops the clients once they have learned what became of their requests.
    ///
    /// # Errors
    /// They panicked: whatever was to be seen from then on, nobody saw.
    pub(in super::super) fn stop(&mut self) -> Result<(), String> {
        self.shared.stop.store(true, Ordering::Release);
        let joined = self.thread.take().map(JoinHandle::join);
        let died = matches!(joined, Some(Err(_)));
        if died || self.shared.panicked.load(Ordering::Acquire) {
            return Err("a client of the application panicked".to_owned());
        }
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Who wants to know stops them before.
        let _ = self.stop();
    }
}

impl Kind {
    fn of(target: &Target) -> Result<Self, String> {
        let http = &target.client.http;
        let uri = format!("http://{}{}", target.address, http.path);
        let uri = uri.parse().map_err(|error| format!("{uri}: {error}"))?;
        let method = http::Method::from_bytes(http.method.as_str().as_bytes());
        let limit = Duration::from_micros(target.client.hop.timeout.0);
        Ok(Self {
            client: target.client.clone(),
            uri,
            method: method.map_err(|error| error.to_string())?,
            connections: (0..CLIENTS).map(|_| thread::connection(limit)).collect(),
        })
    }

    /// One request of one client, once.
    async fn ask(&self, connection: &Http) -> Result<(), String> {
        let timeout = Duration::from_micros(self.client.hop.timeout.0);
        let answer = within(timeout, self.answer(connection)).await;
        answer.unwrap_or_else(|| Err("timeout".to_owned()))
    }

    async fn answer(&self, connection: &Http) -> Result<(), String> {
        let body = Bytes::copy_from_slice(self.client.http.body.as_bytes());
        let message = http::Request::builder()
            .method(self.method.clone())
            .uri(self.uri.clone())
            .body(Full::from(body))
            .map_err(|error| error.to_string())?;
        let response = connection.request(message).await.map_err(|error| {
            if error.is_connect() {
                "no connection".to_owned()
            } else {
                "connection lost".to_owned()
            }
        })?;
        let (head, body) = response.into_parts();
        let body = body.collect().await;
        let body = body.map_err(|_| "answer broke off".to_owned())?.to_bytes();
        verdict(head.status, &body, &self.client.http.expect)
    }
}

/// Whether an answer is right: its status is no error, and `expect` is in it.
fn verdict(status: http::StatusCode, body: &[u8], expect: &str) -> Result<(), String> {
    if status.is_client_error() || status.is_server_error() {
        return Err(format!("status {}", status.as_u16()));
    }
    let expect = expect.as_bytes();
    if !expect.is_empty() && !body.windows(expect.len()).any(|it| it == expect) {
        return Err("wrong answer".to_owned());
    }
    Ok(())
}

/// The gap until the next request of clients with that rate: a Poisson process. This world is not replayed, so a float
/// decides nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "gaps are at most some seconds, and positive"
)]
fn gap(rng: &mut Rng, rate: Rate) -> u64 {
    let uniform = (rng.below(1 << 32) + 1) as f64 / (1_u64 << 32) as f64;
    (-uniform.ln() * rate.gap_us() as f64) as u64
}

/// The open loop.
async fn send_all(shared: Arc<Shared>, kinds: Vec<Kind>, until_us: u64, seed: u64) {
    let began = shared.clock.now_us();
    let mut machine = contention::Watch::start(began);
    let mut due: Vec<(u64, Rng, Arc<Kind>)> = kinds
        .into_iter()
        .map(|kind| {
            let rng = Rng::derive(seed, &format!("client {}", kind.client.name));
            (began, rng, Arc::new(kind))
        })
        .collect();
    while !shared.stop.load(Ordering::Acquire) {
        let Some((next, rng, kind)) = due.iter_mut().min_by_key(|(at, ..)| *at) else {
            break;
        };
        if *next >= until_us {
            break;
        }
        shared.clock.sleep_until_us(*next).await;
        let now = shared.clock.now_us();
        if let Some((contention, stolen)) = machine.look(now) {
            lock(&shared.tally).machine(now, contention, stolen);
        }
        lock(&shared.tally).sent(now, now.saturating_sub(*next));
        let chosen = usize::try_from(rng.below(CLIENTS)).unwrap_or(0);
        // The waits between retries are each request's own.
        let own = Rng::derive(rng.next_u64(), "retries");
        *next += gap(rng, kind.client.rate_at(Micros(*next)));
        if shared.under_way.fetch_add(1, Ordering::AcqRel) >= UNDER_WAY {
            shared.under_way.fetch_sub(1, Ordering::AcqRel);
            lock(&shared.tally).failed(now, 0, "too many requests under way".to_owned());
            continue;
        }
        let under_way = UnderWay(Arc::clone(&shared));
        drop(tokio::spawn(ask(under_way, Arc::clone(kind), chosen, own)));
    }
    while shared.under_way.load(Ordering::Acquire) > 0 {
        sleep(Duration::from_millis(10)).await;
    }
}

/// A request with its retries. It has failed once the last of them has.
async fn ask(under_way: UnderWay, kind: Arc<Kind>, chosen: usize, mut rng: Rng) {
    let shared = &under_way.0;
    let began = shared.clock.now_us();
    let hop = kind.client.hop;
    let mut tries = 0;
    let seen = loop {
        let seen = kind.ask(&kind.connections[chosen]).await;
        if seen.is_ok() || tries >= hop.retries {
            break seen;
        }
        let (wait, drawn) = hop.backoff.before(tries);
        let less = if drawn == 0 { 0 } else { rng.between(0, drawn) };
        sleep(Duration::from_micros(wait.0.saturating_sub(less))).await;
        tries += 1;
    };
    let at = shared.clock.now_us();
    let took = at.saturating_sub(began);
    match seen {
        Ok(()) => lock(&shared.tally).answered(at, took),
        Err(kind) => lock(&shared.tally).failed(at, took, kind),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use sim_services::describe::{self, Method, Rate};

    use super::{DrillClock, Served, Target, verdict};

    /// The client of a small application, changed by `change`.
    fn client(change: impl FnOnce(&mut describe::Client)) -> describe::Client {
        let app = describe::sample(1, 1, 200).app().expect("it is right");
        let mut client = app.clients[0].clone();
        change(&mut client);
        client
    }

    /// A server that answers the `n`-th request, from 0, with `answer(n)`, or closes the connection where that is
    /// empty. It tells the first line of each request.
    fn server(
        answer: impl Fn(usize) -> &'static str + Send + Sync + 'static,
    ) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (tell, told) = mpsc::channel();
        let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (answer, count, tell) = (Arc::clone(&answer), Arc::clone(&count), tell.clone());
                std::thread::spawn(move || {
                    let copy = stream.try_clone().expect("a second handle");
                    let mut lines = BufReader::new(copy).lines();
                    while let Some(Ok(first)) = lines.next() {
                        while lines
                            .next()
                            .is_some_and(|it| it.is_ok_and(|it| !it.is_empty()))
                        {
                        }
                        let body = answer(count.fetch_add(1, Ordering::AcqRel));
                        // The test may be over.
                        let _ = tell.send(first);
                        if body.is_empty() || stream.write_all(body.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (address, told)
    }

    const RIGHT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const WRONG: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno";
    const BROKEN: &str = "HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n";

    /// What a client saw that sent for 300 ms.
    fn seen(client: describe::Client, address: String) -> (u32, u32, Vec<String>) {
        let target = Target { client, address };
        let (clock, until) = (DrillClock::start(), Duration::from_millis(300));
        let mut served = Served::start(clock, &[target], 100, until, 7).expect("it starts");
        served
            .thread
            .take()
            .expect("it runs")
            .join()
            .expect("it ends by itself");
        served.look(|tally| {
            let seconds = tally.seconds.iter();
            let (good, bad) = seconds.fold((0, 0), |(good, bad), it| {
                (good + it.answered, bad + it.errors)
            });
            assert_eq!(u64::from(good + bad), tally.host.sent);
            (good, bad, tally.errors.keys().cloned().collect())
        })
    }

    #[test]
    fn a_client_sends_its_request_and_counts_right_answers() {
        let (address, told) = server(|_| RIGHT);
        let client = client(|it| {
            it.http.path = "/pages?n=1".to_owned();
            it.http.method = Method::Put;
            it.http.expect = "ok".to_owned();
        });
        let (good, bad, _) = seen(client, address);
        assert!(good > 10, "{good} at 200 a second");
        assert_eq!(bad, 0);
        assert_eq!(told.recv().as_deref(), Ok("PUT /pages?n=1 HTTP/1.1"));
    }

    #[test]
    fn errors_wrong_answers_and_lost_connections_are_failures() {
        for (answer, kind) in [
            (BROKEN, "status 500"),
            (WRONG, "wrong answer"),
            ("", "connection lost"),
        ] {
            let (address, _told) = server(move |_| answer);
            let client = client(|it| it.http.expect = "ok".to_owned());
            let (good, bad, kinds) = seen(client, address);
            assert_eq!((good, bad > 10), (0, true), "{kind}");
            assert_eq!(kinds, [kind]);
        }
    }

    #[test]
    fn nobody_who_listens_is_a_failure_and_no_answer_in_time_is_one() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let silent = listener.local_addr().expect("it is bound").to_string();
        let quick = || client(|it| it.hop.timeout = sim::time::Micros::from_millis(50));
        let (good, bad, kinds) = seen(quick(), silent.clone());
        assert_eq!((good, bad > 10), (0, true));
        assert_eq!(kinds, ["timeout"]);
        drop(listener);
        let (_, _, kinds) = seen(quick(), silent);
        assert_eq!(kinds, ["no connection"]);
    }

    #[test]
    fn a_request_that_a_retry_saves_is_answered() {
        let odd = |n: usize| if n.is_multiple_of(2) { BROKEN } else { RIGHT };
        let (address, _told) = server(odd);
        let client = client(|it| {
            it.rate_per_s = Rate::whole(20);
            it.hop.retries = 5;
        });
        let (good, bad, _) = seen(client, address);
        assert_eq!((good > 0, bad), (true, 0));
    }

    #[test]
    fn an_answer_is_right_by_its_status_and_by_what_it_contains() {
        let status = |code| http::StatusCode::from_u16(code).expect("a status");
        assert_eq!(verdict(status(204), b"", ""), Ok(()));
        assert_eq!(verdict(status(302), b"", ""), Ok(()));
        assert_eq!(verdict(status(404), b"", ""), Err("status 404".to_owned()));
        assert_eq!(verdict(status(200), b"all is ok", "ok"), Ok(()));
        assert!(verdict(status(200), b"o", "ok").is_err());
    }
}
