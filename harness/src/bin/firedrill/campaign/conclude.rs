//! What a campaign came to: merged, cut down, shown, and written.

use std::collections::BTreeMap;

use firedrill::campaign::{self, Attempt, Interval, Merged, Settings, merge, merge_searches};
use firedrill::report::journal::{Journal, Skipped};
use firedrill::report::summary::by_scenario_of;
use firedrill::report::{self, Beside, read, table, write_texts};
use firedrill::token::{AtHand, this_build};
use firedrill::verdict::Verdict;
use firedrill::worlds::WorldError;
use serde::Serialize;

use crate::args::CampaignArgs;
use crate::chaos::processors;
use crate::exit::{Failure, INTERRUPTED};
use crate::interrupt::Interrupt;
use crate::terminal;
use crate::work::Work;

/// How many failures and problems of shards are printed.
const SHOWN: usize = 20;

/// What was collected.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// The pods that ended.
    pub(super) attempts: Vec<Attempt>,
    /// How the Job ended, in words; empty: it has not.
    pub(super) ended: String,
}

/// `campaign.json`.
#[derive(Serialize)]
struct File<'a> {
    schema: &'static str,
    campaign: String,
    command: &'a [String],
    image: &'a str,
    job: &'a str,
    whole: Interval,
    shards: u32,
    complete: bool,
    drills: u64,
    passed: u64,
    failed: u64,
    inconclusive: u64,
    failures: &'a [campaign::Failure],
    failures_left_out: u64,
    missing: &'a [u32],
    counted: &'a [u32],
    lost: &'a [String],
    strange: &'a [String],
    differing: &'a [String],
}

