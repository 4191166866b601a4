//! What is wrong with a file that a person wrote, where, and what would be right.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use toml::Spanned;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Place in the text, in bytes.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// Label at the place.
    pub label: String,
    /// What would be right.
    pub help: String,
    file: Box<str>,
    line: usize,
    column: usize,
}

impl Mistake {
    /// A mistake at `span`. Which file, line and column that is becomes known with the [`FileError`].
    pub fn new(
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            span,
            message: message.into(),
            label: label.into(),
            help: help.into(),
            file: Box::default(),
            line: 0,
            column: 0,
        }
    }

    /// Line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            Some(self.label.clone()),
            self.span.clone(),
        ))))
    }
}

/// What is wrong with a file, as far as it has been looked at: everything is told at once.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Adds a mistake, as [`Mistake::new`] has it.
    pub fn add(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.0.push(Mistake::new(span, message, label, help));
    }

    /// The value of what is called `what`; a mistake where it is outside of `range`.
    pub fn within(&mut self, what: &str, value: &Spanned<i64>, range: RangeInclusive<i64>) -> u32 {
        let n = *value.get_ref();
        if !range.contains(&n) {
            let (low, high) = (range.start(), range.end());
            self.add(
                value.span(),
                format!("{what} is {n}"),
                format!("must be {low} to {high}"),
                format!("choose a value from {low} to {high}"),
            );
        }
        u32::try_from(n).unwrap_or(0)
    }

    /// Adds mistakes of the file's form. What was found at their places is left out: something else stands there.
    pub fn beside(&mut self, of_form: Vec<Mistake>) {
        self.0
            .retain(|it| of_form.iter().all(|other| other.span != it.span));
        self.0.extend(of_form);
    }

    /// Nothing, if there is no mistake in `text`, which `file` holds.
    ///
    /// # Errors
    /// All of them.
    pub fn into_result(self, kind: FileKind, file: &str, text: &str) -> Result<(), FileError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(FileError::new(kind, file, text, self.0))
    }
}

/// What kind of file it is, in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileKind {
    /// As a person calls it: `scenario`.
    pub name: &'static str,
    /// The code of its errors: `firedrill::scenario`.
    pub code: &'static str,
    /// The language that it is written in, for colours: `toml`.
    pub language: &'static str,
}

/// Everything that is wrong with one file.
#[derive(Debug)]
pub struct FileError {
    kind: FileKind,
    source: Box<NamedSource<String>>,
    /// The mistakes, in the text's order; never empty.
    pub mistakes: Vec<Mistake>,
}

impl FileError {
    /// The `mistakes` in `text`, which `file` holds.
    #[must_use]
    pub fn new(kind: FileKind, file: &str, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|m| m.span.start);
        for mistake in &mut mistakes {
            let start = mistake.span.start.min(text.len());
            let before = text.get(..start).unwrap_or_default();
            mistake.file = file.into();
            mistake.line = before.matches('\n').count() + 1;
            mistake.column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        }
        Self {
            kind,
            source: Box::new(NamedSource::new(file, text.to_owned()).with_language(kind.language)),
            mistakes,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.mistakes.len();
        write!(
            f,
            "{n} mistake{} in {} {}",
            if n == 1 { "" } else { "s" },
            self.kind.name,
            self.source.name()
        )
    }
}

impl std::error::Error for FileError {}

impl Diagnostic for FileError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.kind.code))
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.mistakes.iter().map(|m| m as &dyn Diagnostic)))
    }
}
