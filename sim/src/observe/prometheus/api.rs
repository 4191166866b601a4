//! The HTTP API (prometheus `docs/querying/api.md`, `web/api/v1/api.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};

use super::Prometheus;
use crate::observe::labels::Labels;
use crate::observe::matcher::Matcher;
use crate::observe::promql::QueryError;
use crate::observe::promql::eval::{Context, Sample, Value, evaluate};
use crate::observe::promql::plan::{self, Kind, Plan};
use crate::observe::tsdb::SeriesId;
use crate::observe::wire::{self, Params, unix_ms};
use crate::time::Micros;

/// Most points of a series that a range query may ask for.
const POINTS_MAX: i64 = 11_000;

/// Whose rules this server follows, as `status/buildinfo` says it.
const BUILD: &str = concat!(
    r#"{"version":"3.16.0","revision":"simulated","branch":"HEAD","buildUser":"","#,
    r#""buildDate":"","goVersion":""}"#
);

struct ApiError {
    status: u16,
    kind: &'static str,
    message: String,
}

fn bad_data(message: impl Into<String>) -> ApiError {
    ApiError {
        status: 400,
        kind: "bad_data",
        message: message.into(),
    }
}

fn bad_parameter(name: &str, why: impl std::fmt::Display) -> ApiError {
    bad_data(format!("invalid parameter {name:?}: {why}"))
}

impl From<QueryError> for ApiError {
    fn from(e: QueryError) -> Self {
        match e {
            QueryError::Syntax(_) => bad_parameter("query", e),
            QueryError::Unsupported(_) | QueryError::Execution(_) => Self {
                status: 422,
                kind: "execution",
                message: e.to_string(),
            },
        }
    }
}

/// One series of a range query's result.
type Matrix = BTreeMap<Labels, Vec<(i64, f64)>>;

