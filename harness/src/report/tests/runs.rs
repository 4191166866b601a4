//! Runs beside their results, two runs side by side, and many over time.

use std::path::{Path, PathBuf};

use super::*;
use crate::report::against::Changes;
use crate::report::journal::Skipped;
use crate::report::meta::tests::example;
use crate::report::trend::{Point, Trend};

#[path = "../../../tests/support/unstamped.rs"]
mod unstamped;

/// A file's name, and what makes it.
type File = (&'static str, fn(&Journal<'_>) -> String);

/// A token with a checksum that is right.
const WHOLE: &str = "fd1-0405hgh3qr";

const FILES: [File; 4] = [
    ("journal.json", |journal| {
        serde_json::to_string_pretty(journal).expect("plain data")
    }),
    ("report.html", html::render),
    ("junit.xml", junit::render),
    ("summary.md", markdown::render),
];

#[test]
fn a_run_is_outside_of_what_is_compared() {
    let results = results();
    let bare = Journal::new(&results, 2);
    let of = |started| Journal::new(&results, 2).with_meta(vec![example(started)]);
    let (first, second) = (of("2026-11-30T19:00:00Z"), of("2026-12-01T07:30:00Z"));
    fits_schema(&first);
    for (name, render) in FILES {
        let texts = [&bare, &first, &second].map(render);
        assert_ne!(texts[1], texts[2], "{name} tells when it was made");
        let same = texts.map(|text| unstamped::without_runs(name, &text));
        assert_eq!(same[0], same[1], "{name}");
        assert_eq!(same[1], same[2], "{name}");
    }
    let page = html::render(&first);
    for told in [
        "2026-11-30 19:00:00 UTC",
        "12.3 s",
        "0123456789abcdef0123456789abcdef01234567-dirty",
        "firedrill chaos --runbook &#39;my runbook.md&#39;",
        "my runbook.md, digest 00112233",
        "seeds 0 to 99",
        "runner-7, linux x86_64, 2 processors",
    ] {
        let plain = told.replace("&#39;", "'");
        assert!(page.contains(told) || page.contains(&plain), "{told}");
    }
}

/// The journal as text, with a token in it that is whole.
fn text_of(journal: &Journal<'_>) -> String {
    let text = serde_json::to_string(journal).expect("plain data");
    text.replace("fd1-abc", WHOLE)
}

/// The journal of `results`, as it is read back from its text.
fn read_back(results: &[DrillResult], started: &str) -> (PathBuf, Journal<'static>) {
    let journal = Journal::new(results, 0).with_meta(vec![example(started)]);
    let journal = serde_json::from_str(&text_of(&journal)).expect("what was written is read");
    (PathBuf::from(started), journal)
}

#[test]
fn a_run_that_was_ended_on_purpose_was_not_interrupted() {
    let results = results();
    let skipped = |drills, on_purpose| Skipped {
        drills,
        on_purpose,
        ..Skipped::default()
    };
    let ended = Journal::new(&results, skipped(2, true));
    fits_schema(&ended);
    for (name, render) in FILES
        .into_iter()
        .filter(|(name, _)| *name != "journal.json")
    {
        let text = render(&ended);
        assert!(
            text.contains("nded by --max-failures, 2 did not run"),
            "{name}"
        );
        assert!(!text.to_lowercase().contains("interrupted"), "{name}");
    }
    assert_eq!(
        ended.summary.verdict,
        crate::verdict::Verdict::Fail,
        "{:?}",
        ended.summary
    );
    // A part that was interrupted leaves the whole interrupted, and one that is whole changes nothing.
    let part = |at: std::ops::Range<usize>, skipped: Skipped| {
        let text = text_of(&Journal::new(&results[at], skipped));
        let journal: Journal<'static> =
            serde_json::from_str(&text).expect("what was written is read");
        (PathBuf::from("part.json"), journal)
    };
    for (second, on_purpose) in [
        (skipped(1, false), false),
        (skipped(1, true), true),
        (skipped(0, false), true),
    ] {
        let count = 2 + second.drills;
        let parts = vec![part(0..2, skipped(2, true)), part(2..4, second)];
        let merged = read::merge(parts).expect("they agree").summary;
        assert_eq!(
            (merged.skipped, merged.ended_on_purpose),
            (count, on_purpose)
        );
    }
}

