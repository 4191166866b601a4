//! What a program outside claims by how it ended: its exit code, its last words, and the report that it may have
//! written.

use contract::wire::{Body, Line, OutcomeKind, ReportLine};
use executor::ErrorKind;
use jiff::Timestamp;

use super::host::Failed;
use crate::worlds::recording::Ended;

/// How it ended, in words.
pub(in crate::worlds) fn in_words(ended: &Ended) -> String {
    let how = match ended.code {
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    };
    let words = last_words(ended).map_or_else(String::new, |words| format!(": {words}"));
    let missing = if ended.incomplete {
        "; not all that it wrote is kept"
    } else {
        ""
    };
    format!("{how}{words}{missing}")
}

/// The last line on its standard error that says something.
fn last_words(ended: &Ended) -> Option<&String> {
    ended.errors.iter().rev().find(|line| !line.is_empty())
}

/// What it says of a rollback that it began at `began` and ended at `now`: the report that it wrote, or else its exit
/// code.
///
/// # Errors
/// A signal ended it.
pub(in crate::worlds) fn report(
    began: Timestamp,
    now: Timestamp,
    ended: &Ended,
) -> Result<ReportLine, Failed> {
    let mut lines = ended.output.iter().rev();
    let written = lines.find_map(|line| match serde_json::from_str::<Line>(line).ok()?.body {
        Body::Report(report) => Some(report),
        _ => None,
    });
    if let Some(report) = written {
        return Ok(report);
    }
    let Some(code) = ended.code else {
        return Err(Failed::Executor {
            message: "a signal ended the program".to_owned(),
            kind: ErrorKind::Other,
        });
    };
    let recovered = code == 0;
    let reason = last_words(ended).cloned();
    let reason = reason.unwrap_or_else(|| format!("exit code {code}"));
    let since = ended.recovered_at.as_ref();
    let since = since.and_then(|text| text.trim().parse().ok());
    Ok(ReportLine {
        outcome: if recovered {
            OutcomeKind::Recovered
        } else {
            OutcomeKind::Escalated
        },
        reason: (!recovered).then_some(reason),
        path: None,
        trigger: None,
        started_at: began,
        // Whoever does not say since when, says so for the instant of its end.
        recovered_at: recovered.then(|| since.unwrap_or(now)),
        standing: None,
        rto_claimed_ms: None,
        steps: Vec::new(),
        evidence_dir: String::new(),
        files: Vec::new(),
        notes: Vec::new(),
        resume: None,
        exit_code: u8::try_from(code).unwrap_or(u8::MAX),
    })
}

/// What is wrong with a program that never ended.
pub(in crate::worlds) fn overdue(phase: &str) -> Failed {
    Failed::Harness(format!(
        "the program was killed in `{phase}`: it asked for nothing and did not end for as long as it may by the wall \
         clock (`--executor-timeout`). The world's clock stands still while a program neither asks nor waits by the \
         `sleep` of its PATH. For a program that keeps time by itself, add `--pace 10`; for one that computes so long, \
         raise `--executor-timeout`"
    ))
}

/// What is wrong with a program whose `prepare` failed, if it did.
pub(in crate::worlds) fn prepared(ended: &Ended) -> Result<(), Failed> {
    match ended.code {
        Some(0) => Ok(()),
        _ => Err(Failed::Executor {
            message: in_words(ended),
            kind: ErrorKind::Other,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: Option<i32>) -> Ended {
        Ended {
            code,
            errors: vec!["no such pod".to_owned(), String::new()],
            ..Ended::default()
        }
    }

    fn said(ended: &Ended) -> Result<ReportLine, Failed> {
        let began = Timestamp::UNIX_EPOCH;
        report(began, began + jiff::SignedDuration::from_secs(60), ended)
    }

    #[test]
    fn the_exit_code_claims_a_recovery_or_calls_a_person() {
        let claims = said(&ended(Some(0))).expect("a report");
        assert_eq!(claims.outcome, OutcomeKind::Recovered);
        let end = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(60);
        assert_eq!(claims.recovered_at, Some(end));
        let since = Ended {
            recovered_at: Some("1970-01-01T00:00:30Z\n".to_owned()),
            ..ended(Some(0))
        };
        let since = said(&since).expect("a report").recovered_at;
        assert_eq!(since.map(|it| it.as_second()), Some(30));
        let calls = said(&ended(Some(3))).expect("a report");
        assert_eq!(calls.outcome, OutcomeKind::Escalated);
        assert_eq!(calls.reason.as_deref(), Some("no such pod"));
        assert!(said(&ended(None)).is_err());
        assert_eq!(in_words(&ended(None)), "ended by a signal: no such pod");
        let wordy = Ended {
            incomplete: true,
            ..ended(Some(0))
        };
        assert_eq!(
            in_words(&wordy),
            "exit code 0: no such pod; not all that it wrote is kept"
        );
    }

    #[test]
    fn a_preparation_that_fails_is_an_error() {
        assert!(prepared(&ended(Some(0))).is_ok());
        assert!(prepared(&ended(Some(1))).is_err());
    }
}
