//! Scenarios and runbooks as the command line names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use executor::runbook::Runbook;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::{self, Described, Scenario, ScenarioError};
use firedrill::suggest;
use firedrill::token::{GivenApplication, GivenFile};
use firedrill::worlds::{self, WorldKind};

use crate::exit::Failure;
use crate::files::read;
use crate::select::Source;
use crate::{select, terminal};

/// Reads the runbook: `file`, or the built-in one. What is unwise in it is told; it is refused for that if `strict`.
pub(crate) fn runbook(file: Option<&Path>, strict: bool) -> Result<LoadedRunbook, Failure> {
    match file {
        None => LoadedRunbook::built_in().map_err(|errors| Failure::Input(errors.into())),
        Some(path) => runbook_of(path, strict, None),
    }
}

/// Reads the runbook of `app`, or of the exchange.
pub(crate) fn runbook_of(
    path: &Path,
    strict: bool,
    app: Option<&Described>,
) -> Result<LoadedRunbook, Failure> {
    let (name, text) = (path.display().to_string(), read(path, "runbook")?);
    let parsed =
        Runbook::parse_and_lint(&name, &text).map_err(|errors| Failure::Input(errors.into()))?;
    if let Some(warnings) = parsed.diagnostic() {
        let warnings = miette::Report::new(warnings.clone());
        if strict {
            return Err(Failure::Input(warnings));
        }
        terminal::complain_of(&warnings);
    }
    let loaded =
        LoadedRunbook::parse(&name, &text).map_err(|errors| Failure::Input(errors.into()))?;
    loaded.check_services(app).map_err(Failure::Input)?;
    Ok(loaded)
}

/// A scenario, and where it is from.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// The scenario.
    pub(crate) scenario: Arc<Scenario>,
    /// Its file; `None`: it is built in.
    pub(crate) path: Option<PathBuf>,
    /// Whether it was named by itself, and not by a pattern.
    pub(crate) by_itself: bool,
}

impl Chosen {
    /// What its file is called in messages.
    fn file(&self) -> String {
        let built_in = || scenario::find(&self.scenario.name).map(|it| it.file.to_owned());
        let path = self.path.as_ref().map(|path| path.display().to_string());
        path.or_else(built_in)
            .unwrap_or_else(|| self.scenario.name.clone())
    }
}

/// Reads the scenarios that `words` name; none: the default ones. Repeated ones are read once. Those of files must fit
/// `runbook`; those that are built in too if `all_fit`.
pub(crate) fn scenarios(
    words: &[String],
    runbook: &LoadedRunbook,
    all_fit: bool,
) -> Result<Vec<Chosen>, Failure> {
    read_all(select::sources(words)?, runbook, all_fit, Scenario::parse)
}

/// Reads the scenarios of `app` that `words` name, by their names or files; none: all that its description names.
pub(crate) fn scenarios_of(
    app: &Described,
    words: &[String],
    runbook: &LoadedRunbook,
) -> Result<Vec<Chosen>, Failure> {
    let own = its_scenarios(app)?;
    let parse =
        |file: &str, text: &str, triggers: &[String]| Scenario::parse_of(app, file, text, triggers);
    if words.is_empty() {
        if own.is_empty() {
            return Err(Failure::input(
                format!("{} names no scenario", app.bundle.app.path),
                "set `scenarios = [\"scenarios\"]` in it, or name a scenario file behind `chaos --app FILE`",
            ));
        }
        return read_all(own, runbook, true, parse);
    }
    // Only what is chosen must be right: a scenario that is being written keeps no other one from being drilled.
    let names: Vec<String> = own.iter().map(called).collect();
    let mut chosen: Vec<Source> = Vec::new();
    for word in words {
        let named = own.iter().zip(&names);
        let named = named.filter(|(_, name)| *name == word || word == select::ALL);
        let named: Vec<Source> = named.map(|(source, _)| source.clone()).collect();
        let is_there = Path::new(word).exists();
        chosen.extend(match named.as_slice() {
            [] if is_there => select::sources(std::slice::from_ref(word))?,
            [] => {
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                return Err(Failure::input(
                    format!("{} has no scenario `{word}`", app.name),
                    suggest::help(word, &known),
                ));
            }
            _ => named,
        });
    }
    read_all(chosen, runbook, true, parse)
}

