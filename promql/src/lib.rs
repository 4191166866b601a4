//! PromQL texts, parsed by `promql-parser` after a check of what that parser can't take.
//!
//! The parser turns numbers into durations by `Duration::from_secs_f64`, which panics on a negative, infinite or large
//! number and on one that is none; it also drops a part of a duration that is too large, without a word, and recurses
//! on nested expressions. [`parse`] is the only place of the workspace that calls it (`clippy.toml` bans the others).

mod durations;
mod parts;
mod strings;

use std::ops::Range;

pub use durations::duration_ms;
pub use parts::{selectors, walk};
pub use promql_parser::label;
pub use promql_parser::parser::{ast, value};
pub use strings::Strings;

/// Most opening brackets and signs in one query. The parser and whatever walks its tree recurse on them.
pub const NESTING_MAX: usize = 200;

/// Longest duration, in milliseconds: what a Go `time.Duration` holds, some 292 years. Prometheus answers
/// `duration out of range` beyond it (`promql/parser/generated_parser.y`, `common/model/time.go`).
pub const DURATION_MS_MAX: u64 = i64::MAX as u64 / 1_000_000;

/// Why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// The bytes of the text that are meant; the whole text if the parser does not say.
    pub at: Range<usize>,
    /// What is wrong, without a line break.
    pub why: String,
}

/// Reads a query.
///
/// # Errors
/// [`Refused`]: it is no PromQL, nested too deeply, or holds a duration that can't be one.
pub fn parse(text: &str) -> Result<ast::Expr, Refused> {
    let nesting = text.bytes().filter(|byte| b"([{-+".contains(byte)).count();
    if nesting > NESTING_MAX {
        return Err(Refused {
            at: 0..text.len(),
            why: "it is nested too deeply".to_owned(),
        });
    }
    durations::check(text, durations::Language::PromQl)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "its durations and its depth are checked above"
    )]
    let parsed = promql_parser::parser::parse(text);
    parsed.map_err(|error| Refused {
        at: 0..text.len(),
        why: error.lines().next().unwrap_or_default().trim().to_owned(),
    })
}

/// Checks the durations of a LogQL text, before anything parses it.
///
/// # Errors
/// [`Refused`]: one of them is no duration, or too long for whoever reads it.
pub fn check_durations_of_logql(text: &str) -> Result<(), Refused> {
    durations::check(text, durations::Language::LogQl)
}

/// The example of the README is compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
