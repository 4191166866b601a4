//! A cluster with a scripted workload, and shorthands to drive it.

use std::collections::BTreeMap;

use crate::cluster::json::{Value, json};
use bytes::Bytes;

use crate::cluster::{ApiRequest, ApiResponse, Cluster, Kind, WatchFrame, WatchId};
use crate::time::Micros;
use crate::workload::{
    ContainerResponse, ContainerStart, LogLine, ProcessId, StartOutcome, Workload,
};

pub(super) const NS: &str = "dex-production";

/// How processes of an image behave.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    /// `/health` answers 200 this long after the start; never if `None`.
    pub(super) ready_after: Option<Micros>,
    pub(super) exits: Option<(Micros, i32)>,
    /// `/livez` fails from this age on.
    pub(super) hangs_after: Option<Micros>,
    pub(super) drain: Micros,
    /// A command of a preStop hook takes so long.
    pub(super) hook: Micros,
    /// A command of a probe succeeds from this age on.
    pub(super) command_after: Micros,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            ready_after: Some(Micros::from_millis(50)),
            exits: None,
            hangs_after: None,
            drain: Micros::from_millis(200),
            hook: Micros::ZERO,
            command_after: Micros::ZERO,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Fake {
    pub(super) behaviours: BTreeMap<String, Behaviour>,
    /// By the pod's UID and the container.
    pub(super) live: BTreeMap<(String, String), (Micros, ContainerStart)>,
    /// (when, what, about what): of a process its pod's UID, and from [`Lab::several`] on its container.
    pub(super) record: Vec<(Micros, &'static str, String)>,
    pub(super) routes: BTreeMap<String, Vec<String>>,
    pub(super) configs: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) lines: Vec<LogLine>,
    /// When a probe asked a process for `/health` or `/livez`.
    pub(super) asked: Vec<Micros>,
    /// CPU that each process uses, in thousandths of a core.
    pub(super) cpu_millis: Option<u64>,
    by_container: bool,
}

impl Fake {
    fn behaviour(&self, process: ProcessId<'_>) -> Behaviour {
        self.process(process)
            .and_then(|(_, c)| self.behaviours.get(&c.image))
            .cloned()
            .unwrap_or_default()
    }

    fn process(&self, process: ProcessId<'_>) -> Option<&(Micros, ContainerStart)> {
        let key = (process.uid.to_owned(), process.container.to_owned());
        self.live.get(&key)
    }

    fn note(&mut self, now: Micros, what: &'static str, process: ProcessId<'_>) {
        let about = if self.by_container {
            process.container
        } else {
            process.uid
        };
        self.record.push((now, what, about.to_owned()));
    }

    /// What happened to processes, in order: `start init`, `term app`.
    pub(super) fn story(&self) -> Vec<String> {
        let processes = self.record.iter();
        processes
            .filter(|(_, what, _)| !matches!(*what, "route" | "config"))
            .map(|(_, what, about)| format!("{what} {about}"))
            .collect()
    }

    /// When that happened for the first time.
    pub(super) fn when(&self, what: &str, about: &str) -> Option<Micros> {
        let mut all = self.record.iter();
        all.find(|r| r.1 == what && r.2 == about).map(|r| r.0)
    }
}

