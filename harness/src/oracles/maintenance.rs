//! Is nothing left in maintenance?

use crate::evidence::{Evidence, ExecutorOutcome};
use crate::oracles::finding::{Bearing, Fact, MaintenanceFinding};
use crate::oracles::{builds, ledger, state};
use crate::scenario::{Expected, Path};

/// The halt flag says `open` and the fence is down. Where a person had to be called before the ledger was made right,
/// trading must still be halted: a closed exchange costs money, a wrong ledger costs trust.
///
/// Any other application has no flag, only the fence of its store. It may stay up where a person had to be called, and
/// nowhere else: behind it no write succeeds, whatever the reads make of the error rate.
pub(super) fn check(evidence: &Evidence) -> MaintenanceFinding {
    let on_the_ledger = matches!(evidence.expect.path, Path::Undo | Path::Restore);
    let halted = evidence.expect.outcome == Expected::Escalated && on_the_ledger;
    let maintenance = &evidence.maintenance;
    if !evidence.application.is_the_exchange() {
        let claims = evidence.executor.outcome == ExecutorOutcome::Recovered;
        return match maintenance.fence_token {
            None => MaintenanceFinding::Unfenced,
            Some(_) if halted && !claims => MaintenanceFinding::FencedAsNeeded,
            Some(token) => MaintenanceFinding::FenceUp { token },
        };
    }
    match (&maintenance.flag, maintenance.fence_token) {
        (Some(flag), _) if halted && flag == "maintenance" => MaintenanceFinding::HaltedAsNeeded,
        (Some(flag), _) if halted && !is_made_right(evidence) => {
            MaintenanceFinding::OpenOverWrongLedger { flag: flag.clone() }
        }
        (_, Some(token)) => MaintenanceFinding::FenceUp { token },
        (None, _) => MaintenanceFinding::FlagGone,
        (Some(flag), _) if flag == "open" => MaintenanceFinding::Open,
        (Some(flag), _) => MaintenanceFinding::LeftAt { flag: flag.clone() },
    }
}

/// Whether the prior builds work on a ledger that is right, whatever the scenario expected: a person may be called
/// after the rollback has done all that it had to do.
fn is_made_right(evidence: &Evidence) -> bool {
    let is_good = |fact: &dyn Fact| fact.bearing() == Bearing::Good;
    is_good(&builds::check(evidence))
        && is_good(&state::check(evidence))
        && is_good(&ledger::check(evidence))
}

#[cfg(test)]
pub(super) mod tests {
    use crate::evidence::{Evidence, ExecutorOutcome, MaintenanceSeen};
    use crate::oracles::tests::{Case, good};
    use crate::oracles::{OracleName, ask};
    use crate::scenario::{Expected, Path, Subject};
    use crate::verdict::Verdict::Fail;

    /// Evidence that this oracle must see through.
    pub(in crate::oracles) fn doctored() -> Vec<Case> {
        vec![
            (
                "the flag is left",
                |e| e.maintenance.flag = Some("maintenance".into()),
                OracleName::Maintenance,
                Fail,
            ),
            (
                "the flag is gone",
                |e| e.maintenance.flag = None,
                OracleName::Maintenance,
                Fail,
            ),
            (
                "the fence is left",
                |e| e.maintenance.fence_token = Some(3),
                OracleName::Maintenance,
                Fail,
            ),
            (
                "the fence of an application's store is left",
                |e| {
                    e.application = with_store();
                    e.maintenance = MaintenanceSeen {
                        flag: None,
                        fence_token: Some(3),
                    };
                },
                OracleName::Maintenance,
                Fail,
            ),
        ]
    }

    /// An application with a store.
    fn with_store() -> Subject {
        let mut bundle = sim_services::describe::sample(1, 1, 200);
        bundle.app.text.push_str("\n[store]\nservices = [\"s0\"]\n");
        bundle.app().expect("the description is right").into()
    }

    #[test]
    fn trading_may_be_open_where_a_person_is_called_only_over_a_ledger_made_right() {
        let mut evidence = good();
        evidence.expect.outcome = Expected::Escalated;
        evidence.expect.path = Path::Restore;
        evidence.executor.outcome = ExecutorOutcome::Escalated("nobody knows".to_owned());
        let kind = |evidence: &Evidence| ask(OracleName::Maintenance, evidence).kind();
        assert_eq!(kind(&evidence), "open");
        for doctored in [
            (|e| e.reckoning = None) as fn(&mut Evidence),
            |e| e.pods[1].version = Some("1.5.0".into()),
            |e| e.state_after.clear(),
        ] {
            let mut evidence = evidence.clone();
            doctored(&mut evidence);
            assert_eq!(kind(&evidence), "open-over-wrong-ledger");
        }
        evidence.maintenance.flag = Some("maintenance".to_owned());
        assert_eq!(kind(&evidence), "halted-as-needed");
    }

    #[test]
    fn the_fence_of_a_store_may_stay_up_only_where_a_person_is_called() {
        let mut evidence = good();
        evidence.application = with_store();
        evidence.maintenance = MaintenanceSeen {
            flag: None,
            fence_token: None,
        };
        let kind = |evidence: &Evidence| ask(OracleName::Maintenance, evidence).kind();
        assert_eq!(kind(&evidence), "unfenced");
        evidence.maintenance.fence_token = Some(3);
        assert_eq!(kind(&evidence), "fence-up");
        evidence.expect.outcome = Expected::Escalated;
        evidence.expect.path = Path::Undo;
        // Whoever claims recovery must have opened the store again.
        assert_eq!(kind(&evidence), "fence-up");
        evidence.executor.outcome = ExecutorOutcome::Escalated("somebody must look".to_owned());
        assert_eq!(kind(&evidence), "fenced-as-needed");
        // An application without a store has nothing to fence.
        let app = sim_services::describe::sample(1, 1, 200).app();
        evidence.application = app.expect("the description is right").into();
        assert_eq!(kind(&evidence), "does-not-apply");
    }
}
