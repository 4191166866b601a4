//! What of a runbook is carried out: two runbooks with the same canonical form do the same.
//!
//! Queries are compared as they are parsed, so that their layout, line ends and comments are no difference.

use std::borrow::Cow;
use std::sync::Arc;

use executor::runbook::{Command, Mistake, Runbook};

use super::lacking::placed;
use crate::digest::digest64;
use crate::runbooks::LoadedRunbook;
use crate::scenario::Scenario;
use crate::worlds::Program;

/// One side of the comparison.
#[derive(Clone, Debug)]
pub struct RunbookSide {
    /// The runbook as read.
    pub loaded: LoadedRunbook,
    /// What is legal in it and unwise.
    pub warnings: Vec<Mistake>,
    /// What of it is carried out.
    pub canonical: Arc<Runbook>,
    /// The program that carries out the rollback; `None`: our own executor does, by the runbook. For a program, the
    /// runbook only says which triggers are watched.
    pub executor: Option<Arc<Program>>,
    /// The runbook in whose place this one is drilled. Faults that wait for a step which it alone has strike where that
    /// step would have been; `None`: it stands for itself.
    pub(super) instead_of: Option<Arc<Runbook>>,
    /// Digest of what is done: the canonical form, and the command of the program.
    pub key: u64,
}

/// Digest of what is done.
fn key(canonical: &Runbook, executor: Option<&Program>) -> u64 {
    let runbook = format!("{canonical:?}");
    match executor {
        None => digest64(runbook.as_bytes()),
        Some(program) => digest64(format!("{runbook}\n{}", program.command).as_bytes()),
    }
}

impl RunbookSide {
    /// Reads a runbook.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, executor::runbook::RunbookErrors> {
        let parsed = Runbook::parse_and_lint(file, text)?;
        let canonical = canonical(&parsed.runbook);
        Ok(Self {
            key: key(&canonical, None),
            executor: None,
            instead_of: None,
            warnings: parsed.warnings().to_vec(),
            canonical: Arc::new(canonical),
            loaded: LoadedRunbook {
                file: file.to_owned(),
                text: text.into(),
                runbook: Arc::new(parsed.runbook),
            },
        })
    }

    /// This side with that program for an executor.
    #[must_use]
    pub fn by(self, executor: Option<Arc<Program>>) -> Self {
        Self {
            key: key(&self.canonical, executor.as_deref()),
            executor,
            ..self
        }
    }

    /// This side in the place of `other`.
    #[must_use]
    pub(super) fn instead_of(self, other: &Self) -> Self {
        Self {
            instead_of: Some(Arc::clone(&other.loaded.runbook)),
            ..self
        }
    }

    /// `scenario` as this side is drilled in it.
    #[must_use]
    pub(super) fn drilled_in<'a>(&self, scenario: &'a Scenario) -> Cow<'a, Scenario> {
        match &self.instead_of {
            Some(old) => placed(scenario, old, self.runbook()),
            None => Cow::Borrowed(scenario),
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.executor {
            None => self.loaded.file.clone(),
            Some(program) => format!("`{}`", program.command),
        }
    }

    /// The runbook.
    #[must_use]
    pub fn runbook(&self) -> &Runbook {
        &self.loaded.runbook
    }

    /// This side with another runbook, made from its own, and in its place. The text stays:
    /// such a side is for drills whose tokens nobody is shown.
    #[must_use]
    pub fn altered(&self, runbook: Runbook) -> Self {
        let canonical = canonical(&runbook);
        Self {
            key: key(&canonical, self.executor.as_deref()),
            executor: self.executor.clone(),
            instead_of: Some(Arc::clone(&self.loaded.runbook)),
            warnings: Vec::new(),
            canonical: Arc::new(canonical),
            loaded: LoadedRunbook {
                runbook: Arc::new(runbook),
                ..self.loaded.clone()
            },
        }
    }
}

/// The runbook without what only people read: prose, headings, where a step stands and how its command is laid out.
/// Of the headings stays which steps share one, since the planner does those service by service.
#[must_use]
pub fn canonical(runbook: &Runbook) -> Runbook {
    let mut same = runbook.clone();
    same.title.clear();
    same.digest.clear();
    let mut group = 0;
    for (at, step) in same.steps.iter_mut().enumerate() {
        if at > 0 && runbook.steps[at - 1].title != step.title {
            group += 1;
        }
        step.title = format!("{group}");
        step.line = 0;
        step.text.clear();
        match &mut step.command {
            Command::PromQuery { query } => *query = asked_promql(query),
            Command::LogQuery { query } => *query = logql(query),
            _ => {}
        }
        step.count_query = step.count_query.as_deref().map(asked_promql);
    }
    for trigger in &mut same.triggers {
        trigger.query = asked_promql(&trigger.query);
    }
    same
}

