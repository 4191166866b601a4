//! What is allowed in a scenario, and is hardly ever meant.

use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Severity};

use super::{PartsPerMillion, Scenario, raw};

/// From this share on, a bound of the error rate lets pass what nobody would call well: every second request fails.
const RATE: PartsPerMillion = PartsPerMillion(500_000);

impl Scenario {
    /// A warning about what is unwise in it, with its place; `None`: nothing is. `file` names it in messages.
    #[must_use]
    pub fn unwise(&self, file: &str) -> Option<miette::Report> {
        let raw = raw::parse(file, &self.text).ok()?;
        let rate = *raw.expect.error_rate_max.get_ref();
        if rate < RATE {
            return None;
        }
        let label = "hardly any failure is above this";
        let warning = MietteDiagnostic::new(format!(
            "error_rate_max of {rate} lets a drill pass in which most requests fail"
        ))
        .with_severity(Severity::Warning)
        .with_code("scenario::error-rate")
        .with_label(LabeledSpan::at(raw.expect.error_rate_max.span(), label))
        .with_help(
            "write the share of failed requests that your clients can bear, for instance \"0.1%\"",
        );
        let source = NamedSource::new(file, self.text.clone());
        Some(miette::Report::new(warning).with_source_code(source))
    }
}
