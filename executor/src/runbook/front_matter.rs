//! The front matter: objectives, where things are, and when a rollback is mandatory.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use super::model::{Trigger, TriggerClass};
use super::query;
use super::source::{Findings, Spanned};
use super::suggest;
use super::yaml::{self, Node};

/// Longest RTO that makes sense for a procedure like this.
const RTO_MAX: Duration = Duration::from_secs(24 * 3_600);

const KEYS: [&str; 12] = [
    "rto",
    "rpo",
    "validation-window",
    "namespace",
    "services",
    "prometheus",
    "loki",
    "migrations",
    "halts",
    "records",
    "log",
    "triggers",
];
/// Characters of a text that is put into sentences, at most.
const WORDS_MAX: usize = 60;
/// Those that may be left out.
const OPTIONAL: [&str; 5] = ["loki", "migrations", "halts", "records", "log"];
const TRIGGER_KEYS: [&str; 5] = ["name", "class", "query", "condition", "for"];
const CLASSES: [&str; 3] = ["p0", "sla", "data-integrity"];

/// What the front matter says; `None` where it says nothing (readable), which is among the findings.
#[derive(Debug, Default)]
pub(super) struct FrontMatter {
    pub(super) rto: Option<Duration>,
    pub(super) rpo: Option<u64>,
    pub(super) validation_window: Option<Duration>,
    pub(super) namespace: Option<String>,
    pub(super) services: Option<Vec<String>>,
    pub(super) prometheus: Option<String>,
    pub(super) loki: Option<String>,
    pub(super) migrations: Option<String>,
    pub(super) halts: Option<String>,
    pub(super) records: Option<String>,
    pub(super) log: Option<String>,
    pub(super) triggers: Option<Vec<Trigger>>,
    /// Where they stand, in the same order.
    pub(super) trigger_places: Vec<TriggerPlace>,
}

/// Where things of a trigger stand, for messages about it.
#[derive(Clone, Debug)]
pub(super) struct TriggerPlace {
    pub(super) query: Range<usize>,
    pub(super) hold_for: Range<usize>,
}

/// Splits the front matter off: its YAML's range, and where the body begins.
fn split(text: &str) -> Option<Result<(Range<usize>, usize), ()>> {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next()?;
    // Some editors begin a file with a byte order mark, which nobody sees.
    if first.trim_start_matches('\u{feff}').trim_end() != "---" {
        return None;
    }
    let start = first.len();
    let mut at = start;
    for line in lines {
        if line.trim_end() == "---" {
            return Some(Ok((start..at, at + line.len())));
        }
        at += line.len();
    }
    Some(Err(()))
}

/// The first line of what looks like another front matter at the beginning of the body. To Markdown it is a heading,
/// underlined by its last line, and would be the title.
fn second(text: &str, body: usize) -> Option<Range<usize>> {
    let mut at = body;
    let mut lines = Vec::new();
    for line in text[body..].split_inclusive('\n') {
        let bare = line.trim_end();
        if !bare.is_empty() {
            lines.push((at..at + bare.len(), bare));
        }
        at += line.len();
    }
    let key = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (value.is_empty() || value.starts_with(' ')).then(|| key.to_owned())
    };
    let is_fenced = lines.first()?.1 == "---";
    let first = lines.get(usize::from(is_fenced))?;
    let key = key(first.1)?;
    let looks_like_one = if is_fenced {
        !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    } else {
        KEYS.contains(&key.as_str())
    };
    // It ends before the first heading.
    let mut rest = lines[usize::from(is_fenced) + 1..].iter();
    let ends = rest
        .by_ref()
        .map(|(_, line)| *line)
        .take_while(|line| !line.starts_with("# "))
        .any(|line| line == "---");
    (looks_like_one && ends).then(|| lines[0].0.clone())
}

