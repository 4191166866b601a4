//! `report.html` of a comparison: may the runbook be adopted, why, what changes, and how to repeat it. It is of the
//! same kind as the page about drills: one file that fetches nothing.

use maud::{Markup, html};

use super::compare::Comparison;
use super::exact::NEVER;
use super::judge::Judgement;
use super::objections::FIRST_BY;
use super::reason::{Answer, Reason, Remedy};
use super::show::{LEGEND, changes, confidence, difference, extent, of_pairs, p99, pairs, value};
use crate::report::html::page::{
    answers, badge, capital, command, document, glyph, index, prose, sentence, top, wide,
};
use crate::report::html::run;
use crate::report::meta::Meta;
use crate::report::problems::without_numbers;
use crate::token;
use crate::verdict::Verdict;

/// How many reasons, changes and scenarios are shown; verify.json has all.
const LISTED_MAX: usize = 200;
/// How many reasons stand at the top.
const REASONS_FIRST: usize = 3;

/// The page.
#[must_use]
pub fn page(j: &Judgement, meta: &[Meta]) -> String {
    let verdict = colour(j.answer);
    let title = format!("{} instead of {}", j.candidate, j.baseline);
    let mut parts = vec![
        ("answers", "In short".to_owned()),
        ("reasons", format!("Reasons ({})", j.reasons.len())),
        (
            "what-changes",
            format!("What changes ({})", changes(j).len()),
        ),
    ];
    if !j.comparisons.is_empty() {
        parts.push(("scenarios", format!("Scenarios ({})", j.comparisons.len())));
    }
    if j.reference.is_some() {
        parts.push(("reference", "Against the reference".to_owned()));
    }
    parts.push(("run", "Run".to_owned()));
    let place = "Firedrill · a changed runbook against the one in use";
    let word = if j.interrupted {
        format!("{} (interrupted)", word(j.answer))
    } else {
        word(j.answer).to_owned()
    };
    let body = html! {
        (top(verdict, &word, &title, place))
        (index(&parts))
        main #main {
            (answers(&in_short(j)))
            (reasons(j, "reasons"))
            (what_changes(j, "what-changes"))
            (scenarios(j, "scenarios"))
            @if let Some(reference) = &j.reference {
                section #reference aria-labelledby="reference-title" {
                    h2 #reference-title { "Against the reference: " (word_of(reference)) }
                    p { (reference.candidate) " instead of " (reference.baseline) }
                }
                (reasons(reference, "reference-reasons"))
                (what_changes(reference, "reference-changes"))
                (scenarios(reference, "reference-scenarios"))
            }
            (run::draw(meta))
        }
        footer {
            p { (LEGEND) }
            p { "Made by runbook verify, with verify.json beside this page. Nothing is fetched." }
        }
    };
    document(&format!("{word}: {title}"), &body)
}

fn word_of(j: &Judgement) -> &'static str {
    word(j.answer)
}

fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Adopt => "Adopt",
        Answer::Inconclusive => "Inconclusive",
        Answer::Reject => "Reject",
    }
}

fn colour(answer: Answer) -> Verdict {
    match answer {
        Answer::Adopt => Verdict::Pass,
        Answer::Inconclusive => Verdict::Inconclusive,
        Answer::Reject => Verdict::Fail,
    }
}

