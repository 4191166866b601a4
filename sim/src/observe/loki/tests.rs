//! LogQL and the HTTP API.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;

use super::Loki;
use crate::time::Micros;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn secs(n: u64) -> Micros {
    Micros::from_secs(n)
}

/// Two gateways: an error each second on one, and a start on the other.
fn logs() -> Loki {
    let mut loki = Loki::new();
    let a = labels(&[("app", "gateway"), ("pod", "a"), ("level", "error")]);
    let b = labels(&[("app", "gateway"), ("pod", "b"), ("level", "info")]);
    for i in 1..=5 {
        loki.push(&a, secs(i), format!("GET /order 50{i}"));
    }
    loki.push(&b, secs(3), "started \"v1\"".to_owned());
    loki
}

fn encode(query: &str) -> String {
    query.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn get(loki: &mut Loki, now: Micros, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Bytes::new()).unwrap();
    let response = loki.handle(now, &request);
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), body)
}

fn range(loki: &mut Loki, now: Micros, query: &str, more: &str) -> (u16, String) {
    let query = encode(query);
    get(
        loki,
        now,
        &format!("/loki/api/v1/query_range?query={query}&{more}"),
    )
}

/// The lines of a range query, in the order of the answer.
fn lines(loki: &mut Loki, now: Micros, query: &str, more: &str) -> Vec<String> {
    let (status, body) = range(loki, now, query, more);
    assert_eq!(status, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["data"]["resultType"], "streams");
    let streams = body["data"]["result"].as_array().unwrap().iter();
    streams
        .flat_map(|s| s["values"].as_array().unwrap().clone())
        .map(|v| v[1].as_str().unwrap().to_owned())
        .collect()
}

/// The samples of an instant query: labels and values.
fn samples(loki: &mut Loki, now: Micros, query: &str) -> Vec<String> {
    let (status, body) = get(
        loki,
        now,
        &format!("/loki/api/v1/query?query={}", encode(query)),
    );
    assert_eq!(status, 200, "{query}: {body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["data"]["resultType"], "vector");
    let result = body["data"]["result"].as_array().unwrap().iter();
    result
        .map(|s| format!("{} {}", s["metric"], s["value"][1].as_str().unwrap()))
        .collect()
}

#[test]
fn the_json_of_streams_vectors_and_matrices() {
    let mut loki = logs();
    insta::assert_snapshot!(
        range(&mut loki, secs(10), r#"{app="gateway"} |~ "503|started""#, "direction=forward").1,
        @r#"{"status":"success","data":{"resultType":"streams","result":[{"stream":{"app":"gateway","level":"error","pod":"a"},"values":[["1767571203000000000","GET /order 503"]]},{"stream":{"app":"gateway","level":"info","pod":"b"},"values":[["1767571203000000000","started \"v1\""]]}],"stats":{}}}"#
    );
    let count = encode(r#"sum by (pod) (count_over_time({app="gateway"}[10s]))"#);
    insta::assert_snapshot!(
        get(&mut loki, secs(10), &format!("/loki/api/v1/query?query={count}")).1,
        @r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1767571210,"5"]},{"metric":{"pod":"b"},"value":[1767571210,"1"]}],"stats":{}}}"#
    );
    insta::assert_snapshot!(
        range(&mut loki, secs(10), r#"sum(rate({pod="a"}[2s]))"#, "start=1767571202&end=1767571206&step=2s").1,
        @r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1767571202,"1"],[1767571204,"1"],[1767571206,"0.5"]]}],"stats":{}}}"#
    );
    insta::assert_snapshot!(
        range(&mut loki, secs(10), r#"{app="none"}"#, "").1,
        @r#"{"status":"success","data":{"resultType":"streams","result":[],"stats":{}}}"#
    );
}

