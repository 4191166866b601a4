//! What a shard says of its results in its termination message, of which a kubelet keeps 4,096 bytes
//! (`MaxPodTerminationMessageLogLength` in `pkg/kubelet/apis`).

use serde::{Deserialize, Serialize};

use super::keep::Kept;
use super::share::Interval;

/// Most bytes of a summary.
pub const MESSAGE_MAX: usize = 4_096;
/// Name and version of the form.
const SCHEMA: &str = "firedrill-shard/1";
/// Most bytes, as JSON, of an error's words.
const ERROR_MAX: usize = 1_024;
/// Most bytes, as JSON, of one text of a failure.
const TEXT_MAX: usize = 160;

/// What the shards do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Scenarios times seeds.
    Chaos,
    /// Drills that are drawn.
    Search,
}

impl Work {
    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chaos => "chaos",
            Self::Search => "search",
        }
    }
}

/// A drill that did not pass, or a class of failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The scenario, or the class.
    pub what: String,
    /// The seed, or the number of the first drill of the class.
    pub number: u64,
    /// The oracle and its finding.
    pub why: String,
    /// The token that repeats it; `None` if there was no room for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
}

/// What a shard says of its results. Every field but the failures and the error has a bounded length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Name and version of the form.
    pub schema: String,
    /// Digest of what was asked for: the command, its files, and the number of shards.
    #[serde(with = "hex64")]
    pub campaign: u64,
    /// Digest of the program's sources, as replay tokens name it.
    #[serde(with = "hex32")]
    pub build: u32,
    /// What was done.
    pub work: Work,
    /// The shard.
    pub index: u32,
    /// Of how many.
    pub shards: u32,
    /// Its share.
    pub share: Interval,
    /// The exit code.
    pub code: u8,
    /// Drills that were performed.
    pub drills: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Of them, those that show nothing.
    pub inconclusive: u64,
    /// Drills that an interruption kept from running.
    pub skipped: u64,
    /// Digest of all results, without what says when and where they were made.
    #[serde(with = "hex64")]
    pub digest: u64,
    /// What of the results the log has.
    pub kept: Kept,
    /// What failed, as far as there is room.
    pub failures: Vec<Failure>,
    /// How many more there are.
    pub left_out: u64,
    /// Why there is no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A text that is no summary.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// There is none.
    #[error("it left no summary")]
    Missing,
    /// It is of another form.
    #[error("its summary can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of another version.
    #[error("its summary is of the form `{0}`, and this build reads `{SCHEMA}`")]
    Schema(String),
}

impl Summary {
    /// A summary of shard `index` of `shards` that has no result yet.
    #[must_use]
    pub fn new(campaign: u64, build: u32, work: Work, index: u32, shards: u32) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            campaign,
            build,
            work,
            index,
            shards,
            share: Interval { first: 0, count: 0 },
            code: 0,
            drills: 0,
            failed: 0,
            inconclusive: 0,
            skipped: 0,
            digest: 0,
            kept: Kept::Nothing,
            failures: Vec::new(),
            left_out: 0,
            error: None,
        }
    }

    /// As text of at most [`MESSAGE_MAX`] bytes. The failures come in their order. One whose token has no room comes
    /// without it, and those that have no room themselves are counted.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut short = Self {
            failures: Vec::new(),
            left_out: self.left_out.saturating_add(self.failures.len() as u64),
            error: self.error.as_deref().map(|text| clipped(text, ERROR_MAX)),
            ..self.clone()
        };
        let mut text = short.json();
        for failure in &self.failures {
            let mut bounded = Failure {
                what: clipped(&failure.what, TEXT_MAX),
                why: clipped(&failure.why, TEXT_MAX),
                ..failure.clone()
            };
            short.left_out -= 1;
            short.failures.push(bounded.clone());
            let mut longer = short.json();
            if longer.len() > MESSAGE_MAX {
                bounded.replay = None;
                short.failures.pop();
                short.failures.push(bounded);
                longer = short.json();
            }
            if longer.len() > MESSAGE_MAX {
                break;
            }
            text = longer;
        }
        text
    }

    fn json(&self) -> String {
        // Numbers and texts alone: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a summary.
    ///
    /// # Errors
    /// The text is none, or of another form.
    pub fn decode(text: &str) -> Result<Self, SummaryError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        if text.trim().is_empty() {
            return Err(SummaryError::Missing);
        }
        let head: Head = serde_json::from_str(text)?;
        if head.schema != SCHEMA {
            return Err(SummaryError::Schema(head.schema));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// Drills that passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        let others = self.failed.saturating_add(self.inconclusive);
        self.drills.saturating_sub(others)
    }

    /// Whether it has a result that counts: the shard came to its end.
    #[must_use]
    pub fn is_conclusive(&self) -> bool {
        matches!(self.code, 0 | 1 | 3) && self.error.is_none() && self.skipped == 0
    }
}

