//! One step: the attributes on its fence, its command, and whether they go together.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use super::attributes::{self, Attribute};
use super::command::{self, Command, Context, Value};
use super::document::Block;
use super::front_matter::FrontMatter;
use super::model::{Condition, OnFail, Phase, Step, When};
use super::source::{Findings, Spanned, position};
use super::{query, suggest, words};

const KEYS: [&str; 10] = [
    "name",
    "rb.phase",
    "rb.timeout",
    "rb.on-fail",
    "rb.when",
    "rb.for-each",
    "rb.expect",
    "rb.min-requests",
    "rb.requests",
    "rb.hold",
];
const PHASES: [&str; 3] = ["prepare", "run", "after"];
const ON_FAIL: [&str; 3] = ["abort", "continue", "restore"];
/// What `rb.when` can be: the conditions under which a plan has a step.
pub const WHEN: [&str; 8] = [
    "always",
    "ledger.breaking",
    "ledger.undo",
    "ledger.restore",
    "deployment.paused",
    "config.changed",
    "config.only",
    "replicas.reduced",
];
/// Longest budget of a step that isn't bound by the RTO.
const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
/// Most requests that it makes sense to wait for.
const REQUESTS_MAX: u64 = 1_000_000_000;

/// Where things of a step stand, for messages about it.
pub(super) struct Place {
    /// The fence's first line.
    pub(super) opening: Range<usize>,
    /// The command.
    pub(super) command: Range<usize>,
    pub(super) name: Range<usize>,
    pub(super) timeout: Range<usize>,
    /// What `rb.hold` is.
    pub(super) hold: Option<Range<usize>>,
    /// What `rb.min-requests` is.
    pub(super) min_requests: Option<Range<usize>>,
    /// What `rb.requests` is.
    pub(super) requests: Option<Range<usize>>,
    /// The snapshot that it names.
    pub(super) snapshot: Option<Spanned<String>>,
}

