//! The series store of one drill.
//!
//! Series are never deleted (a drill is short), so a series' index is its identity and the number of
//! series is a generation: whoever has cached a selection need only look whether it grew.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{Labels, Str};
use super::matcher::{Matcher, accepts, pinned_name};

/// Bits of the NaN that marks the end of a series (prometheus `model/value/value.go`).
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The staleness marker.
#[must_use]
pub fn stale() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// Is this the staleness marker? Other NaNs are ordinary values.
#[inline]
#[must_use]
pub fn is_stale(v: f64) -> bool {
    v.to_bits() == STALE_BITS
}

/// One sample: Unix milliseconds and value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Unix time in milliseconds.
    pub t: i64,
    /// Value, or the staleness marker.
    pub v: f64,
}

/// Index of a series in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesId(u32);

#[derive(Debug)]
struct Series {
    labels: Labels,
    points: Vec<Point>,
}

/// All series of a drill.
#[derive(Debug, Default)]
pub struct Tsdb {
    series: Vec<Series>,
    by_labels: BTreeMap<Labels, SeriesId>,
    by_name: BTreeMap<Str, Vec<SeriesId>>,
    strings: BTreeSet<Str>,
}

impl Tsdb {
    /// The one copy of a string.
    pub fn intern(&mut self, s: &str) -> Str {
        if let Some(have) = self.strings.get(s) {
            return have.clone();
        }
        let new: Str = s.into();
        self.strings.insert(new.clone());
        new
    }

    /// The series with these labels, created if it is new.
    pub fn series(&mut self, labels: Labels) -> SeriesId {
        if let Some(&id) = self.by_labels.get(&labels) {
            return id;
        }
        let id = SeriesId(u32::try_from(self.series.len()).expect("fewer than 2^32 series"));
        if let Some(name) = labels.name() {
            self.by_name.entry(name.clone()).or_default().push(id);
        }
        self.by_labels.insert(labels.clone(), id);
        self.series.push(Series {
            labels,
            points: Vec::with_capacity(64),
        });
        id
    }

    /// Appends a sample. A sample that is not newer than the series' last is refused, as Prometheus
    /// refuses duplicates and samples out of order; returns whether it was taken.
    #[inline]
    pub fn append(&mut self, id: SeriesId, t: i64, v: f64) -> bool {
        let points = &mut self.series[id.0 as usize].points;
        if points.last().is_some_and(|last| last.t >= t) {
            return false;
        }
        points.push(Point { t, v });
        true
    }

    /// How many series there are: the generation of cached selections.
    #[must_use]
    pub fn generation(&self) -> usize {
        self.series.len()
    }

    /// How many samples there are, markers included.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.series.iter().map(|s| s.points.len()).sum()
    }

    /// Labels of a series.
    #[must_use]
    pub fn labels(&self, id: SeriesId) -> &Labels {
        &self.series[id.0 as usize].labels
    }

    /// The series that all matchers accept, in order of creation.
    #[must_use]
    pub fn select(&self, matchers: &[Matcher]) -> Vec<SeriesId> {
        let accepted = |id: &SeriesId| accepts(matchers, self.labels(*id));
        match pinned_name(matchers) {
            Some(name) => self.by_name.get(name).map_or_else(Vec::new, |ids| {
                ids.iter().copied().filter(accepted).collect()
            }),
            None => (0..self.series.len() as u32)
                .map(SeriesId)
                .filter(accepted)
                .collect(),
        }
    }

    /// The newest sample at or before `at`, whatever its age; may be a marker.
    #[inline]
    #[must_use]
    pub fn latest(&self, id: SeriesId, at: i64) -> Option<Point> {
        let points = &self.series[id.0 as usize].points;
        // Queries mostly look at the present: try the end before searching.
        match points.last() {
            None => None,
            Some(last) if last.t <= at => Some(*last),
            Some(_) => {
                let n = points.partition_point(|p| p.t <= at);
                n.checked_sub(1).map(|i| points[i])
            }
        }
    }

    /// The samples later than `after` and not later than `until`, markers included.
    #[must_use]
    pub fn range(&self, id: SeriesId, after: i64, until: i64) -> &[Point] {
        let points = &self.series[id.0 as usize].points;
        if points.last().is_none_or(|last| last.t <= after) {
            return &[];
        }
        let from = points.partition_point(|p| p.t <= after);
        let to = from + points[from..].partition_point(|p| p.t <= until);
        &points[from..to]
    }
}

#[cfg(test)]
mod tests {
    use super::{Labels, Matcher, Point, Tsdb, is_stale, stale};

    #[test]
    fn only_the_marker_is_stale() {
        assert!(is_stale(stale()));
        assert!(stale().is_nan());
        assert!(!is_stale(f64::NAN));
    }

    #[test]
    fn ranges_are_left_open_and_right_closed() {
        let mut db = Tsdb::default();
        let id = db.series(Labels::of(&[("__name__", "m")]));
        for t in [10, 20, 30, 40] {
            assert!(db.append(id, t, t as f64));
        }
        assert!(!db.append(id, 40, 1.0), "duplicate timestamp");
        assert!(!db.append(id, 39, 1.0), "out of order");
        let times = |a, b| db.range(id, a, b).iter().map(|p| p.t).collect::<Vec<_>>();
        assert_eq!(times(10, 30), [20, 30]);
        assert_eq!(times(9, 10), [10]);
        assert_eq!(times(40, 99), [0_i64; 0]);
        assert_eq!(times(0, 9), [0_i64; 0]);
        assert_eq!(db.latest(id, 35), Some(Point { t: 30, v: 30.0 }));
        assert_eq!(db.latest(id, 9), None);
        assert_eq!(db.latest(id, 1_000), Some(Point { t: 40, v: 40.0 }));
    }

    #[test]
    fn selection_works_with_and_without_a_metric_name() {
        let mut db = Tsdb::default();
        for (name, pod) in [("a", "x"), ("b", "x"), ("a", "y")] {
            db.series(Labels::of(&[("__name__", name), ("pod", pod)]));
        }
        let again = db.series(Labels::of(&[("pod", "y"), ("__name__", "a")]));
        assert_eq!(db.generation(), 3);
        let pick = |label: &str, op: &str, v: &str| {
            let m = [Matcher::new(label, op, v).unwrap()];
            db.select(&m)
                .iter()
                .map(|id| db.labels(*id).to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            pick("__name__", "=", "a"),
            [r#"a{pod="x"}"#, r#"a{pod="y"}"#]
        );
        assert_eq!(pick("pod", "=", "x"), [r#"a{pod="x"}"#, r#"b{pod="x"}"#]);
        assert_eq!(
            pick("__name__", "=~", ".*"),
            [r#"a{pod="x"}"#, r#"b{pod="x"}"#, r#"a{pod="y"}"#]
        );
        assert_eq!(db.labels(again).get("pod"), "y");
    }
}
