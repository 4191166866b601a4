//! Pods that do nothing but run: for whoever tests what acts on a cluster and needs no application in it.

use std::collections::BTreeMap;

use super::{Application, Done, NoOperation, NothingListens, Operation, PodLogLine};
use crate::observe::SampleSink;
use crate::time::Micros;
use crate::workload::{
    ContainerResponse, ContainerStart, LogLine, ProcessId, StartOutcome, Workload,
};

/// What the containers of an image do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// They answer with 503 until so long after their start, and with 200 from then on.
    ReadyAfter(Micros),
    /// They answer with 503 for ever.
    NeverReady,
    /// They exit with this code after so long.
    Exits(Micros, i32),
}

/// Where pods run, and what their images do.
#[derive(Clone, Debug)]
pub struct PlainConfig {
    /// The namespaces that there are beside `default` and `kube-system`.
    pub namespaces: Vec<String>,
    /// By image; any other is ready after 100 ms.
    pub images: BTreeMap<String, Behaviour>,
}

impl Default for PlainConfig {
    /// One namespace, `apps`.
    fn default() -> Self {
        Self {
            namespaces: vec!["apps".to_owned()],
            images: BTreeMap::new(),
        }
    }
}

/// A process.
#[derive(Clone, Debug)]
struct Process {
    image: String,
    ready_at: Option<Micros>,
    started: LogLine,
}

/// Pods that run, answer their probes, and serve nobody.
#[derive(Clone, Debug)]
pub struct Plain {
    config: PlainConfig,
    /// By the pod's UID, and in it by the container.
    processes: BTreeMap<String, BTreeMap<String, Process>>,
    outbox: Vec<PodLogLine>,
    happened: u64,
}

impl Plain {
    fn process(&self, id: ProcessId<'_>) -> Option<&Process> {
        self.processes.get(id.uid)?.get(id.container)
    }
}

impl Workload for Plain {
    fn start(&mut self, now: Micros, container: &ContainerStart) -> StartOutcome {
        self.happened += 1;
        let behaviour = self.config.images.get(&container.image);
        let behaviour = behaviour.copied();
        let behaviour = behaviour.unwrap_or(Behaviour::ReadyAfter(Micros::from_millis(100)));
        let text = format!("starting {}", container.image);
        let process = Process {
            image: container.image.clone(),
            ready_at: match behaviour {
                Behaviour::ReadyAfter(after) => Some(now + after),
                Behaviour::NeverReady | Behaviour::Exits(..) => None,
            },
            started: LogLine {
                at: now,
                text: text.clone(),
            },
        };
        let pod = self.processes.entry(container.uid.clone()).or_default();
        pod.insert(container.container.clone(), process);
        self.outbox
            .push(PodLogLine::of(container, "info", now, text));
        match behaviour {
            Behaviour::Exits(after, code) => StartOutcome::Exits { after, code },
            Behaviour::ReadyAfter(_) | Behaviour::NeverReady => StartOutcome::Running,
        }
    }

    fn terminate(&mut self, _: Micros, _: ProcessId<'_>) -> Micros {
        self.happened += 1;
        Micros::ZERO
    }

    fn gone(&mut self, _: Micros, process: ProcessId<'_>) {
        self.happened += 1;
        if let Some(pod) = self.processes.get_mut(process.uid) {
            pod.remove(process.container);
            if pod.is_empty() {
                self.processes.remove(process.uid);
            }
        }
    }

    fn get(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        path: &str,
    ) -> Option<ContainerResponse> {
        let process = self.process(process)?;
        let ready = process.ready_at.is_some_and(|at| at <= now);
        Some(ContainerResponse {
            status: if ready { 200 } else { 503 },
            content_type: "text/plain; charset=utf-8",
            body: format!("{path} of {}", process.image),
        })
    }

    fn logs(
        &mut self,
        _: Micros,
        process: ProcessId<'_>,
        since: Micros,
        previous: bool,
    ) -> Vec<LogLine> {
        let process = self.process(process).filter(|_| !previous);
        let lines = process.map(|process| process.started.clone()).into_iter();
        lines.filter(|line| line.at >= since).collect()
    }

    fn route(&mut self, _: Micros, _: &str, _: &[String]) {}
}

impl Application for Plain {
    type Config = PlainConfig;
    type Operation = NoOperation;

    fn new(config: PlainConfig, _: u64) -> Self {
        Self {
            config,
            processes: BTreeMap::new(),
            outbox: Vec::new(),
            happened: 0,
        }
    }

    fn namespaces(config: &PlainConfig) -> Vec<String> {
        config.namespaces.clone()
    }

    fn advance(&mut self, _: Micros) {}

    fn stand_still(&mut self, _: Micros, _: Micros) {}

    /// There are no samples but `up`.
    fn scrape(
        &mut self,
        _: Micros,
        uid: &str,
        _: &mut dyn SampleSink,
    ) -> Result<(), NothingListens> {
        self.processes.get(uid).map(|_| ()).ok_or(NothingListens)
    }

    fn take_logs(&mut self) -> Vec<PodLogLine> {
        std::mem::take(&mut self.outbox)
    }

    fn digest(&self) -> u64 {
        self.happened
    }

    fn begin(
        &mut self,
        _: Micros,
        operation: &NoOperation,
    ) -> Result<Micros, <NoOperation as Operation>::Error> {
        match *operation {}
    }

    fn finish(&mut self, _: Micros, operation: &NoOperation) -> Done<NoOperation> {
        match *operation {}
    }
}
