//! What every page has: head, style, script and policy, and the signs of a verdict.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::verdict::Verdict;

const STYLE: &str = include_str!("style.css");
/// The page's only script. Without it everything can be read, and nothing can be filtered.
pub(super) const SCRIPT: &str = include_str!("script.js");
/// The script's SHA-256 in base64. The policy names it, so that no other script runs.
const SCRIPT_DIGEST: &str = "lV8QBfNxj6ajHAwnyyQ25OWOzbXgbMnAKCNC5Bhd1MY=";

fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{SCRIPT_DIGEST}'; img-src data:; \
         base-uri 'none'; form-action 'none'"
    )
}

/// A whole page. `body` has the landmarks, and its part to skip to is called `main`.
pub(crate) fn document(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) " · Firedrill" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// The top of a page: the verdict in one word, and what it means in a sentence.
pub(crate) fn top(verdict: Verdict, word: &str, sentence: &str, place: &str) -> Markup {
    html! {
        header.top {
            h1 class={ "word " (verdict) } { (glyph(verdict)) " " (word) }
            p.sentence { (sentence) }
            p.where { (place) }
        }
    }
}

/// Links to the parts of a page.
pub(crate) fn index(parts: &[(&str, String)]) -> Markup {
    html! {
        nav.parts aria-label="On this page" {
            ul {
                @for (anchor, words) in parts {
                    li { a href={ "#" (anchor) } { (words) } }
                }
            }
        }
    }
}

/// Questions, each with its answer.
pub(crate) fn answers(rows: &[(&str, Markup)]) -> Markup {
    html! {
        section.card #answers aria-label="In short" {
            dl.answers {
                @for (question, answer) in rows {
                    div { dt { (question) } dd { (answer) } }
                }
            }
        }
    }
}

/// A command that can be copied as a whole.
pub(crate) fn command(text: &str) -> Markup {
    html! { code.command { (text) } }
}

/// A sign beside the word, as colour alone is not for everybody.
pub(crate) fn glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Inconclusive => "?",
        Verdict::Fail => "✕",
    }
}

pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Pass",
        Verdict::Inconclusive => "Inconclusive",
        Verdict::Fail => "Fail",
    }
}

pub(crate) fn badge(verdict: Verdict) -> Markup {
    html! { span class={ "badge " (verdict) } { (glyph(verdict)) " " (verdict) } }
}

/// The text with a capital at its beginning, unless it begins with what has to be written as it is: a path, a key, a
/// name with hyphens, code.
pub(crate) fn capital(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    let word = word.trim_end_matches([',', ';', ':', '.', '!', '?', ')']);
    if word.contains(|c: char| !c.is_alphabetic() && c != '\'') {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// The text as a sentence: with a capital at its beginning and a full stop at its end, unless it has one.
pub(crate) fn sentence(text: &str) -> String {
    let text = capital(text.trim_end());
    if text.ends_with(['.', '!', '?', '…']) {
        text
    } else {
        text + "."
    }
}

/// The text with what stands between backticks as code. A backtick without another one stays.
pub(crate) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    // With an even number of backticks, there is an odd number of parts, and each second one is code.
    let (whole, last) = if parts.len() % 2 == 1 {
        (&parts[..], None)
    } else {
        (&parts[..parts.len() - 1], parts.last())
    };
    html! {
        @for (at, part) in whole.iter().enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
        @if let Some(last) = last { "`" (last) }
    }
}

/// A table that may be wider than a phone. Whoever has no mouse can scroll it.
pub(crate) fn wide(name: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(name) { (table) } }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn a_sentence_ends_once() {
        assert_eq!(sentence("it is late"), "It is late.");
        assert_eq!(sentence("try again later.. "), "Try again later..");
        assert_eq!(sentence("Go on ..."), "Go on ...");
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        let drawn = |text: &str| prose(text).into_string();
        assert_eq!(drawn("a `b<c` d"), "a <code>b&lt;c</code> d");
        assert_eq!(drawn("`a` and `b"), "<code>a</code> and `b");
        assert_eq!(drawn("plain"), "plain");
        assert_eq!(drawn("`"), "`");
    }

    #[test]
    fn an_identifier_is_written_as_it_is() {
        for text in [
            "configmap/gateway-config/RATE_LIMIT was `250`",
            "latency-regression: 15 of 60 pairs",
            "`sla` fired",
            "order_log is gone",
            "node1 is down",
        ] {
            assert_eq!(capital(text), text);
        }
        assert_eq!(capital("one's own: fine"), "One's own: fine");
        assert_eq!(capital("outcome: called"), "Outcome: called");
    }

    #[test]
    fn the_policy_allows_this_script_and_no_other() {
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT));
        assert_eq!(SCRIPT_DIGEST, digest);
        let page = document("x", &html! {});
        // The browser hashes what stands between the tags.
        let text = page.split_once("<script>").expect("one").1;
        assert_eq!(text.split_once("</script>").expect("its end").0, SCRIPT);
    }
}