/// Reads the front matter of `text`; returns it with the offset at which the body begins.
pub(super) fn read(text: &str, findings: &mut Findings<'_>) -> (FrontMatter, usize) {
    let first_line = 0..text.find('\n').unwrap_or(text.len());
    let (range, body) = match split(text) {
        None => {
            findings.error(
                "front-matter-missing",
                first_line,
                "the runbook has no front matter",
                "expected `---` here",
                "begin the file with a line `---`, the keys `rto`, `rpo`, `validation-window`, `namespace`, `services`, `prometheus`, `triggers`, and another line `---`",
            );
            return (FrontMatter::default(), 0);
        }
        Some(Err(())) => {
            findings.error(
                "front-matter-unclosed",
                first_line,
                "the front matter is never closed",
                "opened here",
                "end it with a line that holds only `---`",
            );
            return (FrontMatter::default(), text.len());
        }
        Some(Ok(found)) => found,
    };
    let mark = text.len() - text.trim_start_matches('\u{feff}').len();
    let opening = mark..mark + 3;
    if let Some(span) = second(text, body) {
        findings.error(
            "front-matter-second",
            span,
            "a second front matter",
            "the first one has ended above",
            "there is one: move its keys up into the first, and remove its lines `---`",
        );
    }
    let Some(root) = yaml::read(&text[range.clone()], range.start, findings) else {
        return (FrontMatter::default(), body);
    };
    let Node::Mapping { entries, .. } = &root else {
        findings.error(
            "front-matter-type",
            root.span(),
            "the front matter must be a mapping",
            format!("this is {}", root.kind()),
            "write `key: value` lines",
        );
        return (FrontMatter::default(), body);
    };
    let mut reader = Reader { findings };
    let mut front = FrontMatter::default();
    reader.keys(entries, &KEYS, "front matter");
    let mut seen = BTreeSet::new();
    for (key, node) in entries {
        if !seen.insert(key.value.as_str()) {
            continue;
        }
        match key.value.as_str() {
            "rto" => front.rto = reader.duration(&key.value, node, RTO_MAX),
            "rpo" => front.rpo = reader.count(&key.value, node),
            "validation-window" => {
                front.validation_window = reader.duration(&key.value, node, RTO_MAX);
            }
            "namespace" => front.namespace = reader.label(&key.value, node).map(|it| it.value),
            "services" => front.services = reader.services(node),
            "prometheus" => front.prometheus = reader.url(&key.value, node),
            "loki" => front.loki = reader.url(&key.value, node),
            "migrations" => front.migrations = reader.label(&key.value, node).map(|it| it.value),
            "halts" => front.halts = reader.words(&key.value, node).map(|it| it.value),
            "records" => front.records = reader.words(&key.value, node).map(|it| it.value),
            "log" => front.log = reader.words(&key.value, node).map(|it| it.value),
            "triggers" => {
                if let Some((triggers, places)) =
                    reader.triggers(node).map(|it| it.into_iter().unzip())
                {
                    front.triggers = Some(triggers);
                    front.trigger_places = places;
                }
            }
            _ => {}
        }
    }
    reader.required(entries, &KEYS, &OPTIONAL, opening, "front matter");
    (front, body)
}

struct Reader<'f, 't> {
    findings: &'f mut Findings<'t>,
}

impl Reader<'_, '_> {
    /// Refuses unknown and repeated keys.
    fn keys(&mut self, entries: &[(Spanned<String>, Node)], known: &[&str], place: &str) {
        let mut seen = BTreeSet::new();
        for (key, _) in entries {
            if !known.contains(&key.value.as_str()) {
                self.findings.error(
                    "front-matter-key",
                    key.span.clone(),
                    format!("unknown key `{}` in the {place}", key.value),
                    "not a key of it",
                    suggest::help(&key.value, known),
                );
            } else if !seen.insert(&key.value) {
                self.findings.error(
                    "front-matter-duplicate",
                    key.span.clone(),
                    format!("`{}` is given twice in the {place}", key.value),
                    "second time",
                    "remove one of them",
                );
            }
        }
    }

    fn required(
        &mut self,
        entries: &[(Spanned<String>, Node)],
        known: &[&str],
        optional: &[&str],
        span: Range<usize>,
        place: &str,
    ) {
        for name in known {
            let given = entries.iter().any(|(key, _)| key.value == *name);
            if !given && !optional.contains(name) {
                self.findings.error(
                    "front-matter-required",
                    span.clone(),
                    format!("the {place} lacks `{name}`"),
                    "missing in here",
                    format!("add a line `{name}: …`"),
                );
            }
        }
    }

