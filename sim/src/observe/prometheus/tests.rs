//! Scrapes, staleness and the HTTP API, through the interfaces that the world uses.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;

use super::{Config, Prometheus};
use crate::observe::scrape::{SampleSink, ScrapeError, ScrapeFault, ScrapeSource, Target};
use crate::time::{EPOCH_SECOND, Micros};

/// Pods that expose what the test tells them to.
#[derive(Default)]
struct Pods {
    generation: u64,
    targets: Vec<Target>,
    exposed: BTreeMap<String, Vec<(&'static str, f64)>>,
    broken: BTreeMap<String, ScrapeError>,
    scrapes: Vec<(Micros, String)>,
}

impl Pods {
    fn add(&mut self, pod: &str, exposed: &[(&'static str, f64)]) {
        self.generation += 1;
        self.targets.push(Target {
            uid: pod.to_owned(),
            namespace: "ns".to_owned(),
            pod: pod.to_owned(),
            app: "gateway".to_owned(),
            instance: format!("10.0.0.{}:8080", self.generation),
        });
        self.exposed.insert(pod.to_owned(), exposed.to_vec());
    }

    fn remove(&mut self, pod: &str) {
        self.generation += 1;
        self.targets.retain(|t| t.pod != pod);
    }
}

impl ScrapeSource for Pods {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn targets(&mut self) -> Vec<Target> {
        self.targets.clone()
    }

    fn scrape(
        &mut self,
        now: Micros,
        uid: &str,
        sink: &mut dyn SampleSink,
    ) -> Result<(), ScrapeError> {
        self.scrapes.push((now, uid.to_owned()));
        if let Some(e) = self.broken.get(uid) {
            return Err(*e);
        }
        for (name, v) in &self.exposed[uid] {
            // The pod also has an opinion on its name; Prometheus keeps it under another label.
            sink.sample(name, &[("kind", "t"), ("pod", "self")], *v);
        }
        Ok(())
    }
}

fn until(prometheus: &mut Prometheus, pods: &mut Pods, end: Micros) {
    while let Some(at) = prometheus.next_at().filter(|at| *at <= end) {
        prometheus.advance(at, pods);
    }
}

fn secs(n: u64) -> Micros {
    Micros::from_secs(n)
}

fn request(prometheus: &mut Prometheus, now: Micros, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Bytes::new()).unwrap();
    let response = prometheus.handle(now, &request);
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), body)
}

/// The result array of an instant query at `now`.
fn result(prometheus: &mut Prometheus, now: Micros, query: &str) -> String {
    let query: String = query.bytes().map(|b| format!("%{b:02X}")).collect();
    let (status, body) = request(prometheus, now, &format!("/api/v1/query?query={query}"));
    assert_eq!(status, 200, "{body}");
    let head = r#"{"status":"success","data":{"resultType":"vector","result":"#;
    body.strip_prefix(head)
        .unwrap()
        .strip_suffix("}}")
        .unwrap()
        .to_owned()
}

