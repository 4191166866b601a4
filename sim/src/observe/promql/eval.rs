//! Evaluation of a plan at one instant.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::QueryError;
use super::aggregate::{Param, aggregate};
use super::binary;
use super::instant_fn;
use super::plan::{At, Node, Plan, Selector, When};
use super::range_fn::{self, RangeFn, Window};
use crate::observe::labels::{Labels, Str};
use crate::observe::tsdb::{Point, SeriesId, Tsdb, is_stale};

/// How far an instant selector looks back (prometheus `promql/engine.go`), in milliseconds.
pub const LOOKBACK_MS: i64 = 300_000;

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub v: f64,
}

/// One series of a range vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Range<'a> {
    /// Its labels.
    pub labels: Labels,
    /// Its samples, oldest first, without markers.
    pub points: Cow<'a, [Point]>,
}

/// What an expression yields.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// One number.
    Scalar(f64),
    /// One sample for each series.
    Vector(Vec<Sample>),
    /// Several samples for each series.
    Matrix(Vec<Range<'a>>),
    /// A string literal.
    String(String),
}

/// The series that a plan's selectors choose, cached until new series appear.
#[derive(Debug, Default)]
pub struct Selections {
    generation: Option<usize>,
    ids: Vec<Vec<SeriesId>>,
}

impl Selections {
    /// Brings the selections up to date with the store.
    pub fn refresh(&mut self, plan: &Plan, db: &Tsdb) {
        if self.generation != Some(db.generation()) {
            self.ids = plan.selectors.iter().map(|m| db.select(m)).collect();
            self.generation = Some(db.generation());
        }
    }
}

/// Everything that an evaluation reads.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The store.
    pub db: &'a Tsdb,
    /// Which series the selectors choose; refreshed.
    pub selections: &'a Selections,
    /// Samples later than this (Unix ms) are not visible yet: ingestion lags.
    pub horizon: i64,
    /// First instant of the query, for `@ start()`.
    pub start: i64,
    /// Last instant of the query, for `@ end()`.
    pub end: i64,
    /// Step of subqueries that name none, in ms: the global evaluation interval.
    pub default_step_ms: i64,
}

/// The value of the plan at `t` (Unix ms).
///
/// # Errors
/// The evaluation fails, for instance because matching is ambiguous.
pub fn evaluate<'a>(plan: &Plan, cx: Context<'a>, t: i64) -> Result<Value<'a>, QueryError> {
    cx.eval(&plan.root, t)
}

pub(super) fn fail<T>(why: impl Into<String>) -> Result<T, QueryError> {
    Err(QueryError::Execution(why.into()))
}

/// Refuses two samples with the same labels.
pub(super) fn check_unique(samples: &[Sample]) -> Result<(), QueryError> {
    let unique: BTreeSet<&Labels> = samples.iter().map(|s| &s.labels).collect();
    if unique.len() == samples.len() {
        Ok(())
    } else {
        fail("vector cannot contain metrics with the same labelset")
    }
}

/// Drops the metric names, and refuses what can't be told apart without them.
pub(super) fn drop_names(samples: &mut [Sample]) -> Result<(), QueryError> {
    let first: Option<Str> = samples.first().and_then(|s| s.labels.name().cloned());
    let mut mixed = false;
    for s in &mut *samples {
        mixed |= s.labels.name() != first.as_ref();
        s.labels.drop_name();
    }
    if mixed { check_unique(samples) } else { Ok(()) }
}

