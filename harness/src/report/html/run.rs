//! When, where and by which command the drills were made.

use maud::{Markup, html};

use super::page::command;
use crate::report::meta::Meta;
use crate::stats::show_ms;

/// How many runs are told; journal.json has all.
const RUNS_MAX: usize = 20;

/// The runs that a page is of. It is the only part of a page that is not a function of the drills.
pub(crate) fn draw(runs: &[Meta]) -> Markup {
    html! {
        section.card #run aria-labelledby="run-title" {
            h2 #run-title { @if runs.len() > 1 { "Runs" } @else { "Run" } }
            @if runs.is_empty() { p.soft { "The journal does not say when, where and by which command it was made." } }
            @for run in runs.iter().take(RUNS_MAX) {
                dl.run {
                    div { dt { "Started" } dd { time datetime=(run.started.to_string()) { (run.began()) } } }
                    div { dt { "Took" } dd { (show_ms(run.duration_ms)) } }
                    div { dt { "Program" } dd { "firedrill " (run.version) ", build " (run.build) } }
                    div { dt { "Commit" } dd { (run.commit.as_deref().unwrap_or("unknown")) } }
                    div { dt { "Runbook" } dd {
                        @match &run.runbook {
                            Some(runbook) => { (runbook.path) ", digest " (runbook.digest) },
                            None => "not one alone",
                        }
                    } }
                    div { dt { "Seeds" } dd { @match &run.seeds { Some(seeds) => (seeds), None => "unknown" } } }
                    div { dt { "Host" } dd { (run.host.name) ", " (run.host.system) ", " (processors(run)) } }
                    div.whole { dt { "Command" } dd { (command(&run.command_line())) } }
                }
            }
            @if runs.len() > RUNS_MAX { p.soft { "and " (runs.len() - RUNS_MAX) " more, in journal.json" } }
        }
    }
}

fn processors(run: &Meta) -> String {
    match run.host.processors {
        1 => "1 processor".to_owned(),
        n => format!("{n} processors"),
    }
}
