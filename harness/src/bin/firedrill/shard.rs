//! `firedrill shard`: one share of a campaign, as a pod does it. Its results are the last lines of standard output, and
//! a summary of at most 4,096 bytes goes to the termination message. The exit code is that of `chaos` or `search`.

use std::fs;
use std::path::Path;

use firedrill::campaign::{self, Files, Results, Summary};
use firedrill::report::read;
use firedrill::token::this_build;
use firedrill::worlds::WorldError;

use crate::args::ShardArgs;
use crate::exit::{Failure, with_cause};
use crate::terminal;
use crate::work::Work;

/// Runs it; the exit code.
pub(crate) fn run(args: &ShardArgs) -> Result<u8, Failure> {
    let done = perform(args);
    let results = match &done {
        Ok((_, results)) => results.clone(),
        // Whoever collects the results learns why there are none.
        Err(failure) => Results {
            summary: Summary {
                code: failure.code(),
                error: Some(words(failure)),
                ..begin(args, asked_for(args))
            },
            lines: Vec::new(),
        },
    };
    if results.summary.is_conclusive() {
        for line in &results.lines {
            terminal::say_raw(format!("{line}\n").as_bytes());
        }
    }
    let written = fs::write(&args.message, results.summary.encode());
    let (code, _) = done?;
    written.map_err(|error| {
        let file = args.message.display();
        no_world(format!("cannot write the summary to {file}: {error}"))
    })?;
    Ok(code)
}

/// What was asked for, as far as its first word says.
fn asked_for(args: &ShardArgs) -> campaign::Work {
    match args.work.first().map(String::as_str) {
        Some("search") => campaign::Work::Search,
        _ => campaign::Work::Chaos,
    }
}

/// What the summary begins with.
fn begin(args: &ShardArgs, work: campaign::Work) -> Summary {
    Summary::new(args.campaign, this_build(), work, args.index, args.shards)
}

/// Does the share; exit code and results.
fn perform(args: &ShardArgs) -> Result<(u8, Results), Failure> {
    let work = Work::read(&args.work)?;
    let share = work.interval().share(args.index, args.shards);
    let share = share.map_err(|error| {
        Failure::input(
            error.to_string(),
            "--index, --shards and --seeds must fit together",
        )
    })?;
    let scratch;
    let report = match &args.reports {
        Some(folder) => folder.join(format!("shard-{}", args.index)),
        None => {
            scratch = tempfile::tempdir()
                .map_err(|error| no_world(format!("no folder for the report: {error}")))?;
            scratch.path().join("report")
        }
    };
    let kind = work.kind();
    let code = work.perform(share, &report)?;
    let summary = Summary {
        share,
        code,
        ..begin(args, kind)
    };
    let results = match kind {
        campaign::Work::Chaos => {
            let journal = read::read(&report.join("journal.json"));
            let journal = journal.map_err(|error| no_world(error.to_string()))?;
            campaign::of_chaos(summary, &journal, args.failures_only)
        }
        campaign::Work::Search => {
            let files = texts(&report).map_err(|error| no_world(error.to_string()))?;
            let results = campaign::of_search(summary, &files);
            results.map_err(|error| no_world(format!("search.json: {error}")))?
        }
    };
    Ok((code, results))
}

/// What another try may mend.
fn no_world(why: String) -> Failure {
    WorldError::SetUp(why).into()
}

/// The files of a folder.
fn texts(folder: &Path) -> std::io::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.insert(name.into_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}

/// What a failure says, without its place in a file.
fn words(failure: &Failure) -> String {
    match failure {
        Failure::Input(report) => report.to_string(),
        Failure::World(error) => error.to_string(),
        Failure::Report(error) => with_cause(error),
    }
}
