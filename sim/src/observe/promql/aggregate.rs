//! Aggregation operators.

use super::QueryError;
use super::eval::{Sample, fail};
use super::plan::Grouping;
use super::range_fn::{quantile, sum, variance};
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
            _ => return None,
        })
    }
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
    param: Option<f64>,
    samples: Vec<Sample>,
    grouping: &Grouping,
) -> Result<Vec<Sample>, QueryError> {
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
    if matches!(op, AggregateOp::Topk | AggregateOp::Bottomk) {
        return extremes(op, param, groups);
    }
    let Some(param) = param.or((op != AggregateOp::Quantile).then_some(0.0)) else {
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
                    AggregateOp::Avg => sum(values) / group.len() as f64,
                    AggregateOp::Count => group.len() as f64,
                    AggregateOp::Min => {
                        values.fold(first, |m, v| if v < m || m.is_nan() { v } else { m })
                    }
                    AggregateOp::Max => {
                        values.fold(first, |m, v| if v > m || m.is_nan() { v } else { m })
                    }
                    AggregateOp::Stddev => variance(values).sqrt(),
                    AggregateOp::Stdvar => variance(values),
                    AggregateOp::Quantile => quantile(param, &mut values.collect::<Vec<_>>()),
                    AggregateOp::Group | AggregateOp::Topk | AggregateOp::Bottomk => 1.0,
                },
            }
        })
        .collect())
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
