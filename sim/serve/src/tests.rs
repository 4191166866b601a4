//! A world that is served, and programs on threads of their own that talk to it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use sim::application::{Plain, PlainConfig};
use sim::time::Micros;
use sim::{World, WorldConfig};

use crate::store::Closed;
use crate::{Heard, Limits, Listener, Pacing, Settle, Witness, listen, serve};

mod flood;
mod floods;

const TOKEN: &str = "secret";

/// What a test's program knows of the world.
#[derive(Clone, Copy)]
struct Served {
    kube: SocketAddr,
    prometheus: SocketAddr,
}

/// What came of a run.
struct Ran {
    now: Micros,
    fingerprint: u64,
    heard: Vec<Heard>,
}

/// Writes down what it hears.
#[derive(Default)]
struct Notes(std::cell::RefCell<Vec<Heard>>);

impl Witness for Notes {
    fn heard(&self, heard: Heard) {
        self.0.borrow_mut().push(heard);
    }
}

fn run_with(limits: Limits, pacing: Pacing, program: impl FnOnce(Served) + Send + 'static) -> Ran {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let addresses = [(Listener::Kube, local), (Listener::Prometheus, local)];
    let mut network = listen(&addresses, TOKEN, limits).expect("it listens");
    let served = Served {
        kube: network.address(Listener::Kube).expect("an address"),
        prometheus: network.address(Listener::Prometheus).expect("an address"),
    };
    let (mut pace, door) = network.open(pacing);
    let gate = door.gate();
    gate.with_others("outside");
    let wake = gate.waker();
    let (done, ended) = oneshot::channel();
    let client = std::thread::spawn(move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| program(served)));
        let _ = done.send(());
        wake();
        result
    });
    let notes = Notes::default();
    let config = WorldConfig {
        application: PlainConfig {
            namespaces: vec!["shop".to_owned()],
            ..PlainConfig::default()
        },
        ..WorldConfig::default()
    };
    let limits = sim::Limits::default();
    let ran = sim::world::run_at(&mut pace, config, 7, limits, |world: World<Plain>| {
        let notes = &notes;
        async move {
            let serving = Box::pin(serve(world.clone(), door, 7, &Closed, notes));
            match select(serving, ended).await {
                Either::Left(((), _)) => unreachable!("it serves for ever"),
                Either::Right(_) => world.with(|state| (state.now(), state.fingerprint())),
            }
        }
    });
    if let Err(panic) = client.join().expect("it was caught") {
        std::panic::resume_unwind(panic);
    }
    let (now, fingerprint) = ran.expect("the program ended");
    Ran {
        now,
        fingerprint,
        heard: notes.0.into_inner(),
    }
}

fn run(program: impl FnOnce(Served) + Send + 'static) -> Ran {
    run_with(
        Limits::default(),
        Pacing::Requests(Settle::default()),
        program,
    )
}

/// One request on a connection of its own; status and body.
fn ask(address: SocketAddr, token: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = open(address, token, method, path, body);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status");
    let body = if head.contains("chunked") {
        chunks(body)
    } else {
        body.to_owned()
    };
    (status.parse().expect("a number"), body)
}

