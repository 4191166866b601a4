//! Proof that faults bite executors, too: one that lacks what is there for a fault fails under it, by the oracle that is there
//! for it, or is refused. Each is the sound executor with one of its ports bent.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use e2e::api_server::{Body, NAMESPACE, kube_edited};
use e2e::decorated::{Decorated, Decorator};
use e2e::drills::{assert_fails_by, assert_passes, edited, failed, plan, run};
use executor::clock::Clock;
use executor::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, HttpClient, HttpError, Ports, ReplayReport,
    RestoreReport, UndoScript,
};
use firedrill::drill::{DrillResult, run_refitted};
use firedrill::finding::{Finding, OracleName};
use firedrill::scenario::Anchor;
use firedrill::verdict::Verdict;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use jiff::{SignedDuration, Timestamp};
use sim::world::ConnectionCut;
use sim_exchange::World;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

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
    // Whether clients still meet an old pod when it is claimed is up to the seed.
    let caught = (0..20).filter(|&seed| {
        sound("terminating-slow", seed);
        let result = refitted("terminating-slow", seed, &|world, ports| {
            kube_edited(world, ports, only_live_pods)
        });
        let early = |f: &Finding| f.oracle() == OracleName::Claim && f.is_harm();
        result.findings.iter().any(early)
    });
    let caught = caught.count();
    assert!(caught >= 2, "{caught} of 20");
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
    unaware_and(scenario, seed, |_, ports| ports)
}

/// The same, with that host's ports bent further.
fn unaware_and(scenario: &str, seed: u64, bend: fn(&World, Ports) -> Ports) -> (DrillResult, u64) {
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
        bend(world, Ports { clock, ..ports })
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

// --- two layers at once ------------------------------------------------------------------------
//
// Lease, the holder's own clock, the journal's precondition and the fence stand behind one another, so that with one of them broken
// nothing comes to harm. What each is there for shows where the others are gone: somebody writes who must not, and the oracle of the
// writers says who.

/// What becomes of a request to the API server.
enum Passes {
    /// It goes on, perhaps changed.
    On(Request<Bytes>),
    /// It is answered in the server's place.
    Answered(Response<Bytes>),
}

/// Ports of the host `origin` whose requests to the API server are what `edit` makes of them. If it is `blind`, a lease that
/// another host has taken meanwhile looks to it as if it had renewed its own.
fn kube_bent(
    world: &World,
    ports: Ports,
    origin: &str,
    blind: bool,
    edit: fn(Request<Bytes>) -> Passes,
) -> Ports {
    let inner = world.kube(origin);
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let inner = inner.clone();
        async move {
            let (parts, body) = request.into_parts();
            let whole = body.collect().await.expect("a whole body").to_bytes();
            match edit(Request::from_parts(parts, whole)) {
                Passes::On(request) => {
                    let renewal = blind && request.uri().path().contains("/leases/");
                    let sent = request.body().clone();
                    let request = request.map(Full::new);
                    let (parts, body) = inner.oneshot(request).await?.into_parts();
                    if renewal && parts.status == http::StatusCode::CONFLICT {
                        return Ok::<_, ConnectionCut>(in_full(answered(sent)));
                    }
                    let body: Body = body.boxed_unsync();
                    Ok(Response::from_parts(parts, body))
                }
                Passes::Answered(answer) => Ok(in_full(answer)),
            }
        }
    });
    Ports {
        kube: kube::Client::new(service, NAMESPACE),
        ..ports
    }
}

fn in_full(answer: Response<Bytes>) -> Response<Body> {
    answer.map(|bytes| {
        Full::new(bytes)
            .map_err(|never| match never {})
            .boxed_unsync()
    })
}

/// The server's answer that it has stored what was sent.
fn answered(stored: Bytes) -> Response<Bytes> {
    let answer = Response::builder().header("content-type", "application/json");
    answer.body(stored).expect("valid")
}

fn json(bytes: &Bytes) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn without_version(bytes: &Bytes) -> Bytes {
    let mut object = json(bytes);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    Bytes::from(object.to_string())
}

const JOURNAL: &str = "/configmaps/rollback-journal";

/// Entries of the journal are appended whatever stands in it.
fn no_precondition(request: Request<Bytes>) -> Passes {
    let journal = request.uri().path().ends_with(JOURNAL);
    Passes::On(if journal && request.method() != http::Method::GET {
        request.map(|bytes| without_version(&bytes))
    } else {
        request
    })
}

fn unconditional_journal(world: &World, ports: Ports) -> Ports {
    kube_bent(world, ports, "executor", true, no_precondition)
}

