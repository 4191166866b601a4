//! Writing to the terminal: the only place of this program that does. A closed pipe ends the output, not the program;
//! any other error of standard output is remembered, and [`unwritten`] tells it at the end.
//!
//! Nothing that steers a terminal passes, wherever the text comes from: [`executor::printable`] writes it out.
//! Colours are put around a text after that.

use std::borrow::Cow;
use std::io::{ErrorKind, Write as _};
use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use executor::printable;
use firedrill::token::{AtHand, Replays};
use firedrill::verdict::Verdict;
use miette::{GraphicalReportHandler, GraphicalTheme, Report};

use crate::snippets;

/// The first error of standard output that is not a closed pipe.
static UNWRITTEN: Mutex<Option<String>> = Mutex::new(None);

/// The variable in which `cargo xtask` says how it was called, so that commands that are printed can be pasted.
const CALLED_AS: &str = "FIREDRILL_CALLED_AS";

/// How this program was called, in words that can be pasted: `cargo xtask`, or its own name.
pub(crate) fn called() -> String {
    let called = std::env::var(CALLED_AS).ok();
    called
        .filter(|it| !it.is_empty())
        .unwrap_or_else(|| "firedrill".to_owned())
}

/// How the terminal writes replay commands: as this program was called, and with the paths of the files that are
/// at hand beside a token where it need not hold what is in them.
pub(crate) fn replays(at_hand: AtHand) -> Replays {
    Replays {
        at_hand,
        ..Replays::default()
    }
}

/// To standard output.
pub(crate) fn say(text: &str) {
    write(&printable(text));
}

/// To standard output, in the colour of `verdict`; colours are dropped where they are not wanted.
pub(crate) fn say_coloured(verdict: Verdict, text: &str) {
    let colour = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Inconclusive => AnsiColor::Yellow,
        Verdict::Fail => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(colour.into())).bold();
    write(&format!("{style}{}{style:#}", printable(text)));
}

/// To standard output as it is: a script for a shell.
pub(crate) fn say_raw(script: &[u8]) {
    let mut out = std::io::stdout().lock();
    note(out.write_all(script).and_then(|()| out.flush()));
}

/// To standard output, as JSON.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(mut text) => {
            text.push('\n');
            say_raw(without_steering(&text).as_bytes());
        }
        // What this program shows has keys that are strings and no value that fails.
        Err(error) => complain(&format!("error: this can't be written as JSON: {error}")),
    }
}

/// JSON with what steers a terminal written as JSON's own escapes: it can stand in strings only.
fn without_steering(json: &str) -> Cow<'_, str> {
    if matches!(printable(json), Cow::Borrowed(_)) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        let mut bytes = [0; 4];
        if matches!(printable(c.encode_utf8(&mut bytes)), Cow::Borrowed(_)) {
            out.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    Cow::Owned(out)
}

/// To standard error.
pub(crate) fn complain(text: &str) {
    // There is nobody else to tell.
    let _ = writeln!(anstream::stderr(), "{}", printable(text));
}

/// A mistake in a file, with the place in it, to standard error. It is coloured only if nothing in it steers a
/// terminal, since a colour of ours can't be told from one of the file's.
pub(crate) fn complain_of(report: &Report) {
    if let Some(plain) = snippets::without(report.as_ref()) {
        return complain(&plain);
    }
    let mut plain = String::new();
    let width = 100;
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
    let drawn = handler
        .with_width(width)
        .render_report(&mut plain, report.as_ref());
    if drawn.is_err() {
        plain = report.to_string();
    }
    let shown = printable(&plain);
    if shown == plain {
        let _ = writeln!(anstream::stderr(), "{report:?}");
    } else {
        let _ = writeln!(anstream::stderr(), "{shown}");
    }
}

/// Why standard output did not take everything, unless its reader went away.
pub(crate) fn unwritten() -> Option<String> {
    UNWRITTEN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
}

fn write(text: &str) {
    let mut out = anstream::stdout();
    note(writeln!(out, "{text}").and_then(|()| out.flush()));
}

fn note(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let mut unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        unwritten.get_or_insert_with(|| error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::without_steering;

    #[test]
    fn json_on_a_terminal_steers_nothing_and_says_the_same() {
        let said = "a\u{9b}31mb\u{202e}c\u{7f} ä";
        let json = serde_json::to_string(said).expect("a string");
        let shown = without_steering(&json);
        assert!(
            shown.is_ascii() || !shown.contains(['\u{9b}', '\u{202e}', '\u{7f}']),
            "{shown}"
        );
        let read: String = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(read, said);
    }
}