fn chunks(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

fn open(address: SocketAddr, token: &str, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("a timeout");
    let of_type = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: {of_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("it takes it");
    stream
}

fn get(served: Served, path: &str) -> String {
    let (status, body) = ask(served.kube, TOKEN, "GET", path, "");
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// How late it is in the world.
fn date(served: Served) -> String {
    get(served, "/firedrill/v1/date")
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";

fn deployment() -> String {
    r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}}"#
        .to_owned()
}

#[test]
fn a_program_deploys_and_waits_by_a_watch() {
    let ran = run(|served| {
        let (status, _) = ask(served.kube, TOKEN, "POST", DEPLOYMENTS, &deployment());
        assert_eq!(status, 201);
        let mut watch = open(
            served.kube,
            TOKEN,
            "GET",
            &format!("{DEPLOYMENTS}?watch=true&resourceVersion=0"),
            "",
        );
        // It asks for nothing more: the world goes on by itself until both pods are there.
        let mut seen = String::new();
        let mut piece = [0; 4096];
        while !seen.contains("\"availableReplicas\":2") {
            let read = watch.read(&mut piece).expect("frames");
            assert_ne!(read, 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        drop(watch);
        let pods = get(served, "/api/v1/namespaces/shop/pods");
        assert_eq!(pods.matches("\"phase\":\"Running\"").count(), 2, "{pods}");
    });
    assert!(ran.now > Micros::from_millis(500), "{}", ran.now);
    assert!(ran.now < Micros::from_secs(60), "{}", ran.now);
    let paths: Vec<&str> = ran.heard.iter().map(|it| it.method.as_str()).collect();
    assert_eq!(paths, ["POST", "GET", "GET"]);
}

#[test]
fn the_world_stands_still_while_the_program_computes() {
    let ran = run(|served| {
        let before = date(served);
        // What the program does meanwhile takes as long as it takes.
        let began = get(served, "/version");
        for _ in 0..200_000 {
            assert!(std::hint::black_box(&began).contains("v1.34"));
        }
        let after = date(served);
        assert_ne!(before, after, "requests take their time");
    });
    assert!(ran.now < Micros::from_millis(200), "{}", ran.now);
}

#[test]
fn a_sleep_of_the_program_passes_in_the_world() {
    let ran = run(|served| {
        let path = "/firedrill/v1/sleep?seconds=90.5";
        assert_eq!(ask(served.kube, TOKEN, "POST", path, "").0, 200);
        for wrong in [
            "",
            "?seconds=-1",
            "?seconds=x",
            "?seconds=1e99",
            "?seconds=NaN",
        ] {
            let path = format!("/firedrill/v1/sleep{wrong}");
            assert_eq!(ask(served.kube, TOKEN, "POST", &path, "").0, 400, "{wrong}");
        }
    });
    assert!(ran.now > Micros::from_secs(90) && ran.now < Micros::from_secs(92));
}

#[test]
fn a_deadline_passes_only_while_the_program_waits() {
    let ran = run(|served| {
        let path = "/firedrill/v1/deadline?seconds=300";
        let mut deadline = open(served.kube, TOKEN, "POST", path, "");
        // The program asks at once, so that the world does not come to the deadline.
        for _ in 0..5 {
            get(served, "/api/v1/pods");
        }
        let early = date(served);
        // Now it waits for nothing else.
        let mut answer = String::new();
        deadline.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains("200 OK"), "{answer}");
        assert_ne!(early, date(served));
        // One that nobody waits for any more leaves the world where it is.
        drop(open(served.kube, TOKEN, "POST", path, ""));
        get(served, "/api/v1/pods");
    });
    assert!(
        ran.now > Micros::from_secs(300) && ran.now < Micros::from_secs(310),
        "{}",
        ran.now
    );
}

#[test]
fn the_same_requests_get_the_same_answers() {
    let program = |served: Served| {
        ask(served.kube, TOKEN, "POST", DEPLOYMENTS, &deployment());
        ask(
            served.kube,
            TOKEN,
            "POST",
            "/firedrill/v1/sleep?seconds=30",
            "",
        );
        let patch = r#"{"spec": {"replicas": 3}}"#;
        ask(
            served.kube,
            TOKEN,
            "PATCH",
            &format!("{DEPLOYMENTS}/web"),
            patch,
        );
        ask(
            served.kube,
            TOKEN,
            "POST",
            "/firedrill/v1/sleep?seconds=30",
            "",
        );
        get(served, "/api/v1/namespaces/shop/pods");
    };
    let (one, other) = (run(program), run(program));
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_eq!(one.heard, other.heard);
    let less = run(|served| {
        ask(served.kube, TOKEN, "POST", DEPLOYMENTS, &deployment());
    });
    assert_ne!(less.fingerprint, one.fingerprint);
}

#[test]
fn only_who_has_the_token_is_served() {
    run(|served| {
        for path in ["/api/v1/pods", "/api", "/firedrill/v1/date"] {
            let (status, body) = ask(served.kube, "wrong", "GET", path, "");
            assert_eq!(status, 401, "{path}");
            assert!(body.contains("\"reason\":\"Unauthorized\""), "{body}");
        }
        assert_eq!(ask(served.kube, "", "GET", "/readyz", "").0, 200);
        // Where a client sends no bearer token, the path has it.
        let path = format!("/{TOKEN}/api/v1/pods?limit=1");
        assert_eq!(ask(served.kube, "", "GET", &path, "").0, 200);
        assert_eq!(ask(served.kube, "", "GET", &format!("/{TOKEN}"), "").0, 404);
        assert_eq!(
            ask(served.kube, "", "GET", &format!("/{TOKEN}x/api"), "").0,
            401
        );
    });
}

#[test]
fn prometheus_is_served_at_its_own_address_and_by_proxy() {
    run(|served| {
        let query = "/api/v1/query?query=vector(1)";
        let (status, own) = ask(served.prometheus, "", "GET", query, "");
        assert_eq!(status, 200, "{own}");
        let proxied = format!("http://prometheus:9090{query}");
        let (status, other) = ask(served.kube, "", "GET", &proxied, "");
        assert_eq!(status, 200, "{other}");
        assert!(own.contains("\"vector\"") && other.contains("\"vector\""));
    });
}

#[test]
fn a_body_that_is_too_large_is_refused_and_the_next_request_is_served() {
    let limits = Limits {
        body: 10_000,
        bodies: 20_000,
        ..Limits::default()
    };
    run_with(limits, Pacing::Requests(Settle::default()), |served| {
        let large = format!("\"{}\"", "x".repeat(9_999));
        let (status, body) = ask(served.kube, TOKEN, "POST", DEPLOYMENTS, &large);
        assert_eq!(status, 413, "{body}");
        assert_eq!(
            ask(served.kube, TOKEN, "POST", DEPLOYMENTS, &deployment()).0,
            201
        );
    });
}

#[test]
fn what_is_no_http_is_cut_off_and_others_are_served() {
    run(|served| {
        for rubbish in [
            &b"\x16\x03\x01\x02\x00\x01"[..],
            b"GET",
            b"GET / HTTP/9\r\n\r\n",
            &[0; 70_000],
        ] {
            let mut stream = TcpStream::connect(served.kube).expect("it listens");
            // The server may have cut the connection already.
            let _ = stream.write_all(rubbish);
            drop(stream);
            get(served, "/version");
        }
        // Those that hang up before the answer.
        for _ in 0..50 {
            drop(open(served.kube, TOKEN, "GET", "/api/v1/pods", ""));
        }
        get(served, "/api/v1/pods");
    });
}

#[test]
fn connections_beyond_the_limit_are_closed_and_room_comes_back() {
    let limits = Limits {
        connections: 8,
        ..Limits::default()
    };
    run_with(limits, Pacing::Requests(Settle::default()), |served| {
        let held: Vec<TcpStream> = (0..8)
            .map(|_| TcpStream::connect(served.kube).expect("it listens"))
            .collect();
        let mut beyond = TcpStream::connect(served.kube).expect("the system takes it");
        let patience = Some(Duration::from_secs(20));
        beyond.set_read_timeout(patience).expect("a timeout");
        let mut byte = [0];
        // Closed by the server: nothing comes, or the connection is reset.
        assert!(matches!(beyond.read(&mut byte), Ok(0) | Err(_)));
        drop(held);
        let served_again = (0..1_000).any(|_| {
            let mut stream = TcpStream::connect(served.kube).expect("it listens");
            let request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let mut answer = String::new();
            stream.write_all(request.as_bytes()).is_ok()
                && stream.read_to_string(&mut answer).is_ok()
                && answer.contains("200 OK")
        });
        assert!(served_again);
    });
}

#[test]
fn a_watch_that_nobody_reads_ends_and_the_world_goes_on() {
    run(|served| {
        let maps = "/api/v1/namespaces/shop/configmaps";
        let path = format!("{maps}?watch=true");
        let mut watch = open(served.kube, TOKEN, "GET", &path, "");
        // More than the sockets and what may wait unread hold together.
        let filling = "x".repeat(500_000);
        for n in 0..80 {
            let map =
                format!(r#"{{"metadata": {{"name": "m{n}"}}, "data": {{"a": "{filling}"}}}}"#);
            let (status, body) = ask(served.kube, TOKEN, "POST", maps, &map);
            assert_eq!(status, 201, "{body}");
        }
        let (status, _) = ask(
            served.kube,
            TOKEN,
            "POST",
            "/firedrill/v1/sleep?seconds=1",
            "",
        );
        assert_eq!(status, 200);
        let mut seen = Vec::new();
        watch.read_to_end(&mut seen).expect("the server ends it");
        let frames = String::from_utf8_lossy(&seen).matches("\"ADDED\"").count();
        let head = String::from_utf8_lossy(&seen[..seen.len().min(300)]).into_owned();
        assert!((1..80).contains(&frames), "{frames}: {head}");
        assert_eq!(
            get(served, maps).matches("\"creationTimestamp\"").count(),
            80
        );
    });
}
