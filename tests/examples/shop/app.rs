//! The shop: `front` asks `stock`, and neither stores anything. Its clients are an open loop.

use std::collections::BTreeMap;

use sim::application::{Application, Done, NoOperation, NothingListens, PodLogLine};
use sim::observe::SampleSink;
use sim::rng::Rng;
use sim::time::Micros;
use sim::workload::{
    ContainerResponse, ContainerStart, LogLine, ProcessId, StartOutcome, Workload,
};

pub(crate) const NAMESPACE: &str = "shop";
/// Between two requests, on average.
const GAP_US: u64 = 5_000;
/// From the start of a process until it serves.
const BOOT: Micros = Micros::from_millis(800);
/// From SIGTERM until it exits: longer than it takes to be out of the Service.
const DRAIN: Micros = Micros::from_secs(2);
/// The release of `front` that answers one request in ten with 500.
pub(crate) const BAD: &str = "2.0.0";

/// What clients saw in one second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Second {
    pub(crate) answered: u32,
    pub(crate) failed: u32,
}

/// A process in a pod.
struct Process {
    container: ContainerStart,
    ready_at: Micros,
    /// Requests that it answered: with 200, with 500.
    counts: [u64; 2],
    lines: Vec<LogLine>,
}

impl Process {
    fn version(&self) -> &str {
        let tag = self.container.image.rsplit_once(':');
        tag.map_or("?", |(_, version)| version)
    }

    fn expose(&self, sink: &mut dyn SampleSink) {
        sink.sample("shop_build_info", &[("version", self.version())], 1.0);
        for (code, count) in [("200", self.counts[0]), ("500", self.counts[1])] {
            #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
            sink.sample("shop_requests_total", &[("code", code)], count as f64);
        }
    }
}

/// The text format of `/metrics`.
#[derive(Default)]
struct Text(String);

impl SampleSink for Text {
    fn sample(&mut self, metric: &'static str, labels: &[(&'static str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
        self.0
            .push_str(&format!("{metric}{{{}}} {value}\n", labels.join(",")));
    }
}

/// The shop and its clients.
pub(crate) struct Shop {
    rng: Rng,
    processes: BTreeMap<String, Process>,
    /// Pods behind each Service, by UID.
    routes: BTreeMap<String, Vec<String>>,
    next_request: Micros,
    outbox: Vec<PodLogLine>,
    happened: u64,
    /// One for each second since the start.
    pub(crate) seconds: Vec<Second>,
}

impl Shop {
    /// Requests are caught up with lazily, in the order of their instants.
    fn catch_up(&mut self, now: Micros) {
        while self.next_request <= now {
            let at = self.next_request;
            self.next_request += Micros(self.rng.between(GAP_US / 2, GAP_US * 3 / 2));
            let second = usize::try_from(at.0 / 1_000_000).unwrap_or(usize::MAX);
            self.seconds.resize(second + 1, Second::default());
            let answered = self.request(at);
            let seen = &mut self.seconds[second];
            *(if answered {
                &mut seen.answered
            } else {
                &mut seen.failed
            }) += 1;
            self.happened = self.happened.rotate_left(5) ^ at.0 ^ u64::from(answered);
        }
    }

    /// A pod of the Service that serves at `at`.
    fn pick(&mut self, service: &str, at: Micros) -> Option<String> {
        let serves = |uid: &&String| self.processes.get(*uid).is_some_and(|it| it.ready_at <= at);
        let uids: Vec<&String> = self.routes.get(service)?.iter().filter(serves).collect();
        let nth = self.rng.below(uids.len().max(1) as u64);
        uids.get(usize::try_from(nth).ok()?)
            .map(|uid| (*uid).clone())
    }

    /// One request of a client; whether it was answered with 200.
    fn request(&mut self, at: Micros) -> bool {
        let (Some(front), stock) = (self.pick("front", at), self.pick("stock", at)) else {
            return false;
        };
        let unlucky = self.rng.ratio(1, 10);
        let Some(process) = self.processes.get_mut(&front) else {
            return false;
        };
        let good = stock.is_some() && !(unlucky && process.version() == BAD);
        process.counts[usize::from(!good)] += 1;
        if !good {
            self.log(&front, at, "error", "no price".to_owned());
        }
        good
    }

