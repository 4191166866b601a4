//! One draw: a release is rolled out, a bad one follows, and is undone as `kubectl rollout undo` does it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value, json};
use sim::cluster::{ApiRequest, ApiResponse, Cluster, ImageState, Kind, Timings, Value as Stored};
use sim::measured::Measured;
use sim::rng::Rng;
use sim::time::Micros;

use super::pods::{Life, Pods};
use super::processes::{Bad, Processes};
use super::simulated::Simulated;
use super::starts::Times;
use super::workload::Keeper;

/// How long the releases before the undo may take to roll out.
const HISTORY_MOST: Micros = Micros::from_secs(4 * 3_600);
/// For how long the cluster is left alone before each change.
const QUIET: Micros = Micros::from_secs(20);
/// After which time a stuck rollout is undone.
const STUCK_FOR: Micros = Micros::from_secs(150);
/// Where the revision of a ReplicaSet stands.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What is simulated.
pub(super) struct Case<'a> {
    pub(super) simulated: &'a Simulated,
    /// The times of each container.
    pub(super) times: &'a BTreeMap<String, Times>,
    pub(super) bad: Bad,
    /// The nodes; none: three with room for everything.
    pub(super) nodes: &'a [Stored],
    /// What takes room beside it.
    pub(super) beside: &'a [Value],
    pub(super) timings: &'a Timings,
    /// Whether the nodes have the prior release's images no more.
    pub(super) cold: bool,
    /// When a draw is given up, from the undo on.
    pub(super) most: Micros,
    /// Whether nobody wants the answer any more.
    pub(super) stop: &'a (dyn Fn() -> bool + Sync),
}

/// How a draw ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// So long after the undo.
    Recovered(Micros),
    /// Not in the time that it had, and why.
    Late(String),
    /// There is nothing to undo to.
    NoHistory,
    /// The Deployment is paused.
    Paused,
    /// A rollout of the StatefulSet replaces no pod.
    ReplacesNone,
    /// The release that works does not roll out, and why.
    NeverRan(String),
    /// The API server refuses an object.
    Refused(String),
}

/// One draw.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) end: End,
    /// What the pods did. All instants count from the undo.
    pub(super) pods: Vec<Life>,
    /// When the bad release was cut off.
    pub(super) traffic: Micros,
    /// When the rollout was complete.
    pub(super) complete: Micros,
}

impl Case<'_> {
    /// The draw of this seed; `None`: it was stopped.
    pub(super) fn draw(&self, seed: u64) -> Option<Drawn> {
        let mut run = match Run::new(self, seed) {
            Ok(run) => run,
            Err(why) => {
                return Some(Drawn {
                    end: End::Refused(why),
                    pods: Vec::new(),
                    traffic: Micros::ZERO,
                    complete: Micros::ZERO,
                });
            }
        };
        let end = run.whole().unwrap_or_else(|end| end);
        if (self.stop)() {
            return None;
        }
        let start = run.undone_at;
        Some(Drawn {
            end,
            pods: run
                .pods
                .since(start, &run.processes.started, self.simulated.min_ready),
            traffic: run.traffic().unwrap_or(run.now).saturating_sub(start),
            complete: run.complete.unwrap_or(run.now).saturating_sub(start),
        })
    }
}

struct Run<'a> {
    case: &'a Case<'a>,
    cluster: Cluster,
    processes: Processes<'a>,
    rng: Rng,
    now: Micros,
    pods: Pods,
    /// Up to which version the store was looked at.
    looked: u64,
    undone_at: Micros,
    /// Since when the rollout is complete.
    complete: Option<Micros>,
}

