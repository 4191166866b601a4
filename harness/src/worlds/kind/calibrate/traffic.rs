//! How changes reach traffic: EndpointSlice to kube-proxy, ConfigMap to the gateways.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use dex::release::Service;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service as KubeService};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};
use sim::measured::{Sampled, Traffic};
use tokio::net::TcpStream;

use super::{Stage, now_us, sampled};
use crate::worlds::common::manifests::{NAMESPACE, PART_OF, TRADING, port, selector};
use crate::worlds::kind::clock::{sleep, within};
use crate::worlds::kind::docker;

/// Name of the Service that is only there to be measured.
const PROBE: &str = "calibration";
/// Longer than kube-proxy's shortest pause between two runs.
const IDLE: Duration = Duration::from_millis(1_500);
/// Between two attempts to connect.
const KNOCK: Duration = Duration::from_millis(3);
/// Changes of the slice; twice as many of the halt flag make a tenth of a minute each.
const CHANGES: u32 = 15;
const FLAGS: u32 = 8;
/// A changed flag reaches every gateway within this, in looks half a second apart.
const LOOKS: u32 = 60;

fn failed(what: &str) -> impl Fn(kube::Error) -> String + '_ {
    move |error| format!("{what}: {}", executor::in_words(&error))
}

/// Everything about traffic, and from a ConfigMap's write to the gateway that acts upon it; `endpoints` is what
/// rollouts have shown.
pub(super) async fn measure(
    stage: &Stage<'_>,
    endpoints: (Sampled, Sampled),
) -> Result<(Traffic, Sampled), String> {
    (stage.say)("endpoints to connections");
    let (added, removed) = routes(stage).await?;
    (stage.say)("the halt flag to the gateways");
    let config = flags(stage).await?;
    let traffic = Traffic {
        endpoint_added: endpoints.0,
        endpoint_removed: endpoints.1,
        route_added: sampled("route added", &added)?,
        route_removed: sampled("route removed", &removed)?,
    };
    Ok((traffic, sampled("configuration", &config)?))
}

/// A gateway's address, and the port of the node that leads to it once the slice says so.
async fn routes(stage: &Stage<'_>) -> Result<(Vec<u64>, Vec<u64>), String> {
    let pods = Api::<Pod>::namespaced(stage.admin.clone(), NAMESPACE);
    let gateways = pods
        .list(&ListParams::default().labels(&selector(Service::Gateway)))
        .await
        .map_err(failed("list pods"))?;
    let address = gateways
        .items
        .iter()
        .find_map(|pod| pod.status.as_ref()?.pod_ip.clone())
        .ok_or("no gateway has an address")?;
    let target = port(Service::Gateway);
    let services = Api::<KubeService>::namespaced(stage.admin.clone(), NAMESPACE);
    let service: KubeService = from(json!({
        "metadata": {"name": PROBE, "labels": {(PART_OF.0): PART_OF.1}},
        "spec": {"type": "NodePort", "ports": [{"name": "http", "port": target, "targetPort": target}]},
    }))?;
    let service = services
        .create(&PostParams::default(), &service)
        .await
        .map_err(failed("create the Service"))?;
    let port = json!(service.spec)["ports"][0]["nodePort"].as_u64();
    let port = port.and_then(|port| u16::try_from(port).ok());
    let node: Ipv4Addr = docker::address_of(&stage.place.node, &stage.place.network)?;
    let door = SocketAddr::from((node, port.ok_or("the Service has no port")?));
    let slices = Api::<EndpointSlice>::namespaced(stage.admin.clone(), NAMESPACE);
    // It goes with the Service.
    let slice: EndpointSlice = from(json!({
        "metadata": {
            "name": PROBE,
            "labels": {"kubernetes.io/service-name": PROBE},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": PROBE,
                "uid": service.meta().uid}],
        },
        "addressType": "IPv4",
        "endpoints": [],
        "ports": [{"name": "http", "port": target, "protocol": "TCP"}],
    }))?;
    slices
        .create(&PostParams::default(), &slice)
        .await
        .map_err(failed("create the EndpointSlice"))?;
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for _ in 0..CHANGES {
        for (open, samples) in [(true, &mut added), (false, &mut removed)] {
            sleep(IDLE).await;
            let endpoints = if open {
                json!([{"addresses": [address], "conditions": {"ready": true}}])
            } else {
                json!([])
            };
            let change = Patch::Merge(json!({"endpoints": endpoints}));
            let begun = now_us();
            slices
                .patch(PROBE, &PatchParams::default(), &change)
                .await
                .map_err(failed("change the EndpointSlice"))?;
            let written = begun + (now_us() - begun) / 2;
            samples.push(until(door, open).await?.saturating_sub(written));
        }
    }
    services
        .delete(PROBE, &kube::api::DeleteParams::default())
        .await
        .map_err(failed("delete the Service"))?;
    Ok((added, removed))
}

fn from<K: serde::de::DeserializeOwned>(object: Value) -> Result<K, String> {
    serde_json::from_value(object).map_err(|error| error.to_string())
}

/// When connections go through, or no longer do.
async fn until(door: SocketAddr, open: bool) -> Result<u64, String> {
    let begun = now_us();
    loop {
        let connected = within(Duration::from_millis(100), TcpStream::connect(door)).await;
        let at = now_us();
        if connected.is_some_and(|connected| connected.is_ok()) == open {
            return Ok(at);
        }
        if at - begun > 30_000_000 {
            return Err(format!("{door} does not follow its EndpointSlice"));
        }
        sleep(KNOCK).await;
    }
}

/// From the halt flag's write to each gateway's line about it. Who writes makes no difference;
/// the executor would need to read it first.
async fn flags(stage: &Stage<'_>) -> Result<Vec<u64>, String> {
    let maps = Api::<ConfigMap>::namespaced(stage.admin.clone(), NAMESPACE);
    let pods = Api::<Pod>::namespaced(stage.admin.clone(), NAMESPACE);
    let mut out = Vec::new();
    for n in 0..FLAGS {
        // Not in step with the kubelet.
        sleep(Duration::from_millis(u64::from(n) * 791)).await;
        let (mode, line) = if n % 2 == 0 {
            ("maintenance", "trading is halted")
        } else {
            ("open", "trading is open")
        };
        let change = Patch::Merge(json!({"data": {"mode": mode}}));
        let begun = now_us();
        maps.patch(TRADING, &PatchParams::default(), &change)
            .await
            .map_err(failed("patch"))?;
        let written = begun + (now_us() - begun) / 2;
        let list = pods
            .list(&ListParams::default().labels(&selector(Service::Gateway)))
            .await
            .map_err(failed("list pods"))?;
        for pod in &list.items {
            let at = line_after(&pods, &pod.name_any(), line, written).await?;
            out.push(at - written);
        }
    }
    Ok(out)
}

/// When a pod first wrote `text` after `from`.
pub(super) async fn line_after(
    pods: &Api<Pod>,
    pod: &str,
    text: &str,
    from: u64,
) -> Result<u64, String> {
    let params = LogParams {
        timestamps: true,
        since_seconds: Some(40),
        ..LogParams::default()
    };
    for _ in 0..LOOKS {
        let lines = pods.logs(pod, &params).await.map_err(failed("logs"))?;
        let found = lines
            .lines()
            .filter_map(super::pods::stamped)
            .find(|(at, line)| *at > from && line.contains(text));
        if let Some((at, _)) = found {
            return Ok(at);
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err(format!("{pod} never wrote `{text}`"))
}