    fn ill_typed(&mut self, key: &str, node: &Node, wanted: &str, help: &str) {
        let label = match node {
            Node::Scalar { text, .. } if text.value.is_empty() => "nothing here".to_owned(),
            Node::Scalar { text, .. } => format!("this is `{}`", text.value),
            other => format!("this is {}", other.kind()),
        };
        self.findings.error(
            "front-matter-type",
            node.span(),
            format!("`{key}` must be {wanted}"),
            label,
            help,
        );
    }

    fn duration(&mut self, key: &str, node: &Node, max: Duration) -> Option<Duration> {
        if let Node::Scalar { text, .. } = node
            && let Some(value) = contract::duration::parse(&text.value)
        {
            if !value.is_zero() && value <= max {
                return Some(value);
            }
            self.findings.error(
                "front-matter-range",
                text.span.clone(),
                format!("`{key}` is out of range"),
                format!("must be more than 0 and at most {}", suggest::show(max)),
                "for instance `300s`",
            );
            return None;
        }
        self.ill_typed(
            key,
            node,
            "a duration",
            "a number with its unit: `500ms`, `60s`, `5m`, `1h`, `1m30s`",
        );
        None
    }

    fn count(&mut self, key: &str, node: &Node) -> Option<u64> {
        if let Node::Scalar { text, plain: true } = node
            && let Ok(value) = text.value.parse()
        {
            return Some(value);
        }
        self.ill_typed(
            key,
            node,
            "a whole number of records",
            "for instance `0`: no acknowledged record may be lost",
        );
        None
    }

    /// A scalar that isn't empty.
    fn text(&mut self, key: &str, node: &Node) -> Option<Spanned<String>> {
        match node {
            Node::Scalar { text, .. } if !text.value.trim().is_empty() => Some(text.clone()),
            _ => {
                self.ill_typed(
                    key,
                    node,
                    "a text",
                    "write it after the colon, in quotes if it holds special characters",
                );
                None
            }
        }
    }

    /// A few words, which are put into sentences for people.
    fn words(&mut self, key: &str, node: &Node) -> Option<Spanned<String>> {
        let text = self.text(key, node)?;
        let count = text.value.chars().count();
        if count <= WORDS_MAX && !text.value.chars().any(char::is_control) {
            return Some(text);
        }
        self.findings.error(
            "front-matter-name",
            text.span,
            format!("`{key}` is put into sentences, and this does not fit into one"),
            "too long, or with a control character in it",
            format!("a word or a few, in at most {WORDS_MAX} characters"),
        );
        None
    }

    fn label(&mut self, key: &str, node: &Node) -> Option<Spanned<String>> {
        let text = self.text(key, node)?;
        if suggest::is_label(&text.value) {
            return Some(text);
        }
        self.findings.error(
            "front-matter-name",
            text.span,
            format!("`{}` can't be a name", text.value),
            "not a DNS label",
            "lower-case letters, digits and `-`, at most 63 characters, `-` not first or last",
        );
        None
    }

    fn services(&mut self, node: &Node) -> Option<Vec<String>> {
        let Node::Sequence { items, .. } = node else {
            self.ill_typed(
                "services",
                node,
                "a list",
                "for instance `[store, api, web]`, in the order in which they are rolled back",
            );
            return None;
        };
        if items.is_empty() {
            self.ill_typed(
                "services",
                node,
                "a list that is not empty",
                "name the Deployments of one release in the order in which they are rolled back",
            );
            return None;
        }
        let mut names: Vec<String> = Vec::new();
        for item in items {
            let name = self.label("services", item)?;
            if names.contains(&name.value) {
                self.findings.error(
                    "front-matter-duplicate",
                    name.span,
                    format!("service `{}` is listed twice", name.value),
                    "second time",
                    "a service is rolled back once: remove one of them",
                );
            } else {
                names.push(name.value);
            }
        }
        Some(names)
    }

