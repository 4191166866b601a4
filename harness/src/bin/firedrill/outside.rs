//! An executor that is a program of its own: `--executor`, and the commands of its `PATH` that stand for the system's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueHint};
use firedrill::scenario::parse_duration;
use firedrill::worlds::{Program, Record, WorldKind};

use crate::database;
use crate::exit::Failure;
use crate::last_failed::KeptProgram;
use crate::served::Served;

/// Which executor is drilled.
#[derive(Debug, Args)]
pub(crate) struct ExecutorArgs {
    /// The command that carries out the rollback instead of our own executor. A shell runs it for the phases `prepare`,
    /// `run` and `resume`, and its environment says where the world is (the book's page about executors of your own has
    /// the names)
    #[arg(long, value_name = "CMD", value_parser = command)]
    pub(crate) executor: Option<String>,
    /// Let the world's clock run N times as fast as the wall clock, for a program that keeps time by itself.
    /// Its drills are not reproducible
    #[arg(long, value_name = "N", requires = "executor", value_parser = pace)]
    pub(crate) pace: Option<u32>,
    /// Kill the program if it runs so long without a request, by the wall clock: the drill is inconclusive then
    #[arg(long, value_name = "DURATION", requires = "executor", value_parser = patience, default_value = "5m")]
    pub(crate) executor_timeout: Duration,
    /// Write what the program asked, what it got, and when, into this file: `replay --recording FILE` performs the
    /// drill again without the program. With `--report`, each drill is recorded in the report's folder `recordings`
    #[arg(long, value_name = "FILE", requires = "executor", value_hint = ValueHint::FilePath)]
    pub(crate) record: Option<PathBuf>,
}

/// The folder of the recordings in that of a report.
const RECORDINGS: &str = "recordings";

/// `10` or `10x`.
pub(crate) fn pace(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('x').unwrap_or(text);
    match number.parse() {
        Ok(speed @ 1..=100) => Ok(speed),
        _ => Err("write how many times as fast, from 1x to 100x".to_owned()),
    }
}

/// A command that does something: nothing would roll nothing back.
pub(crate) fn command(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("the command is empty: write for instance 'bash rollback.sh'".to_owned());
    }
    Ok(text.to_owned())
}

/// `90s` or `5m`.
fn patience(text: &str) -> Result<Duration, String> {
    let read = parse_duration(text)?;
    if read.is_zero() {
        return Err(
            "a program that may run no time at all does nothing: write for instance `5m`"
                .to_owned(),
        );
    }
    Ok(read)
}

impl ExecutorArgs {
    /// Of that command, if there is one, at the pace of its requests.
    pub(crate) fn of_command(executor: Option<String>) -> Self {
        Self {
            executor,
            pace: None,
            executor_timeout: Program::PATIENCE,
            record: None,
        }
    }

    /// What is kept of it for another run.
    pub(crate) fn kept(&self) -> Option<KeptProgram> {
        let executor = self.executor.clone()?;
        let pace = self.pace;
        Some(KeptProgram { executor, pace })
    }

    /// The program, if there is one. Its drills are recorded in the folder of the `report`, too.
    pub(crate) fn program(
        &self,
        world: WorldKind,
        report: Option<&Path>,
    ) -> Result<Option<Arc<Program>>, Failure> {
        let Some(command) = &self.executor else {
            return Ok(None);
        };
        if world != WorldKind::Sim && (self.pace.is_some() || self.record.is_some()) {
            return Err(Failure::input(
                format!("the world `{world}` has a clock of its own, and is not recorded"),
                "leave out --pace and --record",
            ));
        }
        let record = match (&self.record, report) {
            (Some(file), _) => Some(Record::File(file.clone())),
            (None, Some(report)) if world == WorldKind::Sim => {
                Some(Record::Folder(emptied(&report.join(RECORDINGS))?))
            }
            (None, _) => None,
        };
        Ok(Some(Arc::new(Program {
            command: command.clone(),
            pace: self.pace,
            patience: self.executor_timeout,
            tools: this_program()?,
            record,
        })))
    }

    /// Refuses to write the recordings of several drills into one file.
    pub(crate) fn records_one_of(&self, drills: usize) -> Result<(), Failure> {
        if self.record.is_none() || drills == 1 {
            return Ok(());
        }
        Err(Failure::input(
            format!("--record takes one drill, and these are {drills}"),
            "name one scenario with --seed, or give --report: each drill is recorded in its folder",
        ))
    }
}

/// Where this program is.
pub(crate) fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Failure::input(
            format!("where this program is, the system does not say: {error}"),
            "call it by its full path",
        )
    })
}

/// The folder of recordings, without those of an earlier run.
fn emptied(folder: &Path) -> Result<PathBuf, Failure> {
    let wrong = |error: std::io::Error| {
        Failure::input(
            format!("cannot clear {}: {error}", folder.display()),
            "give --report another folder",
        )
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(folder.to_owned()),
        Err(error) => return Err(wrong(error)),
        Ok(entries) => entries,
    };
    for entry in entries {
        let path = entry.map_err(wrong)?.path();
        if path.extension().is_some_and(|it| it == "jsonl") {
            std::fs::remove_file(&path).map_err(wrong)?;
        }
    }
    Ok(folder.to_owned())
}

