//! Does every live pod run the right build?

use std::collections::BTreeSet;

use crate::evidence::Evidence;
use crate::verdict::{Finding, Stage, Verdict};

/// Every live pod, read from the cluster's state: the prior build, or the deployed one where nothing
/// was to be rolled back.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding = |verdict, reason: String| {
        Finding::new("builds", Stage::Recovery, verdict, reason).number("pods", evidence.pods.len())
    };
    let expected = if evidence.expect.trigger.is_some() {
        &evidence.versions_before
    } else {
        &evidence.versions_deployed
    };
    if expected.is_empty() {
        return finding(
            Verdict::Inconclusive,
            "it is not known which builds should run".to_owned(),
        );
    }
    for pod in &evidence.pods {
        let want = expected.get(&pod.app);
        match (&pod.version, want) {
            (_, None) => {
                return finding(
                    Verdict::Fail,
                    format!("pod {} belongs to no service", pod.name),
                );
            }
            (None, _) => return finding(Verdict::Fail, format!("pod {} runs nothing", pod.name)),
            (Some(has), Some(want)) if has != want => {
                return finding(
                    Verdict::Fail,
                    format!("pod {} runs {has} instead of {want}", pod.name),
                );
            }
            _ if !pod.ready => {
                return finding(Verdict::Fail, format!("pod {} is not ready", pod.name));
            }
            _ => {}
        }
    }
    let seen: BTreeSet<&str> = evidence.pods.iter().map(|p| p.app.as_str()).collect();
    match expected.keys().find(|app| !seen.contains(app.as_str())) {
        Some(app) => finding(Verdict::Fail, format!("no pod of {app} is live")),
        None => finding(
            Verdict::Pass,
            "every live pod runs the right build".to_owned(),
        ),
    }
}
