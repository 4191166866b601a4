//! What the page shows, in which order, and how it can be read.

use std::collections::BTreeSet;

use super::*;
use crate::report::against::Changes;
use crate::report::meta::tests::example;
use crate::report::trend::Trend;

/// Where `what` stands; it must be there.
fn place(page: &str, what: &str) -> usize {
    page.find(what).unwrap_or_else(|| panic!("no {what}"))
}

/// The part of `page` from `begin` to the next `end`.
fn part<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = &page[place(page, begin)..];
    rest.split_once(end).map_or(rest, |(part, _)| part)
}

/// Drills that all fail alike, of several scenarios.
fn alike(scenarios: u64, seeds: u64) -> Vec<DrillResult> {
    let drills = (0..scenarios).flat_map(|n| (0..seeds).map(move |seed| (n, seed)));
    let one = |(n, seed)| {
        let why = format!("undo took {seed} s too long");
        let mut it = result(
            &format!("scenario-{n}"),
            seed,
            None,
            Some(ended(Ended::Paged { why })),
        );
        it.ending = Ending::Escalated;
        it.steps[0].outcome = executor::StepOutcome::Failed;
        it.course.as_mut().expect("it has one").gave_up_ms = Some(3_800);
        it
    };
    drills.map(one).collect()
}

fn all_pages() -> Vec<String> {
    let mut many: Vec<DrillResult> = (0..30)
        .map(|n| result(&format!("calm-{n}"), 0, Some(31_000), None))
        .collect();
    many.extend(alike(3, 2));
    let runs = || vec![example("2026-11-30T19:00:00Z")];
    let (results, alike, hostile) = (results(), alike(2, 3), hostile());
    let before = Journal::new(&results, 0).with_meta(runs());
    let now = Journal::new(&alike, 0).with_meta(runs());
    let beside = Beside {
        changes: Some(Changes::between(&before, &now)),
        trend: Some(Trend::of(
            [&before, &now]
                .iter()
                .map(|it| trend::Point::of("j.json".to_owned(), it))
                .collect(),
        )),
    };
    vec![
        html::render(&before),
        html::render_beside(&now, &beside),
        html::render(&Journal::new(&hostile, 1)),
        html::render(&Journal::new(&many, 0).with_meta(runs())),
        html::render(&Journal::new(&[], 4)),
    ]
}

#[test]
fn the_answers_come_before_everything_else() {
    let page = html::render(&Journal::new(&alike(2, 3), 0));
    let order = [
        "✕ Fail",
        "May we ship?",
        "No.",
        "What went wrong?",
        "Outcome: called, at step undo-app",
        "When?",
        "the executor gave up",
        "Why?",
        "undo took 0 s too long",
        "How do I repeat it?",
        "cargo xtask replay fd1-abc",
        "id=\"failures\"",
        "id=\"scenarios\"",
        "id=\"run\"",
    ];
    let body = &page[place(&page, "<body>")..];
    let mut rest = body;
    for what in order {
        let (_, after) = rest
            .split_once(what)
            .unwrap_or_else(|| panic!("{what} is not in its place"));
        rest = after;
    }
}

#[test]
fn each_class_of_failure_is_told_once() {
    let drills = alike(5, 8);
    let page = html::render(&Journal::new(&drills, 0));
    let section = part(&page, "id=\"failures\"", "</section>");
    assert_eq!(section.matches("class=\"trouble").count(), 1);
    assert_eq!(section.matches("cargo xtask replay").count(), 1);
    assert!(section.contains("40 drills of 5 scenarios"), "{section}");

    // Another step, and another kind of finding, are other classes.
    let mut drills = drills;
    drills[0].steps[0].name = "restart".to_owned();
    let journal = Journal::new(&drills, 0);
    assert_eq!(classes::classes(&journal.drills).len(), 2);
    let mut mixed = results();
    mixed.extend(alike(1, 1));
    let journal = Journal::new(&mixed, 0);
    let names: Vec<String> = classes::classes(&journal.drills)
        .iter()
        .map(|class| class.name.title())
        .collect();
    assert_eq!(
        names,
        [
            "outcome: called",
            "outcome: called, at step undo-app",
            "steady-state: failing"
        ]
    );
}

#[test]
fn the_chart_marks_the_moment_of_giving_up() {
    let page = html::render(&Journal::new(&alike(1, 1), 0));
    assert!(page.contains("class=\"flag gave-up\""));
    assert!(page.contains("the executor gave up and paged a person"));
    let page = html::render(&Journal::new(&results(), 0));
    assert!(!page.contains("class=\"flag gave-up\""));
}

#[test]
fn scenarios_are_folded_and_found() {
    let mut drills: Vec<DrillResult> = (0..110)
        .map(|n| result(&format!("calm-{n}"), 0, Some(31_000), None))
        .collect();
    drills.extend(alike(4, 1));
    let page = html::render(&Journal::new(&drills, 0));
    let cards: Vec<&str> = page
        .split("<details class=\"card scenario\"")
        .skip(1)
        .collect();
    assert_eq!(cards.len(), 114);
    let open = cards.iter().filter(|card| {
        let tag = card.split('>').next().unwrap_or_default();
        tag.contains(" open")
    });
    assert_eq!(open.count(), 1, "only the first that did not pass");
    assert!(page.contains("110 scenarios passed"));
    let index = part(&page, "Index of all 114 scenarios", "</nav>");
    let links: Vec<&str> = index.split("href=\"#").skip(1).collect();
    assert_eq!(links.len(), 114);
    for link in links {
        let anchor = link.split('"').next().unwrap_or_default();
        assert_eq!(page.matches(&format!(" id=\"{anchor}\"")).count(), 1);
    }
}

