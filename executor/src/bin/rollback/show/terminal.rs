//! The edge to the terminal: nothing passes that could steer it, but for the colours of this program's own styles.

use std::io::Write as _;

use executor::printable_but;

/// What the styles of `lines` and `live` write: bold, red, green, yellow, grey, and their end.
const OWN: [&str; 6] = [
    "\u{1b}[1m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[90m",
    "\u{1b}[0m",
];

/// `text` as it may reach the terminal.
pub(crate) fn shown(text: &str) -> String {
    printable_but(text, &OWN)
}

/// To standard output, with a line feed. A terminal or a pipe that is gone stops nothing that is under way.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stdout(), "{}", shown(text));
}

/// To standard error, with a line feed; see [`say`].
pub(crate) fn complain(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", shown(text));
}

#[cfg(test)]
mod tests {
    use super::super::lines::{BAD, DIM, GOOD};
    use super::super::live::{BOLD, WARN};
    use super::{OWN, shown};

    #[test]
    fn only_the_own_styles_pass() {
        let mut written = Vec::new();
        for style in [BOLD, BAD, GOOD, WARN, DIM] {
            written.extend([format!("{style}"), format!("{style:#}")]);
        }
        written.sort();
        written.dedup();
        let mut own = OWN.map(str::to_owned);
        own.sort();
        assert_eq!(written, own);
        assert_eq!(
            shown("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}\u{202e}"),
            "\u{1b}[31mred\u{1b}[0m \\u{1b}]0;title\\u{7}\\u{202e}"
        );
    }
}
