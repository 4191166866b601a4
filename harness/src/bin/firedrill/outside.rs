//! An executor that is a program of its own: `--executor`, and the commands of its `PATH` that keep the world's time.

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use clap::Args;
use firedrill::worlds::{Program, WorldKind};

use crate::exit::Failure;

/// Which executor is drilled.
#[derive(Debug, Args)]
pub(crate) struct ExecutorArgs {
    /// The command that carries out the rollback instead of our own executor. A shell runs it for the phases `prepare`,
    /// `run` and `resume`, and its environment says where the world is (the book's page about executors of your own has
    /// the names)
    #[arg(long, value_name = "CMD")]
    pub(crate) executor: Option<String>,
    /// Let the world's clock run N times as fast as the wall clock, for a program that keeps time by itself.
    /// Its drills are not reproducible
    #[arg(long, value_name = "N", requires = "executor", value_parser = pace)]
    pub(crate) pace: Option<u32>,
}

/// `10` or `10x`.
fn pace(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('x').unwrap_or(text);
    match number.parse() {
        Ok(speed @ 1..=100) => Ok(speed),
        _ => Err("write how many times as fast, from 1x to 100x".to_owned()),
    }
}

impl ExecutorArgs {
    /// The program, if there is one.
    pub(crate) fn program(&self, world: WorldKind) -> Result<Option<Arc<Program>>, Failure> {
        let Some(command) = &self.executor else {
            return Ok(None);
        };
        if world != WorldKind::Sim {
            return Err(Failure::input(
                format!("the world `{world}` runs no executor but our own"),
                "leave out --world, or --executor",
            ));
        }
        let tools = std::env::current_exe().map_err(|error| {
            Failure::input(
                format!("where this program is, the system does not say: {error}"),
                "call it by its full path",
            )
        })?;
        Ok(Some(Arc::new(Program {
            command: command.clone(),
            pace: self.pace,
            tools,
        })))
    }
}

/// A command that keeps the world's time.
#[derive(Debug, Args)]
pub(crate) struct ToolArgs {
    /// `sleep`, `date` or `timeout`
    #[arg(value_parser = ["sleep", "date", "timeout"])]
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
        _ => timeout(&args.arguments),
    }
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::input(
        message,
        "this command stands for the system's own in a drill",
    )
}

/// A request about the world's clock.
fn ask(path: &str) -> Result<String, Failure> {
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| wrong(format!("{name} is not set: this is no drill")))
    };
    let (server, token) = (variable("FIREDRILL_SERVER")?, variable("FIREDRILL_TOKEN")?);
    let url = format!("{server}/firedrill/v1/{path}");
    let answer = ureq::post(&url)
        .header("Authorization", &format!("Bearer {token}"))
        .send_empty()
        .and_then(|mut answer| answer.body_mut().read_to_string());
    answer.map_err(|error| wrong(format!("the world does not answer: {error}")))
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
fn system(name: &str) -> Result<std::path::PathBuf, Failure> {
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
