//! Functions over instant vectors and scalars.

use super::QueryError;
use super::dates::DateFn;
use super::eval::{Context, Sample, Value, check_unique, drop_names, fail};
use super::histogram;
use super::math_fn::MathFn;
use super::numbers::{max, min};
use super::plan::Node;
use crate::guard::outside;
use crate::observe::labels::{Labels, Str};
use crate::observe::matcher::anchored;

/// A function over instant vectors and scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InstantFn {
    Math(MathFn),
    Date(DateFn),
    Pi,
    Round,
    Clamp,
    ClampMin,
    ClampMax,
    HistogramQuantile,
    HistogramFraction,
    /// A function of native histograms, which no series here is.
    OfNativeHistograms,
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
            "pi" => Self::Pi,
            "round" => Self::Round,
            "clamp" => Self::Clamp,
            "clamp_min" => Self::ClampMin,
            "clamp_max" => Self::ClampMax,
            "histogram_quantile" => Self::HistogramQuantile,
            "histogram_fraction" => Self::HistogramFraction,
            "histogram_count" | "histogram_sum" | "histogram_avg" | "histogram_stddev"
            | "histogram_stdvar" => Self::OfNativeHistograms,
            "scalar" => Self::Scalar,
            "vector" => Self::Vector,
            "time" => Self::Time,
            "absent" => Self::Absent,
            "label_replace" => Self::LabelReplace,
            "label_join" => Self::LabelJoin,
            "sort" => Self::Sort,
            "sort_desc" => Self::SortDesc,
            "timestamp" => Self::Timestamp,
            _ => {
                let date = || DateFn::named(name).map(Self::Date);
                return MathFn::named(name).map(Self::Math).or_else(date);
            }
        })
    }
}

fn map(mut samples: Vec<Sample>, f: impl Fn(f64) -> f64) -> Result<Vec<Sample>, QueryError> {
    samples.iter_mut().for_each(|s| s.v = f(s.v));
    drop_names(&mut samples)?;
    Ok(samples)
}

fn clamp(samples: Vec<Sample>, low: f64, high: f64) -> Result<Vec<Sample>, QueryError> {
    if high < low {
        return Ok(Vec::new());
    }
    map(samples, |v| max(low, min(high, v)))
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
    Ok(Value::Vector(match f {
        InstantFn::Math(f) => map(vector(0)?, |v| f.of(v))?,
        InstantFn::Date(f) if args.is_empty() => vec![Sample {
            labels: Labels::default(),
            v: f.of((t / 1_000) as f64),
        }],
        InstantFn::Date(f) => map(vector(0)?, |v| f.of(v))?,
        InstantFn::Pi => return Ok(Value::Scalar(std::f64::consts::PI)),
        InstantFn::Round => {
            let to = if args.len() > 1 { scalar(1)? } else { 1.0 };
            // The inverse first: fewer rounding errors. Ties go up.
            let inverse = 1.0 / to;
            map(vector(0)?, |v| (v * inverse + 0.5).floor() / inverse)?
        }
        InstantFn::Clamp => clamp(vector(0)?, scalar(1)?, scalar(2)?)?,
        InstantFn::ClampMin => clamp(vector(0)?, scalar(1)?, f64::INFINITY)?,
        InstantFn::ClampMax => clamp(vector(0)?, f64::NEG_INFINITY, scalar(1)?)?,
        InstantFn::HistogramQuantile => histogram::quantiles(scalar(0)?, vector(1)?)?,
        InstantFn::HistogramFraction => histogram::fractions(scalar(0)?, scalar(1)?, vector(2)?)?,
        InstantFn::OfNativeHistograms => {
            vector(0)?;
            Vec::new()
        }
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
