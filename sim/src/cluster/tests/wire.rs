//! `kube::Client` against the cluster: the wire format is right.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use crate::cluster::json::json;
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{
    Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::client::Body;

use super::lab::{Lab, NS, apps, deployment};
use crate::cluster::{ApiRequest, ApiResponse, Kind, WatchFrame};

type BoxBody = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

/// A client whose requests the lab answers; a watch's stream holds what is there when it is opened.
fn client(lab: &Arc<Mutex<Lab>>) -> kube::Client {
    let lab = Arc::clone(lab);
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let lab = Arc::clone(&lab);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let header = |n| {
                parts
                    .headers
                    .get(n)
                    .and_then(|v: &http::HeaderValue| v.to_str().ok())
                    .map(str::to_owned)
            };
            let request = ApiRequest {
                method: parts.method,
                uri: parts.uri,
                content_type: header(http::header::CONTENT_TYPE),
                accept: header(http::header::ACCEPT),
                body,
                user: "test".to_owned(),
                user_agent: None,
            };
            let mut lab = lab.lock().expect("one thread");
            let lab = &mut *lab;
            let response = lab.cluster.handle(lab.now, request, &mut lab.fake);
            let (status, body): (u16, BoxBody) = match response {
                ApiResponse::Unary { status, body, .. } => (status, Full::new(body).boxed_unsync()),
                ApiResponse::Watch(id) | ApiResponse::Log(id) => {
                    let lines: Vec<_> = lab
                        .cluster
                        .take_watch_frames()
                        .into_iter()
                        .filter(|(i, _)| *i == id)
                        .filter_map(|(_, f)| match f {
                            WatchFrame::Data(line) => Some(Ok(http_body::Frame::data(line))),
                            WatchFrame::End => None,
                        })
                        .collect();
                    (
                        200,
                        StreamBody::new(futures::stream::iter(lines)).boxed_unsync(),
                    )
                }
            };
            let response = http::Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(body)?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(response)
        }
    });
    kube::Client::new(service, NS)
}

fn block_on<F: Future>(f: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(f)
}

#[test]
fn deployments_through_the_client() {
    let mut lab = Lab::new(1);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 3, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    let lab = Arc::new(Mutex::new(lab));
    block_on(async {
        let client = client(&lab);
        let api: Api<Deployment> = Api::default_namespaced(client.clone());
        let d = api.get("gateway").await.expect("get");
        assert_eq!(d.status.and_then(|s| s.available_replicas), Some(3));
        let rv = d.metadata.resource_version.expect("a version");
        let list = api
            .list(&ListParams::default().labels("app=gateway"))
            .await
            .expect("list");
        assert_eq!(list.items.len(), 1);
        let operations = json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]);
        let patch =
            Patch::Json::<()>(serde_json::from_value((&operations).into()).expect("a patch"));
        let patched = api
            .patch("gateway", &PatchParams::default(), &patch)
            .await
            .expect("patch");
        assert_eq!(patched.spec.and_then(|s| s.replicas), Some(2));
        let events: Vec<_> = api
            .watch(&WatchParams::default().timeout(10), &rv)
            .await
            .expect("watch")
            .collect()
            .await;
        assert!(
            matches!(&events[..], [Ok(WatchEvent::Modified(d))] if d.spec.as_ref().and_then(|s| s.replicas) == Some(2))
        );
        let patch = Patch::Merge(json!({"spec": {"replicas": 3}}));
        let meta = api
            .patch_metadata("gateway", &PatchParams::default(), &patch)
            .await
            .expect("patch");
        let types = meta.types.expect("types");
        assert_eq!(types.kind, "PartialObjectMetadata");
        let whole = api.get("gateway").await.expect("get");
        assert_eq!(whole.spec.and_then(|s| s.replicas), Some(3));
        assert_eq!(whole.metadata, meta.metadata);
        match api.get("absent").await {
            Err(kube::Error::Api(status)) => assert!(status.is_not_found()),
            other => panic!("expected a 404, got {other:?}"),
        }
        let pods: Api<Pod> = Api::default_namespaced(client);
        let name = pods.list(&ListParams::default()).await.expect("pods").items[0]
            .metadata
            .name
            .clone()
            .expect("a name");
        assert_eq!(
            pods.logs(&name, &LogParams::default()).await.expect("logs"),
            ""
        );
        pods.delete(&name, &DeleteParams::default())
            .await
            .expect("delete");
    });
}

