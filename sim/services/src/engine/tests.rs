//! Requests, queues, timeouts and retries.

use std::collections::BTreeMap;
use std::sync::Arc;

use sim::application::Application as _;
use sim::time::Micros;
use sim::workload::{ContainerStart, ProcessId, StartOutcome, Workload as _};

use super::{Second, Services, ServicesConfig};
use crate::describe::tests::app;

const SERVICE: &str = r#"
name = "shop"
manifests = ["k8s"]

[service.front]
start = { median = "2s" }
request = { median = "40ms", p99 = "80ms" }
concurrency = 4
queue = 200

[release.bad]
images = { front = "shop/front:2.0.0" }
defects = [{ service = "front", kind = "KIND" }]
"#;

fn client(more: &str) -> String {
    format!(
        "[[client]]\nname = \"c\"\nservice = \"front\"\nrate = 100\ntimeout = \"300ms\"\n{more}\n"
    )
}

fn services(text: &str) -> Services {
    let app = app(text).expect("it is right");
    let config = ServicesConfig {
        clients_begin: Micros::from_secs(10),
        slow_after: Micros::from_millis(100),
        ..ServicesConfig::new(Arc::new(app))
    };
    Services::new(config, 7)
}

/// A process of a pod of `service`, by a build with this tag.
pub(super) fn container(service: &str, uid: &str, tag: &str) -> ContainerStart {
    ContainerStart {
        namespace: "shop".to_owned(),
        pod: format!("{service}-{uid}"),
        uid: uid.to_owned(),
        app: service.to_owned(),
        container: if service == "front" { "web" } else { service }.to_owned(),
        image: format!("shop/{service}:{tag}"),
        env: BTreeMap::new(),
        restart: 0,
    }
}

const WEB: fn(&str) -> ProcessId<'_> = |uid| ProcessId {
    uid,
    container: "web",
};

/// Two pods of `front`, which serve from the second 3 on.
fn two_pods(services: &mut Services, tag: &str) {
    for uid in ["a", "b"] {
        services.start(Micros::ZERO, &container("front", uid, tag));
    }
    services.route(
        Micros::from_secs(3),
        "front",
        &["a".to_owned(), "b".to_owned()],
    );
}

fn sum(seconds: &[Second]) -> (u32, u32) {
    let answered = seconds.iter().map(|it| it.answered).sum();
    (answered, seconds.iter().map(|it| it.errors).sum())
}

/// What clients saw between two instants in seconds.
fn seen(services: &mut Services, from: usize, to: usize) -> (u32, u32) {
    let seconds = services.seconds(Micros::from_secs(to as u64));
    sum(&seconds[from.min(seconds.len())..to.min(seconds.len())])
}

#[test]
fn a_service_with_room_answers_everything() {
    let text = SERVICE.replace("KIND", "never-ready") + &client("");
    let mut services = services(&text);
    two_pods(&mut services, "1.0.0");
    let (answered, errors) = seen(&mut services, 10, 70);
    assert_eq!(errors, 0);
    assert!((5_800..6_200).contains(&answered), "{answered}");
}

#[test]
fn the_same_seed_gives_the_same_run_however_often_somebody_looks() {
    let text = SERVICE.replace("KIND", "never-ready") + &client("retries = 1");
    let run = |looks: u64| {
        let mut services = services(&text);
        two_pods(&mut services, "1.0.0");
        for look in 1..=looks {
            services.advance(Micros(60_000_000 * look / looks));
        }
        services.digest()
    };
    assert_eq!(run(1), run(60));
    assert_eq!(run(60), run(4_321));
}

#[test]
fn a_burst_is_over_with_its_cause_only_if_clients_do_not_retry() {
    let burst = "burst = { rate = 400, first = \"30s\", lasts = \"10s\" }";
    let after = |retries: &str| {
        let text = SERVICE.replace("KIND", "never-ready") + &client(&format!("{retries}\n{burst}"));
        let mut services = services(&text);
        two_pods(&mut services, "1.0.0");
        assert_eq!(seen(&mut services, 10, 30).1, 0);
        seen(&mut services, 90, 120)
    };
    let (answered, errors) = after("retries = 0");
    assert!(answered > 2_800 && errors == 0, "{answered} {errors}");
    // Each request is sent four times, and the pods work on those that nobody waits for any more.
    let (answered, errors) = after("retries = 3");
    assert!(errors > 2 * answered, "{answered} {errors}");
}

