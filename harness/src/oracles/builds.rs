//! Does every live pod run the right build?

use std::collections::BTreeSet;

use crate::evidence::Evidence;
use crate::finding::BuildsFinding;

/// Every live pod, read from the cluster's state: the prior build, or the deployed one where nothing
/// was to be rolled back.
pub(super) fn check(evidence: &Evidence) -> BuildsFinding {
    let versions = if evidence.expect.trigger.is_some() {
        &evidence.versions_before
    } else {
        &evidence.versions_deployed
    };
    if versions.is_empty() {
        return BuildsFinding::Unknown;
    }
    for seen in &evidence.pods {
        let pod = seen.name.clone();
        let Some(expected) = versions.get(&seen.app) else {
            return BuildsFinding::Foreign { pod };
        };
        match &seen.version {
            None => return BuildsFinding::Idle { pod },
            Some(runs) if runs != expected => {
                return BuildsFinding::Wrong {
                    pod,
                    service: seen.app.clone(),
                    runs: runs.clone(),
                    expected: expected.clone(),
                };
            }
            Some(_) if !seen.ready => return BuildsFinding::NotReady { pod },
            Some(_) => {}
        }
    }
    let seen: BTreeSet<&str> = evidence.pods.iter().map(|p| p.app.as_str()).collect();
    match versions.keys().find(|app| !seen.contains(app.as_str())) {
        Some(service) => BuildsFinding::NoPod {
            service: service.clone(),
        },
        None => BuildsFinding::Right {
            pods: evidence.pods.len() as u64,
        },
    }
}