#[test]
fn a_host_that_knows_neither_of_its_leases_end_nor_of_the_journals_writes_and_is_seen() {
    let seen = (0..4).filter(|seed| {
        let (result, lost_ms) = unaware_and("executor-paused", *seed, unconditional_journal);
        assert!(lost_ms > 20_000, "it lost {lost_ms} ms");
        let stale = failed(&result).contains(&"writers");
        if stale {
            assert_fails_by(&result, "writers");
        }
        stale
    });
    assert!(seen.count() >= 2);
}

/// A ledger whose fence lets every token pass: this host's are above all others.
struct Unfenced(Arc<dyn Database>);

const ABOVE: u64 = 1 << 40;

#[async_trait::async_trait]
impl Decorator for Unfenced {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError> {
        self.0.fence(token + ABOVE).await
    }
    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        let token = self.0.fence_token().await?;
        Ok(token.map(|token| token % ABOVE))
    }
    async fn token_max(&self) -> Result<u64, DatabaseError> {
        Ok(self.0.token_max().await? % ABOVE)
    }
    async fn unfence(&self, token: u64) -> Result<(), DatabaseError> {
        self.0.unfence(token + ABOVE).await
    }
    async fn undo(
        &self,
        script: &UndoScript,
        lock_timeout: Duration,
        token: u64,
    ) -> Result<(), DatabaseError> {
        self.0.undo(script, lock_timeout, token + ABOVE).await
    }
    async fn restore(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        self.0.restore(snapshot, set_aside, token + ABOVE).await
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError> {
        self.0.replay(set_aside, token + ABOVE).await
    }
}

#[test]
fn tokens_that_are_not_the_leases_are_seen_though_the_fence_lets_them_pass() {
    for seed in 0..2 {
        sound("balance-anomaly", seed);
        let result = refitted("balance-anomaly", seed, &|_, ports| Ports {
            database: Arc::new(Decorated(Unfenced(Arc::clone(&ports.database)))),
            ..ports
        });
        assert_fails_by(&result, "writers");
    }
}

/// A lease that everybody gets, and a journal that nobody else has begun.
fn alone_in_the_world(request: Request<Bytes>) -> Passes {
    let path = request.uri().path().to_owned();
    let get = request.method() == http::Method::GET;
    let missing = || {
        let status = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
        });
        let answer = Response::builder().status(404);
        let answer = answer.header("content-type", "application/json");
        Passes::Answered(answer.body(Bytes::from(status.to_string())).expect("valid"))
    };
    if path.contains("/leases") {
        if get {
            return missing();
        }
        let mut lease = json(request.body());
        lease["metadata"]["resourceVersion"] = "1".into();
        return Passes::Answered(answered(Bytes::from(lease.to_string())));
    }
    if path.ends_with(JOURNAL) && get {
        return missing();
    }
    // The journal is begun by a POST, which would find the other's.
    if path.ends_with("/configmaps")
        && json(request.body())["metadata"]["name"] == "rollback-journal"
    {
        let (mut parts, body) = request.into_parts();
        parts.method = http::Method::PUT;
        let options = parts.uri.query().unwrap_or_default();
        let uri = format!("{path}/rollback-journal?{options}");
        parts.uri = uri.parse().expect("a longer path");
        return Passes::On(Request::from_parts(parts, without_version(&body)));
    }
    no_precondition(request)
}

#[test]
fn two_hosts_that_both_act_fail_by_who_wrote_and_not_for_want_of_a_fault() {
    for seed in 0..3 {
        // While the first host saves the logs, so that there is everything to do yet.
        let early = edited(plan("second-executor", seed), |scenario| {
            scenario.faults[0].when = Anchor::Step("dump-logs".to_owned());
            scenario.faults[0].jitter = Duration::ZERO;
        });
        assert_passes(&run(&early));
        let hosts = AtomicUsize::new(0);
        let result = run_refitted(&early, &move |world: &World, ports| {
            if hosts.fetch_add(1, Ordering::Relaxed) == 0 {
                return ports;
            }
            kube_bent(world, ports, "executor-other-1", false, alone_in_the_world)
        });
        let result = result.expect("the world builds");
        assert_fails_by(&result, "writers");
    }
}

// --- a database port that does something else than it says ----------------------------------------

/// What such a port does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bend {
    /// The newest order is replayed twice.
    ReplaysTwice,
    /// Versions are compared as text, so that 1.10 is older than 1.9.
    VersionsAsText,
    /// Of two migrations one is undone, and the other is said to be.
    UndoesOne,
    /// The newest snapshot is restored, which was taken of the bad release's ledger.
    NewestSnapshot,
}

