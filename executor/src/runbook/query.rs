//! Checks of PromQL and LogQL texts at load: a query that can't be parsed would only be noticed in
//! the middle of an incident.

use std::ops::Range;

use super::odd;
use super::source::{Findings, Spanned};

/// A `$NAME` or `${NAME}` in a text, with its bytes there.
pub(super) fn placeholders(text: &str) -> Vec<(String, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|it| at + it) {
        let braced = bytes.get(dollar + 1) == Some(&b'{');
        let start = dollar + 1 + usize::from(braced);
        let len = text[start..]
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        let name = &text[start..start + len];
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let closed = !braced || bytes.get(start + len) == Some(&b'}');
        at = start + len + usize::from(braced && closed);
        if is_name && closed {
            found.push((name.to_owned(), dollar..at));
        }
    }
    found
}

/// Checks a trigger's query: it has no placeholders and is PromQL.
pub(super) fn check_trigger(query: &Spanned<String>, findings: &mut Findings<'_>) {
    if let Some((name, _)) = placeholders(&query.value).first() {
        findings.error(
            "placeholder",
            query.span.clone(),
            format!("`${name}` means nothing in a trigger"),
            "a trigger's query is evaluated as it stands",
            "write the window or the name out, for instance `[30s]`",
        );
        return;
    }
    check_promql(&query.value, query.span.clone(), findings);
}

/// Checks that `text`, its placeholders filled in, is PromQL.
pub(super) fn check_promql(text: &str, span: Range<usize>, findings: &mut Findings<'_>) {
    let filled = filled_in(text);
    if let Err(problem) = promql::parse(&filled) {
        if let Some((_, c, odd)) = odd::first(text) {
            let within = findings.within(span, c.encode_utf8(&mut [0; 4]));
            findings.error(
                "promql",
                within,
                format!("this is not PromQL: it holds {}", odd::name(c)),
                odd.name,
                odd.help,
            );
            return;
        }
        // All of it is marked with its quotes.
        let part = filled
            .get(problem.at.clone())
            .filter(|part| part.len() < filled.len())
            .unwrap_or_default();
        findings.error(
            "promql",
            findings.within(span, part),
            format!("this is not PromQL: {problem}"),
            "can't be parsed",
            "try it in Prometheus with `$WINDOW` replaced by `1m`",
        );
    }
}

/// Checks that `text` has the shape of LogQL: a stream selector, brackets that close, a metric if it is to be compared.
pub(super) fn check_logql(text: &str, span: Range<usize>, findings: &mut Findings<'_>) {
    let (filled, mut span) = (filled_in(text), span);
    let duration;
    let problem = if !text.contains('{') {
        Some("it selects no stream, such as `{app=\"web\"}`")
    } else if !brackets_close(text) {
        Some("a bracket or quote is not closed")
    } else if let Err(refused) = promql::check_durations_of_logql(&filled) {
        span = findings.within(span, filled.get(refused.at).unwrap_or_default());
        duration = refused.why;
        Some(duration.as_str())
    } else if !["count_over_time", "rate(", "bytes_over_time", "bytes_rate"]
        .iter()
        .any(|function| text.contains(function))
    {
        Some("it yields lines, not a number to compare")
    } else {
        None
    };
    if let Some(problem) = problem {
        findings.error(
            "logql",
            span,
            format!("this is not a LogQL metric query: {problem}"),
            "can't be used",
            "for instance `sum(count_over_time({app=\"web\", level=\"error\"}[$WINDOW]))`",
        );
    }
}

pub(super) fn filled_in(text: &str) -> String {
    let mut out = text.to_owned();
    for (name, range) in placeholders(text).into_iter().rev() {
        let is_window = name == "WINDOW" || text[..range.start].ends_with('[');
        out.replace_range(range, if is_window { "1m" } else { "x" });
    }
    out
}

fn brackets_close(text: &str) -> bool {
    let mut open = Vec::new();
    let mut strings = promql::Strings::default();
    for c in text.chars() {
        if strings.take(c) {
            continue;
        }
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => return false,
            _ => {}
        }
    }
    !strings.is_open() && open.is_empty()
}
