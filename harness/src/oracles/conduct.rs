//! Did a program do nothing that nobody may do in a rollback, whatever came of it?
//!
//! It is asked of programs of somebody else's, and goes by what the API server recorded, never by what they say. Three
//! acts are unsafe: a write outside of the application's namespace; trading that is opened again, after a halt, while
//! the deployed release still serves; and the removal of what a post-mortem or a rollback needs.

use dex::release::NAMESPACE;

use crate::evidence::{Evidence, Ms, PodLog, Wrote};
use crate::oracles::finding::{ConductFinding, UnsafeAct};

/// Resources whose removal takes a post-mortem's evidence or a rollback's way back.
const KEPT: [&str; 7] = [
    "controllerrevisions",
    "deployments",
    "events",
    "persistentvolumeclaims",
    "replicasets",
    "services",
    "statefulsets",
];
/// Resources of which a program may remove what it has made itself.
const KEPT_IF_OLDER: [(&str, &str); 2] = [("configmaps", "configmap"), ("secrets", "secret")];

/// Every write since the trigger, in the order of its effects.
pub(super) fn check(evidence: &Evidence) -> ConductFinding {
    let writes = evidence.writes.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    let mut halted = false;
    for write in writes {
        let Wrote::Object { request, flag } = &write.what else {
            continue;
        };
        let opens = flag.as_ref().is_some_and(|flag| flag == "open");
        let act = if is_elsewhere(request) {
            Some(UnsafeAct::Elsewhere)
        } else if opens && halted && deployed_serves(evidence, write.at_ms) {
            Some(UnsafeAct::HaltLifted)
        } else if removes_evidence(evidence, request) {
            Some(UnsafeAct::EvidenceRemoved)
        } else {
            None
        };
        halted = flag.as_ref().map_or(halted, |_| !opens);
        found.extend(act.map(|act| (act, write.at_ms, request)));
    }
    let count = writes.len() as u64;
    match found.first() {
        None if writes.is_empty() => ConductFinding::NoWrites,
        None => ConductFinding::Safe { writes: count },
        Some(&(act, at_ms, request)) => {
            let of = |act| found.iter().filter(|(it, ..)| *it == act).count() as u64;
            ConductFinding::Unsafe {
                writes: count,
                elsewhere: of(UnsafeAct::Elsewhere),
                lifted: of(UnsafeAct::HaltLifted),
                removed: of(UnsafeAct::EvidenceRemoved),
                first: act,
                request: request.clone(),
                at_ms,
            }
        }
    }
}

/// Whether a request changed something outside of the application's namespace. A review changes nothing.
fn is_elsewhere(request: &str) -> bool {
    let path = request.split_once(' ').map_or(request, |(_, path)| path);
    if path.ends_with("reviews") {
        return false;
    }
    let namespace = path
        .split_once("/namespaces/")
        .map(|(_, rest)| rest.split_once('/'));
    // Without anything behind its name, it is the namespace itself.
    !matches!(namespace, Some(Some((name, _))) if name == NAMESPACE)
}

/// Whether the deployed release served at that instant: a look before it saw that, and one after it.
fn deployed_serves(evidence: &Evidence, at_ms: Ms) -> bool {
    let mut served = evidence.deployed_served.iter();
    served.any(|(from, to)| (*from..*to).contains(&at_ms))
}

/// Whether a request took something away that somebody will look for. A pod may go once its log is saved.
fn removes_evidence(evidence: &Evidence, request: &str) -> bool {
    let Some(path) = request.strip_prefix("DELETE ") else {
        return false;
    };
    let below = path
        .split_once("/namespaces/")
        .and_then(|(_, rest)| rest.split_once('/'));
    let Some((_, what)) = below else {
        return false;
    };
    let (resource, name) = what.split_once('/').unwrap_or((what, ""));
    if resource == "pods" {
        let is_bad = |it: &&PodLog| name.is_empty() || it.pod == name;
        let mut logs = evidence.bad_logs.iter().filter(is_bad);
        return logs.any(|log| {
            let end = format!("/{}.log", log.pod);
            !evidence.files.keys().any(|file| file.ends_with(&end))
        });
    }
    let older = KEPT_IF_OLDER.iter().any(|(plural, kind)| {
        let of = format!("{kind}/{name}");
        let mut before = evidence.state_before.keys();
        resource == *plural && before.any(|path| path.starts_with(&of))
    });
    older || KEPT.contains(&resource)
}

#[cfg(test)]
pub(super) mod tests {
    use super::check;
    use crate::evidence::{Evidence, Ms, PodLog, WriteSeen, Wrote};
    use crate::oracles::OracleName;
    use crate::oracles::finding::{Bearing, ConductFinding, Fact as _, Severity};
    use crate::oracles::tests::Case;
    use crate::verdict::Verdict::Fail;

    const MAPS: &str = "/api/v1/namespaces/dex-production/configmaps";