struct Bent {
    inner: Arc<dyn Database>,
    world: World,
    bend: Bend,
    undone: Mutex<Vec<String>>,
}

const NEWEST: &str = "newest";

impl Bent {
    /// Versions that the port does not show.
    fn hidden(&self, version: &str) -> bool {
        let undone = self.undone.lock().unwrap_or_else(PoisonError::into_inner);
        (self.bend == Bend::VersionsAsText && version == "1.10")
            || (self.bend == Bend::UndoesOne && undone.iter().any(|it| it == version))
    }
}

#[async_trait::async_trait]
impl Decorator for Bent {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        let mut rows = self.inner.history().await?;
        rows.retain(|row| !row.version.as_deref().is_some_and(|it| self.hidden(it)));
        Ok(rows)
    }
    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError> {
        if self.bend == Bend::NewestSnapshot {
            self.inner.snapshot(NEWEST).await?;
        }
        self.inner.fence(token).await
    }
    async fn undo(
        &self,
        script: &UndoScript,
        lock_timeout: Duration,
        token: u64,
    ) -> Result<(), DatabaseError> {
        let first = {
            let mut undone = self.undone.lock().unwrap_or_else(PoisonError::into_inner);
            undone.push(script.version.clone());
            undone.len() == 1
        };
        if first || self.bend != Bend::UndoesOne {
            return self.inner.undo(script, lock_timeout, token).await;
        }
        Ok(())
    }
    async fn restore(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        let snapshot = match self.bend {
            Bend::NewestSnapshot => NEWEST,
            _ => snapshot,
        };
        self.inner.restore(snapshot, set_aside, token).await
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError> {
        let report = self.inner.replay(set_aside, token).await?;
        if self.bend == Bend::ReplaysTwice && report.entries > 0 {
            self.world.with(|state| {
                let now = state.now();
                assert!(state.application.log_newest_order_again(now));
            });
        }
        Ok(report)
    }
}

fn with_bent_database(scenario: &str, seed: u64, bend: Bend) -> DrillResult {
    refitted(scenario, seed, &move |world, ports| Ports {
        database: Arc::new(Decorated(Bent {
            inner: Arc::clone(&ports.database),
            world: world.clone(),
            bend,
            undone: Mutex::default(),
        })),
        ..ports
    })
}

#[test]
fn who_replays_an_order_twice_leaves_one_in_the_log_that_nobody_sent() {
    for seed in 0..3 {
        sound("balance-anomaly", seed);
        let result = with_bent_database("balance-anomaly", seed, Bend::ReplaysTwice);
        assert_fails_by(&result, "phantoms");
    }
}

#[test]
fn who_compares_versions_as_text_leaves_a_migration_that_the_prior_release_can_not_read() {
    sound("nine-to-ten", 1);
    let result = with_bent_database("nine-to-ten", 1, Bend::VersionsAsText);
    assert_fails_by(&result, "outcome");
}

#[test]
fn who_undoes_one_of_two_migrations_does_not_bring_the_exchange_back() {
    sound("two-migrations", 1);
    let result = with_bent_database("two-migrations", 1, Bend::UndoesOne);
    assert_fails_by(&result, "outcome");
    assert_fails_by(&result, "rto");
}

#[test]
fn who_restores_the_newest_snapshot_in_place_of_the_recorded_one_leaves_the_books_wrong() {
    for seed in 0..2 {
        let result = with_bent_database("balance-anomaly", seed, Bend::NewestSnapshot);
        assert_fails_by(&result, "outcome");
        assert_eq!(result.rto_claimed_ms, None);
    }
}

/// The undo of a Deployment keeps the bad release's annotations and drops those of the prior one.
fn without_annotations(request: Request<Bytes>) -> Passes {
    let undo =
        request.method() == http::Method::PATCH && request.uri().path().contains("/deployments/");
    Passes::On(if undo {
        request.map(|bytes| {
            let mut patch = json(&bytes);
            for change in patch.as_array_mut().into_iter().flatten() {
                if change["path"] == "/spec/template" {
                    let kept = serde_json::json!({ "checksum/config": "5d41402a" });
                    change["value"]["metadata"]["annotations"] = kept;
                }
            }
            Bytes::from(patch.to_string())
        })
    } else {
        request
    })
}

#[test]
fn who_leaves_the_annotations_of_the_bad_release_is_seen() {
    sound("bad-configuration", 1);
    let result = refitted("bad-configuration", 1, &|world, ports| {
        kube_bent(world, ports, "executor", false, without_annotations)
    });
    assert_fails_by(&result, "outcome");
}