/// The name that a scenario's text gives it, whatever else is wrong with it; else that of its file.
fn called(source: &Source) -> String {
    let named = |line: &str| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim().strip_prefix(['"', '\''])?;
        let value = value.split(['"', '\'']).next()?;
        (key.trim() == "name").then(|| value.to_owned())
    };
    // What follows the first table is no key of the scenario itself.
    let keys = source
        .text
        .lines()
        .take_while(|line| !line.trim_start().starts_with('['));
    let file = || {
        let stem = Path::new(&source.file).file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    keys.filter_map(named).next().unwrap_or_else(file)
}

/// The description, in the folder of the scenario at `path` or in the one above, that names this scenario.
pub(crate) fn application_with(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let folders = path.ancestors().skip(1).take(2);
    let mut files = folders.map(|folder| folder.join("app.toml"));
    files.find(|file| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let read: Option<toml::Table> = toml::from_str(&text).ok();
        let named = read.as_ref().and_then(|it| it.get("scenarios")?.as_array());
        let mut named = named.into_iter().flatten().filter_map(|it| it.as_str());
        let folder = file.parent().unwrap_or(Path::new(""));
        named.any(|it| {
            let at = folder.join(it).canonicalize().ok();
            at.is_some_and(|at| at == path || Some(at.as_path()) == path.parent())
        })
    })
}

fn read_all(
    sources: Vec<Source>,
    runbook: &LoadedRunbook,
    all_fit: bool,
    parse: impl Fn(&str, &str, &[String]) -> Result<Scenario, ScenarioError>,
) -> Result<Vec<Chosen>, Failure> {
    let triggers = runbook.triggers();
    let mut unfitting: Vec<String> = Vec::new();
    let mut chosen: Vec<Chosen> = Vec::new();
    for source in sources {
        let (file, text) = (&source.file, &source.text);
        let scenario = parse(file, text, &triggers).map_err(|e| Failure::Input(e.into()))?;
        if (all_fit || source.path.is_some())
            && let Err(unfit) = scenario.fits(file, &runbook.runbook)
        {
            // Built-in scenarios of which nobody named this one are of the built-in runbook. A file is somebody's own,
            // and a mistake in it must not be passed over.
            if source.by_itself || source.path.is_some() {
                return Err(Failure::Input(unfit.into()));
            }
            unfitting.push(scenario.name);
            continue;
        }
        match chosen
            .iter_mut()
            .find(|it| it.scenario.name == scenario.name)
        {
            None => chosen.push(Chosen {
                scenario: Arc::new(scenario),
                path: source.path,
                by_itself: source.by_itself,
            }),
            Some(same) if same.scenario.text == scenario.text => {
                same.by_itself |= source.by_itself;
            }
            Some(_) => {
                return Err(Failure::input(
                    format!("two different scenarios are called `{}`", scenario.name),
                    "results are told apart by name: give one of them another `name`",
                ));
            }
        }
    }
    if !unfitting.is_empty() {
        let names = unfitting.iter().map(|name| format!("`{name}`"));
        let said = format!(
            "not to be had with {}: {}",
            runbook.file,
            names.collect::<Vec<_>>().join(", ")
        );
        let why = "`firedrill check SCENARIO --runbook FILE` tells what does not fit";
        if chosen.is_empty() {
            return Err(Failure::input(said, why));
        }
        terminal::complain(&format!("left out: {said}; {why}"));
    }
    Ok(chosen)
}

/// Those of `chosen` that `world` can do, and that a program can be drilled in, where one is. One that was named by
/// itself must be done; the others are left out, and told if it is for the program.
pub(crate) fn can_be_done(
    mut chosen: Vec<Chosen>,
    world: WorldKind,
    by_program: bool,
) -> Result<Vec<Chosen>, Failure> {
    for it in chosen.iter().filter(|it| it.by_itself) {
        worlds::check(&it.scenario, world)?;
        if by_program {
            let fits = it.scenario.fits_program(&it.file(), world);
            fits.map_err(|error| Failure::Input(error.into()))?;
        }
    }
    chosen.retain(|it| it.scenario.lacking_in(world).is_none());
    if by_program {
        chosen = with_a_program(chosen, world)?;
    }
    if chosen.is_empty() {
        return Err(Failure::input(
            format!("the world `{world}` can do none of these scenarios"),
            "`firedrill show NAME` tells in which worlds a scenario can be drilled",
        ));
    }
    Ok(chosen)
}

