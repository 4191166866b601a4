//! What the kubelet remembers of each pod.

use std::collections::{BTreeMap, VecDeque};

use super::container::{ContainerRef, ContainerRun, Role, State};
use super::images::ImageState;
use super::obstacle::Hindered;
use crate::cluster::due_items::Step;
use crate::cluster::json::Value;
use crate::cluster::value::{self, int, items, text};
use crate::time::Micros;
use crate::workload::ProcessId;

/// The port of a pod whose containers declare none.
const DEFAULT_PORT: i64 = 80;

/// A pod on a node.
#[derive(Debug)]
pub(crate) struct PodRun {
    pub(crate) key: String,
    pub(crate) uid: String,
    pub(crate) app: String,
    pub(crate) node: String,
    pub(crate) ip: String,
    pub(crate) restart_policy: String,
    pub(crate) grace: Micros,
    pub(crate) admitted: Micros,
    /// Changes whenever the pod's own pending steps lose their meaning.
    pub(crate) epoch: u32,
    /// See [`ContainerRef`] for their order; there is at least one.
    pub(crate) containers: Vec<ContainerRun>,
    /// The container that the pod's worker starts or stops just now: it does one after another.
    pub(super) working_on: Option<u16>,
    /// The containers that it starts next.
    pub(super) queue: VecDeque<u16>,
    /// What it takes notice of afterwards: (container, epoch, step).
    pub(super) unseen: Vec<(u16, u32, Step)>,
    /// When its worker last had done with it.
    pub(super) synced: Micros,
    /// When its worker takes it up again because of news.
    pub(super) sync_at: Option<Micros>,
    /// When its worker takes it up again without news.
    pub(super) resync_at: Option<Micros>,
    /// Whether there was news while its worker was busy.
    pub(super) news: bool,
    /// Being deleted.
    pub(crate) terminating: bool,
    /// All containers have ended for good: the sidecars are being stopped.
    pub(super) finishing: bool,
    pub(crate) status_pending: bool,
}

impl PodRun {
    pub(crate) fn new(now: Micros, key: &str, pod: &Value, app: String) -> Self {
        let inits = items(pod, &["spec", "initContainers"]);
        let waits_for = if inits.is_empty() {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let mut containers: Vec<ContainerRun> = items(pod, &["spec", "containers"])
            .iter()
            .map(|c| ContainerRun::new(now, c, Role::Main, waits_for))
            .collect();
        if containers.is_empty() {
            let none = ContainerRun::new(now, &Value::Null, Role::Main, waits_for);
            containers.push(none);
        }
        for c in inits {
            let role = if value::is_sidecar(c) {
                Role::Sidecar
            } else {
                Role::Init
            };
            containers.push(ContainerRun::new(now, c, role, waits_for));
        }
        let grace_s = int(pod, &["spec", "terminationGracePeriodSeconds"]).unwrap_or(30);
        Self {
            key: key.to_owned(),
            uid: value::uid(pod).to_owned(),
            app,
            node: text(pod, &["spec", "nodeName"]).to_owned(),
            ip: String::new(),
            restart_policy: text(pod, &["spec", "restartPolicy"]).to_owned(),
            grace: Micros::from_secs(u64::try_from(grace_s).unwrap_or(0)),
            admitted: now,
            epoch: 0,
            containers,
            working_on: None,
            queue: VecDeque::new(),
            unseen: Vec::new(),
            synced: now,
            sync_at: None,
            resync_at: None,
            news: false,
            terminating: false,
            finishing: false,
            status_pending: false,
        }
    }

    /// Name of the pod.
    pub(crate) fn name(&self) -> &str {
        value::split_key(&self.key).1
    }

    /// The process of the container at this place.
    pub(crate) fn process(&self, place: u16) -> ProcessId<'_> {
        ProcessId {
            uid: &self.uid,
            container: &self.containers[usize::from(place)].name,
        }
    }

    /// Whether any process runs.
    pub(crate) fn has_process(&self) -> bool {
        self.containers.iter().any(|c| c.process)
    }

    /// The containers with their places.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (u16, &ContainerRun)> {
        (0..).zip(&self.containers)
    }

    /// The containers that are no init containers.
    pub(crate) fn mains(&self) -> impl Iterator<Item = &ContainerRun> {
        self.containers.iter().filter(|c| c.role == Role::Main)
    }

    /// Whether each of them has ended and is not started again.
    pub(super) fn mains_are_done(&self) -> bool {
        self.mains()
            .all(|c| matches!(c.state, State::Terminated(_)) && !c.restarting && !c.process)
    }

    /// The container that listens on a port of the pod: the one that declares it, and if none does, `own`, whose port
    /// it then is without being declared.
    pub(crate) fn listener(&self, port: i64, own: u16) -> u16 {
        let own_declares = self
            .containers
            .get(usize::from(own))
            .is_some_and(|c| c.declares(port));
        if own_declares {
            return own;
        }
        let mut others = self.placed();
        others
            .find(|(_, c)| c.role != Role::Init && c.declares(port))
            .map_or(own, |(place, _)| place)
    }

    /// The first port that a container of the pod declares, and which container that is.
    pub(crate) fn first_port(&self) -> (u16, i64) {
        let mut declared = self
            .placed()
            .filter(|(_, c)| c.role != Role::Init)
            .filter_map(|(place, c)| Some((place, c.port()?)));
        declared.next().unwrap_or((0, DEFAULT_PORT))
    }

    /// The port of a container that declares none is the usual one.
    pub(super) fn port_of(&self, place: u16) -> i64 {
        let container = self.containers.get(usize::from(place));
        container
            .and_then(ContainerRun::port)
            .unwrap_or(DEFAULT_PORT)
    }
}

/// All pods on all nodes, and the images that are there.
#[derive(Debug, Default)]
pub(crate) struct Kubelet {
    pub(crate) pods: BTreeMap<u32, PodRun>,
    pub(crate) by_key: BTreeMap<String, u32>,
    pub(crate) images: BTreeMap<String, ImageState>,
    /// By node and image: when the first pull of it ends there, after which it is present.
    pub(crate) pulled: BTreeMap<(String, String), Micros>,
    /// By node: when the pulls that are under way or queued will all have ended.
    pub(crate) pulling: BTreeMap<String, Micros>,
    /// What faults do to pods.
    pub(crate) hindered: Vec<Hindered>,
    pub(crate) admitted: u32,
    /// By node: when, after a whole number of periods, its kubelet looks at the containers.
    pub(crate) looks: BTreeMap<String, Micros>,
    pub(crate) ips: u32,
}

impl Kubelet {
    /// The next pod IP.
    pub(crate) fn next_ip(&mut self) -> String {
        self.ips += 1;
        format!("10.244.{}.{}", self.ips / 250, self.ips % 250 + 2)
    }

    /// A container of a pod that is on a node.
    pub(crate) fn container(&self, of: ContainerRef) -> Option<&ContainerRun> {
        self.pods
            .get(&of.pod)?
            .containers
            .get(usize::from(of.place))
    }

    /// The same, to be changed.
    pub(crate) fn container_mut(&mut self, of: ContainerRef) -> Option<&mut ContainerRun> {
        let run = self.pods.get_mut(&of.pod)?;
        run.containers.get_mut(usize::from(of.place))
    }
}

/// The spec of a container or an init container; names are unique among both.
pub(crate) fn container_spec<'a>(pod: &'a Value, name: &str) -> &'a Value {
    ["containers", "initContainers"]
        .iter()
        .flat_map(|list| items(pod, &["spec", list]))
        .find(|c| text(c, &["name"]) == name)
        .unwrap_or(&Value::Null)
}