/// Durations that stand in for `$WINDOW`, which is none to the parser, and how the parser writes them.
/// Three, so that one is left where a text has another one itself.
const WINDOWS: [(&str, &str); 3] = [
    ("7919s", "2h11m59s"),
    ("7927s", "2h12m7s"),
    ("7933s", "2h12m13s"),
];

/// PromQL as its parser understands it, on one line; what it does not understand, with its blanks made one.
pub(super) fn asked_promql(query: &str) -> String {
    let filled = |stand_in: &str| {
        let filled = query
            .replace("${WINDOW}", stand_in)
            .replace("$WINDOW", stand_in);
        promql::parse(&filled).map(|parsed| parsed.to_string())
    };
    for (index, (stand_in, written)) in WINDOWS.iter().enumerate() {
        let (other, _) = WINDOWS[(index + 1) % WINDOWS.len()];
        match (filled(stand_in), filled(other)) {
            // What is there with another stand-in, too, is the text's own.
            (Ok(_), Ok(own)) if own.contains(written) => {}
            (Ok(asked), Ok(_)) => return asked.replace(written, "$WINDOW"),
            _ => break,
        }
    }
    query.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// LogQL without blanks and comments outside of quotes, but for what keeps two words apart.
pub(super) fn logql(query: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let (mut strings, mut comment, mut blank) = (promql::Strings::default(), false, false);
    for c in query.chars() {
        if comment {
            comment = c != '\n';
        } else if strings.take(c) {
            out.push(c);
            blank = false;
        } else if c == '#' || c.is_whitespace() {
            comment = c == '#';
            blank = true;
        } else {
            if blank && is_word(c) && out.ends_with(is_word) {
                out.push(' ');
            }
            blank = false;
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{RunbookSide, asked_promql, logql};
    use crate::runbooks::BUILT_IN;

    fn key(text: &str) -> u64 {
        RunbookSide::parse("x.md", text).expect("it loads").key
    }

    #[test]
    fn prose_and_headings_are_not_carried_out_and_attributes_are() {
        let changed = |from: &str, to: &str| {
            assert!(BUILT_IN.contains(from), "{from}");
            key(&BUILT_IN.replace(from, to))
        };
        let same = key(BUILT_IN);
        assert_eq!(
            changed(
                "You are here because a release went bad",
                "A release went bad"
            ),
            same
        );
        assert_eq!(
            changed("## Fence the ledger", "## Keep writers out of the ledger"),
            same
        );
        assert_ne!(
            changed(
                "\"rb.timeout\":\"16s\",\"rb.for-each\"",
                "\"rb.timeout\":\"13s\",\"rb.for-each\""
            ),
            same
        );
        // A heading between two steps for each service: all undos first, then all waits.
        let at = BUILT_IN
            .find("```sh {\"name\":\"rollout-status\"")
            .expect("the step");
        let mut split = BUILT_IN.to_owned();
        split.insert_str(at, "## Wait for it\n\n");
        assert_ne!(key(&split), same);
    }
    #[test]
    fn layout_and_line_ends_are_no_difference_and_what_a_query_asks_is() {
        let same = key(BUILT_IN);
        assert_eq!(key(&BUILT_IN.replace('\n', "\r\n")), same);
        let folded = BUILT_IN.replace("query: >-", "query: |");
        assert_ne!(folded, BUILT_IN);
        assert_eq!(key(&folded), same);
        let one_line = BUILT_IN.replace("\n  / sum by (pod)", " /   sum by(pod)");
        assert_ne!(one_line, BUILT_IN);
        assert_eq!(key(&one_line), same);
        for (from, to) in [
            ("'max(dex_reconciliation", "'min(dex_reconciliation"),
            ("'max(dex_reconciliation", "'0 * max(dex_reconciliation"),
            ("maintenance='false'}[$WINDOW]", "maintenance='false'}[1h]"),
            ("level=\"error\"", "level=\"fatal\""),
        ] {
            assert!(BUILT_IN.contains(from), "{from}");
            assert_ne!(key(&BUILT_IN.replacen(from, to, 1)), same, "{from}");
        }
    }

    #[test]
    fn queries_are_compared_as_they_are_parsed() {
        let window = asked_promql("sum( rate(x{a=\"b\"}[$WINDOW]) )");
        assert_eq!(
            window,
            asked_promql("sum(rate(x{a='b'}[${WINDOW}])) # said so")
        );
        assert!(window.contains("[$WINDOW]"), "{window}");
        assert_ne!(window, asked_promql("sum(rate(x{a=\"b\"}[1m]))"));
        for duration in ["7919s", "2h11m59s", "7927s", "7933s"] {
            let fixed = asked_promql(&format!("sum(rate(x{{a=\"b\"}}[{duration}]))"));
            assert_ne!(window, fixed, "{duration}");
        }
        assert_eq!(
            logql("sum( count_over_time({a=\"b c\"} [1m]) )"),
            "sum(count_over_time({a=\"b c\"}[1m]))"
        );
    }
}
