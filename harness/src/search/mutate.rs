//! Mutants of a runbook: each is the runbook with one thing changed, as a person might change it.
//!
//! A mutant is a text, so that people can read it and every command takes it. Steps and triggers are found by their form:
//! a step is a fence whose first line holds its attributes as JSON, and a trigger is an item of the front matter.

use serde_json::{Map, Value};

/// A runbook with one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// What is changed: a step, a trigger, or a key of the front matter.
    pub subject: String,
    /// How, in a few words.
    pub change: String,
    /// The runbook's text.
    pub text: String,
}

/// A step in the text.
struct Fence<'t> {
    /// Where its first line begins, and where the line after its end begins.
    start: usize,
    end: usize,
    attributes: Map<String, Value>,
    /// The lines between the fences.
    command: &'t str,
}

impl Fence<'_> {
    fn name(&self) -> &str {
        self.attributes
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).and_then(Value::as_str)
    }

    /// The step as text, with other attributes and another command.
    fn with(&self, attributes: &Map<String, Value>, command: &str) -> String {
        let attributes = Value::Object(attributes.clone());
        format!("```sh {attributes}\n{command}```\n")
    }

    /// The step with one attribute set, or without it.
    fn set(&self, key: &str, value: Option<&str>) -> String {
        let mut attributes = self.attributes.clone();
        match value {
            Some(value) => attributes.insert(key.to_owned(), value.into()),
            None => attributes.remove(key),
        };
        self.with(&attributes, self.command)
    }
}

/// The steps of `text`, in order. What is no step is passed over.
fn fences(text: &str) -> Vec<Fence<'_>> {
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
struct Item<'t> {
    start: usize,
    end: usize,
    text: &'t str,
}

impl Item<'_> {
    fn value(&self, key: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        lines.find_map(|line| {
            let line = line.trim_start().trim_start_matches("- ");
            let value = line.strip_prefix(key)?.strip_prefix(':')?;
            Some(value.trim().trim_matches('"'))
        })
    }
}

/// The triggers of `text`, in order.
fn items(text: &str) -> Vec<Item<'_>> {
    const NAME: &str = "  - name: ";
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

/// A time such as `16s`, `300ms` or `5m`, multiplied by `by` and divided by `part`; whole milliseconds.
fn times(text: &str, by: u64, part: u64) -> Option<String> {
    let duration = crate::scenario::parse_duration(text).ok()?;
    let ms = u64::try_from(duration.as_millis()).ok()? * by / part;
    Some(format!("{ms}ms"))
}

/// Mutants of the number in a condition such as `< 0.0001`: laxer, stricter, and the other way round.
fn conditions(condition: &str) -> Vec<(String, String)> {
    let Some((operator, number)) = condition.split_once(' ') else {
        return Vec::new();
    };
    let Ok(value) = number.parse::<f64>() else {
        return Vec::new();
    };
    let flipped = match operator {
        "<" => ">",
        ">" => "<",
        "==" => "!=",
        "!=" => "==",
        "<=" => ">=",
        ">=" => "<=",
        _ => return Vec::new(),
    };
    let mut out = vec![("sign changed".to_owned(), format!("{flipped} {number}"))];
    if value == 0.0 {
        out.push(("bound raised to 10".to_owned(), format!("{operator} 10")));
    } else {
        out.push((
            "bound a hundred times as large".to_owned(),
            format!("{operator} {}", value * 100.0),
        ));
        out.push((
            "bound a hundredth".to_owned(),
            format!("{operator} {}", value / 100.0),
        ));
    }
    out
}

