//! Which scenarios the words of a command line name: names, patterns, `all`, files and folders.

use std::path::{Path, PathBuf};

use firedrill::scenario::{self, BUILT_IN, BuiltIn};
use firedrill::suggest;
use glob::Pattern;

use crate::exit::Failure;
use crate::files::{STANDARD_INPUT, called, read};

/// The word for every built-in scenario.
pub(crate) const ALL: &str = "all";

/// A scenario's text, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The file, for messages.
    pub(crate) file: String,
    /// What is in it.
    pub(crate) text: String,
    /// The file to be read again; `None`: it is built in.
    pub(crate) path: Option<PathBuf>,
    /// Whether it was named by itself. What a pattern or `all` named is left out where a world can't do it.
    pub(crate) by_itself: bool,
}

impl Source {
    fn built_in(built_in: &BuiltIn, by_itself: bool) -> Self {
        Self {
            file: built_in.file.to_owned(),
            text: built_in.text.to_owned(),
            path: None,
            by_itself,
        }
    }

    fn file(path: &Path, by_itself: bool) -> Result<Self, Failure> {
        Ok(Self {
            file: called(path),
            text: read(path, "scenario")?,
            path: Some(path.to_owned()),
            by_itself,
        })
    }
}

/// What `words` name; none: the default scenarios.
pub(crate) fn sources(words: &[String]) -> Result<Vec<Source>, Failure> {
    if words.is_empty() {
        let by_default = BUILT_IN.iter().filter(|built_in| built_in.by_default);
        return Ok(by_default.map(|it| Source::built_in(it, true)).collect());
    }
    let mut sources = Vec::new();
    for word in words {
        if word == ALL {
            sources.extend(BUILT_IN.iter().map(|it| Source::built_in(it, false)));
        } else if let Some(built_in) = scenario::find(word).or_else(|| by_path(word)) {
            sources.push(Source::built_in(built_in, true));
        } else if Path::new(word).is_dir() {
            sources.extend(in_folder(Path::new(word))?);
        } else if word.contains(['*', '?', '[']) && !Path::new(word).exists() {
            sources.extend(by_pattern(word)?);
        } else if word == STANDARD_INPUT || looks_like_a_path(word) {
            sources.push(Source::file(Path::new(word), true)?);
        } else {
            return Err(unknown(word));
        }
    }
    Ok(sources)
}

fn looks_like_a_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".toml") || Path::new(name).exists()
}

