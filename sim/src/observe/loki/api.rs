//! The HTTP API (Loki `docs/sources/reference/loki-http-api.md`, `pkg/validation/limits.go`). Errors are plain text,
//! as Loki's are.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{Method, Request, Response};
use serde::Deserialize;

use super::logql::{Query, parse};
use super::query::Wanted;
use super::{Loki, Stream};
use crate::observe::labels::Labels;
use crate::observe::wire::{self, Params, unix_ns};
use crate::time::Micros;

/// Lines in an answer if the request names no limit.
const LIMIT_DEFAULT: usize = 100;
/// Most lines that a request may ask for.
const LIMIT_MAX: usize = 5_000;
/// Most points of a series that a range query may ask for.
const POINTS_MAX: i64 = 11_000;
const HOUR_NS: i64 = 3_600_000_000_000;

#[derive(Deserialize)]
struct PushBody {
    streams: Vec<PushStream>,
}

#[derive(Deserialize)]
struct PushStream {
    stream: BTreeMap<String, String>,
    values: Vec<Vec<serde_json::Value>>,
}

impl Loki {
    /// Answers one request as of `now`.
    pub fn handle(&mut self, now: Micros, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        if path == "/ready" {
            return wire::text(200, "ready\n");
        }
        let Some(endpoint) = path.strip_prefix("/loki/api/v1/") else {
            return wire::text(404, "404 page not found\n");
        };
        let method = request.method();
        let allowed = match endpoint {
            "push" => method == Method::POST,
            _ => method == Method::GET || method == Method::POST,
        };
        if !allowed {
            return wire::text(405, "Method Not Allowed\n");
        }
        let params = Params::of(request);
        let result = match endpoint {
            "push" => match self.take_in(now, request.body()) {
                Ok(()) => return wire::text(204, ""),
                Err(e) => Err(e),
            },
            "query" => self.query(now, &params),
            "query_range" => self.query_range(now, &params),
            "labels" | "label" => self.label_names(now, &params),
            _ => match wire::label_of(endpoint) {
                Some(label) => self.label_values(now, &label, &params),
                None => return wire::text(404, "404 page not found\n"),
            },
        };
        match result {
            Ok(body) => wire::respond(200, "application/json; charset=UTF-8", body),
            Err(message) => wire::text(400, message),
        }
    }

    fn take_in(&mut self, now: Micros, body: &Bytes) -> Result<(), String> {
        let push: PushBody = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let mut lines = Vec::new();
        for (i, stream) in push.streams.iter().enumerate() {
            if stream.stream.is_empty() {
                return Err("error at least one label pair is required per stream".to_owned());
            }
            for value in &stream.values {
                let ns = value.first().and_then(|v| v.as_str());
                let line = value.get(1).and_then(|v| v.as_str());
                match (ns.and_then(|ns| ns.parse::<i64>().ok()), line) {
                    (Some(ns), Some(line)) => lines.push((i, ns, line)),
                    _ => {
                        return Err(
                            "a value must be [\"<unix nanoseconds>\", \"<line>\"]".to_owned()
                        );
                    }
                }
            }
        }
        // All or nothing.
        let visible = now + self.ingestion_delay;
        for (i, ns, line) in lines {
            self.insert(&push.streams[i].stream, ns, visible, line.into());
        }
        Ok(())
    }