impl<'a> Run<'a> {
    fn new(case: &'a Case<'a>, seed: u64) -> Result<Self, String> {
        let namespaces = BTreeSet::from([case.simulated.namespace.clone()]);
        let beside = case.beside.iter();
        let beside = beside.filter_map(|it| it["metadata"]["namespace"].as_str());
        let own = namespaces.iter().map(String::as_str).chain(beside);
        let own: BTreeSet<&str> = own
            .filter(|it| !matches!(*it, "default" | "kube-system"))
            .collect();
        let namespaces: Vec<String> = own.into_iter().map(str::to_owned).collect();
        let timings = case.timings.clone();
        let cluster = if case.nodes.is_empty() {
            Cluster::on(seed, &namespaces, timings, &roomy())?
        } else {
            Cluster::on(seed, &namespaces, timings, case.nodes)?
        };
        let simulated = case.simulated;
        Ok(Self {
            processes: Processes::new(seed, case.bad, &simulated.containers, case.times),
            case,
            cluster,
            rng: Rng::derive(seed, "forecast"),
            now: Micros::ZERO,
            pods: Pods::default(),
            looked: 0,
            undone_at: Micros::ZERO,
            complete: None,
        })
    }

    fn whole(&mut self) -> Result<End, End> {
        let simulated = self.case.simulated;
        if simulated.replaces_none {
            return Err(End::ReplacesNone);
        }
        self.take_in_images();
        for object in self.case.beside {
            self.post(object)?;
        }
        self.advance_by(QUIET);
        for object in simulated.services.iter().chain(&simulated.budgets) {
            self.post(object)?;
        }
        self.post(&simulated.object)?;
        let most = self.now + HISTORY_MOST;
        if !self.run(most, |it| it.complete.is_some()) {
            return Err(End::NeverRan(self.why_late()));
        }
        self.advance_by(self.quiet());
        let template = simulated.bad_template();
        self.patch(&json!([{"op": "replace", "path": "/spec/template", "value": template}]))?;
        match self.case.bad {
            Bad::Wrong => {
                let most = self.now + HISTORY_MOST;
                if !self.run(most, |it| it.complete.is_some()) {
                    return Err(End::NeverRan(self.why_late()));
                }
            }
            // Without a probe it may be complete, too, and crash all the same.
            Bad::NeverReady => self.advance_by(STUCK_FOR),
        }
        let moment = Micros(self.rng.below(1_000_000));
        self.advance_by(self.quiet() + moment);
        self.undo()
    }

    /// For how long the cluster is left alone after a rollout. That of a StatefulSet is complete before its last pod is
    /// available, which is counted up to `minReadySeconds` late ([`Pods`]).
    fn quiet(&self) -> Micros {
        match self.case.simulated.keeper {
            Keeper::Deployment => QUIET,
            Keeper::StatefulSet => {
                let twice = Micros(self.case.simulated.min_ready.0.saturating_mul(2));
                QUIET + twice.min(HISTORY_MOST)
            }
        }
    }

    /// `kubectl rollout undo`: it reads the workload, lists its revisions, and patches the template back.
    fn undo(&mut self) -> Result<End, End> {
        let api = &Measured::built_in().api;
        self.undone_at = self.now;
        if self.case.simulated.paused {
            return Err(End::Paused);
        }
        if self.case.cold {
            self.images_are_gone();
        }
        self.processes.undo();
        let asks =
            api.get.distribution.draw(&mut self.rng) + api.list.distribution.draw(&mut self.rng);
        self.advance_by(asks);
        let Some(template) = self.prior_template() else {
            return Err(End::NoHistory);
        };
        self.patch(&json!([{"op": "replace", "path": "/spec/template", "value": template}]))?;
        let most = self.undone_at + self.case.most;
        if !self.run(most, Self::is_recovered) {
            return Ok(End::Late(self.why_late()));
        }
        if self.case.simulated.partition > 0 {
            self.complete = Some(self.now);
        }
        Ok(End::Recovered(self.now.saturating_sub(self.undone_at)))
    }