/// The longest beginning of `text` that takes at most `most` bytes as JSON; `…` stands for what is missing.
fn clipped(text: &str, most: usize) -> String {
    let cost = |c: char| match c {
        '"' | '\\' | '\u{8}' | '\u{c}' | '\n' | '\r' | '\t' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    };
    if text.chars().map(cost).sum::<usize>() <= most {
        return text.to_owned();
    }
    let mut left = most - '…'.len_utf8();
    let fits = |c: &char| match left.checked_sub(cost(*c)) {
        None => false,
        Some(rest) => {
            left = rest;
            true
        }
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

/// Numbers as 16 hexadecimal digits: JSON's own numbers are exact below 2^53 only.
mod hex64 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(number: &u64, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{number:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        let text = String::deserialize(d)?;
        u64::from_str_radix(&text, 16).map_err(de::Error::custom)
    }
}

/// Numbers as 8 hexadecimal digits, as builds are named elsewhere.
mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(number: &u32, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{number:08x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
        let text = String::deserialize(d)?;
        u32::from_str_radix(&text, 16).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failures() -> impl Strategy<Value = Vec<Failure>> {
        let failure = (
            any::<String>(),
            any::<u64>(),
            any::<String>(),
            0..9_000_usize,
        )
            .prop_map(|(what, number, why, token)| Failure {
                what: what.repeat(5),
                number,
                why,
                replay: Some(format!("fd1-{}", "0".repeat(token))),
            });
        prop::collection::vec(failure, 0..80)
    }

    proptest! {
        #[test]
        fn no_summary_is_longer_than_a_kubelet_keeps(
            failures in failures(),
            error in prop::option::of(prop::collection::vec(any::<char>(), 0..5_000)),
            numbers in any::<[u64; 8]>(),
            (build, index, shards, code) in any::<(u32, u32, u32, u8)>(),
        ) {
            let [campaign, first, count, drills, failed, inconclusive, skipped, digest] = numbers;
            let error = error.map(|chars| chars.into_iter().collect::<String>());
            let summary = Summary {
                share: Interval { first, count },
                code, drills, failed, inconclusive, skipped, digest, failures, error,
                kept: Kept::NotPassed,
                left_out: u64::MAX / 2,
                ..Summary::new(campaign, build, Work::Search, index, shards)
            };
            let text = summary.encode();
            prop_assert!(text.len() <= MESSAGE_MAX, "{} bytes", text.len());
            let read = Summary::decode(&text).expect("it reads back");
            let all = read.failures.len() as u64 + read.left_out;
            prop_assert_eq!(all, summary.failures.len() as u64 + summary.left_out);
            for (short, whole) in read.failures.iter().zip(&summary.failures) {
                prop_assert_eq!(short.number, whole.number);
                prop_assert!(short.replay.is_none() || short.replay == whole.replay);
            }
            let kept = Summary { failures: summary.failures.clone(), left_out: summary.left_out, error: summary.error.clone(), ..read };
            prop_assert_eq!(kept, summary);
        }
    }

    #[test]
    fn what_has_room_is_said_whole() {
        let failure = |number| Failure {
            what: "latency-regression".to_owned(),
            number,
            why: "rto exceeded".to_owned(),
            replay: Some("fd1-abc".to_owned()),
        };
        let summary = Summary {
            failures: (0..20).map(failure).collect(),
            error: Some("a \"word\"\n".to_owned()),
            ..Summary::new(1, 2, Work::Chaos, 3, 4)
        };
        assert_eq!(
            Summary::decode(&summary.encode()).expect("it reads back"),
            summary
        );
        assert!(
            summary
                .encode()
                .contains(r#""campaign":"0000000000000001","build":"00000002""#)
        );
    }

    #[test]
    fn a_long_list_ends_where_there_is_no_more_room() {
        let failure = |number| Failure {
            what: "w".repeat(500),
            number,
            why: "y".repeat(500),
            replay: None,
        };
        let summary = Summary {
            failures: (0..100).map(failure).collect(),
            ..Summary::new(1, 2, Work::Chaos, 3, 4)
        };
        let read = Summary::decode(&summary.encode()).expect("it reads back");
        assert!(read.failures.len() > 8, "{}", read.failures.len());
        assert_eq!(read.failures.len() as u64 + read.left_out, 100);
        assert!(read.failures[0].what.ends_with('…'));
    }

    #[test]
    fn what_is_no_summary_is_refused() {
        assert!(matches!(Summary::decode(" \n"), Err(SummaryError::Missing)));
        assert!(matches!(Summary::decode("{"), Err(SummaryError::Json(_))));
        let other = r#"{"schema":"firedrill-shard/2"}"#;
        assert!(matches!(
            Summary::decode(other),
            Err(SummaryError::Schema(_))
        ));
    }
}