    fn query(&mut self, now: Micros, params: &Params) -> Result<String, String> {
        let t_ns = match params.get("time") {
            None => unix_ns(now),
            Some(s) => time_ns(s)?,
        };
        let query = parse(params.get("query").unwrap_or(""))?;
        let Query::Metric(metric) = &*query else {
            return Err(
                "log queries are not supported as an instant query type, please change your query to a range query type"
                    .to_owned(),
            );
        };
        let t_ms = t_ns.div_euclid(1_000_000);
        let samples = self.metric(now, metric, t_ms);
        self.compare(now, &samples, |seen| self.metric(seen, metric, t_ms));
        Ok(result("vector", |out| {
            wire::push_array(out, &samples, |out, (labels, v)| {
                out.push_str(r#"{"metric":"#);
                wire::push_labels(out, labels);
                out.push_str(r#","value":"#);
                push_point(out, t_ms, *v);
                out.push('}');
            });
        }))
    }

    fn query_range(&mut self, now: Micros, params: &Params) -> Result<String, String> {
        let (start_ns, end_ns) = bounds(now, params, HOUR_NS)?;
        let query = parse(params.get("query").unwrap_or(""))?;
        match &*query {
            Query::Log(log) => {
                let wanted = Wanted {
                    start_ns,
                    end_ns,
                    limit: limit(params)?,
                    forward: forward(params)?,
                };
                let streams = self.lines_of(now, log, wanted);
                self.compare(now, &streams, |seen| self.lines_of(seen, log, wanted));
                Ok(result("streams", |out| {
                    wire::push_array(out, &streams, |out, (labels, lines)| {
                        out.push_str(r#"{"stream":"#);
                        wire::push_labels(out, labels);
                        out.push_str(r#","values":"#);
                        wire::push_array(out, lines, |out, (ns, line)| {
                            out.push_str(&format!("[\"{ns}\","));
                            wire::push_str(out, line);
                            out.push(']');
                        });
                        out.push('}');
                    });
                }))
            }
            Query::Metric(metric) => {
                let (start, end) = (start_ns.div_euclid(1_000_000), end_ns.div_euclid(1_000_000));
                let step = match params.get("step") {
                    Some(s) => wire::step_ms(s)?,
                    // A 250th of the span in whole seconds, but at least one.
                    None => ((end - start) / 250_000).max(1) * 1_000,
                };
                if step <= 0 {
                    return Err("zero or negative query resolution step widths are not accepted. Try a positive integer".to_owned());
                }
                if (end - start) / step > POINTS_MAX {
                    return Err("exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter".to_owned());
                }
                let series = |seen| {
                    let mut series: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
                    for t in (0..).map(|i| start + i * step).take_while(|t| *t <= end) {
                        for (labels, v) in self.metric(seen, metric, t) {
                            series.entry(labels).or_default().push((t, v));
                        }
                    }
                    series
                };
                let answer = series(now);
                self.compare(now, &answer, series);
                Ok(result("matrix", |out| {
                    wire::push_array(out, &answer, |out, (labels, points)| {
                        out.push_str(r#"{"metric":"#);
                        wire::push_labels(out, labels);
                        out.push_str(r#","values":"#);
                        wire::push_array(out, points, |out, (t, v)| push_point(out, *t, *v));
                        out.push('}');
                    });
                }))
            }
        }
    }

    /// The streams with a visible line in the asked-for time.
    fn live(&self, now: Micros, params: &Params) -> Result<Vec<&Stream>, String> {
        let (start, end) = bounds(now, params, 6 * HOUR_NS)?;
        let has = |s: &&Stream| {
            let mut entries = s.entries.iter();
            entries.any(|e| e.visible <= now && (start..=end).contains(&e.ns))
        };
        Ok(self.streams.iter().filter(has).collect())
    }

    fn label_names(&self, now: Micros, params: &Params) -> Result<String, String> {
        let live = self.live(now, params)?;
        let names = live.iter().flat_map(|s| s.labels.iter().map(|(k, _)| k));
        Ok(strings(names.collect()))
    }

    fn label_values(&self, now: Micros, label: &str, params: &Params) -> Result<String, String> {
        let live = self.live(now, params)?;
        let values = live.iter().map(|s| s.labels.get(label));
        Ok(strings(values.filter(|v| !v.is_empty()).collect()))
    }
}

/// Loki leaves `data` out where there is none.
fn strings(set: BTreeSet<&str>) -> String {
    if set.is_empty() {
        return r#"{"status":"success"}"#.to_owned();
    }
    format!(
        r#"{{"status":"success","data":{}}}"#,
        wire::string_array(set)
    )
}

fn result(kind: &str, fill: impl FnOnce(&mut String)) -> String {
    let mut out = format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":"#);
    fill(&mut out);
    out.push_str(r#","stats":{}}}"#);
    out
}

fn push_point(out: &mut String, t_ms: i64, v: f64) {
    out.push('[');
    wire::push_seconds(out, t_ms);
    out.push(',');
    wire::push_value(out, v);
    out.push(']');
}

/// Unix nanoseconds of a time: an integer of up to ten digits is seconds, a longer one nanoseconds,
/// a fraction seconds, else RFC 3339.
fn time_ns(s: &str) -> Result<i64, String> {
    let integer = s.parse::<i64>().ok();
    let seconds = |n: i64| n.checked_mul(1_000_000_000);
    let time = match integer {
        Some(n) if s.len() <= 10 => seconds(n),
        Some(n) => Some(n),
        None => match s.parse::<f64>() {
            Ok(f) if f.abs() < 9e9 => Some((f * 1e9).round() as i64),
            _ => wire::rfc3339_ns(s),
        },
    };
    time.ok_or_else(|| format!("could not parse {s:?} as a timestamp"))
}

/// `start` and `end`; the default end is now, the default start `since` (or `default_ns`) before the end.
fn bounds(now: Micros, params: &Params, default_ns: i64) -> Result<(i64, i64), String> {
    let end = match params.get("end") {
        None => unix_ns(now),
        Some(s) => time_ns(s)?,
    };
    let since = match params.get("since") {
        None => default_ns,
        Some(s) => promql::duration_ms(s)
            .and_then(|ms| ms.checked_mul(1_000_000))
            .ok_or_else(|| format!("could not parse {s:?} as a duration"))?,
    };
    let start = match params.get("start") {
        None => end.saturating_sub(since),
        Some(s) => time_ns(s)?,
    };
    if end < start {
        return Err("end timestamp must not be before or equal to start time".to_owned());
    }
    Ok((start, end))
}

fn limit(params: &Params) -> Result<usize, String> {
    let Some(s) = params.get("limit") else {
        return Ok(LIMIT_DEFAULT);
    };
    match s.parse::<usize>() {
        Ok(n) if n > LIMIT_MAX => Err(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({n} > {LIMIT_MAX})"
        )),
        Ok(n) if n > 0 => Ok(n),
        _ => Err("limit must be a positive value".to_owned()),
    }
}

fn forward(params: &Params) -> Result<bool, String> {
    match params
        .get("direction")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None | Some("backward") => Ok(false),
        Some("forward") => Ok(true),
        Some(other) => Err(format!("invalid direction {other:?}")),
    }
}
