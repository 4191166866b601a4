//! One target's scrapes: how what a pod exposes becomes samples.
//!
//! A target exposes its samples in the same order every time, so each position remembers its series;
//! a scrape then costs a few comparisons and one append per sample. A sample that is missing where the
//! previous scrape had it gets a staleness marker (prometheus `scrape/scrape.go`).

use thiserror::Error;

use super::labels::{Labels, Str};
use super::tsdb::{SeriesId, Tsdb, stale};
use crate::time::Micros;

/// Something that can be scraped: a pod, from when it has an address until it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Pod UID, unique for ever: identifies the target.
    pub uid: String,
    /// Label `namespace`.
    pub namespace: String,
    /// Label `pod`.
    pub pod: String,
    /// Label `app`.
    pub app: String,
    /// Label `instance`: address and port.
    pub instance: String,
}

/// Why a scrape brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScrapeError {
    /// Nothing listens on the port.
    #[error("connection refused")]
    Refused,
    /// No whole answer within the scrape timeout.
    #[error("context deadline exceeded")]
    Timeout,
    /// An answer, but not 200.
    #[error("server returned HTTP status {0}")]
    Status(u16),
}

/// A fault of a target's scrapes, from the next scrape on until it is lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrapeFault {
    /// Prometheus can't reach the target: `up` is 0, its series get markers.
    Unreachable,
    /// The target lost its metrics endpoint (404): `up` is 0, its series get markers.
    NoMetrics,
    /// The scrape is lost without a trace: no `up`, no markers, queries see the old samples until the lookback ends.
    Dropped,
}

/// Where samples go during a scrape.
pub trait SampleSink {
    /// One sample. Call in the same order in every scrape of a target.
    fn sample(&mut self, metric: &'static str, labels: &[(&'static str, &str)], value: f64);
}

/// Samples in the text format of Prometheus, as a process answers `/metrics`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleText(pub String);

impl SampleSink for SampleText {
    fn sample(&mut self, metric: &'static str, labels: &[(&'static str, &str)], value: f64) {
        use std::fmt::Write as _;
        let labels: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={value:?}"))
            .collect();
        // Writing to a String can't fail.
        let _ = writeln!(self.0, "{metric}{{{}}} {value}", labels.join(","));
    }
}

/// The world as service discovery and the scraper see it.
pub trait ScrapeSource {
    /// Changes whenever [`Self::targets`] would return something else.
    fn generation(&self) -> u64;
    /// All targets, in a stable order.
    fn targets(&mut self) -> Vec<Target>;
    /// What the target exposes at `now`.
    ///
    /// # Errors
    /// The target did not answer with metrics. Nothing must have gone to the sink then.
    fn scrape(
        &mut self,
        now: Micros,
        uid: &str,
        sink: &mut dyn SampleSink,
    ) -> Result<(), ScrapeError>;
}

/// A target's series by position.
#[derive(Debug)]
struct Slot {
    metric: &'static str,
    labels: Box<[(&'static str, Box<str>)]>,
    id: SeriesId,
}

impl Slot {
    #[inline]
    fn is(&self, metric: &'static str, labels: &[(&'static str, &str)]) -> bool {
        (std::ptr::eq(self.metric, metric) || self.metric == metric)
            && self.labels.len() == labels.len()
            && self
                .labels
                .iter()
                .zip(labels)
                .all(|(a, b)| (std::ptr::eq(a.0, b.0) || a.0 == b.0) && *a.1 == *b.1)
    }
}

/// The state of a target's scrape loop.
#[derive(Debug)]
pub(crate) struct Loop {
    /// The target.
    pub(crate) target: Target,
    /// When the next scrape is due.
    pub(crate) next: Micros,
    /// When the last scrape was, and what came of it.
    pub(crate) last: Option<(Micros, Result<(), ScrapeError>)>,
    /// How long the last scrape took, in seconds.
    pub(crate) duration_s: f64,
    target_labels: Vec<(Str, Str)>,
    slots: Vec<Slot>,
    /// How many slots the last scrape filled.
    present: usize,
    report: [SeriesId; 3],
}

/// How long a scrape that succeeds is recorded to take: what a small exposition costs inside a cluster.
const SCRAPE_DURATION_S: f64 = 0.002;

