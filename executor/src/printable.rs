//! Text for a terminal: what would steer it, or show a text in another order than it stands in, is written out instead.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every character that is not for reading written as `\u{…}`, its number in hexadecimal.
/// Line feeds and tabs stay.
///
/// Written out are control characters (C0 but those two, DEL, C1), whose sequences set a terminal's title, its
/// clipboard and its colours or hide text; the controls of bidirectional text (Unicode Standard Annex 9), which show
/// `moc.live` for `evil.com`; and line and paragraph separators.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_steering) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(clean);
    for c in rest.chars() {
        if is_steering(c) {
            // Writing to a string can't fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_steering(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// [`printable`] but for the sequences of `own`, which the program itself has put into `text`:
/// the colours of its styles.
#[must_use]
pub fn printable_but(text: &str, own: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&printable(&rest[..at]));
        rest = &rest[at..];
        let known = own.iter().find(|sequence| rest.starts_with(**sequence));
        let length = known.map_or(1, |sequence| sequence.len());
        match known {
            Some(sequence) => out.push_str(sequence),
            None => out.push_str(&printable(&rest[..1])),
        }
        rest = &rest[length..];
    }
    out.push_str(&printable(rest));
    out
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{printable, printable_but};

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        for (text, shown) in [
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m\u{7f}\r\u{8}", "\\u{9b}31m\\u{7f}\\u{d}\\u{8}"),
            (
                "a\u{202e}b\u{2066}c\u{200f}",
                "a\\u{202e}b\\u{2066}c\\u{200f}",
            ),
            ("a\u{2028}b", "a\\u{2028}b"),
        ] {
            assert_eq!(printable(text), shown);
        }
        let plain = "ä\n\tδ → 漢";
        assert!(matches!(printable(plain), Cow::Borrowed(same) if same == plain));
    }

    #[test]
    fn only_the_own_sequences_pass() {
        let own = ["\u{1b}[31m", "\u{1b}[0m"];
        let text = "\u{1b}[31mred\u{1b}[0m \u{1b}[8mhidden\u{1b}]52;c;x\u{7}\u{1b}";
        let shown = "\u{1b}[31mred\u{1b}[0m \\u{1b}[8mhidden\\u{1b}]52;c;x\\u{7}\\u{1b}";
        assert_eq!(printable_but(text, &own), shown);
    }
}
