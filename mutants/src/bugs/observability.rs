//! Bugs of what is asked of Prometheus and Loki, and of how their answers are read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use executor::clock::Clock;
use executor::ports::{HttpError, Ports};
use http::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::bug::Row;
use crate::ports::{Asker, QueryServer, Question, asked, values_changed};

/// What an answer is.
type Got = Result<Response<Bytes>, HttpError>;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "no-data-is-zero",
        what: "no data is read as zero failures, and as plenty of requests",
        stresses: &["metrics-missing", "logs-missing", "metrics"],
        masked: None,
        bend: |_, ports| no_data_is_zero(ports),
    },
    Row {
        name: "no-answer-is-zero",
        what: "a server that does not answer is read as zero",
        stresses: &["prometheus", "unreachable"],
        masked: None,
        bend: |_, ports| asked(ports, NoAnswerIsZero),
    },
    Row {
        name: "failures-of-the-wrong-code",
        what: "answers 4xx are counted as failures in place of 5xx",
        stresses: &["requests-failing", "check-error-rate"],
        masked: None,
        bend: |_, ports| asked_as(ports, |query| query.replace("5..", "4..")),
    },
    Row {
        name: "refusals-counted-as-failures",
        what: "orders that are refused while trading is halted count as failures",
        stresses: &["path = \"restore\"", "path = \"undo\""],
        masked: None,
        bend: |_, ports| asked_as(ports, |query| query.replace(", maintenance=\"false\"", "")),
    },
    Row {
        name: "window-of-fifteen-seconds",
        what: "what is to be asked over more than a minute is asked over fifteen seconds",
        stresses: &["error-rate"],
        masked: None,
        bend: |_, ports| {
            asked_as(ports, |query| {
                with_windows(query, |s| if s > 60 { 15 } else { s })
            })
        },
    },
    Row {
        name: "requests-counted-over-an-hour",
        what: "the requests of the proof are counted over the last hour",
        stresses: &["requests-failing", "check-error-rate", "error-rate"],
        masked: None,
        bend: |_, ports| {
            asked_as(ports, |query| {
                if query.contains("maintenance='false'") {
                    with_windows(query, |_| 3_600)
                } else {
                    query.to_owned()
                }
            })
        },
    },
    Row {
        name: "mean-of-pods-for-the-worst",
        what: "in place of the worst pod's error rate the mean of all is taken",
        stresses: &["connections-uneven", "check-worst-pod", "one-bad-pod"],
        masked: None,
        bend: |_, ports| {
            asked_as(ports, |query| {
                query.replacen("max((sum by", "avg((sum by", 1)
            })
        },
    },
    Row {
        name: "error-rate-of-the-best-pod",
        what: "in place of the worst pod's error rate the best one's is taken",
        stresses: &["connections-uneven", "check-worst-pod", "one-bad-pod"],
        masked: None,
        bend: |_, ports| {
            asked_as(ports, |query| {
                query.replacen("max((sum by", "min((sum by", 1)
            })
        },
    },
    Row {
        name: "lines-of-another-level",
        what: "lines of the level `fatal` are counted in place of `error`",
        stresses: &["check-error-logs", "target = \"logs\""],
        masked: None,
        bend: |_, ports| {
            asked_as(ports, |query| {
                query.replace("level=\"error\"", "level=\"fatal\"")
            })
        },
    },
    Row {
        name: "bound-a-hundred-times-too-lax",
        what: "rates are read in percent, so that every bound is a hundred times too lax",
        stresses: &[
            "requests-failing",
            "check-error-rate",
            "just-too-many-errors",
        ],
        masked: None,
        bend: |_, ports| asked(ports, InPercent),
    },
    Row {
        name: "answers-remembered",
        what: "an answer to the same question is remembered for a minute",
        stresses: &["trigger"],
        masked: None,
        bend: |_, ports| {
            let clock = Arc::clone(&ports.clock);
            asked(
                ports,
                Remembered {
                    clock,
                    kept: Mutex::default(),
                },
            )
        },
    },
    Row {
        name: "baseline-of-an-instant",
        what: "what holds when the baseline is recorded counts as older than the release, without a look back",
        stresses: &["alarm-at-baseline"],
        masked: None,
        bend: |_, ports| only_now(ports),
    },
    Row {
        name: "books-not-asked",
        what: "whether the books balance is asked of a series that is always zero",
        stresses: &["books-broken", "check-books"],
        masked: None,
        bend: |_, ports| {
            asked_as(ports, |query| {
                query.replace(
                    "max(dex_reconciliation_anomalies",
                    "0 * max(dex_reconciliation_anomalies",
                )
            })
        },
    },
];

