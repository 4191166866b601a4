//! Splits a command into words as a shell does: quotes, backslashes, continued lines, comments. What a shell
//! would do beyond that (pipes, redirections, substitutions, a second command) is refused. One pipe is known:
//! from an endpoint to `grep`, by which a person finds a counter on a long page.

use std::ops::Range;

use super::odd;
use super::source::{Findings, Spanned};

/// Splits `text[range]`. `None`: nothing usable in it, and the findings say why.
pub(super) fn split(
    text: &str,
    range: Range<usize>,
    findings: &mut Findings<'_>,
) -> Option<Vec<Spanned<String>>> {
    let before = findings.error_count();
    let mut splitter = Splitter {
        text,
        at: range.start,
        end: range.end,
        words: Vec::new(),
    };
    let outcome = splitter.run();
    let words = splitter.words;
    if let Err((code, span, message, label, help)) = outcome {
        findings.error(code, span, message, label, help);
    } else if words.is_empty() {
        findings.error(
            "command-missing",
            range.start..range.start,
            "this block holds no command",
            "empty",
            "write one command, or remove the block",
        );
    } else if words[0].value == "$" {
        findings.error(
            "command-prompt",
            words[0].span.clone(),
            "this is a prompt, not a command",
            "remove it",
            "write the command without the `$ ` in front",
        );
    }
    (findings.error_count() == before).then_some(words)
}

type Failure = (
    &'static str,
    Range<usize>,
    String,
    &'static str,
    &'static str,
);

const SHELL_HELP: &str = "a step is one plain command; the executor runs no shell. Quote the character if it belongs to an argument";

struct Splitter<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    words: Vec<Spanned<String>>,
}

impl Splitter<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..self.end].chars().next()
    }

    fn rest(&self) -> &str {
        &self.text[self.at..self.end]
    }

    /// Length of a backslash with the line end after it, if that is what comes.
    fn continuation(&self) -> Option<usize> {
        if self.rest().starts_with("\\\n") {
            Some(2)
        } else if self.rest().starts_with("\\\r\n") {
            Some(3)
        } else {
            None
        }
    }

    fn run(&mut self) -> Result<(), Failure> {
        // Whether a line has ended since the last word.
        let mut line_ended = false;
        loop {
            if let Some(len) = self.continuation() {
                self.at += len;
                continue;
            }
            self.plain()?;
            match self.peek() {
                None => return Ok(()),
                Some('\n') => {
                    line_ended = true;
                    self.at += 1;
                }
                Some(c) if c.is_whitespace() => self.at += c.len_utf8(),
                Some('#') => {
                    self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                }
                Some(_) => {
                    if line_ended && !self.words.is_empty() {
                        let len = self.rest().find('\n').unwrap_or(self.rest().len());
                        let len = self.rest()[..len].trim_end().len();
                        return Err((
                            "command-second",
                            self.at..self.at + len,
                            "a second command in one block".to_owned(),
                            "begins here",
                            "give it a block of its own; a long command goes on after a backslash at the line's end",
                        ));
                    }
                    self.word()?;
                    line_ended = false;
                }
            }
        }
    }

    fn word(&mut self) -> Result<(), Failure> {
        let start = self.at;
        let mut word = String::new();
        while let Some(c) = self.peek() {
            self.plain()?;
            if c.is_whitespace() || self.continuation().is_some() {
                break;
            }
            match c {
                '\'' | '"' => self.quoted(c, &mut word)?,
                '\\' => {
                    self.goes_on()?;
                    self.at += 1;
                    if let Some(escaped) = self.peek() {
                        word.push(escaped);
                        self.at += escaped.len_utf8();
                    }
                }
                '|' if word.is_empty() && self.finds_on_a_page() => {
                    word.push(c);
                    self.at += 1;
                    break;
                }
                '|' | '&' | ';' | '<' | '>' | '`' | '(' | ')' => {
                    return Err((
                        "command-shell",
                        self.at..self.at + 1,
                        format!("`{c}` would need a shell"),
                        "not understood",
                        SHELL_HELP,
                    ));
                }
                '$' if self.rest().starts_with("$(") => {
                    return Err((
                        "command-shell",
                        self.at..self.at + 2,
                        "`$(` would need a shell".to_owned(),
                        "not understood",
                        SHELL_HELP,
                    ));
                }
                _ => {
                    word.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        self.words.push(Spanned::new(word, start..self.at));
        Ok(())
    }

    /// Refuses a character that is not what it looks like.
    fn plain(&self) -> Result<(), Failure> {
        match self.peek().and_then(|c| Some((c, odd::of(c)?))) {
            Some((c, odd)) => Err((
                "command-character",
                self.at..self.at + c.len_utf8(),
                format!("{} in a command", odd::name(c)),
                odd.name,
                odd.help,
            )),
            None => Ok(()),
        }
    }

    /// Refuses blanks between a backslash, which comes next, and the end of its line: to a shell, the backslash is then
    /// about the blank.
    fn goes_on(&self) -> Result<(), Failure> {
        let line = self.rest().split_inclusive('\n').next().unwrap_or_default();
        if line.ends_with('\n') && line[1..].trim().is_empty() {
            return Err((
                "command-continuation",
                self.at + 1..self.at + line.trim_end_matches(['\r', '\n']).len(),
                "a blank after the backslash: the command doesn't go on in the next line"
                    .to_owned(),
                "a blank here",
                "remove it, so that the backslash is the last character of its line",
            ));
        }
        Ok(())
    }

    /// Whether this is the pipe of `kubectl get --raw PATH | grep SERIES`.
    fn finds_on_a_page(&self) -> bool {
        let begins: Vec<&str> = self.words.iter().map(|it| it.value.as_str()).collect();
        matches!(begins.as_slice(), ["kubectl", "get", "--raw", _])
            && self.rest().starts_with("| grep ")
    }

    fn quoted(&mut self, quote: char, word: &mut String) -> Result<(), Failure> {
        let start = self.at;
        self.at += 1;
        while let Some(c) = self.peek() {
            if odd::of(c).is_some_and(|odd| odd.is_blank) {
                self.plain()?;
            }
            self.at += c.len_utf8();
            if c == quote {
                return Ok(());
            }
            let next = self.peek();
            if c == '\\' && quote == '"' && matches!(next, Some('"' | '\\' | '$' | '`')) {
                word.extend(next);
                self.at += 1;
            } else {
                word.push(c);
            }
        }
        Err((
            "command-quote",
            start..start + 1,
            format!("the quote {quote} is never closed"),
            "opened here",
            "close it on the same command",
        ))
    }
}
