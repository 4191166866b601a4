//! Proof that faults bite executors, too: one that lacks what is there for a fault fails under it, by the oracle that is there
//! for it, or is refused. Each is the sound executor with one of its ports bent.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use e2e::drills::{assert_fails_by, assert_passes, plan, run};
use executor::clock::Clock;
use executor::ports::{HttpClient, HttpError, Ports};
use firedrill::drill::{DrillResult, run_refitted};
use firedrill::verdict::Verdict;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use jiff::{SignedDuration, Timestamp};
use sim::world::{ConnectionCut, World};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

const NAMESPACE: &str = "dex-production";

/// Passes by the built-in runbook with the sound executor, so that a failure is the bent port's.
fn sound(scenario: &str, seed: u64) {
    assert_passes(&run(&plan(scenario, seed)));
}

fn refitted(
    scenario: &str,
    seed: u64,
    refit: &(dyn Fn(&World, Ports) -> Ports + Sync + 'static),
) -> DrillResult {
    run_refitted(&plan(scenario, seed), refit).expect("the world builds")
}

// --- the API server ----------------------------------------------------------------------------

type Body = UnsyncBoxBody<Bytes, ConnectionCut>;

/// Ports whose API server's whole answers, not its watches, are seen as `edit` has them.
fn kube_edited(
    world: &World,
    ports: Ports,
    edit: fn(&str, Response<Bytes>) -> Response<Bytes>,
) -> Ports {
    let inner = world.kube("executor");
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let (inner, uri) = (inner.clone(), request.uri().to_string());
        async move {
            let (parts, body) = inner.oneshot(request).await?.into_parts();
            if uri.contains("watch=true") {
                let body: Body = body.boxed_unsync();
                return Ok::<_, ConnectionCut>(Response::from_parts(parts, body));
            }
            let whole = body.collect().await?.to_bytes();
            let (parts, bytes) = edit(&uri, Response::from_parts(parts, whole)).into_parts();
            let body: Body = Full::new(bytes)
                .map_err(|never| match never {})
                .boxed_unsync();
            Ok(Response::from_parts(parts, body))
        }
    });
    Ports {
        kube: kube::Client::new(service, NAMESPACE),
        ..ports
    }
}

/// Pods that are on their way out are left out of every list.
fn only_live_pods(uri: &str, answer: Response<Bytes>) -> Response<Bytes> {
    let path = uri.split('?').next().unwrap_or(uri);
    if !path.ends_with("/pods") {
        return answer;
    }
    let Ok(mut list) = serde_json::from_slice::<serde_json::Value>(answer.body()) else {
        return answer;
    };
    if let Some(items) = list["items"].as_array_mut() {
        items.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    }
    answer.map(|_| Bytes::from(list.to_string()))
}

#[test]
fn who_does_not_wait_for_the_old_pods_claims_recovery_too_early() {
    for seed in [1, 9, 16] {
        sound("terminating-slow", seed);
        let result = refitted("terminating-slow", seed, &|world, ports| {
            kube_edited(world, ports, only_live_pods)
        });
        assert_fails_by(&result, "claim");
    }
}

/// A server that knows nobody's rights yet is taken at its word.
fn refused_for_good(_: &str, mut answer: Response<Bytes>) -> Response<Bytes> {
    if matches!(answer.status().as_u16(), 401 | 403) {
        let text = String::from_utf8_lossy(answer.body());
        let text = text.replace("401", "422").replace("403", "422");
        *answer.status_mut() = http::StatusCode::UNPROCESSABLE_ENTITY;
        return answer.map(|_| Bytes::from(text));
    }
    answer
}

#[test]
fn who_takes_a_starting_servers_refusal_for_an_answer_gives_up() {
    sound("api-server-restarted", 3);
    let gave_up = (0..6).filter(|seed| {
        let result = refitted("api-server-restarted", *seed, &|world, ports| {
            kube_edited(world, ports, refused_for_good)
        });
        result.verdicts.overall == Verdict::Fail
    });
    assert!(gave_up.count() >= 3);
}

// --- Prometheus --------------------------------------------------------------------------------

/// What an executor sees of Prometheus.
#[derive(Clone)]
struct Seen {
    inner: HttpClient,
    world: World,
    /// Instants in the past are asked for as if they were now.
    only_now: bool,
    /// Before that second of the drill there are no data.
    blind_until_s: u64,
}

