//! Operators, aggregation, matching, functions over instant vectors, and what is refused.

use super::{ask, check, load};
use crate::observe::tsdb::Tsdb;

/// Requests of two gateways by code, and the pods' builds.
fn exchange() -> Tsdb {
    let mut db = Tsdb::default();
    for (pod, code, v) in [
        ("a", "200", 90.0),
        ("a", "500", 10.0),
        ("b", "200", 40.0),
        ("b", "503", 60.0),
    ] {
        load(
            &mut db,
            &[("__name__", "req"), ("pod", pod), ("code", code)],
            &[(10.0, v)],
        );
    }
    for (pod, version, v) in [("a", "1.4.2", 1.0), ("b", "1.5.0", 1.0)] {
        load(
            &mut db,
            &[("__name__", "build"), ("pod", pod), ("version", version)],
            &[(10.0, v)],
        );
    }
    load(
        &mut db,
        &[("__name__", "limit"), ("pod", "a")],
        &[(10.0, 50.0)],
    );
    db
}

#[test]
fn selection() {
    check(
        &exchange(),
        &[
            (
                "req{pod=\"a\",code=\"500\"}",
                10.0,
                &["{__name__=req,code=500,pod=a} 10"],
            ),
            (
                "req{code=~\"5..\"}",
                10.0,
                &[
                    "{__name__=req,code=500,pod=a} 10",
                    "{__name__=req,code=503,pod=b} 60",
                ],
            ),
            (
                "req{code!~\"5..\",pod!=\"a\"}",
                10.0,
                &["{__name__=req,code=200,pod=b} 40"],
            ),
            (
                "{__name__=~\"bui.*\",version=\"1.4.2\"}",
                10.0,
                &["{__name__=build,pod=a,version=1.4.2} 1"],
            ),
            (
                "req{version=\"\",code=\"503\"}",
                10.0,
                &["{__name__=req,code=503,pod=b} 60"],
            ),
            ("req{code=\"404\"}", 10.0, &[]),
            ("req", 9.0, &[]),
        ],
    );
}

#[test]
fn aggregation() {
    check(
        &exchange(),
        &[
            ("sum(req)", 10.0, &["{} 200"]),
            ("sum by (pod) (req)", 10.0, &["{pod=a} 100", "{pod=b} 100"]),
            (
                "sum without (code) (req)",
                10.0,
                &["{pod=a} 100", "{pod=b} 100"],
            ),
            ("sum by (nothing) (req)", 10.0, &["{} 200"]),
            ("sum by (__name__) (req)", 10.0, &["{__name__=req} 200"]),
            ("avg by (pod) (req)", 10.0, &["{pod=a} 50", "{pod=b} 50"]),
            ("min(req)", 10.0, &["{} 10"]),
            ("max(req)", 10.0, &["{} 90"]),
            (
                "count by (code) (req)",
                10.0,
                &["{code=200} 2", "{code=500} 1", "{code=503} 1"],
            ),
            ("group(req)", 10.0, &["{} 1"]),
            ("stddev(req{pod=\"a\"})", 10.0, &["{} 40"]),
            ("quantile(0.5, req)", 10.0, &["{} 50"]),
            ("topk(1, req)", 10.0, &["{__name__=req,code=200,pod=a} 90"]),
            (
                "bottomk by (pod) (1, req)",
                10.0,
                &[
                    "{__name__=req,code=500,pod=a} 10",
                    "{__name__=req,code=200,pod=b} 40",
                ],
            ),
            ("topk(0, req)", 10.0, &[]),
            // No input, no output: not 0.
            ("sum(req{pod=\"c\"})", 10.0, &[]),
            ("count(req{pod=\"c\"})", 10.0, &[]),
        ],
    );
}

