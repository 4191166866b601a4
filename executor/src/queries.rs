//! Instant queries to Prometheus and Loki over their HTTP APIs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::Value;
use tower::ServiceExt;

use crate::clock::{Clock, timeout};
use crate::ports::HttpClient;

/// Which server a query goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// PromQL, Prometheus.
    Prom,
    /// LogQL, Loki.
    Log,
}

/// Why a query has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// The server understood it and refuses: asking again is useless.
    Refused(String),
    /// No answer, or an answer that says nothing about the query. No data.
    Unavailable(String),
}

/// How long a server may refuse whoever asks before that is believed: a proxy that restarts, a token that is renewed,
/// or a path that is not served yet passes.
const DOUBT: SignedDuration = SignedDuration::from_secs(30);

/// Since when each server has refused whoever asks, without an answer in between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doubts(Arc<Mutex<BTreeMap<String, Timestamp>>>);

impl Doubts {
    /// Takes in that the server `base` answered at `now` with `status`. Whether it is of no use to ask again.
    fn is_final(&self, base: &str, status: u16, now: Timestamp) -> bool {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match status {
            // Bad data, or can't be executed (Prometheus, querying/api): the query's fault.
            400 | 422 => true,
            401 | 403 | 404 => {
                let since = *since.entry(base.to_owned()).or_insert(now);
                now.duration_since(since) >= DOUBT
            }
            _ => {
                since.remove(base);
                false
            }
        }
    }
}

/// Asks queries.
#[derive(Clone)]
pub(crate) struct Queries {
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) request_timeout: Duration,
    pub(crate) doubts: Doubts,
}

impl Queries {
    /// The values of all series of `query` at the server's present time.
    pub(crate) async fn ask(
        &self,
        base: &str,
        language: Language,
        query: &str,
    ) -> Result<Vec<f64>, QueryError> {
        self.ask_with(base, language, query, "").await
    }

    /// The values of all series of `query` as they were at `at`.
    pub(crate) async fn ask_at(
        &self,
        base: &str,
        language: Language,
        query: &str,
        at: Timestamp,
    ) -> Result<Vec<f64>, QueryError> {
        self.ask_with(base, language, query, &time(at)).await
    }

    /// The values of all series of `query`, each with its `label`: as they were `at` that instant, or as they are.
    pub(crate) async fn ask_by(
        &self,
        base: &str,
        language: Language,
        query: &str,
        at: Option<Timestamp>,
        label: &str,
    ) -> Result<Vec<(Option<String>, f64)>, QueryError> {
        let at = at.map(time).unwrap_or_default();
        let body = self.body(base, language, query, &at).await?;
        let labelled = |(metric, value): (Value, f64)| {
            let label = metric[label].as_str().map(ToOwned::to_owned);
            (label, value)
        };
        Ok(series(&body)?.into_iter().map(labelled).collect())
    }

    async fn ask_with(
        &self,
        base: &str,
        language: Language,
        query: &str,
        parameters: &str,
    ) -> Result<Vec<f64>, QueryError> {
        let body = self.body(base, language, query, parameters).await?;
        Ok(series(&body)?.into_iter().map(|(_, value)| value).collect())
    }

    /// The body of an answer of status 200.
    async fn body(
        &self,
        base: &str,
        language: Language,
        query: &str,
        parameters: &str,
    ) -> Result<Bytes, QueryError> {
        let path = match language {
            Language::Prom => "api/v1/query",
            Language::Log => "loki/api/v1/query",
        };
        let uri = format!(
            "{}/{path}?query={}{parameters}",
            base.trim_end_matches('/'),
            encode(query)
        );
        let request = http::Request::get(uri)
            .header(http::header::ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|error| QueryError::Refused(error.to_string()))?;
        let answer = self.http.clone().oneshot(request);
        let response = timeout(&*self.clock, self.request_timeout, answer)
            .await
            .map_err(|elapsed| QueryError::Unavailable(elapsed.to_string()))?
            .map_err(|error| QueryError::Unavailable(error.to_string()))?;
        let status = response.status();
        let now = self.clock.now();
        let is_final = self.doubts.is_final(base, status.as_u16(), now);
        if status.is_success() {
            return Ok(response.into_body());
        }
        let text = String::from_utf8_lossy(response.body());
        let text: String = text.chars().take(300).collect();
        if is_final {
            Err(QueryError::Refused(format!("{status}: {text}")))
        } else {
            Err(QueryError::Unavailable(format!("{status}: {text}")))
        }
    }
}

