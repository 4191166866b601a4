//! A search as one self-contained page: the classes of failure, the matrix of faults and steps, and its holes.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::campaign::{FoundClass, Searched};
use super::marks::{Catalogue, Part, Tally};
use super::matrix::{Cell, Matrix};
use super::show::{drills, holes_by_part};
use crate::report::html::page::{command, document, index, top, wide};
use crate::verdict::Verdict;

/// The page.
#[must_use]
pub fn page(seed: u64, first: u64, searched: &Searched, catalogue: &Catalogue) -> String {
    let tally = catalogue.tally(&searched.coverage);
    let never = searched.never_reached(catalogue);
    let new = searched.classes.iter().filter(|it| it.known.is_none());
    let new = new.count();
    let (verdict, word) = if new > 0 || !never.is_empty() {
        (Verdict::Fail, "Found")
    } else if searched.drills == 0 {
        (Verdict::Inconclusive, "Nothing")
    } else {
        (Verdict::Pass, "Sound")
    };
    let sentence = format!(
        "{}, {} classes of failure, {new} of them new.",
        drills(searched.drills),
        searched.classes.len()
    );
    let place = format!(
        "seed {seed}, drills {first} to {}",
        searched.next.saturating_sub(1)
    );
    let parts = [
        ("classes", "Classes of failure".to_owned()),
        ("coverage", "Coverage".to_owned()),
        ("matrix", "Faults and steps".to_owned()),
        ("holes", "What was never met".to_owned()),
    ];
    let body = html! {
        (top(verdict, word, &sentence, &place))
        (index(&parts))
        main #main {
            section.card #classes {
                h2 { "Classes of failure" }
                @if searched.classes.is_empty() { p { "No failure was found." } }
                @for found in &searched.classes { (class(found)) }
            }
            (coverage(&tally))
            (matrix(&Matrix::of(catalogue, &tally)))
            (holes(&tally, catalogue))
        }
    };
    document("Search", &body)
}

fn class(found: &FoundClass) -> Markup {
    let state = match (&found.known, found.earlier) {
        (Some(_), _) => "known",
        (None, true) => "fails still",
        (None, false) => "new",
    };
    let verdict = match found.known {
        Some(_) => "inconclusive",
        None => "fail",
    };
    html! {
        div class={ "trouble " (verdict) } {
            h3 { (state) ": " (found.class) }
            p { (found.finding) }
            p.soft {
                (drills(found.drills)) ", " (found.class.half.as_str()) ", first in drill " (found.first)
                "; a case fails after " (found.fastest.virtual_ms / 1_000) " virtual seconds"
            }
            @if let Some(reason) = &found.known { p { "Known: " (reason) } }
            (command(&crate::token::command(&found.replay)))
        }
    }
}

fn coverage(tally: &Tally<'_>) -> Markup {
    let table = html! {
        table {
            thead { tr { th { "Marks" } th.num { "Met" } th.num { "Can be met" } th.num { "Can't be" } } }
            tbody {
                @for part in Part::ALL {
                    @let counts = tally.counts(part);
                    tr {
                        th scope="row" { (part.as_str()) }
                        td.num { (counts.met) } td.num { (counts.all) } td.num { (counts.unreachable) }
                    }
                }
            }
        }
    };
    html! {
        section.card #coverage { h2 { "Coverage" } (wide("Coverage", &table)) }
    }
}

fn matrix(matrix: &Matrix) -> Markup {
    let table = html! {
        table {
            thead {
                tr {
                    th { "Fault" }
                    @for column in &matrix.columns { th.num { (column.step) br; (column.side) } }
                }
            }
            tbody {
                @for row in &matrix.rows {
                    tr {
                        th scope="row" { (row.kind) }
                        @for cell in &row.cells {
                            @match cell {
                                Cell::Met(0) => td.num.fail { "0" },
                                Cell::Met(times) => td.num { (times) },
                                Cell::Never => td.num.soft { "–" },
                            }
                        }
                    }
                }
            }
        }
    };
    html! {
        section.card #matrix {
            h2 { "Faults and steps" }
            p { "How many drills had a step that met a fault of the kind. A zero is a hole; a dash can't be met." }
            (wide("Faults and steps", &table))
        }
    }
}

fn holes(tally: &Tally<'_>, catalogue: &Catalogue) -> Markup {
    let reasons: BTreeSet<&str> = catalogue.marks().filter_map(|(_, why)| why).collect();
    html! {
        section.card #holes {
            h2 { "What was never met" }
            @for (part, marks) in holes_by_part(tally) {
                details {
                    summary { (part.as_str()) ": " (marks.len()) }
                    ul.plain { @for mark in marks { li { (mark) } } }
                }
            }
            @for (mark, why_not) in tally.refuted() {
                p.fail { (mark) ", though the code says: " (why_not) }
            }
            h3 { "Why other marks can't be met" }
            ul.plain { @for why in reasons { li { (why) } } }
        }
    }
}
