//! The form of a description, with the place of each value.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::bundle::APP;
use super::http::RawHttp;
use super::quantity::{Number, Share, Span};
use super::store::{RawStore, Versions};
use crate::mistake::{FileError, Mistake};
use crate::{form, suggest};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) name: Spanned<String>,
    pub(super) manifests: Vec<Spanned<String>>,
    pub(super) runbook: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) scenarios: Vec<Spanned<String>>,
    pub(super) prior: Option<Spanned<String>>,
    pub(super) metrics: Option<Spanned<String>>,
    pub(super) store: Option<RawStore>,
    #[serde(default)]
    pub(super) service: BTreeMap<Spanned<String>, RawService>,
    #[serde(default)]
    pub(super) client: Vec<RawClient>,
    #[serde(default)]
    pub(super) release: BTreeMap<Spanned<String>, RawRelease>,
    /// What is wrong with the form. It is told with all else that is wrong.
    #[serde(skip)]
    pub(super) wrong: Vec<Mistake>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    pub(super) start: Option<RawSpread>,
    pub(super) request: Option<RawSpread>,
    pub(super) concurrency: Option<Spanned<i64>>,
    pub(super) queue: Option<Spanned<i64>>,
    pub(super) shutdown: Option<Spanned<Span>>,
    pub(super) memory: Option<RawMemory>,
    #[serde(default)]
    pub(super) calls: Vec<RawCall>,
    #[serde(default)]
    pub(super) needs: RawNeeds,
    pub(super) errors: Option<Share>,
}

/// A distribution by two of its points.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSpread {
    pub(super) median: Spanned<Span>,
    pub(super) p99: Option<Spanned<Span>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMemory {
    pub(super) start_mb: Spanned<i64>,
    pub(super) growth_mb_per_minute: Spanned<i64>,
    pub(super) limit_mb: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCall {
    pub(super) service: Spanned<String>,
    pub(super) share: Option<Share>,
    pub(super) timeout: Spanned<Span>,
    pub(super) retries: Option<Spanned<i64>>,
    pub(super) backoff: Option<RawBackoff>,
    #[serde(default)]
    pub(super) optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBackoff {
    pub(super) first: Spanned<Span>,
    pub(super) most: Option<Spanned<Span>>,
    pub(super) factor: Option<Spanned<i64>>,
    pub(super) jitter: Option<Share>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNeeds {
    #[serde(default)]
    pub(super) env: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) services: Vec<Spanned<String>>,
    pub(super) schema: Option<Spanned<Versions>>,
    pub(super) otherwise: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClient {
    pub(super) name: Spanned<String>,
    pub(super) service: Spanned<String>,
    pub(super) rate: Spanned<Number>,
    pub(super) timeout: Spanned<Span>,
    pub(super) retries: Option<Spanned<i64>>,
    pub(super) backoff: Option<RawBackoff>,
    pub(super) burst: Option<RawBurst>,
    pub(super) writes: Option<Spanned<Share>>,
    pub(super) http: Option<RawHttp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBurst {
    pub(super) rate: Spanned<Number>,
    pub(super) first: Spanned<Span>,
    pub(super) every: Option<Spanned<Span>>,
    pub(super) lasts: Spanned<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRelease {
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) images: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) template: BTreeMap<Spanned<String>, toml::Value>,
    #[serde(default)]
    pub(super) config: BTreeMap<Spanned<String>, BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) migrations: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) schema: BTreeMap<Spanned<String>, Spanned<Versions>>,
    #[serde(default)]
    pub(super) defects: Vec<RawDefect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDefect {
    pub(super) service: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) factor: Option<Spanned<i64>>,
    pub(super) share: Option<Spanned<Share>>,
    pub(super) after: Option<Spanned<Span>>,
    pub(super) retries: Option<Spanned<i64>>,
    pub(super) growth_mb_per_minute: Option<Spanned<i64>>,
}

/// Reads the form.
pub(super) fn parse(file: &str, text: &str) -> Result<Raw, FileError> {
    let (read, wrong) = form::read::<Raw>(text).explained(explain);
    match read {
        // Without manifests, nothing else could be looked at.
        Some(raw) if wrong.is_empty() || !raw.manifests.is_empty() => Ok(Raw { wrong, ..raw }),
        _ => Err(FileError::new(APP, file, text, wrong)),
    }
}

/// Turns the parser's message into a mistake with a remedy.
fn explain(message: &str, span: std::ops::Range<usize>) -> Mistake {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let first = quoted.next().unwrap_or_default().to_owned();
    let known: Vec<&str> = quoted.collect();
    if message.starts_with("unknown field") {
        return Mistake::new(
            span,
            format!("there is no key `{first}` here"),
            "unknown key",
            suggest::help(&first, &known),
        );
    }
    if message.starts_with("missing field") {
        return Mistake::new(
            span,
            format!("the key `{first}` is missing"),
            "in this table",
            format!("add it; {}", example(&first)),
        );
    }
    let help = if message.starts_with("invalid type") {
        "durations are quoted (\"250ms\", \"90s\"), counts and shares are bare numbers"
    } else {
        "a description is a TOML file; `firedrill new app -f FOLDER` writes one to begin with"
    };
    Mistake::new(span, message.to_owned(), "here", help)
}

fn example(key: &str) -> &'static str {
    match key {
        "name" => "for instance name = \"shop\"",
        "manifests" => "for instance manifests = [\"k8s\"]",
        "median" => "for instance { median = \"5ms\", p99 = \"40ms\" }",
        "timeout" => "for instance timeout = \"250ms\"",
        "service" => "name a Deployment or a StatefulSet",
        "rate" => "requests a second, for instance rate = 100",
        "services" => "for instance services = [\"orders\"]",
        "kind" => "for instance kind = \"slow\"",
        _ => "the book's page on your own application has every key",
    }
}