    fn url(&mut self, key: &str, node: &Node) -> Option<String> {
        let text = self.text(key, node)?;
        let uri: Option<http::Uri> = text.value.parse().ok();
        let good = uri.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
                && uri.query().is_none()
        });
        if good {
            return Some(text.value.trim_end_matches('/').to_owned());
        }
        self.findings.error(
            "front-matter-url",
            text.span,
            format!("`{key}` must be the base URL of an HTTP server"),
            format!("this is `{}`", text.value),
            "for instance `http://prometheus:9090`",
        );
        None
    }

    fn triggers(&mut self, node: &Node) -> Option<Vec<(Trigger, TriggerPlace)>> {
        let Node::Sequence { items, .. } = node else {
            self.ill_typed(
                "triggers",
                node,
                "a list",
                "each item has `name`, `class`, `query`, `condition` and `for`",
            );
            return None;
        };
        if items.is_empty() {
            self.ill_typed(
                "triggers",
                node,
                "a list that is not empty",
                "without a trigger nothing ever makes a rollback mandatory",
            );
            return None;
        }
        let mut triggers: Vec<(Trigger, TriggerPlace)> = Vec::new();
        for item in items {
            let Some((trigger, name_span, place)) = self.trigger(item) else {
                continue;
            };
            if triggers.iter().any(|(it, _)| it.name == trigger.name) {
                self.findings.error(
                    "front-matter-duplicate",
                    name_span,
                    format!("trigger `{}` is given twice", trigger.name),
                    "second time",
                    "give each trigger a name of its own",
                );
            } else {
                triggers.push((trigger, place));
            }
        }
        Some(triggers)
    }

    fn trigger(&mut self, node: &Node) -> Option<(Trigger, Range<usize>, TriggerPlace)> {
        let Node::Mapping { entries, span } = node else {
            self.ill_typed(
                "triggers",
                node,
                "a list of mappings",
                "each item has `name`, `class`, `query`, `condition` and `for`",
            );
            return None;
        };
        self.keys(entries, &TRIGGER_KEYS, "trigger");
        let first = entries
            .first()
            .map_or(span.clone(), |(key, _)| key.span.clone());
        self.required(entries, &TRIGGER_KEYS, &[], first, "trigger");
        let get = |name: &str| {
            entries
                .iter()
                .find(|(key, _)| key.value == name)
                .map(|it| &it.1)
        };
        let name = get("name").and_then(|it| self.label("name", it));
        let class = get("class").and_then(|it| self.class(it));
        let query = get("query").and_then(|it| self.text("query", it));
        if let Some(query) = &query {
            query::check_trigger(query, self.findings);
        }
        let condition = get("condition").and_then(|it| {
            let text = self.text("condition", it)?;
            let condition = suggest::condition(&text.value);
            if condition.is_none() {
                self.ill_typed(
                    "condition",
                    it,
                    "a comparison with a number",
                    "for instance `\"> 0.1\"`, in quotes; operators are `<`, `<=`, `>`, `>=`, `==`",
                );
            }
            condition
        });
        let hold_for = get("for").and_then(|it| self.duration("for", it, Duration::from_secs(600)));
        let (name, query) = (name?, query?);
        let place = TriggerPlace {
            query: query.span,
            hold_for: get("for").map_or(span.clone(), Node::span),
        };
        Some((
            Trigger {
                name: name.value,
                class: class?,
                query: query.value,
                condition: condition?,
                hold_for: hold_for?,
            },
            name.span,
            place,
        ))
    }

    fn class(&mut self, node: &Node) -> Option<TriggerClass> {
        let text = self.text("class", node)?;
        match text.value.as_str() {
            "p0" => Some(TriggerClass::P0),
            "sla" => Some(TriggerClass::Sla),
            "data-integrity" => Some(TriggerClass::DataIntegrity),
            other => {
                self.findings.error(
                    "front-matter-value",
                    text.span.clone(),
                    format!("`{other}` is no class of trigger"),
                    "unknown class",
                    suggest::help(other, &CLASSES),
                );
                None
            }
        }
    }
}