#[test]
fn merging_keeps_the_run_of_each_part() {
    let results = results();
    let (late, early) = ("2026-11-30T19:00:00Z", "2026-11-29T19:00:00Z");
    let parts = || {
        vec![
            read_back(&results[..2], late),
            read_back(&results[1..], early),
        ]
    };
    let merged = read::merge(parts()).expect("they agree");
    assert_eq!(merged.drills.len(), 4);
    assert_eq!(merged.meta, [example(early), example(late)]);
    let mut turned = parts();
    turned.reverse();
    assert_eq!(read::merge(turned).expect("they agree"), merged);
    // The same part twice is one run.
    let twice = vec![
        read_back(&results[..2], late),
        read_back(&results[..2], late),
    ];
    assert_eq!(
        read::merge(twice).expect("they agree").meta,
        [example(late)]
    );
}

fn read_text(text: &str) -> Result<Journal<'static>, read::ReadError> {
    let file = tempfile::NamedTempFile::new().expect("a writable directory");
    std::fs::write(file.path(), text).expect("writable");
    read::read(file.path())
}

#[test]
fn a_journal_of_the_version_before_is_read() {
    // An empty one, as made-up findings do not agree with themselves.
    let journal = serde_json::to_string(&Journal::new(&[], 3)).expect("plain data");
    let old = journal.replace("firedrill/3", "firedrill/2");
    assert_ne!(old, journal);
    let read = read_text(&old).expect("it is readable");
    assert_eq!(read.schema, journal::SCHEMA);
    assert_eq!(read.meta, []);
    let error = read_text(&journal.replace("firedrill/3", "firedrill/1")).expect_err("too old");
    assert!(
        error
            .to_string()
            .contains("\"firedrill/2\" and \"firedrill/3\""),
        "{error}"
    );
}

#[test]
fn a_run_that_makes_no_sense_is_refused_with_its_place() {
    let journal = Journal::new(&[], 3).with_meta(vec![example("2026-11-30T19:00:00Z")]);
    let text = serde_json::to_string(&journal).expect("plain data");
    for (was, is, place) in [
        ("2026-11-30T19:00:00Z", "yesterday", "$.meta[0].started"),
        ("12300", "-1", "$.meta[0].duration_ms"),
        ("\"commit\"", "\"comit\"", "$.meta[0]"),
    ] {
        let broken = text.replacen(was, is, 1);
        assert_ne!(broken, text, "{was}");
        let error = read_text(&broken).expect_err(was);
        assert!(error.to_string().contains(place), "{error}");
    }
}

/// Two runs that differ in everything that is told.
fn before_and_now() -> (Vec<DrillResult>, Vec<DrillResult>) {
    let called = |why: &str| {
        ended(Ended::Paged {
            why: why.to_owned(),
        })
    };
    let before = vec![
        result("same", 0, Some(30_000), None),
        result("slower", 0, Some(30_000), None),
        result("broken", 0, Some(30_000), None),
        result("broken", 1, Some(30_000), None),
        result("gone", 0, Some(30_000), Some(called("it is late"))),
    ];
    let unknown = SteadyFinding {
        requests: 10_000,
        errors: 20,
        state: SteadyState::Failing,
    };
    let now = vec![
        result("same", 0, Some(30_000), None),
        result("slower", 0, Some(45_000), None),
        result("broken", 0, Some(30_000), None),
        result("broken", 1, None, Some(unknown.into())),
        result("added", 0, Some(30_000), None),
    ];
    (before, now)
}