/// Those of `chosen` that a program can be drilled in; the others are told.
fn with_a_program(chosen: Vec<Chosen>, world: WorldKind) -> Result<Vec<Chosen>, Failure> {
    let (refused, chosen): (Vec<Chosen>, Vec<Chosen>) = chosen.into_iter().partition(|it| {
        let mut refusals = it.scenario.refusals_of_programs(world);
        refusals.next().is_some()
    });
    let Some(first) = refused.first() else {
        return Ok(chosen);
    };
    let names = refused.iter().map(|it| format!("`{}`", it.scenario.name));
    let names = names.collect::<Vec<_>>().join(", ");
    let why = first.scenario.refusals_of_programs(world).next();
    let why = why.map_or_else(String::new, |why| {
        format!("; `{}`: {why}", first.scenario.name)
    });
    let said = format!("not to be had with a program: {names}{why}");
    if chosen.is_empty() {
        let help = "leave `--executor` out, or name other scenarios";
        return Err(Failure::input(said, help));
    }
    terminal::complain(&format!("left out: {said}"));
    Ok(chosen)
}

/// Reads the application that the file at `path` describes.
pub(crate) fn application(path: &Path) -> Result<Described, Failure> {
    let in_folder = path.is_dir().then(|| path.join("app.toml"));
    let read = sim_services::describe::read(in_folder.as_deref().unwrap_or(path));
    read.map(Described::from)
        .map_err(|error| Failure::Input(error.into()))
}

/// The file that a description names as `named`, which stands beside it.
fn beside(app: &Described, named: &str) -> PathBuf {
    let folder = Path::new(&app.bundle.app.path).parent();
    folder.unwrap_or(Path::new("")).join(named)
}

/// The file of the runbook that the description of `app` names.
pub(crate) fn path_of_runbook(app: &Described) -> Option<PathBuf> {
    app.runbook.as_ref().map(|it| beside(app, it))
}

/// The scenarios that the description of `app` names; none: it names none.
pub(crate) fn its_scenarios(app: &Described) -> Result<Vec<Source>, Failure> {
    let paths = app.scenarios.iter();
    let paths: Vec<String> = paths
        .map(|it| beside(app, it).display().to_string())
        .collect();
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    select::sources(&paths)
}

/// The application that stands behind `--app` as `path`, with what its description names, as it is given beside a
/// token. What can't be read is left out: a token that names it tells that it is missing.
pub(crate) fn at_hand(path: &Path, app: &Described) -> GivenApplication {
    let mut files = Vec::new();
    for Source { file, text, .. } in its_scenarios(app).unwrap_or_default() {
        if let Ok(scenario) = Scenario::parse_of(app, &file, &text, &[]) {
            files.push(GivenFile {
                path: file,
                text: scenario.text,
            });
        }
    }
    if let Some(path) = path_of_runbook(app)
        && let Ok(text) = read(&path, "runbook")
    {
        let path = path.display().to_string();
        files.push(GivenFile { path, text });
    }
    GivenApplication {
        path: path.display().to_string(),
        files,
    }
}

/// Reads the scenarios called `name` that the description of `app` names, whether or not there is any.
pub(crate) fn scenario_of(app: &Described, name: &str) -> Result<(), Failure> {
    for source in its_scenarios(app)?.iter().filter(|it| called(it) == name) {
        Scenario::parse_of(app, &source.file, &source.text, &[])
            .map_err(|error| Failure::Input(error.into()))?;
    }
    Ok(())
}

