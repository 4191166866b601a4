//! Instant queries to Prometheus and Loki over their HTTP APIs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
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

/// Asks queries.
#[derive(Clone)]
pub(crate) struct Queries {
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) request_timeout: Duration,
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
        let time = format!("&time={}.{:03}", at.as_second(), at.subsec_millisecond());
        self.ask_with(base, language, query, &time).await
    }

    async fn ask_with(
        &self,
        base: &str,
        language: Language,
        query: &str,
        parameters: &str,
    ) -> Result<Vec<f64>, QueryError> {
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
        if status.is_success() {
            return values(response.body());
        }
        let text = String::from_utf8_lossy(response.body());
        let text: String = text.chars().take(300).collect();
        // 400: bad data. 422: can't be executed (Prometheus, querying/api). Everything else may pass.
        if matches!(status.as_u16(), 400 | 401 | 403 | 404 | 422) {
            Err(QueryError::Refused(format!("{status}: {text}")))
        } else {
            Err(QueryError::Unavailable(format!("{status}: {text}")))
        }
    }
}

/// Values of a vector or a scalar; streams of log lines count as their number of lines.
fn values(body: &[u8]) -> Result<Vec<f64>, QueryError> {
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
            .map(|series| number(&series["value"]))
            .collect(),
        Some("scalar") => Ok(vec![number(&data["result"])?]),
        Some("streams") if result.is_empty() => Ok(Vec::new()),
        Some("streams") => {
            let lines: usize = result
                .iter()
                .filter_map(|stream| stream["values"].as_array())
                .map(Vec::len)
                .sum();
            Ok(vec![f64::from(u32::try_from(lines).unwrap_or(u32::MAX))])
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
    use super::{QueryError, encode, values};

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