    /// The template of the revision before the last one, without the label that its ReplicaSet has added.
    fn prior_template(&self) -> Option<Value> {
        let keeper = self.case.simulated.keeper;
        let kind = match keeper {
            Keeper::Deployment => Kind::ReplicaSet,
            Keeper::StatefulSet => Kind::ControllerRevision,
        };
        let number = |it: &Stored| match keeper {
            Keeper::Deployment => it["metadata"]["annotations"][REVISION]
                .as_str()?
                .parse()
                .ok(),
            Keeper::StatefulSet => it["revision"].as_i64(),
        };
        let mut revisions: Vec<(i64, &Stored)> = self
            .cluster
            .objects(kind, &self.case.simulated.namespace)
            .filter(|it| self.is_own(it))
            .filter_map(|it| Some((number(it)?, it)))
            .collect();
        revisions.sort_by_key(|(revision, _)| std::cmp::Reverse(*revision));
        let (_, prior) = revisions.get(1)?;
        let spec = match keeper {
            Keeper::Deployment => &prior["spec"],
            Keeper::StatefulSet => &prior["data"]["spec"],
        };
        let mut template = serde_json::to_value(&spec["template"]).ok()?;
        if let Some(members) = template.as_object_mut() {
            // A ControllerRevision keeps a patch.
            members.remove("$patch");
        }
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            labels.remove("pod-template-hash");
        }
        Some(template)
    }

    /// Whether an object is one of the workload's own revisions.
    fn is_own(&self, object: &Stored) -> bool {
        let owners = object["metadata"]["ownerReferences"].as_array();
        let mut owners = owners.into_iter().flatten();
        owners.any(|it| it["name"] == self.case.simulated.name.as_str())
    }

    /// Every image is in the registry, and every node has it.
    fn take_in_images(&mut self) {
        self.images_are_gone();
        for image in self.case.simulated.images() {
            self.cluster.pull_everywhere(image);
        }
    }

    /// Every image is in the registry alone.
    fn images_are_gone(&mut self) {
        let mut pulls: BTreeMap<&str, Micros> = BTreeMap::new();
        for (name, container) in &self.case.simulated.containers {
            let times = self.case.times.get(name);
            let takes = times.map_or(Micros::ZERO, |it| {
                it.pull
                    .draw(self.processes.seed(), &format!("pull/{name}"), 0)
            });
            pulls.entry(&container.image).or_insert(takes);
        }
        for (image, takes) in pulls {
            self.cluster.set_image(image, ImageState::Pull { takes });
        }
    }

    /// Lets the cluster go on until `holds`; `false`: it did not up to then.
    fn run(&mut self, until: Micros, holds: fn(&Self) -> bool) -> bool {
        loop {
            if holds(self) {
                return true;
            }
            if (self.case.stop)() {
                return false;
            }
            match self.cluster.next_at().filter(|at| *at <= until) {
                Some(at) => self.advance_to(at),
                None => return false,
            }
        }
    }

    fn advance_by(&mut self, span: Micros) {
        let until = self.now + span;
        self.run(until, |_| false);
        self.advance_to(until);
    }

    fn advance_to(&mut self, at: Micros) {
        self.now = self.now.max(at);
        self.cluster.advance(self.now, &mut self.processes);
        self.look();
    }

    /// Looks at what has changed in the store.
    fn look(&mut self) {
        let version = self.cluster.resource_version();
        if version == self.looked {
            return;
        }
        let before = std::mem::replace(&mut self.looked, version);
        self.pods
            .look(self.now, &self.cluster, before, self.case.simulated);
        self.complete = if self.is_complete() {
            Some(self.complete.unwrap_or(self.now))
        } else {
            None
        };
    }

    /// As `kubectl rollout status` sees it (`kubectl/pkg/polymorphichelpers/rollout_status.go`).
    fn is_complete(&self) -> bool {
        let simulated = self.case.simulated;
        let kind = match simulated.keeper {
            Keeper::Deployment => Kind::Deployment,
            Keeper::StatefulSet => Kind::StatefulSet,
        };
        let object = self
            .cluster
            .object(kind, &simulated.namespace, &simulated.name);
        let Some(object) = object else {
            return false;
        };
        let status = &object["status"];
        let count = |field: &str| status[field].as_i64().unwrap_or_default();
        let replicas = i64::from(simulated.replicas);
        let generation = object["metadata"]["generation"].as_i64();
        let rolled_out = match simulated.keeper {
            Keeper::Deployment => {
                count("updatedReplicas") >= replicas
                    && count("replicas") <= count("updatedReplicas")
                    && count("availableReplicas") >= count("updatedReplicas")
            }
            Keeper::StatefulSet => {
                let kept = i64::from(simulated.partition);
                count("readyReplicas") >= replicas && count("updatedReplicas") >= replicas - kept
            }
        };
        count("observedGeneration") >= generation.unwrap_or_default() && rolled_out
    }

    /// When the bad release was cut off: it gets no traffic, and where no Service sends any, none of its processes
    /// runs.
    fn traffic(&self) -> Option<Micros> {
        if self.case.simulated.services.is_empty() {
            self.processes.ended
        } else {
            self.processes.unrouted
        }
    }

    fn is_recovered(&self) -> bool {
        self.traffic().is_some() && self.complete.is_some() && self.all_are_back()
    }

    /// Whether every pod is of the prior release and ready. It is asked where a StatefulSet has a partition: its
    /// rollout is complete by what `kubectl rollout status` goes by as soon as the undo is seen, since the pods that
    /// the partition kept are of the prior release.
    fn all_are_back(&self) -> bool {
        let simulated = self.case.simulated;
        simulated.partition == 0 || self.pods.back() >= simulated.replicas as usize
    }

    /// Why it takes so long, as the pods' statuses say.
    fn why_late(&self) -> String {
        self.pods
            .why(&self.cluster, self.case.simulated)
            .unwrap_or_else(|| "the rollout is not complete".to_owned())
    }

    fn post(&mut self, object: &Value) -> Result<(), End> {
        let (group, plural) = match object["kind"].as_str().unwrap_or_default() {
            "Deployment" => ("apis/apps/v1", "deployments"),
            "StatefulSet" => ("apis/apps/v1", "statefulsets"),
            "PodDisruptionBudget" => ("apis/policy/v1", "poddisruptionbudgets"),
            _ => ("api/v1", "services"),
        };
        let namespace = object["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default");
        let path = format!("/{group}/namespaces/{namespace}/{plural}");
        self.call(http::Method::POST, &path, "application/json", object)
    }

    fn patch(&mut self, patch: &Value) -> Result<(), End> {
        let Simulated {
            namespace, name, ..
        } = self.case.simulated;
        let plural = match self.case.simulated.keeper {
            Keeper::Deployment => "deployments",
            Keeper::StatefulSet => "statefulsets",
        };
        let path = format!("/apis/apps/v1/namespaces/{namespace}/{plural}/{name}");
        let takes = Measured::built_in()
            .api
            .patch
            .distribution
            .draw(&mut self.rng);
        self.advance_by(takes);
        let media = "application/json-patch+json";
        self.call(http::Method::PATCH, &path, media, patch)
    }

    fn call(
        &mut self,
        method: http::Method,
        path: &str,
        media: &str,
        body: &Value,
    ) -> Result<(), End> {
        let uri = path.parse().map_err(|error| {
            End::Refused(format!("{path} is no path of the API server: {error}"))
        })?;
        let request = ApiRequest {
            user_agent: None,
            method,
            uri,
            content_type: Some(media.to_owned()),
            accept: None,
            body: Bytes::from(body.to_string()),
            user: "forecast".to_owned(),
        };
        let answer = self.cluster.handle(self.now, request, &mut self.processes);
        self.look();
        match answer {
            ApiResponse::Unary { status, .. } if status < 300 => Ok(()),
            ApiResponse::Unary { body, .. } => {
                let status: Value = serde_json::from_slice(&body).unwrap_or_default();
                let message = status["message"].as_str().unwrap_or("it gives no reason");
                Err(End::Refused(message.to_owned()))
            }
            ApiResponse::Watch(_) | ApiResponse::Log(_) => Ok(()),
        }
    }
}

/// Three nodes with room for everything.
fn roomy() -> Vec<Stored> {
    let node = |n: u32| {
        let allocatable = json!({"pods": "100000"});
        let ready = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady"}]);
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": format!("node-{n}")},
            "status": {"allocatable": allocatable, "conditions": ready},
        })
        .into()
    };
    (1..=3).map(node).collect()
}
