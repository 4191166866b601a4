//! The processes in the pods: they answer probes a drawn time after their start, and end a drawn time after SIGTERM.

use std::collections::BTreeMap;

use sim::time::Micros;
use sim::workload::{
    ContainerResponse, ContainerStart, LogLine, ProcessId, StartOutcome, Workload,
};
use sim_services::hooks;

use super::pods::Release;
use super::simulated::{BAD, Container, PRIOR, Question, RELEASE, Role};
use super::starts::Times;

/// What is wrong with the release that is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bad {
    /// Its pods become ready and work, but they are wrong: the rollout is complete when it is undone.
    Wrong,
    /// Its pods never become ready: the rollout is stuck when it is undone. Where no probe asks whether they are ready,
    /// they end a second after their start, again and again.
    NeverReady,
}

/// How soon a process of the history before the undo answers: what is before the undo is in no answer.
const BEFORE: Micros = Micros::from_millis(50);
/// After which time a process ends that no probe would keep from being ready.
const CRASHES_AFTER: Micros = Micros::from_secs(1);

/// A process.
#[derive(Clone, Debug)]
struct Process {
    /// `None`: it is of a workload beside.
    release: Option<Release>,
    answers_at: Micros,
}

/// When a container of a pod started, and when it could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) role: Role,
    pub(super) at: Micros,
    pub(super) answers_at: Micros,
}

/// All processes of the simulated cluster.
#[derive(Debug)]
pub(super) struct Processes<'a> {
    seed: u64,
    bad: Bad,
    containers: &'a BTreeMap<String, Container>,
    times: &'a BTreeMap<String, Times>,
    /// Whether the undo has begun, so that the prior release's pods take their drawn times.
    undone: bool,
    /// How often each container of the prior release has started since.
    count: BTreeMap<String, u64>,
    /// How often each container was stopped since.
    stops: BTreeMap<String, u64>,
    live: BTreeMap<(String, String), Process>,
    /// What each pod's containers did, by the pod's UID.
    pub(super) started: BTreeMap<String, Vec<Started>>,
    /// The bad release's pods behind each Service.
    routed: BTreeMap<String, usize>,
    bad_pods: BTreeMap<String, usize>,
    /// When the last of the bad release's pods lost its traffic, if none has any.
    pub(super) unrouted: Option<Micros>,
    /// When the last process of the bad release ended, if none runs.
    pub(super) ended: Option<Micros>,
}

impl<'a> Processes<'a> {
    pub(super) fn new(
        seed: u64,
        bad: Bad,
        containers: &'a BTreeMap<String, Container>,
        times: &'a BTreeMap<String, Times>,
    ) -> Self {
        Self {
            seed,
            bad,
            containers,
            times,
            undone: false,
            count: BTreeMap::new(),
            stops: BTreeMap::new(),
            live: BTreeMap::new(),
            started: BTreeMap::new(),
            routed: BTreeMap::new(),
            bad_pods: BTreeMap::new(),
            unrouted: Some(Micros::ZERO),
            ended: Some(Micros::ZERO),
        }
    }

    /// The seed of the draw.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// From now on the processes that start take their drawn times.
    pub(super) fn undo(&mut self) {
        self.undone = true;
    }

    /// Whether a probe of a bad release could keep its pods from being ready.
    fn is_probed(&self) -> bool {
        self.containers.values().any(|it| it.readiness.is_some())
    }

    /// Whether a process that listens answers this well.
    fn is_well(&self, process: &Process, container: &str, asked: &Question) -> bool {
        let readiness = self.containers.get(container).map(|it| &it.readiness);
        let fails = process.release == Some(Release::Bad)
            && self.bad == Bad::NeverReady
            && readiness.is_some_and(|it| it.as_ref() == Some(asked));
        !fails
    }

    fn asked(&self, now: Micros, id: ProcessId<'_>, asked: &Question) -> Option<bool> {
        let process = self.find(id)?;
        (process.answers_at <= now).then(|| self.is_well(process, id.container, asked))
    }

    fn find(&self, id: ProcessId<'_>) -> Option<&Process> {
        let key = (id.uid.to_owned(), id.container.to_owned());
        self.live.get(&key)
    }

    /// When this container of the prior release answers, and for the how many-th time it starts.
    fn answers_at(&mut self, now: Micros, container: &str) -> (Micros, u64) {
        if !self.undone {
            return (now + BEFORE, 0);
        }
        let count = self.count.entry(container.to_owned()).or_default();
        let nth = *count;
        *count += 1;
        let times = self.times.get(container);
        let takes = times.map_or(BEFORE, |it| {
            it.start.draw(self.seed, &format!("start/{container}"), nth)
        });
        (now + takes, nth)
    }

