//! From files, folders and standard input to objects.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::Diagnostic;
use serde_json::{Value, json};

use super::object::Object;
use super::yaml::Tree;
use super::{kinds, typed, yaml};
use crate::mistake::{FileError, FileKind, Mistake};

/// The path that stands for standard input, as with `kubectl apply -f -`.
pub const STANDARD_INPUT: &str = "-";

const MANIFEST: FileKind = FileKind {
    name: "manifest",
    code: "firedrill::manifest",
    language: "yaml",
};

/// Kinds of Kubernetes' own that have no namespace.
const WITHOUT_NAMESPACE: [&str; 15] = [
    "APIService",
    "CSIDriver",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
];

/// A file of manifests.
#[derive(Debug)]
pub struct Document {
    /// Its path as it was given, or `<standard input>`.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Document {
    /// Line and column (both from 1) of a byte of the text.
    #[must_use]
    pub fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let before = self
            .text
            .get(..byte.min(self.text.len()))
            .unwrap_or_default();
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        (before.matches('\n').count() + 1, column)
    }
}

/// Why manifests could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// A file or folder could not be read.
    Unreadable(PathBuf, io::Error),
    /// There is no manifest in what was given.
    Empty(Vec<PathBuf>),
    /// What is wrong with each file that has mistakes; never empty.
    Wrong(Vec<FileError>),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => {
                write!(f, "{} can't be read: {error}", path.display())
            }
            Self::Empty(paths) => {
                let paths: Vec<String> = paths.iter().map(|it| called(it)).collect();
                write!(
                    f,
                    "there is no object of Kubernetes in {}: a file is empty or has comments alone, or a folder has no \
                     file that ends in .yaml, .yml or .json",
                    paths.join(", ")
                )
            }
            Self::Wrong(files) => {
                let mistakes: usize = files.iter().map(|file| file.mistakes.len()).sum();
                let plural = |n: usize| if n == 1 { "" } else { "s" };
                write!(
                    f,
                    "{mistakes} mistake{} in {} file{} of manifests",
                    plural(mistakes),
                    files.len(),
                    plural(files.len())
                )
            }
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            Self::Empty(_) | Self::Wrong(_) => None,
        }
    }
}

impl Diagnostic for LoadError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self {
            Self::Empty(_) => Some(Box::new(
                "give a file that holds a manifest, such as that of a Deployment, or the folder of such files",
            )),
            Self::Unreadable(..) | Self::Wrong(_) => None,
        }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        match self {
            Self::Wrong(files) => Some(Box::new(files.iter().map(|it| it as &dyn Diagnostic))),
            Self::Unreadable(..) | Self::Empty(_) => None,
        }
    }
}

/// Objects in the order in which they are applied.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The objects. Each stands once: of two with the same kind, namespace and name, the later one is there.
    pub objects: Vec<Object>,
}

impl Manifests {
    /// Loads files, folders and standard input (`-`) as `kubectl apply -f` does: of a folder, the files that end in
    /// `.yaml`, `.yml` or `.json` in the order of their names, without the folders inside. Objects without a namespace
    /// come into `namespace`.
    ///
    /// # Errors
    /// [`LoadError`], with the mistakes of all files at once.
    pub fn load(paths: &[PathBuf], namespace: &str) -> Result<Self, LoadError> {
        Self::load_over(Vec::new(), paths, namespace)
    }

    /// As [`Self::load`], on top of texts that were read already: an object of a file replaces the one of the same kind
    /// and name in them.
    ///
    /// # Errors
    /// [`LoadError`], with the mistakes of all texts and files at once.
    pub fn load_over(
        mut documents: Vec<Document>,
        paths: &[PathBuf],
        namespace: &str,
    ) -> Result<Self, LoadError> {
        for path in paths {
            read(path, &mut documents)?;
        }
        let manifests = Self::parse(documents, namespace)?;
        if manifests.objects.is_empty() {
            return Err(LoadError::Empty(paths.to_vec()));
        }
        Ok(manifests)
    }

    /// The objects in texts that were read already.
    ///
    /// # Errors
    /// [`LoadError::Wrong`], with the mistakes of all documents at once.
    pub fn parse(documents: Vec<Document>, namespace: &str) -> Result<Self, LoadError> {
        let mut manifests = Self::default();
        let mut wrong = Vec::new();
        for document in documents {
            let document = Arc::new(document);
            let (found, of_text) = yaml::documents(&document.text);
            let mut mistakes = Vec::new();
            for (value, tree) in found {
                let object = Object {
                    value,
                    document: document.clone(),
                    tree,
                };
                manifests.take(object, namespace, &mut mistakes);
            }
            // What is wrong with the text of a value is not told as a mistake of the field as well.
            mistakes.retain(|it| of_text.iter().all(|other| other.span != it.span));
            mistakes.extend(of_text);
            if !mistakes.is_empty() {
                let (name, text) = (&document.name, &document.text);
                wrong.push(FileError::new(MANIFEST, name, text, mistakes));
            }
        }
        if wrong.is_empty() {
            Ok(manifests)
        } else {
            Err(LoadError::Wrong(wrong))
        }
    }

