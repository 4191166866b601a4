//! Functions over instant vectors and scalars.

use std::collections::BTreeMap;

use super::QueryError;
use super::eval::{Context, Sample, Value, check_unique, drop_names, fail};
use super::plan::Node;
use crate::observe::labels::{Labels, Str};
use crate::observe::matcher::anchored;
use crate::sentinel::outside;

/// A function over instant vectors and scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InstantFn {
    Abs,
    Ceil,
    Floor,
    Sqrt,
    Exp,
    Ln,
    Log2,
    Log10,
    Sgn,
    Round,
    Clamp,
    ClampMin,
    ClampMax,
    HistogramQuantile,
    Scalar,
    Vector,
    Time,
    Absent,
    LabelReplace,
    LabelJoin,
    Sort,
    SortDesc,
    Timestamp,
}

impl InstantFn {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "abs" => Self::Abs,
            "ceil" => Self::Ceil,
            "floor" => Self::Floor,
            "sqrt" => Self::Sqrt,
            "exp" => Self::Exp,
            "ln" => Self::Ln,
            "log2" => Self::Log2,
            "log10" => Self::Log10,
            "sgn" => Self::Sgn,
            "round" => Self::Round,
            "clamp" => Self::Clamp,
            "clamp_min" => Self::ClampMin,
            "clamp_max" => Self::ClampMax,
            "histogram_quantile" => Self::HistogramQuantile,
            "scalar" => Self::Scalar,
            "vector" => Self::Vector,
            "time" => Self::Time,
            "absent" => Self::Absent,
            "label_replace" => Self::LabelReplace,
            "label_join" => Self::LabelJoin,
            "sort" => Self::Sort,
            "sort_desc" => Self::SortDesc,
            "timestamp" => Self::Timestamp,
            _ => return None,
        })
    }
}

fn map(mut samples: Vec<Sample>, f: impl Fn(f64) -> f64) -> Result<Vec<Sample>, QueryError> {
    samples.iter_mut().for_each(|s| s.v = f(s.v));
    drop_names(&mut samples)?;
    Ok(samples)
}

fn clamp(samples: Vec<Sample>, min: f64, max: f64) -> Result<Vec<Sample>, QueryError> {
    if max < min {
        return Ok(Vec::new());
    }
    let nan = min.is_nan() || max.is_nan();
    map(samples, |v| {
        if nan || v.is_nan() {
            f64::NAN
        } else {
            min.max(max.min(v))
        }
    })
}

fn strings(args: &[Node]) -> Result<Vec<&str>, QueryError> {
    args.iter()
        .map(|a| match a {
            Node::String(s) => Ok(s.as_str()),
            _ => fail("expected a string literal"),
        })
        .collect()
}

pub(super) fn call<'a>(
    cx: &Context<'a>,
    f: InstantFn,
    args: &[Node],
    pinned: &[(Str, Str)],
    t: i64,
) -> Result<Value<'a>, QueryError> {
    let arg = |i: usize| match args.get(i) {
        Some(a) => Ok(a),
        None => fail(format!("{f:?} needs more than {i} arguments")),
    };
    let vector = |i: usize| cx.vector(arg(i)?, t);
    let scalar = |i: usize| cx.scalar(arg(i)?, t);
    let mapped = |g: fn(f64) -> f64| map(vector(0)?, g);
    Ok(Value::Vector(match f {
        InstantFn::Abs => mapped(f64::abs)?,
        InstantFn::Ceil => mapped(f64::ceil)?,
        InstantFn::Floor => mapped(f64::floor)?,
        InstantFn::Sqrt => mapped(f64::sqrt)?,
        InstantFn::Exp => mapped(f64::exp)?,
        InstantFn::Ln => mapped(f64::ln)?,
        InstantFn::Log2 => mapped(f64::log2)?,
        InstantFn::Log10 => mapped(f64::log10)?,
        InstantFn::Sgn => mapped(|v| {
            if v == 0.0 || v.is_nan() {
                v
            } else {
                v.signum()
            }
        })?,
        InstantFn::Round => {
            let to = if args.len() > 1 { scalar(1)? } else { 1.0 };
            // The inverse first: fewer rounding errors. Ties go up.
            let inverse = 1.0 / to;
            map(vector(0)?, |v| (v * inverse + 0.5).floor() / inverse)?
        }
        InstantFn::Clamp => clamp(vector(0)?, scalar(1)?, scalar(2)?)?,
        InstantFn::ClampMin => clamp(vector(0)?, scalar(1)?, f64::INFINITY)?,
        InstantFn::ClampMax => clamp(vector(0)?, f64::NEG_INFINITY, scalar(1)?)?,
        InstantFn::HistogramQuantile => histogram_quantile(scalar(0)?, vector(1)?),
        InstantFn::Scalar => {
            return Ok(Value::Scalar(match vector(0)?.as_slice() {
                [only] => only.v,
                _ => f64::NAN,
            }));
        }
        InstantFn::Vector => vec![Sample {
            labels: Labels::default(),
            v: scalar(0)?,
        }],
        InstantFn::Time => return Ok(Value::Scalar(t as f64 / 1_000.0)),
        InstantFn::Absent => {
            if vector(0)?.is_empty() {
                vec![Sample {
                    labels: Labels::new(None, pinned.iter().cloned()),
                    v: 1.0,
                }]
            } else {
                Vec::new()
            }
        }
        InstantFn::LabelReplace => label_replace(vector(0)?, &strings(&args[1..])?)?,
        InstantFn::LabelJoin => label_join(vector(0)?, &strings(&args[1..])?)?,
        InstantFn::Sort | InstantFn::SortDesc => {
            let mut samples = vector(0)?;
            let falling = f == InstantFn::SortDesc;
            // NaN is last in either direction.
            samples.sort_by(|a, b| {
                let order = if falling {
                    b.v.total_cmp(&a.v)
                } else {
                    a.v.total_cmp(&b.v)
                };
                a.v.is_nan().cmp(&b.v.is_nan()).then(order)
            });
            samples
        }
        InstantFn::Timestamp => match arg(0)? {
            Node::Vector(selector) => {
                let mut samples = cx.instant(selector, t, |p| p.t as f64 / 1_000.0);
                drop_names(&mut samples)?;
                samples
            }
            _ => map(vector(0)?, |_| t as f64 / 1_000.0)?,
        },
    }))
}