/// A command that stands for the system's own.
#[derive(Debug, Args)]
pub(crate) struct ToolArgs {
    /// `sleep`, `date`, `timeout`, `flyway` or `rollback`
    #[arg(value_parser = ["sleep", "date", "timeout", "flyway", "rollback"])]
    tool: String,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// The exit code of `timeout` whose time is over (timeout(1)).
const TIMED_OUT: u8 = 124;

/// Runs it; the exit code.
pub(crate) fn tool(args: &ToolArgs) -> Result<u8, Failure> {
    match args.tool.as_str() {
        "sleep" => sleep(&args.arguments),
        "date" => date(&args.arguments),
        "flyway" => database::flyway(&args.arguments),
        "rollback" => database::rollback(&args.arguments),
        _ => timeout(&args.arguments),
    }
}

pub(crate) fn wrong(message: impl Into<String>) -> Failure {
    Failure::input(
        message,
        "this command stands for the system's own in a drill",
    )
}

/// A variable that every program of a drill has.
pub(crate) fn variable(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| wrong(format!("{name} is not set: this is no drill")))
}

/// A request about the world's clock.
fn ask(path: &str) -> Result<String, Failure> {
    Served::new()?.post(path, None).map_err(wrong)
}

/// The sum of durations as sleep(1) takes them: `5`, `2.5`, `1m`, `1h`.
fn seconds(words: &[OsString]) -> Result<f64, Failure> {
    let mut sum = 0.0;
    for word in words {
        let text = word.to_string_lossy();
        let (number, unit) = match text.char_indices().last() {
            Some((at, 's')) => (&text[..at], 1.0),
            Some((at, 'm')) => (&text[..at], 60.0),
            Some((at, 'h')) => (&text[..at], 3_600.0),
            Some((at, 'd')) => (&text[..at], 86_400.0),
            _ => (&text[..], 1.0),
        };
        let number: f64 = number
            .parse()
            .ok()
            .filter(|it| *it >= 0.0)
            .ok_or_else(|| wrong(format!("invalid time interval '{text}'")))?;
        sum += number * unit;
    }
    Ok(sum)
}

fn sleep(words: &[OsString]) -> Result<u8, Failure> {
    if words.is_empty() {
        return Err(wrong("missing operand"));
    }
    ask(&format!("sleep?seconds={}", seconds(words)?))?;
    Ok(0)
}

/// The system's command of that name, not the one that led here.
fn system(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&path).map(|folder| folder.join(name));
    // The first folder is the drill's own.
    all.by_ref().next();
    all.find(|file| file.is_file())
        .ok_or_else(|| wrong(format!("the system has no `{name}`")))
}

fn run(command: &mut Command) -> Result<u8, Failure> {
    let status = command.status().map_err(|error| wrong(error.to_string()))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}

fn date(words: &[OsString]) -> Result<u8, Failure> {
    let now = ask("date")?;
    let mut command = Command::new(system("date")?);
    let given = |word: &OsString| {
        let word = word.to_string_lossy();
        [
            "-d",
            "--date",
            "-r",
            "--reference",
            "-f",
            "--file",
            "-s",
            "--set",
        ]
        .iter()
        .any(|option| word.starts_with(option))
    };
    // A time that is given needs no clock.
    if !words.iter().any(given) {
        command.arg("-d").arg(now.trim());
    }
    run(command.args(words))
}

fn timeout(words: &[OsString]) -> Result<u8, Failure> {
    let [span, program, arguments @ ..] = words else {
        return Err(wrong("missing operand: timeout DURATION COMMAND…"));
    };
    if span.to_string_lossy().starts_with('-') {
        return Err(wrong("the options of `timeout` are not there in a drill"));
    }
    let path = format!("deadline?seconds={}", seconds(std::slice::from_ref(span))?);
    let mut child = Command::new(program)
        .args(arguments)
        .spawn()
        .map_err(|error| wrong(format!("{}: {error}", program.to_string_lossy())))?;
    let id = child.id();
    let (over, came) = mpsc::channel();
    let waits = over.clone();
    thread::spawn(move || {
        if ask(&path).is_ok() {
            let _ = waits.send(None);
        }
    });
    thread::spawn(move || {
        let status = child.wait().ok();
        let _ = over.send(Some(status));
    });
    match came.recv() {
        Ok(Some(status)) => Ok(status
            .and_then(|status| status.code())
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1)),
        _ => {
            let id = i32::try_from(id)
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            if let Some(id) = id {
                // It may have ended just now.
                let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
            }
            Ok(TIMED_OUT)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_sleep_reads_them() {
        let of = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            seconds(&words).ok()
        };
        assert_eq!(of(&["5"]), Some(5.0));
        assert_eq!(of(&["2.5s"]), Some(2.5));
        assert_eq!(of(&["1m", "30"]), Some(90.0));
        assert_eq!(of(&["1h"]), Some(3_600.0));
        for wrong in ["x", "-1", "5x", "m", "NaN"] {
            assert_eq!(of(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn a_pace_is_a_small_number() {
        assert_eq!(pace("1x"), Ok(1));
        assert_eq!(pace("10"), Ok(10));
        for wrong in ["0", "x", "101", "1.5", "-1"] {
            assert!(pace(wrong).is_err(), "{wrong}");
        }
    }
}