/// Merges, shows and writes it; the exit code.
pub(super) fn conclude(
    args: &CampaignArgs,
    work: &Work,
    scenarios: &[String],
    settings: &Settings,
    collected: Collected,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let Collected { attempts, ended } = collected;
    let whole = work.interval();
    // Whichever build the image has: this one only asks for it.
    let builds = attempts.iter().filter_map(|it| it.summary.as_ref().ok());
    let theirs: Vec<u32> = builds.map(|it| it.build).collect();
    let same_build = theirs.iter().all(|build| *build == this_build());
    let wanted = same_build.then(this_build);
    let merged = merge(
        settings.campaign,
        work.kind(),
        whole,
        settings.shards,
        wanted,
        attempts,
    );
    let mut differing: Vec<String> = merged
        .differing
        .iter()
        .map(|difference| {
            let [one, other] = &difference.pods;
            let place = difference
                .place
                .as_deref()
                .unwrap_or("their logs do not say where");
            format!(
                "shard {}: {one} and {other} differ: {place}",
                difference.index
            )
        })
        .collect();
    match work {
        Work::Chaos(chaos) => {
            let mut journal = journal(&merged, whole, settings.shards, scenarios)?;
            if !chaos.no_cut && same_build && !interrupt.happened() {
                let stop = interrupt.stop();
                let cut = campaign::cut(&mut journal, processors(), stop, &|| {});
                match cut {
                    Ok(recut) => differing.extend(recut.differing),
                    Err(WorldError::Interrupted) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            show(args, &merged, &journal);
            if let Some(directory) = &args.report {
                // A report of the failures alone would count wrongly as one of all.
                let directory = if merged.counted.is_empty() {
                    directory.clone()
                } else {
                    directory.join("not-passed")
                };
                report::prepare(&directory)?;
                report::write_beside(&directory, &journal, &Beside::default())?;
                terminal::say(&format!(
                    "report: {}",
                    directory.join("report.html").display()
                ));
            }
        }
        Work::Search(_) if merged.files.is_empty() => {}
        Work::Search(_) => {
            let found = merge_searches(&merged.files);
            let (_, files) = found.map_err(|error| WorldError::SetUp(error.to_string()))?;
            if let Some(words) = files.get("summary.md") {
                terminal::say(words.trim_end());
            }
            if let Some(directory) = &args.report {
                let texts: Vec<(&str, &str)> = files
                    .iter()
                    .map(|(name, text)| (name.as_str(), text.as_str()))
                    .collect();
                write_texts(directory, &texts)?;
                terminal::say(&format!(
                    "report: {}",
                    directory.join("search.json").display()
                ));
            }
        }
    }
    let code = match merged.code() {
        2 => 2,
        _ if !differing.is_empty() => 1,
        code => code,
    };
    if let Some(directory) = &args.report {
        let file = File {
            schema: "firedrill-campaign/1",
            campaign: format!("{:016x}", settings.campaign),
            command: &settings.work,
            image: &settings.cluster.image,
            job: &ended,
            whole,
            shards: settings.shards,
            complete: merged.is_complete(),
            drills: merged.drills,
            passed: merged.passed(),
            failed: merged.failed,
            inconclusive: merged.inconclusive,
            failures: &merged.failures,
            failures_left_out: merged.left_out,
            missing: &merged.missing,
            counted: &merged.counted,
            lost: &merged.lost,
            strange: &merged.strange,
            differing: &differing,
        };
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        write_texts(directory, &[("campaign.json", text.as_str())])?;
    }
    problems(args, &merged, &differing, &ended);
    last_line(settings, &merged, code);
    Ok(if interrupt.happened() {
        INTERRUPTED
    } else {
        code
    })
}

/// The journal of all shards. What missing shards would have drilled did not run.
fn journal(
    merged: &Merged,
    whole: Interval,
    shards: u32,
    scenarios: &[String],
) -> Result<Journal<'static>, Failure> {
    let no_folder =
        |error: std::io::Error| WorldError::SetUp(format!("no folder for the journals: {error}"));
    let scratch = tempfile::tempdir().map_err(no_folder)?;
    let mut journals = Vec::with_capacity(merged.files.len());
    for (index, files) in &merged.files {
        let path = scratch.path().join(format!("shard-{index}.json"));
        let text = files.get("journal.json").map_or("", String::as_str);
        std::fs::write(&path, text).map_err(no_folder)?;
        let journal = read::read(&path).map_err(|error| WorldError::SetUp(error.to_string()))?;
        journals.push((path, journal));
    }
    let whole_journal = read::merge(journals);
    let merged_journal = whole_journal.map_err(|error| WorldError::SetUp(error.to_string()))?;
    let mut skipped = Skipped::default();
    for index in &merged.missing {
        let Ok(share) = whole.share(*index, shards) else {
            continue;
        };
        let seeds = usize::try_from(share.count).unwrap_or(usize::MAX);
        for scenario in scenarios {
            *skipped.scenarios.entry(scenario.clone()).or_default() += seeds;
            skipped.drills += seeds;
        }
    }
    let Journal { meta, drills, .. } = merged_journal;
    Ok(Journal::of(drills, skipped).with_meta(meta))
}

/// The tables, as `chaos` shows them.
fn show(args: &CampaignArgs, merged: &Merged, journal: &Journal<'_>) {
    if !journal.drills.is_empty() && !args.quiet && merged.counted.is_empty() {
        terminal::say(&table::summary_of(&by_scenario_of(&journal.drills)));
    }
    let findings = table::findings_of(&journal.drills, &terminal::replays(AtHand::default()));
    if !findings.is_empty() {
        terminal::say(&format!("\n{findings}"));
    }
}

/// What went wrong with shards, and what failed in those whose logs are not there.
fn problems(args: &CampaignArgs, merged: &Merged, differing: &[String], ended: &str) {
    for difference in differing {
        terminal::say(&format!("not deterministic: {difference}"));
    }
    let counted = &merged.counted;
    if !counted.is_empty() {
        terminal::say(&format!(
            "{} shards: what passed is counted, and is not in the report",
            counted.len()
        ));
        for failure in merged.failures.iter().take(SHOWN) {
            let campaign::Failure {
                what, number, why, ..
            } = failure;
            terminal::say(&format!("  {what}, {number}: {why}"));
            if let Some(token) = &failure.replay {
                terminal::say(&format!("    {}", firedrill::token::command(token)));
            }
        }
    }
    let mut said: BTreeMap<&str, &[String]> = BTreeMap::new();
    said.insert("counts for nothing", &merged.strange);
    if !args.quiet || !merged.missing.is_empty() {
        said.insert("without a result", &merged.lost);
    }
    for (what, lines) in said {
        for line in lines.iter().take(SHOWN) {
            terminal::say(&format!("{what}: {line}"));
        }
        if let Some(more) = lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            terminal::say(&format!("{what}: {more} more"));
        }
    }
    if !merged.missing.is_empty() {
        let all = merged.missing.iter().map(u32::to_string);
        let shown: Vec<String> = all.take(SHOWN).collect();
        let more = if merged.missing.len() > SHOWN {
            ", …"
        } else {
            ""
        };
        let how = if ended.is_empty() {
            "the Job has not ended"
        } else {
            ended
        };
        terminal::say(&format!(
            "incomplete: no result of the shards {}{more} ({how})",
            shown.join(", ")
        ));
    }
}

fn last_line(settings: &Settings, merged: &Merged, code: u8) {
    let verdict = match code {
        0 => Verdict::Pass,
        1 => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let done = settings.shards as usize - merged.missing.len();
    terminal::say_coloured(
        verdict,
        &format!(
            "{done} of {} shards, {} drills: {} passed, {} failed, {} inconclusive",
            settings.shards,
            merged.drills,
            merged.passed(),
            merged.failed,
            merged.inconclusive
        ),
    );
}