#[test]
fn connections_to_a_process_that_is_gone_break() {
    let text = SERVICE.replace("KIND", "never-ready") + &client("");
    let mut services = services(&text);
    two_pods(&mut services, "1.0.0");
    services.gone(Micros::from_secs(20), WEB("a"));
    // The endpoints still have it for a second: half of the requests go there.
    services.route(Micros::from_secs(21), "front", &["b".to_owned()]);
    let (_, errors) = seen(&mut services, 10, 22);
    assert!((30..80).contains(&errors), "{errors}");
}

#[test]
fn defects_are_seen_by_clients_and_the_kubelet() {
    let of = |kind: &str| {
        let text = SERVICE.replace("kind = \"KIND\"", kind) + &client("");
        let mut services = services(&text);
        two_pods(&mut services, "2.0.0");
        services
    };
    let mut failing = of("kind = \"errors\", share = 0.5");
    let (answered, errors) = seen(&mut failing, 10, 40);
    assert!(errors.abs_diff(answered) < 400, "{answered} {errors}");
    let page = |services: &mut Services| {
        let now = Micros::from_secs(40);
        let page = services.get(now, WEB("a"), "/metrics");
        page.expect("it listens").body
    };
    let text = page(&mut failing);
    assert!(
        text.contains("app_build_info{version=\"2.0.0\"} 1"),
        "{text}"
    );
    let count = |text: &str, code: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("http_requests_total{{code={code:?}}}")));
        let value = line
            .and_then(|line| line.rsplit_once(' '))
            .map(|(_, value)| value);
        value.and_then(|it| it.parse().ok()).expect("it is exposed")
    };
    assert!(count(&text, "500") > 100, "{text}");

    // Clients notice wrong answers; what the pods count of them is 200.
    let mut wrong = of("kind = \"wrong-answers\", share = 0.5");
    assert!(seen(&mut wrong, 10, 40).1 > 1_000);
    assert_eq!(count(&page(&mut wrong), "500"), 0);

    let mut never = of("kind = \"never-ready\"");
    let ready = never.get(Micros::from_secs(9), WEB("a"), "/health");
    assert_eq!(ready.map(|it| it.status), Some(503));

    let mut broken = of("kind = \"bad-configuration\"");
    let outcome = broken.start(Micros::ZERO, &container("front", "c", "2.0.0"));
    assert!(
        matches!(outcome, StartOutcome::Exits { code: 1, .. }),
        "{outcome:?}"
    );
    let lines = broken.logs(Micros::ZERO, WEB("c"), Micros::ZERO, false);
    assert!(lines[1].text.contains("error cannot start"));
}

#[test]
fn a_call_that_is_not_answered_in_time_fails_the_request_unless_it_is_optional() {
    let with = |more: &str| {
        let calls =
            format!("queue = 200\ncalls = [{{ service = \"stock\", timeout = \"20ms\"{more} }}]");
        let text = SERVICE
            .replace("queue = 200", &calls)
            .replace("KIND", "never-ready")
            + &client("");
        let text = text + "[service.stock]\nrequest = { median = \"50ms\" }\n";
        let mut services = services(&text);
        two_pods(&mut services, "1.0.0");
        services.start(Micros::ZERO, &container("stock", "s", "1.0.0"));
        services.route(Micros::from_secs(9), "stock", &["s".to_owned()]);
        seen(&mut services, 10, 40)
    };
    assert_eq!(with("").0, 0, "no request succeeds");
    assert_eq!(with(", optional = true").1, 0, "none fails");
}

#[test]
fn what_is_not_there_at_the_start_keeps_a_process_from_serving() {
    let needs = "queue = 200\nneeds = { env = [\"CURRENCY\"], services = [\"stock\"] }";
    let text = SERVICE
        .replace("queue = 200", needs)
        .replace("KIND", "never-ready")
        + &client("");
    let mut services = services(&text);
    let mut start = container("front", "a", "1.0.0");
    assert!(matches!(
        services.start(Micros::ZERO, &start),
        StartOutcome::Exits { .. }
    ));
    start.env.insert("CURRENCY".to_owned(), "EUR".to_owned());
    start.uid = "b".to_owned();
    assert_eq!(services.start(Micros::ZERO, &start), StartOutcome::Running);
    let mut status = |at| {
        services
            .get(Micros::from_secs(at), WEB("b"), "/health")
            .map(|it| it.status)
    };
    assert_eq!(status(1), None, "nothing listens yet");
    assert_eq!(status(5), Some(503), "no stock");
    services.start(Micros::ZERO, &container("stock", "s", "1.0.0"));
    services.route(Micros::from_secs(9), "stock", &["s".to_owned()]);
    let ready = services.get(Micros::from_secs(9), WEB("b"), "/health");
    assert_eq!(ready.map(|it| it.status), Some(200));
}
