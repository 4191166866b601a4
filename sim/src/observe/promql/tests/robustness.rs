//! No query makes the evaluator panic, or keeps it busy for ever.

use proptest::prelude::*;

use super::{ask, grid, load};
use crate::observe::tsdb::Tsdb;

fn database() -> Tsdb {
    let mut db = Tsdb::default();
    for pod in ["a", "b"] {
        let labels = [("__name__", "x"), ("pod", pod), ("le", "0.5")];
        load(
            &mut db,
            &labels,
            &grid(0.0, 5.0, &[1.0, 2.0, f64::NAN, 4.0, 3.0]),
        );
    }
    db
}

#[test]
fn nested_subqueries_are_bounded_together() {
    let db = database();
    let deep = "max_over_time(max_over_time(max_over_time(x[1h:1s])[1h:1s])[1h:1s])";
    let answer = ask(&db, deep, 30.0);
    assert!(answer[0].contains("too many samples"), "{answer:?}");
    let flat = ask(&db, "max_over_time(max_over_time(x[1m:5s])[1m:5s])", 30.0);
    assert_eq!(flat.len(), 2, "{flat:?}");
}

/// A duration as people write it, and as nobody should.
fn duration() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "1e30",
            "nan",
            "inf",
            "0",
            "0s",
            "1ms",
            "292y",
            "300y",
            "99999999999y1s",
            "0x1F",
            "0xFFFFFFFFFFFFFFFF",
            "1.5",
            "5m",
            "1h30m",
            "1e-3",
            "9223372036",
            "9223372037",
            "08",
        ])
        .prop_map(str::to_owned),
        "[0-9]{1,12}(ms|s|m|h|d|w|y)",
    ]
}

/// An expression of a few levels.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        Just("x{pod=~\"a|b\"}".to_owned()),
        Just("vector(1)".to_owned()),
        Just("time()".to_owned()),
        duration(),
        Just("nan".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), duration(), "(offset [-+]?)?").prop_map(|(e, d, offset)| {
                let d = if offset.is_empty() { String::new() } else { d };
                format!("{e} {offset}{d}")
            }),
            (inner.clone(), duration()).prop_map(|(e, d)| format!("rate({e}[{d}])")),
            (inner.clone(), duration(), duration())
                .prop_map(|(e, d, step)| format!("max_over_time({e}[{d}:{step}])")),
            (inner.clone(), duration()).prop_map(|(e, d)| format!("min_over_time({e}[{d}:])")),
            (inner.clone(), duration(), "-?").prop_map(|(e, d, sign)| format!("{e} @ {sign}{d}")),
            (inner.clone(), inner.clone(), "[-+*/%^]|==|> bool")
                .prop_map(|(l, r, op)| format!("({l}) {op} ({r})")),
            inner.clone().prop_map(|e| format!("sum by (pod) ({e})")),
            (duration(), inner.clone()).prop_map(|(d, e)| format!("histogram_quantile({d}, {e})")),
            (inner, duration()).prop_map(|(e, d)| format!("predict_linear({e}[{d}], {d})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_query_causes_a_panic(query in expression(), at in 0..40_i32) {
        let answer = ask(&database(), &query, f64::from(at));
        prop_assert!(answer.len() <= 64, "{query}");
    }
}
