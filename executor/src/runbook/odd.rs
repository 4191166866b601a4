//! Characters that look like others or like nothing. Word processors, chats and web pages put them in the place of what
//! was typed.

/// A character that is not what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Odd {
    /// What people call it, with its article.
    pub(super) name: &'static str,
    /// What to do about it.
    pub(super) help: &'static str,
    /// Whether nobody can see it, or only as a blank: it is meant nowhere, not even within quotes.
    pub(super) is_blank: bool,
}

const fn seen(name: &'static str, help: &'static str) -> Odd {
    Odd {
        name,
        help,
        is_blank: false,
    }
}

const fn blank(name: &'static str, help: &'static str) -> Odd {
    Odd {
        name,
        help,
        is_blank: true,
    }
}

const DASH: &str = "type `-`, or `--` before a long flag: word processors and chats change them";
const HYPHEN: &str = "type `-`: word processors and chats change it";
const SINGLE: &str = "type `'`: word processors and chats change it";
const DOUBLE: &str = "type `\"`: word processors and chats change it";
const SPACE: &str =
    "type a plain space: it looks the same, and a shell takes it for a part of the word";
const INVISIBLE: &str = "remove it: it can't be seen, and a shell takes it for a part of the word";

/// What is odd about `c`.
pub(super) fn of(c: char) -> Option<Odd> {
    Some(match c {
        '\u{2010}' => seen("a typographic hyphen", HYPHEN),
        '\u{2011}' => seen("a non-breaking hyphen", HYPHEN),
        '\u{2012}' => seen("a figure dash", DASH),
        '\u{2013}' => seen("an en dash", DASH),
        '\u{2014}' => seen("an em dash", DASH),
        '\u{2015}' => seen("a horizontal bar", DASH),
        '\u{2212}' => seen("a minus sign", HYPHEN),
        '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => seen("a hyphen of another width", HYPHEN),
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' => seen("a curly quotation mark", SINGLE),
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' => seen("a curly quotation mark", DOUBLE),
        '\u{a0}' => blank("a non-breaking space", SPACE),
        '\u{202f}' => blank("a narrow non-breaking space", SPACE),
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}' => {
            blank("a space of another width", SPACE)
        }
        '\u{85}' | '\u{2028}' | '\u{2029}' => blank("a line end of another kind", SPACE),
        '\u{ad}' => blank("a soft hyphen", INVISIBLE),
        '\u{200b}' => blank("a zero-width space", INVISIBLE),
        '\u{200c}' | '\u{200d}' => blank("a zero-width joiner", INVISIBLE),
        '\u{2060}' => blank("a word joiner", INVISIBLE),
        '\u{feff}' => blank("a byte order mark", INVISIBLE),
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            blank("a mark of the writing's direction", INVISIBLE)
        }
        _ => return None,
    })
}

/// The name of `c` with its number, such as `an en dash (U+2013)`; the character itself if there is nothing odd about
/// it.
pub(super) fn name(c: char) -> String {
    match of(c) {
        Some(odd) => format!("{} (U+{:04X})", odd.name, u32::from(c)),
        None => format!("`{c}`"),
    }
}

/// The first odd character of `text`, with its place.
pub(super) fn first(text: &str) -> Option<(usize, char, Odd)> {
    text.char_indices()
        .find_map(|(at, c)| Some((at, c, of(c)?)))
}