/// Mutants of a query or command: the first place of each pattern is changed.
fn commands(command: &str) -> Vec<(String, String)> {
    const CHANGES: &[(&str, &str)] = &[
        ("code=~\"5..\"", "code=~\"4..\""),
        ("code=~\"5..\", ", ""),
        ("maintenance=\"false\"", "maintenance=\"true\""),
        (", maintenance=\"false\"", ""),
        ("namespace=\"dex-production\"", "namespace=\"dex-staging\""),
        ("sum by (pod)", "sum"),
        ("sum(", "max("),
        ("max(", "min("),
        ("max(", "avg("),
        ("increase(", "rate("),
        ("rate(", "delta("),
        ("[$WINDOW]", "[10s]"),
        ("[$WINDOW]", "[10m]"),
        ("[10s]", "[5m]"),
        ("[15s]", "[5m]"),
        ("[1m]", "[10m]"),
        ("0.99", "0.5"),
        (" offset 5m", ""),
        ("\n  or 0 * sum", "\n  or sum"),
        (" == 1)", " >= 0)"),
        ("level=\"error\"", "level=\"warn\""),
        ("app=\"gateway\"", "app=\"risk\""),
        ("count_over_time", "rate"),
        ("maintenance\"}", "open\"}"),
        ("open\"}", "maintenance\"}"),
        (" --to-revision=$REVISION", ""),
        ("--since=15m", "--since=1s"),
        (" --tail=-1", ""),
        (":8080", ":9090"),
        ("before_release", "other_release"),
        ("/healthz", "/livez"),
    ];
    CHANGES
        .iter()
        .filter(|(was, _)| command.contains(was))
        .map(|(was, is)| {
            let change = format!("`{}` for `{}`", is.trim(), was.trim());
            (change, command.replacen(was, is, 1))
        })
        .collect()
}

/// How many steps and how many triggers of `text` are found and can be changed.
#[must_use]
pub fn found(text: &str) -> (usize, usize) {
    (fences(text).len(), items(text).len())
}

/// All mutants of the runbook `text` with one change.
#[must_use]
pub fn mutants(text: &str) -> Vec<Mutant> {
    let mut out = Vec::new();
    steps(text, &mut out);
    triggers(text, &mut out);
    front_matter(text, &mut out);
    out.retain(|mutant| mutant.text != text);
    out
}

/// `text` with what is between `start` and `end` replaced.
fn spliced(text: &str, start: usize, end: usize, with: &str) -> String {
    format!("{}{with}{}", &text[..start], &text[end..])
}

fn steps(text: &str, out: &mut Vec<Mutant>) {
    let fences = fences(text);
    for (nth, fence) in fences.iter().enumerate() {
        let mut add = |change: String, with: &str| {
            out.push(Mutant {
                subject: fence.name().to_owned(),
                change,
                text: spliced(text, fence.start, fence.end, with),
            });
        };
        add("dropped".to_owned(), "");
        let again = fence.set("name", Some(&format!("{}-again", fence.name())));
        let whole = &text[fence.start..fence.end];
        add("done twice".to_owned(), &format!("{whole}\n{again}"));
        for (key, word) in [("rb.timeout", "budget"), ("rb.hold", "hold")] {
            if let Some(was) = fence.attribute(key) {
                for (by, part, how) in [(1, 2, "halved"), (2, 1, "doubled"), (1, 20, "a twentieth")]
                {
                    if let Some(is) = times(was, by, part) {
                        add(format!("{word} {how}"), &fence.set(key, Some(&is)));
                    }
                }
            }
        }
        if let Some(condition) = fence.attribute("rb.expect") {
            for (how, is) in conditions(condition) {
                add(how, &fence.set("rb.expect", Some(&is)));
            }
        }
        for key in [
            "rb.hold",
            "rb.min-requests",
            "rb.when",
            "rb.on-fail",
            "rb.for-each",
        ] {
            if fence.attribute(key).is_some() {
                add(format!("without `{key}`"), &fence.set(key, None));
            }
        }
        if fence.attribute("rb.on-fail").is_none() {
            let continued = fence.set("rb.on-fail", Some("continue"));
            add("its failure passed over".to_owned(), &continued);
        }
        if fence.attribute("rb.min-requests").is_some() {
            let few = fence.set("rb.min-requests", Some("300"));
            add("300 requests are enough".to_owned(), &few);
        }
        let phase = match fence.attribute("rb.phase") {
            Some("run") => "after",
            _ => "run",
        };
        let moved = fence.set("rb.phase", Some(phase));
        add(format!("in the phase `{phase}`"), &moved);
        for (how, command) in commands(fence.command) {
            add(how, &fence.with(&fence.attributes, &command));
        }
        if let Some(next) = fences.get(nth + 1) {
            let (this, that) = (&text[fence.start..fence.end], &text[next.start..next.end]);
            let between = &text[fence.end..next.start];
            out.push(Mutant {
                subject: fence.name().to_owned(),
                change: format!("after `{}`", next.name()),
                text: spliced(
                    text,
                    fence.start,
                    next.end,
                    &format!("{that}{between}{this}"),
                ),
            });
        }
    }
}

