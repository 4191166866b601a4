//! Functions over range vectors: each takes one series' samples within a window and yields one number or nothing.

use super::numbers::{mean, quantile, regression, sum, variance_over_time};
use crate::observe::tsdb::Point;

/// A function over a range vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeFn {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Resets,
    Changes,
    Avg,
    Sum,
    Min,
    Max,
    Count,
    Last,
    First,
    Stddev,
    Stdvar,
    Present,
    Quantile,
    Deriv,
    PredictLinear,
    Absent,
}

impl RangeFn {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "rate" => Self::Rate,
            "increase" => Self::Increase,
            "delta" => Self::Delta,
            "irate" => Self::Irate,
            "idelta" => Self::Idelta,
            "resets" => Self::Resets,
            "changes" => Self::Changes,
            "avg_over_time" => Self::Avg,
            "sum_over_time" => Self::Sum,
            "min_over_time" => Self::Min,
            "max_over_time" => Self::Max,
            "count_over_time" => Self::Count,
            "last_over_time" => Self::Last,
            "first_over_time" => Self::First,
            "stddev_over_time" => Self::Stddev,
            "stdvar_over_time" => Self::Stdvar,
            "present_over_time" => Self::Present,
            "quantile_over_time" => Self::Quantile,
            "deriv" => Self::Deriv,
            "predict_linear" => Self::PredictLinear,
            "absent_over_time" => Self::Absent,
            _ => return None,
        })
    }

    /// Where the range vector stands among the arguments: `quantile_over_time` has its number first.
    pub(super) fn matrix_at(self, arguments: usize) -> usize {
        match self {
            Self::PredictLinear => 0,
            _ => arguments.saturating_sub(1),
        }
    }

    /// Functions whose result still is a sample of the metric keep its name.
    pub(super) fn keeps_name(self) -> bool {
        matches!(self, Self::Last | Self::First)
    }
}

/// The window (start, end] of a range selector, in Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: i64,
}

/// The function's value for one series at `t` (Unix ms), `None` if the series has too few samples for it.
pub(super) fn apply(
    f: RangeFn,
    param: Option<f64>,
    points: &[Point],
    w: Window,
    t: i64,
) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    let values = || points.iter().map(|p| p.v);
    Some(match f {
        RangeFn::Rate => extrapolated(points, w, true, true)?,
        RangeFn::Increase => extrapolated(points, w, true, false)?,
        RangeFn::Delta => extrapolated(points, w, false, false)?,
        RangeFn::Irate => instant_delta(points, true)?,
        RangeFn::Idelta => instant_delta(points, false)?,
        RangeFn::Resets => points.windows(2).filter(|p| p[1].v < p[0].v).count() as f64,
        RangeFn::Changes => points
            .windows(2)
            .filter(|p| p[0].v != p[1].v && !(p[0].v.is_nan() && p[1].v.is_nan()))
            .count() as f64,
        RangeFn::Sum => sum(values()),
        RangeFn::Avg => mean(values()),
        RangeFn::Count => points.len() as f64,
        RangeFn::Min => values().fold(first.v, |m, v| if v < m || m.is_nan() { v } else { m }),
        RangeFn::Max => values().fold(first.v, |m, v| if v > m || m.is_nan() { v } else { m }),
        RangeFn::Last => last.v,
        RangeFn::First => first.v,
        RangeFn::Stddev => variance_over_time(values()).sqrt(),
        RangeFn::Stdvar => variance_over_time(values()),
        RangeFn::Present => 1.0,
        RangeFn::Quantile => quantile(param?, &mut values().collect::<Vec<_>>()),
        // Near the values in use, for the sake of accuracy.
        RangeFn::Deriv => regression(points, first.t)?.0,
        RangeFn::PredictLinear => {
            let (slope, now) = regression(points, t)?;
            slope * param? + now
        }
        RangeFn::Absent => return None,
    })
}

/// The change over the window, extrapolated to its edges (prometheus `functions.go`, extrapolatedRate).
///
/// A counter's drop is a reset: the value before it is added. What is extrapolated at each edge is the gap to
/// the edge if it is below 1.1 mean spacings, else half a spacing; a counter is not extrapolated to before it was zero.
/// The first sample only starts the measurement: what a new series begins with is not counted.
fn extrapolated(points: &[Point], w: Window, counter: bool, per_second: bool) -> Option<f64> {
    let [first, .., last] = points else {
        return None;
    };
    let mut delta = last.v - first.v;
    if counter {
        for pair in points.windows(2) {
            if pair[1].v < pair[0].v {
                delta += pair[0].v;
            }
        }
    }
    let seconds = |ms: i64| ms as f64 / 1_000.0;
    let sampled = seconds(last.t - first.t);
    let spacing = sampled / (points.len() - 1) as f64;
    let threshold = spacing * 1.1;
    let mut to_start = seconds(first.t - w.start);
    let mut to_end = seconds(w.end - last.t);
    if to_start >= threshold {
        to_start = spacing / 2.0;
    }
    if counter && delta > 0.0 && first.v >= 0.0 {
        let to_zero = sampled * (first.v / delta);
        to_start = to_start.min(to_zero);
    }
    if to_end >= threshold {
        to_end = spacing / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if per_second {
        factor /= seconds(w.end - w.start);
    }
    Some(delta * factor)
}

/// The change between the last two samples; per second, and aware of resets, if `rate`.
fn instant_delta(points: &[Point], rate: bool) -> Option<f64> {
    let [.., before, last] = points else {
        return None;
    };
    if last.t == before.t {
        return None;
    }
    let delta = if rate && last.v < before.v {
        last.v
    } else {
        last.v - before.v
    };
    Some(if rate {
        delta / ((last.t - before.t) as f64 / 1_000.0)
    } else {
        delta
    })
}
