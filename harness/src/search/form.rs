//! The parts of a runbook's text that mutants change: a step is a fence whose first line holds its attributes as JSON,
//! and a trigger is an item of the front matter.

use serde_json::{Map, Value};

/// A piece of the text that is replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edit {
    /// Where it begins.
    pub(super) start: usize,
    /// Where what comes after it begins.
    pub(super) end: usize,
    /// What stands there instead.
    pub(super) with: String,
}

impl Edit {
    /// `text` with the edit made.
    pub(super) fn made_in(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.start], self.with, &text[self.end..])
    }

    /// `text` with both edits made; `None`: they are about the same place.
    pub(super) fn both(&self, other: &Self, text: &str) -> Option<String> {
        let (first, second) = if self.start <= other.start {
            (self, other)
        } else {
            (other, self)
        };
        (first.end <= second.start).then(|| first.made_in(&second.made_in(text)))
    }
}

/// A step in the text.
pub(super) struct Fence<'t> {
    /// Where its first line begins.
    pub(super) start: usize,
    /// Where the line after its end begins.
    pub(super) end: usize,
    /// What its first line says.
    pub(super) attributes: Map<String, Value>,
    /// The lines between the fences.
    pub(super) command: &'t str,
}

impl Fence<'_> {
    pub(super) fn name(&self) -> &str {
        self.attribute("name").unwrap_or_default()
    }

    pub(super) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).and_then(Value::as_str)
    }

    /// The step as text, with other attributes and another command.
    fn with(&self, attributes: &Map<String, Value>, command: &str) -> String {
        let attributes = Value::Object(attributes.clone());
        format!("```sh {attributes}\n{command}```\n")
    }

    /// The step with another command.
    pub(super) fn commanding(&self, command: &str) -> String {
        self.with(&self.attributes, command)
    }

    /// The step with one attribute set, or without it.
    pub(super) fn set(&self, key: &str, value: Option<&str>) -> String {
        let mut attributes = self.attributes.clone();
        match value {
            Some(value) => attributes.insert(key.to_owned(), value.into()),
            None => attributes.remove(key),
        };
        self.with(&attributes, self.command)
    }

    /// The edit that puts `with` in the place of the step.
    pub(super) fn replaced(&self, with: String) -> Edit {
        Edit {
            start: self.start,
            end: self.end,
            with,
        }
    }
}

/// The steps of `text`, in order. What is no step is passed over.
pub(super) fn fences(text: &str) -> Vec<Fence<'_>> {
    const OPEN: &str = "```sh ";
    const CLOSE: &str = "\n```\n";
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(OPEN) {
        let start = from + at;
        let after_open = start + OPEN.len();
        let Some(line) = text[after_open..].find('\n') else {
            break;
        };
        let command = after_open + line + 1;
        let Some(close) = text[command - 1..].find(CLOSE) else {
            break;
        };
        let end = command - 1 + close + CLOSE.len();
        if let Ok(attributes) = serde_json::from_str(&text[after_open..after_open + line]) {
            found.push(Fence {
                start,
                end,
                attributes,
                command: &text[command..command + close],
            });
        }
        from = end;
    }
    found
}

/// A trigger in the text: an item of the list `triggers`.
pub(super) struct Item<'t> {
    /// Where it begins.
    pub(super) start: usize,
    /// Where what comes after it begins.
    pub(super) end: usize,
    /// Its lines.
    pub(super) text: &'t str,
}

impl Item<'_> {
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        lines.find_map(|line| {
            let line = line.trim_start().trim_start_matches("- ");
            let value = line.strip_prefix(key)?.strip_prefix(':')?;
            Some(value.trim().trim_matches('"'))
        })
    }

    /// The edit that puts `with` in the place of the trigger.
    pub(super) fn replaced(&self, with: String) -> Edit {
        Edit {
            start: self.start,
            end: self.end,
            with,
        }
    }
}

/// The triggers of `text`, in order.
pub(super) fn items(text: &str) -> Vec<Item<'_>> {
    const NAME: &str = "  - name: ";
    // The last one ends where the front matter's closing line begins.
    let head = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.find("\n---\n"))
        .map_or(0, |end| end + 5);
    let starts: Vec<usize> = text[..head].match_indices(NAME).map(|(at, _)| at).collect();
    starts
        .iter()
        .enumerate()
        .map(|(nth, &start)| {
            let end = starts.get(nth + 1).copied().unwrap_or(head);
            Item {
                start,
                end,
                text: &text[start..end],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use executor::runbook::Runbook;

    use super::*;
    use crate::runbooks::BUILT_IN;

    #[test]
    fn every_step_and_every_trigger_is_found() {
        let runbook = Runbook::parse("x.md", BUILT_IN).expect("valid");
        let found: Vec<String> = fences(BUILT_IN)
            .iter()
            .map(|it| it.name().to_owned())
            .collect();
        let steps: Vec<String> = runbook.steps.iter().map(|it| it.name.clone()).collect();
        assert_eq!(found, steps);
        let found: Vec<String> = items(BUILT_IN)
            .iter()
            .filter_map(|it| it.value("name").map(str::to_owned))
            .collect();
        let triggers: Vec<String> = runbook.triggers.iter().map(|it| it.name.clone()).collect();
        assert_eq!(found, triggers);
    }

    #[test]
    fn attributes_in_another_order_read_as_the_same_step() {
        let fence = &fences(BUILT_IN)[0];
        let same = fence.replaced(fence.commanding(fence.command));
        let was = Runbook::parse("x.md", BUILT_IN).expect("valid");
        let is = Runbook::parse("x.md", &same.made_in(BUILT_IN)).expect("valid");
        assert_eq!(was.steps, is.steps);
    }

    #[test]
    fn two_edits_are_made_where_they_do_not_touch() {
        let edit = |start, end, with: &str| Edit {
            start,
            end,
            with: with.to_owned(),
        };
        let (a, b) = (edit(0, 1, "xx"), edit(2, 3, ""));
        assert_eq!(a.both(&b, "abc").as_deref(), Some("xxb"));
        assert_eq!(b.both(&a, "abc").as_deref(), Some("xxb"));
        assert_eq!(a.both(&edit(0, 2, "y"), "abc"), None);
    }
}
