//! The simulated Prometheus' evaluator against the engine of Prometheus 3.16 itself.
//!
//! A small Go program (`tests/reference/promql`) holds the real engine. Both get the same random series and the same
//! random queries, and the answers must be equal to the last bit. Where Go is not installed,
//! the test says so and shows nothing.

#[path = "../support/go.rs"]
mod go;
mod grammar;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use grammar::{Draw, Query, Series};
use serde_json::{Value as Json, json};
use sim::observe::labels::Labels;
use sim::observe::promql::eval::{Context, Selections, Value, evaluate};
use sim::observe::promql::plan::plan;
use sim::observe::tsdb::Tsdb;

/// How many sets of series are drawn, and how many queries are asked of each.
const CASES: u64 = 600;
const QUERIES: usize = 120;

/// The bits of each element's value by its labels.
type Elements = BTreeMap<BTreeMap<String, String>, u64>;
/// An answer, or why there is none.
type Answer = Result<Elements, String>;

#[test]
fn random_queries_have_the_real_engine_s_answers() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/promql");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("promql-reference");
    if !go::build(&source, &program, "the comparison with Prometheus' engine") {
        return;
    }
    let mut child = Command::new(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the reference starts");
    let (wrong, refused) = compare(&mut child);
    drop(child.stdin.take());
    let status = child.wait().expect("the reference ends");
    let all = CASES * QUERIES as u64;
    let _ = writeln!(
        std::io::stderr(),
        "{all} queries, of which the real engine refused {refused}"
    );
    assert!(status.success(), "the reference ended with {status}");
    assert!(
        refused < all / 3,
        "too few queries have an answer to compare"
    );
    assert!(
        wrong.is_empty(),
        "{} of {all} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

/// What differs, in words, and how many queries the real engine refused.
fn compare(child: &mut Child) -> (Vec<String>, u64) {
    let mut to = child.stdin.take().expect("a pipe");
    let mut from = BufReader::new(child.stdout.take().expect("a pipe"));
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for seed in 0..CASES {
        let mut draw = Draw::new(seed);
        let series = draw.series();
        let queries: Vec<Query> = (0..QUERIES).map(|_| draw.query()).collect();
        writeln!(to, "{}", to_json(&series, &queries)).expect("the reference reads");
        to.flush().expect("the reference reads");
        let db = load(&series);
        let mut line = String::new();
        from.read_line(&mut line).expect("the reference answers");
        let answers: Vec<Json> = serde_json::from_str(&line).expect("a line of answers");
        assert_eq!(answers.len(), queries.len());
        for (query, theirs) in queries.iter().zip(&answers) {
            let (theirs, ours) = (parse(theirs), ask(&db, query));
            refused += u64::from(theirs.is_err());
            let equal = match (&theirs, &ours) {
                (Ok(theirs), Ok(ours)) => same(&query.text, theirs, ours),
                (Err(_), Err(_)) => true,
                _ => false,
            };
            if !equal {
                wrong.push(format!(
                    "seed {seed}, at {}: {}\n  real {}\n  here {}",
                    query.ms,
                    query.text,
                    show(&theirs),
                    show(&ours)
                ));
            }
        }
    }
    (wrong, refused)
}

/// Whether two answers are equal: to the last bit, but for one thing. The real engine goes over histograms in the
/// random order of a Go map, so that what adds their results up rounds differently from run to run.
/// `count_values` makes labels of such results.
fn same(query: &str, theirs: &Elements, ours: &Elements) -> bool {
    if theirs == ours || !query.contains("histogram_") {
        return theirs == ours;
    }
    let equal = |a: f64, b: f64| {
        a.to_bits() == b.to_bits() || (a - b).abs() <= 1e-14 * a.abs().max(b.abs())
    };
    let close = |a: u64, b: u64| equal(f64::from_bits(a), f64::from_bits(b));
    let alike = |a: &str, b: &str| match (a.parse(), b.parse()) {
        (Ok(a), Ok(b)) => equal(a, b),
        _ => a == b,
    };
    let counted = |label: &str| label == "value" && query.contains("count_values");
    let named = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
        a.len() == b.len()
            && a.iter().zip(b).all(|((label, a), (other, b))| {
                label == other && (a == b || counted(label) && alike(a, b))
            })
    };
    theirs.len() == ours.len()
        && theirs
            .iter()
            .zip(ours)
            .all(|((name, a), (other, b))| named(name, other) && close(*a, *b))
}

#[test]
fn what_a_go_map_s_order_rounds_is_no_difference_and_all_else_is() {
    let element = |label: &str, value: f64| -> Elements {
        let labels = BTreeMap::from([("value".to_owned(), label.to_owned())]);
        BTreeMap::from([(labels, value.to_bits())])
    };
    let of = "count_values (\"value\", stddev (histogram_quantile(0.1, a)))";
    let (real, here) = ("0.00273422649263582", "0.002734226492635819");
    assert!(same(of, &element(real, 1.0), &element(here, 1.0)));
    assert!(!same(
        of,
        &element(real, 1.0),
        &element("0.0027342264926", 1.0)
    ));
    assert!(!same(of, &element(real, 1.0), &element(here, 2.0)));
    let uncounted = "sum by (value) (histogram_quantile(0.1, a))";
    assert!(!same(uncounted, &element(real, 1.0), &element(here, 1.0)));
    assert!(!same(
        "count_values (\"value\", a)",
        &element(real, 1.0),
        &element(here, 1.0)
    ));
}

fn to_json(series: &[Series], queries: &[Query]) -> Json {
    let series: Vec<Json> = series
        .iter()
        .map(|s| {
            let labels: BTreeMap<&str, &str> =
                s.labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let samples: Vec<[String; 2]> = s
                .samples
                .iter()
                .map(|(t, bits)| [t.to_string(), format!("{bits:x}")])
                .collect();
            json!({ "labels": labels, "samples": samples })
        })
        .collect();
    let queries: Vec<Json> = queries
        .iter()
        .map(|q| json!({ "query": q.text, "ms": q.ms }))
        .collect();
    json!({ "series": series, "queries": queries })
}

fn load(series: &[Series]) -> Tsdb {
    let mut db = Tsdb::default();
    for s in series {
        let labels: Vec<(&str, &str)> = s.labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let id = db.series(Labels::of(&labels));
        for (t, bits) in &s.samples {
            assert!(db.append(id, *t, f64::from_bits(*bits)), "in order");
        }
    }
    db
}

/// Every NaN is the same.
fn bits(v: f64) -> u64 {
    if v.is_nan() {
        f64::NAN.to_bits()
    } else {
        v.to_bits()
    }
}

fn ask(db: &Tsdb, query: &Query) -> Answer {
    let plan = plan(&query.text).map_err(|e| e.to_string())?;
    let mut selections = Selections::default();
    selections.refresh(&plan, db);
    let cx = Context {
        db,
        selections: &selections,
        horizon: i64::MAX,
        start: query.ms,
        end: query.ms,
        default_step_ms: 60_000,
    };
    match evaluate(&plan, cx, query.ms).map_err(|e| e.to_string())? {
        Value::Scalar(v) => Ok(BTreeMap::from([(BTreeMap::new(), bits(v))])),
        Value::Vector(samples) => Ok(samples
            .iter()
            .map(|s| {
                let labels = s.labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
                (labels.collect(), bits(s.v))
            })
            .collect()),
        Value::Matrix(_) | Value::String(_) => Err("not compared".to_owned()),
    }
}

fn parse(answer: &Json) -> Answer {
    if let Some(error) = answer["error"].as_str() {
        return Err(error.to_owned());
    }
    let elements = answer["vector"].as_array().cloned().unwrap_or_default();
    Ok(elements
        .iter()
        .map(|e| {
            let labels = serde_json::from_value(e["labels"].clone()).expect("labels");
            let hex = e["bits"].as_str().expect("bits");
            let v = f64::from_bits(u64::from_str_radix(hex, 16).expect("hexadecimal bits"));
            (labels, bits(v))
        })
        .collect())
}

fn show(answer: &Answer) -> String {
    match answer {
        Err(why) => format!("refused: {why}"),
        Ok(elements) => {
            let each = elements.iter().map(|(labels, bits)| {
                let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
                format!("{{{}}} {}", labels.join(","), f64::from_bits(*bits))
            });
            each.collect::<Vec<_>>().join("; ")
        }
    }
}
