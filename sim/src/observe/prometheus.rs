//! Prometheus: service discovery, scrape loops, staleness, faults. Its HTTP API is in `api`.
//!
//! ```text
//!  ScrapeSource ──targets──▶ loops ──samples──▶ tsdb ◀──queries── handle(request)
//! ```
//!
//! Rules from prometheus `scrape/scrape.go`, `scrape/target.go` and `discovery/manager.go`. The times of
//! a target's scrapes are fixed by its identity: its hash modulo the interval, on a grid pinned to absolute time.

mod api;

use std::collections::BTreeMap;

use super::promql::eval::Selections;
use super::scrape::{Loop, ScrapeError, ScrapeFault, ScrapeSource, Target};
use super::tsdb::{SeriesId, Tsdb, stale};
use super::wire::unix_ms;
use crate::time::Micros;

/// How Prometheus is configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// Label `job` of every target.
    pub job: String,
    /// Time between two scrapes of a target.
    pub interval: Micros,
    /// How long a scrape may take.
    pub timeout: Micros,
    /// How often changes of the targets are taken notice of (5 s in `discovery/manager.go`).
    pub discovery_interval: Micros,
    /// Step of subqueries that name none.
    pub evaluation_interval: Micros,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            job: "kubernetes-pods".to_owned(),
            interval: Micros::from_secs(2),
            timeout: Micros::from_secs(1),
            discovery_interval: Micros::from_secs(5),
            evaluation_interval: Micros::from_secs(60),
        }
    }
}

/// Series of a target that is gone, to be marked stale.
#[derive(Debug)]
struct Retired {
    /// When the markers are written.
    due: Micros,
    /// The timestamp that they get.
    stamp: Micros,
    series: Vec<SeriesId>,
}

/// The simulated Prometheus server.
#[derive(Debug)]
pub struct Prometheus {
    config: Config,
    seed: u64,
    db: Tsdb,
    loops: Vec<Loop>,
    retired: Vec<Retired>,
    generation: Option<u64>,
    next_discovery: Micros,
    ingestion_delay: Micros,
    /// With the number of scrapes that each has broken.
    faults: BTreeMap<String, (ScrapeFault, u64)>,
    selections: BTreeMap<String, Selections>,
}

