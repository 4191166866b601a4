//! Positions in the text of a runbook, and the mistakes that are found there.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode, SourceSpan};

/// Line and column (in characters) of a byte offset, both from 1.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Digest of a text: FNV-1a over its bytes with 128 bits, in hexadecimal. It names a version of the
/// runbook; it's no protection against somebody who wants a collision.
pub(super) fn digest(text: &str) -> String {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = text.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    });
    format!("{hash:032x}")
}

/// One thing that is wrong (or, as a warning, unwise) in a runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Stable name of the kind of mistake, for instance `unknown-flag`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What the marked place is, in a few words.
    pub label: String,
    /// What to do about it.
    pub help: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Bytes of the document that are meant.
    pub span: Range<usize>,
    /// Whether the runbook loads all the same.
    pub is_warning: bool,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("runbook::{}", self.code)))
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.is_warning {
            Severity::Warning
        } else {
            Severity::Error
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = SourceSpan::from((self.span.start, self.span.len()));
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            Some(self.label.clone()),
            span,
        ))))
    }
}

/// Why a runbook was refused: all its mistakes, in the order of the text. As a miette `Diagnostic` it
/// carries the text, so that each mistake is shown at its place; [`RunbookErrors::plain`] does without a terminal.
#[derive(Clone, Debug)]
pub struct RunbookErrors {
    name: String,
    source: Arc<NamedSource<String>>,
    mistakes: Vec<Mistake>,
}

impl RunbookErrors {
    pub(super) fn new(name: &str, text: &str, mistakes: Vec<Mistake>) -> Self {
        Self {
            name: name.to_owned(),
            source: Arc::new(NamedSource::new(name, text.to_owned()).with_language("markdown")),
            mistakes,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The mistakes, at least one, in the order of the text.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Whether these are warnings only, so that the runbook loads all the same.
    fn loads(&self) -> bool {
        self.mistakes.iter().all(|mistake| mistake.is_warning)
    }

    /// All of it as plain text, two lines for each mistake: `name:line:column: message (label)` and the help.
    #[must_use]
    pub fn plain(&self) -> String {
        plain(&self.name, &self.mistakes)
    }
}

/// `mistakes` of the document `name` as plain text.
pub(super) fn plain(name: &str, mistakes: &[Mistake]) -> String {
    use std::fmt::Write;

    let mut out = String::new();
    for mistake in mistakes {
        let kind = if mistake.is_warning {
            "warning"
        } else {
            "error"
        };
        let _ = writeln!(
            out,
            "{name}:{}:{}: {kind}: {} ({})\n    help: {}",
            mistake.line, mistake.column, mistake.message, mistake.label, mistake.help
        );
    }
    out
}

impl fmt::Display for RunbookErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        let noun = match (self.loads(), count) {
            (true, 1) => "warning, and loads all the same",
            (true, _) => "warnings, and loads all the same",
            (false, 1) => "mistake",
            (false, _) => "mistakes",
        };
        write!(f, "{} has {count} {noun}", self.name)?;
        if let Some(first) = self.mistakes.first() {
            write!(f, ", first at {}:{}", first.line, first.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for RunbookErrors {}

impl Diagnostic for RunbookErrors {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let code = if self.loads() {
            "runbook::warnings"
        } else {
            "runbook::refused"
        };
        Some(Box::new(code))
    }

    fn severity(&self) -> Option<Severity> {
        self.loads().then_some(Severity::Warning)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(
            self.mistakes
                .iter()
                .map(|mistake| mistake as &dyn Diagnostic),
        ))
    }
}

/// Collects mistakes while a text is read.
pub(super) struct Findings<'a> {
    text: &'a str,
    found: Vec<Mistake>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    /// Notes a mistake at `span`.
    pub(super) fn error(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.note(false, code, span, message.into(), label.into(), help.into());
    }

    /// Notes something unwise at `span`.
    pub(super) fn warning(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.note(true, code, span, message.into(), label.into(), help.into());
    }

    fn note(
        &mut self,
        is_warning: bool,
        code: &'static str,
        span: Range<usize>,
        message: String,
        label: String,
        help: String,
    ) {
        let (line, column) = position(self.text, span.start);
        self.found.push(Mistake {
            code,
            message,
            label,
            help,
            line,
            column,
            span,
            is_warning,
        });
    }

    /// Where `part` first stands in `span`; all of `span` if it is written otherwise there, with escapes for instance.
    pub(super) fn within(&self, span: Range<usize>, part: &str) -> Range<usize> {
        let found = self.text.get(span.clone()).filter(|_| !part.is_empty());
        let found = found.and_then(|it| it.find(part));
        found.map_or(span.clone(), |at| {
            span.start + at..span.start + at + part.len()
        })
    }

    pub(super) fn error_count(&self) -> usize {
        self.found.iter().filter(|it| !it.is_warning).count()
    }

    /// Everything found, sorted by place.
    pub(super) fn into_sorted(self) -> Vec<Mistake> {
        let mut found = self.found;
        found.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        found
    }
}

/// A value with the bytes of the document that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> Spanned<T> {
    pub(super) fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}
