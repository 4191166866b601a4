//! Looks at the world while the drill runs, directly and without disturbing it.

use sim::time::Micros;

use super::application::Drilled;
use super::cluster_state::is_still_there;
use super::drill::Drill;
use super::{harvest, settled};
use crate::evidence::{PodSeen, Probe, ms};
use crate::scenario::Anchor;
use crate::worlds::Until;

/// How often the pods are counted that a fault waits for.
const COUNT: Micros = Micros::from_millis(20);
/// How soon a trigger is noticed between two looks.
const HEED: Micros = Micros::from_millis(100);

/// Looks now and then until `end`, or an earlier end that is noted, the last time at that instant itself;
/// or until a look finds that the drill is settled.
pub(super) async fn keep_looking<D: Drilled>(drill: &Drill<'_, D>, end: Micros) {
    let Drill {
        drilled,
        world,
        plan,
        recorder,
        ..
    } = drill;
    let next_look = |now| {
        let notes = recorder.lock();
        drilled.next_look(&plan.scenario, &notes.evidence, notes.acts_over, now)
    };
    let mut next = next_look(Micros::ZERO);
    loop {
        let end = recorder.lock().end.unwrap_or(end);
        sleep_until(drill, next.at.min(end), next.or_at_a_trigger).await;
        let end = recorder.lock().end.unwrap_or(end);
        look(drill);
        let now = world.now();
        if now >= end {
            return;
        }
        if plan.until == Until::Settled && settled::is_settled(drill) {
            recorder.lock().end = Some(now);
            return;
        }
        next = next_look(now);
    }
}

/// Sleeps until `instant`, or until a trigger has fired that had not, where that is to be noticed.
async fn sleep_until<D: Drilled>(drill: &Drill<'_, D>, instant: Micros, or_at_a_trigger: bool) {
    let (world, recorder) = (drill.world, drill.recorder);
    let fired = || recorder.lock().evidence.executor.trigger.is_some();
    if !or_at_a_trigger || fired() {
        return world.sleep_until(instant).await;
    }
    while !fired() && world.now() < instant {
        world.sleep_until(instant.min(world.now() + HEED)).await;
    }
}

/// Tells the injector once as many pods of the deployed release are ready as a fault waits for.
pub(super) async fn count_ready<D: Drilled>(drill: &Drill<'_, D>) {
    for awaited in drill.injector.ready_awaited() {
        while ready(drill) < awaited {
            let world = drill.world;
            world.sleep_until(world.now() + COUNT).await;
        }
        drill.injector.reached(&Anchor::Ready(awaited));
    }
}

/// How many pods of the deployed release are ready.
fn ready<D: Drilled>(drill: &Drill<'_, D>) -> u32 {
    let notes = drill.recorder.lock();
    if notes.evidence.deployed_ms.is_none() {
        return 0;
    }
    let pods = drill
        .world
        .with(|state| harvest::pods(drill.drilled, state));
    let pods: Vec<PodSeen> = pods.into_iter().map(|(_, pod)| pod).collect();
    notes.evidence.ready_of_deployed(&pods)
}

fn look<D: Drilled>(drill: &Drill<'_, D>) {
    let (drilled, world) = (drill.drilled, drill.world);
    let at_ms = world
        .now()
        .as_millis()
        .min(ms(drill.plan.scenario.timing.duration));
    let mut notes = drill.recorder.lock();
    let evidence = &mut notes.evidence;
    world.with(|state| {
        let violations = drilled.violations(state);
        evidence.probes.push(Probe { at_ms, violations });
        // Once the bad build has been seen live, and before there is one, there is no need to ask for it.
        if evidence.deployed_ms.is_some() && !evidence.deployed_build_seen {
            evidence.deployed_build_seen = drilled.deployed_has_run(state, evidence);
        }
        for log in &mut evidence.bad_logs {
            if is_still_there(&state.cluster, drilled.namespace(), log) {
                log.seen_until_ms = at_ms;
            }
        }
    });
}