/// The runbook of `app`: `given`, or the one that its description names.
pub(crate) fn its_runbook(
    app: &Described,
    given: Option<&Path>,
    strict: bool,
) -> Result<LoadedRunbook, Failure> {
    let given = given.map(Path::to_owned);
    let Some(path) = given.or_else(|| path_of_runbook(app)) else {
        return Err(Failure::input(
            format!("{} names no runbook", app.bundle.app.path),
            "set `runbook = \"rollback.md\"` in it, or give `--runbook FILE`",
        ));
    };
    runbook_of(&path, strict, Some(app))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFESTS: &str = "\
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}], selector: {app: web}}}
";

    /// An application with a scenario that is right, and one that is not.
    fn application_in(folder: &Path) -> (Described, LoadedRunbook) {
        let manifests = folder.join("all.yaml");
        std::fs::write(&manifests, MANIFESTS).expect("it is ours");
        let loaded = sim_services::manifests::Manifests::load(&[manifests], "shop");
        let loaded = loaded.expect("they are right");
        let files = firedrill::about::application("mine", &loaded, &["all.yaml".to_owned()]);
        let files = files.expect("it can be drilled");
        std::fs::create_dir(folder.join("scenarios")).expect("it is ours");
        let broken =
            files.scenario.replace("failing-requests", "half-written") + "[load]\nrate = \n";
        for (file, text) in [
            ("app.toml", &files.app),
            ("rollback.md", &files.runbook),
            ("scenarios/a.toml", &broken),
            ("scenarios/b.toml", &files.scenario),
        ] {
            std::fs::write(folder.join(file), text).expect("it is ours");
        }
        let app = application(folder).expect("it has the description");
        let runbook =
            its_runbook(&app, None, true).expect("the runbook to begin with has no warning");
        (app, runbook)
    }

    #[test]
    fn a_broken_scenario_keeps_no_other_one_from_being_drilled() {
        let folder = tempfile::tempdir().expect("a writable directory");
        let (app, runbook) = application_in(folder.path());
        let chosen = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            scenarios_of(&app, &words, &runbook)
        };
        assert_eq!(chosen(&["failing-requests"]).expect("it is right").len(), 1);
        assert!(chosen(&["half-written"]).is_err());
        assert!(chosen(&[]).is_err(), "all were asked for");
        assert!(chosen(&["all"]).is_err(), "all were asked for");
        let Err(Failure::Input(unknown)) = chosen(&["failing-request"]) else {
            panic!("there is no such scenario");
        };
        let help = unknown.help().map(|it| it.to_string()).unwrap_or_default();
        assert!(help.contains("failing-requests"), "{help}");
        std::fs::remove_file(folder.path().join("scenarios/a.toml")).expect("it is ours");
        assert_eq!(chosen(&["all"]).expect("the rest is right").len(), 1);
    }

    #[test]
    fn a_scenario_in_the_folder_of_an_application_is_found_to_be_its_own() {
        let folder = tempfile::tempdir().expect("a writable directory");
        application_in(folder.path());
        let app = folder
            .path()
            .join("app.toml")
            .canonicalize()
            .expect("it is there");
        let own = folder.path().join("scenarios/b.toml");
        assert_eq!(application_with(&own), Some(app));
        let other = folder.path().join("b.toml");
        std::fs::copy(own, &other).expect("it is ours");
        assert_eq!(
            application_with(&other),
            None,
            "the description does not name it"
        );
    }

    /// The built-in runbook, in which the step `check-health` has another name.
    fn without_check_health() -> LoadedRunbook {
        let text = firedrill::runbooks::BUILT_IN.replace("\"check-health\"", "\"look-at-health\"");
        LoadedRunbook::parse("mine.md", &text).expect("it is right")
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn what_all_names_and_the_runbook_does_not_fit_is_left_out() {
        let runbook = without_check_health();
        let fitting = |named: &[&str]| scenarios(&words(named), &runbook, true);
        let all = fitting(&["all"]).expect("the others fit");
        assert!(
            all.len() > 50 && all.len() < scenario::BUILT_IN.len(),
            "{}",
            all.len()
        );
        let left_out = scenario::BUILT_IN
            .iter()
            .find(|it| all.iter().all(|chosen| chosen.scenario.name != it.name))
            .expect("one names the step");
        // Who names it wants it.
        assert!(fitting(&[left_out.name]).is_err());
        assert!(fitting(&["all", left_out.name]).is_err());
        // Nothing is left of a pattern that only such a one matches.
        let pattern = format!(
            "{}[{}]",
            &left_out.name[..left_out.name.len() - 1],
            &left_out.name[left_out.name.len() - 1..]
        );
        assert!(fitting(&[&pattern]).is_err());
    }
}
