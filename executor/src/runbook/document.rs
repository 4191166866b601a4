//! The Markdown side: which fenced blocks there are, under which headings, and which look like steps
//! but aren't.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::source::{Findings, Spanned};
use super::suggest;

/// A fenced `sh` block.
#[derive(Debug)]
pub(super) struct Block {
    /// Text of the nearest heading above; empty if there is none.
    pub(super) heading: String,
    /// The line that opens the fence.
    pub(super) opening: Range<usize>,
    /// What follows `sh` on it.
    pub(super) info: Range<usize>,
    /// The lines inside.
    pub(super) code: Range<usize>,
}

/// The document's parts that matter.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The first heading.
    pub(super) title: Option<Spanned<String>>,
    /// The blocks to run, in order.
    pub(super) blocks: Vec<Block>,
}

/// Words that people write for "shell" after a fence.
const SHELLS: [&str; 8] = [
    "bash",
    "shell",
    "zsh",
    "console",
    "shell-session",
    "shellscript",
    "ksh",
    "terminal",
];

/// Reads `text` from byte `body` on.
pub(super) fn read(text: &str, body: usize, findings: &mut Findings<'_>) -> Document {
    let mut reader = Reader {
        text,
        findings,
        document: Document::default(),
        heading: None,
        title: String::new(),
        containers: Vec::new(),
        known: Vec::new(),
    };
    let parser = Parser::new_ext(&text[body..], Options::empty()).into_offset_iter();
    for (event, range) in parser {
        reader.event(event, body + range.start..body + range.end);
    }
    reader.overlooked(body);
    reader.document
}

struct Reader<'a, 'f, 't> {
    text: &'a str,
    findings: &'f mut Findings<'t>,
    document: Document,
    /// Range and text of the heading that is being read.
    heading: Option<(Range<usize>, String)>,
    title: String,
    /// Quotes and lists around the present place.
    containers: Vec<&'static str>,
    /// Ranges of all fenced blocks.
    known: Vec<Range<usize>>,
}

impl Reader<'_, '_, '_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(Tag::Heading { .. }) => self.heading = Some((range, String::new())),
            Event::End(TagEnd::Heading(_)) => {
                if let Some((range, text)) = self.heading.take() {
                    let text = text.trim().to_owned();
                    if self.document.title.is_none() {
                        self.document.title = Some(Spanned::new(text.clone(), range));
                    }
                    self.title = text;
                }
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, heading)) = &mut self.heading {
                    heading.push_str(&text);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((_, heading)) = &mut self.heading {
                    heading.push(' ');
                }
            }
            Event::Start(Tag::BlockQuote(_)) => self.containers.push("a quote"),
            Event::Start(Tag::List(_)) => self.containers.push("a list"),
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => {
                self.containers.pop();
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => self.fence(range),
            _ => {}
        }
    }

    fn fence(&mut self, range: Range<usize>) {
        self.known.push(range.clone());
        let all = &self.text[range.clone()];
        let line_len = all.find('\n').unwrap_or(all.len());
        let line = all[..line_len].trim_end();
        let opening = range.start..range.start + line.len();
        let mark = if line.starts_with('~') { '~' } else { '`' };
        let marks = line.len() - line.trim_start_matches(mark).len();
        let info = line[marks..].trim_start();
        let info_start = range.start + line.len() - info.len();
        let language_len = info
            .find(|c: char| c.is_whitespace() || c == '{')
            .unwrap_or(info.len());
        let language = &info[..language_len];
        let language_span = info_start..info_start + language_len;
        let attributes = info[language_len..].trim_start();
        let attributes_span = opening.end - attributes.len()..opening.end;

        if language != "sh" {
            let lower = language.to_lowercase();
            if SHELLS.contains(&lower.as_str()) || lower == "sh" {
                self.findings.error(
                    "fence-language",
                    language_span,
                    format!("a block in `{language}` is neither a step nor prose"),
                    "not a language that is run",
                    "write `sh` for a command to run, `text` for one that is only shown",
                );
            } else if attributes.contains("\"rb.") {
                self.findings.error(
                    "fence-language",
                    if language.is_empty() {
                        opening
                    } else {
                        language_span
                    },
                    format!("a block in `{language}` carries a step's attributes"),
                    "not a language that is run",
                    "write `sh` after the fence if it is a step, or remove the attributes",
                );
            }
            return;
        }
        let (code_end, closed) = self.closing(&range, line_len, mark, marks);
        if !closed {
            self.findings.error(
                "fence-unclosed",
                opening.clone(),
                "this block is never closed",
                "opened here",
                format!("end it with a line of {}", mark.to_string().repeat(marks)),
            );
            return;
        }
        if let Some(container) = self.containers.last() {
            self.findings.error(
                "fence-nested",
                opening,
                format!("a step inside {container} would be ambiguous"),
                "nested block",
                "move it to the left margin, under a heading of its own",
            );
            return;
        }
        if attributes.is_empty() {
            self.findings.error(
                "attributes-missing",
                opening,
                "this step has no attributes",
                "expected a JSON object after `sh`",
                "for instance `sh {\"name\":\"undo-app\",\"rb.phase\":\"run\",\"rb.timeout\":\"60s\"}`; a command that is only shown goes into a `text` block",
            );
            return;
        }
        self.document.blocks.push(Block {
            heading: self.title.clone(),
            opening,
            info: attributes_span,
            code: (range.start + line_len + 1).min(code_end)..code_end,
        });
    }

    /// Where the code ends, and whether a closing fence is there.
    fn closing(
        &self,
        range: &Range<usize>,
        line_len: usize,
        mark: char,
        marks: usize,
    ) -> (usize, bool) {
        let all = &self.text[range.clone()];
        let inside = all.get(line_len + 1..).unwrap_or_default().trim_end();
        let last_start = inside.rfind('\n').map_or(0, |at| at + 1);
        let last = inside[last_start..].trim_start_matches(['>', ' ', '\t']);
        let closed = last.len() >= marks && last.chars().all(|c| c == mark);
        let end = if closed { last_start } else { inside.len() };
        ((range.start + line_len + 1 + end).min(range.end), closed)
    }

    /// Refuses lines that look like the beginning of a step but that Markdown reads as something else:
    /// indented by four, in a comment, after an unclosed block.
    fn overlooked(&mut self, body: usize) {
        let mut at = body;
        for line in self.text[body..].split_inclusive('\n') {
            let start = at;
            at += line.len();
            let bare = line.trim_start_matches(['>', ' ', '\t', '-', '*', '+']);
            let offset = start + line.len() - bare.len();
            let rest = bare.trim_start_matches(['`', '~']);
            let marks = bare.len() - rest.len();
            let word = rest.trim_start();
            let is_step = marks >= 2
                && word.starts_with("sh")
                && !word[2..].starts_with(|c: char| c.is_alphanumeric() || c == '-');
            if is_step && !self.known.iter().any(|range| range.contains(&offset)) {
                let help = if marks == 2 {
                    "a fence is three backticks".to_owned()
                } else {
                    format!(
                        "indent it by less than four spaces, outside comments and HTML; if it is only shown, use {}",
                        suggest::list(&["text"])
                    )
                };
                self.findings.error(
                    "fence-overlooked",
                    offset..offset + bare.trim_end().len(),
                    "this looks like a step, but Markdown doesn't read it as a block",
                    "would be passed over",
                    help,
                );
            }
        }
    }
}
