//! What is wrong with a scenario, where, and what would be right.

use sim_services::mistake::FileKind;
pub(super) use sim_services::mistake::Mistakes;
pub use sim_services::mistake::{FileError as ScenarioError, Mistake};

/// What a scenario is called in messages.
pub(super) const SCENARIO: FileKind = FileKind {
    name: "scenario",
    code: "firedrill::scenario",
    language: "toml",
};

/// The `mistakes` in `text`, which `file` holds.
pub(super) fn of_file(file: &str, text: &str, mistakes: Vec<Mistake>) -> ScenarioError {
    ScenarioError::new(SCENARIO, file, text, mistakes)
}