/// Values of the result, without labels and times.
fn values(prometheus: &mut Prometheus, now: Micros, query: &str) -> Vec<String> {
    let json = result(prometheus, now, query);
    let items: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    items
        .iter()
        .map(|i| i["value"][1].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_target_is_scraped_on_its_own_grid() {
    let mut pods = Pods::default();
    pods.add("a", &[("m", 1.0)]);
    pods.add("b", &[("m", 1.0)]);
    let mut prometheus = Prometheus::new(Config::default(), 7);
    until(&mut prometheus, &mut pods, secs(11));
    let of = |pod: &str| -> Vec<u64> {
        let mine = pods.scrapes.iter().filter(|(_, p)| p == pod);
        mine.map(|(at, _)| at.0).collect()
    };
    for pod in ["a", "b"] {
        let times = of(pod);
        assert!(
            times[0] <= 2_000_000,
            "within one interval of the discovery at 0"
        );
        assert!(
            times.windows(2).all(|w| w[1] - w[0] == 2_000_000),
            "{times:?}"
        );
        assert!(times.len() >= 5);
    }
    assert_ne!(of("a")[0], of("b")[0], "the load is spread");
    // Another seed, another grid; the same seed, the same grid.
    let first = |seed| {
        let mut pods = Pods::default();
        pods.add("a", &[("m", 1.0)]);
        let mut prometheus = Prometheus::new(Config::default(), seed);
        until(&mut prometheus, &mut pods, secs(3));
        pods.scrapes[0].0
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn samples_get_the_targets_labels_and_the_report() {
    let mut pods = Pods::default();
    pods.add("a", &[("m", 1.5)]);
    let mut prometheus = Prometheus::new(Config::default(), 7);
    until(&mut prometheus, &mut pods, secs(4));
    let now = secs(4);
    insta::assert_snapshot!(
        result(&mut prometheus, now, "m"),
        @r#"[{"metric":{"__name__":"m","app":"gateway","exported_pod":"self","instance":"10.0.0.1:8080","job":"kubernetes-pods","kind":"t","namespace":"ns","pod":"a"},"value":[1767571204,"1.5"]}]"#
    );
    insta::assert_snapshot!(
        result(&mut prometheus, now, "up"),
        @r#"[{"metric":{"__name__":"up","app":"gateway","instance":"10.0.0.1:8080","job":"kubernetes-pods","namespace":"ns","pod":"a"},"value":[1767571204,"1"]}]"#
    );
    assert_eq!(
        values(&mut prometheus, now, "scrape_samples_scraped"),
        ["1"]
    );
    assert_eq!(
        values(&mut prometheus, now, "scrape_duration_seconds"),
        ["0.002"]
    );
}

#[test]
fn a_failed_scrape_is_up_0_and_ends_the_series_at_once() {
    let mut pods = Pods::default();
    pods.add("a", &[("m", 1.0)]);
    let mut prometheus = Prometheus::new(Config::default(), 7);
    until(&mut prometheus, &mut pods, secs(4));
    pods.broken.insert("a".to_owned(), ScrapeError::Timeout);
    until(&mut prometheus, &mut pods, secs(6));
    assert_eq!(values(&mut prometheus, secs(6), "up"), ["0"]);
    assert_eq!(
        values(&mut prometheus, secs(6), "scrape_duration_seconds"),
        ["1"]
    );
    assert_eq!(values(&mut prometheus, secs(6), "m"), [""; 0]);
    assert_eq!(values(&mut prometheus, secs(6), "m offset 2s"), ["1"]);
    // And back again.
    pods.broken.clear();
    until(&mut prometheus, &mut pods, secs(8));
    assert_eq!(values(&mut prometheus, secs(8), "m"), ["1"]);
    assert_eq!(values(&mut prometheus, secs(8), "up"), ["1"]);
}

#[test]
fn a_sample_that_is_no_longer_exposed_is_marked_and_the_others_go_on() {
    let mut pods = Pods::default();
    pods.add("a", &[("m", 1.0), ("n", 2.0), ("o", 3.0)]);
    let mut prometheus = Prometheus::new(Config::default(), 7);
    until(&mut prometheus, &mut pods, secs(4));
    let exposed = pods.exposed.get_mut("a").unwrap();
    *exposed = vec![("m", 1.0), ("o", 4.0), ("p", 5.0)];
    until(&mut prometheus, &mut pods, secs(6));
    let all = r#"{kind="t"}"#;
    assert_eq!(values(&mut prometheus, secs(6), all), ["1", "4", "5"]);
    *pods.exposed.get_mut("a").unwrap() = vec![("m", 6.0)];
    until(&mut prometheus, &mut pods, secs(8));
    assert_eq!(values(&mut prometheus, secs(8), all), ["6"]);
    *pods.exposed.get_mut("a").unwrap() = vec![("n", 7.0), ("m", 8.0)];
    until(&mut prometheus, &mut pods, secs(10));
    assert_eq!(values(&mut prometheus, secs(10), all), ["8", "7"]);
}

#[test]
fn a_removed_target_lingers_for_two_intervals_and_is_marked_at_the_missed_scrape() {
    let mut pods = Pods::default();
    pods.add("a", &[("m", 1.0)]);
    let mut prometheus = Prometheus::new(Config::default(), 7);
    until(&mut prometheus, &mut pods, secs(10));
    let last = pods.scrapes.last().unwrap().0;
    pods.remove("a");
    // Noticed by the discovery at 15 s; until then the pod is scraped.
    until(&mut prometheus, &mut pods, Micros(14_999_999));
    let last_before = pods.scrapes.last().unwrap().0;
    assert!(last_before > last);
    until(&mut prometheus, &mut pods, secs(15));
    let scrapes = pods.scrapes.len();
    let missed = pods.scrapes.last().unwrap().0 + secs(2);
    let written = missed + Micros::from_millis(2_200);
    until(&mut prometheus, &mut pods, Micros(written.0 - 1));
    assert_eq!(values(&mut prometheus, Micros(written.0 - 1), "m"), ["1"]);
    assert_eq!(values(&mut prometheus, Micros(written.0 - 1), "up"), ["1"]);
    until(&mut prometheus, &mut pods, written);
    assert_eq!(pods.scrapes.len(), scrapes, "no scrape any more");
    assert_eq!(values(&mut prometheus, written, "m"), [""; 0]);
    assert_eq!(values(&mut prometheus, written, "up"), [""; 0]);
    // The marker's timestamp is that of the missed scrape, and is seen in hindsight only.
    let before_missed = format!(
        "m @ {}",
        EPOCH_SECOND as f64 + (missed.0 - 1_000) as f64 / 1e6
    );
    assert_eq!(values(&mut prometheus, written, &before_missed), ["1"]);
    let at_missed = format!(
        "m @ {}",
        EPOCH_SECOND as f64 + missed.0.div_ceil(1_000) as f64 / 1e3
    );
    assert_eq!(values(&mut prometheus, written, &at_missed), [""; 0]);
}

#[test]
fn faults() {
    let mut pods = Pods::default();
    pods.add("a", &[("m", 1.0)]);
    pods.add("b", &[("m", 2.0)]);
    let mut prometheus = Prometheus::new(Config::default(), 7);
    until(&mut prometheus, &mut pods, secs(4));
    prometheus.set_scrape_fault("a", Some(ScrapeFault::Dropped));
    prometheus.set_scrape_fault("gateway", Some(ScrapeFault::NoMetrics));
    let scrapes = pods.scrapes.len();
    until(&mut prometheus, &mut pods, secs(8));
    assert_eq!(pods.scrapes.len(), scrapes);
    // Pod a: as if nothing had happened, until the lookback ends. Pod b: down.
    assert_eq!(values(&mut prometheus, secs(8), "m"), ["1"]);
    assert_eq!(values(&mut prometheus, secs(8), "up"), ["1", "0"]);
    assert_eq!(values(&mut prometheus, secs(400), "up{pod=\"a\"}"), [""; 0]);
    let (_, targets) = request(&mut prometheus, secs(8), "/api/v1/targets");
    assert!(
        targets.contains("server returned HTTP status 404"),
        "{targets}"
    );
    prometheus.set_scrape_fault("a", None);
    prometheus.set_scrape_fault("gateway", None);
    until(&mut prometheus, &mut pods, secs(10));
    assert_eq!(values(&mut prometheus, secs(10), "m"), ["1", "2"]);
    // Ingestion lags: at 12 s, queries see the world of 5 s.
    *pods.exposed.get_mut("a").unwrap() = vec![("m", 9.0)];
    prometheus.set_ingestion_delay(secs(5));
    until(&mut prometheus, &mut pods, secs(12));
    assert_eq!(values(&mut prometheus, secs(12), "m{pod=\"a\"}"), ["1"]);
    assert_eq!(values(&mut prometheus, secs(17), "m{pod=\"a\"}"), ["9"]);
}

#[test]
fn what_a_server_misses_while_it_stands_still_is_not_scraped_later() {
    let mut prometheus = Prometheus::new(Config::default(), 3);
    let mut pods = Pods::default();
    pods.add("a", &[("x", 1.0)]);
    until(&mut prometheus, &mut pods, secs(30));
    let grid = pods.scrapes.last().expect("scraped").0;
    let before = pods.scrapes.len();
    prometheus.stand_still(secs(60));
    until(&mut prometheus, &mut pods, secs(59));
    assert_eq!(pods.scrapes.len(), before);
    until(&mut prometheus, &mut pods, secs(90));
    let later: Vec<Micros> = pods.scrapes[before..].iter().map(|s| s.0).collect();
    let interval = Config::default().interval;
    assert!(later[0] >= secs(60) && later[0] < secs(60) + interval);
    assert_eq!((later[0] - grid).0 % interval.0, 0, "on the grid as before");
}

/// A server with one pod whose counter grows by 2 a second from 100 on, at 20 s.
fn counting() -> Prometheus {
    let mut pods = Pods::default();
    pods.add("a", &[("c", 100.0)]);
    let mut prometheus = Prometheus::new(Config::default(), 7);
    while let Some(at) = prometheus.next_at().filter(|at| *at <= secs(20)) {
        *pods.exposed.get_mut("a").unwrap() = vec![("c", 100.0 + 2.0 * at.as_secs_f64())];
        prometheus.advance(at, &mut pods);
    }
    prometheus
}

#[test]
fn instant_queries() {
    let mut p = counting();
    let now = secs(20);
    let mut body = |path: &str| request(&mut p, now, path).1;
    insta::assert_snapshot!(
        body("/api/v1/query?query=sum(rate(c[10s]))"),
        @r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1767571220,"2"]}]}}"#
    );
    insta::assert_snapshot!(
        body("/api/v1/query?query=vector(1)/0&time=1767571210.5"),
        @r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1767571210.500,"+Inf"]}]}}"#
    );
    insta::assert_snapshot!(
        body("/api/v1/query?query=scalar(missing)&time=2026-01-05T00:00:10Z"),
        @r#"{"status":"success","data":{"resultType":"scalar","result":[1767571210,"NaN"]}}"#
    );
    insta::assert_snapshot!(
        body("/api/v1/query?query=%22a%5C%22b%22"),
        @r#"{"status":"success","data":{"resultType":"string","result":[1767571220,"a\"b"]}}"#
    );
    insta::assert_snapshot!(
        body("/api/v1/query?query=missing"),
        @r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#
    );
    let matrix = body("/api/v1/query?query=count_over_time(up[4s])%5B4s:2s%5D");
    insta::assert_snapshot!(
        matrix,
        @r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"app":"gateway","instance":"10.0.0.1:8080","job":"kubernetes-pods","namespace":"ns","pod":"a"},"values":[[1767571218,"2"],[1767571220,"2"]]}]}}"#
    );
    // The same query as a form.
    let form = Request::post("/api/v1/query")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"query=sum(rate(c%5B10s%5D))"))
        .unwrap();
    let posted = counting().handle(now, &form);
    assert!(posted.body().ends_with(br#""value":[1767571220,"2"]}]}}"#));
    assert_eq!(posted.headers()["content-type"], "application/json");
}

#[test]
fn range_queries_include_both_ends() {
    let mut p = counting();
    let mut ask = |query: &str| request(&mut p, secs(20), &format!("/api/v1/query_range?{query}"));
    insta::assert_snapshot!(
        ask("query=sum(up)&start=1767571216&end=1767571220&step=2").1,
        @r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1767571216,"1"],[1767571218,"1"],[1767571220,"1"]]}]}}"#
    );
    insta::assert_snapshot!(
        ask("query=time()-1767571200&start=1767571216&end=1767571217&step=400ms").1,
        @r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1767571216,"16"],[1767571216.400,"16.40000009536743"],[1767571216.800,"16.799999952316284"]]}]}}"#
    );
    let refused = |(status, body): (u16, String), why: &str| {
        assert_eq!(status, 400, "{body}");
        assert!(
            body.contains(r#""errorType":"bad_data""#) && body.contains(why),
            "{body}"
        );
    };
    refused(
        ask("query=up&start=2&end=1&step=1"),
        "end timestamp must not be before start time",
    );
    refused(
        ask("query=up&start=1&end=2&step=0"),
        "zero or negative query resolution",
    );
    refused(ask("query=up&start=0&end=11001&step=1"), "11,000 points");
    refused(
        ask("query=up&start=x&end=1&step=1"),
        r#"invalid parameter \"start\""#,
    );
    refused(
        ask("query=up%5B5s%5D&start=1&end=2&step=1"),
        r#"invalid expression type \"range vector\""#,
    );
    assert_eq!(ask("query=up&start=0&end=11000&step=1").0, 200);
}

