//! Prometheus and Loki as an executor sees them that asks something else, or reads answers otherwise.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use executor::ports::{HttpClient, HttpError, Ports};
use http::{Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

/// A question to one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The address without its query string.
    pub address: String,
    /// What is asked.
    pub query: String,
    /// The other parameters as they stand, each with its `&`.
    pub parameters: String,
}

impl Question {
    /// The question that `request` asks; `None` if it asks none.
    #[must_use]
    pub fn of(request: &Request<Bytes>) -> Option<Self> {
        let uri = request.uri().to_string();
        let (address, rest) = uri.split_once("?query=")?;
        let (query, parameters) = rest.split_at(rest.find('&').unwrap_or(rest.len()));
        let query = percent_decode_str(query).decode_utf8().ok()?;
        Some(Self {
            address: address.to_owned(),
            query: query.into_owned(),
            parameters: parameters.to_owned(),
        })
    }

    /// Whether it is for Loki.
    #[must_use]
    pub fn is_for_loki(&self) -> bool {
        self.address.contains("/loki/")
    }

    /// The request that asks it; `None` if it makes no address.
    #[must_use]
    pub fn request(&self) -> Option<Request<Bytes>> {
        let query = utf8_percent_encode(&self.query, NON_ALPHANUMERIC);
        let uri = format!("{}?query={query}{}", self.address, self.parameters);
        Request::get(uri)
            .header(http::header::ACCEPT, "application/json")
            .body(Bytes::new())
            .ok()
    }
}

/// The servers behind the decorated client.
#[derive(Clone)]
pub struct Server(HttpClient);

impl Server {
    /// Asks.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn ask(&self, question: &Question) -> Result<Response<Bytes>, HttpError> {
        let request = question.request().ok_or_else(|| HttpError {
            host: question.address.clone(),
            reason: "no address".to_owned(),
        })?;
        self.0.clone().oneshot(request).await
    }
}

/// What stands between an executor and the two servers.
#[async_trait]
pub trait Asker: Send + Sync + 'static {
    /// What becomes of `question`.
    async fn ask(&self, question: Question, server: &Server) -> Result<Response<Bytes>, HttpError>;
}

/// Ports whose questions go through `asker`.
pub fn asked(ports: Ports, asker: impl Asker) -> Ports {
    let (server, asker) = (Server(ports.http.clone()), Arc::new(asker));
    let service = tower::service_fn(move |request: Request<Bytes>| {
        let (server, asker) = (server.clone(), Arc::clone(&asker));
        async move {
            match Question::of(&request) {
                Some(question) => asker.ask(question, &server).await,
                None => server.0.oneshot(request).await,
            }
        }
    });
    Ports {
        http: BoxCloneSyncService::new(service),
        ..ports
    }
}

/// An answer whose values are what `change` makes of them. What can't be read stays as it is.
#[must_use]
pub fn values_changed(answer: Response<Bytes>, change: impl Fn(f64) -> f64) -> Response<Bytes> {
    let Ok(mut object) = serde_json::from_slice::<Value>(answer.body()) else {
        return answer;
    };
    for series in object["data"]["result"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        if let Some(value) = series["value"].get_mut(1)
            && let Some(number) = value.as_str().and_then(|it| it.parse::<f64>().ok())
        {
            *value = change(number).to_string().into();
        }
    }
    answer.map(|_| Bytes::from(object.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_reads_back() {
        let question = Question {
            address: "http://prometheus:9090/api/v1/query".to_owned(),
            query: "sum(rate(a{b=~\"5..\"}[5s])) / 2".to_owned(),
            parameters: "&time=12.5".to_owned(),
        };
        let request = question.request().expect("an address");
        assert_eq!(Question::of(&request), Some(question));
        let other = Request::get("http://prometheus:9090/-/ready").body(Bytes::new());
        assert_eq!(Question::of(&other.expect("valid")), None);
    }

    #[test]
    fn values_are_changed_and_labels_are_not() {
        let text =
            r#"{"data":{"result":[{"metric":{"a":"5"},"value":[1,"5"]}]},"status":"success"}"#;
        let changed = values_changed(Response::new(Bytes::from(text)), |value| value / 2.0);
        let changed: Value = serde_json::from_slice(changed.body()).expect("JSON");
        assert_eq!(changed["data"]["result"][0]["value"][1], "2.5");
        assert_eq!(changed["data"]["result"][0]["metric"]["a"], "5");
        let broken = values_changed(Response::new(Bytes::from("{")), |_| 0.0);
        assert_eq!(broken.body(), "{");
    }
}
