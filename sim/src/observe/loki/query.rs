//! Evaluation of LogQL.

use std::collections::BTreeMap;

use super::logql::{AggregateOp, Log, Metric, RangeFn};
use super::{Entry, Loki, Stream};
use crate::observe::labels::Labels;
use crate::observe::matcher::accepts;
use crate::time::Micros;

/// Which lines a log query wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// First Unix nanosecond.
    pub(super) start_ns: i64,
    /// First Unix nanosecond that is not wanted any more.
    pub(super) end_ns: i64,
    /// Most lines, of all streams together.
    pub(super) limit: usize,
    /// Oldest first.
    pub(super) forward: bool,
}

/// A stream's part of a result: its labels, and timestamp and text of its lines.
pub(super) type Lines<'a> = (&'a Labels, Vec<(i64, &'a str)>);

impl Loki {
    fn selected<'a, 'l>(&'a self, log: &'l Log) -> impl Iterator<Item = &'a Stream> + use<'a, 'l> {
        self.streams
            .iter()
            .filter(|s| accepts(&log.matchers, &s.labels))
    }

    /// The lines of each stream, in the direction asked for; streams in order of their first line.
    pub(super) fn lines_of(&self, now: Micros, log: &Log, wanted: Wanted) -> Vec<Lines<'_>> {
        let mut found: Vec<(&Labels, &Entry)> = Vec::new();
        for stream in self.selected(log) {
            let from = stream.entries.partition_point(|e| e.ns < wanted.start_ns);
            let until = stream.entries.partition_point(|e| e.ns < wanted.end_ns);
            let entries = stream.entries.get(from..until).unwrap_or_default().iter();
            found.extend(
                entries
                    .filter(|e| e.visible <= now && log.passes(&e.line))
                    .map(|e| (&stream.labels, e)),
            );
        }
        // Stable: lines with one timestamp keep the order of arrival, or its reverse.
        if wanted.forward {
            found.sort_by_key(|(_, e)| e.ns);
        } else {
            found.reverse();
            found.sort_by_key(|(_, e)| std::cmp::Reverse(e.ns));
        }
        let mut out: Vec<Lines<'_>> = Vec::new();
        for (labels, e) in found.into_iter().take(wanted.limit) {
            let line = (e.ns, &*e.line);
            match out.iter_mut().find(|(l, _)| *l == labels) {
                Some((_, lines)) => lines.push(line),
                None => out.push((labels, vec![line])),
            }
        }
        out
    }

    /// The samples of a metric query at the instant `t_ms` (Unix milliseconds).
    pub(super) fn metric(&self, now: Micros, metric: &Metric, t_ms: i64) -> BTreeMap<Labels, f64> {
        match metric {
            Metric::Range {
                f,
                log,
                range_ms,
                offset_ms,
            } => {
                // Before the epoch there are no lines, however long before.
                let end = (t_ms - offset_ms).saturating_mul(1_000_000);
                let start = end.saturating_sub(range_ms.saturating_mul(1_000_000));
                let mut out = BTreeMap::new();
                for stream in self.selected(log) {
                    // Left-open and right-closed, like Prometheus' ranges.
                    let from = stream.entries.partition_point(|e| e.ns <= start);
                    let (mut lines, mut bytes) = (0_u64, 0_u64);
                    for e in stream.entries[from..].iter().take_while(|e| e.ns <= end) {
                        if e.visible <= now && log.passes(&e.line) {
                            lines += 1;
                            bytes += e.line.len() as u64;
                        }
                    }
                    if lines > 0 {
                        let seconds = *range_ms as f64 / 1_000.0;
                        let v = match f {
                            RangeFn::Count => lines as f64,
                            RangeFn::Rate => lines as f64 / seconds,
                            RangeFn::Bytes => bytes as f64,
                            RangeFn::BytesRate => bytes as f64 / seconds,
                        };
                        out.insert(stream.labels.clone(), v);
                    }
                }
                out
            }
            Metric::Aggregate {
                op,
                by,
                labels,
                inner,
            } => {
                let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
                for (l, v) in self.metric(now, inner, t_ms) {
                    let key = if *by {
                        l.keep(labels)
                    } else {
                        l.remove(labels)
                    };
                    groups.entry(key).or_default().push(v);
                }
                groups
                    .into_iter()
                    .map(|(l, values)| (l, combine(*op, &values)))
                    .collect()
            }
            Metric::Compare {
                op,
                number,
                return_bool,
                inner,
            } => {
                let samples = self.metric(now, inner, t_ms).into_iter();
                samples
                    .filter_map(|(l, v)| match (op.holds(v, *number), return_bool) {
                        (holds, true) => Some((l, f64::from(u8::from(holds)))),
                        (true, false) => Some((l, v)),
                        (false, false) => None,
                    })
                    .collect()
            }
        }
    }
}

fn combine(op: AggregateOp, values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    match op {
        AggregateOp::Sum => sum,
        AggregateOp::Avg => sum / values.len() as f64,
        AggregateOp::Count => values.len() as f64,
        AggregateOp::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        AggregateOp::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}
