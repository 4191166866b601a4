//! The API server by verb, with the executor's rights; and Prometheus.

use std::time::Duration;

use bytes::Bytes;
use dex::release::Service;
use executor::live::http_client;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};
use sim::measured::{Api as Record, Monitoring, Sampled};
use tower::ServiceExt as _;

use super::{Stage, now_us, sampled};
use crate::worlds::common::manifests::{NAMESPACE, PART_OF, TRADING, selector};
use crate::worlds::kind::clock::{sleep, within};

/// Requests of each kind.
const REQUESTS: usize = 100;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(20);
/// Longer than the API server waits before it asks the store again how far it has come (`progressRequestPeriod`,
/// 100 ms).
const IDLE: Duration = Duration::from_millis(120);

fn failed(what: &str) -> impl Fn(kube::Error) -> String + '_ {
    move |error| format!("{what}: {}", executor::in_words(&error))
}

/// The API server.
pub(super) async fn measure(stage: &Stage<'_>) -> Result<Record, String> {
    (stage.say)("requests to the API server");
    let maps = Api::<ConfigMap>::namespaced(stage.executor.clone(), NAMESPACE);
    let leases = Api::<Lease>::namespaced(stage.executor.clone(), NAMESPACE);
    let (mut get, mut patch, mut put, mut post, mut lease, mut watch) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let created: Lease = serde_json::from_value(json!({
        "metadata": {"name": "rollback"}, "spec": {"holderIdentity": ""}
    }))
    .map_err(|error| error.to_string())?;
    leases
        .create(&PostParams::default(), &created)
        .await
        .map_err(failed("create the lease"))?;
    // Whoever follows it is another client, as a controller is.
    let followed = Api::<ConfigMap>::namespaced(stage.admin.clone(), NAMESPACE);
    let first = followed.get(TRADING).await.map_err(failed("get"))?;
    let params = WatchParams::default().fields(&format!("metadata.name={TRADING}"));
    let version = first.resource_version().unwrap_or_default();
    let mut changes = Box::pin(
        followed
            .watch(&params, &version)
            .await
            .map_err(failed("watch"))?,
    );
    for n in 0..REQUESTS {
        let begun = now_us();
        let mut map = maps.get(TRADING).await.map_err(failed("get"))?;
        get.push(now_us() - begun);

        let change = json!({"metadata": {"annotations": {"firedrill/calibration": n.to_string()}}});
        let begun = now_us();
        // The executor may patch its journal only, which nobody here has begun.
        followed
            .patch(TRADING, &PatchParams::default(), &Patch::Merge(&change))
            .await
            .map_err(failed("patch"))?;
        let took = now_us() - begun;
        patch.push(took);
        let heard = within(Duration::from_secs(5), changed(&mut changes)).await;
        let heard = heard
            .flatten()
            .ok_or("the watch heard nothing of a write")?;
        watch.push(heard.saturating_sub(begun + took / 2));

        map.meta_mut().resource_version = None;
        let begun = now_us();
        maps.replace(TRADING, &PostParams::default(), &map)
            .await
            .map_err(failed("put"))?;
        put.push(now_us() - begun);
        let heard = within(Duration::from_secs(5), changed(&mut changes)).await;
        heard
            .flatten()
            .ok_or("the watch heard nothing of a write")?;

        let object: ConfigMap = serde_json::from_value(json!({
            "metadata": {
                "name": format!("calibration-{n}"),
                "labels": {(PART_OF.0): PART_OF.1},
            },
            "data": {"n": n.to_string()},
        }))
        .map_err(|error| error.to_string())?;
        let begun = now_us();
        maps.create(&PostParams::default(), &object)
            .await
            .map_err(failed("post"))?;
        post.push(now_us() - begun);

        let begun = now_us();
        let held = leases.get("rollback").await.map_err(failed("lease"))?;
        leases
            .replace("rollback", &PostParams::default(), &held)
            .await
            .map_err(failed("lease"))?;
        lease.push(now_us() - begun);
        sleep(PAUSE).await;
    }
    let Lists {
        list,
        notice,
        progress,
    } = lists(stage).await?;
    Ok(Record {
        get: sampled("get", &get)?,
        list,
        notice,
        progress,
        patch: sampled("patch", &patch)?,
        put: sampled("put", &put)?,
        post: sampled("post", &post)?,
        lease: sampled("lease", &lease)?,
        watch: sampled("watch", &watch)?,
    })
}

