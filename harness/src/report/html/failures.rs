//! Each class of failure once, with its count and one command.

use maud::{Markup, html};

use super::list::Anchors;
use super::page::{badge, command, prose, sentence};
use crate::report::classes::Class;

/// How many classes are told; journal.json has all drills.
const CLASSES_MAX: usize = 30;
/// How many scenarios of a class are named.
const SCENARIOS_MAX: usize = 12;
/// How many reasons of a class are told.
const REASONS_MAX: usize = 6;

/// The section; nothing if all passed.
pub(super) fn draw(classes: &[Class<'_>], anchors: &Anchors) -> Markup {
    html! {
        @if !classes.is_empty() {
            section.card #failures aria-labelledby="failures-title" {
                h2 #failures-title { "What did not pass" }
                p.soft { "Each class of failure once: the same oracle, the same kind of finding, and the same step." }
                @for class in classes.iter().take(CLASSES_MAX) { (one(class, anchors)) }
                @if classes.len() > CLASSES_MAX {
                    p.soft { "and " (classes.len() - CLASSES_MAX) " more classes, in journal.json" }
                }
            }
        }
    }
}

fn one(class: &Class<'_>, anchors: &Anchors) -> Markup {
    let example = class.example();
    let scenarios = class.scenarios();
    html! {
        div class={ "trouble " (class.name.verdict) } {
            h3 { (badge(class.name.verdict)) " " (class.name.headline()) span.soft { " · " (class.name.title()) " · " (class.extent()) } }
            @for reason in class.told_reasons(REASONS_MAX) { p { (prose(&sentence(&reason))) } }
            @if let Some(smallest) = class.smallest() {
                p { strong { "Smallest failing case" } ": " (smallest) }
            } @else {
                p.soft { "Seed " (example.seed) " of " (example.scenario) }
            }
            (command(&class.command()))
            p.where {
                @for (index, (scenario, drills)) in scenarios.iter().take(SCENARIOS_MAX).enumerate() {
                    @if index > 0 { ", " }
                    @match anchors.of_scenario(scenario) {
                        Some(anchor) => a href={ "#" (anchor) } { (scenario) },
                        None => (scenario),
                    }
                    @if *drills > 1 { " (" (drills) ")" }
                }
                @if scenarios.len() > SCENARIOS_MAX { ", and " (scenarios.len() - SCENARIOS_MAX) " more" }
            }
        }
    }
}
