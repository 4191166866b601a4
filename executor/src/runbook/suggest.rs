//! Small readers of values, and "did you mean".

use std::time::Duration;

use super::model::{Condition, Operator};

/// The candidate closest to `word`, if it is close enough to be a slip of the pen.
pub(super) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Help for an unknown `word`: the closest candidate, or all of them.
pub(super) fn help(word: &str, candidates: &[&str]) -> String {
    match closest(word, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("known here: {}", list(candidates)),
    }
}

/// `a`, `b`, `c`
pub(super) fn list(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A duration as [`contract::duration::parse`] reads it.
pub(super) fn show(duration: Duration) -> String {
    let ms = duration.as_millis();
    if !ms.is_multiple_of(1_000) {
        format!("{ms}ms")
    } else if ms >= 3_600_000 && ms.is_multiple_of(3_600_000) {
        format!("{}h", ms / 3_600_000)
    } else {
        format!("{}s", ms / 1_000)
    }
}

/// Reads `< 0.0001`, `>= 30000`, `== 0`.
pub(super) fn condition(text: &str) -> Option<Condition> {
    const OPERATORS: [(&str, Operator); 5] = [
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("==", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let text = text.trim();
    let (symbol, operator) = OPERATORS
        .into_iter()
        .find(|(symbol, _)| text.starts_with(symbol))?;
    let number = text[symbol.len()..].trim();
    let plain = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".-+eE".contains(&byte));
    let value: f64 = number.parse().ok()?;
    (plain && value.is_finite()).then_some(Condition { operator, value })
}

/// Whether `text` can be the name of a Kubernetes object and of a step (RFC 1123 label).
pub(super) fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether `text` can be the name of a snapshot: a database's name that needs no quoting in a shell.
pub(super) fn is_snapshot_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 48
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
        })
}