    fn log(&mut self, uid: &str, at: Micros, level: &'static str, text: String) {
        let Some(process) = self.processes.get_mut(uid) else {
            return;
        };
        process.lines.push(LogLine {
            at,
            text: format!("{level} {text}"),
        });
        let ContainerStart {
            namespace,
            pod,
            app,
            ..
        } = process.container.clone();
        self.outbox.push(PodLogLine {
            namespace,
            pod,
            uid: uid.to_owned(),
            app,
            level,
            at,
            text,
        });
    }
}

impl Workload for Shop {
    fn start(&mut self, now: Micros, container: &ContainerStart) -> StartOutcome {
        self.catch_up(now);
        let process = Process {
            container: container.clone(),
            ready_at: now + BOOT,
            counts: [0; 2],
            lines: Vec::new(),
        };
        self.processes.insert(container.uid.clone(), process);
        let text = format!("starting {}", container.image);
        self.log(&container.uid, now, "info", text);
        StartOutcome::Running
    }

    fn terminate(&mut self, now: Micros, _: ProcessId<'_>) -> Micros {
        self.catch_up(now);
        DRAIN
    }

    fn gone(&mut self, now: Micros, process: ProcessId<'_>) {
        self.catch_up(now);
        self.processes.remove(process.uid);
    }

    fn get(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        path: &str,
    ) -> Option<ContainerResponse> {
        self.catch_up(now);
        let process = self.processes.get(process.uid)?;
        let (status, body) = match path {
            "/metrics" => {
                let mut text = Text::default();
                process.expose(&mut text);
                (200, text.0)
            }
            _ if process.ready_at <= now => (200, "ok".to_owned()),
            _ => (503, "starting".to_owned()),
        };
        Some(ContainerResponse {
            status,
            content_type: "text/plain; charset=utf-8",
            body,
        })
    }

    fn logs(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        since: Micros,
        previous: bool,
    ) -> Vec<LogLine> {
        self.catch_up(now);
        let process = self.processes.get(process.uid).filter(|_| !previous);
        let lines = process.into_iter().flat_map(|process| &process.lines);
        lines.filter(|line| line.at >= since).cloned().collect()
    }

    fn route(&mut self, now: Micros, service: &str, uids: &[String]) {
        self.catch_up(now);
        self.routes.insert(service.to_owned(), uids.to_vec());
    }

    fn config(&mut self, _: Micros, _: &str, _: &BTreeMap<String, String>) {}
}

impl Application for Shop {
    /// When the clients begin.
    type Config = Micros;
    type Operation = NoOperation;

    fn new(begin_at: Micros, seed: u64) -> Self {
        Self {
            rng: Rng::derive(seed, "shop"),
            processes: BTreeMap::new(),
            routes: BTreeMap::new(),
            next_request: begin_at,
            outbox: Vec::new(),
            happened: 0,
            seconds: Vec::new(),
        }
    }

    fn namespaces(_: &Micros) -> Vec<String> {
        vec![NAMESPACE.to_owned()]
    }

    fn next_at(&self) -> Option<Micros> {
        None
    }

    fn advance(&mut self, now: Micros) {
        self.catch_up(now);
    }

    fn stand_still(&mut self, now: Micros, until: Micros) {
        self.catch_up(now);
        self.next_request = self.next_request.max(until);
    }

    fn held_up(&mut self, _: Micros) -> u64 {
        0
    }

    fn scrape(
        &mut self,
        now: Micros,
        uid: &str,
        sink: &mut dyn SampleSink,
    ) -> Result<(), NothingListens> {
        self.catch_up(now);
        self.processes.get(uid).ok_or(NothingListens)?.expose(sink);
        Ok(())
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
    ) -> Result<Micros, std::convert::Infallible> {
        match *operation {}
    }

    fn finish(&mut self, _: Micros, operation: &NoOperation) -> Done<NoOperation> {
        match *operation {}
    }

    fn fence(&self) -> Option<u64> {
        None
    }
}