#[test]
fn the_start_is_inclusive_the_end_exclusive_and_the_newest_come_first() {
    let mut loki = logs();
    let q = r#"{pod="a"}"#;
    let codes = |loki: &mut Loki, more: &str| -> Vec<String> {
        let lines = lines(loki, secs(10), q, more);
        lines.iter().map(|l| l[l.len() - 1..].to_owned()).collect()
    };
    assert_eq!(codes(&mut loki, ""), ["5", "4", "3", "2", "1"]);
    assert_eq!(
        codes(&mut loki, "direction=FORWARD"),
        ["1", "2", "3", "4", "5"]
    );
    assert_eq!(codes(&mut loki, "limit=2"), ["5", "4"]);
    assert_eq!(codes(&mut loki, "limit=2&direction=forward"), ["1", "2"]);
    assert_eq!(
        codes(&mut loki, "start=1767571202&end=1767571204"),
        ["3", "2"]
    );
    assert_eq!(
        codes(
            &mut loki,
            "start=1767571202000000001&end=1767571204000000001"
        ),
        ["4", "3"]
    );
    assert_eq!(codes(&mut loki, "start=2026-01-05T00:00:04Z"), ["5", "4"]);
    assert_eq!(codes(&mut loki, "since=6s"), ["5", "4"]);
    // The default start is an hour ago.
    let late = secs(3_603);
    assert_eq!(lines(&mut loki, late, q, "").len(), 3);
    // Without a limit, a hundred.
    let many = labels(&[("app", "many")]);
    (0..150).for_each(|i| loki.push(&many, secs(20), i.to_string()));
    let found = lines(&mut loki, secs(21), r#"{app="many"}"#, "");
    assert_eq!((found.len(), found[0].as_str()), (100, "149"));
}

#[test]
fn selectors_and_line_filters() {
    let mut loki = logs();
    let table: &[(&str, usize)] = &[
        (r#"{app="gateway"}"#, 6),
        (r#"{app="gateway", pod!="a"}"#, 1),
        (r#"{app=~"gate.*", level=~"error|warn"}"#, 5),
        (r#"{app=~"gate"}"#, 0),
        (r#"{app="gateway", level!~"err.*"}"#, 1),
        (r#"{app="gateway"} |= "50""#, 5),
        (r#"{app="gateway"} |= "50" != "503""#, 4),
        (r#"{app="gateway"} |~ "50[12]""#, 2),
        (r#"{app="gateway"} !~ "50[12]" |= "GET""#, 3),
        ("{app=\"gateway\"} |= `\"v1\"`", 1),
        (r#"{app="gateway"} |= "\"v1\"""#, 1),
    ];
    for (query, n) in table {
        assert_eq!(lines(&mut loki, secs(10), query, "").len(), *n, "{query}");
    }
}

#[test]
fn metric_queries() {
    let mut loki = logs();
    let a = r#"{"app":"gateway","level":"error","pod":"a"}"#;
    let line = |v: &str| vec![format!("{a} {v}")];
    // The range is left-open and right-closed: at 5 s, [2s] holds the lines of 4 s and 5 s.
    assert_eq!(
        samples(&mut loki, secs(5), r#"count_over_time({pod="a"}[2s])"#),
        line("2")
    );
    assert_eq!(
        samples(&mut loki, secs(5), r#"rate({pod="a"}[2s])"#),
        line("1")
    );
    assert_eq!(
        samples(&mut loki, secs(5), r#"bytes_over_time({pod="a"}[2s])"#),
        line("28")
    );
    assert_eq!(
        samples(&mut loki, secs(5), r#"bytes_rate({pod="a"}[2s])"#),
        line("14")
    );
    assert_eq!(
        samples(
            &mut loki,
            secs(9),
            r#"count_over_time({pod="a"}[2s] offset 4s)"#
        ),
        line("2")
    );
    assert_eq!(
        samples(
            &mut loki,
            secs(5),
            r#"sum(count_over_time({app="gateway"}[1m]))"#
        ),
        ["{} 6"]
    );
    let without = r#"sum without (pod, level) (count_over_time({app="gateway"}[1m]))"#;
    assert_eq!(
        samples(&mut loki, secs(5), without),
        [r#"{"app":"gateway"} 6"#]
    );
    let by_after = r#"max(count_over_time({app="gateway"}[1m])) by (app)"#;
    assert_eq!(
        samples(&mut loki, secs(5), by_after),
        [r#"{"app":"gateway"} 5"#]
    );
    let over = |n: u32| format!(r#"sum(count_over_time({{app="gateway"}} |= "50" [1m])) > {n}"#);
    assert_eq!(samples(&mut loki, secs(5), &over(4)), ["{} 5"]);
    assert_eq!(samples(&mut loki, secs(5), &over(5)), [""; 0]);
    let bools = r#"sum(count_over_time({app="gateway"}[1m])) <= bool 5"#;
    assert_eq!(samples(&mut loki, secs(5), bools), ["{} 0"]);
    // No lines, no sample: not 0.
    assert_eq!(
        samples(
            &mut loki,
            secs(5),
            r#"sum(count_over_time({app="none"}[1m]))"#
        ),
        [""; 0]
    );
}

#[test]
fn lines_are_found_only_after_the_ingestion_delay() {
    let mut loki = Loki::new();
    let l = labels(&[("app", "x")]);
    loki.set_ingestion_delay(secs(5));
    loki.push(&l, secs(10), "late".to_owned());
    loki.set_ingestion_delay(Micros::ZERO);
    loki.push(&l, secs(11), "prompt".to_owned());
    loki.push(&l, secs(9), "out of order".to_owned());
    let q = r#"{app="x"}"#;
    assert_eq!(
        lines(&mut loki, secs(12), q, ""),
        ["prompt", "out of order"]
    );
    assert_eq!(
        lines(&mut loki, Micros(14_999_999), q, ""),
        ["prompt", "out of order"]
    );
    assert_eq!(
        lines(&mut loki, secs(15), q, ""),
        ["prompt", "late", "out of order"]
    );
    assert_eq!(
        samples(
            &mut loki,
            secs(14),
            r#"sum(count_over_time({app="x"}[1m]))"#
        ),
        ["{} 2"]
    );
}

#[test]
fn an_answer_counts_as_changed_only_if_a_hidden_line_belongs_in_it() {
    let mut loki = Loki::new();
    let gateway = labels(&[("app", "gateway")]);
    loki.push(&gateway, secs(9), "prompt".to_owned());
    loki.set_ingestion_delay(secs(5));
    loki.push(&gateway, secs(10), "late".to_owned());
    let q = r#"sum(count_over_time({app="gateway"}[1m]))"#;
    let mut after = |at, query: &str| {
        samples(&mut loki, at, query);
        loki.answers_changed()
    };
    assert_eq!(after(secs(12), q), 1);
    assert_eq!(
        after(secs(12), &q.replace("gateway", "risk")),
        1,
        "no line of it is hidden"
    );
    assert_eq!(
        after(
            secs(12),
            r#"sum(count_over_time({app="gateway"} |= "prompt" [1m]))"#
        ),
        1,
        "the hidden line is not asked for"
    );
    assert_eq!(after(secs(15), q), 1, "it has come in");
    loki.set_ingestion_delay(secs(5));
    loki.push(&gateway, secs(20), "late again".to_owned());
    lines(&mut loki, secs(21), r#"{app="gateway"}"#, "");
    assert_eq!(loki.answers_changed(), 2);
}

#[test]
fn pushing_over_http() {
    let mut loki = Loki::new();
    let mut push = |body: &'static str| {
        let request = Request::post("/loki/api/v1/push")
            .header("content-type", "application/json")
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap();
        loki.handle(secs(1), &request).status().as_u16()
    };
    let good = r#"{"streams":[{"stream":{"app":"x"},"values":[["1767571200500000000","one"],["1767571200600000000","two",{"m":"1"}]]}]}"#;
    assert_eq!(push(good), 204);
    assert_eq!(push("{}"), 400);
    assert_eq!(
        push(r#"{"streams":[{"stream":{"app":"x"},"values":[["soon","one"]]}]}"#),
        400
    );
    assert_eq!(push(r#"{"streams":[{"stream":{},"values":[]}]}"#), 400);
    assert_eq!(loki.lines(), 2);
    assert_eq!(
        lines(&mut loki, secs(1), r#"{app="x"}"#, ""),
        ["two", "one"]
    );
}

#[test]
fn labels_and_readiness() {
    let mut loki = logs();
    let mut body = |path: &str| get(&mut loki, secs(10), path);
    assert_eq!(body("/ready"), (200, "ready\n".to_owned()));
    assert_eq!(
        body("/loki/api/v1/labels").1,
        r#"{"status":"success","data":["app","level","pod"]}"#
    );
    assert_eq!(
        body("/loki/api/v1/label/pod/values").1,
        r#"{"status":"success","data":["a","b"]}"#
    );
    assert_eq!(
        body("/loki/api/v1/label/pod/values?start=1767571204").1,
        r#"{"status":"success","data":["a"]}"#
    );
    assert_eq!(
        body("/loki/api/v1/labels?start=1767571206").1,
        r#"{"status":"success"}"#
    );
    assert_eq!(body("/loki/api/v1/other").0, 404);
}

#[test]
fn bad_requests_are_refused_with_a_reason() {
    let mut loki = logs();
    let table = [
        ("{", "", "parse error at line 1, col 2"),
        ("{}", "", "at least one regexp or equality matcher"),
        (
            r#"{app=~".*"}"#,
            "",
            "at least one regexp or equality matcher",
        ),
        (
            r#"{app="a"} | json"#,
            "",
            "pipeline stage \"json\" is not supported here",
        ),
        (r#"{app="a"} |= x"#, "", "expecting STRING"),
        (r#"{app=~"("}"#, "", "invalid regular expression"),
        (r#"rate({app="a"})"#, "", "expecting ["),
        (r#"rate({app="a"}[5x])"#, "", "not a valid duration"),
        (r#"rate({app="a"}[300y])"#, "", "not a valid duration"),
        (
            r#"rate({app="a"}[1m] offset 99999999999999999y)"#,
            "",
            "not a valid duration",
        ),
        (
            r#"topk(1, rate({app="a"}[5s]))"#,
            "",
            "topk is unknown or not supported here",
        ),
        (
            r#"sum(rate({app="a"}[5s])) / 2"#,
            "",
            "arithmetic is not supported here",
        ),
        (
            r#"{app="a"}"#,
            "limit=5001",
            "max entries limit per query exceeded",
        ),
        (r#"{app="a"}"#, "limit=0", "limit must be a positive value"),
        (
            r#"{app="a"}"#,
            "start=2&end=1",
            "end timestamp must not be before",
        ),
        (r#"{app="a"}"#, "start=soon", "could not parse"),
        (r#"{app="a"}"#, "direction=up", "invalid direction"),
    ];
    for (query, more, why) in table {
        let (status, body) = range(&mut loki, secs(10), query, more);
        assert_eq!(status, 400, "{query} {more}: {body}");
        assert!(body.contains(why), "{query} {more}: {body}");
    }
    let path = format!("/loki/api/v1/query?query={}", encode(r#"{app="a"}"#));
    let (status, body) = get(&mut loki, secs(10), &path);
    assert_eq!(status, 400);
    assert!(body.starts_with("log queries are not supported as an instant query type"));
}

#[test]
fn ranges_from_before_the_epoch_are_no_panic() {
    let mut loki = logs();
    for query in [
        r#"rate({app="a"}[292y])"#,
        r#"count_over_time({app="a"}[292y] offset 292y)"#,
    ] {
        let path = format!("/loki/api/v1/query?query={}", encode(query));
        let (status, body) = get(&mut loki, secs(10), &path);
        assert_eq!(status, 200, "{query}: {body}");
    }
}
