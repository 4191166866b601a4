//! What the page shows, in which order, and how it can be read.

use std::collections::BTreeSet;

use super::*;
use crate::finding::{Counted, ErrorRateFinding};
use crate::report::against::Changes;
use crate::report::meta::tests::example;
use crate::report::trend::Trend;
use crate::scenario::PartsPerMillion as Ppm;

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
        it.time_series.as_mut().expect("it has one").gave_up_ms = Some(3_800);
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
        "The program called a person instead of recovering",
        "outcome: called, at step undo-app",
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

/// Drills of one class that have these reasons, each of a scenario of its own.
fn with_reasons(reasons: &[&str]) -> Vec<DrillResult> {
    let named = reasons.iter().enumerate();
    let one = |(n, why): (usize, &&str)| {
        let why = (*why).to_owned();
        result(
            &format!("scenario-{n}"),
            7,
            None,
            Some(ended(Ended::Paged { why })),
        )
    };
    named.map(one).collect()
}

#[test]
fn a_reason_is_told_only_of_the_scenarios_that_have_it() {
    let keys = [
        "RATE_LIMIT was changed",
        "LOG_LEVEL was changed",
        "RATE_LIMIT was changed",
    ];
    let results = with_reasons(&keys);
    let journal = Journal::new(&results, 0);
    let classes = classes::classes(&journal.drills);
    assert_eq!(classes.len(), 1);
    let paged = "the executor paged a person:";
    let lines = [
        format!("in scenario-0, scenario-2: {paged} RATE_LIMIT was changed"),
        format!("in scenario-1: {paged} LOG_LEVEL was changed"),
    ];
    assert_eq!(classes[0].told_reasons(9), lines);
    let cut = classes[0].told_reasons(1);
    assert_eq!(cut, [&lines[0], "and 1 more reason, in journal.json"]);
    let page = html::render(&journal);
    let summary = markdown::render(&journal).replace('\\', "");
    for line in &lines {
        // On the page it is a sentence, with a capital.
        assert!(page.contains(&line[1..]), "{line}");
        assert!(summary.contains(&**line), "{summary}");
    }
    // The answer is of one drill, and says so.
    assert!(page.contains(&format!(
        "Seed 7 of scenario-0: The executor paged a person: {}",
        keys[0]
    )));
}

#[test]
fn a_reason_whose_numbers_differ_is_told_as_an_instance() {
    let results = with_reasons(&["3 of 9 are gone", "4 of 7 are gone"]);
    let journal = Journal::new(&results, 0);
    let told = classes::classes(&journal.drills)[0].told_reasons(9);
    assert_eq!(
        told,
        ["for instance, in scenario-0 with seed 7: the executor paged a person: 3 of 9 are gone"]
    );
    let results = with_reasons(&["all are gone", "all are gone"]);
    let journal = Journal::new(&results, 0);
    let told = classes::classes(&journal.drills)[0].told_reasons(9);
    assert_eq!(told, ["the executor paged a person: all are gone"]);
}

#[test]
fn the_terminal_has_the_classes_of_the_page() {
    let results = alike(5, 8);
    let told = table::findings(&results, &Replays::default());
    let heads: Vec<&str> = told.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(
        heads,
        ["fail · outcome: called, at step undo-app · 40 drills of 5 scenarios"]
    );
    // Each example is of another scenario, and all scenarios are named.
    for line in [
        "  scenario-0, seed 0: the executor paged a person: undo took 0 s too long",
        "  scenario-1, seed 0: the same",
        "  scenario-2, seed 0: the same",
        "  and 37 more; all are in journal.json with --report DIR",
        "  in scenario-0 (8), scenario-1 (8), scenario-2 (8), scenario-3 (8), scenario-4 (8)",
    ] {
        assert!(
            told.lines().any(|it| it == line),
            "{line} is not in:\n{told}"
        );
    }
}

/// The tile with this name.
fn tile(page: &str, name: &str) -> String {
    part(page, &format!("<dt>{name}</dt>"), "</div>").to_owned()
}

#[test]
fn the_tile_of_the_error_rate_is_of_the_drills_that_are_judged_by_it() {
    let judged = |scenario: &str, ppm: u64| {
        let counted = Counted {
            requests: 100_000,
            errors: ppm / 10,
            limit: Ppm(100),
        };
        let mut it = result(
            scenario,
            0,
            Some(31_000),
            Some(ErrorRateFinding::Below(counted).into()),
        );
        it.error_rate_ppm = Some(ppm);
        it.requests_after_recovery = 100_000;
        it
    };
    let mut called = result("self-heal", 0, Some(31_000), None);
    called.error_rate_ppm = Some(119_573);
    let results = [judged("calm", 10), judged("windy", 20), called];
    let page = html::render(&Journal::new(&results, 0));
    let tile = tile(&page, "Error rate after recovery");
    assert!(
        tile.contains("0.0020%") && !tile.contains("11.9573%"),
        "{tile}"
    );
    assert!(tile.contains("of windy; 200,000 requests in all"), "{tile}");
}

#[test]
fn the_tile_of_what_passed_counts_what_was_asked_for() {
    let results = results();
    let journal =
        Journal::new(&results[..1], 4_596).with_meta(vec![example("2026-11-30T19:00:00Z")]);
    let page = html::render(&journal);
    let tile = tile(&page, "Drills passed");
    assert!(
        tile.contains("1 of 4,597") && tile.contains("4,596 did not run"),
        "{tile}"
    );
    let rest = part(&page, "How do I run the rest?", "</div>");
    assert!(
        rest.contains("The same command performs all of them"),
        "{rest}"
    );
    assert!(rest.contains("class=\"command\""), "{rest}");
    let whole = html::render(&Journal::new(&results[..1], 0));
    assert!(!whole.contains("How do I run the rest?"));
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
fn a_long_word_of_a_sentence_is_broken_on_a_phone() {
    let page = html::render(&Journal::new(&results(), 0));
    let style = part(&page, "<style>", "</style>");
    for rule in [".sentence{", ".where{"] {
        assert!(
            part(style, rule, "}").contains("overflow-wrap:anywhere"),
            "{rule}"
        );
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
fn on_paper_only_what_passed_is_folded_and_nothing_is_clipped() {
    let page = html::render(&Journal::new(&results(), 0));
    let style = part(&page, "<style>", "</style>");
    let print = &style[place(style, "@media print")..];
    for rule in [
        "print-color-adjust:exact",
        "details:not([data-verdict=\"pass\"])::details-content",
        "max-height:none",
        "overflow:visible",
    ] {
        assert!(print.contains(rule), "{rule}");
    }
    // Dark paper wastes ink, and its legends can't be read.
    assert!(style.contains("@media screen and (prefers-color-scheme:dark)"));
    assert!(page.contains("beforeprint"));
    // A scenario that passed stays one line, and one that did not is printed in full.
    assert!(page.contains("all('details:not([open]):not([data-verdict=\"pass\"])')"));
    let calm = html::render(&Journal::new(&results()[..1], 0));
    assert!(part(&calm, "<details class=\"card scenario\"", ">").contains("data-verdict=\"pass\""));
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
