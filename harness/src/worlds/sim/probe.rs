//! Looks at the world while the drill runs, directly and without disturbing it.

use sim::time::Micros;
use sim::workload::{ProcessId, Workload as _};
use sim_exchange::{World, WorldState};

use super::cluster_state::{self, LivePod, is_still_there};
use super::faults::Injector;
use super::recorder::Recorder;
use super::settled;
use crate::evidence::{Evidence, PodLog, PodSeen, Probe, ms};
use crate::scenario::Anchor;
use crate::worlds::common::build_version;
use crate::worlds::common::manifests::NAMESPACE;
use crate::worlds::{DrillPlan, Until};

/// While nothing happens.
pub(super) const CALM: Micros = Micros::from_secs(10);
/// Between deployment and trigger: when harm began.
const WATCHFUL: Micros = Micros::from_secs(5);
/// During the rollback: when harm ended.
const CLOSE: Micros = Micros::from_secs(1);
/// How often the pods are counted that a fault waits for.
const COUNT: Micros = Micros::from_millis(20);
/// How soon a trigger is noticed between two looks.
const HEED: Micros = Micros::from_millis(100);
/// For how long the ledger must have been sound, after the trigger, until a close look is no longer needed.
const SOUND_MS: u64 = 30_000;

/// Looks now and then until `end`, or an earlier end that is noted, the last time at that instant itself;
/// or until a look finds that the drill is settled.
pub(super) async fn keep_looking(
    world: &World,
    plan: &DrillPlan,
    recorder: &Recorder,
    injector: &Injector,
    end: Micros,
) {
    let mut next = Micros::from(plan.scenario.timing.warm_up.min(CALM.as_duration()));
    loop {
        let end = recorder.lock().end.unwrap_or(end);
        sleep_or_trigger(world, recorder, next.min(end)).await;
        let end = recorder.lock().end.unwrap_or(end);
        look(world, plan, recorder);
        let now = world.now();
        if now >= end {
            return;
        }
        if plan.until == Until::Settled && settled::is_settled(world, plan, recorder, injector) {
            recorder.lock().end = Some(now);
            return;
        }
        let notes = recorder.lock();
        let step = match (&notes.evidence.executor.trigger, notes.evidence.deployed_ms) {
            (Some(trigger), _) if !sound_since(&notes.evidence, trigger.at_ms, now) => CLOSE,
            (None, Some(_)) if now.as_millis() < ms(plan.scenario.timing.deploy_at) + 300_000 => {
                WATCHFUL
            }
            _ => CALM,
        };
        next = now + step;
    }
}

/// Sleeps until `instant`, or until a trigger has fired that had not: what is seen from then on dates the recovery, so
/// that a look that is due only seconds later would date it too late.
async fn sleep_or_trigger(world: &World, recorder: &Recorder, instant: Micros) {
    let fired = || recorder.lock().evidence.executor.trigger.is_some();
    if recorder.lock().evidence.deployed_ms.is_none() || fired() {
        return world.sleep_until(instant).await;
    }
    while !fired() && world.now() < instant {
        world.sleep_until(instant.min(world.now() + HEED)).await;
    }
}

/// Tells the injector once as many pods of the deployed release are ready as a fault waits for.
pub(super) async fn count_ready(world: &World, recorder: &Recorder, injector: &Injector) {
    for awaited in injector.ready_awaited() {
        while ready(world, recorder) < awaited {
            world.sleep_until(world.now() + COUNT).await;
        }
        injector.reached(&Anchor::Ready(awaited));
    }
}

/// How many pods of the deployed release are ready.
fn ready(world: &World, recorder: &Recorder) -> u32 {
    let notes = recorder.lock();
    if notes.evidence.deployed_ms.is_none() {
        return 0;
    }
    notes.evidence.ready_of_deployed(&world.with(live_pods))
}

/// Whether every look in the last [`SOUND_MS`] found the ledger sound, all of them after `from_ms`.
fn sound_since(evidence: &Evidence, from_ms: u64, now: Micros) -> bool {
    let since = now.as_millis().saturating_sub(SOUND_MS);
    let mut late = evidence
        .probes
        .iter()
        .rev()
        .take_while(|probe| probe.at_ms >= since);
    since >= from_ms && late.all(|probe| probe.violations.is_empty())
}

fn look(world: &World, plan: &DrillPlan, recorder: &Recorder) {
    let at_ms = world
        .now()
        .as_millis()
        .min(ms(plan.scenario.timing.duration));
    let mut notes = recorder.lock();
    let evidence = &mut notes.evidence;
    // The bad build has been seen live, or there is none yet: no need to ask the pods again.
    let ask_pods = evidence.deployed_ms.is_some() && !evidence.deployed_build_seen;
    let (violations, pods) = world.with(|state| {
        let trades = state.application.take_trades();
        let core = state.application.database().ledger().state();
        let mut violations = dex::invariants::state(core);
        violations.extend(dex::invariants::passed_over(core, &trades));
        let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
        (
            violations,
            if ask_pods {
                live_pods(state)
            } else {
                Vec::new()
            },
        )
    });
    evidence.probes.push(Probe { at_ms, violations });
    evidence.deployed_build_seen |= pods.iter().any(|pod| evidence.runs_deployed(pod));
    for log in &mut evidence.bad_logs {
        let there = world.with(|state| is_still_there(&state.cluster, NAMESPACE, log));
        if there {
            log.seen_until_ms = at_ms;
        }
    }
}

/// What the live pods of the deployed release have logged so far, of each service that it changed.
pub(super) fn bad_logs(world: &World, recorder: &Recorder) -> Vec<PodLog> {
    let notes = recorder.lock();
    let evidence = &notes.evidence;
    world.with(|state| {
        let now = state.now();
        let pods = pods_with_uid(state).into_iter();
        let bad = pods.filter(|(_, pod)| evidence.runs_deployed(pod));
        bad.map(|(uid, pod)| {
            let process = process_of(&uid, &pod.app);
            let lines = state.application.logs(now, process, Micros::ZERO, false);
            PodLog {
                service: pod.app,
                pod: pod.name,
                uid,
                seen_until_ms: now.as_millis(),
                lines: lines.into_iter().map(|line| line.text).collect(),
            }
        })
        .collect()
    })
}

/// Every pod of the exchange that exists and has not ended, with the build that its process says it is.
pub(super) fn live_pods(state: &mut WorldState) -> Vec<PodSeen> {
    let pods = pods_with_uid(state).into_iter();
    pods.map(|(_, pod)| pod).collect()
}

/// The one process of a pod: its container is named after its service.
fn process_of<'a>(uid: &'a str, app: &'a str) -> ProcessId<'a> {
    ProcessId {
        uid,
        container: app,
    }
}

fn pods_with_uid(state: &mut WorldState) -> Vec<(String, PodSeen)> {
    let now = state.now();
    let pods = cluster_state::live_pods(&state.cluster, NAMESPACE);
    pods.into_iter()
        .map(
            |LivePod {
                 name,
                 uid,
                 service,
                 ready,
             }| {
                let version = state
                    .application
                    .get(now, process_of(&uid, &service), "/metrics")
                    .and_then(|r| build_version(&r.body));
                let seen = PodSeen {
                    name,
                    app: service,
                    version,
                    ready,
                };
                (uid, seen)
            },
        )
        .collect()
}