    fn crashes(&self, release: Option<Release>) -> bool {
        release == Some(Release::Bad) && self.bad == Bad::NeverReady && !self.is_probed()
    }
}

impl Workload for Processes<'_> {
    fn start(&mut self, now: Micros, container: &ContainerStart) -> StartOutcome {
        let release = match container.env.get(RELEASE).map(String::as_str) {
            Some(PRIOR) => Some(Release::Prior),
            Some(BAD) => Some(Release::Bad),
            _ => None,
        };
        let own = self.containers.get(&container.container);
        let own = own.filter(|_| release.is_some());
        let role = own.map_or(Role::Lasting, |it| it.role);
        let name = &container.container;
        let (answers_at, nth) = match release {
            Some(Release::Prior) => self.answers_at(now, name),
            Some(Release::Bad) | None => (now + BEFORE, 0),
        };
        let started = Started {
            role,
            at: now,
            answers_at,
        };
        let uid = &container.uid;
        self.started.entry(uid.clone()).or_default().push(started);
        if release == Some(Release::Bad) {
            *self.bad_pods.entry(uid.clone()).or_default() += 1;
            self.ended = None;
        }
        let process = Process {
            release,
            answers_at,
        };
        self.live.insert((uid.clone(), name.clone()), process);
        match (role, release) {
            (Role::Init, Some(Release::Prior)) if self.undone => {
                let times = self.times.get(name);
                let after = times.map_or(BEFORE, |it| {
                    it.init.draw(self.seed, &format!("init/{name}"), nth)
                });
                StartOutcome::Exits { after, code: 0 }
            }
            (Role::Init, _) => StartOutcome::Exits {
                after: BEFORE,
                code: 0,
            },
            (Role::Lasting, _) if self.crashes(release) => StartOutcome::Exits {
                after: CRASHES_AFTER,
                code: 1,
            },
            (Role::Lasting, _) => StartOutcome::Running,
        }
    }

    fn pre_stop(&mut self, _: Micros, _: ProcessId<'_>, command: &[String]) -> Micros {
        hooks::takes(command)
    }

    fn exec(&mut self, now: Micros, id: ProcessId<'_>, command: &[String]) -> bool {
        let asked = Question::Command(command.to_vec());
        self.asked(now, id, &asked).unwrap_or(false)
    }

    fn terminate(&mut self, _: Micros, id: ProcessId<'_>) -> Micros {
        let times = self.times.get(id.container).filter(|_| self.undone);
        let Some(times) = times else {
            return BEFORE;
        };
        let count = self.stops.entry(id.container.to_owned()).or_default();
        let nth = *count;
        *count += 1;
        let what = format!("stop/{}", id.container);
        times.stop.draw(self.seed, &what, nth)
    }

    fn gone(&mut self, now: Micros, id: ProcessId<'_>) {
        let key = (id.uid.to_owned(), id.container.to_owned());
        let Some(process) = self.live.remove(&key) else {
            return;
        };
        if process.release != Some(Release::Bad) {
            return;
        }
        if let Some(left) = self.bad_pods.get_mut(id.uid) {
            *left = left.saturating_sub(1);
        }
        if self.bad_pods.values().all(|left| *left == 0) {
            self.ended = Some(now);
        }
    }

    fn get(&mut self, now: Micros, id: ProcessId<'_>, path: &str) -> Option<ContainerResponse> {
        let well = self.asked(now, id, &Question::Path(path.to_owned()))?;
        // A probe of kind tcpSocket asks for "/", and is refused by whoever never becomes ready.
        if path == "/" && self.asked(now, id, &Question::Connection) == Some(false) {
            return None;
        }
        Some(ContainerResponse {
            status: if well { 200 } else { 503 },
            content_type: "text/plain; charset=utf-8",
            body: String::new(),
        })
    }

    fn logs(&mut self, _: Micros, _: ProcessId<'_>, _: Micros, _: bool) -> Vec<LogLine> {
        Vec::new()
    }

    fn route(&mut self, now: Micros, service: &str, uids: &[String]) {
        let bad = uids.iter().filter(|uid| self.bad_pods.contains_key(*uid));
        self.routed.insert(service.to_owned(), bad.count());
        let any = self.routed.values().any(|bad| *bad > 0);
        match (any, self.unrouted) {
            (true, _) => self.unrouted = None,
            (false, None) => self.unrouted = Some(now),
            (false, Some(_)) => {}
        }
    }

    fn config(&mut self, _: Micros, _: &str, _: &BTreeMap<String, String>) {}
}
