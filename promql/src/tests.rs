//! No text makes [`parse`](super::parse) panic, and a duration that can't be one is pointed at.

use proptest::prelude::*;

use super::{check_durations_of_logql, parse};

#[test]
fn durations_that_the_parser_panics_on_are_pointed_at() {
    for (query, at) in [
        ("x offset 1e30", "1e30"),
        ("x offset -1e30", "1e30"),
        ("x offset - # why\n 1e30", "1e30"),
        ("x OFFSET nan", "nan"),
        ("x offset +Inf", "Inf"),
        ("x offset 0xFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFF"),
        ("rate(x[1e30])", "1e30"),
        ("rate(x[1e+30])", "1e+30"),
        ("rate(x[5m] offset 1e30)", "1e30"),
        ("max_over_time(rate(x[5m])[1h:1e30])", "1e30"),
        ("max_over_time(max_over_time(x[1h:1m])[1e30:1m])", "1e30"),
        // A part that does not fit into 32 bits would be dropped without a word.
        ("rate(x[99999999999y1s])", "99999999999y1s"),
        ("rate(x[300y])", "300y"),
        ("rate(x[0])", "0"),
        ("rate(x[0s])", "0s"),
    ] {
        let refused = parse(query).expect_err(query);
        assert_eq!(&query[refused.at.clone()], at, "{query}: {refused}");
    }
}

#[test]
fn durations_of_logql_have_units_and_an_end() {
    for good in [
        "1m",
        "1h30m",
        "99999999999ms",
        "1.5h",
        "300ms",
        "20m1h",
        "1w",
        "0.5s",
    ] {
        for query in [
            format!("rate({{a=\"[1e30]\"}} |= `[0s]` [{good}])"),
            format!("rate({{a=\"b\"}}[1m] offset {good})"),
        ] {
            assert_eq!(check_durations_of_logql(&query), Ok(()), "{query}");
        }
    }
    for bad in [
        "1e30",
        "60",
        "nan",
        "0s",
        "300y",
        "99999999999999999999h",
        "18446744073709551615ms",
        "99999999999999.5h",
        "1.5.5h",
        "1x",
    ] {
        let query = format!("rate({{a=\"b\"}} [{bad}])");
        let refused = check_durations_of_logql(&query).expect_err(&query);
        assert_eq!(&query[refused.at.clone()], bad, "{refused}");
    }
}

#[test]
fn what_only_looks_like_a_duration_is_left_to_the_parser() {
    for query in [
        "rate(x{path=\"[1e30] offset nan\"}[5m])",
        "x # offset 1e30",
        "x * 1e30",
        "x > inf",
        "nan",
        "x offset 1h30m",
        "x offset -90",
        "rate(x[1.5])",
        "rate(x[0x1F])",
        "max_over_time(x[1h:])",
        "max_over_time(x[1h:30s] @ 1e9 offset 1w)",
        "sum by (offset) (x)",
        "x @ 1e300",
    ] {
        let refused = parse(query).err().map(|refused| refused.why);
        let by_us = refused
            .as_deref()
            .is_some_and(|why| why.starts_with("the duration"));
        assert!(!by_us, "{query}: {refused:?}");
    }
    assert!(parse("max_over_time(x[1h:30s] offset 1w)").is_ok());
}

#[test]
fn a_query_that_is_nested_too_deeply_is_refused() {
    let deep = format!("{}x{}", "(".repeat(300), ")".repeat(300));
    assert!(parse(&deep).is_err());
}

/// What queries are made of, and what they are not.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "x",
            "rate(",
            "sum by (",
            "max_over_time(",
            ")",
            "[",
            "]",
            ":",
            "offset ",
            "OFFSET",
            " @ ",
            "start()",
            "{a=\"b\"}",
            "{a=~\"[\"}",
            " and ",
            " bool ",
            "ignoring (",
            "group_left (",
            "fill(",
            "\"s\"",
            "'",
            "`",
            "#",
            "\n",
            "nan",
            "inf",
            "Inf",
            "ſ",
            "K",
            "-",
            "+",
            "*",
            "/",
            "^",
            "%",
            "==",
            ",",
            "$WINDOW",
            "{",
            "}",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "1e30",
            "-1e30",
            "1e-30",
            "1e309",
            "0x",
            "0xFFFFFFFFFFFFFFFFFF",
            "08",
            "077",
            "1_000",
            ".5",
            "5.",
            "1.2.3",
            "5m",
            "0s",
            "99999999999y",
            "1y1y",
            "1ms1s",
            "4294967296h",
            "292y",
            "9223372036854775808",
            "1h:1ms",
        ])
        .prop_map(str::to_owned),
        "[0-9]{1,22}(ms|s|m|h|d|w|y)?",
        "[0-9]{0,3}\\.?[0-9]{0,3}[eE][-+]?[0-9]{1,4}",
        "\\PC{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_causes_a_panic(pieces in prop::collection::vec(piece(), 1..14)) {
        let text = pieces.concat();
        if let Err(refused) = parse(&text) {
            prop_assert!(text.get(refused.at.clone()).is_some(), "{:?}", refused);
            prop_assert!(!refused.why.contains('\n'));
        }
    }

    #[test]
    fn no_duration_causes_a_panic(duration in piece(), other in piece(), sign in "[-+]?") {
        for text in [
            format!("x offset {sign}{duration}"),
            format!("rate(x[{duration}])"),
            format!("max_over_time(x[{duration}:{other}])"),
            format!("max_over_time(rate(x[{other}])[{duration}:{other}] offset {sign}{other})"),
            format!("x @ {sign}{duration}"),
            format!("x[{duration}] @ {other} offset {sign}{duration}"),
        ] {
            let _ = parse(&text);
        }
    }
}
