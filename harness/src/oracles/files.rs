//! Is what the post-mortem needs put by? The procedure asks for the bad release's logs before its pods are
//! gone, and for a scenario that joins the suite.

use crate::evidence::{Evidence, Outcome};
use crate::scenario::Scenario;
use crate::verdict::{Finding, Stage, Verdict};

/// After a claimed recovery: a log with lines of every service that was rolled back, a post-mortem, and a scenario
/// that loads and deploys the same release.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("files", Stage::Execution, verdict, reason);
    if evidence.executor.outcome != Outcome::Recovered {
        return finding(Verdict::Pass, "no recovery is claimed".to_owned());
    }
    match missing(evidence) {
        Some(what) => finding(Verdict::Fail, what),
        None => finding(
            Verdict::Pass,
            "logs, post-mortem and scenario are kept".to_owned(),
        ),
    }
}

fn missing(evidence: &Evidence) -> Option<String> {
    let named = |end: &str| {
        let mut files = evidence.files.iter();
        files
            .find(|(name, _)| name.ends_with(end))
            .map(|(_, text)| text)
    };
    let changed = evidence
        .versions_before
        .iter()
        .filter(|(service, before)| evidence.versions_deployed.get(*service) != Some(before));
    for (service, _) in changed {
        let folder = format!("/logs/{service}/");
        let lines: usize = evidence
            .files
            .iter()
            .filter(|(name, _)| name.contains(&folder))
            // The dump's own headings are no evidence.
            .map(|(_, text)| text.lines().filter(|line| !line.starts_with("==>")).count())
            .sum();
        if lines == 0 {
            return Some(format!("no line of {service}'s log was kept"));
        }
    }
    if named("/post-mortem.md").is_none_or(|text| !text.contains("## Timeline")) {
        return Some("there is no post-mortem with a timeline".to_owned());
    }
    let Some(scenario) = named("/scenario.toml") else {
        return Some("there is no scenario that reproduces the incident".to_owned());
    };
    match Scenario::parse("scenario.toml", scenario, &[]) {
        Err(error) => Some(format!("the scenario does not load: {error}")),
        Ok(scenario) if scenario.expect.trigger != evidence.expect.trigger => Some(format!(
            "the scenario expects {} to fire, not {}",
            scenario.expect.trigger.as_deref().unwrap_or("nothing"),
            evidence.expect.trigger.as_deref().unwrap_or("nothing"),
        )),
        Ok(_) => None,
    }
}
