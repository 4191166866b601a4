//! Scenarios and runbooks as the command line names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use executor::runbook::Runbook;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::Scenario;
use firedrill::worlds::{self, WorldKind};

use crate::exit::Failure;
use crate::files::read;
use crate::{select, terminal};

/// Reads the runbook: `file`, or the built-in one. What is unwise in it is told; it is refused for that if `strict`.
pub(crate) fn runbook(file: Option<&Path>, strict: bool) -> Result<LoadedRunbook, Failure> {
    let Some(path) = file else {
        return LoadedRunbook::built_in().map_err(|errors| Failure::Input(errors.into()));
    };
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
    loaded.check_services().map_err(Failure::Input)?;
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

/// Reads the scenarios that `words` name; none: the default ones. Repeated ones are read once. Those of files must fit
/// `runbook`; those that are built in too if `all_fit`.
pub(crate) fn scenarios(
    words: &[String],
    runbook: &LoadedRunbook,
    all_fit: bool,
) -> Result<Vec<Chosen>, Failure> {
    let triggers = runbook.triggers();
    let mut chosen: Vec<Chosen> = Vec::new();
    for source in select::sources(words)? {
        let (file, text) = (&source.file, &source.text);
        let scenario =
            Scenario::parse(file, text, &triggers).map_err(|e| Failure::Input(e.into()))?;
        if all_fit || source.path.is_some() {
            let fitting = scenario.fits(file, &runbook.runbook);
            fitting.map_err(|e| Failure::Input(e.into()))?;
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
    Ok(chosen)
}

/// Those of `chosen` that `world` can do. One that was named by itself must be done; the others are left out.
pub(crate) fn can_be_done(
    mut chosen: Vec<Chosen>,
    world: WorldKind,
) -> Result<Vec<Chosen>, Failure> {
    for it in chosen.iter().filter(|it| it.by_itself) {
        worlds::check(&it.scenario, world)?;
    }
    chosen.retain(|it| it.scenario.lacking_in(world).is_none());
    if chosen.is_empty() {
        return Err(Failure::input(
            format!("the world `{world}` can do none of these scenarios"),
            "`firedrill show NAME` tells in which worlds a scenario can be drilled",
        ));
    }
    Ok(chosen)
}
