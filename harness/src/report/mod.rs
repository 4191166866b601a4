//! Reports: `journal.json`, `junit.xml`, `report.html`, and what the terminal shows.

pub mod html;
pub mod journal;
pub mod junit;
pub mod summary;
pub mod table;
mod write;

pub use write::{WriteError, write_all};

/// Text for XML and HTML, in elements and in quoted attributes. Characters that XML 1.0 does not
/// allow become U+FFFD.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
