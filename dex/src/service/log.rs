//! The service's log: one line per event on standard output, `level=… text`.

use std::io::Write;
use std::sync::Mutex;

use super::clock;
use super::metrics::Answer;

/// Error lines in one second at most, and lines about maintenance.
const ERROR_LINES_PER_S: u16 = 20;
const MAINTENANCE_LINES_PER_S: u16 = 1;

#[derive(Default)]
struct Budget {
    second: u64,
    errors: u16,
    maintenance: u16,
}

/// Writes lines, and few enough of those about single requests.
#[derive(Default)]
pub(super) struct Log {
    budget: Mutex<Budget>,
}

impl Log {
    pub(super) fn info(&self, text: &str) {
        write("info", text);
    }

    pub(super) fn warn(&self, text: &str) {
        write("warn", text);
    }

    pub(super) fn error(&self, text: &str) {
        write("error", text);
    }

    /// A gateway's line about a request that it could not serve, if it may write another one.
    pub(super) fn refusal(&self, answer: Answer, reason: &str) {
        if !self.may_write(answer) {
            return;
        }
        match answer {
            Answer::Maintenance => self.warn(&format!("503 maintenance: {reason}")),
            Answer::Internal => self.error(&format!("500 internal error: {reason}")),
            _ => self.error(&format!("503 unavailable: {reason}")),
        }
    }

    /// The engine's line about a request that failed, if it may write another one.
    pub(super) fn failure(&self, request: u64, reason: &str) {
        if self.may_write(Answer::Internal) {
            self.error(&format!("request {request} failed: {reason}"));
        }
    }

    fn may_write(&self, answer: Answer) -> bool {
        let second = clock::unix_micros() / 1_000_000;
        let Ok(mut budget) = self.budget.lock() else {
            return false;
        };
        if budget.second != second {
            *budget = Budget {
                second,
                ..Budget::default()
            };
        }
        let (used, limit) = if answer == Answer::Maintenance {
            (&mut budget.maintenance, MAINTENANCE_LINES_PER_S)
        } else {
            (&mut budget.errors, ERROR_LINES_PER_S)
        };
        *used = used.saturating_add(1);
        *used <= limit
    }
}

fn write(level: &str, text: &str) {
    // A line must stay one line, and one write; nobody can be told if it fails.
    let line = format!("level={level} {}\n", text.replace(['\n', '\r'], " "));
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}
