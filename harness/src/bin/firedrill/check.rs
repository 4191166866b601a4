//! `firedrill check`: every mistake in scenarios, runbooks and applications, with its place and a remedy.

use std::path::{Path, PathBuf};

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
    /// Whether it is a scenario that was held against the exchange.
    by_exchange: bool,
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
    let judge = Judge::of(args)?;
    let mut checked = Vec::with_capacity(args.files.len());
    let mut unread = 0;
    for file in &in_folders(&args.files)? {
        match files::read(file, "scenario or a runbook") {
            Ok(text) => match look(file, &text, &judge) {
                Ok(found) => checked.extend(found),
                Err(failure) => {
                    failure.print();
                    unread += 1;
                }
            },
            Err(failure) => {
                failure.print();
                unread += 1;
            }
        }
    }
    let passes = unread == 0 && checked.iter().all(|it| it.passes(args.strict));
    if args.format == Format::Json {
        let all: Vec<Value> = checked.iter().map(|it| it.json(args.strict)).collect();
        terminal::say_json(&all);
    } else {
        tell(&checked, unread, args.strict, args.quiet);
        let of_exchange =
            |it: &Checked| it.holds == Holds::Scenario && it.right.is_none() && it.by_exchange;
        if checked.iter().any(of_exchange) {
            terminal::complain(
                "checked as a scenario of the exchange; `--app FILE` checks it as one of the application that FILE \
                 describes",
            );
        }
    }
    Ok(if passes { 0 } else { 2 })
}

/// What scenarios and runbooks are held against.
struct Judge {
    /// The runbook that was given, or the built-in one.
    runbook: LoadedRunbook,
    /// Whether one was given.
    given: bool,
    /// The application that was given, with its runbook.
    app: Option<(Described, LoadedRunbook)>,
}

impl Judge {
    fn of(args: &CheckFilesArgs) -> Result<Self, Failure> {
        let given = args.runbook.as_deref();
        let runbook = match (given, &args.app) {
            // It is held against the application's services below.
            (Some(_), Some(_)) => input::runbook(None, false)?,
            _ => input::runbook(given, false)?,
        };
        let app = args.app.as_deref().map(input::application).transpose()?;
        let app = app.map(|app| {
            let its = its_runbook(&app, given)?;
            Ok::<_, Failure>((app, its))
        });
        Ok(Self {
            runbook,
            given: given.is_some(),
            app: app.transpose()?,
        })
    }

    /// The application that the scenario in this file is of, with its runbook; `None`: it is of the exchange.
    fn application_of(&self, file: &Path) -> Result<Option<(Described, LoadedRunbook)>, Failure> {
        if let Some(app) = &self.app {
            return Ok(Some(app.clone()));
        }
        let Some(found) = input::application_with(file) else {
            return Ok(None);
        };
        let app = input::application(&found)?;
        let runbook = if self.given {
            self.runbook.clone()
        } else {
            its_runbook(&app, None)?
        };
        Ok(Some((app, runbook)))
    }
}

/// The runbook of `app`: `given`, or the one that it names. What is unwise in it is told where it is checked itself.
fn its_runbook(app: &Described, given: Option<&Path>) -> Result<LoadedRunbook, Failure> {
    let path = given
        .map(Path::to_owned)
        .or_else(|| input::path_of_runbook(app));
    let Some(path) = path else {
        return Err(Failure::input(
            format!("{} names no runbook", app.bundle.app.path),
            "set `runbook = \"rollback.md\"` in it, or give `--runbook FILE`",
        ));
    };
    let text = files::read(&path, "runbook")?;
    let loaded = LoadedRunbook::parse(&files::called(&path), &text);
    let loaded = loaded.map_err(|errors| Failure::Input(errors.into()))?;
    loaded.check_services(Some(app)).map_err(Failure::Input)?;
    Ok(loaded)
}

/// Says what was found, and how many files must be mended, with those that could not be read.
fn tell(checked: &[Checked], unread: usize, strict: bool, quiet: bool) {
    for it in checked {
        if let Some(right) = it.right.as_ref().filter(|_| !quiet) {
            terminal::say(right);
        }
        if let Some(report) = &it.report {
            terminal::complain_of(report);
        }
    }
    if let Some(count) = to_be_mended(checked, unread, strict) {
        terminal::complain(&count);
    }
}

/// How many of several files must be mended, if any must.
fn to_be_mended(checked: &[Checked], unread: usize, strict: bool) -> Option<String> {
    let bad = unread + checked.iter().filter(|it| !it.passes(strict)).count();
    let all = checked.len() + unread;
    (all > 1 && bad > 0).then(|| format!("{bad} of {all} files must be mended"))
}

