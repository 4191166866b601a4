//! The files that are at hand beside a token, so that it need not hold them.

use super::quoted;

/// A file that is given beside a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenFile {
    /// Its path, as it is typed.
    pub path: String,
    /// What is in it. A scenario of an application that a file describes has that application's files in it.
    pub text: String,
}

/// An application that is given beside a token, with everything that its description names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenApplication {
    /// The path of its description, as it is typed behind `--app`.
    pub path: String,
    /// Its scenarios, with the application's files in them, and its runbook.
    pub files: Vec<GivenFile>,
}

/// All that is given beside a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtHand {
    /// The files of scenarios and runbooks.
    pub files: Vec<GivenFile>,
    /// The application that the scenarios are of; `None`: they are of the exchange.
    pub app: Option<GivenApplication>,
}

/// The indexes of the files that are a token's scenario and its runbook: see [`AtHand::files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) scenario: Option<usize>,
    pub(super) runbook: Option<usize>,
}

impl Named {
    fn has(self, index: usize) -> bool {
        [self.scenario, self.runbook].contains(&Some(index))
    }
}

impl AtHand {
    /// Only these files, which are not of an application.
    #[must_use]
    pub fn files(files: Vec<GivenFile>) -> Self {
        Self { files, app: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// All files: those that are typed, and then those of the application.
    pub(super) fn all(&self) -> impl Iterator<Item = &GivenFile> {
        let of_app = self.app.iter().flat_map(|app| &app.files);
        self.files.iter().chain(of_app)
    }

    /// Whether a token that names `named` needs the application: a scenario of a file that is typed is of it, too.
    fn needs_app(&self, named: Named) -> bool {
        let of_app = |index: Option<usize>| index.is_some_and(|it| it >= self.files.len());
        named.scenario.is_some() || of_app(named.runbook)
    }

    /// The path of the first file that is given and that is not one of `named`.
    pub(super) fn first_not_in(&self, named: Named) -> Option<&str> {
        let file = (0..self.files.len()).find(|index| !named.has(*index));
        let file = file.map(|index| self.files[index].path.as_str());
        let app = self.app.as_ref().filter(|_| !self.needs_app(named));
        file.or(app.map(|app| app.path.as_str()))
    }

    /// What stands behind a token that names `named`, as a shell reads it, with a space before it.
    pub(super) fn words(&self, named: Named) -> String {
        let app = self.app.as_ref().filter(|_| self.needs_app(named));
        let app = app.map(|app| format!(" --app {}", quoted(&app.path)));
        let files = self.files.iter().enumerate();
        let files = files.filter(|(index, _)| named.has(*index));
        let files = files.map(|(_, file)| format!(" {}", quoted(&file.path)));
        app.into_iter().chain(files).collect()
    }
}
