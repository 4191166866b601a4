//! The scenarios: an index, filters, and one folded part for each, the worst first.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::page::glyph;
use super::scenario;
use crate::report::NAMED_MAX;
use crate::report::journal::Journal;
use crate::report::summary::ScenarioSummary;
use crate::verdict::Verdict;

/// With more scenarios than this there are filters and an index.
const FILTERED_FROM: usize = 6;
/// With more scenarios than this, those that passed are folded together.
const GROUPED_FROM: usize = 12;

/// Where each scenario stands on the page.
pub(super) struct Anchors(Vec<(String, String)>);

impl Anchors {
    /// An anchor for each of `scenarios`, made of its label where that is possible.
    pub(super) fn of(scenarios: &[ScenarioSummary]) -> Self {
        let mut taken = BTreeSet::new();
        let anchors = scenarios.iter().enumerate().map(|(index, summary)| {
            let mut anchor = format!("scenario-{}", slug(&summary.label));
            if !taken.insert(anchor.clone()) {
                anchor = format!("scenario.{}", index + 1);
                taken.insert(anchor.clone());
            }
            (summary.scenario.clone(), anchor)
        });
        Self(anchors.collect())
    }

    /// The anchor of a scenario, in whichever world comes first.
    pub(super) fn of_scenario(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(scenario, _)| scenario == name)?;
        Some(&found.1)
    }
}

/// Only what needs no escape anywhere.
fn slug(label: &str) -> String {
    let mut slug = String::new();
    for c in label.chars().take(80) {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug
}

/// The section.
pub(super) fn draw(
    journal: &Journal<'_>,
    scenarios: &[ScenarioSummary],
    anchors: &Anchors,
) -> Markup {
    let many = scenarios.len() > FILTERED_FROM;
    let (passed, others): (Vec<_>, Vec<_>) = scenarios
        .iter()
        .zip(&anchors.0)
        .partition(|(summary, _)| summary.verdict() == Verdict::Pass);
    let one = |(summary, (_, anchor)): &(&ScenarioSummary, &(String, String))| {
        // What a reader came for is open: the only scenario, or the first that did not pass.
        let first = others.first().map_or(scenarios.len() == 1, |(first, _)| {
            first.label == summary.label
        });
        scenario::draw(journal, summary, anchor, first, scenarios.len())
    };
    html! {
        (left_out(journal))
        @if !scenarios.is_empty() {
            section #scenarios aria-labelledby="scenarios-title" {
                h2 #scenarios-title { "Scenarios" }
                @if many {
                    (filters(scenarios))
                    (index(scenarios, anchors))
                }
                @for each in &others { (one(each)) }
                @if scenarios.len() > GROUPED_FROM && !passed.is_empty() {
                    details.group {
                        summary { (glyph(Verdict::Pass)) " " (passed.len()) " scenarios passed" }
                        @for each in &passed { (one(each)) }
                    }
                } @else {
                    @for each in &passed { (one(each)) }
                }
            }
        }
    }
}

/// Every scenario of which some drills did not run, where a sentence has no room for all of them.
fn left_out(journal: &Journal<'_>) -> Markup {
    let skipped = &journal.summary.skipped_scenarios;
    html! {
        @if skipped.len() > NAMED_MAX {
            details.index {
                summary { "All " (skipped.len()) " scenarios with drills that did not run" }
                ul {
                    @for (name, count) in skipped { li { (name) " (" (count) ")" } }
                }
            }
        }
    }
}

/// Shown by the script, as nothing works without it.
fn filters(scenarios: &[ScenarioSummary]) -> Markup {
    let count = |verdict| scenarios.iter().filter(|s| s.verdict() == verdict).count();
    html! {
        form.filters #filters hidden aria-label="Filter scenarios" {
            label { "Name " input type="search" name="name" autocomplete="off"; }
            @for verdict in [Verdict::Fail, Verdict::Inconclusive, Verdict::Pass] {
                label {
                    input type="checkbox" name="verdict" value=(verdict) checked;
                    " " (verdict) " (" (count(verdict)) ")"
                }
            }
            output.soft aria-live="polite" {}
        }
    }
}

fn index(scenarios: &[ScenarioSummary], anchors: &Anchors) -> Markup {
    html! {
        details.index {
            summary { "Index of all " (scenarios.len()) " scenarios" }
            nav aria-label="Scenarios" {
                ul {
                    @for (summary, (_, anchor)) in scenarios.iter().zip(&anchors.0) {
                        @let verdict = summary.verdict();
                        li data-name=(summary.label) data-verdict=(verdict) {
                            span class=(verdict) title=(verdict) { (glyph(verdict)) } " "
                            a href={ "#" (anchor) } { (summary.label) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn an_anchor_needs_no_escape() {
        assert_eq!(slug("busy-day in sim"), "busy-day-in-sim");
        assert_eq!(slug("</a> \"x\" ümlaut"), "-a-x-mlaut");
    }
}