    /// The object of this kind and name in the namespace.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        let is = |it: &&Object| {
            it.kind() == kind && it.name() == name && it.namespace() == Some(namespace)
        };
        self.objects.iter().find(is)
    }

    /// The namespaces that the objects are in or make, in the order of their names.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        let of = |object: &Object| match object.kind() {
            "Namespace" => Some(object.name().to_owned()),
            _ => object.namespace().map(str::to_owned),
        };
        let mut names: Vec<String> = self.objects.iter().filter_map(of).collect();
        names.sort();
        names.dedup();
        names
    }

    fn take(&mut self, object: Object, namespace: &str, mistakes: &mut Vec<Mistake>) {
        if let Some(items) = object.value["items"].as_array()
            && object.kind().ends_with("List")
        {
            for (at, value) in items.iter().enumerate() {
                let tree = object.tree.inside.get("items");
                let tree = tree.and_then(|items| items.inside.get(&at.to_string()));
                if let Some(tree) = tree {
                    let item = Object {
                        value: value.clone(),
                        document: object.document.clone(),
                        tree: tree.clone(),
                    };
                    self.take(item, namespace, mistakes);
                }
            }
            return;
        }
        let before = mistakes.len();
        identify(&object, mistakes);
        if mistakes.len() > before {
            return;
        }
        let mut object = object;
        let with_namespace = !WITHOUT_NAMESPACE.contains(&object.kind());
        if with_namespace && object.namespace().is_none_or(str::is_empty) {
            object.value["metadata"]["namespace"] = json!(namespace);
            // The field stands nowhere in the file: what is wrong with it is wrong with the metadata.
            let at = Tree::leaf(object.tree.find(["metadata"]).span.clone());
            if let Some(metadata) = object.tree.inside.get_mut("metadata") {
                metadata.inside.insert("namespace".to_owned(), at);
            }
        }
        mistakes.extend(typed::check(&mut object));
        let same = |it: &&mut Object| {
            it.api_version() == object.api_version()
                && it.kind() == object.kind()
                && it.name() == object.name()
                && it.namespace() == object.namespace()
        };
        match self.objects.iter_mut().find(same) {
            Some(earlier) => *earlier = object,
            None => self.objects.push(object),
        }
    }
}

/// Whether it can be told which object this is.
fn identify(object: &Object, mistakes: &mut Vec<Mistake>) {
    if !object.value.is_object() {
        mistakes.push(object.mistake(
            &[],
            "this document is no object of Kubernetes",
            "not a mapping",
            "a manifest begins with `apiVersion:` and `kind:`",
        ));
        return;
    }
    let before = mistakes.len();
    for (path, example) in [
        (&["apiVersion"][..], "apiVersion: apps/v1"),
        (&["kind"][..], "kind: Deployment"),
        (&["metadata", "name"][..], "metadata: {name: front}"),
    ] {
        mistakes.extend(text(object, path, example));
    }
    if mistakes.len() == before {
        mistakes.extend(kinds::check(object));
    }
}

/// What is wrong with what must be text at `path`, of which `example` is one.
fn text(object: &Object, path: &[&str], example: &str) -> Option<Mistake> {
    let field = path.join(".");
    let for_instance = format!("write for instance `{example}`");
    let what = match object.at(path) {
        Value::String(text) if !text.is_empty() => return None,
        Value::Null | Value::String(_) => {
            let generated = object.at(&["metadata", "generateName"]).is_string();
            let help = if generated && path.len() > 1 {
                "`kubectl apply` needs a name, and refuses `generateName` alone".to_owned()
            } else {
                for_instance
            };
            let message = format!("the object has no `{field}`");
            return Some(object.mistake(path, message, "missing here", help));
        }
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    let of_one_word = matches!(object.at(path), Value::Bool(_) | Value::Number(_));
    let help = if of_one_word && path.len() > 1 {
        // As it is written, and not as it is read.
        let place = object.tree.find(path.iter().copied());
        let span = place.written.as_ref().unwrap_or(&place.span).clone();
        let written = object.document.text.get(span).unwrap_or_default();
        format!("put it in quotes: `name: \"{written}\"`")
    } else {
        for_instance
    };
    let message = format!("`{field}` is {what}, and must be text");
    Some(object.mistake(path, message, "not text", help))
}

/// What a path is called where something is said of it.
fn called(path: &Path) -> String {
    if path == Path::new(STANDARD_INPUT) {
        "<standard input>".to_owned()
    } else {
        path.display().to_string()
    }
}

fn read(path: &Path, documents: &mut Vec<Document>) -> Result<(), LoadError> {
    let unreadable = |error| LoadError::Unreadable(path.to_owned(), error);
    if path == Path::new(STANDARD_INPUT) {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(unreadable)?;
        let name = called(path);
        documents.push(Document { name, text });
        return Ok(());
    }
    if path.is_dir() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            let extension = file.extension().and_then(|it| it.to_str());
            if matches!(extension, Some("yaml" | "yml" | "json")) && file.is_file() {
                files.push(file);
            }
        }
        files.sort();
        for file in files {
            read(&file, documents)?;
        }
        return Ok(());
    }
    documents.push(Document {
        name: path.display().to_string(),
        text: std::fs::read_to_string(path).map_err(unreadable)?,
    });
    Ok(())
}
