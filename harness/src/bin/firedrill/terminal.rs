//! Writing to the terminal. A closed pipe ends the output, not the program.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use firedrill::verdict::Verdict;

/// To standard output.
pub(crate) fn say(text: &str) {
    // Nobody reads any more: there is nobody to tell, either.
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// To standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// `text` in the colour of `verdict`; colours are dropped where they are not wanted.
pub(crate) fn coloured(verdict: Verdict, text: &str) -> String {
    let colour = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Inconclusive => AnsiColor::Yellow,
        Verdict::Fail => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(colour.into())).bold();
    format!("{style}{text}{style:#}")
}
