//! Recordings of drills with a program outside: what it asked, what it got, and when. One JSON value a line.
//!
//! ```text
//! head ─▶ (began ─▶ request, request, … ─▶ ended)*  ─▶ over
//! ```
//!
//! A recording is played into a fresh world of the same scenario and seed: its requests come at the same instants, and
//! the program is not needed. The answers and the fingerprint must be the same then.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sim::time::Micros;
use sim_serve::tape::Event;

/// Which version of the format this is.
pub const SCHEMA: &str = "firedrill-recording/1";

/// What a recording begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`SCHEMA`].
    pub schema: String,
    /// The token of the drill: its scenario, runbook and seed, and the build that recorded it.
    pub token: String,
    /// The command of the program.
    pub command: String,
    /// How many times as fast as the wall clock the world's clock ran; `None`: requests moved it.
    pub pace: Option<u32>,
}

/// How a phase of the program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its exit code; `None`: a signal ended it.
    pub code: Option<i32>,
    /// What it wrote on its standard output.
    pub output: Vec<String>,
    /// The last lines of its standard error.
    pub errors: Vec<String>,
    /// Some of what it wrote is not kept: it was too much, or a process that outlived it held its output open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// It did not end in time, and was killed.
    pub overdue: bool,
    /// What it saved as evidence, by its path.
    pub files: BTreeMap<String, String>,
    /// What it wrote as the instant since which all is well.
    pub recovered_at: Option<String>,
}

/// A line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// The first one.
    Head(Head),
    /// The program began a phase.
    Began {
        /// When, in microseconds of the drill.
        at_us: u64,
        /// On which host, counted from 1.
        host: u32,
        /// Which phase.
        phase: String,
    },
    /// Something happened to a request.
    Request {
        /// When, in microseconds of the drill.
        at_us: u64,
        /// Which request, counted from 0.
        number: u64,
        /// What.
        event: Event,
    },
    /// The program ended the phase that it had begun. A phase of a host that died has none.
    Ended {
        /// When, in microseconds of the drill.
        at_us: u64,
        /// How.
        how: Ended,
    },
    /// The drill is over.
    Over {
        /// The fingerprint over every event of it, in hexadecimal digits.
        fingerprint: String,
    },
}

/// A recording, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What it begins with.
    pub head: Head,
    /// What happened, in its order.
    pub lines: Vec<Line>,
    /// The fingerprint of the drill.
    pub fingerprint: u64,
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// A line can't be read.
    #[error("line {line}: {why}")]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Another version of the format, or something else.
    #[error("it does not begin as a recording of the version `{SCHEMA}` does")]
    Head,
    /// The drill was interrupted, or the file is cut off.
    #[error("its last line is missing, which tells the fingerprint")]
    CutOff,
}

