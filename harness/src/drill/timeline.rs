//! The timeline of a single drill: what happened when, in virtual time, as deterministic text.

use std::fmt::Write as _;

use crate::drill::DrillResult;
use crate::evidence::Ms;
use crate::oracles::OracleName;
use crate::oracles::finding::Finding;
use crate::stats::{show_count, show_ms, show_ppm};
use crate::token::Replays;

/// What a line of the timeline tells of, where somebody else reads it than a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// Nothing that is read but by persons.
    #[default]
    Else,
    /// Something that a rollback does was over: the lease was taken, a step had ended, another host went on.
    Over,
    /// The executor had planned the rollback.
    Planned,
    /// The executor tries something again that failed.
    Retried,
    /// The executor's host died.
    Killed,
}

impl Told {
    /// Whether something that a rollback does was over.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Over | Self::Planned => true,
            Self::Else | Self::Retried | Self::Killed => false,
        }
    }
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineEntry {
    /// When, since the drill began.
    pub at_ms: Ms,
    /// Who: `world`, `deployer`, `clients`, `executor`.
    pub who: &'static str,
    /// Phase or step, possibly empty.
    pub step: String,
    /// What happened.
    pub what: String,
    /// What that is, for whoever reads it by program.
    pub told: Told,
}

impl TimelineEntry {
    /// An entry that only persons read.
    #[must_use]
    pub fn new(
        at_ms: Ms,
        who: &'static str,
        step: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            at_ms,
            who,
            step: step.into(),
            what: what.into(),
            told: Told::Else,
        }
    }

    /// The same entry, as one that tells of `told`.
    #[must_use]
    pub fn of(self, told: Told) -> Self {
        Self { told, ..self }
    }
}

/// What was acknowledged and is gone: trades of the exchange, writes of any other application with a store, and nothing
/// of one without.
fn acknowledged(result: &DrillResult) -> String {
    let mut findings = result.findings.iter();
    let of_writes = findings.find(|it| it.oracle() == OracleName::AcknowledgedWrites);
    let (what, acknowledged, lost) = match of_writes {
        None => ("trades", result.trades.acknowledged, result.trades_lost()),
        Some(Finding::AcknowledgedWrites(found)) => {
            let counts = found.counts;
            ("writes", counts.acknowledged, counts.lost + counts.changed)
        }
        Some(_) => return String::new(),
    };
    let (acknowledged, lost) = (show_count(acknowledged), show_count(lost));
    format!("  {what} acknowledged {acknowledged}, lost {lost}\n")
}

/// `mm:ss.mmm` since the drill began.
#[must_use]
pub fn clock(at_ms: Ms) -> String {
    format!(
        "{:02}:{:02}.{:03}",
        at_ms / 60_000,
        at_ms / 1_000 % 60,
        at_ms % 1_000
    )
}

/// The whole timeline with its verdicts and numbers. Its token is written as `replays` writes it.
#[must_use]
pub fn render(result: &DrillResult, replays: &Replays) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} · seed {} · {} · {}\n",
        result.scenario, result.seed, result.world, result.verdicts.overall
    );
    let step_width = result
        .timeline
        .iter()
        .map(|e| e.step.chars().count())
        .max()
        .unwrap_or(0)
        .min(32);
    for entry in &result.timeline {
        let line = format!(
            "  {}  {:<8}  {:<step_width$}  {}",
            clock(entry.at_ms),
            entry.who,
            entry.step,
            entry.what.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push('\n');
    for finding in &result.findings {
        let _ = writeln!(
            out,
            "  {:<12}  {:<9}  {:<12}  {}",
            finding.verdict(),
            finding.stage().as_str(),
            finding.oracle(),
            finding
        );
    }
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let _ = write!(
        out,
        "\n  recovery time {} (claimed {}), impact {}\n  error rate after recovery {} of {} requests\n{}  fingerprint {:016x}\n  replay {}\n",
        result
            .rto_ms
            .map_or_else(|| result.ending.as_str().to_owned(), show_ms),
        or_none(result.rto_claimed_ms.map(show_ms)),
        or_none(result.impact_ms.map(show_ms)),
        or_none(result.error_rate_ppm.map(show_ppm)),
        show_count(result.requests_after_recovery),
        acknowledged(result),
        result.fingerprint,
        replays.words(&result.replay).unwrap_or_default()
    );
    out
}
