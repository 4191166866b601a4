//! madsim: three nodes on one runtime, datagrams through its simulated network.

#![expect(
    clippy::disallowed_methods,
    reason = "madsim stands in for the system's clock"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use benches::pattern::{Engine, Made, Pattern, STEP_MS};
use madsim::net::Endpoint;
use madsim::runtime::{Handle, Runtime};
use madsim::time::{Instant, sleep, sleep_until};

const STEP: Duration = Duration::from_millis(STEP_MS);
/// The gateway listens for requests at the first port, and for answers at the second.
const CLIENT: &str = "10.0.0.1:9000";
const GATEWAY: &str = "10.0.0.2:9000";
const BACK: &str = "10.0.0.2:9001";
const ENGINE: &str = "10.0.0.3:9000";
const TAG: u64 = 1;

async fn bind(at: &str) -> Endpoint {
    Endpoint::bind(at).await.expect("the port is free")
}

async fn receive(endpoint: &Endpoint) -> u64 {
    let mut message = [0; 8];
    let received = endpoint.recv_from(TAG, &mut message).await;
    received.expect("nobody closes the socket");
    u64::from_le_bytes(message)
}

async fn send(endpoint: &Endpoint, number: u64, to: &str) {
    let sent = endpoint.send_to(to, TAG, &number.to_le_bytes()).await;
    sent.expect("nothing is cut off");
}

async fn pass_on(from: &'static str, to: &'static str) {
    let endpoint = bind(from).await;
    loop {
        let number = receive(&endpoint).await;
        send(&endpoint, number, to).await;
    }
}

pub(super) fn run(pattern: &Pattern) -> Made {
    let mut config = madsim::Config::default();
    // An empty range is refused.
    config.net.send_latency = STEP..STEP + Duration::from_nanos(1);
    let runtime = Runtime::with_seed_and_config(1, config);
    let engine = Arc::new(Mutex::new(Engine::new(pattern)));
    let answers = runtime.block_on(simulate(pattern, Arc::clone(&engine)));
    let engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
    engine.made(answers)
}

async fn simulate(pattern: &Pattern, engine: Arc<Mutex<Engine>>) -> u64 {
    let node = |name: &str, at: &str| {
        let at: std::net::SocketAddr = at.parse().expect("an address");
        Handle::current()
            .create_node()
            .name(name)
            .ip(at.ip())
            .build()
    };
    let gateway = node("gateway", GATEWAY);
    gateway.spawn(pass_on(GATEWAY, ENGINE));
    gateway.spawn(pass_on(BACK, CLIENT));
    node("engine", ENGINE).spawn(async move {
        let endpoint = bind(ENGINE).await;
        loop {
            let number = receive(&endpoint).await;
            sleep(STEP).await;
            engine
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .execute(number);
            send(&endpoint, number, BACK).await;
        }
    });
    let sent_ms = pattern.sent_ms.clone();
    let begin = Instant::now();
    let client = node("client", CLIENT).spawn(async move {
        let endpoint = Arc::new(bind(CLIENT).await);
        let (sender, wanted) = (Arc::clone(&endpoint), sent_ms.len() as u64);
        madsim::task::spawn(async move {
            for (number, at) in (0..).zip(sent_ms) {
                sleep_until(begin + Duration::from_millis(at)).await;
                send(&sender, number, GATEWAY).await;
            }
        });
        for _ in 0..wanted {
            receive(&endpoint).await;
        }
        wanted
    });
    client.await.expect("the client does not panic")
}
