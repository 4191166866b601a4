//! How a scenario is read from the text of a file.

use executor::runbook::Runbook;

use super::error::ScenarioError;
use super::{Scenario, Subject, check, check_application, check_runbook, raw};

impl Scenario {
    /// Reads a scenario. `file` names it in messages; `triggers` are the names that the runbook knows
    /// (empty: not checked).
    ///
    /// # Errors
    /// Every mistake in the text, with its place and a remedy.
    pub fn parse(file: &str, text: &str, triggers: &[String]) -> Result<Self, ScenarioError> {
        let mut raw = raw::parse(file, text)?;
        let application = check_application::read(file, text, raw.application.take())?;
        let application = application.map_or(Subject::Exchange, Subject::Described);
        check::check(file, text, raw, triggers, application)
    }

    /// Reads a scenario of `application`. Where a file describes that, the scenario's own text has the application's
    /// files in it from then on, so that whoever has the scenario has all that is drilled.
    ///
    /// # Errors
    /// As [`Scenario::parse`].
    pub fn parse_of(
        application: impl Into<Subject>,
        file: &str,
        text: &str,
        triggers: &[String],
    ) -> Result<Self, ScenarioError> {
        let raw = raw::parse(file, text)?;
        let has_it = raw.application.is_some();
        let mut scenario = check::check(file, text, raw, triggers, application.into())?;
        if let Some(app) = scenario.application.described().filter(|_| !has_it) {
            let section = check_application::section(app);
            scenario.text.push_str(&section);
        }
        Ok(scenario)
    }

    /// Whether it can be drilled by `runbook`. `file` names it in messages.
    ///
    /// # Errors
    /// Every fault that could never begin, with its place and a remedy.
    pub fn fits(&self, file: &str, runbook: &Runbook) -> Result<(), ScenarioError> {
        check_runbook::check(self, file, runbook)
    }
}
