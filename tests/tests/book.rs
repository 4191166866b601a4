//! The book: links lead somewhere, scenarios and lines of `rollback/1` can be read. Its commands are held against the
//! parsers by the tests of `xtask`, `firedrill` and `rollback`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use executor::wire::Line;
use firedrill::runbooks::{BUILT_IN, LoadedRunbook};
use firedrill::scenario::Scenario;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src")
}

fn pages() -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(source()).expect("the book is there");
    let pages: BTreeMap<String, String> = entries
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a file").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            (name.into_owned(), text)
        })
        .collect();
    assert!(pages.len() > 6, "{:?}", pages.keys());
    pages
}

/// Fenced blocks in `language`.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned())
        .collect()
}

/// Text without what is code.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence && !line.starts_with("    ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Targets of inline links.
fn links(text: &str) -> Vec<String> {
    prose(text)
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// A heading's anchor, as mdBook and GitHub make it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

fn assert_leads_somewhere(from: &Path, page: &str, target: &str) {
    if target.contains("://") {
        return;
    }
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        from.join(page)
    } else {
        from.join(file)
    };
    assert!(path.exists(), "{page}: {target}");
    if fragment.is_empty() {
        return;
    }
    let text = std::fs::read_to_string(&path).expect("a page");
    let anchors: BTreeSet<String> = prose(&text)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect();
    assert!(anchors.contains(fragment), "{page}: {target}: {anchors:?}");
}

#[test]
fn links_lead_somewhere() {
    let mut seen = 0;
    for (page, text) in pages() {
        for target in links(&text) {
            assert_leads_somewhere(&source(), &page, &target);
            seen += 1;
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for page in [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "FIDELITY.md",
        "SPEED.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ] {
        let text = std::fs::read_to_string(root.join(page)).expect("it is there");
        for target in links(&text) {
            assert_leads_somewhere(&root, page, &target);
            seen += 1;
        }
    }
    assert!(seen > 25, "only {seen}");
}

#[test]
fn every_page_is_in_the_summary() {
    let pages = pages();
    let listed: BTreeSet<String> = links(&pages["SUMMARY.md"]).into_iter().collect();
    let there: BTreeSet<String> = pages
        .keys()
        .filter(|name| *name != "SUMMARY.md")
        .cloned()
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn scenarios_load() {
    let runbook = LoadedRunbook::parse("rollback.md", BUILT_IN).expect("it loads");
    let mut seen = 0;
    for (page, text) in pages() {
        for block in blocks(&text, "toml") {
            if block.starts_with("[[known]]") {
                let known = firedrill::search::known(&block);
                assert_eq!(known.map(|it| it.len()), Ok(1), "{page}");
                continue;
            }
            if let Err(error) = Scenario::parse(&page, &block, &runbook.triggers()) {
                panic!("{page}: {error:?}");
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 2);
}

#[test]
fn lines_of_json_are_in_the_format() {
    let mut seen = 0;
    for (page, text) in pages() {
        for block in blocks(&text, "json") {
            let line: Result<Line, _> = serde_json::from_str(&block);
            if let Err(error) = line {
                panic!("{page}: {error}");
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 2);
}