#[test]
fn operators_with_scalars() {
    check(
        &exchange(),
        &[
            ("1 + 2 * 3 ^ 2 % 5", 0.0, &["4"]),
            ("1 / 0", 0.0, &["inf"]),
            ("2 > bool 1", 0.0, &["1"]),
            ("limit * 2", 10.0, &["{pod=a} 100"]),
            ("100 - limit", 10.0, &["{pod=a} 50"]),
            ("-limit", 10.0, &["{pod=a} -50"]),
            // A filter keeps the vector's value and its name, whichever side it is on.
            (
                "req > 50",
                10.0,
                &[
                    "{__name__=req,code=200,pod=a} 90",
                    "{__name__=req,code=503,pod=b} 60",
                ],
            ),
            (
                "50 < req",
                10.0,
                &[
                    "{__name__=req,code=200,pod=a} 90",
                    "{__name__=req,code=503,pod=b} 60",
                ],
            ),
            ("limit > 50", 10.0, &[]),
            ("limit > bool 50", 10.0, &["{pod=a} 0"]),
            ("limit >= bool 50", 10.0, &["{pod=a} 1"]),
            ("limit == 50", 10.0, &["{__name__=limit,pod=a} 50"]),
            ("limit != 50", 10.0, &[]),
            // Names are dropped: two metrics may collide.
            (
                "{pod=\"a\",code=\"\",version=\"\"} + 0",
                10.0,
                &["{pod=a} 50"],
            ),
        ],
    );
}

#[test]
fn matching_of_vectors() {
    let mut db = exchange();
    load(
        &mut db,
        &[("__name__", "double"), ("pod", "a"), ("code", "200")],
        &[(10.0, 180.0)],
    );
    check(
        &db,
        &[
            ("double - req", 10.0, &["{code=200,pod=a} 90"]),
            (
                "double > req",
                10.0,
                &["{__name__=double,code=200,pod=a} 180"],
            ),
            ("double < bool req", 10.0, &["{code=200,pod=a} 0"]),
            (
                "sum by (pod) (req{code=~\"5..\"}) / sum by (pod) (req)",
                10.0,
                &["{pod=a} 0.1", "{pod=b} 0.6"],
            ),
            (
                "req{code=\"200\"} - ignoring (code) limit",
                10.0,
                &["{pod=a} 40"],
            ),
            ("req{code=\"200\"} / on (pod) limit", 10.0, &["{pod=a} 1.8"]),
            (
                "req / on (pod) group_left limit",
                10.0,
                &["{code=200,pod=a} 1.8", "{code=500,pod=a} 0.2"],
            ),
            (
                "req * on (pod) group_left (version) build",
                10.0,
                &[
                    "{code=200,pod=a,version=1.4.2} 90",
                    "{code=500,pod=a,version=1.4.2} 10",
                    "{code=200,pod=b,version=1.5.0} 40",
                    "{code=503,pod=b,version=1.5.0} 60",
                ],
            ),
            (
                "limit / on (pod) group_right req{code=\"500\"}",
                10.0,
                &["{code=500,pod=a} 5"],
            ),
            ("req / missing", 10.0, &[]),
            (
                "req and on (pod) limit",
                10.0,
                &[
                    "{__name__=req,code=200,pod=a} 90",
                    "{__name__=req,code=500,pod=a} 10",
                ],
            ),
            (
                "req{code=\"200\"} unless on (pod) limit",
                10.0,
                &["{__name__=req,code=200,pod=b} 40"],
            ),
            (
                "limit or on (pod) build",
                10.0,
                &[
                    "{__name__=limit,pod=a} 50",
                    "{__name__=build,pod=b,version=1.5.0} 1",
                ],
            ),
            ("sum(missing) or vector(0)", 10.0, &["{} 0"]),
        ],
    );
    let fails = |query: &str, why: &str| {
        let got = ask(&db, query, 10.0).join("\n");
        assert!(
            got.starts_with("failed: ") && got.contains(why),
            "{query}: {got}"
        );
    };
    fails(
        "req / on (pod) limit",
        "many-to-one matching must be explicit",
    );
    fails(
        "limit / on (pod) req",
        "found duplicate series for the match group {pod=\"a\"} on the right hand-side",
    );
    // Refused before anything is evaluated, with the error of an evaluation.
    let endless = ask(&db, "sum_over_time(vector(1)[100y:1ms])", 10.0).join("\n");
    assert!(
        endless.starts_with("refused: query processing would load too many samples"),
        "{endless}"
    );
    fails(
        "{__name__=~\"double|req\",code=\"200\",pod=\"a\"} * 2",
        "same labelset",
    );
}

