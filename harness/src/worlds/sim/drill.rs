//! The drill of an application in the simulated world, from the world's first instant to the evidence.

use futures::future::{Either, join, join3, select};
use sim::World;
use sim::time::Micros;

use super::application::Drilled;
use super::faults::{Injector, Scope};
use super::recorder::{Recorder, Settling};
use super::serving::{self, Deployed};
use super::stage::{Outside, PortDecorator, SimStage};
use super::{harvest, probe};
use crate::evidence::{Evidence, Ms};
use crate::oracles::recovery;
use crate::scenario::Anchor;
use crate::worlds::common::acts::act;
use crate::worlds::common::told_by_clients;
use crate::worlds::{DrillPlan, Until, WorldError};

/// How often it is looked whether what recovered has held, at least.
const RECHECK: Micros = Micros::from_secs(30);
/// So long after the objective, nobody can have recovered in time any more.
const LATE: Micros = Micros::from_secs(30);
/// From when it is known that a drill ends early until it ends: the seconds that date the recovery pass beside the
/// hold.
const REST: Micros = Micros::from_secs(10);

/// A drill that is under way.
pub(super) struct Drill<'a, D: Drilled> {
    pub(super) drilled: &'a D,
    pub(super) world: &'a World<D::Application>,
    pub(super) plan: &'a DrillPlan,
    pub(super) recorder: &'a Recorder,
    pub(super) injector: &'a Injector<D::Application>,
}

/// The whole drill; the fingerprint, and how many requests the executor made from the trigger on.
pub(super) async fn drill<D: Drilled>(
    drilled: &D,
    world: World<D::Application>,
    plan: &DrillPlan,
    decorate: &PortDecorator<D::Application>,
    recorder: Recorder,
    outside: Option<Outside<D::Application>>,
) -> Result<(u64, u64), WorldError> {
    let scenario = &plan.scenario;
    drilled.set_up(&world, scenario).await?;
    for told in drilled.told_before(plan) {
        recorder.tell(world.now(), "harness", "", told);
    }
    let scope = Scope::of(drilled, scenario);
    let deployed = Deployed::of(&scope, drilled.new_config(scenario));
    let (injector, later) = Injector::new(
        &world,
        &recorder,
        scenario,
        plan.seed,
        scope,
        D::begin_fault,
    );
    injector.reached(&Anchor::Start);
    let end = Micros::from(scenario.timing.duration);
    let drill = Drill {
        drilled,
        world: &world,
        plan,
        recorder: &recorder,
        injector: &injector,
    };
    let stage = SimStage::new(&drill, decorate, outside);
    let act = select(Box::pin(act(&stage)), world.sleep_until(end));
    let act = async {
        let by_themselves = matches!(act.await, Either::Left(_));
        recorder.acts_are_over(by_themselves);
        // Where the looks find out when it ends, the last of them is its end.
        if plan.until != Until::Settled {
            let ends = ending(&drill, end).await;
            world.sleep_until(ends).await;
        }
    };
    let act = join(act, probe::keep_looking(&drill, end));
    let count = probe::count_ready(&drill);
    let deploys = Micros::from(scenario.timing.deploy_at);
    let watch = serving::keep_watching(&world, &recorder, &deployed, deploys);
    // Neither the injector nor the watch ever completes.
    let inject = join3(injector.run(later), count, watch);
    select(Box::pin(act), Box::pin(inject)).await;
    injector.finish();
    let mut notes = recorder.lock();
    let end_ms = notes.end.unwrap_or(end).as_millis();
    if notes.settling != Settling::Settled {
        harvest::take(&drill, &mut notes.evidence, end_ms);
    }
    let told = told_by_clients(&notes.evidence);
    notes.timeline.extend(told);
    Ok(notes.sealed(&world))
}

/// When the drill ends, awaited until that is known: at `end`, or as [`Until::Held`] says.
async fn ending<D: Drilled>(drill: &Drill<'_, D>, end: Micros) -> Micros {
    let Drill {
        world,
        plan,
        recorder,
        ..
    } = drill;
    if plan.until != Until::Held {
        return end;
    }
    let hold = Micros::from(plan.scenario.timing.hold);
    loop {
        let now = world.now();
        let mut evidence = recorder.lock().evidence.clone();
        evidence.seconds = harvest::seconds(drill, now.as_millis());
        // Nothing to recover from: whether anything fires is what the whole duration is for.
        let Some(trigger) = evidence.executor.trigger.as_ref().map(|t| t.at_ms) else {
            return end;
        };
        let recovered = recovery::recovered_ms(&evidence);
        let late = Micros::from_millis(trigger) + Micros::from(plan.scenario.expect.rto_max) + LATE;
        // Where something is still to go wrong, nothing has been shown yet.
        let pending = evidence.faults.iter().any(|f| f.began_ms.is_none());
        let held = match recovered {
            Some(_) if pending => end,
            Some(at) => Micros::from_millis(at.max(last_fault_ms(&evidence))) + hold,
            None => late,
        };
        if now < held && now < end {
            world.sleep_until(held.min(now + RECHECK).min(end)).await;
            continue;
        }
        // A whole second, and after the look that is already due.
        const { assert!(REST.as_millis() >= recovery::WINDOW_S as Ms * 1_000) };
        let seconds = (now + REST).as_millis().div_ceil(1_000);
        let end = Micros::from_secs(seconds).min(end);
        recorder.lock().end = Some(end);
        return end;
    }
}

/// When a fault last began, or its effect ended: what comes of it must have its time, too.
pub(super) fn last_fault_ms(evidence: &Evidence) -> Ms {
    let instants = evidence
        .faults
        .iter()
        .flat_map(|f| [f.began_ms, f.effect_ended_ms()]);
    instants.flatten().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::Scenario;

    #[test]
    fn what_a_fault_held_up_is_awaited_after_its_end() {
        let runbook = LoadedRunbook::built_in().expect("valid");
        let text = "name = \"mine\"\n[release]\nto = \"1.5.1-double-credit\"\n\
            [[faults]]\nkind = \"KIND\"\nwhen = \"trigger\"\nLASTSdelay = \"9m\"\n\
            [expect]\ntrigger = \"data-balance-anomaly\"\npath = \"restore\"\n";
        let last = |kind: &str, lasts: &str| {
            let text = text.replace("KIND", kind).replace("LASTS", lasts);
            let scenario = Scenario::parse("mine.toml", &text, &runbook.triggers()).expect("valid");
            let mut evidence = Evidence::empty(&scenario);
            evidence.faults[0].began_ms = Some(100_000);
            let began = last_fault_ms(&evidence);
            evidence.faults[0].ended_ms = Some(130_000);
            (began, last_fault_ms(&evidence))
        };
        let lasts = "lasts = \"30s\"\n";
        assert_eq!(last("flag-missed", lasts), (100_000, 670_000));
        // Its executor says itself when it is done.
        assert_eq!(last("executor-killed", ""), (100_000, 130_000));
    }
}