/// The files, and in the place of each folder those in it that may be scenarios, runbooks or applications, by name.
fn in_folders(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let wrong = |error: std::io::Error| {
            Failure::input(
                format!("cannot read the folder {}: {error}", path.display()),
                "give a folder that may be read",
            )
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).map_err(wrong)? {
            let file = entry.map_err(wrong)?.path();
            let ending = file.extension().and_then(|ending| ending.to_str());
            if file.is_file() && matches!(ending, Some("toml" | "md" | "markdown")) {
                found.push(file);
            }
        }
        if found.is_empty() {
            return Err(Failure::input(
                format!("the folder {} has nothing to check", path.display()),
                "scenarios and applications are files that end in .toml, and runbooks in .md",
            ));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

/// Runs `firedrill runbook check`; the exit code. Warnings are shown and do not count, unless `--strict` says so.
pub(crate) fn runbook(args: &CheckArgs) -> Result<u8, Failure> {
    let text = files::read(&args.file, "runbook")?;
    let checked = of_runbook(files::called(&args.file), &text);
    let passes = checked.passes(args.strict);
    tell(&[checked], 0, args.strict, false);
    Ok(if passes { 0 } else { 2 })
}

/// What was found in a file, and in the files that it names if it describes an application.
fn look(file: &Path, text: &str, judge: &Judge) -> Result<Vec<Checked>, Failure> {
    let name = files::called(file);
    Ok(match held(file, text) {
        Holds::Scenario => vec![match judge.application_of(file)? {
            Some((app, runbook)) => {
                let read = Scenario::parse_of(&app, &name, text, &runbook.triggers());
                of_scenario(name, read, &runbook)
            }
            None => {
                let read = Scenario::parse(&name, text, &judge.runbook.triggers());
                Checked {
                    by_exchange: true,
                    ..of_scenario(name, read, &judge.runbook)
                }
            }
        }],
        Holds::Runbook => {
            let app = judge.app.as_ref().map(|(app, _)| app);
            vec![of_runbook_of(name, text, app).0]
        }
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

/// Whether a file holds a scenario.
pub(crate) fn holds_a_scenario(file: &Path, text: &str) -> bool {
    held(file, text) == Holds::Scenario
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
        by_exchange: false,
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
    let (found, loaded) = of_runbook_of(name, &text, Some(&app));
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
    let unwise = fitting.as_ref().ok().and_then(|it| it.unwise(&file));
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
            unwise,
        ),
        Err(error) => (None, Some(error.into())),
    };
    Checked {
        file,
        holds: Holds::Scenario,
        right,
        report,
        by_exchange: false,
    }
}

/// What was found in a runbook, of the application if one is given; and the runbook, if it can be read.
fn of_runbook_of(
    file: String,
    text: &str,
    app: Option<&Described>,
) -> (Checked, Option<LoadedRunbook>) {
    let loaded = LoadedRunbook::parse(&file, text).ok();
    let mut found = of_runbook(file, text);
    if let (Some(app), Some(loaded)) = (app, &loaded)
        && let Err(unfit) = loaded.check_services(Some(app))
    {
        (found.right, found.report) = (None, Some(unfit));
    }
    (found, loaded)
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
        by_exchange: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_what_can_be_checked_in_it() {
        let folder = tempfile::tempdir().expect("a writable directory");
        assert!(in_folders(&[folder.path().to_owned()]).is_err());
        for name in ["b.toml", "a.md", "c.txt"] {
            std::fs::write(folder.path().join(name), "x").expect("it is ours");
        }
        let named = [folder.path().to_owned(), PathBuf::from("-")];
        let files = in_folders(&named).expect("there are some");
        let at = |name: &str| folder.path().join(name);
        assert_eq!(files, [at("a.md"), at("b.toml"), PathBuf::from("-")]);
    }

    #[test]
    fn what_cannot_be_read_must_be_mended_too() {
        let right = || of_runbook("a.md".to_owned(), firedrill::runbooks::BUILT_IN);
        let wrong = of_runbook("b.md".to_owned(), "");
        let count = to_be_mended(&[right(), wrong], 1, false);
        assert_eq!(count.as_deref(), Some("2 of 3 files must be mended"));
        assert_eq!(to_be_mended(&[right(), right()], 0, false), None);
        assert_eq!(to_be_mended(&[], 1, false), None);
    }

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
