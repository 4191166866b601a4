//! The book shows what the program prints. Its commands are run and its samples are compared, and the pages of faults,
//! releases, triggers and keys are made from the catalogues of the code.
//!
//! What differs is written anew by `INSTA_UPDATE=always cargo test -p firedrill --test book`,
//! as the snapshots of other tests are.

#[path = "support/samples.rs"]
mod samples;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firedrill::about::{self, Kind};
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::keys;
use samples::Page;

/// Pages in which every command is run: a newcomer types them one after the other.
const WHOLE: [&str; 2] = ["tutorial.md", "from-an-incident.md"];
/// The first page that anybody reads. It is no page of the book, and is held to the same.
const README: &str = "../../README.md";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src")
}

/// Holds the page called `name` against `right`, or writes it, if that is asked for. What differs first,
/// with how to write it.
fn stale(name: &str, right: &str) -> Option<String> {
    let path = source().join(name);
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    if there == right {
        return None;
    }
    if std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always") {
        std::fs::write(&path, right).expect("the book is writable");
        return None;
    }
    let lines = there.lines().zip(right.lines());
    let same = lines.take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let lines = text.lines().skip(same).take(12);
        lines.collect::<Vec<_>>().join("\n")
    };
    Some(format!(
        "{name} differs from line {} on. It has:\n{}\nand it should have:\n{}\n",
        same + 1,
        around(&there),
        around(right)
    ))
}

#[track_caller]
fn assert_fresh(stale: &[String]) {
    assert!(
        stale.is_empty(),
        "{}\nRead this. If it is right, write the pages anew: INSTA_UPDATE=always cargo test -p firedrill --test book",
        stale.join("\n")
    );
}

#[test]
fn the_catalogues_make_their_pages() {
    let runbook = LoadedRunbook::built_in().expect("it loads");
    let mut pages: BTreeMap<&str, String> = BTreeMap::new();
    for (kind, name) in [
        (Kind::Fault, "faults.md"),
        (Kind::Release, "releases.md"),
        (Kind::Trigger, "triggers.md"),
    ] {
        pages.insert(name, about::book_page(kind, &about::all(kind, &runbook)));
    }
    let all: Vec<about::KeyShown> = keys::all().into_iter().map(Into::into).collect();
    pages.insert("keys.md", about::book_page_of_keys(&all));
    let stale: Vec<String> = pages
        .iter()
        .filter_map(|(name, page)| stale(name, page))
        .collect();
    assert_fresh(&stale);
}

/// The pages that people write.
fn pages() -> Vec<(String, Page)> {
    let entries = std::fs::read_dir(source()).expect("the book is there");
    let mut pages: Vec<(String, Page)> = entries
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a file").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            (name.clone().into_owned(), Page::read(&name, &text))
        })
        .collect();
    let text = std::fs::read_to_string(source().join(README)).expect("UTF-8");
    pages.push((README.to_owned(), Page::read(README, &text)));
    pages.sort_by(|(a, _), (b, _)| a.cmp(b));
    pages
}

#[test]
fn what_programs_print_is_marked() {
    for (name, page) in pages() {
        assert_eq!(page.unmarked("text"), [0; 0], "lines of {name}");
        if WHOLE.contains(&name.as_str()) {
            assert_eq!(page.unmarked("sh"), [0; 0], "lines of {name}");
            assert_eq!(page.unmarked("toml"), [0; 0], "lines of {name}");
        }
    }
}

#[test]
fn every_sample_is_what_is_printed() {
    let pages = pages();
    let (mut scripts, mut printed) = (0, 0);
    let mut performed: Vec<(&str, String)> = Vec::new();
    let mut failed: Vec<String> = Vec::new();
    for (name, page) in &pages {
        let counts = page.counts();
        (scripts, printed) = (scripts + counts.0, printed + counts.1);
        if counts.0 > 0 {
            let folder = tempfile::tempdir().expect("a writable directory");
            match page.performed(folder.path()) {
                Ok(page) => performed.push((name, page)),
                Err(why) => failed.push(why),
            }
        }
    }
    assert!(scripts > 15 && printed > 12, "{scripts} and {printed}");
    failed.extend(
        performed
            .iter()
            .filter_map(|(name, page)| stale(name, page)),
    );
    assert_fresh(&failed);
}