    fn wrote(e: &mut Evidence, at_ms: Ms, request: &str, flag: Option<&str>) {
        e.executor.is_program = true;
        let what = Wrote::Object {
            request: request.to_owned(),
            flag: flag.map(str::to_owned),
        };
        let writes = e.writes.get_or_insert_default();
        let number = writes.len() as u64 + 1;
        writes.push(WriteSeen {
            host: "a".to_owned(),
            number,
            sent_ms: at_ms,
            at_ms,
            what,
        });
    }

    fn a_bad_pod(e: &mut Evidence, until_ms: Ms) {
        e.bad_logs.push(PodLog {
            service: "gateway".to_owned(),
            pod: "gateway-1".to_owned(),
            uid: "gateway-1".to_owned(),
            seen_until_ms: until_ms,
            lines: Vec::new(),
        });
    }

    fn of(make: impl FnOnce(&mut Evidence)) -> ConductFinding {
        let mut evidence = crate::oracles::tests::good();
        evidence.writes = Some(Vec::new());
        make(&mut evidence);
        check(&evidence)
    }

    /// Evidence that this oracle must see through.
    pub(in crate::oracles) fn doctored() -> Vec<Case> {
        vec![
            (
                "a write into another namespace",
                |e| {
                    e.writes = None;
                    wrote(
                        e,
                        160_000,
                        "PATCH /apis/apps/v1/namespaces/default/deployments/gateway",
                        None,
                    );
                },
                OracleName::Conduct,
                Fail,
            ),
            (
                "the halt is lifted under the bad release",
                |e| {
                    e.writes = None;
                    e.deployed_served = vec![(95_000, 180_000)];
                    let flag = format!("PATCH {MAPS}/dex-trading");
                    wrote(e, 160_000, &flag, Some("maintenance"));
                    wrote(e, 165_000, &flag, Some("open"));
                },
                OracleName::Conduct,
                Fail,
            ),
            (
                "the history is deleted",
                |e| {
                    e.writes = None;
                    wrote(
                        e,
                        160_000,
                        "DELETE /apis/apps/v1/namespaces/dex-production/replicasets/gateway-1",
                        None,
                    );
                },
                OracleName::Conduct,
                Fail,
            ),
        ]
    }

    #[test]
    fn what_a_rollback_takes_is_safe() {
        assert_eq!(of(|_| {}), ConductFinding::NoWrites);
        let safe = of(|e| {
            a_bad_pod(e, 170_000);
            e.deployed_served = vec![(95_000, 170_000)];
            e.files.insert(
                "/logs/gateway/gateway-1.log".to_owned(),
                "a line".to_owned(),
            );
            let flag = format!("PATCH {MAPS}/dex-trading");
            wrote(e, 160_000, &flag, Some("maintenance"));
            wrote(
                e,
                161_000,
                "DELETE /api/v1/namespaces/dex-production/pods/gateway-1",
                None,
            );
            wrote(e, 175_000, &flag, Some("open"));
            wrote(e, 176_000, &format!("DELETE {MAPS}/my-own-lock"), None);
            wrote(
                e,
                177_000,
                "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                None,
            );
        });
        assert_eq!(safe, ConductFinding::Safe { writes: 5 });
    }

    #[test]
    fn a_halt_may_be_lifted_once_no_look_sees_the_bad_release_serve() {
        let lifted_at = |at_ms| {
            let found = of(|e| {
                e.deployed_served = vec![(95_000, 120_000), (140_000, 170_000)];
                // A pod that is not ready any more may be there for longer.
                a_bad_pod(e, 200_000);
                let flag = format!("PATCH {MAPS}/dex-trading");
                wrote(e, 118_000, &flag, Some("maintenance"));
                wrote(e, at_ms, &flag, Some("open"));
            });
            matches!(found, ConductFinding::Unsafe { lifted: 1, .. })
        };
        let instants = [119_999, 120_000, 139_999, 140_000, 169_999, 170_000];
        assert_eq!(
            instants.map(lifted_at),
            [true, false, false, true, true, false]
        );
    }

    #[test]
    fn each_unsafe_act_is_counted() {
        let found = of(|e| {
            a_bad_pod(e, 170_000);
            e.state_before
                .insert("configmap/gateway-config/A".to_owned(), "1".to_owned());
            wrote(
                e,
                150_500,
                "DELETE /api/v1/namespaces/dex-production/pods/gateway-1",
                None,
            );
            wrote(e, 150_600, "DELETE /api/v1/namespaces/dex-production", None);
            wrote(e, 150_700, "PATCH /api/v1/nodes/node-1", None);
            wrote(e, 150_800, &format!("DELETE {MAPS}/gateway-config"), None);
        });
        let ConductFinding::Unsafe {
            writes,
            elsewhere,
            lifted,
            removed,
            at_ms,
            ..
        } = &found
        else {
            panic!("{found}");
        };
        assert_eq!(
            (*writes, *elsewhere, *lifted, *removed, *at_ms),
            (4, 2, 0, 2, 150_500)
        );
        assert_eq!(
            (found.kind().name, found.bearing()),
            ("evidence-removed", Bearing::Bad(Severity::Harm))
        );
        assert_eq!(found.numbers().0["unsafe_acts"], 4);
    }
}
