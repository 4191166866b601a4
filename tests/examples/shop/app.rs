//! The shop: `front` asks `stock`, and neither stores anything. Its clients are an open loop.

use std::collections::BTreeMap;

use firedrill::evidence::Second;
use sim::application::{Application, Done, NoOperation, NothingListens, PodLogLine};
use sim::observe::{SampleSink, SampleText};
use sim::rng::Rng;
use sim::time::Micros;
use sim::workload::{
    ContainerResponse, ContainerStart, LogLine, ProcessId, StartOutcome, Workload,
};

pub(crate) const NAMESPACE: &str = "shop";
/// From the start of a process until it serves.
const BOOT: Micros = Micros::from_millis(800);
/// From SIGTERM until it exits: longer than it takes to be out of the Service.
const DRAIN: Micros = Micros::from_secs(2);
/// The release of `front` that answers one request in ten with 500.
pub(crate) const BAD: &str = "2.0.0";

/// When the clients begin, and what passes between two requests on average.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) begin: Micros,
    pub(crate) gap_us: u64,
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

/// The shop and its clients.
pub(crate) struct Shop {
    clients: Clients,
    rng: Rng,
    processes: BTreeMap<String, Process>,
    /// Pods behind each Service, by UID.
    routes: BTreeMap<String, Vec<String>>,
    next_request: Micros,
    outbox: Vec<PodLogLine>,
    happened: u64,
    /// One for each second since the start.
    seconds: Vec<Second>,
}

impl Shop {
    /// What the clients saw up to `now`, second by second.
    pub(crate) fn seconds(&mut self, now: Micros) -> &[Second] {
        self.advance(now);
        &self.seconds
    }

    /// The version of the process in a pod.
    pub(crate) fn version(&self, uid: &str) -> Option<String> {
        Some(self.processes.get(uid)?.version().to_owned())
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
        if let Some(process) = self.processes.get_mut(uid) {
            let line = format!("{level} {text}");
            process.lines.push(LogLine { at, text: line });
            let line = PodLogLine::of(&process.container, level, at, text);
            self.outbox.push(line);
        }
    }
}

impl Workload for Shop {
    fn start(&mut self, now: Micros, container: &ContainerStart) -> StartOutcome {
        self.advance(now);
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
        self.advance(now);
        DRAIN
    }

    fn gone(&mut self, now: Micros, process: ProcessId<'_>) {
        self.advance(now);
        self.processes.remove(process.uid);
    }

    fn get(&mut self, now: Micros, id: ProcessId<'_>, path: &str) -> Option<ContainerResponse> {
        self.advance(now);
        let process = self.processes.get(id.uid)?;
        let mut metrics = SampleText::default();
        process.expose(&mut metrics);
        let (status, body) = match path {
            "/metrics" => (200, metrics.0),
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
        self.advance(now);
        let process = self.processes.get(process.uid).filter(|_| !previous);
        let lines = process.into_iter().flat_map(|process| &process.lines);
        lines.filter(|line| line.at >= since).cloned().collect()
    }

    fn route(&mut self, now: Micros, service: &str, uids: &[String]) {
        self.advance(now);
        self.routes.insert(service.to_owned(), uids.to_vec());
    }
}

impl Application for Shop {
    type Config = Clients;
    type Operation = NoOperation;

    fn new(clients: Clients, seed: u64) -> Self {
        Self {
            next_request: clients.begin,
            clients,
            rng: Rng::derive(seed, "shop"),
            processes: BTreeMap::new(),
            routes: BTreeMap::new(),
            outbox: Vec::new(),
            happened: 0,
            seconds: Vec::new(),
        }
    }

    fn namespaces(_: &Clients) -> Vec<String> {
        vec![NAMESPACE.to_owned()]
    }

    /// Requests are caught up with lazily, in the order of their instants.
    fn advance(&mut self, now: Micros) {
        while self.next_request <= now {
            let at = self.next_request;
            let gap = self.clients.gap_us;
            self.next_request += Micros(self.rng.between(gap / 2, gap * 3 / 2));
            let second = usize::try_from(at.0 / 1_000_000).unwrap_or(usize::MAX);
            self.seconds.resize(second + 1, Second::default());
            let answered = self.request(at);
            let seen = &mut self.seconds[second];
            seen.answered += u32::from(answered);
            seen.errors += u32::from(!answered);
            self.happened = self.happened.rotate_left(5) ^ at.0 ^ u64::from(answered);
        }
    }

    fn stand_still(&mut self, now: Micros, until: Micros) {
        self.advance(now);
        self.next_request = self.next_request.max(until);
    }

    fn scrape(
        &mut self,
        now: Micros,
        uid: &str,
        sink: &mut dyn SampleSink,
    ) -> Result<(), NothingListens> {
        self.advance(now);
        self.processes.get(uid).ok_or(NothingListens)?.expose(sink);
        Ok(())
    }

    fn take_logs(&mut self) -> Vec<PodLogLine> {
        std::mem::take(&mut self.outbox)
    }

    fn digest(&self) -> u64 {
        self.happened
    }

    fn begin(&mut self, _: Micros, it: &NoOperation) -> Result<Micros, std::convert::Infallible> {
        match *it {}
    }

    fn finish(&mut self, _: Micros, it: &NoOperation) -> Done<NoOperation> {
        match *it {}
    }
}
