//! YAML documents as JSON values, with the place in the text of every one of them.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::scalar;
use crate::mistake::Mistake;

/// Deepest nesting that is read. Kubernetes' own objects stay far below.
const DEPTH_MAX: usize = 64;
/// Values in one file at most, with all aliases written out: a file of aliases of aliases ends here.
const VALUES_MAX: usize = 1_000_000;

/// A value and where it stands in the text.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What is inside: by key, or by position in a list. A single value has none.
    pub inside: BTreeMap<String, Tree>,
    /// Where the keys of a mapping stand.
    pub keys: BTreeMap<String, Range<usize>>,
}

impl Tree {
    /// The place of the value at `path`, or of what is there of the way to it.
    #[must_use]
    pub fn place<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Range<usize> {
        let mut at = self;
        for step in path {
            match at.inside.get(step) {
                Some(inside) => at = inside,
                None => break,
            }
        }
        at.span.clone()
    }

    /// The place of the key at the end of `path`, or else of the value around it.
    #[must_use]
    pub fn key_place(&self, path: &[&str]) -> Range<usize> {
        let Some((last, around)) = path.split_last() else {
            return self.span.clone();
        };
        let mut at = self;
        for step in around {
            match at.inside.get(*step) {
                Some(inside) => at = inside,
                None => return at.span.clone(),
            }
        }
        at.keys.get(*last).unwrap_or(&at.span).clone()
    }
}

/// A node as it is read.
#[derive(Clone)]
struct Node {
    value: Value,
    tree: Tree,
}

/// The documents of `text`, empty ones left out.
///
/// # Errors
/// What keeps it from being read; one mistake, as nothing behind it can be trusted.
pub(super) fn documents(text: &str) -> Result<Vec<(Value, Tree)>, Mistake> {
    let mut offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    offsets.push(text.len());
    let mut reader = Reader {
        text,
        offsets,
        parser: Parser::new_from_str(text),
        anchors: BTreeMap::new(),
        values: 0,
    };
    let mut found = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => break,
            Event::DocumentStart(_) => reader.anchors.clear(),
            event => {
                let node = reader.node(event, span, 0)?;
                if !node.value.is_null() {
                    found.push((node.value, node.tree));
                }
            }
        }
    }
    Ok(found)
}

struct Reader<'a> {
    text: &'a str,
    /// Byte of each character.
    offsets: Vec<usize>,
    parser: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
}

impl<'a> Reader<'a> {
    fn byte(&self, character: usize) -> usize {
        let byte = self.offsets.get(character);
        byte.copied().unwrap_or(self.text.len())
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        let end = self.byte(span.end.index()).max(start);
        let text = self.text.get(start..end).unwrap_or_default();
        start..start + text.trim_end().len()
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Mistake> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => {
                let at = self.byte(error.marker().index());
                Err(Mistake::new(
                    at..at,
                    format!("this is not YAML: {}", error.info()),
                    "here",
                    "indent with spaces, and quote text that has `: ` or ` #` in it or begins with `{`, `[`, `*` or `&`",
                ))
            }
        }
    }

    /// As [`Self::next`], where the text can't end.
    fn must(&mut self, around: &Range<usize>) -> Result<(Event<'a>, Span), Mistake> {
        self.next()?.ok_or_else(|| {
            let message = "the text ends in the middle of a value";
            Mistake::new(around.clone(), message, "this begins it", "write its end")
        })
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Mistake> {
        let start = self.bytes(span);
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err(Mistake::new(
                start,
                format!(
                    "more than {DEPTH_MAX} levels or {VALUES_MAX} values are too many to be read"
                ),
                "here",
                "write a file that is as flat as Kubernetes' own objects, and take large data out of it",
            ));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = value(&text, style, tag.as_deref());
                Ok(self.keep(anchor, leaf(value, start)))
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                let mut tree = leaf(Value::Null, start.clone()).tree;
                loop {
                    let (event, span) = self.must(&start)?;
                    if matches!(event, Event::SequenceEnd) {
                        tree.span = start.start..self.bytes(span).end.max(start.end);
                        let value = Value::Array(items);
                        return Ok(self.keep(anchor, Node { value, tree }));
                    }
                    let item = self.node(event, span, depth + 1)?;
                    tree.inside.insert(items.len().to_string(), item.tree);
                    items.push(item.value);
                }
            }
            Event::MappingStart(anchor, _) => {
                let node = self.mapping(&start, depth)?;
                Ok(self.keep(anchor, node))
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    let message = "the alias has no anchor before it";
                    return Err(Mistake::new(
                        start,
                        message,
                        "here",
                        "define it with `&name`",
                    ));
                };
                self.values += size(&node.value);
                Ok(node)
            }
            _ => Ok(leaf(Value::Null, start)),
        }
    }

    fn keep(&mut self, anchor: usize, node: Node) -> Node {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn mapping(&mut self, start: &Range<usize>, depth: usize) -> Result<Node, Mistake> {
        let mut map = Map::new();
        let mut tree = leaf(Value::Null, start.clone()).tree;
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.must(start)?;
            if matches!(event, Event::MappingEnd) {
                tree.span = start.start..self.bytes(span).end.max(start.end);
                break;
            }
            let place = self.bytes(span);
            let key = self.node(event, span, depth + 1)?;
            let key = match key.value {
                Value::String(key) => key,
                Value::Bool(_) | Value::Number(_) | Value::Null => {
                    self.text.get(place.clone()).unwrap_or_default().to_owned()
                }
                Value::Array(_) | Value::Object(_) => {
                    return Err(Mistake::new(
                        place,
                        "a key must be a single value",
                        "this is a list or a mapping",
                        "write a word before the colon",
                    ));
                }
            };
            let (event, span) = self.must(start)?;
            let node = self.node(event, span, depth + 1)?;
            if key == "<<" {
                merged.push(node);
                continue;
            }
            if let Some(first) = tree.keys.get(&key) {
                let line = self.text.get(..first.start).unwrap_or_default();
                return Err(Mistake::new(
                    place,
                    format!("the key `{key}` stands twice in one mapping"),
                    "the second one",
                    format!(
                        "keep one of them; the first is in line {}",
                        line.matches('\n').count() + 1
                    ),
                ));
            }
            tree.keys.insert(key.clone(), place);
            tree.inside.insert(key.clone(), node.tree);
            map.insert(key, node.value);
        }
        // What the mapping says itself goes before what is merged into it.
        for node in merged {
            let Value::Object(entries) = node.value else {
                return Err(Mistake::new(
                    node.tree.span,
                    "only a mapping can be merged with `<<`",
                    "this is something else",
                    "name the anchor of one mapping",
                ));
            };
            for (key, value) in entries {
                if !map.contains_key(&key) {
                    if let Some(inside) = node.tree.inside.get(&key) {
                        tree.inside.insert(key.clone(), inside.clone());
                    }
                    map.insert(key, value);
                }
            }
        }
        let value = Value::Object(map);
        Ok(Node { value, tree })
    }
}

fn leaf(value: Value, span: Range<usize>) -> Node {
    let tree = Tree {
        span,
        inside: BTreeMap::new(),
        keys: BTreeMap::new(),
    };
    Node { value, tree }
}

fn value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let of_text = tag.is_some_and(|tag| tag.suffix == "str" || tag.suffix == "binary");
    if style == ScalarStyle::Plain && !of_text {
        scalar::plain(text)
    } else {
        Value::String(text.to_owned())
    }
}

/// How many values there are in `value`.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}