fn unknown(word: &str) -> Failure {
    let known: Vec<&str> = BUILT_IN.iter().map(|b| b.name).collect();
    let help = match suggest::nearest(word, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`? `firedrill list` names all scenarios"),
        None if !alike(word).is_empty() => {
            let alike = alike(word).join("`, `");
            format!("did you mean `{alike}`? `firedrill list` names all scenarios")
        }
        None => "`firedrill list` names the built-in scenarios; or give the path of a .toml file"
            .to_owned(),
    };
    Failure::input(format!("there is no scenario `{word}`"), help)
}

/// The built-in scenario of this folder and name, as patterns and completions name it: `faults/api-slow`.
fn by_path(word: &str) -> Option<&'static BuiltIn> {
    // A file of that name is meant as a file.
    if Path::new(word).exists() {
        return None;
    }
    let file = format!("scenarios/{word}.toml");
    BUILT_IN.iter().find(|it| it.file == file)
}

/// How many scenarios are named that have a word in common.
const ALIKE_MAX: usize = 3;

/// The first built-in scenarios that have a word like `word` in their names: `latncy` is like that of
/// `latency-regression`.
fn alike(word: &str) -> Vec<&'static str> {
    let parts = BUILT_IN.iter().flat_map(|it| it.name.split('-'));
    // Short words are like everything.
    let parts = parts.filter(|part| part.len() > 3);
    let Some(part) = suggest::nearest(word, parts) else {
        return Vec::new();
    };
    let named = BUILT_IN.iter().map(|it| it.name);
    let with_it = named.filter(|name| name.split('-').any(|it| it == part));
    with_it.take(ALIKE_MAX).collect()
}

/// The scenario files of a folder, by name.
fn in_folder(folder: &Path) -> Result<Vec<Source>, Failure> {
    let pattern = format!("{}/*.toml", Pattern::escape(&folder.to_string_lossy()));
    let files = files(&pattern)?;
    if files.is_empty() {
        return Err(Failure::input(
            format!("the folder {} has no scenario", folder.display()),
            "scenarios are files that end in .toml",
        ));
    }
    files.iter().map(|file| Source::file(file, false)).collect()
}

/// What matches: built-in scenarios by name or by folder and name (`faults/*`), else files.
fn by_pattern(word: &str) -> Result<Vec<Source>, Failure> {
    let pattern = Pattern::new(word).map_err(|error| {
        Failure::input(
            format!("`{word}` is no pattern: {error}"),
            "`*` stands for any characters, `?` for one, `[ab]` for one of these",
        )
    })?;
    let matches = |built_in: &&BuiltIn| {
        let below = built_in.file.trim_start_matches("scenarios/");
        let path = below.trim_end_matches(".toml");
        pattern.matches(built_in.name) || pattern.matches(path)
    };
    let built_in = BUILT_IN.iter().filter(matches);
    let mut sources: Vec<Source> = built_in.map(|it| Source::built_in(it, false)).collect();
    if sources.is_empty() {
        let files = files(word)?;
        sources = files
            .iter()
            .map(|file| Source::file(file, false))
            .collect::<Result<_, _>>()?;
    }
    if sources.is_empty() {
        return Err(Failure::input(
            format!("no scenario matches `{word}`"),
            "`firedrill list` names the built-in ones; a pattern of theirs is for instance `near-*` or `faults/*`",
        ));
    }
    Ok(sources)
}

/// The files that match, by name.
fn files(pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::input(
            format!("cannot look for `{pattern}`: {error}"),
            "give a pattern of files that can be read",
        )
    };
    let found = glob::glob(pattern).map_err(|error| wrong(&error))?;
    let mut files = Vec::new();
    for file in found {
        let file = file.map_err(|error| wrong(&error))?;
        if file.is_file() {
            files.push(file);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let sources = sources(&words).expect("they name something");
        sources.into_iter().map(|source| source.file).collect()
    }

    #[test]
    fn patterns_name_built_in_scenarios_by_name_and_by_folder() {
        let near = names(&["near-*"]);
        assert!(
            near.len() >= 6 && near.iter().all(|it| it.contains("/near-")),
            "{near:?}"
        );
        let faults = names(&["faults/*"]);
        assert!(faults.len() > 20 && faults.iter().all(|it| it.contains("/faults/")));
        assert_eq!(names(&["api-slo?"]), ["scenarios/faults/api-slow.toml"]);
        assert_eq!(
            names(&["faults/api-slow"]),
            ["scenarios/faults/api-slow.toml"]
        );
        assert_eq!(names(&[ALL]).len(), BUILT_IN.len());
        assert_eq!(names(&[]).len(), 3);
    }

    #[test]
    fn a_word_of_a_name_that_is_mistyped_is_known() {
        assert!(alike("latncy").contains(&"latency-regression"));
        assert!(alike("latncy").len() <= ALIKE_MAX);
        assert_eq!(alike("xylophone"), [""; 0]);
    }

    #[test]
    fn patterns_and_folders_name_files() {
        let folder = tempfile::tempdir().expect("a writable directory");
        for name in ["b.toml", "a.toml", "c.md"] {
            std::fs::write(folder.path().join(name), "x").expect("it is ours");
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let expected = [at("a.toml"), at("b.toml")];
        assert_eq!(names(&[&at("*.toml")]), expected);
        assert_eq!(names(&[&folder.path().display().to_string()]), expected);
        for nothing in [at("d*"), at("[")] {
            assert!(sources(&[nothing]).is_err());
        }
    }
}
