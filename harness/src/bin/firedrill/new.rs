//! `firedrill new`: a scenario to begin with, or an application of one's own.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use firedrill::about;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::catalogue::release_named;
use firedrill::scenario::{BUILT_IN, Scenario, find, known_releases};
use firedrill::suggest;

use crate::args::NewArgs;
use crate::exit::Failure;
use crate::{new_application, terminal};

/// Runs it; the exit code.
pub(crate) fn run(args: &NewArgs) -> Result<u8, Failure> {
    if !args.manifests.is_empty() {
        return new_application::run(&args.name, &args.manifests);
    }
    let path = file_of(&args.name);
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let text = match (&args.like, &args.release) {
        (Some(like), _) => renamed(model(like)?, &name),
        (None, Some(release)) => of_release(release, &name)?,
        (None, None) => about::starter(&name),
    };
    let shown = path.display().to_string();
    let triggers = LoadedRunbook::built_in().map_err(|e| Failure::Input(e.into()))?;
    // A name that no scenario may have is refused here, with what it may be.
    Scenario::parse(&shown, &text, &triggers.triggers()).map_err(|e| Failure::Input(e.into()))?;
    create(&path, &text)?;
    let program = terminal::called();
    terminal::say(&format!(
        "written: {shown}\n\n    {program} check {shown}\n    {program} chaos {shown} --seeds 20"
    ));
    Ok(0)
}

/// Writes a file that is not there yet.
pub(crate) fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let shown = path.display();
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::input(
            format!("{shown} is there already, and it is left as it is"),
            "give another name, or move that file away",
        ),
        _ => Failure::input(
            format!("cannot write {shown}: {error}"),
            "give a name in a folder that can be written to",
        ),
    })
}

/// The file of a scenario that is named like this, with or without its ending.
fn file_of(name: &Path) -> PathBuf {
    if name
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return name.to_owned();
    }
    let mut file = name.as_os_str().to_owned();
    file.push(".toml");
    file.into()
}

/// The text of the built-in scenario called `like`.
fn model(like: &str) -> Result<&'static str, Failure> {
    find(like).map(|built_in| built_in.text).ok_or_else(|| {
        let known: Vec<&str> = BUILT_IN.iter().map(|built_in| built_in.name).collect();
        Failure::input(
            format!("there is no scenario `{like}`"),
            suggest::help(like, &known),
        )
    })
}

/// The built-in scenario that deploys `release` and says least beside.
fn of_release(release: &str, name: &str) -> Result<String, Failure> {
    let Some(known) = release_named(release) else {
        return Err(Failure::input(
            format!("there is no release `{release}`"),
            suggest::help(release, &known_releases()),
        ));
    };
    let deploys = |text: &str| {
        Scenario::parse("built in", text, &[]).is_ok_and(|scenario| {
            release_named(&scenario.release.to) == Some(known) && scenario.faults.is_empty()
        })
    };
    let text = BUILT_IN
        .iter()
        .map(|built_in| built_in.text)
        .find(|text| deploys(text));
    text.map(|text| renamed(text, name)).ok_or_else(|| {
        Failure::input(
            format!("no built-in scenario deploys {known}"),
            format!("write one with `firedrill new {name}`, and set `to = \"{known}\"` there"),
        )
    })
}

/// `text` with `name` in place of its own.
fn renamed(text: &str, name: &str) -> String {
    let own = text.lines().find(|line| line.starts_with("name = "));
    own.map_or_else(
        || text.to_owned(),
        |own| text.replacen(own, &format!("name = \"{name}\""), 1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_can_be_begun_with() {
        for built_in in BUILT_IN {
            let text = renamed(built_in.text, "mine");
            let scenario = Scenario::parse("mine.toml", &text, &[]).expect(built_in.name);
            assert_eq!(scenario.name, "mine");
        }
        let text = of_release("2.0.0-decimal-ledger", "mine").expect("one deploys it");
        assert!(text.contains("2.0.0-decimal-ledger"), "{text}");
    }

    #[test]
    fn a_name_gets_its_ending_once() {
        assert_eq!(file_of(Path::new("a/mine")), Path::new("a/mine.toml"));
        assert_eq!(file_of(Path::new("mine.toml")), Path::new("mine.toml"));
        assert_eq!(file_of(Path::new("v1.2-mine")), Path::new("v1.2-mine.toml"));
    }
}