/// The attributes of one step as read so far.
#[derive(Default)]
struct Draft {
    name: Option<Spanned<String>>,
    phase: Option<Phase>,
    timeout: Option<Spanned<Duration>>,
    on_fail: Option<Spanned<OnFail>>,
    when: Option<When>,
    for_each: bool,
    expect: Option<Condition>,
    min_requests: Option<u64>,
    count_query: Option<Spanned<String>>,
    hold: Option<Duration>,
    /// Where the attributes stand that only queries have.
    of_queries: Vec<(&'static str, Range<usize>)>,
}

impl Draft {
    /// Where the value of an attribute stands that only queries have.
    fn at(&self, wanted: &str) -> Option<Range<usize>> {
        let mut all = self.of_queries.iter();
        all.find(|(key, _)| *key == wanted)
            .map(|(_, span)| span.clone())
    }
}

/// Reads the step in `block`. `None`: it isn't one, and the findings say why.
pub(super) fn read(
    text: &str,
    block: &Block,
    front: &FrontMatter,
    findings: &mut Findings<'_>,
) -> Option<(Step, Place)> {
    let draft = attributes::read(text, block.info.clone(), findings)
        .map(|attributes| read_attributes(&attributes, block, front, findings));
    let words = words::split(text, block.code.clone(), findings);
    if block.heading.is_empty() {
        findings.error(
            "heading-missing",
            block.opening.clone(),
            "this step has no title",
            "no heading above",
            "put a heading above it: it is what people see while the step runs",
        );
    }
    let context = Context {
        namespace: front.namespace.as_deref(),
        services: front.services.as_deref(),
        for_each: draft.as_ref().map(|draft| draft.for_each),
        timeout: draft
            .as_ref()
            .and_then(|draft| Some(draft.timeout.as_ref()?.value)),
    };
    let words = words?;
    let understood = command::understand(&words, &context, findings);
    let draft = draft?;
    let understood = understood?;
    queries_are_complete(&draft, &understood.command, block, findings);
    if let Some(on_fail) = &draft.on_fail
        && on_fail.value == OnFail::Restore
        && understood.command != Command::UndoSchema
    {
        findings.error(
            "attribute-misplaced",
            on_fail.span.clone(),
            "only a failed `flyway undo` can be made good by a restore",
            "not the undo of the schema",
            "write `abort`, or `continue` if nothing depends on this step",
        );
    }
    let (hold, min_requests, requests) = (
        draft.at("rb.hold"),
        draft.at("rb.min-requests"),
        draft.at("rb.requests"),
    );
    let (name, timeout) = (draft.name?, draft.timeout?);
    let command_range = words.first()?.span.start..words.last()?.span.end;
    let step = Step {
        name: name.value,
        title: block.heading.clone(),
        line: position(text, command_range.start).0,
        text: text[command_range.clone()].to_owned(),
        command: understood.command,
        kinds: understood.kinds,
        phase: draft.phase?,
        timeout: timeout.value,
        on_fail: draft.on_fail.map_or(OnFail::Abort, |it| it.value),
        when: draft.when.unwrap_or(When::Always),
        for_each_service: draft.for_each,
        expect: draft.expect,
        min_requests: draft.min_requests,
        count_query: draft.count_query.map(|it| it.value),
        hold: draft.hold,
    };
    let place = Place {
        opening: block.opening.clone(),
        command: command_range,
        name: name.span,
        timeout: timeout.span,
        hold,
        min_requests,
        requests,
        snapshot: understood.snapshot,
    };
    Some((step, place))
}

fn read_attributes(
    attributes: &[Attribute],
    block: &Block,
    front: &FrontMatter,
    findings: &mut Findings<'_>,
) -> Draft {
    let mut draft = Draft::default();
    let mut seen = BTreeSet::new();
    for attribute in attributes {
        let key = attribute.key.value.as_str();
        if !KEYS.contains(&key) {
            let help = match suggest::closest(&format!("rb.{key}"), KEYS) {
                Some(prefixed) if !key.starts_with("rb.") => format!("did you mean `{prefixed}`?"),
                _ => suggest::help(key, &KEYS),
            };
            findings.error(
                "attribute-unknown",
                attribute.key.span.clone(),
                format!("unknown attribute `{key}`"),
                "not an attribute of a step",
                help,
            );
            continue;
        }
        if !seen.insert(key) {
            findings.error(
                "attribute-duplicate",
                attribute.key.span.clone(),
                format!("attribute `{key}` is given twice"),
                "second time",
                "remove one of them",
            );
            continue;
        }
        if !attribute.is_text && key != "rb.min-requests" {
            findings.error(
                "attribute-type",
                attribute.value.span.clone(),
                format!("`{key}` must be a text"),
                format!("this is `{}`", attribute.value.value),
                format!(
                    "put it in double quotes: `\"{key}\":\"{}\"`",
                    as_text(key, &attribute.value.value)
                ),
            );
            // It is there, and is not to be told as missing as well.
            let known = KEYS.into_iter().find(|known| *known == key);
            if let Some(key) =
                known.filter(|it| ["rb.expect", "rb.hold", "rb.requests"].contains(it))
            {
                draft.of_queries.push((key, attribute.value.span.clone()));
            }
            continue;
        }
        read_attribute(key, &attribute.value, &mut draft, findings);
    }
    for key in ["name", "rb.phase", "rb.timeout"] {
        if !seen.contains(key) {
            findings.error(
                "attribute-missing",
                block.info.clone(),
                format!("this step lacks the attribute `{key}`"),
                "missing in here",
                format!("add `\"{key}\":\"…\"`"),
            );
        }
    }
    timeout_is_in_range(&draft, front, findings);
    draft
}

/// What was meant by a bare `value` of the attribute `key`, as a text that is understood.
fn as_text(key: &str, value: &str) -> String {
    let number: Option<f64> = value.parse().ok().filter(|it: &f64| it.is_finite());
    match key {
        "name" if suggest::is_label(value) => value.to_owned(),
        "name" => "undo-app".to_owned(),
        "rb.phase" => "run".to_owned(),
        "rb.on-fail" => "continue".to_owned(),
        "rb.when" => "always".to_owned(),
        "rb.for-each" => "service".to_owned(),
        "rb.requests" => "sum(increase(REQUESTS_TOTAL[$WINDOW]))".to_owned(),
        "rb.expect" => number.map_or_else(|| "< 0.0001".to_owned(), |_| format!("== {value}")),
        // A number without a unit is meant in seconds.
        _ => match number.and_then(|it| Duration::try_from_secs_f64(it).ok()) {
            Some(meant) if meant.as_millis() > 0 && meant <= TIMEOUT_MAX => suggest::show(meant),
            _ => "60s".to_owned(),
        },
    }
}

fn read_attribute(
    key: &str,
    value: &Spanned<String>,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) {
    let text = value.value.as_str();
    match key {
        "name" => {
            if suggest::is_label(text) {
                draft.name = Some(value.clone());
            } else {
                findings.error(
                    "attribute-value",
                    value.span.clone(),
                    format!("`{text}` can't be the name of a step"),
                    "not kebab-case",
                    "lower-case letters, digits and `-`, for instance `undo-app`",
                );
            }
        }
        "rb.phase" => {
            draft.phase = match text {
                "prepare" => Some(Phase::Prepare),
                "run" => Some(Phase::Run),
                "after" => Some(Phase::After),
                _ => unknown_value("phase", value, &PHASES, findings),
            };
        }
        "rb.on-fail" => {
            let on_fail = match text {
                "abort" => Some(OnFail::Abort),
                "continue" => Some(OnFail::Continue),
                "restore" => Some(OnFail::Restore),
                _ => unknown_value("way to go on", value, &ON_FAIL, findings),
            };
            draft.on_fail = on_fail.map(|it| Spanned::new(it, value.span.clone()));
        }
        "rb.when" => {
            draft.when = match text {
                "always" => Some(When::Always),
                "ledger.breaking" => Some(When::LedgerBreaking),
                "ledger.undo" => Some(When::LedgerUndo),
                "ledger.restore" => Some(When::LedgerRestore),
                "deployment.paused" => Some(When::DeploymentPaused),
                "config.changed" => Some(When::ConfigChanged),
                "config.only" => Some(When::ConfigOnly),
                "replicas.reduced" => Some(When::ReplicasReduced),
                _ => unknown_value("condition", value, &WHEN, findings),
            };
        }
        "rb.for-each" => match text {
            "service" => draft.for_each = true,
            _ => {
                draft.for_each = true;
                let _: Option<()> =
                    unknown_value("thing to repeat for", value, &["service"], findings);
            }
        },
        "rb.timeout" => {
            draft.timeout =
                duration(key, value, findings).map(|it| Spanned::new(it, value.span.clone()));
        }
        "rb.hold" => {
            draft.of_queries.push(("rb.hold", value.span.clone()));
            draft.hold = duration(key, value, findings).and_then(|hold| {
                in_range(
                    key,
                    value,
                    !hold.is_zero() && hold <= TIMEOUT_MAX,
                    "more than 0 and at most 1h",
                    findings,
                )
                .then_some(hold)
            });
        }
        "rb.requests" => {
            draft.of_queries.push(("rb.requests", value.span.clone()));
            draft.count_query = Some(value.clone());
        }
        "rb.expect" => {
            draft.of_queries.push(("rb.expect", value.span.clone()));
            draft.expect = suggest::condition(text);
            if draft.expect.is_none() {
                findings.error(
                    "attribute-value",
                    value.span.clone(),
                    format!("`{text}` is not a comparison with a number"),
                    "not understood",
                    "for instance `< 0.0001`; operators are `<`, `<=`, `>`, `>=`, `==`",
                );
            }
        }
        _ => {
            draft
                .of_queries
                .push(("rb.min-requests", value.span.clone()));
            match text.replace('_', "").parse::<u64>() {
                Ok(count) => {
                    if in_range(
                        key,
                        value,
                        (1..=REQUESTS_MAX).contains(&count),
                        "at least 1",
                        findings,
                    ) {
                        draft.min_requests = Some(count);
                    }
                }
                Err(_) => findings.error(
                    "attribute-type",
                    value.span.clone(),
                    format!("`{text}` is not a number of requests"),
                    "expected a whole number",
                    "for instance `30000`, which bounds the error rate below 0.01 % if none fails",
                ),
            }
        }
    }
}

fn unknown_value<T>(
    what: &str,
    value: &Spanned<String>,
    known: &[&str],
    findings: &mut Findings<'_>,
) -> Option<T> {
    findings.error(
        "attribute-value",
        value.span.clone(),
        format!("unknown {what} `{}`", value.value),
        "not understood",
        suggest::help(&value.value, known),
    );
    None
}

fn duration(key: &str, value: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Duration> {
    let read = contract::duration::parse(&value.value);
    if read.is_none() {
        findings.error(
            "attribute-type",
            value.span.clone(),
            format!("`{key}` must be a duration"),
            format!("this is `{}`", value.value),
            "a number with its unit: `500ms`, `60s`, `5m`, `1m30s`",
        );
    }
    read
}

fn in_range(
    key: &str,
    value: &Spanned<String>,
    good: bool,
    range: &str,
    findings: &mut Findings<'_>,
) -> bool {
    if !good {
        findings.error(
            "attribute-range",
            value.span.clone(),
            format!("`{key}` is out of range"),
            format!("this is `{}`", value.value),
            format!("it must be {range}"),
        );
    }
    good
}

fn timeout_is_in_range(draft: &Draft, front: &FrontMatter, findings: &mut Findings<'_>) {
    let Some(timeout) = &draft.timeout else {
        return;
    };
    let (max, why) = match (draft.phase, front.rto) {
        (Some(Phase::Run), Some(rto)) => (rto, "the RTO"),
        _ => (TIMEOUT_MAX, "the longest budget there is"),
    };
    if timeout.value.is_zero() || timeout.value > max {
        findings.error(
            "attribute-range",
            timeout.span.clone(),
            "`rb.timeout` is out of range",
            format!("this is {}", suggest::show(timeout.value)),
            format!(
                "it must be more than 0 and at most {}, {why}",
                suggest::show(max)
            ),
        );
    }
}

/// A query needs an expectation; nothing else can have one.
fn queries_are_complete(
    draft: &Draft,
    command: &Command,
    block: &Block,
    findings: &mut Findings<'_>,
) {
    let value = command.spec().value;
    if value != Value::None {
        if value == Value::Answer {
            requests_are_counted(draft, findings);
        }
        if draft.of_queries.iter().all(|(key, _)| *key != "rb.expect") {
            findings.error(
                "attribute-missing",
                block.info.clone(),
                "this query expects nothing, so it can't fail",
                "missing `rb.expect`",
                "add, for instance, `\"rb.expect\":\"< 0.0001\"`",
            );
        }
    }
    for (key, span) in &draft.of_queries {
        let (fits, label) = match value {
            Value::Answer => (true, ""),
            Value::Growth => (
                matches!(*key, "rb.expect" | "rb.hold"),
                "a counter says nothing of how many requests there were",
            ),
            Value::None => (false, "this step has no value to judge"),
        };
        if !fits {
            findings.error(
                "attribute-misplaced",
                span.clone(),
                format!("`{key}` belongs to queries only"),
                label,
                "remove it, or ask Prometheus with a `promql` step",
            );
        }
    }
}

/// `rb.min-requests` and `rb.requests` belong together, and the latter is PromQL over the window.
fn requests_are_counted(draft: &Draft, findings: &mut Findings<'_>) {
    match (draft.at("rb.min-requests"), draft.at("rb.requests")) {
        (Some(span), None) => findings.error(
            "attribute-missing",
            span,
            "`rb.min-requests` needs a query that counts the requests",
            "nothing to hold it against",
            "add `\"rb.requests\":\"sum(increase(REQUESTS_TOTAL[$WINDOW]))\"`",
        ),
        (None, Some(span)) => findings.error(
            "attribute-missing",
            span,
            "`rb.requests` counts requests, but nothing says how many are needed",
            "lacks `rb.min-requests`",
            "add `\"rb.min-requests\":\"30000\"`",
        ),
        _ => {}
    }
    let Some(counting) = &draft.count_query else {
        return;
    };
    let wrong = query::placeholders(&counting.value)
        .into_iter()
        .find(|(name, _)| name != "WINDOW");
    if let Some((name, _)) = wrong {
        findings.error(
            "placeholder",
            counting.span.clone(),
            format!("`${name}` means nothing in `rb.requests`"),
            "undeclared placeholder",
            "known here: `$WINDOW`",
        );
        return;
    }
    query::check_promql(&counting.value, counting.span.clone(), findings);
}
