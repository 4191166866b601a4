//! The application that a scenario drills.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use sim_services::describe::App;
use sim_services::manifests::WorkloadKind;

use super::catalogue;

/// An application that a file describes. Two are the same if their files are.
#[derive(Clone)]
pub struct Described(Arc<App>);

impl Described {
    /// The application itself.
    #[must_use]
    pub fn app(&self) -> Arc<App> {
        Arc::clone(&self.0)
    }
}

impl From<App> for Described {
    fn from(app: App) -> Self {
        Self(Arc::new(app))
    }
}

impl Deref for Described {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl PartialEq for Described {
    fn eq(&self, other: &Self) -> bool {
        self.bundle == other.bundle
    }
}

impl Eq for Described {}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Described").field(&self.name).finish()
    }
}

/// An application that a Rust program implements (`firedrill::worlds::sim::Drilled`), as far as scenarios and oracles
/// must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InRust {
    /// What it is called.
    pub name: String,
    /// Its releases. The first one runs where a scenario does not say what runs.
    pub releases: Vec<String>,
    /// The names of its Deployments, at which faults can be aimed.
    pub services: Vec<String>,
}

/// What a scenario drills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The exchange.
    Exchange,
    /// An application that a file describes.
    Described(Described),
    /// An application that a Rust program implements, and that stores nothing.
    InRust(Arc<InRust>),
}

/// What of an application outlives its processes: it decides which oracles have something to ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    /// The exchange's ledger.
    Ledger,
    /// A store of an application of somebody's own.
    Rows,
    /// Nothing.
    Nothing,
}

impl Subject {
    /// Whether it is the exchange.
    #[must_use]
    pub fn is_the_exchange(&self) -> bool {
        matches!(self, Self::Exchange)
    }

    /// The application that a file describes, if it is one.
    #[must_use]
    pub fn described(&self) -> Option<&Described> {
        match self {
            Self::Described(app) => Some(app),
            Self::Exchange | Self::InRust(_) => None,
        }
    }

    /// What outlives its processes.
    #[must_use]
    pub fn stores(&self) -> Stores {
        match self {
            Self::Exchange => Stores::Ledger,
            Self::Described(app) if app.store.is_some() => Stores::Rows,
            Self::Described(_) | Self::InRust(_) => Stores::Nothing,
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Exchange => "the exchange",
            Self::Described(app) => &app.name,
            Self::InRust(app) => &app.name,
        }
    }

    /// The release of that name, as it is called in full; `None`: there is none.
    pub(super) fn release_named<'a>(&'a self, word: &'a str) -> Option<&'a str> {
        match self {
            Self::Exchange => catalogue::release_named(word),
            Self::Described(app) => app.release_named(word),
            Self::InRust(app) => {
                let mut releases = app.releases.iter().map(String::as_str);
                releases.find(|release| *release == word)
            }
        }
    }

    /// The names of its releases.
    pub(super) fn release_names(&self) -> Vec<&str> {
        match self {
            Self::Exchange => catalogue::known_releases(),
            Self::Described(app) => app.release_names(),
            Self::InRust(app) => app.releases.iter().map(String::as_str).collect(),
        }
    }

    /// The release that runs where a scenario does not say what runs; `None`: that is the default of the key.
    pub(super) fn prior(&self) -> Option<&str> {
        match self {
            Self::Exchange => None,
            Self::Described(app) => Some(&app.prior),
            Self::InRust(app) => app.releases.first().map(String::as_str),
        }
    }

    /// Its services at which a fault can be aimed that hits only Deployments, or any service; none for the exchange,
    /// whose services stand in the table of kinds.
    pub(super) fn services(&self, only_deployments: bool) -> Vec<&str> {
        match self {
            Self::Exchange => Vec::new(),
            Self::Described(app) => {
                let services = app.services.iter();
                services
                    .filter(|it| !only_deployments || it.kind == WorkloadKind::Deployment)
                    .map(|it| it.name.as_str())
                    .collect()
            }
            Self::InRust(app) => app.services.iter().map(String::as_str).collect(),
        }
    }
}

impl From<&Subject> for Subject {
    fn from(subject: &Subject) -> Self {
        subject.clone()
    }
}

impl From<&Described> for Subject {
    fn from(app: &Described) -> Self {
        Self::Described(app.clone())
    }
}

impl From<App> for Subject {
    fn from(app: App) -> Self {
        Self::Described(app.into())
    }
}

impl From<InRust> for Subject {
    fn from(app: InRust) -> Self {
        Self::InRust(Arc::new(app))
    }
}
