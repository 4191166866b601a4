//! A terminal: the history scrolls, and below it a few lines say where the rollback is, redrawn in place.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::lines::{BAD, DIM, GOOD};
use super::progress::{Clock, Progress};
use super::terminal::shown;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();
/// Lines of the block.
const LINES: usize = 4;
/// Below that, time is short.
const SHORT: Duration = Duration::from_secs(60);

/// The block.
pub(crate) struct Live {
    all: MultiProgress,
    bars: Vec<ProgressBar>,
    coloured: bool,
}

impl Live {
    /// On standard output.
    pub(crate) fn new(coloured: bool) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(10));
        // Cut off at the terminal's width.
        let style = ProgressStyle::with_template("{wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = |_| {
            let bar = ProgressBar::new_spinner().with_style(style.clone());
            all.add(bar)
        };
        let bars = (0..LINES).map(bar).collect();
        Self {
            all,
            bars,
            coloured,
        }
    }

    /// A line of history.
    pub(crate) fn print(&self, text: &str) {
        let _ = self.all.println(self.dressed(text));
    }

    /// Draws the block again.
    pub(crate) fn draw(&self, progress: &Progress, now: Timestamp, rto: Duration) {
        // Blank lines would tell nobody anything.
        if !progress.is_under_way() {
            return;
        }
        let lines = block(progress, now, rto);
        for (bar, line) in self.bars.iter().zip(lines) {
            bar.set_message(self.dressed(&line));
            bar.tick();
        }
    }

    /// Takes the block away while `work` uses the terminal.
    pub(crate) fn aside(&self) {
        let _ = self.all.clear();
    }

    fn dressed(&self, text: &str) -> String {
        let text = shown(text);
        if self.coloured {
            text
        } else {
            anstream::adapter::strip_str(&text).to_string()
        }
    }
}

/// The lines of the block.
fn block(progress: &Progress, now: Timestamp, rto: Duration) -> [String; LINES] {
    if !progress.is_under_way() {
        return [const { String::new() }; LINES];
    }
    let (ended, all) = progress.count();
    let clock = match progress.clock(now, rto) {
        Clock::Unset => "no trigger".to_owned(),
        Clock::Left { left, gone } => {
            let style = if left < SHORT { WARN } else { GOOD };
            format!(
                "{style}{BOLD}{}{BOLD:#}{style:#} left of the RTO of {} {DIM}({} gone){DIM:#}",
                minutes(left),
                minutes(rto),
                minutes(gone)
            )
        }
        Clock::Over { by } => format!(
            "{BAD}RTO of {} missed by {}{BAD:#}",
            minutes(rto),
            minutes(by)
        ),
        Clock::Proving { took } => format!(
            "{GOOD}back after {}{GOOD:#} of {}, if the checks hold",
            minutes(took),
            minutes(rto)
        ),
    };
    let stopping = if progress.stopping {
        format!("  {WARN}stopping at the next safe point{WARN:#}")
    } else {
        String::new()
    };
    let first = format!(
        "{clock}  {DIM}step{DIM:#} {} of {all}{stopping}",
        (ended + 1).min(all)
    );
    let (second, third) = match &progress.current {
        None => (String::new(), String::new()),
        Some(current) => {
            let gone = Duration::try_from(now.duration_since(current.since)).unwrap_or_default();
            let left = current.budget.saturating_sub(gone);
            let why = current.why.as_deref().unwrap_or("at work");
            (
                format!(
                    "> {BOLD}{}{BOLD:#}  {} s left of {} s",
                    current.label,
                    left.as_secs(),
                    current.budget.as_secs()
                ),
                format!("    {why}"),
            )
        }
    };
    let to_come = progress.to_come();
    let next: Vec<&str> = to_come.iter().take(3).map(String::as_str).collect();
    let more = to_come.len() - next.len();
    let fourth = match (next.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("  {DIM}then {}{DIM:#}", next.join(", ")),
        (false, more) => format!("  {DIM}then {}, and {more} more{DIM:#}", next.join(", ")),
    };
    [first, second, third, fourth]
}

/// `m:ss`.
fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
