//! When, where and by which command this program runs: the one place that asks the clock, git and the machine for a
//! report. Nothing of it reaches a drill.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use firedrill::report::meta::{Host, Meta, RunbookMeta, Seeds};
use firedrill::runbooks::LoadedRunbook;
use firedrill::token::this_build;
use jiff::Timestamp;

use crate::chaos::processors;

/// Where Linux says what the machine is called.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";
/// Variables in which CI systems name the commit, for where there is no repository.
const COMMITS: [&str; 2] = ["GITHUB_SHA", "CI_COMMIT_SHA"];

/// A run that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    started: Timestamp,
    since: Instant,
}

impl Run {
    /// It begins now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a report says when people ran it; no drill sees this"
    )]
    pub(crate) fn begin() -> Self {
        Self {
            started: Timestamp::now(),
            since: Instant::now(),
        }
    }

    /// What the report says of it.
    pub(crate) fn meta(self, runbook: Option<&LoadedRunbook>, seeds: Option<Seeds>) -> Meta {
        let took = self.since.elapsed().as_millis();
        Meta {
            // Whole seconds are enough for people, and for every format.
            started: Timestamp::from_second(self.started.as_second()).unwrap_or(self.started),
            duration_ms: u64::try_from(took).unwrap_or(u64::MAX),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: format!("{:08x}", this_build()),
            commit: commit(),
            command: command(),
            runbook: runbook.map(|loaded| RunbookMeta {
                path: loaded.file.clone(),
                digest: loaded.runbook.digest.clone(),
            }),
            seeds,
            host: host(),
        }
    }
}

/// The words of the command, with the program's name in place of its path.
fn command() -> Vec<String> {
    let words = std::env::args_os().skip(1);
    let words = words.map(|word| word.to_string_lossy().into_owned());
    std::iter::once("firedrill".to_owned())
        .chain(words)
        .collect()
}

/// The commit that is checked out here, `-dirty` if files differ from it.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args([
            "describe",
            "--always",
            "--dirty",
            "--abbrev=40",
            "--exclude=*",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let said = output.ok().filter(|output| output.status.success());
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let named = || COMMITS.iter().find_map(|name| std::env::var(name).ok());
    said.or_else(named).filter(|commit| !commit.is_empty())
}

fn host() -> Host {
    let said = fs::read_to_string(HOSTNAME).ok();
    let named = || std::env::var("HOSTNAME").ok();
    let name = said.or_else(named).unwrap_or_default().trim().to_owned();
    Host {
        name: if name.is_empty() {
            "unknown".to_owned()
        } else {
            name
        },
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processors: processors() as u64,
    }
}