impl Prometheus {
    /// Answers one request as of `now`.
    pub fn handle(&mut self, now: Micros, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        match path {
            "/-/healthy" => return wire::text(200, "Prometheus Server is Healthy.\n"),
            "/-/ready" => return wire::text(200, "Prometheus Server is Ready.\n"),
            _ => {}
        }
        let Some(endpoint) = path.strip_prefix("/api/v1/") else {
            return wire::text(404, "404 page not found\n");
        };
        let queries = ["query", "query_range", "series", "labels"];
        let get_only = !queries.contains(&endpoint);
        let allowed =
            request.method() == Method::GET || (request.method() == Method::POST && !get_only);
        if !allowed {
            return wire::text(405, "Method Not Allowed\n");
        }
        let params = Params::of(request);
        let result = match endpoint {
            "query" => self.query(now, &params),
            "query_range" => self.query_range(now, &params),
            "series" => self.series(now, &params),
            "labels" => self.label_names(now, &params),
            "targets" => Ok(self.targets()),
            // Nothing here has rules, and nobody is told of alerts.
            "rules" => Ok(r#"{"groups":[]}"#.to_owned()),
            "alerts" => Ok(r#"{"alerts":[]}"#.to_owned()),
            "alertmanagers" => {
                Ok(r#"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#.to_owned())
            }
            "scrape_pools" => {
                let mut out = String::from(r#"{"scrapePools":["#);
                wire::push_str(&mut out, &self.config.job);
                out.push_str("]}");
                Ok(out)
            }
            "status/buildinfo" => Ok(BUILD.to_owned()),
            _ => match wire::label_of(endpoint) {
                Some(label) => self.label_values(now, &label, &params),
                None => return wire::text(404, "404 page not found\n"),
            },
        };
        match result {
            Ok(data) => wire::success(&data),
            Err(e) => {
                let mut body = String::from(r#"{"status":"error","errorType":""#);
                body.push_str(e.kind);
                body.push_str(r#"","error":"#);
                wire::push_str(&mut body, &e.message);
                body.push('}');
                wire::respond(e.status, "application/json", body)
            }
        }
    }

    /// Evaluates `query` at each of `instants` (Unix ms) and hands over the values.
    fn evaluate_at(
        &mut self,
        now: Micros,
        query: &str,
        plan: &Plan,
        instants: &mut dyn Iterator<Item = i64>,
        bounds: (i64, i64),
        mut each: impl FnMut(i64, Value<'_>),
    ) -> Result<(), ApiError> {
        let selections = self.selections.entry(query.to_owned()).or_default();
        selections.refresh(plan, &self.db);
        let cx = Context {
            db: &self.db,
            selections,
            horizon: horizon(now, self.ingestion_delay),
            start: bounds.0,
            end: bounds.1,
            default_step_ms: self.config.evaluation_interval.as_millis() as i64,
        };
        for t in instants {
            each(t, evaluate(plan, cx, t)?);
        }
        Ok(())
    }

    fn query(&mut self, now: Micros, params: &Params) -> Result<String, ApiError> {
        check_timeout(params)?;
        let t = match params.get("time") {
            None => unix_ms(now),
            Some(s) => wire::time_ms(s).map_err(|e| bad_parameter("time", e))?,
        };
        let limit = limit(params)?;
        let query = params.get("query").unwrap_or("");
        let plan: Arc<Plan> = plan::plan(query)?;
        let mut out = String::with_capacity(256);
        let mut instant = std::iter::once(t);
        self.evaluate_at(now, query, &plan, &mut instant, (t, t), |t, value| {
            push_instant(&mut out, t, value, limit);
        })?;
        Ok(out)
    }

    fn query_range(&mut self, now: Micros, params: &Params) -> Result<String, ApiError> {
        check_timeout(params)?;
        let time = |name: &str| {
            wire::time_ms(params.get(name).unwrap_or("")).map_err(|e| bad_parameter(name, e))
        };
        let (start, end) = (time("start")?, time("end")?);
        if end < start {
            return Err(bad_parameter(
                "end",
                "end timestamp must not be before start time",
            ));
        }
        let step = wire::step_ms(params.get("step").unwrap_or(""))
            .map_err(|e| bad_parameter("step", e))?;
        if step <= 0 {
            return Err(bad_parameter(
                "step",
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            ));
        }
        if (end - start) / step > POINTS_MAX {
            return Err(bad_data(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
            ));
        }
        let limit = limit(params)?;
        let query = params.get("query").unwrap_or("");
        let plan = plan::plan(query)?;
        if !matches!(plan.yields, Kind::Scalar | Kind::Vector) {
            let kind = if plan.yields == Kind::Matrix {
                "range vector"
            } else {
                "string"
            };
            return Err(bad_parameter(
                "query",
                format!(
                    "invalid expression type {kind:?} for range query, must be Scalar or instant Vector"
                ),
            ));
        }
        let mut result = Matrix::new();
        let mut instants = (0..).map(|i| start + i * step).take_while(|t| *t <= end);
        self.evaluate_at(
            now,
            query,
            &plan,
            &mut instants,
            (start, end),
            |t, value| match value {
                Value::Scalar(v) => result.entry(Labels::default()).or_default().push((t, v)),
                Value::Vector(samples) => {
                    for Sample { labels, v } in samples {
                        result.entry(labels).or_default().push((t, v));
                    }
                }
                Value::Matrix(_) | Value::String(_) => {}
            },
        )?;
        let mut out = String::with_capacity(1_024);
        push_matrix(
            &mut out,
            result.iter().take(limit),
            |points: &Vec<(i64, f64)>| points.iter().copied(),
        );
        Ok(out)
    }

    /// The series that any of the `match[]` parameters selects and that have samples in the asked-for time.
    fn matching(&self, now: Micros, params: &Params) -> Result<Vec<SeriesId>, ApiError> {
        let time = |name: &str, default: i64| match params.get(name) {
            None => Ok(default),
            Some(s) => wire::time_ms(s).map_err(|e| bad_parameter(name, e)),
        };
        let start = time("start", i64::MIN + 1)?;
        let end = time("end", i64::MAX)?.min(horizon(now, self.ingestion_delay));
        let sets: Vec<Vec<Matcher>> = params
            .all("match[]")
            .map(|text| plan::selector(text).map_err(|e| bad_parameter("match[]", e)))
            .collect::<Result<_, _>>()?;
        let ids: BTreeSet<SeriesId> = if sets.is_empty() {
            self.db.select(&[]).into_iter().collect()
        } else {
            sets.iter().flat_map(|m| self.db.select(m)).collect()
        };
        Ok(ids
            .into_iter()
            .filter(|id| !self.db.range(*id, start - 1, end).is_empty())
            .collect())
    }

    fn series(&self, now: Micros, params: &Params) -> Result<String, ApiError> {
        if params.all("match[]").next().is_none() {
            return Err(bad_data("no match[] parameter provided"));
        }
        let ids = self.matching(now, params)?;
        let labels: BTreeSet<&Labels> = ids.iter().map(|id| self.db.labels(*id)).collect();
        let mut out = String::new();
        wire::push_array(&mut out, labels.iter().take(limit(params)?), |out, l| {
            wire::push_labels(out, l);
        });
        Ok(out)
    }

    fn label_names(&self, now: Micros, params: &Params) -> Result<String, ApiError> {
        let ids = self.matching(now, params)?;
        let names: BTreeSet<&str> = ids
            .iter()
            .flat_map(|id| self.db.labels(*id).iter().map(|(k, _)| k))
            .collect();
        Ok(wire::string_array(names.iter().take(limit(params)?)))
    }

    fn label_values(&self, now: Micros, label: &str, params: &Params) -> Result<String, ApiError> {
        if label.is_empty() {
            return Err(bad_data("invalid label name: \"\""));
        }
        let ids = self.matching(now, params)?;
        let values: BTreeSet<&str> = ids
            .iter()
            .map(|id| self.db.labels(*id).get(label))
            .filter(|v| !v.is_empty())
            .collect();
        Ok(wire::string_array(values.iter().take(limit(params)?)))
    }

    fn targets(&self) -> String {
        let interval = format!("{}s", self.config.interval.as_secs_f64());
        let timeout = format!("{}s", self.config.timeout.as_secs_f64());
        let mut out = String::from(r#"{"activeTargets":"#);
        wire::push_array(&mut out, &self.loops, |out, l| {
            let labels = Labels::new(None, l.labels().iter().cloned());
            let (health, error, at) = match l.last {
                None => ("unknown", String::new(), None),
                Some((at, Ok(()))) => ("up", String::new(), Some(at)),
                Some((at, Err(e))) => ("down", e.to_string(), Some(at)),
            };
            let last = at.map_or_else(
                || "0001-01-01T00:00:00Z".to_owned(),
                |at| at.to_timestamp().to_string(),
            );
            let url = format!("http://{}/metrics", l.target.instance);
            let job = &self.config.job;
            out.push_str(r#"{"discoveredLabels":{},"labels":"#);
            wire::push_labels(out, &labels);
            for (key, value) in [
                ("scrapePool", job.as_str()),
                ("scrapeUrl", &url),
                ("globalUrl", &url),
                ("lastError", &error),
                ("lastScrape", &last),
            ] {
                out.push_str(&format!(r#","{key}":"#));
                wire::push_str(out, value);
            }
            out.push_str(&format!(
                r#","lastScrapeDuration":{},"health":"{health}","scrapeInterval":"{interval}","scrapeTimeout":"{timeout}"}}"#,
                l.duration_s
            ));
        });
        out.push_str(r#","droppedTargets":[],"droppedTargetCounts":{}}"#);
        out
    }
}

/// Unix ms of the newest sample that queries see at `now`.
fn horizon(now: Micros, delay: Micros) -> i64 {
    unix_ms(now) - delay.as_millis() as i64
}

/// Refuses a `timeout` that is no duration. A query takes no time here, so none runs out.
fn check_timeout(params: &Params) -> Result<(), ApiError> {
    match params.get("timeout").map(wire::step_ms) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(e)) => Err(bad_parameter("timeout", e)),
    }
}

fn limit(params: &Params) -> Result<usize, ApiError> {
    match params.get("limit").map(str::parse::<usize>) {
        None | Some(Ok(0)) => Ok(usize::MAX),
        Some(Ok(n)) => Ok(n),
        Some(Err(_)) => Err(bad_parameter(
            "limit",
            "limit must be a non-negative number",
        )),
    }
}

fn push_point(out: &mut String, t: i64, v: f64) {
    out.push('[');
    wire::push_seconds(out, t);
    out.push(',');
    wire::push_value(out, v);
    out.push(']');
}

fn push_instant(out: &mut String, t: i64, value: Value<'_>, limit: usize) {
    match value {
        Value::Scalar(v) => {
            out.push_str(r#"{"resultType":"scalar","result":"#);
            push_point(out, t, v);
            out.push('}');
        }
        Value::String(s) => {
            out.push_str(r#"{"resultType":"string","result":["#);
            wire::push_seconds(out, t);
            out.push(',');
            wire::push_str(out, &s);
            out.push_str("]}");
        }
        Value::Vector(samples) => {
            out.push_str(r#"{"resultType":"vector","result":"#);
            wire::push_array(out, samples.iter().take(limit), |out, s| {
                out.push_str(r#"{"metric":"#);
                wire::push_labels(out, &s.labels);
                out.push_str(r#","value":"#);
                push_point(out, t, s.v);
                out.push('}');
            });
            out.push('}');
        }
        Value::Matrix(series) => {
            let sorted: BTreeMap<_, _> = series.iter().map(|r| (&r.labels, &r.points)).collect();
            push_matrix(out, sorted.into_iter().take(limit), |points| {
                points.iter().map(|p| (p.t, p.v))
            });
        }
    }
}

fn push_matrix<'a, P: 'a, I: Iterator<Item = (i64, f64)>>(
    out: &mut String,
    series: impl Iterator<Item = (&'a Labels, &'a P)>,
    points: impl Fn(&'a P) -> I,
) {
    out.push_str(r#"{"resultType":"matrix","result":"#);
    wire::push_array(out, series, |out, (labels, p)| {
        out.push_str(r#"{"metric":"#);
        wire::push_labels(out, labels);
        out.push_str(r#","values":"#);
        wire::push_array(out, points(p), |out, (t, v)| push_point(out, t, v));
        out.push('}');
    });
    out.push('}');
}
