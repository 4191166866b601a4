//! What stands beside a run's results: when, where and by which command they were made.
//!
//! None of it is compared. Two runs of the same drills have the same journal apart from this block, and merged journals
//! keep the block of each part. The library only carries it. The program reads the clock and fills it in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::Ms;
use crate::token::quoted;

/// One run of the program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// When the program began, by the machine's clock.
    pub started: Timestamp,
    /// How long it took until the report was made, in milliseconds of the machine's clock.
    pub duration_ms: Ms,
    /// Version of the program.
    pub version: String,
    /// Digest of the sources that the program was built from, 8 hexadecimal digits, as replay tokens name it.
    pub build: String,
    /// The commit that was checked out where the command was given, with `-dirty` where files differed from it.
    pub commit: Option<String>,
    /// The command's words, the program's name first.
    pub command: Vec<String>,
    /// The runbook that was followed.
    pub runbook: Option<RunbookMeta>,
    /// The seeds of each scenario.
    pub seeds: Option<Seeds>,
    /// The machine.
    pub host: Host,
}

/// A runbook.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunbookMeta {
    /// Its path, as the command line has it.
    pub path: String,
    /// Digest of its text.
    pub digest: String,
}

/// Consecutive seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Operating system and architecture: `linux x86_64`.
    pub system: String,
    /// Processors that the program may use.
    pub processors: u64,
}

impl Meta {
    /// The command as one line that a shell takes apart into the same words.
    #[must_use]
    pub fn command_line(&self) -> String {
        let words: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    /// When it began, in UTC without a fraction or a zone, as JUnit files have it: `2026-11-30T19:00:00`.
    #[must_use]
    pub fn timestamp(&self) -> String {
        self.started.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// When it began, for people: `2026-11-30 19:00:00 UTC`.
    #[must_use]
    pub fn began(&self) -> String {
        began(self.started)
    }
}

/// An instant for people: `2026-11-30 19:00:00 UTC`.
#[must_use]
pub fn began(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The seeds in words: `seed 7`, `seeds 0 to 99`.
impl std::fmt::Display for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            0 => f.write_str("no seed"),
            1 => write!(f, "seed {}", self.first),
            n => {
                let last = self.first.saturating_add(n - 1);
                write!(f, "seeds {} to {last}", self.first)
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A block for tests.
    pub(crate) fn example(started: &str) -> Meta {
        Meta {
            started: started.parse().expect("an instant"),
            duration_ms: 12_300,
            version: "0.1.0".to_owned(),
            build: "0badcafe".to_owned(),
            commit: Some("0123456789abcdef0123456789abcdef01234567-dirty".to_owned()),
            command: ["firedrill", "chaos", "--runbook", "my runbook.md"]
                .map(str::to_owned)
                .to_vec(),
            runbook: Some(RunbookMeta {
                path: "my runbook.md".to_owned(),
                digest: "00112233".to_owned(),
            }),
            seeds: Some(Seeds {
                first: 0,
                count: 100,
            }),
            host: Host {
                name: "runner-7".to_owned(),
                system: "linux x86_64".to_owned(),
                processors: 2,
            },
        }
    }

    #[test]
    fn a_command_can_be_pasted() {
        let mut meta = example("2026-11-30T19:00:00.5Z");
        assert_eq!(
            meta.command_line(),
            "firedrill chaos --runbook 'my runbook.md'"
        );
        meta.command = vec!["it's".to_owned(), String::new(), "$(x)".to_owned()];
        assert_eq!(meta.command_line(), r"'it'\''s' '' '$(x)'");
    }

    #[test]
    fn an_instant_is_told_in_utc() {
        let meta = example("2026-11-30T20:00:00.5+01:00");
        assert_eq!(meta.timestamp(), "2026-11-30T19:00:00");
        assert_eq!(meta.began(), "2026-11-30 19:00:00 UTC");
    }

    #[test]
    fn seeds_are_told_in_words() {
        let told = |first, count| Seeds { first, count }.to_string();
        assert_eq!(told(7, 1), "seed 7");
        assert_eq!(told(0, 100), "seeds 0 to 99");
        assert_eq!(
            told(u64::MAX, u64::MAX),
            format!("seeds {0} to {0}", u64::MAX)
        );
    }
}
