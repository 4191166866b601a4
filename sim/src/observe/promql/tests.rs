//! The evaluator against values worked out by hand from Prometheus' documented rules.

mod language;
mod rates;
mod robustness;

use super::eval::{Context, Selections, Value, evaluate};
use super::plan::plan;
use crate::observe::labels::Labels;
use crate::observe::tsdb::Tsdb;
use crate::observe::wire::push_labels;

/// Appends a series: its labels, and (second, value) for each sample.
fn load(db: &mut Tsdb, labels: &[(&str, &str)], samples: &[(f64, f64)]) {
    let id = db.series(Labels::of(labels));
    for (t, v) in samples {
        assert!(db.append(id, (t * 1_000.0).round() as i64, *v), "in order");
    }
}

/// A counter or gauge with samples from `from` on, every `every` seconds.
fn grid(from: f64, every: f64, values: &[f64]) -> Vec<(f64, f64)> {
    let at = |i: usize| from + i as f64 * every;
    values
        .iter()
        .enumerate()
        .map(|(i, v)| (at(i), *v))
        .collect()
}

/// The query's value at second `t`, as one line of text for each element, in the order of the answer.
fn ask(db: &Tsdb, query: &str, t: f64) -> Vec<String> {
    let ms = (t * 1_000.0).round() as i64;
    let plan = match plan(query) {
        Ok(p) => p,
        Err(e) => return vec![format!("refused: {e}")],
    };
    let mut selections = Selections::default();
    selections.refresh(&plan, db);
    let cx = Context {
        db,
        selections: &selections,
        horizon: i64::MAX,
        start: ms,
        end: ms,
        default_step_ms: 60_000,
    };
    let show = |labels: &Labels| {
        let mut out = String::new();
        push_labels(&mut out, labels);
        out.replace("\":\"", "=").replace('"', "")
    };
    match evaluate(&plan, cx, ms) {
        Err(e) => vec![format!("failed: {e}")],
        Ok(Value::Scalar(v)) => vec![format!("{v}")],
        Ok(Value::String(s)) => vec![s],
        Ok(Value::Vector(samples)) => samples
            .iter()
            .map(|s| format!("{} {}", show(&s.labels), rounded(s.v)))
            .collect(),
        Ok(Value::Matrix(series)) => series
            .iter()
            .map(|r| {
                let points: Vec<String> = r
                    .points
                    .iter()
                    .map(|p| format!("{}@{}", p.v, p.t as f64 / 1_000.0))
                    .collect();
                format!("{} {}", show(&r.labels), points.join(" "))
            })
            .collect(),
    }
}

/// Nine decimals, without trailing zeros: enough to see a wrong rule, not a rounding error.
fn rounded(v: f64) -> String {
    if !v.is_finite() {
        return v.to_string();
    }
    let text = format!("{v:.9}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// Checks a table of (query, second, expected lines).
fn check(db: &Tsdb, table: &[(&str, f64, &[&str])]) {
    for (query, t, expected) in table {
        assert_eq!(ask(db, query, *t), *expected, "{query} at {t}");
    }
}
