//! `firedrill new NAME -f PATH…`: an application of one's own to begin with.

use std::fs;
use std::path::{Component, Path, PathBuf};

use firedrill::about;
use sim_services::manifests::{Manifests, STANDARD_INPUT};

use crate::exit::Failure;
use crate::new::create;
use crate::terminal;

/// What standard input is stored as, beside the description.
const STORED: &str = "manifests.yaml";
/// Namespace of manifests that name none, as `kubectl` has it.
const NAMESPACE: &str = "default";

/// Writes the files into `folder`; the exit code.
pub(crate) fn run(folder: &Path, paths: &[PathBuf]) -> Result<u8, Failure> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    check_name(&name, folder)?;
    let manifests = Manifests::load(paths, NAMESPACE).map_err(|e| Failure::Input(e.into()))?;
    let named: Vec<String> = paths.iter().map(|path| from_folder(folder, path)).collect();
    let files = about::application(&name, &manifests, &named);
    let files = files.map_err(|error| Failure::Input(error.into()))?;
    let scenarios = folder.join("scenarios");
    fs::create_dir_all(&scenarios).map_err(|error| {
        Failure::input(
            format!("cannot make the folder {}: {error}", scenarios.display()),
            "give a name in a folder that can be written to",
        )
    })?;
    let app = folder.join("app.toml");
    create(&app, &files.app)?;
    create(&folder.join("rollback.md"), &files.runbook)?;
    create(&scenarios.join("failing-requests.toml"), &files.scenario)?;
    if paths.iter().any(|path| path == Path::new(STANDARD_INPUT)) {
        let read = manifests.objects.iter().map(|object| &object.document);
        if let Some(document) = read.into_iter().find(|it| it.name.starts_with('<')) {
            create(&folder.join(STORED), &document.text)?;
        }
    }
    let (entry, why) = &files.entry;
    let (program, app, folder) = (terminal::called(), app.display(), folder.display());
    terminal::say(&format!(
        "written: {app}, {folder}/rollback.md, {folder}/scenarios/failing-requests.toml\n\n    \
         {program} check {app}\n    {program} chaos --app {app} --seeds 20\n\n\
         The clients ask `{entry}`: {why}. If they ask another one, change `service` of [[client]] and the release in\n\
         {app}, and the queries in {folder}/rollback.md."
    ));
    Ok(0)
}

/// A name that stands in commands and in files as it is.
fn check_name(name: &str, folder: &Path) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(fits) && !name.starts_with(['-', '.']) {
        return Ok(());
    }
    Err(Failure::input(
        format!("`{}` is not a name for an application", folder.display()),
        "letters, digits, hyphens, underscores and dots, such as `shop` or `drills/shop`",
    ))
}

/// `path`, which begins where the program runs, from `folder`, which does so too.
fn from_folder(folder: &Path, path: &Path) -> String {
    if path == Path::new(STANDARD_INPUT) {
        return STORED.to_owned();
    }
    if path.is_absolute() || folder.is_absolute() {
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        return whole.display().to_string();
    }
    let down = folder
        .components()
        .filter(|it| matches!(it, Component::Normal(_)));
    let up: PathBuf = down.map(|_| "..").collect();
    up.join(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{check_name, from_folder};

    #[test]
    fn a_name_that_would_have_to_be_quoted_is_refused() {
        let fits = |name: &str| check_name(name, Path::new(name)).is_ok();
        assert!(fits("shop") && fits("shop-2.1_b"));
        assert!(!fits("my shop") && !fits("") && !fits(".") && !fits("-shop") && !fits("shop;ls"));
    }

    #[test]
    fn manifests_are_found_from_the_folder_of_the_description() {
        let from = |folder: &str, path: &str| from_folder(Path::new(folder), Path::new(path));
        assert_eq!(from("shop", "k8s"), "../k8s");
        assert_eq!(from("drills/shop", "./k8s/a.yaml"), "../.././k8s/a.yaml");
        assert_eq!(from("shop", "-"), "manifests.yaml");
    }
}
