//! Classic histograms: buckets with cumulative counts, told apart by the label `le` (prometheus `promql/quantile.go`).

use std::collections::BTreeMap;

use super::QueryError;
use super::eval::{Sample, drop_names};
use crate::observe::labels::{Labels, Str};

/// Buckets of one classic histogram: upper bound and cumulative count.
type Buckets = Vec<(f64, f64)>;

/// `f` of each histogram among the samples.
///
/// # Errors
/// Two histograms can't be told apart without their metric names.
fn of_each(samples: Vec<Sample>, f: impl Fn(Buckets) -> f64) -> Result<Vec<Sample>, QueryError> {
    let le = [Str::from("le")];
    let mut histograms: BTreeMap<Labels, Buckets> = BTreeMap::new();
    for s in samples {
        // A sample without a bound that can be read is no bucket.
        let bound = s.labels.get("le").parse::<f64>();
        if let Some(bound) = bound.ok().filter(|bound| !bound.is_nan()) {
            let key = s.labels.remove(&le);
            histograms.entry(key).or_default().push((bound, s.v));
        }
    }
    let mut out: Vec<Sample> = histograms
        .into_iter()
        .map(|(labels, buckets)| Sample {
            labels,
            v: f(buckets),
        })
        .collect();
    drop_names(&mut out)?;
    Ok(out)
}

/// `histogram_quantile`: quantile `q` of each histogram.
pub(super) fn quantiles(q: f64, samples: Vec<Sample>) -> Result<Vec<Sample>, QueryError> {
    of_each(samples, |buckets| bucket_quantile(q, buckets))
}

/// `histogram_fraction`: the share of each histogram's observations between `lower` and `upper`.
pub(super) fn fractions(
    lower: f64,
    upper: f64,
    samples: Vec<Sample>,
) -> Result<Vec<Sample>, QueryError> {
    of_each(samples, |buckets| bucket_fraction(lower, upper, buckets))
}

/// Sorts the buckets and makes one of those whose bounds are equal; `None` unless the last one is unbounded.
fn in_order(mut buckets: Buckets) -> Option<Buckets> {
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    if buckets.last().is_none_or(|b| b.0 != f64::INFINITY) {
        return None;
    }
    // The same bound written in two ways is one bucket.
    buckets.dedup_by(|b, a| {
        let same = a.0 == b.0;
        if same {
            a.1 += b.1;
        }
        same
    });
    Some(buckets)
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

/// The quantile of a classic histogram: linear within a bucket, 0 as the lowest bound unless the first bucket is below
/// it, and the highest finite bound for what lies in the last bucket.
fn bucket_quantile(q: f64, buckets: Buckets) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let Some(mut buckets) = in_order(buckets) else {
        return f64::NAN;
    };
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

/// The share of a classic histogram's observations above `lower` and up to `upper`: linear within a bucket, where both
/// bounds of the bucket are finite.
fn bucket_fraction(lower: f64, upper: f64, buckets: Buckets) -> f64 {
    let Some(buckets) = in_order(buckets) else {
        return f64::NAN;
    };
    let count = buckets.last().map_or(0.0, |b| b.1);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank_of = |v: f64| {
        let first = if buckets[0].0 <= 0.0 {
            f64::NEG_INFINITY
        } else {
            0.0
        };
        let (mut from, mut before) = (first, 0.0);
        for &(to, reached) in &buckets {
            if from >= v {
                return before;
            }
            if to > v {
                return if from == f64::NEG_INFINITY {
                    reached
                } else {
                    before + (reached - before) * (v - from) / (to - from)
                };
            }
            (from, before) = (to, reached);
        }
        count
    };
    let clip = |rank: f64| if rank > count { count } else { rank };
    (clip(rank_of(upper)) - clip(rank_of(lower))) / count
}