impl Workload for Fake {
    fn start(&mut self, now: Micros, container: &ContainerStart) -> StartOutcome {
        self.note(now, "start", container.process());
        let key = (container.uid.clone(), container.container.clone());
        self.live.insert(key, (now, container.clone()));
        match self.behaviour(container.process()).exits {
            Some((after, code)) => StartOutcome::Exits { after, code },
            None => StartOutcome::Running,
        }
    }
    fn cpu_millis(&mut self, _: Micros, _: ProcessId<'_>) -> Option<u64> {
        self.cpu_millis
    }
    fn pre_stop(&mut self, now: Micros, process: ProcessId<'_>, _: &[String]) -> Micros {
        self.note(now, "hook", process);
        self.behaviour(process).hook
    }
    fn exec(&mut self, now: Micros, process: ProcessId<'_>, _: &[String]) -> bool {
        let since = self.process(process).map_or(now, |(since, _)| *since);
        now.saturating_sub(since) >= self.behaviour(process).command_after
    }
    fn terminate(&mut self, now: Micros, process: ProcessId<'_>) -> Micros {
        self.note(now, "term", process);
        self.behaviour(process).drain
    }
    fn gone(&mut self, now: Micros, process: ProcessId<'_>) {
        self.note(now, "gone", process);
        let key = (process.uid.to_owned(), process.container.to_owned());
        self.live.remove(&key);
    }
    fn get(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        path: &str,
    ) -> Option<ContainerResponse> {
        if path == "/drain" {
            self.note(now, "asked", process);
        }
        if matches!(path, "/health" | "/livez") {
            self.asked.push(now);
        }
        let (since, container) = self.process(process)?;
        let age = now.saturating_sub(*since);
        let b = self
            .behaviours
            .get(&container.image)
            .cloned()
            .unwrap_or_default();
        let healthy = match path {
            "/health" => b.ready_after.is_some_and(|r| age >= r),
            "/livez" => b.hangs_after.is_none_or(|h| age < h),
            _ => true,
        };
        Some(ContainerResponse {
            status: if healthy { 200 } else { 503 },
            content_type: "text/plain",
            body: format!("{path} of {}", container.image),
        })
    }
    fn logs(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        since: Micros,
        previous: bool,
    ) -> Vec<LogLine> {
        if self.by_container {
            let text = format!("{} says hello", process.container);
            return vec![LogLine { at: now, text }];
        }
        let mut lines: Vec<LogLine> = self
            .lines
            .iter()
            .filter(|l| l.at >= since)
            .cloned()
            .collect();
        if previous {
            lines.truncate(1);
        }
        lines
    }
    fn route(&mut self, now: Micros, service: &str, uids: &[String]) {
        self.record
            .push((now, "route", format!("{service}={}", uids.len())));
        self.routes.insert(service.to_owned(), uids.to_vec());
    }
    fn config(&mut self, now: Micros, name: &str, data: &BTreeMap<String, String>) {
        self.record.push((now, "config", name.to_owned()));
        self.configs.insert(name.to_owned(), data.clone());
    }
}

pub(super) struct Lab {
    pub(super) cluster: Cluster,
    pub(super) fake: Fake,
    pub(super) now: Micros,
}

pub(super) fn apps(resource: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NS}/{resource}")
}

pub(super) fn core(resource: &str) -> String {
    format!("/api/v1/namespaces/{NS}/{resource}")
}

pub(super) fn deployment(name: &str, replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 10,
                    "containers": [{
                        "name": name, "image": image,
                        "ports": [{"containerPort": 8080}],
                        "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2},
                        "livenessProbe": {"httpGet": {"path": "/livez", "port": 8080}, "periodSeconds": 5},
                    }],
                },
            },
        },
    })
}