impl Prometheus {
    /// A server without targets or samples. Panics if an interval is below a millisecond. The seed shifts the scrape
    /// times, as each real server's own seed does.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        let intervals = [
            config.interval,
            config.discovery_interval,
            config.evaluation_interval,
        ];
        assert!(
            intervals.iter().all(|i| i.as_millis() > 0),
            "intervals must be at least a millisecond"
        );
        Self {
            config,
            seed,
            db: Tsdb::default(),
            loops: Vec::new(),
            retired: Vec::new(),
            generation: None,
            next_discovery: Micros::ZERO,
            ingestion_delay: Micros::ZERO,
            faults: BTreeMap::new(),
            selections: BTreeMap::new(),
        }
    }

    /// When [`Self::advance`] has something to do next.
    #[must_use]
    pub fn next_at(&self) -> Option<Micros> {
        let scrapes = self.loops.iter().map(|l| l.next);
        let markers = self.retired.iter().map(|r| r.due);
        scrapes.chain(markers).chain([self.next_discovery]).min()
    }

    /// Does everything that is due at or before `now`.
    pub fn advance(&mut self, now: Micros, source: &mut dyn ScrapeSource) {
        while let Some(at) = self.next_at().filter(|at| *at <= now) {
            self.write_markers(at);
            if self.next_discovery <= at {
                self.next_discovery += self.config.discovery_interval;
                self.discover(at, source);
            }
            for i in 0..self.loops.len() {
                if self.loops[i].next <= at {
                    self.scrape(i, now, source);
                }
            }
        }
    }

    /// Fault: the server stands still until `until`. Ticks that it misses are dropped, as a Go ticker drops them;
    /// nothing is scraped for them later.
    pub fn stand_still(&mut self, until: Micros) {
        let missed = |next: Micros, every: Micros| {
            let ticks = until.saturating_sub(next).0.div_ceil(every.0.max(1));
            next + Micros(ticks * every.0)
        };
        for scrape_loop in &mut self.loops {
            scrape_loop.next = missed(scrape_loop.next, self.config.interval);
        }
        self.next_discovery = missed(self.next_discovery, self.config.discovery_interval);
        for retired in &mut self.retired {
            retired.due = retired.due.max(until);
        }
    }

    /// The store, for oracles and tests.
    #[must_use]
    pub fn tsdb(&self) -> &Tsdb {
        &self.db
    }

    /// Fault: breaks the scrapes of one pod (by name) from its next scrape on, or of all pods of an app (by app label).
    /// `None` lifts it. A fault of a pod goes before one of its app.
    /// Says how many scrapes the fault that was there has broken.
    pub fn set_scrape_fault(&mut self, pod_or_app: &str, fault: Option<ScrapeFault>) -> u64 {
        let before = match fault {
            Some(fault) => self.faults.insert(pod_or_app.to_owned(), (fault, 0)),
            None => self.faults.remove(pod_or_app),
        };
        before.map_or(0, |(_, broken)| broken)
    }

    /// Fault: queries see a sample only this long after its timestamp. Samples that were visible vanish again when
    /// the delay grows, as they do behind a lagging remote read.
    pub fn set_ingestion_delay(&mut self, delay: Micros) {
        self.ingestion_delay = delay;
    }

    fn write_markers(&mut self, at: Micros) {
        let db = &mut self.db;
        self.retired.retain(|r| {
            let due = r.due <= at;
            if due {
                for id in &r.series {
                    // Refused where the series went on meanwhile, and rightly so.
                    db.append(*id, unix_ms(r.stamp), stale());
                }
            }
            !due
        });
    }

    fn discover(&mut self, at: Micros, source: &mut dyn ScrapeSource) {
        let generation = source.generation();
        if self.generation == Some(generation) {
            return;
        }
        self.generation = Some(generation);
        let targets = source.targets();
        let interval = self.config.interval;
        let mut kept = Vec::with_capacity(targets.len());
        for l in std::mem::take(&mut self.loops) {
            if targets.contains(&l.target) {
                kept.push(l);
            } else {
                // The loop waits for the scrape that will be missed, one more, and a tenth of an interval.
                self.retired.push(Retired {
                    due: l.next + interval + Micros(interval.0 / 10),
                    stamp: l.next,
                    series: l.live_series(),
                });
            }
        }
        self.loops = kept;
        for target in targets {
            if !self.loops.iter().any(|l| l.target == target) {
                let next = self.first_scrape(at, &target);
                self.loops
                    .push(Loop::new(&mut self.db, target, &self.config.job, next));
            }
        }
    }

    /// The first instant after `at` on the target's own grid.
    fn first_scrape(&self, at: Micros, target: &Target) -> Micros {
        let interval = self.config.interval.0;
        let step = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        let identity = [&target.instance, &target.pod, &target.namespace];
        let hash = identity
            .iter()
            .flat_map(|s| s.bytes())
            .fold(0xcbf2_9ce4_8422_2325, step);
        let offset = (hash ^ self.seed) % interval;
        let into = at.0 % interval;
        let wait = (interval - into + offset) % interval;
        at + Micros(if wait == 0 { interval } else { wait })
    }

    fn scrape(&mut self, i: usize, now: Micros, source: &mut dyn ScrapeSource) {
        let scrape_loop = &mut self.loops[i];
        let at = scrape_loop.next;
        scrape_loop.next = at + self.config.interval;
        let Target { pod, app, .. } = &scrape_loop.target;
        let key = if self.faults.contains_key(pod) {
            pod
        } else {
            app
        };
        let fault = self.faults.get_mut(key).map(|(fault, broken)| {
            *broken += 1;
            *fault
        });
        let broken = match fault {
            Some(ScrapeFault::Dropped) => return,
            Some(ScrapeFault::Unreachable) => Some(ScrapeError::Timeout),
            Some(ScrapeFault::NoMetrics) => Some(ScrapeError::Status(404)),
            None => None,
        };
        scrape_loop.scrape(
            &mut self.db,
            at,
            unix_ms(at),
            self.config.timeout,
            |uid, sink| match broken {
                Some(error) => Err(error),
                None => source.scrape(now, uid, sink),
            },
        );
    }
}

#[cfg(test)]
mod tests;
