//! What speaks for a verdict: the books, the oracles, and what the executor put by.

use maud::{Markup, html};

use super::badge;
use crate::drill::timeline::clock;
use crate::report::journal::{Detail, Drill};
use crate::stats::show_count;

/// How much of a file is shown at its beginning, and as much at its end; bytes.
const EXCERPT: usize = 20_000;
/// How many files.
const FILES_MAX: usize = 50;
/// How many lines of the timeline.
const LINES_MAX: usize = 1_000;

/// Acknowledged against present.
pub(super) fn ledger(drill: &Drill<'_>) -> Markup {
    let cell = |n: u64, bad: bool| {
        let class = (bad && n > 0).then_some("fail");
        html! { span class=[class] { (show_count(n)) } }
    };
    html! {
        table.cards {
            thead { tr { th { "" } th.num { "Acknowledged" } th.num { "Lost" } th.num { "Changed" } th.num { "Duplicated" } } }
            tbody {
                @for (counts, label) in [(drill.trades, "Trades"), (drill.orders, "Orders")] {
                    tr {
                        td.lead { (label) }
                        td.num data-label="acknowledged" { (cell(counts.acknowledged, false)) }
                        td.num data-label="lost" { (cell(counts.lost, true)) }
                        td.num data-label="changed" { (cell(counts.changed, true)) }
                        td.num data-label="duplicated" { (cell(counts.duplicated, true)) }
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
            thead { tr { th { "Oracle" } th { "Stage" } th { "Verdict" } th { "Finding" } } }
            tbody {
                @for finding in &drill.findings {
                    tr {
                        td.lead { (finding.oracle) }
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

/// Timeline, post-mortem and logs, folded away.
pub(super) fn put_by(drill: &Drill<'_>, detail: &Detail<'_>) -> Markup {
    let mut files: Vec<(&String, &String)> = detail.files.iter().collect();
    // The post-mortem tells the story; the logs back it up.
    files.sort_by_key(|(name, _)| (!name.ends_with(".md"), name.contains("/logs/")));
    html! {
        @if !detail.timeline.is_empty() {
            details {
                summary { "Timeline " span.soft { (detail.timeline.len()) " lines" } }
                div.scroll { table.story { tbody {
                    @for event in detail.timeline.iter().take(LINES_MAX) {
                        tr {
                            td.num { code { (clock(event.at_ms)) } }
                            td { (event.who) }
                            td { (event.step) }
                            td.why { (event.what) }
                        }
                    }
                } } }
                @if detail.timeline.len() > LINES_MAX { p.soft { "The rest is in journal.json." } }
            }
        }
        @for (name, text) in files.iter().take(FILES_MAX) {
            details {
                summary { (name) " " span.soft { (size(text.len())) } }
                pre { (excerpt(text, &format!("evidence/{}/{}-{}/{name}", drill.scenario, drill.world, drill.seed))) }
            }
        }
        @if files.len() > FILES_MAX {
            p.soft { (files.len() - FILES_MAX) " more files lie beside this page, in evidence/" }
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

/// `text`, or where it is long its beginning and end.
fn excerpt(text: &str, path: &str) -> String {
    if text.len() <= 2 * EXCERPT {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(EXCERPT);
    let tail = text.ceil_char_boundary(text.len() - EXCERPT);
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
        let shown = excerpt(&text, "evidence/x.log");
        assert!(shown.starts_with("begin") && shown.ends_with("end"));
        assert!(shown.contains("evidence/x.log"));
        assert!(shown.len() < 2 * EXCERPT + 200);
        assert_eq!(excerpt("short", "x"), "short");
    }
}