#[test]
fn quantiles_of_histograms() {
    let mut db = Tsdb::default();
    let mut histogram = |name: &str, buckets: &[(&str, f64)]| {
        for (le, v) in buckets {
            load(&mut db, &[("__name__", name), ("le", le)], &[(10.0, *v)]);
        }
    };
    histogram("h", &[("0.1", 50.0), ("0.2", 80.0), ("+Inf", 100.0)]);
    histogram("only_inf", &[("+Inf", 100.0)]);
    histogram("empty", &[("0.1", 0.0), ("+Inf", 0.0)]);
    histogram("no_inf", &[("0.1", 1.0), ("0.2", 2.0)]);
    histogram("negative", &[("-1", 10.0), ("1", 20.0), ("+Inf", 20.0)]);
    histogram(
        "falling",
        &[("0.1", 60.0), ("0.2", 50.0), ("0.4", 80.0), ("+Inf", 100.0)],
    );
    histogram(
        "twice",
        &[("1", 5.0), ("1.0", 5.0), ("2", 20.0), ("+Inf", 20.0)],
    );
    check(
        &db,
        &[
            ("histogram_quantile(0.5, h)", 10.0, &["{} 0.1"]),
            ("histogram_quantile(0.25, h)", 10.0, &["{} 0.05"]),
            ("histogram_quantile(0.65, h)", 10.0, &["{} 0.15"]),
            ("histogram_quantile(0, h)", 10.0, &["{} 0"]),
            // In the last bucket: its lower bound.
            ("histogram_quantile(0.99, h)", 10.0, &["{} 0.2"]),
            ("histogram_quantile(1, h)", 10.0, &["{} 0.2"]),
            ("histogram_quantile(-1, h)", 10.0, &["{} -inf"]),
            ("histogram_quantile(1.01, h)", 10.0, &["{} inf"]),
            ("histogram_quantile(0.5, only_inf)", 10.0, &["{} NaN"]),
            ("histogram_quantile(0.5, empty)", 10.0, &["{} NaN"]),
            ("histogram_quantile(0.5, no_inf)", 10.0, &["{} NaN"]),
            ("histogram_quantile(0.5, missing)", 10.0, &[]),
            ("histogram_quantile(0.25, negative)", 10.0, &["{} -1"]),
            ("histogram_quantile(0.75, negative)", 10.0, &["{} 0"]),
            ("histogram_quantile(0.7, falling)", 10.0, &["{} 0.3"]),
            ("histogram_quantile(0.75, twice)", 10.0, &["{} 1.5"]),
            (
                "histogram_quantile(0.9, sum by (le) (h))",
                10.0,
                &["{} 0.2"],
            ),
            // A comparison with NaN is false: no data never satisfies a threshold.
            ("histogram_quantile(0.5, empty) > 0.1", 10.0, &[]),
            ("histogram_quantile(0.5, empty) <= 0.1", 10.0, &[]),
        ],
    );
}