impl Loop {
    pub(crate) fn new(db: &mut Tsdb, target: Target, job: &str, next: Micros) -> Self {
        let target_labels: Vec<(Str, Str)> = [
            ("app", target.app.as_str()),
            ("instance", &target.instance),
            ("job", job),
            ("namespace", &target.namespace),
            ("pod", &target.pod),
        ]
        .into_iter()
        .map(|(k, v)| (db.intern(k), db.intern(v)))
        .collect();
        let report = ["up", "scrape_duration_seconds", "scrape_samples_scraped"].map(|name| {
            let name = db.intern(name);
            db.series(Labels::new(Some(name), target_labels.iter().cloned()))
        });
        Self {
            target,
            next,
            last: None,
            duration_s: 0.0,
            target_labels,
            slots: Vec::with_capacity(48),
            present: 0,
            report,
        }
    }

    /// The labels that Prometheus gives to every series of the target.
    pub(crate) fn labels(&self) -> &[(Str, Str)] {
        &self.target_labels
    }

    /// Scrapes at `now`; samples get the timestamp `t` (Unix milliseconds).
    pub(crate) fn scrape(
        &mut self,
        db: &mut Tsdb,
        now: Micros,
        t: i64,
        timeout: Micros,
        fetch: impl FnOnce(&str, &mut dyn SampleSink) -> Result<(), ScrapeError>,
    ) {
        let uid = std::mem::take(&mut self.target.uid);
        let mut sink = Appender {
            db,
            of: self,
            t,
            filled: 0,
            before: None,
        };
        let result = fetch(&uid, &mut sink);
        let (filled, before) = (sink.filled, sink.before);
        self.target.uid = uid;
        debug_assert!(
            result.is_ok() || filled == 0,
            "a scrape that fails brings no samples"
        );
        let (up, kept) = match result {
            Ok(()) => (1.0, filled),
            Err(_) => (0.0, 0),
        };
        if before.is_some() || kept < self.present {
            // A sample of the previous scrape may be missing.
            let before =
                before.unwrap_or_else(|| self.slots[..self.present].iter().map(|s| s.id).collect());
            for id in before {
                if !self.slots[..kept].iter().any(|s| s.id == id) {
                    db.append(id, t, stale());
                }
            }
        }
        self.present = kept;
        self.duration_s = match result {
            Err(ScrapeError::Timeout) => timeout.as_secs_f64(),
            _ => SCRAPE_DURATION_S,
        };
        self.last = Some((now, result));
        for (id, v) in self
            .report
            .into_iter()
            .zip([up, self.duration_s, kept as f64])
        {
            db.append(id, t, v);
        }
    }

    /// The series to mark when the target goes away.
    pub(crate) fn live_series(&self) -> Vec<SeriesId> {
        let exposed = self.slots[..self.present].iter().map(|s| s.id);
        exposed.chain(self.report).collect()
    }
}

struct Appender<'a> {
    db: &'a mut Tsdb,
    of: &'a mut Loop,
    t: i64,
    filled: usize,
    /// The previous scrape's series, kept once a position holds another series than before.
    before: Option<Vec<SeriesId>>,
}

impl Appender<'_> {
    /// A series that this position did not hold before.
    #[cold]
    fn place(&mut self, metric: &'static str, labels: &[(&'static str, &str)]) -> SeriesId {
        if self.before.is_none() && self.filled < self.of.present {
            let before = self.of.slots[..self.of.present].iter();
            self.before = Some(before.map(|s| s.id).collect());
        }
        let name = self.db.intern(metric);
        let mut pairs = self.of.target_labels.clone();
        for (k, v) in labels {
            // The target's own labels win; what the pod says of them is kept under another name (honor_labels: false).
            let taken = self.of.target_labels.iter().any(|(have, _)| &**have == *k);
            let key = if taken {
                self.db.intern(&format!("exported_{k}"))
            } else {
                self.db.intern(k)
            };
            pairs.push((key, self.db.intern(v)));
        }
        let id = self.db.series(Labels::new(Some(name), pairs));
        let slot = Slot {
            metric,
            labels: labels.iter().map(|(k, v)| (*k, Box::from(*v))).collect(),
            id,
        };
        match self.of.slots.get_mut(self.filled) {
            Some(old) => *old = slot,
            None => self.of.slots.push(slot),
        }
        id
    }
}

impl SampleSink for Appender<'_> {
    #[inline]
    fn sample(&mut self, metric: &'static str, labels: &[(&'static str, &str)], value: f64) {
        let id = match self.of.slots.get(self.filled) {
            Some(slot) if slot.is(metric, labels) => slot.id,
            _ => self.place(metric, labels),
        };
        self.filled += 1;
        self.db.append(id, self.t, value);
    }
}
