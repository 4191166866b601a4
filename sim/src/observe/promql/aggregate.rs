//! Aggregation operators.

use super::QueryError;
use super::eval::{Sample, fail};
use super::numbers::{mean, quantile, sum, variance_across};
use super::plan::Grouping;
use crate::observe::labels::{Labels, NAME, Str};

/// An aggregation operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AggregateOp {
    Sum,
    Min,
    Max,
    Avg,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    Quantile,
    CountValues,
}

impl AggregateOp {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sum" => Self::Sum,
            "min" => Self::Min,
            "max" => Self::Max,
            "avg" => Self::Avg,
            "count" => Self::Count,
            "group" => Self::Group,
            "stddev" => Self::Stddev,
            "stdvar" => Self::Stdvar,
            "topk" => Self::Topk,
            "bottomk" => Self::Bottomk,
            "quantile" => Self::Quantile,
            "count_values" => Self::CountValues,
            _ => return None,
        })
    }
}

/// The parameter of an aggregation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Param<'a> {
    None,
    Number(f64),
    /// Of `count_values`: the label that takes the value.
    Label(&'a str),
}

/// FNV-1a over length-prefixed strings.
fn mix(hash: u64, s: &str) -> u64 {
    let step = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    s.bytes().fold(step(hash, s.len() as u8), step)
}

impl Grouping {
    /// Visits the labels that make up the group's key, in one order for all members.
    fn visit<'a>(&'a self, labels: &'a Labels, mut f: impl FnMut(&'a str, &'a str)) {
        match self {
            Self::By(names) => names.iter().for_each(|n| f(n, labels.get(n))),
            Self::Without(names) => {
                for (k, v) in labels.rest() {
                    if !names.contains(k) {
                        f(k, v);
                    }
                }
            }
        }
    }

    fn hash(&self, labels: &Labels) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325;
        self.visit(labels, |k, v| hash = mix(mix(hash, k), v));
        hash
    }

    fn same(&self, a: &Labels, b: &Labels) -> bool {
        match self {
            Self::By(names) => names.iter().all(|n| a.get(n) == b.get(n)),
            Self::Without(names) => {
                let key = |pair: &&(Str, Str)| !names.contains(&pair.0);
                a.rest().iter().filter(key).eq(b.rest().iter().filter(key))
            }
        }
    }

    /// Labels of the result for a group with this member.
    fn labels(&self, member: &Labels) -> Labels {
        match self {
            Self::By(names) if names.is_empty() => Labels::default(),
            Self::By(names) => member.keep(names),
            Self::Without(names) => {
                let mut names: Vec<Str> = names.clone();
                names.push(NAME.into());
                member.remove(&names)
            }
        }
    }
}

pub(super) fn aggregate(
    op: AggregateOp,
    param: Param<'_>,
    samples: Vec<Sample>,
    grouping: &Grouping,
) -> Result<Vec<Sample>, QueryError> {
    let number = match (op, param) {
        (AggregateOp::CountValues, Param::Label(label)) => {
            return count_values(label, samples, grouping);
        }
        (AggregateOp::CountValues, _) => {
            return fail("count_values needs the name of a label as its parameter");
        }
        (_, Param::Label(_)) => return fail("an aggregation's parameter must be a number"),
        (_, Param::Number(number)) => Some(number),
        (_, Param::None) => None,
    };
    let groups = grouped(samples, grouping);
    if matches!(op, AggregateOp::Topk | AggregateOp::Bottomk) {
        return extremes(op, number, groups);
    }
    let Some(param) = number.or((op != AggregateOp::Quantile).then_some(0.0)) else {
        return fail("quantile needs a parameter");
    };
    Ok(groups
        .iter()
        .map(|group| {
            let values = group.iter().map(|s| s.v);
            let first = group[0].v;
            Sample {
                labels: grouping.labels(&group[0].labels),
                v: match op {
                    AggregateOp::Sum => sum(values),
                    AggregateOp::Avg => mean(values),
                    AggregateOp::Count => group.len() as f64,
                    AggregateOp::Min => {
                        values.fold(first, |m, v| if v < m || m.is_nan() { v } else { m })
                    }
                    AggregateOp::Max => {
                        values.fold(first, |m, v| if v > m || m.is_nan() { v } else { m })
                    }
                    AggregateOp::Stddev => variance_across(values).sqrt(),
                    AggregateOp::Stdvar => variance_across(values),
                    AggregateOp::Quantile => quantile(param, &mut values.collect::<Vec<_>>()),
                    AggregateOp::Group
                    | AggregateOp::Topk
                    | AggregateOp::Bottomk
                    | AggregateOp::CountValues => 1.0,
                },
            }
        })
        .collect())
}

/// How many samples of each group have each value; `label` takes the value as text.
fn count_values(
    label: &str,
    mut samples: Vec<Sample>,
    grouping: &Grouping,
) -> Result<Vec<Sample>, QueryError> {
    if label.is_empty() {
        return fail(format!("invalid label name {label:?}"));
    }
    for s in &mut samples {
        // Without an exponent, however large the number is.
        let text = match s.v {
            v if v.is_nan() => "NaN".to_owned(),
            v if v.is_infinite() => if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
            v => v.to_string(),
        };
        s.labels = s.labels.with(label, &text);
    }
    let grouping = match grouping {
        Grouping::By(names) => {
            let mut names = names.clone();
            names.push(label.into());
            Grouping::By(names)
        }
        without @ Grouping::Without(_) => without.clone(),
    };
    let groups = grouped(samples, &grouping);
    Ok(groups
        .iter()
        .map(|group| Sample {
            labels: grouping.labels(&group[0].labels),
            v: group.len() as f64,
        })
        .collect())
}

/// The samples by group, in the order of each group's first sample.
fn grouped(samples: Vec<Sample>, grouping: &Grouping) -> Vec<Vec<Sample>> {
    let mut keys: Vec<u64> = Vec::new();
    let mut groups: Vec<Vec<Sample>> = Vec::new();
    for s in samples {
        let mut key = grouping.hash(&s.labels);
        let group = loop {
            match keys.iter().position(|k| *k == key) {
                None => {
                    keys.push(key);
                    groups.push(Vec::new());
                    break groups.len() - 1;
                }
                Some(i) if grouping.same(&groups[i][0].labels, &s.labels) => break i,
                Some(_) => key = key.wrapping_add(1),
            }
        };
        groups[group].push(s);
    }
    groups
}

/// The `k` largest or smallest samples of each group, best first, with all their labels.
fn extremes(
    op: AggregateOp,
    k: Option<f64>,
    groups: Vec<Vec<Sample>>,
) -> Result<Vec<Sample>, QueryError> {
    let Some(k) = k.filter(|k| k.is_finite()) else {
        return fail("topk and bottomk need a finite number as their parameter");
    };
    let k = k.max(0.0) as usize;
    let mut out = Vec::new();
    for mut group in groups {
        group.sort_by(|a, b| {
            let order = if op == AggregateOp::Topk {
                b.v.total_cmp(&a.v)
            } else {
                a.v.total_cmp(&b.v)
            };
            a.v.is_nan().cmp(&b.v.is_nan()).then(order)
        });
        out.extend(group.into_iter().take(k));
    }
    Ok(out)
}