impl Recording {
    /// Reads one.
    ///
    /// # Errors
    /// [`RecordingError`] with the first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let (mut head, mut lines, mut over) = (None, Vec::new(), None);
        for (index, line) in text.lines().enumerate() {
            let wrong = |why: String| RecordingError::Line {
                line: index + 1,
                why,
            };
            match serde_json::from_str(line).map_err(|error| wrong(error.to_string()))? {
                Line::Head(of) if index == 0 && of.schema == SCHEMA => head = Some(of),
                _ if index == 0 => return Err(RecordingError::Head),
                Line::Head(_) => return Err(wrong("a second head".to_owned())),
                _ if over.is_some() => return Err(wrong("the drill was over".to_owned())),
                Line::Over { fingerprint } => {
                    let number = u64::from_str_radix(&fingerprint, 16);
                    over = Some(number.map_err(|error| wrong(error.to_string()))?);
                }
                line => lines.push(line),
            }
        }
        Ok(Self {
            head: head.ok_or(RecordingError::Head)?,
            lines,
            fingerprint: over.ok_or(RecordingError::CutOff)?,
        })
    }

    /// The text of its file.
    #[must_use]
    pub fn text(&self) -> String {
        let over = Line::Over {
            fingerprint: format!("{:016x}", self.fingerprint),
        };
        let head = Line::Head(self.head.clone());
        let all = std::iter::once(&head).chain(&self.lines).chain([&over]);
        let mut text = String::new();
        for line in all {
            // Its keys are strings, and no value of it fails.
            let line = serde_json::to_string(line).unwrap_or_default();
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// How many requests it holds.
    #[must_use]
    pub fn requests(&self) -> usize {
        let asked = |line: &&Line| {
            let Line::Request { event, .. } = line else {
                return false;
            };
            matches!(event, Event::Asked(_))
        };
        self.lines.iter().filter(asked).count()
    }

    /// What `played` differs in, in words: the first request whose answer is another one, or came at another instant;
    /// else the fingerprint.
    #[must_use]
    pub fn difference(&self, played: &Self) -> Option<String> {
        let (own, others) = (self.by_request(), played.by_request());
        for (number, recorded) in &own {
            let empty = Vec::new();
            let now = others.get(number).unwrap_or(&empty);
            let differs =
                (0..recorded.len().max(now.len())).find(|&n| recorded.get(n) != now.get(n));
            let Some(at) = differs else { continue };
            let asked = recorded.iter().find_map(|(_, event)| match event {
                Event::Asked(call) => Some(format!("{} {}", call.method, call.uri)),
                _ => None,
            });
            return Some(format!(
                "request {number} ({}) differs: recorded was {}, and now it is {}",
                asked.unwrap_or_default(),
                in_words(recorded.get(at).copied()),
                in_words(now.get(at).copied()),
            ));
        }
        (self.fingerprint != played.fingerprint).then(|| {
            format!(
                "all answers are the same, but the fingerprint was {:016x} and is {:016x}",
                self.fingerprint, played.fingerprint
            )
        })
    }

    /// What happened to each request, and when.
    fn by_request(&self) -> BTreeMap<u64, Vec<(u64, &Event)>> {
        let mut all: BTreeMap<u64, Vec<(u64, &Event)>> = BTreeMap::new();
        for line in &self.lines {
            if let Line::Request {
                at_us,
                number,
                event,
            } = line
            {
                all.entry(*number).or_default().push((*at_us, event));
            }
        }
        all
    }
}

/// An event of a request in a few words.
fn in_words(event: Option<(u64, &Event)>) -> String {
    const MOST: usize = 300;
    let Some((at_us, event)) = event else {
        return "nothing".to_owned();
    };
    let what = match event {
        Event::Asked(_) => "the request".to_owned(),
        Event::HungUp => "that the client hung up".to_owned(),
        Event::Ended => "the end".to_owned(),
        Event::Cut => "a connection that was cut".to_owned(),
        Event::Answered { status, body, .. } => format!("{status} {body:?}"),
        Event::Frame(frame) => format!("the frame {frame:?}"),
    };
    let short: String = what.chars().take(MOST).collect();
    let dots = if short.len() < what.len() { "…" } else { "" };
    format!("{short}{dots} at {}", Micros(at_us))
}

#[cfg(test)]
mod tests {
    use sim_serve::To;
    use sim_serve::tape::{Call, Payload};

    use super::*;

    fn recording() -> Recording {
        let asked = Call {
            to: To::Kube,
            method: "GET".to_owned(),
            uri: "/version".to_owned(),
            headers: Vec::new(),
            body: Payload::Text(String::new()),
        };
        let answered = Event::Answered {
            status: 200,
            headers: Vec::new(),
            body: Some(Payload::Text("{}".to_owned())),
        };
        let request = |at_us, event| Line::Request {
            at_us,
            number: 0,
            event,
        };
        Recording {
            head: Head {
                schema: SCHEMA.to_owned(),
                token: "fd1-x".to_owned(),
                command: "true".to_owned(),
                pace: None,
            },
            lines: vec![
                Line::Began {
                    at_us: 5,
                    host: 1,
                    phase: "run".to_owned(),
                },
                request(7, Event::Asked(asked)),
                request(90, answered),
                Line::Ended {
                    at_us: 91,
                    how: Ended::default(),
                },
            ],
            fingerprint: 0xfeed,
        }
    }

    #[test]
    fn a_recording_reads_back() {
        let recording = recording();
        let read = Recording::parse(&recording.text());
        assert_eq!(read.as_ref(), Ok(&recording));
        assert_eq!(recording.requests(), 1);
        assert_eq!(recording.difference(&recording), None);
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        let text = recording().text();
        let cut_off = text.rsplit_once("{\"over\"").expect("its end").0;
        assert_eq!(Recording::parse(cut_off), Err(RecordingError::CutOff));
        assert_eq!(Recording::parse(""), Err(RecordingError::Head));
        let other = text.replace(SCHEMA, "firedrill-recording/9");
        assert_eq!(Recording::parse(&other), Err(RecordingError::Head));
        let broken = text.replacen("\"request\"", "\"requst\"", 1);
        let error = Recording::parse(&broken).expect_err("a word is wrong");
        assert!(error.to_string().starts_with("line 3: "), "{error}");
    }

    #[test]
    fn the_first_request_that_differs_is_named() {
        let (one, mut other) = (recording(), recording());
        other.fingerprint = 1;
        let said = one.difference(&other).expect("they differ");
        assert!(said.contains("000000000000feed"), "{said}");
        if let Some(Line::Request { at_us, .. }) = other.lines.get_mut(2) {
            *at_us = 95;
        }
        let said = one.difference(&other).expect("they differ");
        assert!(
            said.starts_with("request 0 (GET /version) differs"),
            "{said}"
        );
        other.lines.remove(2);
        let said = one.difference(&other).expect("they differ");
        assert!(said.ends_with("now it is nothing"), "{said}");
    }
}
