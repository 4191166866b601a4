//! `firedrill check`: every mistake in scenarios, runbooks and applications, with its place and a remedy.

use std::path::Path;

use executor::runbook::Runbook;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::{Described, Scenario, ScenarioError};
use serde_json::{Value, json};

use crate::args::{CheckArgs, CheckFilesArgs, Format};
use crate::exit::Failure;
use crate::{files, input, terminal};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Scenario,
    Runbook,
    Application,
}

/// What was found in a file.
struct Checked {
    file: String,
    holds: Holds,
    /// What it is, if it is right.
    right: Option<String>,
    /// What is wrong with it, or only unwise.
    report: Option<miette::Report>,
}

impl Checked {
    /// Whether it may be used; with `strict` only if there is nothing unwise in it.
    fn passes(&self, strict: bool) -> bool {
        self.right.is_some() && !(strict && self.report.is_some())
    }

    fn json(&self, strict: bool) -> Value {
        let kind = match self.holds {
            Holds::Scenario => "scenario",
            Holds::Runbook => "runbook",
            Holds::Application => "application",
        };
        let found = self.report.as_ref().map_or(Value::Null, |report| {
            let mut text = String::new();
            let handler = miette::JSONReportHandler::new();
            // It writes to a string, and its own output is JSON.
            let drawn = handler.render_report(&mut text, report.as_ref());
            let parsed = drawn.ok().and_then(|()| serde_json::from_str(&text).ok());
            parsed.unwrap_or_else(|| Value::String(report.to_string()))
        });
        json!({ "file": self.file, "kind": kind, "passes": self.passes(strict), "found": found })
    }
}

/// Runs `firedrill check`; the exit code. All files are looked at, whatever is in the first.
pub(crate) fn run(args: &CheckFilesArgs) -> Result<u8, Failure> {
    let runbook = input::runbook(args.runbook.as_deref(), false)?;
    let mut checked = Vec::with_capacity(args.files.len());
    let mut unreadable = false;
    for file in &args.files {
        match files::read(file, "scenario or a runbook") {
            Ok(text) => match look(file, &text, &runbook) {
                Ok(found) => checked.extend(found),
                Err(failure) => {
                    failure.print();
                    unreadable = true;
                }
            },
            Err(failure) => {
                failure.print();
                unreadable = true;
            }
        }
    }
    let passes = !unreadable && checked.iter().all(|it| it.passes(args.strict));
    if args.format == Format::Json {
        let all: Vec<Value> = checked.iter().map(|it| it.json(args.strict)).collect();
        terminal::say_json(&all);
    } else {
        tell(&checked, args.strict, args.quiet);
    }
    Ok(if passes { 0 } else { 2 })
}

fn tell(checked: &[Checked], strict: bool, quiet: bool) {
    for it in checked {
        if let Some(right) = it.right.as_ref().filter(|_| !quiet) {
            terminal::say(right);
        }
        if let Some(report) = &it.report {
            terminal::complain_of(report);
        }
    }
    let bad = checked.iter().filter(|it| !it.passes(strict)).count();
    if checked.len() > 1 && bad > 0 {
        let all = checked.len();
        terminal::complain(&format!("{bad} of {all} files must be mended"));
    }
}

/// Runs `firedrill runbook check`; the exit code. Warnings are shown and do not count, unless `--strict` says so.
pub(crate) fn runbook(args: &CheckArgs) -> Result<u8, Failure> {
    let text = files::read(&args.file, "runbook")?;
    let checked = of_runbook(files::called(&args.file), &text);
    let passes = checked.passes(args.strict);
    tell(&[checked], args.strict, false);
    Ok(if passes { 0 } else { 2 })
}

/// What was found in a file, and in the files that it names if it describes an application.
fn look(file: &Path, text: &str, runbook: &LoadedRunbook) -> Result<Vec<Checked>, Failure> {
    let name = files::called(file);
    Ok(match held(file, text) {
        Holds::Scenario => {
            let read = Scenario::parse(&name, text, &runbook.triggers());
            vec![of_scenario(name, read, runbook)]
        }
        Holds::Runbook => vec![of_runbook(name, text)],
        Holds::Application => of_application(name, file)?,
    })
}

