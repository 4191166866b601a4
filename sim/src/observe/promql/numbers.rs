//! Arithmetic as Prometheus does it, to the last bit where that decides a comparison (prometheus `promql/functions.go`,
//! `promql/engine.go`, `promql/quantile.go` and `util/kahansum`, version 3.16).

use crate::observe::tsdb::Point;

/// A sum with Neumaier's compensation (prometheus `util/kahansum`).
#[derive(Clone, Copy, Debug)]
struct Compensated {
    sum: f64,
    /// What rounding has lost of the sum so far.
    lost: f64,
}

impl Compensated {
    const ZERO: Self = Self::of(0.0);

    const fn of(first: f64) -> Self {
        Self {
            sum: first,
            lost: 0.0,
        }
    }

    fn plus(self, v: f64) -> Self {
        let sum = self.sum + v;
        let lost = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= v.abs() {
            self.lost + ((self.sum - sum) + v)
        } else {
            self.lost + ((v - sum) + self.sum)
        };
        Self { sum, lost }
    }

    fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// The compensated sum of `values`.
pub(super) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values = values.into_iter();
    let first = Compensated::of(values.next().unwrap_or(0.0));
    values.fold(first, Compensated::plus).total()
}

/// The arithmetic mean: the compensated sum over the count. From the value on with which that sum would overflow, the
/// mean is carried on value by value instead. NaN for no values.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values = values.into_iter();
    let Some(first) = values.next() else {
        return f64::NAN;
    };
    let (mut sum, mut count) = (Compensated::of(first), 1.0);
    while let Some(v) = values.next() {
        let next = sum.plus(v);
        count += 1.0;
        if next.sum.is_infinite() {
            let so_far = Compensated {
                sum: sum.sum / (count - 1.0),
                lost: sum.lost / (count - 1.0),
            };
            return mean_onwards(so_far, count, std::iter::once(v).chain(values));
        }
        sum = next;
    }
    sum.sum / count + sum.lost / count
}

/// Carries a mean on; `count` counts the first of `values`, too.
fn mean_onwards(so_far: Compensated, count: f64, values: impl Iterator<Item = f64>) -> f64 {
    let (mut mean, mut count) = (so_far, count);
    for v in values {
        let kept = (count - 1.0) / count;
        let scaled = Compensated {
            sum: kept * mean.sum,
            lost: kept * mean.lost,
        };
        mean = scaled.plus(v / count);
        count += 1.0;
    }
    mean.total()
}

/// The population variance of one series' samples, by Welford's method with compensated sums (`stdvar_over_time`).
pub(super) fn variance_over_time(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Compensated::ZERO, Compensated::ZERO);
    for v in values {
        count += 1.0;
        let delta = v - mean.total();
        mean = mean.plus(delta / count);
        squares = squares.plus(delta * (v - mean.total()));
    }
    squares.total() / count
}

/// The population variance across series, by Welford's method without compensation (the aggregation `stdvar`).
pub(super) fn variance_across(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values = values.into_iter();
    let mut mean = values.next().unwrap_or(f64::NAN);
    let (mut count, mut squares) = (1.0, if mean.is_finite() { 0.0 } else { f64::NAN });
    for v in values {
        count += 1.0;
        let delta = v - mean;
        mean += delta / count;
        squares += delta * (v - mean);
    }
    squares / count
}

/// The smaller of two numbers by the rules of Go's `math.Min`: -Inf wins over NaN, and NaN over everything else.
pub(super) fn min(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        // The negative zero is the smaller one.
        if a.is_sign_negative() { a } else { b }
    } else {
        a.min(b)
    }
}

/// The larger of two numbers by the rules of Go's `math.Max`: +Inf wins over NaN, and NaN over everything else.
pub(super) fn max(a: f64, b: f64) -> f64 {
    -min(-a, -b)
}

/// Quantile `q` of `values` by linear interpolation; sorts them. A rank that meets a value exactly is that value.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    // NaN sorts before every number.
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (values.len() - 1) as f64;
    let below = rank.floor();
    let weight = rank - below;
    let lower = values[below as usize];
    if weight == 0.0 {
        return lower;
    }
    let above = (below as usize + 1).min(values.len() - 1);
    lower * (1.0 - weight) + values[above] * weight
}

/// Slope per second and value at `at_ms` of the line of least squares through the samples.
/// A constant series has slope 0.
pub(super) fn regression(points: &[Point], at_ms: i64) -> Option<(f64, f64)> {
    let [first, _, ..] = points else { return None };
    if points.iter().all(|p| p.v == first.v) {
        let known = !first.v.is_infinite();
        return Some(if known {
            (0.0, first.v)
        } else {
            (f64::NAN, f64::NAN)
        });
    }
    let n = points.len() as f64;
    let x = |p: &Point| (p.t - at_ms) as f64 / 1_000.0;
    let total = |f: &dyn Fn(&Point) -> f64| {
        let summed = points.iter().map(f);
        summed.fold(Compensated::ZERO, Compensated::plus).total()
    };
    let (sum_x, sum_y) = (total(&x), total(&|p| p.v));
    let (sum_xy, sum_xx) = (total(&|p| x(p) * p.v), total(&|p| x(p) * x(p)));
    let slope = (sum_xy - sum_x * sum_y / n) / (sum_xx - sum_x * sum_x / n);
    Some((slope, sum_y / n - slope * sum_x / n))
}
