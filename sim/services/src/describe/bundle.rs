//! The files of an application, and how it is read from them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};

use super::app::App;
use super::{check, raw};
use crate::manifests::{Document, LoadError, Manifests, WorkloadKind};
use crate::mistake::{FileError, FileKind};

/// What a description is called in messages.
pub(super) const APP: FileKind = FileKind {
    name: "application",
    code: "firedrill::application",
    language: "toml",
};

/// A file with its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path, as messages name it.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Everything that an application is read from. It can be written into one text, so that a drill can be performed
/// again where these files are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The description.
    pub app: File,
    /// The manifests.
    pub manifests: Vec<File>,
}

/// Why an application could not be read.
#[derive(Debug)]
pub enum AppError {
    /// Its description could not be read.
    Unreadable(PathBuf, io::Error),
    /// Its description has mistakes.
    Wrong(Box<FileError>),
    /// Its manifests can't be loaded.
    Manifests(LoadError),
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => {
                write!(f, "{} can't be read: {error}", path.display())
            }
            Self::Wrong(error) => error.fmt(f),
            Self::Manifests(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AppError {}

impl Diagnostic for AppError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self {
            Self::Wrong(error) => error.code(),
            Self::Unreadable(..) | Self::Manifests(_) => None,
        }
    }
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        match self {
            Self::Wrong(error) => error.source_code(),
            Self::Unreadable(..) | Self::Manifests(_) => None,
        }
    }
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        match self {
            Self::Wrong(error) => error.related(),
            Self::Manifests(error) => error.related(),
            Self::Unreadable(..) => None,
        }
    }
}

/// Reads the application that the file at `path` describes. Paths in it begin at its folder.
///
/// # Errors
/// [`AppError`], with every mistake of the file, or of its manifests, at once.
pub fn read(path: &Path) -> Result<App, AppError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| AppError::Unreadable(path.to_owned(), error))?;
    let name = path.display().to_string();
    let raw = raw::parse(&name, &text).map_err(|error| AppError::Wrong(Box::new(error)))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let paths: Vec<PathBuf> = raw
        .manifests
        .iter()
        .map(|it| folder.join(it.get_ref()))
        .collect();
    let manifests = Manifests::load(&paths, DEFAULT_NAMESPACE).map_err(AppError::Manifests)?;
    let bundle = Bundle::of(File { path: name, text }, &manifests);
    finish(bundle, raw, manifests)
}

/// The namespace of what names none, as `kubectl` has it.
const DEFAULT_NAMESPACE: &str = "default";

impl Bundle {
    /// A description and the files that its manifests were loaded from.
    #[must_use]
    pub fn of(app: File, manifests: &Manifests) -> Self {
        let mut files: Vec<File> = Vec::new();
        for object in &manifests.objects {
            let document = &object.document;
            if files.iter().all(|file| file.path != document.name) {
                files.push(File {
                    path: document.name.clone(),
                    text: document.text.clone(),
                });
            }
        }
        Self {
            app,
            manifests: files,
        }
    }

    /// The same with paths that begin at the description's folder: it does not tell from where the files were named.
    #[must_use]
    pub fn from_its_folder(&self) -> Self {
        let path = Path::new(&self.app.path);
        let folder = path.parent().unwrap_or(Path::new(""));
        let below = |file: &File| File {
            path: match Path::new(&file.path).strip_prefix(folder) {
                Ok(below) => below.display().to_string(),
                Err(_) => file.path.clone(),
            },
            text: file.text.clone(),
        };
        Self {
            app: below(&self.app),
            manifests: self.manifests.iter().map(below).collect(),
        }
    }

    /// The same with the manifests of all workloads called `name` as `change` makes them. The manifests are written
    /// anew, as JSON without the comments that they had.
    ///
    /// # Errors
    /// [`AppError`] if the manifests can't be loaded.
    pub fn with_workload(
        &self,
        name: &str,
        change: impl Fn(&mut serde_json::Value),
    ) -> Result<Self, AppError> {
        let mut loaded = self.load()?;
        let mut files: Vec<File> = Vec::new();
        for object in &mut loaded.objects {
            if WorkloadKind::of(object).is_some() && object.name() == name {
                change(&mut object.value);
            }
            let path = &object.document.name;
            let at = files.iter().position(|file| file.path == *path);
            let at = at.unwrap_or_else(|| {
                files.push(File {
                    path: path.clone(),
                    text: String::new(),
                });
                files.len() - 1
            });
            if let Some(file) = files.get_mut(at) {
                file.text += &format!("---\n{}\n", object.value);
            }
        }
        Ok(Self {
            app: self.app.clone(),
            manifests: files,
        })
    }

    fn load(&self) -> Result<Manifests, AppError> {
        let documents = self.manifests.iter().map(|file| Document {
            name: file.path.clone(),
            text: file.text.clone(),
        });
        let manifests = Manifests::parse(documents.collect(), DEFAULT_NAMESPACE);
        manifests.map_err(AppError::Manifests)
    }

    /// The manifest of the workload called `name`, as it is loaded; `None` if there is none.
    #[must_use]
    pub fn workload(&self, name: &str) -> Option<serde_json::Value> {
        let objects = self.load().ok()?.objects.into_iter();
        let mut workloads = objects.filter(|it| WorkloadKind::of(it).is_some());
        workloads.find(|it| it.name() == name).map(|it| it.value)
    }

    /// Reads the application from these texts, and from no file.
    ///
    /// # Errors
    /// As [`read`].
    pub fn app(self) -> Result<App, AppError> {
        let raw = raw::parse(&self.app.path, &self.app.text);
        let raw = raw.map_err(|error| AppError::Wrong(Box::new(error)))?;
        let manifests = self.load()?;
        finish(self, raw, manifests)
    }
}

fn finish(bundle: Bundle, raw: raw::Raw, manifests: Manifests) -> Result<App, AppError> {
    check::check(bundle, raw, manifests).map_err(|error| AppError::Wrong(Box::new(error)))
}
