//! What a recording holds of the requests of programs outside: what they sent, what they got, and when.
//!
//! Requests and hang-ups are what came into the world; the rest is what the world made of them. So a recording can be
//! played into a fresh world, and what that one answers be compared with it ([`crate::play`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HOST, PROXY_AUTHORIZATION};
use serde::{Deserialize, Serialize};

use crate::bridge::To;

/// Bytes, as JSON can hold them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// They are UTF-8.
    Text(String),
    /// They are not.
    Base64(String),
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

impl Payload {
    /// The bytes; `None` if what should be base64 is not.
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(Bytes::from(text.clone().into_bytes())),
            Self::Base64(text) => STANDARD.decode(text).ok().map(Bytes::from),
        }
    }
}

/// A request, as the world got it. It holds no token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which server it was for.
    pub to: To,
    /// Its method.
    pub method: String,
    /// Its path and query, with the host where it was for Prometheus or Loki.
    pub uri: String,
    /// Its headers, without those that identify the client or where the server listened.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Payload,
}

impl Call {
    pub(crate) fn of(to: To, request: &http::Request<Bytes>) -> Self {
        Self {
            to,
            method: request.method().to_string(),
            uri: request.uri().to_string(),
            headers: headers(request.headers()),
            body: Payload::from(request.body().as_ref()),
        }
    }

    /// The request itself; `None` if a part of it is no part of a request.
    pub(crate) fn request(&self) -> Option<http::Request<Bytes>> {
        let mut request = http::Request::builder()
            .method(self.method.as_str())
            .uri(self.uri.as_str());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.bytes()?).ok()
    }
}

/// The headers that are text, in their order, without those that identify a client or say where the server listened,
/// which is another port each time.
fn headers(all: &http::HeaderMap) -> Vec<(String, String)> {
    let left_out = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, HOST];
    let kept = all.iter().filter(|(name, _)| !left_out.contains(name));
    let text = kept.filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
    text.map(|(name, value)| (name.to_string(), value.to_owned()))
        .collect()
}

/// Something that happened to the request of that number. Numbers count from 0, in the order in which requests came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It came.
    Asked(Call),
    /// Its client hung up before all was sent.
    HungUp,
    /// Its answer was back.
    Answered {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body; `None`: frames follow.
        body: Option<Payload>,
    },
    /// A frame of its answer.
    Frame(Payload),
    /// Its answer has no more frames.
    Ended,
    /// The connection was cut without an answer.
    Cut,
}

impl Event {
    /// Whether it came from outside, and is not what the world made of that.
    #[must_use]
    pub fn came_from_outside(&self) -> bool {
        matches!(self, Self::Asked(_) | Self::HungUp)
    }

    pub(crate) fn answered(head: &http::response::Parts, body: Option<&Bytes>) -> Self {
        Self::Answered {
            status: head.status.as_u16(),
            headers: headers(&head.headers),
            body: body.map(|body| Payload::from(body.as_ref())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_was_and_without_its_token() {
        let request = http::Request::post("/api/v1/namespaces?dryRun=All")
            .header("Authorization", "Bearer secret")
            .header("Content-Type", "application/json")
            .body(Bytes::from_static(b"\xff\x00"))
            .expect("a request");
        let call = Call::of(To::Kube, &request);
        let text = serde_json::to_string(&call).expect("JSON");
        assert!(!text.contains("secret"), "{text}");
        let back: Call = serde_json::from_str(&text).expect("it reads back");
        assert_eq!(back, call);
        let again = back.request().expect("a request");
        assert_eq!(again.body(), request.body());
        assert_eq!(again.uri(), request.uri());
        assert_eq!(again.headers().len(), 1);
    }
}