#[test]
fn functions() {
    let mut db = exchange();
    for (i, v) in [2.5, -2.5, f64::NAN].into_iter().enumerate() {
        load(
            &mut db,
            &[("__name__", "x"), ("i", &i.to_string())],
            &[(10.0, v)],
        );
    }
    check(
        &db,
        &[
            ("abs(x)", 10.0, &["{i=0} 2.5", "{i=1} 2.5", "{i=2} NaN"]),
            ("ceil(x)", 10.0, &["{i=0} 3", "{i=1} -2", "{i=2} NaN"]),
            ("floor(x)", 10.0, &["{i=0} 2", "{i=1} -3", "{i=2} NaN"]),
            // Ties go up.
            ("round(x)", 10.0, &["{i=0} 3", "{i=1} -2", "{i=2} NaN"]),
            ("round(x{i=\"0\"}, 2)", 10.0, &["{i=0} 2"]),
            (
                "clamp(x, -1, 1)",
                10.0,
                &["{i=0} 1", "{i=1} -1", "{i=2} NaN"],
            ),
            ("clamp(x, 1, -1)", 10.0, &[]),
            ("clamp_min(x{i=\"1\"}, 0)", 10.0, &["{i=1} 0"]),
            ("clamp_max(x{i=\"0\"}, 0)", 10.0, &["{i=0} 0"]),
            (
                "sort(x)",
                10.0,
                &[
                    "{__name__=x,i=1} -2.5",
                    "{__name__=x,i=0} 2.5",
                    "{__name__=x,i=2} NaN",
                ],
            ),
            (
                "sort_desc(x)",
                10.0,
                &[
                    "{__name__=x,i=0} 2.5",
                    "{__name__=x,i=1} -2.5",
                    "{__name__=x,i=2} NaN",
                ],
            ),
            ("scalar(limit)", 10.0, &["50"]),
            ("scalar(req)", 10.0, &["NaN"]),
            ("scalar(missing)", 10.0, &["NaN"]),
            ("vector(3)", 10.0, &["{} 3"]),
            ("time()", 12.5, &["12.5"]),
            ("absent(limit)", 10.0, &[]),
            ("absent(limit{pod=\"z\",app!=\"b\"})", 10.0, &["{pod=z} 1"]),
            (
                "absent(limit{pod=\"z\",pod=\"y\",app=\"b\"})",
                10.0,
                &["{app=b} 1"],
            ),
            ("absent(sum(missing))", 10.0, &["{} 1"]),
            (
                "label_replace(limit, \"n\", \"<$1>\", \"pod\", \"(.)\")",
                10.0,
                &["{__name__=limit,n=<a>,pod=a} 50"],
            ),
            (
                "label_replace(limit, \"n\", \"$1\", \"pod\", \"(b)\")",
                10.0,
                &["{__name__=limit,pod=a} 50"],
            ),
            (
                "label_replace(limit, \"pod\", \"\", \"pod\", \".*\")",
                10.0,
                &["{__name__=limit} 50"],
            ),
            (
                "label_join(limit, \"n\", \"-\", \"pod\", \"__name__\")",
                10.0,
                &["{__name__=limit,n=a-limit,pod=a} 50"],
            ),
            ("\"text\"", 10.0, &["text"]),
        ],
    );
}

