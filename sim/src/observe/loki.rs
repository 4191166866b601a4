//! Loki: log lines by stream. `logql` is the language, `query` its evaluation, `api` the HTTP API.

mod api;
mod logql;
mod query;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::BTreeMap;

use super::labels::Labels;
use super::wire::unix_ns;
use crate::time::Micros;

/// One line.
#[derive(Debug)]
struct Entry {
    /// Timestamp in Unix nanoseconds.
    ns: i64,
    /// When queries begin to see it.
    visible: Micros,
    line: Box<str>,
}

/// The lines with one label set, oldest first; of lines with one timestamp the first that came is first.
#[derive(Debug)]
struct Stream {
    labels: Labels,
    entries: Vec<Entry>,
}

/// The simulated Loki server.
#[derive(Debug, Default)]
pub struct Loki {
    streams: Vec<Stream>,
    index: BTreeMap<BTreeMap<String, String>, usize>,
    ingestion_delay: Micros,
    /// From when on no line is hidden any more.
    all_visible: Micros,
    /// Answers that hidden lines would have changed.
    changed: Cell<u64>,
}

impl Loki {
    /// A server without lines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one line, written at `at`. Queries see it from `at` plus the ingestion delay on.
    pub fn push(&mut self, labels: &BTreeMap<String, String>, at: Micros, line: String) {
        self.insert(labels, unix_ns(at), at + self.ingestion_delay, line.into());
    }

    /// Fault or model: how long a line takes from being written to being found. Concerns lines pushed from now on.
    pub fn set_ingestion_delay(&mut self, delay: Micros) {
        self.ingestion_delay = delay;
    }

    /// How many answers to queries for lines or their numbers would have been others if every line that was written
    /// could be found.
    #[must_use]
    pub fn answers_changed(&self) -> u64 {
        self.changed.get()
    }

    /// Counts `answer`, given as of `now`, if `ask` gives another one with every line visible.
    fn compare<T: PartialEq>(&self, now: Micros, answer: &T, ask: impl FnOnce(Micros) -> T) {
        if now < self.all_visible && ask(Micros::MAX) != *answer {
            self.changed.set(self.changed.get() + 1);
        }
    }

    /// How many lines there are, visible or not.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.streams.iter().map(|s| s.entries.len()).sum()
    }

    fn insert(
        &mut self,
        labels: &BTreeMap<String, String>,
        ns: i64,
        visible: Micros,
        line: Box<str>,
    ) {
        let i = match self.index.get(labels) {
            Some(&i) => i,
            None => {
                let pairs = labels
                    .iter()
                    .map(|(k, v)| (k.as_str().into(), v.as_str().into()));
                self.streams.push(Stream {
                    labels: Labels::new(None, pairs),
                    entries: Vec::new(),
                });
                self.index.insert(labels.clone(), self.streams.len() - 1);
                self.streams.len() - 1
            }
        };
        let entries = &mut self.streams[i].entries;
        // Mostly the end; a line that comes late finds its place.
        let mut place = entries.len();
        if entries.last().is_some_and(|last| last.ns > ns) {
            place = entries.partition_point(|e| e.ns <= ns);
        }
        self.all_visible = self.all_visible.max(visible);
        entries.insert(place, Entry { ns, visible, line });
    }
}
