//! The application that a scenario drills, where it is not the exchange.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use sim_services::describe::App;

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
