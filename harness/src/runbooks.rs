//! The runbook that drills follow: the built-in one, or a file.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use dex::release::Service;
use executor::runbook::{Runbook, RunbookErrors};
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Severity};

use crate::scenario::Described;
use crate::suggest;

/// The built-in runbook's text.
pub const BUILT_IN: &str = include_str!("../../runbooks/rollback.md");
/// Where the built-in runbook lies in the repository.
pub const BUILT_IN_FILE: &str = "runbooks/rollback.md";

/// How a runbook's commands select the pods of a service.
const BY_SERVICE: &str = "app=$SERVICE";

/// A selector of a runbook by which kubectl would find no pod of some service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectsNothing {
    place: Range<usize>,
    why: String,
}

impl fmt::Display for SelectsNothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the runbook selects pods by `{BY_SERVICE}`, and {}: kubectl would find none of them",
            self.why
        )
    }
}

/// A runbook, its text, and what it was called.
#[derive(Clone, Debug)]
pub struct LoadedRunbook {
    /// File name, for messages.
    pub file: String,
    /// The text.
    pub text: Arc<str>,
    /// What the text says.
    pub runbook: Arc<Runbook>,
}

impl LoadedRunbook {
    /// Reads a runbook's text.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, RunbookErrors> {
        let runbook = Runbook::parse(file, text)?;
        Ok(Self {
            file: file.to_owned(),
            text: text.into(),
            runbook: Arc::new(runbook),
        })
    }

    /// The built-in runbook.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn built_in() -> Result<Self, RunbookErrors> {
        Self::parse(BUILT_IN_FILE, BUILT_IN)
    }

    /// Whether what is drilled has the services that the front matter names, and the migration files where it looks for
    /// them: the exchange, or an application of somebody's own.
    ///
    /// # Errors
    /// The first that it has not, with its place.
    pub fn check_services(&self, app: Option<&Described>) -> Result<(), miette::Report> {
        let known: Vec<&str> = match app {
            None => Service::ALL.iter().map(|service| service.name()).collect(),
            Some(app) => app.services.iter().map(|it| it.name.as_str()).collect(),
        };
        let whose = app.map_or("the exchange", |app| app.name.as_str());
        let mut services = self.runbook.services.iter();
        let Some(unknown) = services.find(|name| !known.contains(&name.as_str())) else {
            return self.check_migrations(app);
        };
        let at = place_of_service(&self.text, unknown);
        let mistake = MietteDiagnostic::new(format!("{whose} has no service `{unknown}`"))
            .with_code("runbook::service")
            .with_label(LabeledSpan::at(at, "no service has this name"))
            .with_help(suggest::help(unknown, &known));
        let source = NamedSource::new(&self.file, self.text.to_string());
        Err(miette::Report::new(mistake).with_source_code(source))
    }

    /// Whether the runbook looks for the migration files of the application's store where they are.
    fn check_migrations(&self, app: Option<&Described>) -> Result<(), miette::Report> {
        let store = app.and_then(|app| app.store.as_ref());
        let Some(scripts) = store.and_then(|store| store.scripts.as_ref()) else {
            return Ok(());
        };
        let looks = &self.runbook.migrations;
        if looks == scripts {
            return Ok(());
        }
        let key = "\nmigrations:";
        let at = self
            .text
            .find(key)
            .map_or(0..3, |at| at + 1..at + key.len());
        let mistake = MietteDiagnostic::new(format!(
            "the runbook looks for the migration files in the ConfigMap `{looks}`, and they are in `{scripts}`"
        ))
        .with_code("runbook::migrations")
        .with_label(LabeledSpan::at(at, "in this front matter"))
        .with_help(format!("write `migrations: {scripts}` into it"));
        let source = NamedSource::new(&self.file, self.text.to_string());
        Err(miette::Report::new(mistake).with_source_code(source))
    }

    /// What of the runbook would find no pod of a service: `-l app=$SERVICE` goes by the name of the workload, and the
    /// pods have another label `app`. An executor that goes by the workload itself finds them all the same, and whoever
    /// types the command does not.
    #[must_use]
    pub fn selects_nothing(&self, app: &Described) -> Option<SelectsNothing> {
        let at = self.text.find(BY_SERVICE)?;
        let named = |name: &&String| app.services.iter().find(|it| it.name == **name);
        let services = self.runbook.services.iter().filter_map(|name| named(&name));
        let others = services.filter(|it| it.app != it.name);
        let others: Vec<String> = others
            .map(|it| format!("the pods of `{}` have the label `app={}`", it.name, it.app))
            .collect();
        (!others.is_empty()).then(|| SelectsNothing {
            place: at..at + BY_SERVICE.len(),
            why: others.join(", "),
        })
    }

    /// That as a warning with its place.
    #[must_use]
    pub fn warning_of(&self, nothing: &SelectsNothing) -> miette::Report {
        let warning = MietteDiagnostic::new(nothing.to_string())
            .with_severity(Severity::Warning)
            .with_code("runbook::selector")
            .with_label(LabeledSpan::at(
                nothing.place.clone(),
                "kubectl finds no pod by this",
            ))
            .with_help("give the pods the name of their workload as the label `app`");
        let source = NamedSource::new(&self.file, self.text.to_string());
        miette::Report::new(warning).with_source_code(source)
    }

    /// Names of its triggers.
    #[must_use]
    pub fn triggers(&self) -> Vec<String> {
        self.runbook
            .triggers
            .iter()
            .map(|t| t.name.clone())
            .collect()
    }
}

/// The bytes of `name` in the list of services in the front matter; it may be spread over lines.
fn place_of_service(text: &str, name: &str) -> Range<usize> {
    let list = text.find("\nservices:").map_or(0, |at| at + 1);
    let mut from = list;
    while let Some(at) = text[from..].find(name).map(|at| from + at) {
        let end = at + name.len();
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
        let before = text[..at].chars().next_back().filter(|c| *c != '-');
        if !is_part(before) && !is_part(text[end..].chars().next()) {
            return at..end;
        }
        from = end;
    }
    list..list
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, LoadedRunbook, place_of_service};

    #[test]
    fn a_misspelled_service_is_pointed_at() {
        let loaded = LoadedRunbook::built_in().expect("it loads");
        assert!(loaded.check_services(None).is_ok());
        let text = BUILT_IN.replacen("risk", "rsik", 1);
        let loaded = LoadedRunbook::parse("misspelled.md", &text).expect("it loads");
        let refused = loaded
            .check_services(None)
            .expect_err("there is no such service");
        let shown = format!("{refused:?}");
        assert!(
            shown.contains("no service `rsik`") && shown.contains("did you mean `risk`"),
            "{shown}"
        );
        assert!(shown.contains("misspelled.md:"), "{shown}");
        assert_eq!(&text[place_of_service(&text, "rsik")], "rsik");
    }
}