#[test]
fn errors() {
    let mut p = counting();
    let mut ask = |path: &str| request(&mut p, secs(20), path);
    let (status, body) = ask("/api/v1/query?query=sum(");
    assert_eq!(status, 400);
    let error = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": parse error: "#;
    assert!(body.starts_with(error), "{body}");
    insta::assert_snapshot!(
        format!("{:?}", ask("/api/v1/query?query=mad_over_time(up%5B5m%5D)")),
        @r#"(422, "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"not supported here: function mad_over_time()\"}")"#
    );
    insta::assert_snapshot!(
        ask("/api/v1/query?query=up&time=noon").1,
        @r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": cannot parse \"noon\" to a valid timestamp"}"#
    );
    insta::assert_snapshot!(
        ask("/api/v1/series").1,
        @r#"{"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}"#
    );
    assert_eq!(ask("/api/v2/query").0, 404);
    for path in [
        "query?query=up",
        "query_range?query=up&start=0&end=1&step=1",
    ] {
        assert_eq!(ask(&format!("/api/v1/{path}&timeout=30s")).0, 200, "{path}");
        let (status, body) = ask(&format!("/api/v1/{path}&timeout=bad"));
        assert_eq!(status, 400, "{path}");
        let why = r#"invalid parameter \"timeout\": cannot parse \"bad\" to a valid duration"#;
        assert!(body.contains(why), "{body}");
    }
    for (path, data) in [
        ("rules", r#"{"groups":[]}"#),
        ("alerts", r#"{"alerts":[]}"#),
        ("scrape_pools", r#"{"scrapePools":["kubernetes-pods"]}"#),
        ("status/buildinfo", r#"{"version":"3."#),
    ] {
        let (status, body) = ask(&format!("/api/v1/{path}"));
        assert_eq!(status, 200, "{path}");
        let begin = format!(r#"{{"status":"success","data":{data}"#);
        assert!(body.starts_with(&begin), "{path}: {body}");
    }
    assert_eq!(
        ask("/-/healthy"),
        (200, "Prometheus Server is Healthy.\n".to_owned())
    );
    assert_eq!(
        ask("/-/ready"),
        (200, "Prometheus Server is Ready.\n".to_owned())
    );
}

#[test]
fn metadata() {
    let mut p = counting();
    let mut ask = |path: &str| request(&mut p, secs(20), path).1;
    insta::assert_snapshot!(
        ask("/api/v1/labels?match%5B%5D=up"),
        @r#"{"status":"success","data":["__name__","app","instance","job","namespace","pod"]}"#
    );
    insta::assert_snapshot!(
        ask("/api/v1/label/__name__/values"),
        @r#"{"status":"success","data":["c","scrape_duration_seconds","scrape_samples_scraped","up"]}"#
    );
    insta::assert_snapshot!(
        ask("/api/v1/label/pod/values?end=1767571200"),
        @r#"{"status":"success","data":[]}"#
    );
    insta::assert_snapshot!(
        ask("/api/v1/series?match%5B%5D=%7B__name__%3D~%22u.%22%7D"),
        @r#"{"status":"success","data":[{"__name__":"up","app":"gateway","instance":"10.0.0.1:8080","job":"kubernetes-pods","namespace":"ns","pod":"a"}]}"#
    );
    let targets: serde_json::Value = serde_json::from_str(&ask("/api/v1/targets")).unwrap();
    let active = &targets["data"]["activeTargets"][0];
    assert_eq!(active["health"], "up");
    assert_eq!(active["labels"]["pod"], "a");
    assert_eq!(active["scrapeUrl"], "http://10.0.0.1:8080/metrics");
    assert_eq!(active["scrapeInterval"], "2s");
}
