//! What speaks for a verdict: the books, the oracles, and what the executor saved.

use maud::{Markup, html};

use super::page::{badge, wide};
use crate::drill::timeline::clock;
use crate::finding::{BookCounts, OracleName};
use crate::report::journal::{Detail, Drill};
use crate::stats::show_count;
use crate::verdict::Verdict;

/// How much of a file is shown at its beginning, and as much at its end; bytes.
const EXCERPT: usize = 20_000;
/// How many files.
const FILES_MAX: usize = 50;
/// How many lines of the timeline.
const LINES_MAX: usize = 1_000;
/// With more scenarios than this, less is shown of those that passed, so that the page loads at once.
const CROWD: usize = 12;

/// How much a page has room for, of what one drill saved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Bytes of a file at either end.
    excerpt: usize,
    files: usize,
    lines: usize,
}

impl Room {
    /// The room for a scenario of that verdict on a page of so many scenarios.
    pub(super) fn of(verdict: Verdict, scenarios: usize) -> Self {
        if verdict == Verdict::Pass && scenarios > CROWD {
            Self {
                excerpt: EXCERPT / 10,
                files: 1,
                lines: LINES_MAX / 5,
            }
        } else {
            Self {
                excerpt: EXCERPT,
                files: FILES_MAX,
                lines: LINES_MAX,
            }
        }
    }
}

/// Acknowledged against present.
pub(super) fn ledger(drill: &Drill<'_>) -> Markup {
    let cell = |n: u64, bad: bool| {
        let class = (bad && n > 0).then_some("fail");
        html! { span class=[class] { (show_count(n)) } }
    };
    let mut findings = drill.findings.iter();
    let of_writes = findings.find(|it| it.oracle == OracleName::AcknowledgedWrites);
    let counts: Vec<[u64; 4]>;
    let labels: &[&str];
    match of_writes {
        Some(found) => {
            let number = |name: &str| {
                let number = found.numbers.get(name).copied().unwrap_or(0);
                u64::try_from(number).unwrap_or(0)
            };
            counts = vec![["acknowledged", "lost", "changed", "duplicated"].map(number)];
            labels = &["Writes"];
        }
        None => {
            let of = |it: BookCounts| [it.acknowledged, it.lost, it.changed, it.duplicated];
            counts = vec![of(drill.trades), of(drill.orders)];
            labels = &["Trades", "Orders"];
        }
    }
    html! {
        table.cards {
            thead { tr {
                th scope="col" { "What" } th.num scope="col" { "Acknowledged" } th.num scope="col" { "Lost" }
                th.num scope="col" { "Changed" } th.num scope="col" { "Duplicated" }
            } }
            tbody {
                @for ([acknowledged, lost, changed, duplicated], label) in counts.into_iter().zip(labels) {
                    tr {
                        th.lead scope="row" { (label) }
                        td.num data-label="acknowledged" { (cell(acknowledged, false)) }
                        td.num data-label="lost" { (cell(lost, true)) }
                        td.num data-label="changed" { (cell(changed, true)) }
                        td.num data-label="duplicated" { (cell(duplicated, true)) }
                    }
                }
            }
        }
    }
}

/// What each oracle found.
pub(super) fn oracles(drill: &Drill<'_>) -> Markup {
    html! {
        table.oracles {
            thead { tr {
                th scope="col" { "Oracle" } th scope="col" { "Stage" } th scope="col" { "Verdict" } th scope="col" { "Finding" }
            } }
            tbody {
                @for finding in &drill.findings {
                    tr {
                        th.lead scope="row" { (finding.oracle) }
                        td.stage { (finding.stage.as_str()) }
                        td.badged { (badge(finding.verdict)) }
                        td.why {
                            (finding.reason)
                            @if !finding.numbers.is_empty() {
                                div.nums {
                                    @for (name, value) in &finding.numbers {
                                        span { (name) " " (show_signed(*value)) }
                                        " "
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn show_signed(n: i64) -> String {
    let digits = show_count(n.unsigned_abs());
    if n < 0 {
        format!("\u{2212}{digits}")
    } else {
        digits
    }
}

/// Timeline, post-mortem and logs, folded away, as far as there is room.
pub(super) fn saved(drill: &Drill<'_>, detail: &Detail<'_>, room: Room) -> Markup {
    let mut files: Vec<(&String, &String)> = detail.files.iter().collect();
    // The post-mortem tells the story; the logs back it up.
    files.sort_by_key(|(name, _)| (!name.ends_with(".md"), name.contains("/logs/")));
    let folder = format!("evidence/{}/{}-{}", drill.scenario, drill.world, drill.seed);
    html! {
        @if !detail.timeline.is_empty() {
            details {
                summary { "Timeline " span.soft { (detail.timeline.len()) " lines" } }
                (wide(&format!("Timeline of {}, seed {}, {}", drill.scenario, drill.seed, drill.world), &lines(detail, room)))
                @if detail.timeline.len() > room.lines { p.soft { "The rest is in journal.json." } }
            }
        }
        @for (name, text) in files.iter().take(room.files) {
            details {
                summary { (name) " " span.soft { (size(text.len())) } }
                pre tabindex="0" { (excerpt(text, room.excerpt, &format!("{folder}/{name}"))) }
            }
        }
        @if files.len() > room.files {
            p.soft { (files.len() - room.files) " more files lie beside this page, in " (folder) }
        }
    }
}

fn lines(detail: &Detail<'_>, room: Room) -> Markup {
    html! {
        table.story {
            thead { tr {
                th.num scope="col" { "Time" } th scope="col" { "Who" } th scope="col" { "Step" } th scope="col" { "What" }
            } }
            tbody {
                @for event in detail.timeline.iter().take(room.lines) {
                    tr {
                        td.num { code { (clock(event.at_ms)) } }
                        td { (event.who) }
                        td { (event.step) }
                        td.why { (event.what) }
                    }
                }
            }
        }
    }
}

fn size(bytes: usize) -> String {
    if bytes < 10_000 {
        format!("{} bytes", show_count(bytes as u64))
    } else {
        format!("{} kB", show_count(bytes as u64 / 1_000))
    }
}

/// `text`, or where it is long its beginning and end, of so many bytes each.
fn excerpt(text: &str, bytes: usize, path: &str) -> String {
    if text.len() <= 2 * bytes {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(bytes);
    let tail = text.ceil_char_boundary(text.len() - bytes);
    format!(
        "{}\n\n[ {} bytes are left out; the whole is {path} ]\n\n{}",
        &text[..head],
        show_count((tail - head) as u64),
        &text[tail..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_keep_both_ends() {
        let text = format!("begin{}end", "ä".repeat(EXCERPT * 2));
        let shown = excerpt(&text, EXCERPT, "evidence/x.log");
        assert!(shown.starts_with("begin") && shown.ends_with("end"));
        assert!(shown.contains("evidence/x.log"));
        assert!(shown.len() < 2 * EXCERPT + 200);
        assert_eq!(excerpt("short", EXCERPT, "x"), "short");
    }
}
