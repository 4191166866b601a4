//! Pages and lists for a terminal of 80 columns.

use std::fmt::Write as _;

use textwrap::{Options, WordSplitter};

use super::page::{About, KeyShown, Kind};

/// Columns of a terminal that everything fits.
const WIDTH: usize = 80;
/// The widest column of names: what is wider has a line of its own.
const NAME_MAX: usize = 28;

/// Lines of the terminal's width, in which no word is parted at a hyphen: names have hyphens, and are copied.
fn whole_words<'a>() -> Options<'a> {
    Options::new(WIDTH).word_splitter(WordSplitter::NoHyphenation)
}

/// `text` beside `label`, wrapped, the further lines below its beginning.
fn beside(out: &mut String, label: &str, column: usize, text: &str) {
    let indent = " ".repeat(column);
    let first = format!("  {label:width$}", width = column - 2);
    let (first, label_alone) = if label.len() + 3 > column {
        (indent.as_str(), true)
    } else {
        (first.as_str(), false)
    };
    if label_alone {
        let _ = writeln!(out, "  {label}");
    }
    let options = whole_words()
        .initial_indent(first)
        .subsequent_indent(&indent);
    for line in textwrap::wrap(text, options) {
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn paragraph(out: &mut String, text: &str) {
    for line in textwrap::wrap(text, whole_words()) {
        let _ = writeln!(out, "{line}");
    }
}

fn column<'a>(labels: impl Iterator<Item = &'a str>) -> usize {
    labels
        .map(str::len)
        .filter(|&len| len <= NAME_MAX)
        .max()
        .unwrap_or(0)
        + 4
}

/// Names with one sentence each, under a heading for each group.
#[must_use]
pub fn listed(all: &[About]) -> String {
    let mut out = String::new();
    let column = column(all.iter().map(|about| about.name.as_str()));
    let mut group = "";
    for about in all {
        if about.group != group {
            group = about.group;
            let between = if out.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{between}{group}");
        }
        beside(&mut out, &about.name, column, &about.what);
    }
    out
}

/// Keys with their values, defaults and meanings.
#[must_use]
pub fn keys_page(keys: &[KeyShown]) -> String {
    let mut out = String::new();
    let column = column(keys.iter().map(|key| key.key.as_str()));
    for key in keys {
        let takes = format!("{}.", key.values);
        let said = match (&key.value, key.default) {
            (Some(value), Some(default)) if value == default => {
                format!("{value} (the default). {} Takes {takes}", key.what)
            }
            (Some(value), Some(default)) => {
                format!("{value}. {} Takes {takes} Default: {default}.", key.what)
            }
            (Some(value), None) => format!("{value}. {} Takes {takes}", key.what),
            (None, Some(default)) => format!("{} Takes {takes} Default: {default}.", key.what),
            (None, None) => format!("{} Takes {takes} It must be given.", key.what),
        };
        beside(&mut out, &key.key, column, &said);
    }
    out
}

/// Everything that is known of one thing.
#[must_use]
pub fn page(about: &About) -> String {
    let mut out = format!("{} {}\n\n", about.kind, about.name);
    paragraph(&mut out, &about.what);
    out.push('\n');
    let width = column(about.facts.iter().map(|fact| fact.of));
    let mut before = "";
    for fact in &about.facts {
        let label = if fact.of == before { "" } else { fact.of };
        before = fact.of;
        beside(&mut out, label, width, &fact.is);
    }
    if !about.keys.is_empty() {
        out.push_str("\nKeys:\n\n");
        out.push_str(&keys_page(&about.keys));
    }
    if !about.example.is_empty() {
        let heading = match about.kind {
            Kind::Scenario => "The file:",
            _ => "In a scenario:",
        };
        let _ = writeln!(out, "\n{heading}\n");
        for line in about.example.lines() {
            let _ = writeln!(out, "{}", format!("    {line}").trim_end());
        }
    }
    let drill = match (about.kind, about.scenarios.as_slice()) {
        (Kind::Scenario, _) => Some(about.name.as_str()),
        (_, []) => None,
        (_, [first, ..]) => Some(*first),
    };
    if !about.scenarios.is_empty() {
        out.push_str("\nBuilt-in scenarios with it:\n\n");
        let options = whole_words().initial_indent("  ").subsequent_indent("  ");
        for line in textwrap::wrap(&about.scenarios.join(", "), options) {
            let _ = writeln!(out, "{line}");
        }
    }
    if let Some(name) = drill {
        let _ = writeln!(out, "\nDrill it:\n\n    firedrill chaos {name} --seeds 20");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::about;
    use crate::runbooks::LoadedRunbook;

    /// What a file says is shown as it stands.
    fn is_verbatim(line: &str, about: &About) -> bool {
        let mut of_file = about.example.lines();
        of_file.any(|of_file| of_file.trim() == line.trim())
    }

    #[test]
    fn every_page_and_every_list_fits_eighty_columns() {
        let runbook = LoadedRunbook::built_in().expect("it loads");
        for kind in Kind::ALL {
            let all = about::all(kind, &runbook);
            assert!(!all.is_empty(), "{kind}");
            let lists = listed(&all);
            for about in &all {
                assert!(lists.contains(&about.name), "{}", about.name);
                for line in page(about).lines().filter(|line| !is_verbatim(line, about)) {
                    assert!(line.chars().count() <= WIDTH, "{}: {line}", about.name);
                }
            }
            for line in lists.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn the_names_of_scenarios_are_whole() {
        let runbook = LoadedRunbook::built_in().expect("it loads");
        let triggers = about::all(Kind::Trigger, &runbook);
        let trigger = triggers.iter().find(|it| it.name == "sla-latency-p99");
        let trigger = trigger.expect("it is a trigger");
        let shown = page(trigger);
        for name in &trigger.scenarios {
            let mut words = shown.split([' ', ',', '\n']);
            assert!(words.any(|word| word == *name), "{name}: {shown}");
        }
    }

    #[test]
    fn a_fault_is_shown_with_its_ranges_and_its_defaults() {
        let runbook = LoadedRunbook::built_in().expect("it loads");
        let faults = about::all(Kind::Fault, &runbook);
        let killed = faults.iter().find(|it| it.name == "executor-killed");
        insta::assert_snapshot!(page(killed.expect("it is a fault")));
    }
}
