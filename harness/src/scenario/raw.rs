//! The file's form, with the place of each value.

use std::time::Duration;

use serde::Deserialize;
use sim_services::describe::Bundle;
use sim_services::form;
use toml::Spanned;

use super::error::{Mistake, ScenarioError, of_file};
use super::quantity::{NOT_A_DURATION, NOT_A_RATE, PartsPerMillion, Skew, Span};
use super::{Bursts, Timing};
use crate::suggest;

/// The release that runs at first, unless a file says otherwise.
const FROM: &str = "1.4.2";
/// 0.01 %, in millionths: the procedure's bound.
const ERROR_RATE_MAX: u32 = 100;

/// What a file says. What is nearly always the same may be left out;
/// a value that is not in the file has an empty place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) release: RawRelease,
    #[serde(default)]
    pub(super) load: RawLoad,
    #[serde(default)]
    pub(super) ledger: RawLedger,
    #[serde(default)]
    pub(super) deployments: Vec<RawDeployment>,
    #[serde(default)]
    pub(super) timing: RawTiming,
    pub(super) crash: Option<RawCrash>,
    #[serde(default)]
    pub(super) faults: Vec<RawFault>,
    pub(super) expect: RawExpect,
    /// The files of the application that is drilled, where that is not the exchange.
    pub(super) application: Option<Bundle>,
    /// What is wrong with the form. It is told with all else that is wrong.
    #[serde(skip)]
    pub(super) wrong: Vec<Mistake>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRelease {
    #[serde(default = "from")]
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLoad {
    pub(super) rate_per_s: Spanned<i64>,
    pub(super) accounts: Spanned<i64>,
    pub(super) markets: Spanned<i64>,
    pub(super) burst_rate_per_s: Option<Spanned<i64>>,
    pub(super) burst_every: Spanned<Span>,
    pub(super) burst_lasts: Spanned<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLedger {
    pub(super) more_mb: Spanned<i64>,
    pub(super) more_rows: Spanned<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeployment {
    pub(super) service: Spanned<String>,
    pub(super) replicas: Option<Spanned<i64>>,
    pub(super) strategy: Option<Spanned<String>>,
    pub(super) max_surge: Option<Spanned<String>>,
    pub(super) max_unavailable: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTiming {
    pub(super) warm_up: Spanned<Span>,
    pub(super) deploy_at: Spanned<Span>,
    pub(super) duration: Spanned<Span>,
    pub(super) hold: Spanned<Span>,
    pub(super) scrape_interval: Spanned<Span>,
    pub(super) poll_interval: Spanned<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpect {
    pub(super) trigger: Spanned<String>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) outcome: Option<Spanned<String>>,
    pub(super) detect_max: Option<Spanned<Span>>,
    pub(super) impact_max: Option<Spanned<Span>>,
    #[serde(default = "rto_max")]
    pub(super) rto_max: Spanned<Span>,
    #[serde(default = "error_rate_max")]
    pub(super) error_rate_max: Spanned<PartsPerMillion>,
    #[serde(default = "p99_max")]
    pub(super) p99_max: Spanned<Span>,
    #[serde(default = "trades_lost_max")]
    pub(super) trades_lost_max: Spanned<i64>,
    pub(super) ledger_kept: Option<Spanned<bool>>,
}

/// A value that the file does not give.
fn given_by_nobody<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn seconds(count: u64) -> Spanned<Span> {
    given_by_nobody(Span(Duration::from_secs(count)))
}

fn from() -> Spanned<String> {
    given_by_nobody(FROM.to_owned())
}

fn rto_max() -> Spanned<Span> {
    seconds(300)
}

fn error_rate_max() -> Spanned<PartsPerMillion> {
    given_by_nobody(PartsPerMillion(ERROR_RATE_MAX))
}

fn p99_max() -> Spanned<Span> {
    given_by_nobody(Span(Duration::from_millis(100)))
}

fn trades_lost_max() -> Spanned<i64> {
    given_by_nobody(0)
}

impl Default for RawLoad {
    fn default() -> Self {
        Self {
            rate_per_s: given_by_nobody(200),
            accounts: given_by_nobody(1_000),
            markets: given_by_nobody(4),
            burst_rate_per_s: None,
            burst_every: given_by_nobody(Span(Bursts::EVERY)),
            burst_lasts: given_by_nobody(Span(Bursts::LASTS)),
        }
    }
}

impl Default for RawLedger {
    fn default() -> Self {
        Self {
            more_mb: given_by_nobody(0),
            more_rows: given_by_nobody(0),
        }
    }
}

impl Default for RawTiming {
    fn default() -> Self {
        Self {
            warm_up: given_by_nobody(Span(Timing::WARM_UP)),
            deploy_at: given_by_nobody(Span(Timing::DEPLOY_AT)),
            duration: given_by_nobody(Span(Timing::DURATION)),
            hold: seconds(180),
            scrape_interval: given_by_nobody(Span(Timing::SCRAPE_INTERVAL)),
            poll_interval: given_by_nobody(Span(Timing::POLL_INTERVAL)),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCrash {
    pub(super) request: Spanned<i64>,
    pub(super) side: Spanned<String>,
    pub(super) resume_after: Spanned<Span>,
}

impl Default for RawCrash {
    fn default() -> Self {
        Self {
            request: given_by_nobody(1),
            side: given_by_nobody("after".to_owned()),
            resume_after: seconds(5),
        }
    }
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
    pub(super) by: Option<Spanned<Skew>>,
}

/// Reads the form.
pub(super) fn parse(file: &str, text: &str) -> Result<Raw, ScenarioError> {
    let (read, wrong) = form::read::<Raw>(text).explained(explain);
    match read {
        Some(raw) => Ok(Raw { wrong, ..raw }),
        None => Err(of_file(file, text, wrong)),
    }
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
    } else if message.contains(NOT_A_DURATION) || message.contains(NOT_A_RATE) {
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
        "release" => "[release]\nto = \"1.5.0-slow-path\"",
        "expect" => "[expect]\ntrigger = \"sla-latency-p99\"",
        "service" => "service = \"gateway\"",
        "kind" => "kind = \"api-slow\"",
        "to" => "to = \"1.5.0-slow-path\"",
        "trigger" => "trigger = \"sla-latency-p99\"",
        _ => return format!("add `{field}`"),
    };
    format!("add for instance: {line}")
}
