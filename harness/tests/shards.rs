//! Shards as processes, as the pods of a campaign run them: one is killed midway and run again, one runs twice, and
//! what is merged is what one process finds.

#[path = "support/binary.rs"]
mod binary;
#[path = "support/scratch.rs"]
mod scratch;
#[path = "support/unstamped.rs"]
mod unstamped;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use binary::{command, firedrill};
use firedrill::campaign::{
    self, Attempt, Interval, MESSAGE_MAX, Merged, Summary, Work, merge, merge_searches,
};
use firedrill::report::journal::Journal;
use firedrill::report::read;
use scratch::Scratch;

const SHARDS: u32 = 4;
const CAMPAIGN: u64 = 0xfeed;

/// The words of a shard. Its summary goes to a file that is named after `run`.
fn words<'a>(index: &'a str, message: &'a str, work: &[&'a str]) -> Vec<&'a str> {
    let own = [
        "shard",
        "--index",
        index,
        "--shards",
        "4",
        "--campaign",
        "feed",
        "--message",
        message,
    ];
    [&own[..], work].concat()
}

/// What a pod would leave.
fn attempt(run: &str, index: u32, output: &Output, message: &Path) -> Attempt {
    let text = std::fs::read_to_string(message).unwrap_or_default();
    assert!(text.len() <= MESSAGE_MAX, "{} bytes", text.len());
    let log = String::from_utf8_lossy(&output.stdout);
    Attempt {
        pod: run.to_owned(),
        index,
        summary: Summary::decode(&text).map_err(|error| error.to_string()),
        files: campaign::read(&log).map_err(|error| error.to_string()),
    }
}

/// Runs a shard to its end, which must have `code`.
fn shard(directory: &Scratch, run: &str, index: u32, work: &[&str], code: i32) -> Attempt {
    let message = directory.at(run);
    let output = firedrill(&words(&index.to_string(), &message, work));
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    attempt(run, index, &output, Path::new(&message))
}

/// Begins a shard, and kills it once its drills have begun: its folder for the report is made right before.
fn killed(directory: &Scratch, run: &str, index: u32, work: &[&str]) -> Attempt {
    let (message, reports) = (directory.at(run), directory.at("reports"));
    let number = index.to_string();
    let mut all = words(&number, &message, &["--reports", &reports]);
    all.extend(work);
    let child = command(&all)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the binary was built for this test");
    let begun = PathBuf::from(&reports).join(format!("shard-{index}"));
    while !begun.exists() {
        assert_eq!(
            child.try_wait().expect("its state"),
            None,
            "it ended before"
        );
        std::thread::yield_now();
    }
    child.kill().expect("it runs");
    let output = child.wait_with_output().expect("it ended");
    assert_eq!(output.status.code(), None, "a signal ended it");
    attempt(run, index, &output, Path::new(&message))
}

fn merged(work: Work, whole: Interval, attempts: Vec<Attempt>) -> Merged {
    merge(CAMPAIGN, work, whole, SHARDS, None, attempts)
}

/// The merged journal, as a file has it, without its runs.
fn journal(directory: &Scratch, merged: &Merged) -> String {
    let mut journals = Vec::new();
    for (index, files) in &merged.files {
        let path = directory.write(&format!("{index}.json"), &files["journal.json"]);
        let path = PathBuf::from(path);
        journals.push((path.clone(), read::read(&path).expect("a journal")));
    }
    let journal: Journal<'_> = read::merge(journals).expect("they agree");
    let text = serde_json::to_string(&journal).expect("JSON");
    unstamped::without_runs("journal.json", &text)
}

#[test]
fn four_shards_of_which_one_is_killed_make_the_journal_of_one_process() {
    let directory = Scratch::new("shards");
    let work = [
        "chaos",
        "good-release",
        "latency-regression",
        "--seeds",
        "10",
        "--seed",
        "3",
        "--jobs",
        "1",
    ];
    let local = directory.at("local");
    let alone = firedrill(&[&work[..], &["--report", &local]].concat());
    assert_eq!(alone.status.code(), Some(0), "{alone:?}");
    let expected = unstamped::without_runs(
        "journal.json",
        &directory.journal("local/journal.json").to_string(),
    );

    let mut attempts = vec![killed(&directory, "killed", 2, &work)];
    attempts
        .extend([3, 0, 1].map(|index| shard(&directory, &format!("p{index}"), index, &work, 0)));
    let whole = Interval {
        first: 3,
        count: 10,
    };
    let without = merged(Work::Chaos, whole, attempts.clone());
    assert_eq!((without.missing.as_slice(), without.code()), (&[2][..], 3));
    assert_eq!(without.lost.len(), 1, "{:?}", without.lost);
    assert_ne!(
        journal(&directory, &without),
        expected,
        "a part is not the whole"
    );

    attempts.push(shard(&directory, "again", 2, &work, 0));
    attempts.push(shard(&directory, "twin", 1, &work, 0));
    let all = merged(Work::Chaos, whole, attempts.clone());
    assert_eq!((all.code(), all.drills, all.passed()), (0, 20, 20));
    assert!(
        all.is_whole() && all.differing.is_empty() && all.strange.is_empty(),
        "{all:?}"
    );
    assert_eq!(journal(&directory, &all), expected);

    // A twin that went another way is noticed, and its drill is named.
    let mut other = attempts.pop().expect("the twin");
    let files = other.files.as_mut().expect("its files");
    let text = files.get_mut("journal.json").expect("its journal");
    let marks: Vec<usize> = text
        .match_indices("\"fingerprint\":\"")
        .map(|(at, mark)| at + mark.len())
        .collect();
    let last = *marks.last().expect("a drill");
    let digit = if text[last..].starts_with('0') {
        "1"
    } else {
        "0"
    };
    text.replace_range(last..=last, digit);
    let told: Journal<'_> = serde_json::from_str(text).expect("a journal");
    let summary = other.summary.clone().expect("its summary");
    other.summary = Ok(campaign::of_chaos(summary, &told, false).summary);
    attempts.push(other);
    let contradicted = merged(Work::Chaos, whole, attempts);
    assert_eq!(contradicted.code(), 1);
    let place = contradicted.differing[0].place.as_deref();
    // The shares of ten seeds are three, three, two and two: the last seed of shard 1 is 3 + 5.
    assert_eq!(
        place,
        Some("latency-regression, seed 8"),
        "{:?}",
        contradicted.differing
    );
}