impl Service<Request<Bytes>> for Seen {
    type Response = Response<Bytes>;
    type Error = HttpError;
    type Future = BoxFuture<'static, Result<Response<Bytes>, HttpError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Bytes>) -> Self::Future {
        let uri = request.uri().to_string();
        if let Some((now, _)) = uri.split_once("&time=")
            && self.only_now
        {
            *request.uri_mut() = now.parse().expect("a shorter address");
        }
        let blind = self.world.now().as_millis() < self.blind_until_s * 1_000;
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let nothing = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
            Ok(if blind {
                answer.map(|_| Bytes::from(nothing))
            } else {
                answer
            })
        })
    }
}

fn seeing(world: &World, ports: Ports, only_now: bool, blind_until_s: u64) -> Ports {
    let http = BoxCloneSyncService::new(Seen {
        inner: ports.http.clone(),
        world: world.clone(),
        only_now,
        blind_until_s,
    });
    Ports { http, ..ports }
}

#[test]
fn who_does_not_know_what_was_wrong_before_the_release_rolls_it_back_for_nothing() {
    sound("anomaly-predates", 3);
    let result = refitted("anomaly-predates", 3, &|world, ports| {
        seeing(world, ports, false, 90)
    });
    assert_fails_by(&result, "trigger");
}

#[test]
fn who_takes_a_flap_for_the_state_before_the_release_is_disarmed_by_it() {
    sound("alarm-at-baseline", 3);
    let result = refitted("alarm-at-baseline", 3, &|world, ports| {
        seeing(world, ports, true, 0)
    });
    assert_fails_by(&result, "trigger");
}

// --- the lease ---------------------------------------------------------------------------------

/// The clock of a host that does not notice that it stood still: it never sees more than [`MOST`] pass at once.
struct Stopped {
    inner: Arc<dyn Clock>,
    /// When it was last looked at, in truth, and by how much it is late.
    last: Mutex<(Timestamp, SignedDuration)>,
    lost_ms: Arc<AtomicU64>,
}

/// Longer than the executor ever goes without a look at its clock; much shorter than a lease.
const MOST: SignedDuration = SignedDuration::from_secs(8);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        let now = self.inner.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let beyond = now.duration_since(last.0) - MOST;
        if beyond.is_positive() {
            last.1 += beyond;
            let lost = u64::try_from(last.1.as_millis()).unwrap_or(0);
            self.lost_ms.store(lost, Ordering::Relaxed);
        }
        last.0 = now;
        now - last.1
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.inner.sleep(duration)
    }
}

/// Drills `scenario` with a first host that goes by such a clock; how much time it lost, in ms.
fn unaware(scenario: &str, seed: u64) -> (DrillResult, u64) {
    let (hosts, lost) = (AtomicUsize::new(0), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&lost);
    let result = refitted(scenario, seed, &move |world, ports| {
        if hosts.fetch_add(1, Ordering::Relaxed) > 0 {
            return ports;
        }
        let inner = Arc::clone(&ports.clock);
        let last = Mutex::new((inner.now(), SignedDuration::ZERO));
        assert_eq!(world.now().as_millis(), 60_000, "the first host prepares");
        let clock = Arc::new(Stopped {
            inner,
            last,
            lost_ms: Arc::clone(&counted),
        });
        Ports { clock, ..ports }
    });
    (result, lost.load(Ordering::Relaxed))
}

#[test]
fn a_host_that_does_not_know_that_its_lease_ran_out_is_refused() {
    for scenario in ["executor-paused", "executor-paused-restoring"] {
        for seed in 0..4 {
            let (result, lost_ms) = unaware(scenario, seed);
            assert!(lost_ms > 20_000, "{scenario}: it lost {lost_ms} ms");
            // It learned from the journal, the lease or the ledger's fence that another has taken over.
            let told = result.timeline.iter().map(|entry| entry.what.as_str());
            let refusals: Vec<&str> = told
                .filter(|what| what.contains("another executor"))
                .collect();
            assert!(
                !refusals.is_empty(),
                "{scenario} {seed}: {:#?}",
                result.timeline
            );
            let by_its_own_clock = |what: &&&str| what.contains("this host's lease ran out");
            assert_eq!(refusals.iter().find(by_its_own_clock), None, "{refusals:?}");
            assert_passes(&result);
        }
    }
}