/// An instant as both servers take it: seconds since 1970.
fn time(at: Timestamp) -> String {
    format!("&time={}.{:03}", at.as_second(), at.subsec_millisecond())
}

/// The series of a vector with their labels, or a scalar; streams of log lines count as their number of lines.
fn series(body: &[u8]) -> Result<Vec<(Value, f64)>, QueryError> {
    let broken = |why: &str| QueryError::Unavailable(format!("unreadable answer: {why}"));
    let answer: Value = serde_json::from_slice(body).map_err(|error| broken(&error.to_string()))?;
    if answer["status"] != "success" {
        return Err(QueryError::Refused(
            answer["error"].as_str().unwrap_or("no reason").to_owned(),
        ));
    }
    let data = &answer["data"];
    let result = data["result"]
        .as_array()
        .ok_or_else(|| broken("no result"))?;
    let number = |pair: &Value| -> Result<f64, QueryError> {
        let text = pair[1]
            .as_str()
            .ok_or_else(|| broken("a value is not a string"))?;
        text.parse().map_err(|_| broken("a value is not a number"))
    };
    match data["resultType"].as_str() {
        Some("vector") => result
            .iter()
            .map(|series| Ok((series["metric"].clone(), number(&series["value"])?)))
            .collect(),
        Some("scalar") => Ok(vec![(Value::Null, number(&data["result"])?)]),
        Some("streams") if result.is_empty() => Ok(Vec::new()),
        Some("streams") => {
            let lines: usize = result
                .iter()
                .filter_map(|stream| stream["values"].as_array())
                .map(Vec::len)
                .sum();
            let lines = f64::from(u32::try_from(lines).unwrap_or(u32::MAX));
            Ok(vec![(Value::Null, lines)])
        }
        other => Err(QueryError::Refused(format!(
            "result of type {other:?} is no instant value"
        ))),
    }
}

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes a value of a query string.
fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Doubts, QueryError, encode, series};

    fn values(body: &[u8]) -> Result<Vec<f64>, QueryError> {
        Ok(series(body)?.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn who_is_refused_is_refused_for_good_only_after_a_while() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let doubts = Doubts::default();
        for status in [400, 422] {
            assert!(doubts.is_final("prometheus", status, at(0)), "{status}");
        }
        for status in [401, 403, 404] {
            let doubts = Doubts::default();
            assert!(!doubts.is_final("prometheus", status, at(0)), "{status}");
            assert!(!doubts.is_final("prometheus", status, at(29)), "{status}");
            assert!(!doubts.is_final("loki", status, at(31)), "another server");
            assert!(doubts.is_final("prometheus", status, at(30)), "{status}");
            // An answer in between begins it anew.
            assert!(!doubts.is_final("prometheus", 200, at(40)));
            assert!(!doubts.is_final("prometheus", status, at(41)), "{status}");
        }
        assert!(!doubts.is_final("prometheus", 503, at(100)));
    }

    #[test]
    fn reads_vectors_scalars_and_streams() {
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{},"value":[1.5,"0.25"]},{"metric":{"a":"b"},"value":[1.5,"+Inf"]}]}}"#;
        assert_eq!(values(vector), Ok(vec![0.25, f64::INFINITY]));
        let scalar = br#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"3"]}}"#;
        assert_eq!(values(scalar), Ok(vec![3.0]));
        let streams = br#"{"status":"success","data":{"resultType":"streams","result":[
            {"stream":{},"values":[["1","a"],["2","b"]]}]}}"#;
        assert_eq!(values(streams), Ok(vec![2.0]));
        let nan = br#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"NaN"]}]}}"#;
        assert!(values(nan).is_ok_and(|values| values[0].is_nan()));
    }

    #[test]
    fn empty_is_empty_and_broken_is_no_data() {
        let empty = br#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(values(empty), Ok(vec![]));
        assert!(matches!(values(b"{"), Err(QueryError::Unavailable(_))));
        assert!(matches!(
            values(b"{\"status\":\"error\"}"),
            Err(QueryError::Refused(_))
        ));
    }

    #[test]
    fn encoding() {
        assert_eq!(
            encode("a{b=\"c\"}[5s]").to_string(),
            "a%7Bb%3D%22c%22%7D%5B5s%5D"
        );
    }
}