impl<'a> Context<'a> {
    pub(super) fn eval(&self, node: &Node, t: i64) -> Result<Value<'a>, QueryError> {
        Ok(match node {
            Node::Number(n) => Value::Scalar(*n),
            Node::String(s) => Value::String(s.clone()),
            Node::Vector(s) => Value::Vector(self.instant(s, t, |p| p.v)),
            Node::Matrix(s, range_ms) => {
                let end = self.moment(&s.when, t);
                Value::Matrix(self.range(s, end - range_ms, end))
            }
            Node::Subquery {
                expr,
                range_ms,
                step_ms,
                when,
            } => {
                let end = self.moment(when, t);
                let step = step_ms.unwrap_or(self.default_step_ms);
                Value::Matrix(self.subquery(expr, end - range_ms, end, step)?)
            }
            Node::Negate(expr) => match self.eval(expr, t)? {
                Value::Scalar(v) => Value::Scalar(-v),
                Value::Vector(mut samples) => {
                    samples.iter_mut().for_each(|s| s.v = -s.v);
                    drop_names(&mut samples)?;
                    Value::Vector(samples)
                }
                _ => return fail("unary minus takes a scalar or an instant vector"),
            },
            Node::Binary {
                op,
                lhs,
                rhs,
                matching,
            } => match (self.eval(lhs, t)?, self.eval(rhs, t)?) {
                (Value::Scalar(l), Value::Scalar(r)) => Value::Scalar(op.scalars(l, r)),
                (Value::Vector(v), Value::Scalar(s)) => {
                    Value::Vector(binary::with_scalar(*op, v, s, false, matching.return_bool)?)
                }
                (Value::Scalar(s), Value::Vector(v)) => {
                    Value::Vector(binary::with_scalar(*op, v, s, true, matching.return_bool)?)
                }
                (Value::Vector(l), Value::Vector(r)) => {
                    Value::Vector(binary::vectors(*op, l, r, matching)?)
                }
                _ => return fail("binary operators take scalars and instant vectors"),
            },
            Node::Aggregate {
                op,
                param,
                expr,
                grouping,
            } => {
                let samples = self.vector(expr, t)?;
                let param = match param.as_deref() {
                    None => Param::None,
                    Some(Node::String(label)) => Param::Label(label),
                    Some(p) => Param::Number(self.scalar(p, t)?),
                };
                Value::Vector(aggregate(*op, param, samples, grouping)?)
            }
            Node::Range {
                f,
                param,
                matrix,
                pinned,
            } => {
                let param = param.as_deref().map(|p| self.scalar(p, t)).transpose()?;
                Value::Vector(self.range_call(*f, param, matrix, pinned, t)?)
            }
            Node::Call { f, args, pinned } => instant_fn::call(self, *f, args, pinned, t)?,
        })
    }

    /// The value of a node that must be an instant vector.
    pub(super) fn vector(&self, node: &Node, t: i64) -> Result<Vec<Sample>, QueryError> {
        match self.eval(node, t)? {
            Value::Vector(v) => Ok(v),
            _ => fail("expected an instant vector"),
        }
    }

    /// The value of a node that must be a scalar.
    pub(super) fn scalar(&self, node: &Node, t: i64) -> Result<f64, QueryError> {
        match self.eval(node, t)? {
            Value::Scalar(v) => Ok(v),
            _ => fail("expected a scalar"),
        }
    }

    fn moment(&self, when: &When, t: i64) -> i64 {
        let base = match when.at {
            None => t,
            Some(At::Start) => self.start,
            Some(At::End) => self.end,
            Some(At::Ms(ms)) => ms,
        };
        base - when.offset_ms
    }

    /// The selector's instant vector at `t`; `value` picks what of the sample is the value.
    pub(super) fn instant(
        &self,
        selector: &Selector,
        t: i64,
        value: impl Fn(Point) -> f64,
    ) -> Vec<Sample> {
        let at = self.moment(&selector.when, t);
        let visible = at.min(self.horizon);
        let ids = &self.selections.ids[selector.index];
        let mut out = Vec::with_capacity(ids.len());
        for &id in ids {
            if let Some(p) = self.db.latest(id, visible)
                && p.t > at - LOOKBACK_MS
                && !is_stale(p.v)
            {
                out.push(Sample {
                    labels: self.db.labels(id).clone(),
                    v: value(p),
                });
            }
        }
        out
    }

    fn points(&self, id: SeriesId, start: i64, end: i64) -> Cow<'a, [Point]> {
        let points = self.db.range(id, start, end.min(self.horizon));
        if points.iter().any(|p| is_stale(p.v)) {
            Cow::Owned(points.iter().filter(|p| !is_stale(p.v)).copied().collect())
        } else {
            Cow::Borrowed(points)
        }
    }

    fn range(&self, selector: &Selector, start: i64, end: i64) -> Vec<Range<'a>> {
        let ids = self.selections.ids[selector.index].iter();
        ids.filter_map(|&id| {
            let points = self.points(id, start, end);
            (!points.is_empty()).then(|| Range {
                labels: self.db.labels(id).clone(),
                points,
            })
        })
        .collect()
    }

    /// Evaluates `expr` at the multiples of `step` in (start, end].
    fn subquery(
        &self,
        expr: &Node,
        start: i64,
        end: i64,
        step: i64,
    ) -> Result<Vec<Range<'a>>, QueryError> {
        let mut series: Vec<(Labels, Vec<Point>)> = Vec::new();
        let mut t = (start.div_euclid(step) + 1) * step;
        while t <= end {
            let samples = match self.eval(expr, t)? {
                Value::Vector(samples) => samples,
                Value::Scalar(v) => vec![Sample {
                    labels: Labels::default(),
                    v,
                }],
                _ => return fail("a subquery takes an instant vector"),
            };
            for s in samples {
                let point = Point { t, v: s.v };
                match series.iter_mut().find(|(l, _)| *l == s.labels) {
                    Some((_, points)) => points.push(point),
                    None => series.push((s.labels, vec![point])),
                }
            }
            t += step;
        }
        Ok(series
            .into_iter()
            .map(|(labels, points)| Range {
                labels,
                points: Cow::Owned(points),
            })
            .collect())
    }

    fn range_call(
        &self,
        f: RangeFn,
        param: Option<f64>,
        matrix: &Node,
        pinned: &[(Str, Str)],
        t: i64,
    ) -> Result<Vec<Sample>, QueryError> {
        let (when, range_ms) = match matrix {
            Node::Matrix(s, range_ms) => (&s.when, *range_ms),
            Node::Subquery { when, range_ms, .. } => (when, *range_ms),
            _ => return fail("expected a range vector"),
        };
        let end = self.moment(when, t);
        let window = Window {
            start: end - range_ms,
            end,
        };
        let mut out = Vec::new();
        let mut present = false;
        let mut each = |labels: &Labels, points: &[Point]| {
            present |= !points.is_empty();
            if let Some(v) = range_fn::apply(f, param, points, window, t) {
                out.push(Sample {
                    labels: labels.clone(),
                    v,
                });
            }
        };
        if let Node::Matrix(s, _) = matrix {
            let ids = &self.selections.ids[s.index];
            for &id in ids {
                let points = self.points(id, window.start, window.end);
                if !points.is_empty() {
                    each(self.db.labels(id), &points);
                }
            }
        } else if let Value::Matrix(series) = self.eval(matrix, t)? {
            series.iter().for_each(|r| each(&r.labels, &r.points));
        }
        if f == RangeFn::Absent {
            return Ok(if present {
                Vec::new()
            } else {
                vec![Sample {
                    labels: Labels::new(None, pinned.iter().cloned()),
                    v: 1.0,
                }]
            });
        }
        if !f.keeps_name() {
            drop_names(&mut out)?;
        }
        Ok(out)
    }
}
