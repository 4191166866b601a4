//! The book: links lead somewhere, scenarios and lines of `rollback/1` can be read, and numbers are right.
//! Its commands are held against the parsers by the tests of `xtask`, `firedrill` and `rollback`, and its samples are
//! made again by `harness/tests/book.rs`.

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

/// All bugs that are patches of the executor.
fn patches() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mutants/patches");
    let entries = std::fs::read_dir(folder).expect("the patches are there");
    let files = entries.map(|entry| entry.expect("readable").path());
    files
        .map(|path| std::fs::read_to_string(path).expect("UTF-8"))
        .collect()
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

/// A part of a scenario file with what it lacks for being one.
fn completed(part: &str) -> String {
    let has = |table: &str| part.lines().any(|line| line == table);
    let mut whole = String::new();
    if !part.lines().any(|line| line.starts_with("name = ")) {
        whole.push_str("name = \"part\"\n");
    }
    whole.push_str(part);
    for (table, key) in [
        ("[release]", "to = \"1.5.0-slow-path\""),
        ("[expect]", "trigger = \"sla-latency-p99\""),
    ] {
        if !has(table) {
            whole.push_str(&format!("\n{table}\n{key}\n"));
        }
    }
    whole
}

#[test]
fn scenarios_load() {
    let runbook = LoadedRunbook::parse("rollback.md", BUILT_IN).expect("it loads");
    let mut seen = BTreeMap::new();
    for (page, text) in pages() {
        for block in blocks(&text, "toml") {
            if block.starts_with("[[known]]") {
                let known = firedrill::search::known(&block);
                assert_eq!(known.map(|it| it.len()), Ok(1), "{page}");
                continue;
            }
            if block.starts_with("[[patch]]") {
                assert!(
                    patches().contains(block.trim()),
                    "{page}: no such patch: {block}"
                );
                continue;
            }
            // The release that all begin with is deployed by nobody.
            let block = completed(&block).replace("to = \"1.4.2\"", "to = \"1.4.3\"");
            if let Err(error) = Scenario::parse(&page, &block, &runbook.triggers()) {
                panic!("{page}: {error:?}: {block}");
            }
            *seen.entry(page.clone()).or_insert(0) += 1;
        }
    }
    let count = |page: &str| seen.get(page).copied().unwrap_or(0);
    assert_eq!(count("first-scenario.md"), 2);
    assert_eq!(count("faults.md"), firedrill::scenario::FAULTS.len());
    assert_eq!(count("triggers.md"), runbook.triggers().len());
}

/// The number at the beginning of `text`, as people write it.
fn number(text: &str) -> f64 {
    let text = text.trim().replace(',', "");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let digits = &text[..end.unwrap_or(text.len())];
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{text} is no number"))
}

#[test]
fn so_many_drills_show_so_much() {
    let text = &pages()["what-green-means.md"];
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| ---: |"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (drills, percent) = (number(cells[0]), number(cells[1]));
        let decimals = cells[1].split_once('.').map_or(0, |(_, rest)| {
            rest.chars().take_while(char::is_ascii_digit).count()
        });
        // So many passes in a row come with a probability of 5 % if this share fails.
        let share = 100.0 * (1.0 - 0.05_f64.powf(1.0 / drills));
        let step = 10.0_f64.powi(-i32::try_from(decimals).expect("few"));
        assert!(percent >= share && percent < share + step, "{row}: {share}");
        seen += 1;
    }
    assert!(seen > 4, "{seen}");
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