/// What a LIST takes.
struct Lists {
    list: Sampled,
    notice: Sampled,
    progress: Sampled,
}

/// LISTs of one kind, with writes of another between them or without: the watch cache is then behind, and the API
/// server asks the store how far it has come, at once or as soon as its last question is a period old.
async fn lists(stage: &Stage<'_>) -> Result<Lists, String> {
    (stage.say)("lists");
    let sets = Api::<ReplicaSet>::namespaced(stage.executor.clone(), NAMESPACE);
    let maps = Api::<ConfigMap>::namespaced(stage.admin.clone(), NAMESPACE);
    let gateways = ListParams::default().labels(&selector(Service::Gateway));
    let listed = async || {
        let begun = now_us();
        sets.list(&gateways).await.map_err(failed("list"))?;
        let done = now_us();
        Ok::<_, String>((done - begun, done))
    };
    let written = async |n: String| {
        let change = json!({"metadata": {"annotations": {"firedrill/calibration": n}}});
        maps.patch(TRADING, &PatchParams::default(), &Patch::Merge(&change))
            .await
            .map_err(failed("patch"))
    };
    let (mut fresh, mut behind, mut progress) = (vec![], vec![], vec![]);
    for n in 0..REQUESTS {
        sleep(IDLE).await;
        // What the control plane writes meanwhile makes some of them ask, which they may at once.
        fresh.push(listed().await?.0);

        sleep(IDLE).await;
        written(format!("list-{n}")).await?;
        let (took, answered) = listed().await?;
        behind.push(took);

        written(format!("again-{n}")).await?;
        progress.push(listed().await?.1 - answered);
    }
    let list = sampled("list", &fresh)?;
    let usual = list.distribution.median();
    let notice: Vec<u64> = behind.iter().map(|us| us.saturating_sub(usual)).collect();
    Ok(Lists {
        list,
        notice: sampled("notice", &notice)?,
        progress: sampled("progress", &progress)?,
    })
}

/// When the next change was heard of; `None` if the watch has ended.
async fn changed<S>(changes: &mut S) -> Option<u64>
where
    S: futures::Stream<Item = kube::Result<WatchEvent<ConfigMap>>> + Unpin,
{
    loop {
        if let WatchEvent::Modified(_) = changes.next().await?.ok()? {
            return Some(now_us());
        }
    }
}

/// Prometheus.
pub(super) async fn monitoring(stage: &Stage<'_>) -> Result<Monitoring, String> {
    (stage.say)("queries to Prometheus");
    // As the runbook's last check asks, over a minute.
    let requests = |more: &str| {
        format!("sum(increase(dex_requests_total{{namespace=\"{NAMESPACE}\"{more}}}[60s]))")
    };
    let rate = format!("{}/{}", requests(",code=~\"5..\""), requests(""));
    let age = format!("time()-timestamp(up{{namespace=\"{NAMESPACE}\"}})");
    let (mut query, mut ages) = (Vec::new(), Vec::new());
    for _ in 0..REQUESTS {
        let begun = now_us();
        ask(stage, &rate).await?;
        query.push(now_us() - begun);
        for age in ask(stage, &age).await? {
            ages.push(age);
        }
        // Not in step with the scrapes.
        sleep(Duration::from_millis(137)).await;
    }
    Ok(Monitoring {
        query: sampled("query", &query)?,
        scrape_age: sampled("scrape age", &ages)?,
    })
}

/// The values of an instant query, times a million.
async fn ask(stage: &Stage<'_>, query: &str) -> Result<Vec<u64>, String> {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let uri = format!(
        "{}/api/v1/query?query={encoded}",
        stage.place.prometheus.trim_end_matches('/')
    );
    let request = http::Request::get(uri)
        .body(Bytes::new())
        .map_err(|error| error.to_string())?;
    let client = http_client().map_err(|error| error.to_string())?;
    let answer = client
        .oneshot(request)
        .await
        .map_err(|error| format!("Prometheus: {error}"))?;
    let body: Value =
        serde_json::from_slice(answer.body()).map_err(|error| format!("Prometheus: {error}"))?;
    let result = body["data"]["result"].as_array();
    let result = result.ok_or_else(|| format!("Prometheus: {body}"))?;
    Ok(result
        .iter()
        .filter_map(|series| series["value"][1].as_str()?.parse::<f64>().ok())
        .map(micros)
        .collect())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an age in seconds, for a record; it saturates"
)]
fn micros(seconds: f64) -> u64 {
    (seconds * 1_000_000.0) as u64
}