#[test]
fn merged_searches_equal_the_same_searches_on_one_machine() {
    let directory = Scratch::new("searches");
    let options = ["--seed", "5", "--jobs", "2"];
    let work = [
        &["search", "--seeds", "12", "--first", "100"][..],
        &options[..],
    ]
    .concat();
    let attempts: Vec<Attempt> = (0..SHARDS)
        .map(|index| {
            let message = directory.at(&format!("m{index}"));
            let output = firedrill(&words(&index.to_string(), &message, &work));
            attempt(&format!("p{index}"), index, &output, Path::new(&message))
        })
        .collect();
    let whole = Interval {
        first: 100,
        count: 12,
    };
    let merged = merged(Work::Search, whole, attempts);
    assert!(merged.is_whole(), "{merged:?}");
    assert_eq!(merged.drills, 12);
    let (found, files) = merge_searches(&merged.files).expect("they merge");
    assert_eq!((found.drills, found.first, found.next), (12, 100, 112));
    let mut local = std::collections::BTreeMap::new();
    for index in 0..SHARDS {
        let first = (100 + 3 * index).to_string();
        let report = format!("local{index}");
        let folder = directory.at(&report);
        let alone = [
            "search", "--seeds", "3", "--first", &first, "--report", &folder,
        ];
        firedrill(&[&alone[..], &options[..]].concat());
        let mut files = campaign::Files::new();
        for entry in std::fs::read_dir(&folder).expect("a report").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            files.insert(name.clone(), directory.read(&format!("{report}/{name}")));
        }
        local.insert(index, files);
    }
    assert_eq!(merge_searches(&local).expect("they merge"), (found, files));
}

#[test]
fn a_shard_says_in_its_message_why_it_has_no_result() {
    let directory = Scratch::new("refused");
    let message = directory.at("message");
    for (work, said) in [
        (
            &["chaos", "no-such-scenario", "--seeds", "8"][..],
            "no-such-scenario",
        ),
        (
            &["chaos", "good-release", "--seeds", "3"][..],
            "3 numbers can't be cut into 4 shares",
        ),
        (&["search", "--for", "10s"][..], "--for can't be shared out"),
    ] {
        let output = firedrill(&words("1", &message, work));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let summary = Summary::decode(&directory.read("message")).expect("a summary");
        let error = summary.error.as_deref().unwrap_or_default();
        assert!(error.contains(said), "{error}");
        assert_eq!(
            (summary.code, summary.index, summary.campaign),
            (2, 1, CAMPAIGN)
        );
        assert!(!summary.is_conclusive());
    }
    let nowhere = directory.at("no-such-folder/message");
    let output = firedrill(&words(
        "0",
        &nowhere,
        &["chaos", "good-release", "--seeds", "4", "--jobs", "1"],
    ));
    assert_eq!(
        output.status.code(),
        Some(4),
        "nobody would learn of the result, so it is tried again: {output:?}"
    );
}

#[test]
fn what_failed_is_in_the_message_and_alone_in_the_log_if_asked_for() {
    let directory = Scratch::new("failing-shard");
    let text = include_str!("../../runbooks/rollback.md");
    let at = text.find(r#""name":"undo-app""#).expect("the step");
    let from = text[..at].rfind("```sh").expect("a fence");
    let to = at + text[at..].find("\n```\n").expect("its end") + 5;
    let broken = directory.write("broken.md", &format!("{}{}", &text[..from], &text[to..]));
    let work = [
        "--failures-only",
        "chaos",
        "good-release",
        "latency-regression",
        "--seeds",
        "4",
        "--runbook",
        &broken,
        "--jobs",
        "1",
    ];
    let attempt = shard(&directory, "failing", 1, &work, 1);
    let summary = attempt.summary.expect("a summary");
    assert_eq!(
        (summary.drills, summary.failed, summary.passed()),
        (2, 1, 1)
    );
    assert_eq!((summary.share.first, summary.share.count), (1, 1));
    let [failure] = summary.failures.as_slice() else {
        panic!("{:?}", summary.failures);
    };
    assert_eq!(
        (failure.what.as_str(), failure.number),
        ("latency-regression", 1)
    );
    let files = attempt.files.expect("its files");
    let journal: Journal<'_> = serde_json::from_str(&files["journal.json"]).expect("a journal");
    let drills: Vec<&str> = journal.drills.iter().map(|it| &*it.scenario).collect();
    assert_eq!(drills, ["latency-regression"]);
    assert_eq!(Some(&*journal.drills[0].replay), failure.replay.as_deref());
}
