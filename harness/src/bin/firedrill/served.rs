//! The served world, as the commands on the `PATH` of a drill reach it.

use serde_json::Value;

use crate::exit::Failure;
use crate::outside::variable;

/// Where it is, and what it asks for.
pub(crate) struct Served {
    server: String,
    token: String,
}

impl Served {
    /// As the variables of a drill say.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            server: variable("FIREDRILL_SERVER")?,
            token: variable("FIREDRILL_TOKEN")?,
        })
    }

    /// What it answers to a request at `path` about itself, with `body` as JSON if there is any; or why not.
    pub(crate) fn post(&self, path: &str, body: Option<&Value>) -> Result<String, String> {
        let request = agent().post(format!("{}/firedrill/v1/{path}", self.server));
        let request = request.header("Authorization", self.bearer());
        read(match body {
            None => request.send_empty(),
            Some(body) => request
                .header("Content-Type", "application/json")
                .send(body.to_string()),
        })
    }

    /// What its API server answers at `path`; or why not.
    pub(crate) fn get(&self, path: &str) -> Result<String, String> {
        let request = agent().get(format!("{}{path}", self.server));
        read(request.header("Authorization", self.bearer()).call())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

/// A client that reads refusals, too: their bodies say why. The variables of a drill name a proxy, which the
/// world's own address needs no more than `no_proxy` says.
fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None);
    config.build().into()
}

/// An answer's text, or the message of a refusal.
fn read(sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<String, String> {
    let silent = |error: ureq::Error| format!("the world does not answer: {error}");
    let mut answer = sent.map_err(silent)?;
    let text = answer.body_mut().read_to_string().map_err(silent)?;
    if answer.status().is_success() {
        return Ok(text);
    }
    let value: Option<Value> = serde_json::from_str(&text).ok();
    let message = value.and_then(|it| Some(it["message"].as_str()?.to_owned()));
    Err(message.unwrap_or(text))
}
