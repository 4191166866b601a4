//! Looks at the ledger and the pods while the drill runs.

use super::Stage;
use super::harvest::live_pods;
use crate::evidence::{Evidence, Ms, Probe};

/// While nothing happens, in ms.
const CALM: Ms = 10_000;
/// From the deployment on: when harm began, and when it ended.
const CLOSE: Ms = 2_000;
/// How long after the trigger to look closely.
const CLOSE_AFTER_TRIGGER: Ms = 90_000;

/// Looks now and then, until it is dropped.
pub(super) async fn keep_looking(stage: &Stage) {
    let mut next = 5_000;
    loop {
        stage.clock.sleep_until(next).await;
        look(stage).await;
        let now = stage.clock.now_ms();
        let notes = stage.lock();
        let trigger = notes.evidence.executor.trigger.as_ref();
        let step = match (trigger.map(|t| t.at_ms), notes.evidence.deployed_ms) {
            (Some(at), _) if now > at + CLOSE_AFTER_TRIGGER => CALM,
            (None, None) => CALM / 2,
            _ => CLOSE,
        };
        next = now + step;
    }
}

/// One look. If nothing can be seen (the executor has just disconnected everybody), there is none.
pub(super) async fn look(stage: &Stage) -> bool {
    // The bad build has been seen live, or there is none yet: no need to ask the pods again.
    let ask_pods = {
        let evidence = &stage.lock().evidence;
        evidence.deployed_ms.is_some() && !evidence.deployed_build_seen
    };
    if ask_pods && let Ok(pods) = live_pods(&stage.client).await {
        let evidence = &mut stage.lock().evidence;
        let bad = pods.iter().any(|pod| is_deployed(evidence, pod));
        evidence.deployed_build_seen |= bad;
    }
    let at_ms = stage.clock.now_ms();
    match stage.ledger.violations().await {
        Ok(violations) => {
            stage
                .lock()
                .evidence
                .probes
                .push(Probe { at_ms, violations });
            true
        }
        Err(_) => false,
    }
}

/// Whether the pod runs a build that came with the deployed release.
fn is_deployed(evidence: &Evidence, pod: &crate::evidence::PodSeen) -> bool {
    let deployed = evidence.versions_deployed.get(&pod.app);
    pod.version.is_some()
        && pod.version.as_ref() == deployed
        && deployed != evidence.versions_before.get(&pod.app)
}
