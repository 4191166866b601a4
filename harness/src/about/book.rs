//! Pages of the book that are made from the catalogues: every fault, release, trigger and key, with its ranges.
//!
//! `harness/tests/book.rs` holds the pages in `book/src` against these.

use std::fmt::Write as _;

use super::page::{About, Fact, KeyShown, Kind};

/// What each of these pages begins with.
const HEAD: &str = "<!-- The tests of this page make it from the catalogues of the code: change these, and write it anew with\n     `INSTA_UPDATE=always cargo test -p firedrill --test book`. -->\n\n";

/// Everything of `kind` as a page of the book: `all` of it, in its order.
#[must_use]
pub fn book_page(kind: Kind, all: &[About]) -> String {
    let (title, words, column) = match kind {
        Kind::Scenario => (
            "Built-in scenarios",
            "`cargo xtask chaos NAME` drills one of them, and `cargo xtask chaos all` every one. `cargo xtask show NAME` shows\nits file.",
            "scenario",
        ),
        Kind::Release => (
            "Releases",
            "A scenario deploys one of these with `release.to`. Most of them are bad, each in its own way. The\nversion alone names a release, too: `1.5.0`.",
            "release",
        ),
        Kind::Fault => (
            "Faults",
            "What a scenario may add to the bad release, as `[[faults]]`. A fault that hits nothing makes a drill inconclusive\nthat would pass. The world `sim` is the simulation, and `kind` is a cluster.",
            "fault",
        ),
        Kind::Trigger => (
            "Triggers",
            "What begins a rollback, by the built-in runbook. A scenario names the one that it expects with `expect.trigger`.\n[What each check is for](what-each-check-is-for.md) has the drills in which each must fire and must not.",
            "trigger",
        ),
    };
    let mut out = format!("{HEAD}# {title}\n\n{words}\n\n| {column} | what |\n| --- | --- |\n");
    for about in all {
        let name = &about.name;
        let _ = writeln!(
            out,
            "| [`{name}`](#{}) | {} |",
            anchor(name),
            cell(&about.what)
        );
    }
    for about in all {
        section(&mut out, about);
    }
    out
}

/// The keys of a scenario file as a page of the book.
#[must_use]
pub fn book_page_of_keys(all: &[KeyShown]) -> String {
    let mut out = format!(
        "{HEAD}# What a scenario file may say\n\nA key that has a default may be left out. The keys of `[[faults]]` depend on the kind: see [Faults](faults.md).\n\n"
    );
    keys(&mut out, all);
    out
}

/// A heading's anchor, as mdBook and GitHub make it.
fn anchor(name: &str) -> String {
    let kept = name
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    kept.collect::<String>().to_lowercase()
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('\n', " ")
        .replace('<', "&lt;")
}

fn section(out: &mut String, about: &About) {
    let _ = write!(
        out,
        "\n## `{}`\n\n{}\n\n",
        about.name,
        about.what.replace('<', "&lt;")
    );
    let (long, short): (Vec<&Fact>, Vec<&Fact>) = about
        .facts
        .iter()
        .partition(|fact| about.kind == Kind::Trigger && fact.of == "query");
    for fact in short {
        let _ = writeln!(out, "- {}: {}", fact.of, fact.is.replace('<', "&lt;"));
    }
    for fact in long {
        let _ = write!(out, "\n```promql\n{}\n```\n", fact.is);
    }
    // A scenario's own file is not repeated here, and its keys are in it.
    if about.kind != Kind::Scenario {
        if !about.keys.is_empty() {
            out.push('\n');
            keys(out, &about.keys);
        }
        let _ = write!(out, "\n```toml\n{}\n```\n", about.example.trim_end());
    }
    if !about.scenarios.is_empty() {
        let names: Vec<String> = about.scenarios.iter().map(|it| format!("`{it}`")).collect();
        let _ = writeln!(out, "\nBuilt-in scenarios with it: {}.", names.join(", "));
    }
}

fn keys(out: &mut String, keys: &[KeyShown]) {
    out.push_str("| key | what | values | default |\n| --- | --- | --- | --- |\n");
    for key in keys {
        let default = match key.default {
            None => "must be given".to_owned(),
            Some(value) if is_value(value) => format!("`{}`", cell(value)),
            Some(words) => cell(words),
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {default} |",
            key.key,
            cell(key.what),
            cell(&key.values)
        );
    }
}

/// Whether a default is written as a file would write it, and not told in words.
fn is_value(default: &str) -> bool {
    let begins = default.starts_with(|c: char| c == '"' || c.is_ascii_digit());
    (begins && !default.contains(' ')) || matches!(default, "true" | "false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::about;
    use crate::runbooks::LoadedRunbook;

    #[test]
    fn every_fault_release_and_trigger_has_its_section_with_its_ranges() {
        let runbook = LoadedRunbook::built_in().expect("it loads");
        for kind in Kind::ALL {
            let all = about::all(kind, &runbook);
            let page = book_page(kind, &all);
            for about in &all {
                let heading = format!("\n## `{}`\n", about.name);
                assert_eq!(page.matches(&heading).count(), 1, "{}", about.name);
                for key in about.keys.iter().filter(|_| kind == Kind::Fault) {
                    assert!(
                        page.contains(&cell(&key.values)),
                        "{}: {}",
                        about.name,
                        key.key
                    );
                }
            }
            let cells = |line: &str| line.replace("\\|", "").matches('|').count();
            let mut of_table = 0;
            for line in page.lines() {
                if line.starts_with('|') {
                    assert!(of_table == 0 || of_table == cells(line), "{line}");
                    of_table = cells(line);
                } else {
                    of_table = 0;
                }
            }
        }
    }
}
