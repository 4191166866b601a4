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

/// Where something stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes of the text. Of what an alias brings, those of the alias.
    pub span: Range<usize>,
    /// Of what an alias brings, the bytes at its anchor.
    pub written: Option<Range<usize>>,
}

impl Place {
    /// What stands at `span` itself.
    #[must_use]
    pub fn at(span: Range<usize>) -> Self {
        Self {
            span,
            written: None,
        }
    }

    /// An alias at `alias` brings it.
    fn brought_to(&mut self, alias: &Range<usize>) {
        let span = std::mem::replace(&mut self.span, alias.clone());
        self.written.get_or_insert(span);
    }
}

/// A value and where it stands in the text.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Where it stands.
    pub place: Place,
    /// What is inside: by key, or by position in a list. A single value has none.
    pub inside: BTreeMap<String, Tree>,
    /// Where the keys of a mapping stand.
    pub keys: BTreeMap<String, Place>,
}

impl Tree {
    /// A value with nothing inside.
    #[must_use]
    pub fn leaf(span: Range<usize>) -> Self {
        Self {
            place: Place::at(span),
            inside: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// The place of the value at `path`, or of what is there of the way to it.
    pub fn find<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> &Place {
        let mut at = self;
        for step in path {
            match at.inside.get(step) {
                Some(inside) => at = inside,
                None => break,
            }
        }
        &at.place
    }

    /// The place of the key at the end of `path`, or else of the value around it.
    #[must_use]
    pub fn find_key(&self, path: &[&str]) -> &Place {
        let Some((last, around)) = path.split_last() else {
            return &self.place;
        };
        let mut at = self;
        for step in around {
            match at.inside.get(*step) {
                Some(inside) => at = inside,
                None => return &at.place,
            }
        }
        at.keys.get(*last).unwrap_or(&at.place)
    }

    /// An alias at `alias` brings it, with all that is inside.
    fn brought_to(&mut self, alias: &Range<usize>) {
        self.place.brought_to(alias);
        self.keys.values_mut().for_each(|it| it.brought_to(alias));
        self.inside.values_mut().for_each(|it| it.brought_to(alias));
    }
}

/// A node as it is read.
#[derive(Clone)]
struct Node {
    value: Value,
    tree: Tree,
}

/// The documents of `text`, empty ones left out, and what is wrong with the text. What keeps it from being read further
/// is the last mistake, as nothing behind it can be trusted.
pub(super) fn documents(text: &str) -> (Vec<(Value, Tree)>, Vec<Mistake>) {
    let mut offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    offsets.push(text.len());
    let mut reader = Reader {
        text,
        offsets,
        parser: Parser::new_from_str(text),
        anchors: BTreeMap::new(),
        values: 0,
        mistakes: Vec::new(),
    };
    let mut found = Vec::new();
    if let Err(mistake) = reader.all(&mut found) {
        reader.mistakes.push(mistake);
    }
    (found, reader.mistakes)
}

struct Reader<'a> {
    text: &'a str,
    /// Byte of each character.
    offsets: Vec<usize>,
    parser: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
    /// What is wrong, and does not keep the rest from being read.
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn all(&mut self, found: &mut Vec<(Value, Tree)>) -> Result<(), Mistake> {
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => break,
                Event::DocumentStart(_) => self.anchors.clear(),
                event => {
                    let node = self.node(event, span, 0)?;
                    if !node.value.is_null() {
                        found.push((node.value, node.tree));
                    }
                }
            }
        }
        Ok(())
    }

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
                let value = value(&text, style, tag.as_deref()).unwrap_or_else(|| {
                    self.mistakes.push(Mistake::new(
                        start.clone(),
                        format!("`{text}` is no number that JSON has, and kubectl sends JSON"),
                        "kubectl refuses this",
                        format!(
                            "write a number, or put it in quotes where text is meant: `\"{text}\"`"
                        ),
                    ));
                    Value::String(text.to_string())
                });
                Ok(self.keep(anchor, leaf(value, start)))
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                let mut tree = leaf(Value::Null, start.clone()).tree;
                loop {
                    let (event, span) = self.must(&start)?;
                    if matches!(event, Event::SequenceEnd) {
                        tree.place.span = start.start..self.bytes(span).end.max(start.end);
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
                let Some(mut node) = self.anchors.get(&anchor).cloned() else {
                    let message = "the alias has no anchor before it";
                    return Err(Mistake::new(
                        start,
                        message,
                        "here",
                        "define it with `&name`",
                    ));
                };
                self.values += size(&node.value);
                node.tree.brought_to(&start);
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
                tree.place.span = start.start..self.bytes(span).end.max(start.end);
                break;
            }
            let place = self.bytes(span);
            let key = match event {
                // As a key it is what is written.
                Event::Scalar(text, ScalarStyle::Plain, _, _) if scalar::is_not_finite(&text) => {
                    leaf(Value::String(text.to_string()), place.clone())
                }
                event => self.node(event, span, depth + 1)?,
            };
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
                let line = self.text.get(..first.span.start).unwrap_or_default();
                self.mistakes.push(Mistake::new(
                    place,
                    format!("the key `{key}` stands twice in one mapping"),
                    "the second one",
                    format!(
                        "keep one of them; the first is in line {}",
                        line.matches('\n').count() + 1
                    ),
                ));
                continue;
            }
            tree.keys.insert(key.clone(), Place::at(place));
            tree.inside.insert(key.clone(), node.tree);
            map.insert(key, node.value);
        }
        // What the mapping says itself goes before what is merged into it.
        for node in merged {
            let of_list = match node.value {
                Value::Array(items) => {
                    let trees = (0..items.len()).map(|at| node.tree.inside.get(&at.to_string()));
                    let pairs = items.into_iter().zip(trees);
                    pairs
                        .filter_map(|(value, tree)| Some((value, tree?.clone())))
                        .collect()
                }
                value => vec![(value, node.tree)],
            };
            for (value, from) in of_list {
                let Value::Object(entries) = value else {
                    self.mistakes.push(Mistake::new(
                        from.place.span,
                        "only mappings can be merged with `<<`",
                        "this is something else",
                        "name the anchor of a mapping, or a list of such anchors",
                    ));
                    continue;
                };
                for (key, value) in entries {
                    if map.contains_key(&key) {
                        continue;
                    }
                    if let Some(inside) = from.inside.get(&key) {
                        tree.inside.insert(key.clone(), inside.clone());
                    }
                    if let Some(place) = from.keys.get(&key) {
                        tree.keys.insert(key.clone(), place.clone());
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
    let tree = Tree::leaf(span);
    Node { value, tree }
}

/// Nothing for a number that JSON does not have.
fn value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Option<Value> {
    let of_text = tag.is_some_and(|tag| tag.suffix == "str" || tag.suffix == "binary");
    if style != ScalarStyle::Plain || of_text {
        return Some(Value::String(text.to_owned()));
    }
    (!scalar::is_not_finite(text)).then(|| scalar::plain(text))
}

/// How many values there are in `value`.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}