#[test]
fn what_changed_is_told_on_terminal_and_page() {
    let (before, now) = before_and_now();
    let before = Journal::new(&before, 0).with_meta(vec![example("2026-11-29T19:00:00Z")]);
    let now = Journal::new(&now, 0);
    let changes = Changes::between(&before, &now);
    assert_eq!(changes.unchanged, 1);
    insta::assert_snapshot!(against::text(&changes));
    let beside = Beside {
        changes: Some(changes),
        trend: None,
    };
    let page = html::render_beside(&now, &beside);
    let (_, section) = page.split_once("id=\"changes\"").expect("it is there");
    let (section, _) = section.split_once("</section>").expect("its end");
    for told in [
        "Against the run of 2026-11-29 19:00:00 UTC: fail → inconclusive",
        "1 of 2",
        "New",
        "Gone",
        "30.0 s",
        "45.0 s",
        "Not drilled before",
        "added",
        "Not drilled now",
        "gone",
    ] {
        assert!(section.contains(told), "{told}: {section}");
    }
}

#[test]
fn two_runs_that_came_to_the_same_differ_in_nothing() {
    let results = results();
    let (first, second) = (Journal::new(&results, 0), Journal::new(&results, 0));
    let changes = Changes::between(&first, &second);
    assert!(changes.is_none());
    assert!(against::text(&changes).contains("nothing changed in 2 scenarios"));
}

#[test]
fn a_trend_is_in_the_order_of_time() {
    let results = results();
    let point = |started: Option<&str>, drills: &[DrillResult], file: &str| {
        let runs = started.map(example).into_iter().collect();
        let journal = Journal::new(drills, 0).with_meta(runs);
        Point::of(Path::new(file).display().to_string(), &journal)
    };
    let points = vec![
        point(Some("2026-11-30T19:00:00Z"), &results, "c.json"),
        point(Some("2026-11-29T19:00:00Z"), &results[..1], "b.json"),
        point(None, &results[..1], "a.json"),
    ];
    let trend = Trend::of(points);
    insta::assert_snapshot!(trend::text(&trend));
    let beside = Beside {
        changes: None,
        trend: Some(trend),
    };
    let page = html::render_beside(&Journal::new(&results, 0), &beside);
    let (_, section) = page.split_once("id=\"trend\"").expect("it is there");
    let (section, _) = section.split_once("</section>").expect("its end");
    assert!(section.contains("Times to recover of 2 runs"), "{section}");
    // One dot for each run of which the start is known.
    assert_eq!(section.matches("<circle").count(), 2);
    assert!(section.contains("0123456789-dirty"), "{section}");
}

#[test]
fn a_token_that_nobody_can_replay_is_refused_with_its_line() {
    let mut results = results();
    for result in &mut results {
        result.replay = WHOLE.to_owned();
    }
    results[1].smallest = Some(Smallest {
        what: "no fault".to_owned(),
        replay: "fd1-0405hgj3qr".to_owned(),
    });
    let journal = Journal::new(&results, 0);
    let pretty = serde_json::to_string_pretty(&journal).expect("plain data");
    let lines = pretty.lines().enumerate();
    let mut damaged = lines.filter(|(_, line)| line.contains("fd1-0405hgj3qr"));
    let (line, _) = damaged.next().expect("it is written");
    let error = read_text(&pretty).expect_err("its checksum is wrong");
    let said = error.to_string();
    for part in [
        "$.drills[1].smallest.replay",
        "checksum",
        "copy the token again",
        &format!("at line {} column", line + 1),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Cut, of nothing, in capitals, and none at all.
    let whole = pretty.replace("fd1-0405hgj3qr", WHOLE);
    for token in ["fd1-0405hgh3q", "fd1-0000000", "fd1-0405HGH3QR", "", "echo"] {
        let broken = whole.replacen(WHOLE, token, 1);
        let said = read_text(&broken).expect_err(token).to_string();
        assert!(said.contains("$.drills[0].replay: "), "{token}: {said}");
    }
}
