//! Several runs one after the other: what came of each, and how long recovery took.

use comfy_table::{CellAlignment, Table, presets};
use jiff::Timestamp;

use super::classes::classes;
use super::journal::Journal;
use super::kept::Kept;
use super::meta;
use super::summary::by_scenario_of;
use crate::stats::{percentile, show_count, show_ms};
use crate::verdict::Verdict;

/// How much of a commit is shown.
const COMMIT_CHARS: usize = 10;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The journal's path.
    pub file: String,
    /// When it began; `None`: its journal does not say so.
    pub started: Option<Timestamp>,
    /// The commit.
    pub commit: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its drills.
    pub drills: usize,
    /// Drills that failed.
    pub failed: usize,
    /// Drills that were inconclusive.
    pub inconclusive: usize,
    /// Classes of failure.
    pub classes: usize,
    /// Median time to recover of the drills that recovered, in milliseconds.
    pub median_ms: Option<u64>,
    /// Longest of them, in milliseconds.
    pub worst_ms: Option<u64>,
    /// Drills that never recovered and should have.
    pub never: usize,
    /// What was acknowledged, and what of it was lost or changed.
    pub kept: Kept,
}

/// Runs in the order of time. Those of which no start is known come first, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trend {
    /// The runs.
    pub points: Vec<Point>,
}

impl Point {
    /// What a trend tells of `journal`, which lies at `file`.
    #[must_use]
    pub fn of(file: String, journal: &Journal<'_>) -> Self {
        let mut rtos: Vec<u64> = journal.drills.iter().filter_map(|d| d.rto_ms).collect();
        let first = journal.meta.first();
        let scenarios = by_scenario_of(&journal.drills);
        Self {
            file,
            started: first.map(|run| run.started),
            commit: first.and_then(|run| run.commit.clone()),
            verdict: journal.summary.verdict,
            drills: journal.summary.drills,
            failed: journal.summary.failed,
            inconclusive: journal.summary.inconclusive,
            classes: classes(&journal.drills).len(),
            median_ms: percentile(&mut rtos, 50),
            worst_ms: percentile(&mut rtos, 100),
            never: scenarios.iter().map(|s| s.never - s.escalated).sum(),
            kept: Kept::sum(scenarios.iter().map(|s| s.kept)),
        }
    }

    /// When it began, for people.
    #[must_use]
    pub fn began(&self) -> String {
        self.started
            .map_or_else(|| "unknown".to_owned(), meta::began)
    }

    /// The commit, cut to what tells it from others.
    #[must_use]
    pub fn commit(&self) -> String {
        let Some(commit) = &self.commit else {
            return "unknown".to_owned();
        };
        let short: String = commit.chars().take(COMMIT_CHARS).collect();
        if commit.ends_with("-dirty") && !short.ends_with("-dirty") {
            format!("{short}-dirty")
        } else {
            short
        }
    }

    /// The median time to recover.
    #[must_use]
    pub fn median(&self) -> String {
        self.median_ms.map_or_else(|| "none".to_owned(), show_ms)
    }

    /// The longest time to recover; `never` if a drill should have recovered and did not.
    #[must_use]
    pub fn worst(&self) -> String {
        match self.worst_ms {
            _ if self.never > 0 => "never".to_owned(),
            Some(ms) => show_ms(ms),
            None => "none".to_owned(),
        }
    }
}

impl Trend {
    /// The trend of these runs.
    #[must_use]
    pub fn of(mut points: Vec<Point>) -> Self {
        points.sort_by(|a, b| (a.started, &a.file).cmp(&(b.started, &b.file)));
        Self { points }
    }
}

/// For the terminal.
#[must_use]
pub fn text(trend: &Trend) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "Start (UTC)",
        "Verdict",
        "Drills",
        "Not passed",
        "Median",
        "Worst",
    ]);
    for point in &trend.points {
        let not_passed = point.failed + point.inconclusive;
        table.add_row([
            point.began().trim_end_matches(" UTC").to_owned(),
            point.verdict.to_string(),
            show_count(point.drills as u64),
            match point.classes {
                0 => "0".to_owned(),
                1 => format!("{not_passed} (1 class)"),
                n => format!("{not_passed} ({n} classes)"),
            },
            point.median(),
            point.worst(),
        ]);
    }
    for index in [2, 3, 4, 5] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}
