//! The file's form, with the place of each value.

use serde::Deserialize;
use toml::Spanned;

use super::error::{Mistake, ScenarioError};
use super::quantity::{PartsPerMillion, Span};
use crate::suggest;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) release: RawRelease,
    pub(super) load: RawLoad,
    pub(super) timing: RawTiming,
    pub(super) crash: Option<RawCrash>,
    #[serde(default)]
    pub(super) faults: Vec<RawFault>,
    pub(super) expect: RawExpect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRelease {
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLoad {
    pub(super) rate_per_s: Spanned<i64>,
    pub(super) accounts: Spanned<i64>,
    pub(super) markets: Spanned<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTiming {
    pub(super) warm_up: Spanned<Span>,
    pub(super) deploy_at: Spanned<Span>,
    pub(super) duration: Spanned<Span>,
    pub(super) hold: Spanned<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpect {
    pub(super) trigger: Spanned<String>,
    pub(super) path: Spanned<String>,
    pub(super) outcome: Option<Spanned<String>>,
    pub(super) rto_max: Spanned<Span>,
    pub(super) error_rate_max: Spanned<PartsPerMillion>,
    pub(super) p99_max: Spanned<Span>,
    pub(super) trades_lost_max: Spanned<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCrash {
    pub(super) request: Spanned<i64>,
    pub(super) side: Spanned<String>,
    pub(super) resume_after: Spanned<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFault {
    pub(super) kind: Spanned<String>,
    pub(super) when: Option<Spanned<String>>,
    pub(super) at: Option<Spanned<Span>>,
    pub(super) jitter: Option<Spanned<Span>>,
    pub(super) lasts: Option<Spanned<Span>>,
    pub(super) target: Option<Spanned<String>>,
    pub(super) delay: Option<Spanned<Span>>,
    pub(super) chance: Option<Spanned<PartsPerMillion>>,
}

/// Reads the form.
pub(super) fn parse(file: &str, text: &str) -> Result<Raw, ScenarioError> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().trim().to_owned();
        let span = error.span().unwrap_or(0..text.len().min(1));
        ScenarioError::new(file, text, vec![explain(&message, span)])
    })
}

/// Turns serde's message into a mistake with a remedy. Serde writes "unknown field `x`, expected one of
/// `a`, `b`" and "missing field `x`"; whatever reads otherwise is shown as it is.
fn explain(message: &str, span: std::ops::Range<usize>) -> Mistake {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field")
        && let [word, known @ ..] = quoted.as_slice()
    {
        return Mistake::new(
            span,
            format!("unknown field `{word}`"),
            "not a field of this table",
            suggest::help(word, known),
        );
    }
    if message.starts_with("missing field")
        && let [word, ..] = quoted.as_slice()
    {
        return Mistake::new(
            span,
            format!("missing field `{word}`"),
            format!("this table lacks `{word}`"),
            example(word),
        );
    }
    let help = if message.starts_with("invalid type") {
        "durations and rates are quoted (\"90s\", \"0.01%\"), counts are bare integers".to_owned()
    } else if message.contains("is not a duration") || message.contains("is not a rate") {
        "units: ms, s, m, h for durations; % for rates".to_owned()
    } else {
        "a scenario is a TOML file; scenarios/latency-regression.toml is a complete example"
            .to_owned()
    };
    Mistake::new(span, message.to_owned(), "here", help)
}

fn example(field: &str) -> String {
    let line = match field {
        "name" => "name = \"latency-regression\"",
        "release" => "[release]\nfrom = \"1.4.2\"\nto = \"1.5.0-slow-path\"",
        "load" => "[load]\nrate_per_s = 200\naccounts = 1000\nmarkets = 4",
        "timing" => {
            "[timing]\nwarm_up = \"60s\"\ndeploy_at = \"90s\"\nduration = \"15m\"\nhold = \"3m\""
        }
        "expect" => {
            "[expect]\ntrigger = \"sla-latency-p99\"\npath = \"application\"\nrto_max = \"5m\"\nerror_rate_max = \"0.01%\"\np99_max = \"100ms\"\ntrades_lost_max = 0"
        }
        "crash" => "[crash]\nrequest = 12\nside = \"after\"\nresume_after = \"5s\"",
        "faults" => "[[faults]]\nkind = \"api-slow\"\ndelay = \"800ms\"",
        "kind" => "kind = \"api-slow\"",
        "request" => "request = 12",
        "side" => "side = \"after\"",
        "resume_after" => "resume_after = \"5s\"",
        "from" => "from = \"1.4.2\"",
        "to" => "to = \"1.5.0-slow-path\"",
        "rate_per_s" => "rate_per_s = 200",
        "accounts" => "accounts = 1000",
        "markets" => "markets = 4",
        "warm_up" => "warm_up = \"60s\"",
        "deploy_at" => "deploy_at = \"90s\"",
        "duration" => "duration = \"15m\"",
        "hold" => "hold = \"3m\"",
        "trigger" => "trigger = \"sla-latency-p99\"",
        "path" => "path = \"application\"",
        "rto_max" => "rto_max = \"5m\"",
        "error_rate_max" => "error_rate_max = \"0.01%\"",
        "p99_max" => "p99_max = \"100ms\"",
        "trades_lost_max" => "trades_lost_max = 0",
        _ => return format!("add `{field}`"),
    };
    format!("add for instance: {line}")
}