/// Buckets of one classic histogram: upper bound and cumulative count.
type Buckets = Vec<(f64, f64)>;

fn histogram_quantile(q: f64, samples: Vec<Sample>) -> Vec<Sample> {
    let le = [Str::from("le")];
    let mut histograms: BTreeMap<Labels, Buckets> = BTreeMap::new();
    for s in samples {
        // A sample without a bound that can be read is no bucket.
        let Ok(bound) = s.labels.get("le").parse::<f64>() else {
            continue;
        };
        let mut key = s.labels.remove(&le);
        key.drop_name();
        histograms.entry(key).or_default().push((bound, s.v));
    }
    histograms
        .into_iter()
        .map(|(labels, buckets)| Sample {
            labels,
            v: bucket_quantile(q, buckets),
        })
        .collect()
}

/// Relative difference below which two cumulative counts are the same (prometheus `promql/quantile.go`).
const SMALL_DELTA: f64 = 1e-12;

fn almost_equal(a: f64, b: f64) -> bool {
    let (sum, diff) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < SMALL_DELTA
}

/// The quantile of a classic histogram: linear within a bucket, 0 as the lowest bound unless the first bucket is below it,
/// and the highest finite bound for what lies in the last bucket.
fn bucket_quantile(q: f64, mut buckets: Buckets) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    if buckets.last().is_none_or(|b| b.0 != f64::INFINITY) {
        return f64::NAN;
    }
    // The same bound written in two ways is one bucket.
    buckets.dedup_by(|b, a| {
        let same = a.0 == b.0;
        if same {
            a.1 += b.1;
        }
        same
    });
    // Counts are cumulative; scraping and float errors may make them fall.
    let mut reached = buckets[0].1;
    for b in &mut buckets[1..] {
        if almost_equal(reached, b.1) || b.1 < reached {
            b.1 = reached;
        }
        reached = b.1;
    }
    let [.., (highest, _), (_, observations)] = buckets[..] else {
        return f64::NAN;
    };
    if observations == 0.0 || observations.is_nan() {
        return f64::NAN;
    }
    let rank = q * observations;
    let finite = &buckets[..buckets.len() - 1];
    match finite.iter().position(|b| b.1 >= rank) {
        None => highest,
        Some(0) if finite[0].0 <= 0.0 => finite[0].0,
        Some(i) => {
            let (from, before) = i.checked_sub(1).map_or((0.0, 0.0), |p| finite[p]);
            let (to, count) = finite[i];
            from + (to - from) * ((rank - before) / (count - before))
        }
    }
}

fn label_replace(mut samples: Vec<Sample>, args: &[&str]) -> Result<Vec<Sample>, QueryError> {
    let &[dst, replacement, src, pattern] = args else {
        return fail("label_replace() takes a vector and four strings");
    };
    let Ok(regex) = anchored(pattern) else {
        return fail(format!(
            "invalid regular expression in label_replace(): {pattern}"
        ));
    };
    if !valid_label(dst) {
        return fail(format!(
            "invalid destination label name in label_replace(): {dst}"
        ));
    }
    for s in &mut samples {
        if let Some(found) = outside(|| regex.captures(s.labels.get(src))) {
            let mut value = String::new();
            found.expand(replacement, &mut value);
            s.labels = s.labels.with(dst, &value);
        }
    }
    check_unique(&samples)?;
    Ok(samples)
}

fn label_join(mut samples: Vec<Sample>, args: &[&str]) -> Result<Vec<Sample>, QueryError> {
    let [dst, separator, sources @ ..] = args else {
        return fail("label_join() takes a vector, a label, a separator and labels");
    };
    if !valid_label(dst) {
        return fail(format!(
            "invalid destination label name in label_join(): {dst}"
        ));
    }
    for s in &mut samples {
        let values: Vec<&str> = sources.iter().map(|l| s.labels.get(l)).collect();
        s.labels = s.labels.with(dst, &values.join(separator));
    }
    check_unique(&samples)?;
    Ok(samples)
}

fn valid_label(name: &str) -> bool {
    !name.is_empty()
}