#[test]
fn what_is_not_supported_is_named_and_bad_syntax_is_told_apart() {
    let db = Tsdb::default();
    let table = [
        (
            "mad_over_time(m[5m])",
            "refused: not supported here: function mad_over_time()",
        ),
        (
            "limitk(1, m)",
            "refused: not supported here: aggregation \"limitk\"",
        ),
        (
            r#"label_replace(m, "\xff", "", "pod", ".*")"#,
            r"refused: not supported here: the escape \xff",
        ),
        (
            r#"m{pod="a\\\377"}"#,
            r"refused: not supported here: the escape \377",
        ),
        // Escaped backslashes are no escapes of bytes, and neither is anything between backquotes.
        (r#"vector(1) == on () m{pod="\\xff"}"#, ""),
        (r#"m{pod=`\xff`}"#, ""),
        ("sum(m", "refused: parse error: "),
        ("rate(m)", "refused: parse error: "),
        ("m{a=~\"(\"}", "refused: parse error: "),
        ("", "refused: parse error: "),
        ("nonsense(m)", "refused: parse error: "),
    ];
    for (query, expected) in table {
        let got = ask(&db, query, 0.0).join("\n");
        assert!(got.starts_with(expected), "{query:?}: {got}");
    }
}

#[test]
fn arithmetic_is_the_real_one_to_the_last_bit() {
    let mut db = Tsdb::default();
    for pod in ["a", "b", "c"] {
        load(
            &mut db,
            &[("__name__", "tenth"), ("pod", pod)],
            &[(10.0, 0.1)],
        );
        load(
            &mut db,
            &[("__name__", "huge"), ("pod", pod)],
            &[(10.0, 1.5e308)],
        );
        load(
            &mut db,
            &[("__name__", "same"), ("pod", pod)],
            &[(0.0, 0.3), (5.0, 0.3), (10.0, 0.3)],
        );
    }
    load(
        &mut db,
        &[("__name__", "edge"), ("pod", "a")],
        &[(10.0, 5.0)],
    );
    load(
        &mut db,
        &[("__name__", "edge"), ("pod", "b")],
        &[(10.0, f64::INFINITY)],
    );
    check(
        &db,
        &[
            // A plain sum of three tenths divided by three is another number than a tenth.
            ("avg(tenth) == bool 0.1", 10.0, &["{} 1"]),
            ("avg(huge) == bool 1.5e308", 10.0, &["{} 1"]),
            ("stddev(tenth) == bool 0", 10.0, &["{} 1"]),
            ("max(stddev_over_time(same[1m]) == bool 0)", 10.0, &["{} 1"]),
            // The rank meets a sample exactly: the infinite one beside it counts for nothing.
            ("quantile(0, edge)", 10.0, &["{} 5"]),
            ("clamp_min(edge{pod=\"b\"}, NaN)", 10.0, &["{pod=b} inf"]),
            ("clamp_max(edge{pod=\"a\"}, NaN)", 10.0, &["{pod=a} NaN"]),
        ],
    );
}

#[test]
fn labels_that_absent_pins_down() {
    check(
        &Tsdb::default(),
        &[
            ("absent(m{pod=~\"a.*\",pod=\"a\"})", 10.0, &["{pod=a} 1"]),
            ("absent(m{pod=\"a\",pod=~\"a.*\"})", 10.0, &["{} 1"]),
            ("absent(m{pod=\"a\",pod=\"b\"})", 10.0, &["{} 1"]),
        ],
    );
}

#[test]
fn histograms_that_only_their_names_tell_apart_are_refused() {
    let mut db = Tsdb::default();
    for name in ["lat_bucket", "wait_bucket"] {
        for (le, count) in [("1", 3.0), ("+Inf", 4.0)] {
            load(&mut db, &[("__name__", name), ("le", le)], &[(10.0, count)]);
        }
    }
    check(
        &db,
        &[
            (
                "histogram_quantile(0.5, {__name__=~\"lat_bucket|wait_bucket\"})",
                10.0,
                &["failed: vector cannot contain metrics with the same labelset"],
            ),
            (
                "histogram_fraction(0, 0.5, lat_bucket)",
                10.0,
                &["{} 0.375"],
            ),
            ("histogram_count(lat_bucket)", 10.0, &[]),
        ],
    );
}

#[test]
fn values_are_counted_and_dates_are_read() {
    check(
        &exchange(),
        &[
            (
                "count_values(\"v\", clamp_max(req, 50))",
                10.0,
                &["{v=50} 2", "{v=10} 1", "{v=40} 1"],
            ),
            (
                "count_values by (pod) (\"v\", build)",
                10.0,
                &["{pod=a,v=1} 1", "{pod=b,v=1} 1"],
            ),
            ("hour(vector(1767571200))", 10.0, &["{} 0"]),
            ("day_of_week(vector(1767571200))", 10.0, &["{} 1"]),
            ("days_in_month(vector(1709164800))", 10.0, &["{} 29"]),
            ("year()", 10.0, &["{} 1970"]),
        ],
    );
}