/// What a file holds, by its ending, else by what only Markdown has: a front matter or a fenced block.
fn held(file: &Path, text: &str) -> Holds {
    let ending = file.extension().and_then(|ending| ending.to_str());
    let is_fence = |line: &str| line.starts_with("```") || line.starts_with("~~~");
    match ending {
        Some("toml") if is_application(text) => Holds::Application,
        Some("toml") => Holds::Scenario,
        Some("md" | "markdown") => Holds::Runbook,
        _ if text.starts_with("---") || text.lines().any(is_fence) => Holds::Runbook,
        _ => Holds::Scenario,
    }
}

/// Whether a text in TOML describes an application: it names manifests, and no scenario does.
fn is_application(text: &str) -> bool {
    let names_them = |line: &str| {
        let key = line.split_once('=').map(|(key, _)| key.trim());
        key == Some("manifests")
    };
    text.lines().any(names_them)
}

fn of_application(file: String, path: &Path) -> Result<Vec<Checked>, Failure> {
    let checked = |right, report| Checked {
        file: file.clone(),
        holds: Holds::Application,
        right,
        report,
    };
    let app = match sim_services::describe::read(path) {
        Ok(app) => Described::from(app),
        Err(error) => return Ok(vec![checked(None, Some(error.into()))]),
    };
    let told = format!(
        "{file}: `{}`, {} services, {} clients, {} requests/s, {} releases",
        app.name,
        app.services.len(),
        app.clients.len(),
        app.rate_per_s(),
        app.releases.len()
    );
    let mut all = vec![checked(Some(told), None)];
    let Some(named) = input::path_of_runbook(&app) else {
        return Ok(all);
    };
    let (name, text) = (files::called(&named), files::read(&named, "runbook")?);
    let mut found = of_runbook(name.clone(), &text);
    // Scenarios are held against a runbook that can be read.
    let loaded = LoadedRunbook::parse(&name, &text).ok();
    if let Some(Err(unfit)) = loaded.as_ref().map(|it| it.check_services(Some(&app))) {
        (found.right, found.report) = (None, Some(unfit));
    }
    if let Some(runbook) = &loaded
        && let Some(nothing) = runbook.selects_nothing(&app)
    {
        all[0].report = Some(runbook.warning_of(&nothing));
    }
    all.push(found);
    if let Some(runbook) = loaded {
        for source in input::its_scenarios(&app)? {
            let (file, text) = (source.file, &source.text);
            let read = Scenario::parse_of(&app, &file, text, &runbook.triggers());
            all.push(of_scenario(file, read, &runbook));
        }
    }
    Ok(all)
}

fn of_scenario(
    file: String,
    read: Result<Scenario, ScenarioError>,
    runbook: &LoadedRunbook,
) -> Checked {
    let fitting = read.and_then(|scenario| {
        scenario.fits(&file, &runbook.runbook)?;
        Ok(scenario)
    });
    let (right, report) = match fitting {
        Ok(scenario) => (
            Some(format!(
                "{file}: `{}`, {} to {}, expects {}, fits {}",
                scenario.name,
                scenario.release.from,
                scenario.release.to,
                scenario.expect.trigger.as_deref().unwrap_or("no trigger"),
                runbook.file,
            )),
            None,
        ),
        Err(error) => (None, Some(error.into())),
    };
    Checked {
        file,
        holds: Holds::Scenario,
        right,
        report,
    }
}

fn of_runbook(file: String, text: &str) -> Checked {
    let (right, report) = match Runbook::parse_and_lint(&file, text) {
        Err(errors) => (None, Some(errors.into())),
        Ok(parsed) => {
            let runbook = &parsed.runbook;
            let said = format!(
                "{file}: `{}`, {} steps, {} triggers, RTO {} s, digest {}",
                runbook.title,
                runbook.steps.len(),
                runbook.triggers.len(),
                runbook.rto.as_secs(),
                runbook.digest
            );
            let warnings = parsed.diagnostic().cloned().map(miette::Report::new);
            (Some(said), warnings)
        }
    };
    Checked {
        file,
        holds: Holds::Runbook,
        right,
        report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_ending_or_content() {
        let runbook = firedrill::runbooks::BUILT_IN;
        let scenario = firedrill::about::starter("mine");
        for (file, text, holds) in [
            ("a.toml", runbook, Holds::Scenario),
            ("a.md", scenario.as_str(), Holds::Runbook),
            ("-", runbook, Holds::Runbook),
            ("-", scenario.as_str(), Holds::Scenario),
            ("noending", "", Holds::Scenario),
        ] {
            assert_eq!(held(Path::new(file), text), holds, "{file}");
        }
    }
}
