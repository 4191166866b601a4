//! The attributes of a step: one flat JSON object after the fence's language, as Runme writes it, with the
//! place of every key and value.

use std::ops::Range;

use super::odd;
use super::source::{Findings, Spanned};

/// A key and its value; `is_text` tells a JSON string from a number or a word.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) key: Spanned<String>,
    pub(super) value: Spanned<String>,
    pub(super) is_text: bool,
}

const HELP: &str = "attributes are flat JSON: `{\"name\":\"undo-app\",\"rb.timeout\":\"60s\"}`";

/// Reads the attributes in `text[range]`. `None`: they aren't flat JSON, and the findings say where.
pub(super) fn read(
    text: &str,
    range: Range<usize>,
    findings: &mut Findings<'_>,
) -> Option<Vec<Attribute>> {
    let mut scanner = Scanner {
        text,
        at: range.start,
        end: range.end,
    };
    match scanner.object() {
        Ok(attributes) => Some(attributes),
        Err((span, message)) => {
            findings.error("attributes-json", span, message, "here", HELP);
            None
        }
    }
}

type Failure = (Range<usize>, String);

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    end: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..self.end].chars().next()
    }

    fn space(&mut self) {
        // The blanks of JSON, and no others.
        while let Some(c) = self
            .peek()
            .filter(|c| matches!(c, ' ' | '\t' | '\r' | '\n'))
        {
            self.at += c.len_utf8();
        }
    }

    fn fail<T>(&self, wanted: &str) -> Result<T, Failure> {
        let (len, got) = match self.peek() {
            Some(c) => (c.len_utf8(), odd::name(c)),
            None => (0, "the end of the line".to_owned()),
        };
        Err((
            self.at..self.at + len,
            format!("the attributes are not flat JSON: expected {wanted}, found {got}"),
        ))
    }

    fn expect(&mut self, wanted: char) -> Result<(), Failure> {
        self.space();
        if self.peek() == Some(wanted) {
            self.at += wanted.len_utf8();
            return Ok(());
        }
        self.fail(&format!("`{wanted}`"))
    }

    fn object(&mut self) -> Result<Vec<Attribute>, Failure> {
        let mut attributes = Vec::new();
        self.expect('{')?;
        self.space();
        if self.peek() == Some('}') {
            self.at += 1;
        } else {
            loop {
                self.space();
                if self.peek() != Some('"') {
                    return self.fail("a key in double quotes");
                }
                let key = self.string()?;
                self.expect(':')?;
                self.space();
                let (value, is_text) = self.value()?;
                attributes.push(Attribute {
                    key,
                    value,
                    is_text,
                });
                self.space();
                match self.peek() {
                    Some(',') => self.at += 1,
                    Some('}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.fail("`,` or `}`"),
                }
            }
        }
        self.space();
        if self.at < self.end {
            return self.fail("nothing after `}`");
        }
        Ok(attributes)
    }

    fn string(&mut self) -> Result<Spanned<String>, Failure> {
        let start = self.at;
        let mut escaped = false;
        for (offset, c) in self.text[start..self.end].char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.at = start + offset + 1;
                    let span = start..self.at;
                    return match serde_json::from_str(&self.text[span.clone()]) {
                        Ok(value) => Ok(Spanned::new(value, span)),
                        Err(error) => {
                            Err((span, format!("the attributes are not flat JSON: {error}")))
                        }
                    };
                }
                _ => {}
            }
        }
        Err((
            start..self.end,
            "the attributes are not flat JSON: this quote is never closed".to_owned(),
        ))
    }

    fn value(&mut self) -> Result<(Spanned<String>, bool), Failure> {
        match self.peek() {
            Some('"') => Ok((self.string()?, true)),
            Some('{' | '[') => self.fail("a single value (they are flat)"),
            _ => {
                let start = self.at;
                while let Some(c) = self
                    .peek()
                    .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
                {
                    self.at += c.len_utf8();
                }
                if start == self.at {
                    return self.fail("a value");
                }
                let span = start..self.at;
                let word = &self.text[span.clone()];
                if serde_json::from_str::<serde_json::Value>(word).is_err() {
                    return Err((
                        span,
                        format!(
                            "the attributes are not flat JSON: `{word}` is not a value (quote it)"
                        ),
                    ));
                }
                Ok((Spanned::new(word.to_owned(), span), false))
            }
        }
    }
}
