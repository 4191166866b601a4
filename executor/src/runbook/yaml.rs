//! The front matter's YAML as a tree that remembers where everything was written.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::source::{Findings, Spanned};

/// Deepest nesting that front matter has any use for: a list of mappings of scalars.
const DEPTH_MAX: usize = 8;

/// A node of the tree.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Scalar {
        text: Spanned<String>,
        plain: bool,
    },
    Sequence {
        items: Vec<Node>,
        span: Range<usize>,
    },
    Mapping {
        entries: Vec<(Spanned<String>, Node)>,
        span: Range<usize>,
    },
}

impl Node {
    pub(super) fn span(&self) -> Range<usize> {
        match self {
            Self::Scalar { text, .. } => text.span.clone(),
            Self::Sequence { span, .. } | Self::Mapping { span, .. } => span.clone(),
        }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar { .. } => "a single value",
            Self::Sequence { .. } => "a list",
            Self::Mapping { .. } => "a mapping",
        }
    }
}

/// Reads `text`, which starts at byte `base` of the document. `None`: it isn't YAML, or not of the kind that
/// front matter may be; the reason is among the findings.
pub(super) fn read(text: &str, base: usize, findings: &mut Findings<'_>) -> Option<Node> {
    let offsets: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain(std::iter::once(text.len()))
        .collect();
    let mut reader = Reader {
        text,
        base,
        offsets,
        parser: Parser::new_from_str(text),
        findings,
    };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            (event, span) => {
                let root = reader.node(event, span, 0)?;
                // What follows must be the end: errors there are errors of the front matter too.
                loop {
                    match reader.next()? {
                        (Event::StreamEnd, _) => return Some(root),
                        (Event::DocumentEnd, _) => {}
                        (_, span) => {
                            let span = reader.bytes(span);
                            return reader
                                .refuse(span, "only one document belongs in the front matter");
                        }
                    }
                }
            }
        }
    }
}

struct Reader<'a, 'f, 't> {
    text: &'a str,
    base: usize,
    offsets: Vec<usize>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    findings: &'f mut Findings<'t>,
}

impl<'a> Reader<'a, '_, '_> {
    fn byte(&self, character: usize) -> usize {
        self.offsets
            .get(character)
            .copied()
            .unwrap_or(self.text.len())
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        let end = self.byte(span.end.index()).max(start);
        let trimmed = self.text[start..end].trim_end().len();
        self.base + start..self.base + start + trimmed
    }

    fn refuse<T>(&mut self, span: Range<usize>, message: &str) -> Option<T> {
        self.findings.error(
            "front-matter-yaml",
            span,
            format!("the front matter is not readable: {message}"),
            "here",
            "front matter is `key: value` lines; quote a value that holds `: `, ` #`, `{` or starts with `>`, `@`, `%`",
        );
        None
    }

    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        match self.parser.next_event() {
            None => None,
            Some(Ok(event)) => Some(event),
            Some(Err(error)) => {
                let at = self.base + self.byte(error.marker().index());
                self.refuse(at..at, error.info())
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Option<Node> {
        let start = self.bytes(span);
        if depth > DEPTH_MAX {
            return self.refuse(start, "it is nested too deeply");
        }
        match event {
            Event::Scalar(value, style, 0, None) => Some(Node::Scalar {
                text: Spanned::new(value.into_owned(), start),
                plain: style == ScalarStyle::Plain,
            }),
            Event::SequenceStart(0, None) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => {
                            let span = start.start..self.bytes(end).end.max(start.end);
                            return Some(Node::Sequence { items, span });
                        }
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(0, None) => {
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, end) => {
                            let span = start.start..self.bytes(end).end.max(start.end);
                            return Some(Node::Mapping { entries, span });
                        }
                        (Event::Scalar(key, _, 0, None), span) => {
                            let key = Spanned::new(key.into_owned(), self.bytes(span));
                            let (event, span) = self.next()?;
                            entries.push((key, self.node(event, span, depth + 1)?));
                        }
                        (_, span) => {
                            let span = self.bytes(span);
                            return self.refuse(span, "a key must be a plain word");
                        }
                    }
                }
            }
            Event::StreamEnd | Event::DocumentEnd => {
                self.refuse(start.start..start.start, "it is empty")
            }
            _ => self.refuse(start, "anchors, aliases and tags are not understood"),
        }
    }
}