fn triggers(text: &str, out: &mut Vec<Mutant>) {
    for item in items(text) {
        let name = item.value("name").unwrap_or_default().to_owned();
        let mut add = |change: String, with: &str| {
            out.push(Mutant {
                subject: name.clone(),
                change,
                text: spliced(text, item.start, item.end, with),
            });
        };
        add("dropped".to_owned(), "");
        if let Some(was) = item.value("for") {
            let line = format!("for: {was}\n");
            for (by, part, how) in [
                (1, 2, "halved"),
                (2, 1, "doubled"),
                (10, 1, "tenfold"),
                (0, 1, "taken away"),
            ] {
                if let Some(is) = times(was, by, part) {
                    let with = item.text.replacen(&line, &format!("for: {is}\n"), 1);
                    add(format!("debounce {how}"), &with);
                }
            }
        }
        if let Some(was) = item.value("condition") {
            for (how, is) in conditions(was) {
                let with = item.text.replacen(
                    &format!("condition: \"{was}\""),
                    &format!("condition: \"{is}\""),
                    1,
                );
                add(how, &with);
            }
        }
        for (how, with) in commands(item.text) {
            add(how, &with);
        }
    }
}

fn front_matter(text: &str, out: &mut Vec<Mutant>) {
    for line in text
        .lines()
        .take_while(|line| !line.starts_with("triggers:"))
    {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        let mut add = |change: String, is: String| {
            out.push(Mutant {
                subject: key.to_owned(),
                change,
                text: text.replacen(&format!("{line}\n"), &format!("{key}: {is}\n"), 1),
            });
        };
        if matches!(key, "rto" | "validation-window") {
            for (by, part, how) in [(1, 2, "halved"), (2, 1, "doubled")] {
                if let Some(is) = times(value, by, part) {
                    add(how.to_owned(), is);
                }
            }
        }
        if key == "services" {
            let names: Vec<&str> = value
                .trim_matches(['[', ']'])
                .split(',')
                .map(str::trim)
                .collect();
            let mut reversed = names.clone();
            reversed.reverse();
            add(
                "in reverse order".to_owned(),
                format!("[{}]", reversed.join(", ")),
            );
            for left_out in &names {
                let kept: Vec<&str> = names.iter().copied().filter(|it| it != left_out).collect();
                add(
                    format!("without {left_out}"),
                    format!("[{}]", kept.join(", ")),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
    fn mutants_differ_from_the_runbook_and_from_each_other() {
        let all = mutants(BUILT_IN);
        assert!(all.len() > 300, "{}", all.len());
        let texts: BTreeSet<&str> = all.iter().map(|it| it.text.as_str()).collect();
        // A trigger whose debounce is halved in one way only, and the like, may come twice.
        assert!(
            texts.len() * 100 >= all.len() * 98,
            "{} of {}",
            texts.len(),
            all.len()
        );
        assert!(!texts.contains(BUILT_IN));
        // Attributes written in another order read as the same step.
        let fence = &fences(BUILT_IN)[0];
        let same = spliced(
            BUILT_IN,
            fence.start,
            fence.end,
            &fence.with(&fence.attributes, fence.command),
        );
        let was = Runbook::parse("x.md", BUILT_IN).expect("valid");
        let is = Runbook::parse("x.md", &same).expect("valid");
        assert_eq!(was.steps, is.steps);
    }

    #[test]
    fn most_mutants_are_runbooks() {
        let all = mutants(BUILT_IN);
        let read = all
            .iter()
            .filter(|it| Runbook::parse("x.md", &it.text).is_ok());
        assert!(read.count() * 10 > all.len() * 6);
    }
}
