//! Does every live pod run the right build?

use std::collections::BTreeSet;

use crate::evidence::Evidence;
use crate::oracles::finding::BuildsFinding;

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

#[cfg(test)]
pub(super) mod tests {
    use crate::oracles::OracleName;
    use crate::oracles::tests::Case;
    use crate::verdict::Verdict::Fail;

    /// Evidence that this oracle must see through.
    pub(in crate::oracles) fn doctored() -> Vec<Case> {
        vec![
            (
                "a bad pod is left",
                |e| e.pods[1].version = Some("1.5.0".into()),
                OracleName::Builds,
                Fail,
            ),
            (
                "a pod runs nothing",
                |e| e.pods[1].version = None,
                OracleName::Builds,
                Fail,
            ),
            (
                "a pod is not ready",
                |e| e.pods[1].ready = false,
                OracleName::Builds,
                Fail,
            ),
            (
                "a service is gone",
                |e| {
                    e.pods.pop();
                },
                OracleName::Builds,
                Fail,
            ),
            (
                "a foreign pod",
                |e| e.pods[0].app = "cuckoo".into(),
                OracleName::Builds,
                Fail,
            ),
        ]
    }
}
