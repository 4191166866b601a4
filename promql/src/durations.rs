//! The durations of a query, found in its text: what stands in brackets and after `offset`.

use std::ops::Range;

use super::{DURATION_MS_MAX, Refused};

/// Units in the order in which a duration gives them, with their milliseconds
/// (<https://prometheus.io/docs/prometheus/latest/querying/basics/#float-literals-and-time-durations>).
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A piece of a query that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// A number, a duration, a name, a keyword.
    Word,
    /// Any other character.
    Sign(char),
}

/// Whose durations they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// With units, or a number of seconds.
    PromQl,
    /// With units as Prometheus has them, or as Go has them, with decimals.
    LogQl,
}

/// Checks every duration of `text`.
pub(crate) fn check(text: &str, language: Language) -> Result<(), Refused> {
    let tokens = tokens(text);
    let mut in_brackets = false;
    for (index, (token, at)) in tokens.iter().enumerate() {
        match token {
            Token::Sign('[') => in_brackets = true,
            Token::Sign(']') => in_brackets = false,
            Token::Sign(_) => {}
            Token::Word if in_brackets => duration(text, at, language)?,
            Token::Word if text[at.clone()].eq_ignore_ascii_case("offset") => {
                let mut rest = tokens[index + 1..].iter();
                let mut next = rest.next();
                if let Some((Token::Sign('+' | '-'), _)) = next {
                    next = rest.next();
                }
                // Whatever else follows makes `offset` a name, or no query.
                if let Some((Token::Word, at)) = next
                    && is_number(&text[at.clone()])
                {
                    duration(text, at, language)?;
                }
            }
            Token::Word => {}
        }
    }
    Ok(())
}

/// Whether the parser takes `word` for a number or a duration. It reads keywords without regard to case,
/// by Unicode's rules.
fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || matches!(word.to_lowercase().as_str(), "inf" | "nan")
}

/// The pieces of `text`, without blanks, comments and strings.
fn tokens(text: &str) -> Vec<(Token, Range<usize>)> {
    let mut found = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        match c {
            '"' | '\'' | '`' => {
                let mut escaped = false;
                for (_, inner) in chars.by_ref() {
                    if escaped {
                        escaped = false;
                    } else if inner == '\\' && c != '`' {
                        escaped = true;
                    } else if inner == c {
                        break;
                    }
                }
            }
            '#' => while chars.next_if(|(_, inner)| *inner != '\n').is_some() {},
            c if c.is_whitespace() => {}
            c if in_word(c) => {
                let mut end = start + c.len_utf8();
                let mut last = c;
                let number = c.is_ascii_digit() || c == '.';
                // The sign of an exponent belongs to the number.
                while let Some((at, next)) = chars.next_if(|(_, next)| {
                    in_word(*next)
                        || (number && matches!(last, 'e' | 'E') && matches!(next, '+' | '-'))
                }) {
                    end = at + next.len_utf8();
                    last = next;
                }
                found.push((Token::Word, start..end));
            }
            c => found.push((Token::Sign(c), start..start + c.len_utf8())),
        }
    }
    found
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// Checks that `text[at]` is a duration of `language`.
fn duration(text: &str, at: &Range<usize>, language: Language) -> Result<(), Refused> {
    let word = &text[at.clone()];
    let refused = |what: &str| Refused {
        at: at.clone(),
        why: format!("the duration `{word}` {what}"),
    };
    // PromQL's parser reads each number as one of 32 bits, and takes a larger one for nothing.
    let (number_max, otherwise): (u64, fn(&str) -> Option<f64>) = match language {
        Language::PromQl => (u32::MAX.into(), seconds),
        Language::LogQl => (u64::MAX, of_go),
    };
    let ms = match with_units(word, number_max) {
        Some(ms) => ms,
        None => match otherwise(word) {
            Some(seconds) if seconds > 0.0 => Some(((seconds * 1_000.0) as u64).max(1)),
            Some(_) => Some(0),
            None => return Err(refused("is none: write for instance `1m30s`")),
        },
    };
    match ms {
        Some(0) => Err(refused("must be greater than nothing")),
        Some(ms) if ms <= DURATION_MS_MAX => Ok(()),
        None | Some(_) => Err(refused("is out of range: at most 292 years")),
    }
}

/// Milliseconds of a duration as Prometheus writes it (`1h30m`, `15s`, `250ms`): units in falling order, each at most
/// once. `None` if it is not of this form, or more than an `i64` holds.
#[must_use]
pub fn duration_ms(text: &str) -> Option<i64> {
    let ms = with_units(text, u64::MAX).flatten()?;
    i64::try_from(ms).ok()
}

/// The milliseconds of a duration with units, `Some(None)` if they are too many; `None` if it is not of this form.
#[expect(clippy::option_option, reason = "no form and no value are two things")]
fn with_units(word: &str, number_max: u64) -> Option<Option<u64>> {
    let mut rest = word;
    let mut next_unit = 0;
    let mut total = Some(0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let unit_end = rest[digits..]
            .find(|c: char| !c.is_ascii_lowercase())
            .map_or(rest.len(), |end| digits + end);
        let (number, unit) = (&rest[..digits], &rest[digits..unit_end]);
        let index = UNITS.iter().position(|(name, _)| *name == unit)?;
        if number.is_empty() || index < next_unit {
            return None;
        }
        next_unit = index + 1;
        let number = number.parse::<u64>().ok().filter(|it| *it <= number_max);
        let part = number.and_then(|number| number.checked_mul(UNITS[index].1));
        total = total
            .zip(part)
            .and_then(|(total, part)| total.checked_add(part));
        rest = &rest[unit_end..];
    }
    (next_unit > 0).then_some(total)
}

/// A number of seconds, decimal or hexadecimal, neither infinite nor negative.
fn seconds(word: &str) -> Option<f64> {
    if !word.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let hexadecimal = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(|n| n as f64),
        None => word.parse().ok(),
    }
}

/// The seconds of a duration as Go's `time.ParseDuration` reads it, which Loki tries last: decimals, and units in any
/// order.
fn of_go(word: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 6] = [
        ("h", 3_600.0),
        ("m", 60.0),
        ("s", 1.0),
        ("ms", 1e-3),
        ("us", 1e-6),
        ("ns", 1e-9),
    ];
    let mut rest = word;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit_end = rest[digits..]
            .find(|c: char| !c.is_ascii_lowercase())
            .map_or(rest.len(), |end| digits + end);
        let (_, seconds) = UNITS
            .iter()
            .find(|(name, _)| *name == &rest[digits..unit_end])?;
        total += rest[..digits].parse::<f64>().ok()? * seconds;
        rest = &rest[unit_end..];
    }
    (!word.is_empty()).then_some(total)
}