fn in_short(j: &Judgement) -> Vec<(&'static str, Markup)> {
    let may = match j.answer {
        Answer::Adopt => "Yes: it is shown to be no worse.",
        Answer::Inconclusive => "Not on this evidence: neither is shown.",
        Answer::Reject => "No.",
    };
    let mut rows = vec![(
        "May it be adopted?",
        html! { strong class=(colour(j.answer)) { (may) } },
    )];
    let causes = by_cause(&j.reasons);
    let why = html! {
        @for (at, cause) in causes.iter().take(REASONS_FIRST).enumerate() {
            @if at > 0 { br; }
            (prose(&sentence(&cause.reasons[0].text)))
            @if cause.reasons.len() > 1 {
                " So it is in " (cause.reasons.len()) " scenarios."
            }
        }
        @if causes.len() > REASONS_FIRST {
            " " a href="#reasons" { "and " (causes.len() - REASONS_FIRST) " more reasons" }
        }
        @if let Some(seeds) = j.seeds_enough() { " " (capital(&Remedy::Seeds(seeds).to_string())) "." }
    };
    rows.push(("Why?", why));
    if !j.comparisons.is_empty() {
        let evidence = html! { (capital(&extent(j))) "; " (confidence(j)) "." };
        rows.push(("On which evidence?", evidence));
    }
    if let Some(s) = &j.smallest {
        let again = html! {
            "The smallest case is " (s.scenario) " with seed " (s.seed) ", " (cut(&s.cut)) ". "
            (s.oracle) ": " (s.reason) "."
            p { "The baseline passes:" }
            (command(&token::command(&s.baseline_replay)))
            p { "The candidate fails:" }
            (command(&token::command(&s.candidate_replay)))
        };
        rows.push(("How do I repeat it?", again));
    }
    rows
}

fn cut(cut: &[String]) -> String {
    if cut.is_empty() {
        "from which nothing could be left out".to_owned()
    } else {
        format!("cut down to {}", cut.join(", "))
    }
}

/// Reasons that have one cause.
struct Cause<'a> {
    /// What the drills of all of them failed by; `None`: there is one reason, which is told as it is.
    told: Option<&'a str>,
    reasons: Vec<&'a Reason>,
}

/// The reasons by cause, in the order of their first ones. Causes that differ in numbers only are one.
fn by_cause(reasons: &[Reason]) -> Vec<Cause<'_>> {
    let mut causes: Vec<Cause<'_>> = Vec::new();
    for reason in reasons {
        let told = reason.text.split_once(FIRST_BY).map(|(_, told)| told);
        let known = told.and_then(|told| {
            causes.iter_mut().find(|cause| {
                cause.reasons[0].answer == reason.answer
                    && cause.reasons[0].remedy == reason.remedy
                    && cause.told.map(without_numbers) == Some(without_numbers(told))
            })
        });
        match known {
            Some(cause) => cause.reasons.push(reason),
            None => causes.push(Cause {
                told,
                reasons: vec![reason],
            }),
        }
    }
    causes
}

fn cause(cause: &Cause<'_>) -> Markup {
    let first = cause.reasons[0];
    html! {
        @match cause.told.filter(|_| cause.reasons.len() > 1) {
            None => p { (badge_of(first.answer)) " " (prose(&sentence(&first.text))) },
            Some(told) => {
                p { (badge_of(first.answer)) " " (prose(&sentence(told))) }
                ul.plain {
                    @for reason in &cause.reasons {
                        @let head = reason.text.split_once(FIRST_BY).map_or(&*reason.text, |(head, _)| head);
                        li { (prose(&sentence(head))) }
                    }
                }
            },
        }
        @if let Some(remedy) = &first.remedy { p.soft { "→ " (remedy) } }
    }
}

fn reasons(j: &Judgement, id: &str) -> Markup {
    let causes = by_cause(&j.reasons);
    html! {
        section.card id=(id) aria-label="Reasons" {
            h2 { "Reasons" }
            @for one in causes.iter().take(LISTED_MAX) {
                div class={ "trouble " (colour(one.reasons[0].answer)) } { (cause(one)) }
            }
            @if causes.len() > LISTED_MAX { p.soft { "and " (causes.len() - LISTED_MAX) " more, in verify.json" } }
        }
    }
}

fn badge_of(answer: Answer) -> Markup {
    let verdict = colour(answer);
    html! { span class={ "badge " (verdict) } { (glyph(verdict)) " " (word(answer)) } }
}

fn what_changes(j: &Judgement, id: &str) -> Markup {
    let changes = changes(j);
    html! {
        section.card id=(id) aria-label="What changes" {
            h2 { "What changes" }
            @if changes.is_empty() { p { "Nothing that is done." } }
            ul.plain { @for change in changes.iter().take(LISTED_MAX) { li { (change) } } }
            @if changes.len() > LISTED_MAX { p.soft { "and " (changes.len() - LISTED_MAX) " more, in verify.json" } }
        }
    }
}

