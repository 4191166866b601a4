//! What is read of the world itself, while a drill runs and at its end, whichever application is drilled.

use std::collections::BTreeMap;

use sim::WorldState;

use super::application::Drilled;
use super::cluster_state::{self, LivePod};
use super::drill::Drill;
use crate::evidence::{Evidence, Ms, PodLog, PodSeen, Second};

/// Every pod of the application that exists and has not ended, with its UID and the version that its process says it
/// is of. A pod of a service is that of the workload, whatever its label `app` says: the executor and its runbook go by
/// the workload's name.
pub(super) fn pods<D: Drilled>(
    drilled: &D,
    state: &mut WorldState<D::Application>,
) -> Vec<(String, PodSeen)> {
    let pods = cluster_state::live_pods(&state.cluster, drilled.namespace());
    let seen = pods.into_iter().map(|pod| {
        let LivePod {
            name,
            uid,
            service,
            ready,
        } = pod;
        let version = drilled.version(state, &uid, &service);
        let pod = PodSeen {
            name,
            app: service,
            version,
            ready,
        };
        (uid, pod)
    });
    seen.collect()
}

/// What the live pods of the deployed release have logged so far, of each service that it changed.
pub(super) fn bad_logs<D: Drilled>(drill: &Drill<'_, D>) -> Vec<PodLog> {
    let notes = drill.recorder.lock();
    drill.world.with(|state| {
        let now = state.now();
        let pods = pods(drill.drilled, state).into_iter();
        let bad = pods.filter(|(_, pod)| notes.evidence.runs_deployed(pod));
        bad.map(|(uid, pod)| PodLog {
            lines: drill.drilled.lines(state, &uid, &pod.app),
            service: pod.app,
            pod: pod.name,
            uid,
            seen_until_ms: now.as_millis(),
        })
        .collect()
    })
}

/// What the clients saw in the whole seconds before `end_ms`.
pub(super) fn seconds<D: Drilled>(drill: &Drill<'_, D>, end_ms: Ms) -> Vec<Second> {
    let whole = usize::try_from(end_ms / 1_000).unwrap_or(usize::MAX);
    let scenario = &drill.plan.scenario;
    let mut seconds = drill
        .world
        .with(|state| drill.drilled.seconds(state, scenario, whole));
    // Seconds at the end in which no client learned anything are seconds, too.
    seconds.resize(whole, Second::default());
    seconds
}

/// The state that a rollback must bring back, flattened: path to value.
pub(super) fn lasting_state<D: Drilled>(drill: &Drill<'_, D>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    drill.world.with(|state| {
        cluster_state::lasting(&state.cluster, drill.drilled.namespace(), &mut out);
        drill.drilled.lasting_state(state, &mut out);
    });
    out
}

/// Fills in what is read at the end, which is `end_ms`.
pub(super) fn take<D: Drilled>(drill: &Drill<'_, D>, evidence: &mut Evidence, end_ms: Ms) {
    evidence.end_ms = end_ms;
    evidence.seconds = seconds(drill, end_ms);
    drill.world.with(|state| {
        evidence.maintenance.fence_token = sim::Application::fence(&state.application);
        let scenario = &drill.plan.scenario;
        drill.drilled.harvest(state, scenario, evidence);
        let pods = pods(drill.drilled, state).into_iter();
        evidence.pods = pods.map(|(_, pod)| pod).collect();
    });
    evidence.state_after = lasting_state(drill);
}
