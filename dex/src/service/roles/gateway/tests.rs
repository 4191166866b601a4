//! The way to the engine that leads, with real servers on the loopback interface in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;
use crate::release::{Release, Service};

/// A server that answers `/commands` as `answer` does, and everything else with 404. It ends with the runtime.
async fn engine<F>(answer: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn() -> Response<Body> + Clone + Send + Sync + 'static,
{
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let handler = move || {
        counted.fetch_add(1, Ordering::AcqRel);
        let answer = answer();
        async move { answer }
    };
    let address = serve(Router::new().route("/commands", post(handler))).await;
    (address, asked)
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(tokio::spawn(
        async move { axum::serve(listener, router).await },
    ));
    address
}

fn leads() -> Response<Body> {
    (StatusCode::OK, "{}").into_response()
}

/// A gateway's door to the Service at `service`, whose last known leader is at `leader`.
fn door(service: &str, leader: Option<&str>) -> Door {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(Duration::from_millis(300)));
    Door {
        worker: mpsc::channel().0,
        in_flight: AtomicUsize::new(0),
        queue_max: usize::from(GatewayConfig::default().queue_max),
        requests: Requests::default(),
        log: Arc::default(),
        client: Client::builder(TokioExecutor::new()).build(connector),
        service: service.to_owned(),
        leader: Mutex::new(leader.map(str::to_owned)),
    }
}

/// What comes of a command, and whom the gateway then takes for the leader.
async fn forward(door: &Door) -> (Answer, String, Option<String>) {
    let deadline = clock::now() + Duration::from_millis(1_000);
    let (answer, _, reason) = door.forward(Bytes::from_static(b"{}"), deadline).await;
    let leader = door.leader.lock().expect("not poisoned").clone();
    (answer, reason, leader)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

#[test]
fn a_leader_at_whose_address_somebody_else_answers_is_forgotten() {
    run(async {
        // The leader's pod has ended, and another program was given its address.
        let stranger = serve(Router::new()).await;
        let (service, asked) = engine(leads).await;
        let door = door(&service, Some(&stranger));
        let (answer, reason, leader) = forward(&door).await;
        assert!(matches!(answer, Answer::Ok), "{reason}");
        assert_eq!((asked.load(Ordering::Acquire), leader), (1, None));
        // And it stays forgotten.
        let (answer, ..) = forward(&door).await;
        assert!(matches!(answer, Answer::Ok));
        assert_eq!(asked.load(Ordering::Acquire), 2);
    });
}

#[test]
fn an_engine_that_stands_by_there_says_who_leads() {
    run(async {
        let (leader, asked) = engine(leads).await;
        let told = leader.clone();
        let (standby, _) = engine(move || crate::service::http::misdirected(Some(&told))).await;
        // The Service would be the wrong way: nobody is behind it.
        let door = door("127.0.0.1:1", Some(&standby));
        let (answer, reason, known) = forward(&door).await;
        assert!(matches!(answer, Answer::Ok), "{reason}");
        assert_eq!((asked.load(Ordering::Acquire), known), (1, Some(leader)));
    });
}

#[test]
fn where_only_strangers_answer_nothing_is_executed_and_the_client_is_told() {
    run(async {
        let stranger = serve(Router::new()).await;
        let door = door(&stranger, Some(&stranger));
        let (answer, reason, leader) = forward(&door).await;
        assert!(matches!(answer, Answer::Unavailable), "{reason}");
        assert_eq!(reason, "no matching engine at its last address");
        assert_eq!(leader, None);
    });
}

#[test]
fn a_refusal_by_the_leader_itself_is_no_reason_to_forget_it() {
    run(async {
        let (leader, asked) = engine(|| refusal(StatusCode::BAD_REQUEST, "no such account")).await;
        let door = door("127.0.0.1:1", Some(&leader));
        let (answer, reason, known) = forward(&door).await;
        assert!(matches!(answer, Answer::Rejected), "{reason}");
        assert_eq!((asked.load(Ordering::Acquire), known), (1, Some(leader)));
    });
}

/// The build of the gateway of a release.
fn gateway_of(release: &str) -> Build {
    let release = Release::by_name(release).expect("it is in the catalogue");
    release.build(Service::Gateway)
}

/// An engine that answers 404 to so many requests for a list before it serves one at `path`, and how often it was
/// asked.
async fn engine_with_markets(path: &str, not_before: usize) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let handler = move || {
        let before = counted.fetch_add(1, Ordering::AcqRel);
        std::future::ready(if before < not_before {
            StatusCode::NOT_FOUND.into_response()
        } else {
            (StatusCode::OK, "[0,1]").into_response()
        })
    };
    let address = serve(Router::new().route(path, get(handler))).await;
    (address, asked)
}

#[test]
fn a_gateway_waits_until_its_engine_serves_a_list_of_markets_that_it_can_read() {
    run(async {
        let (engine, asked) = engine_with_markets("/markets", 2).await;
        door(&engine, None)
            .read_markets(gateway_of("1.4.3"), 2)
            .await;
        assert_eq!(asked.load(Ordering::Acquire), 3);
    });
}

#[test]
fn a_gateway_that_reads_both_forms_starts_beside_an_engine_with_the_first_one() {
    run(async {
        let (engine, asked) = engine_with_markets("/markets", 0).await;
        door(&engine, None)
            .read_markets(gateway_of("1.6.3-new-market-list"), 2)
            .await;
        assert_eq!(asked.load(Ordering::Acquire), 1);
    });
}

#[test]
fn an_engine_that_is_away_keeps_no_gateway_from_being_ready() {
    run(async {
        door("127.0.0.1:1", None)
            .read_markets(gateway_of("1.4.3"), 2)
            .await;
    });
}
