//! What ends the program early, and with which exit code.

use firedrill::report::WriteError;
use firedrill::worlds::WorldError;

use crate::terminal;

/// Interrupted by Ctrl-C or SIGTERM: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad input, with its place.
    Input(miette::Report),
    /// The world could not be built.
    World(WorldError),
    /// The report could not be written.
    Report(WriteError),
}

impl Failure {
    /// Bad input without a place in a file.
    pub(crate) fn input(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Input(miette::Report::new(
            miette::MietteDiagnostic::new(message).with_help(help),
        ))
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            // Asking a world for what it can't do is a mistake of the input, not of the world.
            Self::Input(_)
            | Self::Report(_)
            | Self::World(
                WorldError::Lacks { .. }
                | WorldError::LacksKey { .. }
                | WorldError::LacksOfApplication { .. }
                | WorldError::NotByProgram { .. },
            ) => 2,
            Self::World(WorldError::Interrupted) => INTERRUPTED,
            Self::World(_) => 4,
        }
    }

    /// Tells people.
    pub(crate) fn print(&self) {
        match self {
            Self::Input(report) => terminal::complain_of(report),
            Self::World(error) => terminal::complain(&format!("error: {error}")),
            Self::Report(error) => {
                terminal::complain(&format!("error: {}", with_cause(error)));
            }
        }
    }
}

/// `error` and what caused it, in one line.
pub(crate) fn with_cause(error: &WriteError) -> String {
    let cause = std::error::Error::source(error).map_or_else(String::new, |s| format!(": {s}"));
    format!("{error}{cause}")
}

impl From<WorldError> for Failure {
    fn from(error: WorldError) -> Self {
        Self::World(error)
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Self::Report(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill::worlds::WorldKind;

    #[test]
    fn exit_codes_are_as_documented() {
        assert_eq!(Failure::input("m", "h").code(), 2);
        assert_eq!(
            Failure::from(WorldError::NotBuilt(WorldKind::Kind)).code(),
            4
        );
        assert_eq!(Failure::from(WorldError::SetUp("x".into())).code(), 4);
        assert_eq!(Failure::from(WorldError::Interrupted).code(), 130);
    }
}
