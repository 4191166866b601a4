//! Range functions: extrapolation, counter resets, windows, staleness.

use proptest::prelude::*;

use super::{ask, check, grid, load, rounded};
use crate::observe::tsdb::{Tsdb, stale};

#[test]
fn increase_extrapolates_as_documented() {
    let ramp = |first: f64, n: usize| (0..n).map(|i| first + 10.0 * i as f64).collect::<Vec<_>>();
    // (what, samples, window in s, second, expected increase)
    type Case = (&'static str, Vec<(f64, f64)>, u32, f64, Option<f64>);
    let table: Vec<Case> = vec![
        (
            "to both edges; the sample on the left edge is outside",
            grid(0.0, 10.0, &ramp(0.0, 7)),
            60,
            60.0,
            Some(60.0),
        ),
        (
            "half a spacing where the series begins inside",
            grid(30.0, 10.0, &ramp(1_000.0, 8)),
            100,
            100.0,
            Some(75.0),
        ),
        (
            "no further back than to zero",
            grid(30.0, 10.0, &ramp(2.0, 8)),
            100,
            100.0,
            Some(72.0),
        ),
        (
            "zero caps the whole gap to a near edge, too",
            grid(10.0, 10.0, &ramp(4.0, 6)),
            60,
            60.0,
            Some(54.0),
        ),
        (
            "half a spacing where the series ends inside",
            grid(10.0, 10.0, &ramp(1_000.0, 4)),
            100,
            100.0,
            Some(45.0),
        ),
        (
            "a gap of 1.1 spacings is too wide",
            grid(11.0, 10.0, &ramp(1_000.0, 3)),
            31,
            31.0,
            Some(25.0),
        ),
        (
            "a gap just below is not",
            grid(10.9, 10.0, &ramp(1_000.0, 3)),
            31,
            31.0,
            Some(31.0),
        ),
        (
            "a reset adds what was before it",
            grid(10.0, 10.0, &[100.0, 110.0, 5.0, 15.0]),
            40,
            40.0,
            Some(100.0 / 3.0),
        ),
        (
            "two resets",
            grid(10.0, 10.0, &[50.0, 3.0, 9.0, 2.0]),
            40,
            40.0,
            Some((2.0 - 50.0 + 50.0 + 9.0) * 4.0 / 3.0),
        ),
        (
            "a new series' first value is not counted",
            grid(90.0, 10.0, &[50.0, 50.0]),
            100,
            100.0,
            Some(0.0),
        ),
        (
            "only its growth is",
            grid(90.0, 10.0, &[50.0, 60.0]),
            100,
            100.0,
            Some(15.0),
        ),
        (
            "one sample is too few",
            grid(95.0, 10.0, &[7.0]),
            100,
            100.0,
            None,
        ),
        (
            "two samples, but one on the open edge",
            grid(0.0, 10.0, &[1.0, 2.0]),
            10,
            10.0,
            None,
        ),
        ("none", grid(500.0, 10.0, &[1.0, 2.0]), 100, 100.0, None),
    ];
    for (what, samples, window, t, expected) in table {
        let mut db = Tsdb::default();
        load(&mut db, &[("__name__", "c"), ("pod", "p")], &samples);
        let line = |v: f64| vec![format!("{{pod=p}} {}", rounded(v))];
        let increase = ask(&db, &format!("increase(c[{window}s])"), t);
        assert_eq!(
            increase,
            expected.map_or_else(Vec::new, line),
            "increase: {what}"
        );
        let rate = ask(&db, &format!("rate(c[{window}s])"), t);
        let per_second = expected.map(|v| v / f64::from(window));
        assert_eq!(rate, per_second.map_or_else(Vec::new, line), "rate: {what}");
    }
}

#[test]
fn other_range_functions() {
    let mut db = Tsdb::default();
    load(
        &mut db,
        &[("__name__", "g")],
        &grid(10.0, 10.0, &[100.0, 90.0, 80.0]),
    );
    load(
        &mut db,
        &[("__name__", "c")],
        &grid(10.0, 10.0, &[5.0, 8.0, 8.0, 2.0, f64::NAN, f64::NAN]),
    );
    check(
        &db,
        &[
            ("delta(g[30s])", 30.0, &["{} -30"]),
            ("idelta(g[30s])", 30.0, &["{} -10"]),
            ("irate(c[20s])", 30.0, &["{} 0"]),
            ("irate(c[20s])", 40.0, &["{} 0.2"]),
            ("idelta(c[20s])", 40.0, &["{} -6"]),
            ("irate(c[10s])", 40.0, &[]),
            ("resets(c[40s])", 40.0, &["{} 1"]),
            ("changes(c[40s])", 40.0, &["{} 2"]),
            ("changes(c[60s])", 60.0, &["{} 3"]),
            ("avg_over_time(g[30s])", 30.0, &["{} 90"]),
            ("sum_over_time(g[30s])", 30.0, &["{} 270"]),
            ("min_over_time(g[30s])", 30.0, &["{} 80"]),
            ("max_over_time(g[30s])", 30.0, &["{} 100"]),
            ("max_over_time(c[60s])", 60.0, &["{} 8"]),
            ("count_over_time(g[30s])", 30.0, &["{} 3"]),
            ("count_over_time(g[20s])", 30.0, &["{} 2"]),
            ("last_over_time(g[30s])", 30.0, &["{__name__=g} 80"]),
            ("present_over_time(g[30s])", 30.0, &["{} 1"]),
            ("quantile_over_time(0.25, g[30s])", 30.0, &["{} 85"]),
            ("stddev_over_time(g[20s])", 30.0, &["{} 5"]),
            ("absent_over_time(g[30s])", 30.0, &[]),
            (
                "absent_over_time(g{pod=\"x\",app=~\"y\"}[30s])",
                30.0,
                &["{pod=x} 1"],
            ),
            ("g[20s]", 30.0, &["{__name__=g} 90@20 80@30"]),
            ("g[20s] offset 10s", 30.0, &["{__name__=g} 100@10 90@20"]),
            ("delta(g[20s] offset 10s)", 30.0, &["{} -20"]),
            ("increase(c[20s] @ 20)", 999.0, &["{} 6"]),
            ("max_over_time(g[30s:10s])", 30.0, &["{} 100"]),
            ("sum_over_time((g * 2)[20s:10s])", 30.0, &["{} 340"]),
            ("count_over_time(vector(1)[2m:])", 240.0, &["{} 2"]),
        ],
    );
}

#[test]
fn a_marker_ends_a_series_and_its_absence_leaves_it_until_the_lookback_ends() {
    let mut db = Tsdb::default();
    load(
        &mut db,
        &[("__name__", "m"), ("pod", "marked")],
        &[(10.0, 1.0), (20.0, 2.0), (30.0, stale())],
    );
    load(
        &mut db,
        &[("__name__", "m"), ("pod", "lost")],
        &[(10.0, 1.0), (20.0, 3.0)],
    );
    check(
        &db,
        &[
            (
                "m",
                29.999,
                &["{__name__=m,pod=marked} 2", "{__name__=m,pod=lost} 3"],
            ),
            ("m", 30.0, &["{__name__=m,pod=lost} 3"]),
            ("m", 319.999, &["{__name__=m,pod=lost} 3"]),
            // Strictly younger than five minutes.
            ("m", 320.0, &[]),
            (
                "m offset 5m",
                320.0,
                &["{__name__=m,pod=marked} 2", "{__name__=m,pod=lost} 3"],
            ),
            // A range ignores the marker, and does not end at it.
            (
                "count_over_time(m[30s])",
                40.0,
                &["{pod=marked} 1", "{pod=lost} 1"],
            ),
            (
                "increase(m[30s])",
                30.0,
                &["{pod=marked} 3", "{pod=lost} 5"],
            ),
            ("timestamp(m)", 25.0, &["{pod=marked} 20", "{pod=lost} 20"]),
            (
                "timestamp(m + 0)",
                25.0,
                &["{pod=marked} 25", "{pod=lost} 25"],
            ),
        ],
    );
    // A series may come back after its marker.
    let id = db.select(&[])[0];
    assert!(db.append(id, 50_000, 9.0));
    check(
        &db,
        &[("m{pod=\"marked\"}", 50.0, &["{__name__=m,pod=marked} 9"])],
    );
}

/// What rate() should be, from integers: the unwrapped count, and the window's edges in milliseconds.
fn naive_rate(samples: &[(i64, u64)], start: i64, end: i64) -> Option<f64> {
    let inside: Vec<(i64, u64)> = samples
        .iter()
        .copied()
        .filter(|(t, _)| *t > start && *t <= end)
        .collect();
    if inside.len() < 2 {
        return None;
    }
    let mut gained = 0_u64;
    for i in 1..inside.len() {
        let (before, after) = (inside[i - 1].1, inside[i].1);
        gained += if after >= before {
            after - before
        } else {
            after
        };
    }
    let (first, last) = (inside[0], inside[inside.len() - 1]);
    let span = last.0 - first.0;
    let gaps = (inside.len() - 1) as i64;
    // gap >= 1.1 * span / gaps, in integers
    let wide = |gap: i64| 10 * gaps * gap >= 11 * span;
    let half = span as f64 / gaps as f64 / 2.0;
    let edge = |gap: i64| if wide(gap) { half } else { gap as f64 };
    let mut before = edge(first.0 - start);
    if gained > 0 {
        before = before.min(span as f64 * first.1 as f64 / gained as f64);
    }
    let covered = span as f64 + before + edge(end - last.0);
    Some(gained as f64 * covered / span as f64 / (end - start) as f64 * 1_000.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sum_of_rates_equals_a_naive_implementation(
        pods in prop::collection::vec(
            (0_i64..60_000, prop::collection::vec((prop::sample::select(vec![1_990_i64, 2_000, 2_003, 7_000]), 0_u64..50, prop::bool::weighted(0.1)), 0..40)),
            1..5,
        ),
        window_s in 1_i64..120,
        at_s in 0_i64..150,
    ) {
        let mut db = Tsdb::default();
        let (start, end) = ((at_s - window_s) * 1_000, at_s * 1_000);
        let mut expected: Option<f64> = None;
        for (pod, (first, steps)) in pods.iter().enumerate() {
            let (mut t, mut count) = (*first, 0);
            let mut samples = Vec::new();
            for (gap, growth, reset) in steps {
                count = if *reset { *growth } else { count + growth };
                samples.push((t, count));
                t += gap;
            }
            let pod = pod.to_string();
            let seconds: Vec<(f64, f64)> = samples.iter().map(|(t, v)| (*t as f64 / 1_000.0, *v as f64)).collect();
            load(&mut db, &[("__name__", "c"), ("pod", &pod)], &seconds);
            if let Some(rate) = naive_rate(&samples, start, end) {
                expected = Some(expected.unwrap_or(0.0) + rate);
            }
        }
        let got = ask(&db, &format!("sum(rate(c[{window_s}s]))"), at_s as f64);
        match expected {
            None => prop_assert_eq!(got, Vec::<String>::new()),
            Some(want) => {
                prop_assert_eq!(got.len(), 1);
                let got: f64 = got[0].trim_start_matches("{} ").parse().unwrap();
                prop_assert!((got - want).abs() <= 1e-8 * want.abs().max(1.0), "{} is not {}", got, want);
            }
        }
    }
}