/// Each window of the query, such as `[90s]` or `[90000ms]`, with the seconds that `change` makes of its own.
fn with_windows(query: &str, change: fn(u64) -> u64) -> String {
    let mut out = String::new();
    let mut rest = query;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let window = after.split_once(']');
        match window.and_then(|(window, after)| Some((whole_seconds(window)?, after))) {
            Some((seconds, after)) => {
                out.push_str(&format!("[{}s]", change(seconds)));
                rest = after;
            }
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The whole seconds of a window of one unit, as the executor writes it.
fn whole_seconds(window: &str) -> Option<u64> {
    let unit = window.find(|it: char| !it.is_ascii_digit())?;
    let number: u64 = window[..unit].parse().ok()?;
    match &window[unit..] {
        "ms" => Some(number / 1_000),
        "s" => Some(number),
        _ => None,
    }
}

/// Asks `edit` of each query.
struct As(fn(&str) -> String);

fn asked_as(ports: Ports, edit: fn(&str) -> String) -> Ports {
    asked(ports, As(edit))
}

#[async_trait]
impl Asker for As {
    async fn ask(&self, mut question: Question, server: &QueryServer) -> Got {
        question.query = (self.0)(&question.query);
        server.ask(&question).await
    }
}

/// An answer of one value.
fn one(value: &str) -> Bytes {
    let text = format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[0,"{value}"]}}]}}}}"#
    );
    Bytes::from(text)
}

struct NoDataIsZero;

#[async_trait]
impl Asker for NoDataIsZero {
    async fn ask(&self, question: Question, server: &QueryServer) -> Got {
        let answer = server.ask(&question).await?;
        let object: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let is_empty = object["data"]["result"]
            .as_array()
            .is_some_and(Vec::is_empty);
        // Whoever reads it so does not ask either whom Prometheus could scrape.
        let of_scrapes = question.query.contains("timestamp(up)");
        if !is_empty && !of_scrapes {
            return Ok(answer);
        }
        let counts = question.query.contains("maintenance='false'");
        Ok(answer.map(|_| one(if counts { "30000" } else { "0" })))
    }
}

/// Ports of somebody who reads no data as zero, and as plenty of it.
#[must_use]
pub fn no_data_is_zero(ports: Ports) -> Ports {
    asked(ports, NoDataIsZero)
}

struct NoAnswerIsZero;

#[async_trait]
impl Asker for NoAnswerIsZero {
    async fn ask(&self, question: Question, server: &QueryServer) -> Got {
        match server.ask(&question).await {
            Ok(answer) if !answer.status().is_server_error() => Ok(answer),
            _ => Ok(Response::new(one("0"))),
        }
    }
}

/// Rates are divided by a hundred.
struct InPercent;

#[async_trait]
impl Asker for InPercent {
    async fn ask(&self, question: Question, server: &QueryServer) -> Got {
        let answer = server.ask(&question).await?;
        let is_rate = question.query.contains("5..") && question.query.contains(" / ");
        Ok(if is_rate {
            values_changed(answer, |value| value / 100.0)
        } else {
            answer
        })
    }
}

/// An answer and when it came.
type Dated = (Timestamp, Response<Bytes>);

/// Answers that are remembered by their question: its address and what is asked.
struct Remembered {
    clock: Arc<dyn Clock>,
    kept: Mutex<BTreeMap<(String, String), Dated>>,
}

#[async_trait]
impl Asker for Remembered {
    async fn ask(&self, question: Question, server: &QueryServer) -> Got {
        let key = (question.address.clone(), question.query.clone());
        let now = self.clock.now();
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, answer)) = kept.get(&key)
                && now.duration_since(*at) < SignedDuration::from_secs(60)
            {
                return Ok(answer.clone());
            }
        }
        let answer = server.ask(&question).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, (now, answer.clone()));
        Ok(answer)
    }
}

struct OnlyNow;

#[async_trait]
impl Asker for OnlyNow {
    async fn ask(&self, mut question: Question, server: &QueryServer) -> Got {
        question.parameters.clear();
        server.ask(&question).await
    }
}

/// Ports of somebody who asks for instants in the past as if they were now.
#[must_use]
pub fn only_now(ports: Ports) -> Ports {
    asked(ports, OnlyNow)
}

#[cfg(test)]
mod tests {
    use super::with_windows;

    #[test]
    fn windows_are_changed_and_other_brackets_are_not() {
        let short = |query| with_windows(query, |s| if s > 60 { 15 } else { s });
        assert_eq!(short("a[90s] + b[30s] + c[1m]"), "a[15s] + b[30s] + c[1m]");
        assert_eq!(short("a{b=~\"[0-9]s]\"}[61s]"), "a{b=~\"[0-9]s]\"}[15s]");
        assert_eq!(short("no window"), "no window");
        // As the executor writes them.
        assert_eq!(short("a[90000ms] + b[30250ms]"), "a[15s] + b[30s]");
    }
}