#[test]
fn a_long_list_of_what_did_not_run_stands_in_a_place_of_its_own() {
    let results = results();
    let names: Vec<String> = (0..40).map(|n| format!("never-{n:02}")).collect();
    let skipped = journal::Skipped {
        drills: 40 * 25,
        scenarios: names.iter().map(|name| (name.clone(), 25)).collect(),
        on_purpose: false,
    };
    let journal = Journal::new(&results, skipped);
    let page = html::render(&journal);
    let sentence = part(&page, "<p class=\"sentence\">", "</p>");
    assert!(
        sentence.contains("interrupted, 1,000 did not run"),
        "{sentence}"
    );
    assert!(
        sentence.contains("never-05 (25) and 34 more scenarios"),
        "{sentence}"
    );
    assert!(sentence.len() < 300, "{sentence}");
    let list = part(
        &page,
        "All 40 scenarios with drills that did not run",
        "</ul>",
    );
    for name in &names {
        assert_eq!(
            list.matches(&format!("<li>{name} (25)</li>")).count(),
            1,
            "{name}"
        );
    }
    assert!(
        tally(&journal.summary).len() < 300,
        "{}",
        tally(&journal.summary)
    );
}

#[test]
fn steps_stand_against_their_budgets() {
    let page = html::render(&Journal::new(&results()[..1], 0));
    let step = part(&page, "<div class=\"step\">", "</div>");
    assert!(
        step.contains("7.250 s") && step.contains("of 60 s"),
        "{step}"
    );
    assert!(step.contains("class=\"budget\""), "{step}");
}

#[test]
fn commands_are_whole() {
    let mut results = results();
    results[1].replay = format!("fd1-{}", "0".repeat(570));
    let page = html::render(&Journal::new(&results, 0));
    assert!(page.contains(&results[1].replay));
    let style = part(&page, "<style>", "</style>");
    let command = part(style, ".command{", "}");
    for clips in ["max-height", "overflow:", "overflow-y", "ellipsis"] {
        assert!(!command.contains(clips), "{command}");
    }
}

#[test]
fn headings_are_in_order_and_cells_and_charts_have_names() {
    for page in all_pages() {
        let mut before = 0;
        for heading in page.split("<h").skip(1) {
            let Some(level) = heading.chars().next().and_then(|c| c.to_digit(10)) else {
                continue;
            };
            assert!(level <= before + 1, "h{level} after h{before}");
            before = level;
        }
        assert_eq!(page.matches("<h1").count(), 1);
        for head in page.split("<th").skip(1) {
            if head.starts_with([' ', '>']) {
                let tag = head.split('>').next().unwrap_or_default();
                assert!(tag.contains("scope=\""), "<th{tag}>");
            }
        }
        for chart in page.split("<svg").skip(1) {
            let (tag, rest) = chart.split_once('>').expect("a tag");
            let named = tag.contains("role=\"img\"") && rest.starts_with("<title>");
            let beside = tag.contains("aria-hidden=\"true\"") || tag.contains("viewBox");
            assert!(named || beside, "<svg{tag}>");
        }
        for landmark in ["<main ", "<header ", "<nav ", "<footer>"] {
            assert!(page.contains(landmark), "{landmark}");
        }
        let ids: Vec<&str> = page
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let different: BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(different.len(), ids.len(), "{ids:?}");
    }
}

#[test]
fn on_paper_nothing_is_folded_or_clipped() {
    let page = html::render(&Journal::new(&results(), 0));
    let style = part(&page, "<style>", "</style>");
    let print = &style[place(style, "@media print")..];
    for rule in [
        "print-color-adjust:exact",
        "::details-content",
        "max-height:none",
        "overflow:visible",
    ] {
        assert!(print.contains(rule), "{rule}");
    }
    // Dark paper wastes ink, and its legends can't be read.
    assert!(style.contains("@media screen and (prefers-color-scheme:dark)"));
    assert!(page.contains("beforeprint"));
}

#[test]
fn no_tag_has_an_attribute_twice() {
    for page in all_pages() {
        let (_, body) = page.split_once("<body>").expect("it has one");
        let (body, _) = body.split_once("<script>").expect("it has one");
        for tag in body
            .split('<')
            .skip(1)
            .filter_map(|rest| rest.split('>').next())
        {
            assert!(tag.matches(" class=\"").count() < 2, "<{tag}>");
        }
    }
}

#[test]
fn the_smallest_case_does_not_repeat_the_reason() {
    let mut drills = alike(1, 1);
    drills[0].smallest = Some(Smallest {
        what: "scenario-0 with seed 0, cut down to 1 market; outcome: the same again".to_owned(),
        replay: "fd1-least".to_owned(),
    });
    let journal = Journal::new(&drills, 0);
    let classes = classes::classes(&journal.drills);
    let smallest = classes[0].smallest().expect("there is one");
    assert_eq!(smallest, "scenario-0 with seed 0, cut down to 1 market");
    assert_eq!(classes[0].command(), "cargo xtask replay fd1-least");
}