#[test]
fn every_bookmark_and_initial_event_decodes() {
    let mut lab = Lab::new(1);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 1, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    let lab = Arc::new(Mutex::new(lab));
    block_on(async {
        let api: Api<Deployment> = Api::default_namespaced(client(&lab));
        let events: Vec<_> = api
            .watch(&WatchParams::default(), "0")
            .await
            .expect("watch")
            .collect()
            .await;
        assert!(
            matches!(
                &events[..],
                [Ok(WatchEvent::Added(_)), Ok(WatchEvent::Bookmark(_))]
            ),
            "{events:?}"
        );
    });
}

#[test]
fn leases_and_config_maps_through_the_client() {
    let lab = Arc::new(Mutex::new(Lab::new(1)));
    block_on(async {
        let client = client(&lab);
        let leases: Api<Lease> = Api::default_namespaced(client.clone());
        let mut lease = Lease::default();
        lease.metadata.name = Some("rollback".to_owned());
        lease.spec = Some(LeaseSpec {
            holder_identity: Some("a".to_owned()),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(1),
            renew_time: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(
                crate::time::Micros(1_234_567).to_timestamp(),
            )),
            ..LeaseSpec::default()
        });
        let mut created = leases
            .create(&PostParams::default(), &lease)
            .await
            .expect("create");
        let stale = created.clone();
        if let Some(spec) = &mut created.spec {
            spec.lease_transitions = Some(2);
        }
        let replaced = leases
            .replace("rollback", &PostParams::default(), &created)
            .await
            .expect("replace");
        let spec = replaced.spec.expect("a spec");
        assert_eq!(spec.lease_transitions, Some(2));
        assert_eq!(
            spec.renew_time.map(|t| t.0),
            Some(crate::time::Micros(1_234_567).to_timestamp())
        );
        match leases
            .replace("rollback", &PostParams::default(), &stale)
            .await
        {
            Err(kube::Error::Api(status)) => assert_eq!(status.code, 409),
            other => panic!("expected a conflict, got {other:?}"),
        }
        let configs: Api<ConfigMap> = Api::default_namespaced(client);
        let apply = PatchParams::apply("test").force();
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}});
        configs
            .patch("c", &apply, &Patch::Apply(&body))
            .await
            .expect("apply");
        let merged = configs
            .patch(
                "c",
                &PatchParams::default(),
                &Patch::Merge(json!({"data": {"b": "2"}})),
            )
            .await
            .expect("merge");
        assert_eq!(merged.data.map(|d| d.len()), Some(2));
    });
    let lab = lab.lock().expect("one thread");
    assert_eq!(
        lab.cluster
            .object(Kind::Lease, NS, "rollback")
            .map(|l| l["spec"]["leaseTransitions"].clone()),
        Some(json!(2)),
        "the stale replace changed nothing"
    );
}

#[test]
fn the_client_reads_the_containers_of_a_pod_and_their_logs() {
    let mut lab = Lab::several(1);
    lab.exits("shop/migrate:1", 500, 0);
    let mut d = deployment("shop", 1, "shop/app:1");
    let spec = &mut d["spec"]["template"]["spec"];
    spec["containers"] = json!([
        {"name": "app", "image": "shop/app:1"}, {"name": "log", "image": "shop/log:1"},
    ]);
    spec["initContainers"] = json!([{"name": "migrate", "image": "shop/migrate:1"}]);
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("shop", 30);
    let lab = Arc::new(Mutex::new(lab));
    block_on(async {
        let pods: Api<Pod> = Api::default_namespaced(client(&lab));
        let pod = pods.list(&ListParams::default()).await.expect("list");
        let pod = pod.items.into_iter().next().expect("a pod");
        let name = pod.metadata.name.expect("a name");
        let status = pod.status.expect("a status");
        let ready = |all: Option<Vec<k8s_openapi::api::core::v1::ContainerStatus>>| {
            let all = all.into_iter().flatten();
            all.map(|s| (s.name, s.ready, s.restart_count))
                .collect::<Vec<_>>()
        };
        let as_new = |name: &str| (name.to_owned(), true, 0);
        assert_eq!(
            ready(status.container_statuses),
            [as_new("app"), as_new("log")]
        );
        assert_eq!(ready(status.init_container_statuses), [as_new("migrate")]);
        let of = |container: &str| LogParams {
            container: Some(container.to_owned()),
            ..LogParams::default()
        };
        let log = pods.logs(&name, &of("log")).await.expect("logs");
        assert_eq!(log, "log says hello\n");
        match pods.logs(&name, &LogParams::default()).await {
            Err(kube::Error::Api(status)) => {
                assert_eq!(status.code, 400);
                let asks = "choose one of: [migrate app log]";
                assert!(status.message.ends_with(asks), "{}", status.message);
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    });
}