impl Lab {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            cluster: Cluster::new(seed, &[NS.to_owned()]),
            fake: Fake::default(),
            now: Micros::ZERO,
        }
    }

    /// For pods of several containers: what happens is noted by the container, and logs name it.
    pub(super) fn several(seed: u64) -> Self {
        let mut lab = Self::new(seed);
        lab.fake.by_container = true;
        lab
    }

    /// Processes of `image` exit with `code` after so many milliseconds.
    pub(super) fn exits(&mut self, image: &str, after_ms: u64, code: i32) {
        let ends = Behaviour {
            exits: Some((Micros::from_millis(after_ms), code)),
            ..Behaviour::default()
        };
        self.fake.behaviours.insert(image.to_owned(), ends);
    }

    /// The containers of `image` take so many seconds from SIGTERM to their end.
    pub(super) fn drains(&mut self, image: &str, seconds: u64) {
        let slow = Behaviour {
            drain: Micros::from_secs(seconds),
            ..Behaviour::default()
        };
        self.fake.behaviours.insert(image.to_owned(), slow);
    }

    pub(super) fn raw(
        &mut self,
        method: &str,
        path: &str,
        media: &str,
        body: &[u8],
    ) -> ApiResponse {
        let request = ApiRequest {
            method: method.parse().expect("a method"),
            uri: path.parse().expect("a path"),
            content_type: Some(media.to_owned()),
            accept: None,
            body: Bytes::copy_from_slice(body),
            user: "test".to_owned(),
            user_agent: None,
        };
        self.cluster.handle(self.now, request, &mut self.fake)
    }

    pub(super) fn call(
        &mut self,
        method: &str,
        path: &str,
        media: &str,
        body: &Value,
    ) -> (u16, Value) {
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        match self.raw(method, path, media, &bytes) {
            ApiResponse::Unary { status, body, .. } => (
                status,
                serde_json::from_slice(&body)
                    .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into()),
            ),
            ApiResponse::Watch(id) | ApiResponse::Log(id) => panic!("{path} opened {id:?}"),
        }
    }

    pub(super) fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, "", &Value::Null);
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub(super) fn post(&mut self, path: &str, body: &Value) -> Value {
        let (status, body) = self.call("POST", path, "application/json", body);
        assert_eq!(status, 201, "POST {path}: {body}");
        body
    }

    pub(super) fn merge(&mut self, path: &str, body: &Value) -> Value {
        let (status, body) = self.call("PATCH", path, "application/merge-patch+json", body);
        assert_eq!(status, 200, "PATCH {path}: {body}");
        body
    }

    pub(super) fn run_until(&mut self, until: Micros) {
        self.cluster.advance(until, &mut self.fake);
        self.now = until;
    }

    pub(super) fn run_secs(&mut self, secs: u64) {
        self.run_until(self.now + Micros::from_secs(secs));
    }

    /// Runs until the condition holds; how long that took. Panics after `limit_s` seconds.
    pub(super) fn wait(&mut self, limit_s: u64, holds: impl Fn(&Cluster) -> bool) -> Micros {
        let from = self.now;
        while !holds(&self.cluster) {
            let next = self
                .cluster
                .next_at()
                .expect("something is going to happen");
            assert!(
                next < from + Micros::from_secs(limit_s),
                "the condition did not hold within {limit_s} s"
            );
            self.run_until(next);
        }
        self.now - from
    }

    pub(super) fn rolled_out(&mut self, name: &str, limit_s: u64) -> Micros {
        self.wait(limit_s, |c| {
            rolled_out(c.object(Kind::Deployment, NS, name).expect("exists"))
        })
    }

    pub(super) fn set_image(&mut self, name: &str, image: &str) {
        let path = apps(&format!("deployments/{name}"));
        let body = json!({"spec": {"template": {"spec": {"containers": [{"name": name, "image": image}]}}}});
        let (status, body) = self.call(
            "PATCH",
            &path,
            "application/strategic-merge-patch+json",
            &body,
        );
        assert_eq!(status, 200, "{body}");
    }

    /// ReplicaSets of a Deployment as (revision, image, wanted size), by revision.
    pub(super) fn revisions(&self, name: &str) -> Vec<(String, String, i64)> {
        let mut all: Vec<(String, String, i64)> = self
            .cluster
            .objects(Kind::ReplicaSet, NS)
            .filter(|rs| rs["metadata"]["ownerReferences"][0]["name"] == name)
            .map(|rs| {
                (
                    rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
                        .as_str()
                        .unwrap_or("")
                        .to_owned(),
                    rs["spec"]["template"]["spec"]["containers"][0]["image"]
                        .as_str()
                        .unwrap_or("")
                        .to_owned(),
                    rs["spec"]["replicas"].as_i64().unwrap_or(-1),
                )
            })
            .collect();
        all.sort();
        all
    }

    /// `kubectl rollout undo`: the very patch that kubectl sends.
    pub(super) fn undo(&mut self, name: &str, to_image: &str) -> (u16, Value) {
        const SKIP: [&str; 6] = [
            "kubectl.kubernetes.io/last-applied-configuration",
            "deployment.kubernetes.io/revision",
            "deployment.kubernetes.io/revision-history",
            "deployment.kubernetes.io/desired-replicas",
            "deployment.kubernetes.io/max-replicas",
            "deprecated.deployment.rollback.to",
        ];
        let d = self.get(&apps(&format!("deployments/{name}")));
        let sets = self.get(&apps(&format!("replicasets?labelSelector=app%3D{name}")));
        let rs = sets["items"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|rs| rs["spec"]["template"]["spec"]["containers"][0]["image"] == to_image)
            .expect("the revision exists")
            .clone();
        let mut template = rs["spec"]["template"].clone();
        template["metadata"]["labels"]
            .as_object_mut()
            .expect("labels")
            .remove("pod-template-hash");
        template["metadata"]["creationTimestamp"] = Value::Null;
        let mut annotations = json!({});
        for (source, kept) in [(&d, true), (&rs, false)] {
            for (k, v) in source["metadata"]["annotations"].members() {
                if SKIP.contains(&k) == kept {
                    annotations[k] = v.clone();
                }
            }
        }
        let patch = json!([
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "replace", "path": "/metadata/annotations", "value": annotations},
        ]);
        self.call(
            "PATCH",
            &apps(&format!("deployments/{name}")),
            "application/json-patch+json",
            &patch,
        )
    }

    pub(super) fn open_watch(&mut self, path: &str) -> WatchId {
        match self.raw("GET", path, "", b"") {
            ApiResponse::Watch(id) => id,
            other => panic!("not a watch: {other:?}"),
        }
    }

    /// Frames of a watch as (type, object); `("END", null)` at the end.
    pub(super) fn frames(&mut self, id: WatchId) -> Vec<(String, Value)> {
        self.cluster
            .take_watch_frames()
            .into_iter()
            .filter(|(i, _)| *i == id)
            .map(|(_, f)| match f {
                WatchFrame::Data(line) => {
                    assert_eq!(line.last(), Some(&b'\n'));
                    let v: Value = serde_json::from_slice(&line).expect("a JSON line");
                    (
                        v["type"].as_str().unwrap_or("").to_owned(),
                        v["object"].clone(),
                    )
                }
                WatchFrame::End => ("END".to_owned(), Value::Null),
            })
            .collect()
    }

    pub(super) fn pods(&self) -> Vec<Value> {
        self.cluster.objects(Kind::Pod, NS).cloned().collect()
    }

    pub(super) fn event_messages(&self, about: &str, reason: &str) -> Vec<String> {
        let mut all: Vec<(String, String)> = self
            .cluster
            .objects(Kind::Event, NS)
            .filter(|e| {
                e["reason"] == reason
                    && e["involvedObject"]["name"]
                        .as_str()
                        .is_some_and(|n| n.starts_with(about))
            })
            .map(|e| {
                let name = e["metadata"]["name"].as_str().unwrap_or("");
                let stamp = name.rsplit('.').next().unwrap_or("").to_owned();
                (stamp, e["message"].as_str().unwrap_or("").to_owned())
            })
            .collect();
        all.sort();
        all.into_iter().map(|(_, m)| m).collect()
    }
}

/// What `kubectl rollout status` calls success.
pub(super) fn rolled_out(d: &Value) -> bool {
    let n = |f: &str| d["status"][f].as_i64().unwrap_or(0);
    let want = d["spec"]["replicas"].as_i64().unwrap_or(0);
    n("observedGeneration") >= d["metadata"]["generation"].as_i64().unwrap_or(0)
        && n("updatedReplicas") == want
        && n("replicas") == want
        && n("availableReplicas") == want
}

pub(super) fn condition<'a>(object: &'a Value, of_type: &str) -> &'a Value {
    object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|c| c["type"] == of_type)
        .unwrap_or(&Value::Null)
}