/// Those with a word against the candidate first, and unfolded by whoever wants the numbers.
fn scenarios(j: &Judgement, id: &str) -> Markup {
    let mut sorted: Vec<(Verdict, &Comparison)> =
        j.comparisons.iter().map(|c| (of_pairs(c), c)).collect();
    sorted.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
    html! {
        @if !sorted.is_empty() {
            section id=(id) aria-label="Scenarios" {
                h2 { "Scenarios" }
                @for (verdict, c) in sorted.iter().take(LISTED_MAX) {
                    details.card.scenario data-name=(c.scenario.name) data-verdict=(verdict) {
                        summary { h3 { (c.scenario.name) } " " (badge(*verdict)) " " span.soft { (pairs(c)) } }
                        (wide(&format!("Numbers of {} ({id})", c.scenario.name), &table(c)))
                    }
                }
                @if sorted.len() > LISTED_MAX { p.soft { "and " (sorted.len() - LISTED_MAX) " more, in verify.json" } }
            }
        }
    }
}

fn table(c: &Comparison) -> Markup {
    let shown = |n: u64| i64::try_from(n).unwrap_or(NEVER);
    html! {
        table {
            thead { tr {
                th scope="col" { "Measure" } th.num scope="col" { "Baseline" } th.num scope="col" { "Candidate" }
                th.num scope="col" { "Difference" } th.num scope="col" { "99 % at most" } th.num scope="col" { "Worse" }
            } }
            tbody {
                @for m in &c.measures {
                    tr {
                        th scope="row" { (m.name) }
                        td.num { (value(m.unit, m.baseline)) } td.num { (value(m.unit, m.candidate)) }
                        td.num { (difference(m)) } td.num { (p99(m)) } td.num { (m.worse) " of " (m.pairs) }
                    }
                }
                @for n in c.numbers.iter().filter(|n| n.baseline != n.candidate) {
                    tr {
                        th scope="row" { (n.name) }
                        td.num { (value(n.unit, shown(n.baseline))) } td.num { (value(n.unit, shown(n.candidate))) }
                        td {} td {} td {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::compare::{Counts, Measure, Unit};
    use super::super::reason::Reason;
    use super::super::runs::Skipped;
    use super::super::{junit, markdown};
    use super::*;
    use crate::report::meta::tests::example;
    use crate::report::tests::junit_schema::misfits;
    use crate::scenario::{BUILT_IN, Scenario};

    const HOSTILE: &str = "</title><script>alert(1)</script><img src=x> ]]> | & \"'`";

    /// A rejection over every built-in scenario, with so many reasons.
    fn rejection(reasons: usize, text: &str) -> Judgement {
        let comparison = |text: &str| {
            let scenario = Scenario::parse("x.toml", text, &[]).expect("it is built in");
            Comparison {
                scenario: Arc::new(scenario),
                counts: Counts {
                    both_pass: 99,
                    newly_failing: 1,
                    ..Counts::default()
                },
                measures: ["trigger to recovery", "harm to recovery", "not answered"]
                    .map(|name| Measure {
                        name,
                        unit: Unit::Ms,
                        baseline: 30_000,
                        candidate: 45_000,
                        pairs: 100,
                        worse: 60,
                        better: 0,
                        margin: 5_000,
                        difference: (15_000, Some((14_000, 16_000))),
                        p99_at_most: None,
                        never: (0, 1),
                    })
                    .to_vec(),
                numbers: Vec::new(),
                distinct: 99,
                pairs: Vec::new(),
            }
        };
        let reason = Reason {
            answer: Answer::Reject,
            text: text.to_owned(),
            remedy: Some(Remedy::Say(text.to_owned())),
        };
        Judgement {
            baseline: text.to_owned(),
            candidate: text.to_owned(),
            answer: Answer::Reject,
            reasons: vec![reason; reasons],
            renamed: (0..reasons).map(|n| format!("{n} {text}")).collect(),
            front_matter: Vec::new(),
            plans: Vec::new(),
            elsewhere: Vec::new(),
            concerns: Vec::new(),
            comparisons: BUILT_IN.iter().map(|it| comparison(it.text)).collect(),
            smallest: None,
            seeds: (100, 100),
            analyses: 3,
            drills: 20_000,
            skipped: Skipped::default(),
            interrupted: false,
            reference: None,
        }
    }

    #[test]
    fn the_page_answers_first_and_escapes_everything() {
        let mut j = rejection(5, HOSTILE);
        j.reference = Some(Box::new(rejection(2, HOSTILE)));
        let page = page(&j, &[example("2026-11-30T19:00:00Z")]);
        for own in ["<script", "</script>", "<title>"] {
            assert_eq!(page.matches(own).count(), 1, "{own}");
        }
        assert!(!page.contains("<img"));
        let places = [
            "✕ Reject",
            "May it be adopted?",
            "id=\"reasons\"",
            "id=\"scenarios\"",
            "id=\"run\"",
        ]
        .map(|what| page.find(what).unwrap_or_else(|| panic!("no {what}")));
        assert!(places.is_sorted(), "{places:?}");
        let cards = page.matches("<details class=\"card scenario\"").count();
        assert_eq!(cards, 2 * BUILT_IN.len());
        assert!(!page.contains("<details class=\"card scenario\" open"));
    }

    #[test]
    fn a_cause_is_told_once_with_the_scenarios_that_have_it() {
        let mut j = rejection(0, "x");
        let reject = |text: &str| Reason {
            answer: Answer::Reject,
            text: text.to_owned(),
            remedy: None,
        };
        j.reasons = vec![
            reject(
                "api-slow: 3 of the 20 drills that the baseline passes fail, the first by `rto`: took 400 s",
            ),
            reject("self-heal: the impact grows by more than the margin (5 s)"),
            reject(
                "dns-slow: 5 of the 20 drills that the baseline passes fail, the first by `rto`: took 500 s",
            ),
        ];
        let page = page(&j, &[]);
        let section = page.split_once("id=\"reasons\"").expect("it is there").1;
        let section = section.split_once("</section>").expect("it ends").0;
        assert_eq!(section.matches("class=\"trouble").count(), 2, "{section}");
        assert_eq!(
            section.matches("<code>rto</code>: took").count(),
            1,
            "{section}"
        );
        for head in ["api-slow: 3 of", "dns-slow: 5 of"] {
            assert_eq!(
                section.matches(&format!("<li>{head}")).count(),
                1,
                "{section}"
            );
        }
        assert!(page.contains("So it is in 2 scenarios."));
        assert!(!section.contains('`'), "{section}");
    }

    #[test]
    fn a_comment_is_never_too_long_and_says_what_is_left_out() {
        let mut j = rejection(3, "the wait is gone");
        j.reference = Some(Box::new(rejection(3, "the wait is gone")));
        let short = markdown(&j);
        assert!(short.chars().count() < 65_536, "{}", short.len());
        let mut j = rejection(
            4_000,
            "the wait for the rollout is gone, and nothing else sees that",
        );
        j.reference = Some(Box::new(rejection(10, "x")));
        let long = markdown(&j);
        assert!(long.chars().count() < 65_536, "{}", long.len());
        assert!(long.starts_with("## REJECT"));
        assert!(
            long.contains("more reasons are left out here; all are in verify.json"),
            "{long}"
        );
    }

    #[test]
    fn junit_has_a_case_for_the_answer_and_one_for_each_scenario() {
        let text = junit(&rejection(2, HOSTILE), &[example("2026-11-30T19:00:00Z")]);
        assert_eq!(misfits(&text), [""; 0], "{text}");
        let xml = roxmltree::Document::parse(&text).expect("well-formed");
        let count = |name: &str| xml.descendants().filter(|it| it.has_tag_name(name)).count();
        assert_eq!(count("testcase"), 1 + BUILT_IN.len());
        assert_eq!(count("failure"), 1 + BUILT_IN.len());
        let suites = xml.descendants().filter(|it| it.has_tag_name("testsuite"));
        assert!(
            suites
                .clone()
                .all(|it| it.attribute("hostname") == Some("runner-7"))
        );
        assert_eq!(suites.count(), 2);
    }
}
