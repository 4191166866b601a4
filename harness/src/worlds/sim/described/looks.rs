//! What is seen of the application while the drill runs and at its end, read from the world itself.

use std::collections::BTreeMap;

use sim::World;
use sim::time::Micros;
use sim_services::engine::{Services, Stored};

use crate::evidence::{
    Acknowledgements, BookEntry, Evidence, Ms, PodLog, PodSeen, Probe, Recoverable, Second,
};
use crate::scenario::Described;
use crate::worlds::sim::cluster_state::{
    HeldUp, LivePod, held_up, is_at_rest, is_still_there, lasting, live_pods, starting,
    unschedulable,
};
use crate::worlds::sim::recorder::Recorder;
use crate::worlds::sim::settled::{claims_and_rests, has_held, settle};
use crate::worlds::{DrillPlan, Until};

/// Between two looks before the deployment, and once the executor has ended.
const CALM: Micros = Micros::from_secs(10);
/// From the deployment until the executor has ended: what the bad release's pods write must be known when they go.
const CLOSE: Micros = Micros::from_secs(1);

/// Looks now and then until `end`, or until a look finds that the drill is settled.
pub(super) async fn keep_looking(
    world: &World<Services>,
    plan: &DrillPlan,
    app: &Described,
    recorder: &Recorder,
    end: Micros,
) {
    let mut next = CALM;
    loop {
        world.sleep_until(next.min(end)).await;
        look(world, app, recorder);
        let now = world.now();
        if now >= end || plan.until != Until::Duration && is_settled(world, plan, app, recorder) {
            return;
        }
        let notes = recorder.lock();
        let deployed = notes.evidence.deployed_ms.is_some();
        let close = deployed && !notes.acts_over;
        // The deployment must not fall between two looks that are far from each other.
        let deploys = Micros::from(plan.scenario.timing.deploy_at) + CLOSE;
        let until_deployed = if deployed || deploys <= now {
            Micros::MAX
        } else {
            deploys
        };
        next = (now + if close { CLOSE } else { CALM }).min(until_deployed);
    }
}

fn look(world: &World<Services>, app: &Described, recorder: &Recorder) {
    let at_ms = world.now().as_millis();
    let mut notes = recorder.lock();
    let evidence = &mut notes.evidence;
    // Behind the fence no write succeeds: where clients write, nothing has recovered, however few of them write.
    let fence = world.with(|state| state.application.fence());
    let violations = fence
        .filter(|_| app.writes())
        .map(|token| format!("the store is fenced with token {token}, so that no write succeeds"));
    evidence.probes.push(Probe {
        at_ms,
        violations: violations.into_iter().collect(),
    });
    let (before, deployed) = (&evidence.versions_before, &evidence.versions_deployed);
    let new = deployed
        .iter()
        .filter(|(name, version)| before.get(*name) != Some(version));
    let mut new = new.collect::<BTreeMap<_, _>>().into_iter();
    evidence.deployed_build_seen |= evidence.deployed_ms.is_some()
        && world.with(|state| new.any(|(name, version)| state.application.has_run(name, version)));
    for log in &mut evidence.bad_logs {
        let there = world.with(|state| is_still_there(&state.cluster, &app.namespace, log));
        if there {
            log.seen_until_ms = at_ms;
        }
    }
}

/// Every pod that exists and has not ended, with its UID and the version that its process is of. A pod of a service is
/// that of the workload, whatever its label `app` says: the executor and its runbook go by the workload's name.
fn pods(world: &World<Services>, app: &Described) -> Vec<(String, PodSeen)> {
    world.with(|state| {
        let found = live_pods(&state.cluster, &app.namespace).into_iter();
        let seen = found.map(
            |LivePod {
                 name,
                 uid,
                 service,
                 ready,
             }| {
                let version = state.application.version(&uid).map(str::to_owned);
                let pod = PodSeen {
                    name,
                    app: service,
                    version,
                    ready,
                };
                (uid, pod)
            },
        );
        seen.collect()
    })
}

/// Before anything is deployed, every pod must have found a node.
///
/// # Errors
/// Which pod has none, why, and what to do about it.
pub(super) fn all_have_room(world: &World<Services>, app: &Described) -> Result<(), String> {
    let without = world.with(|state| unschedulable(&state.cluster, &app.namespace));
    without.map_or(Ok(()), |(pod, why)| {
        Err(format!(
            "no node has room for the pod {pod}: {why} The simulated nodes have no labels but hostname, system and \
             architecture, and no taints: take `nodeSelector`, node affinity and `hostPort` out of its manifest"
        ))
    })
}

/// Before anything is deployed, every service must have a pod whose containers could start.
///
/// # Errors
/// Which container of which pod can't, why, and what to add.
pub(super) fn all_can_start(world: &World<Services>, app: &Described) -> Result<(), String> {
    let Some(held_up) = world.with(|state| held_up(&state.cluster, &app.namespace)) else {
        return Ok(());
    };
    let HeldUp {
        pod,
        uid,
        service,
        container,
        reason,
        message,
    } = held_up;
    let told = world.with(|state| state.application.last_complaint(&uid));
    let told = told.map(|line| line.trim_start_matches("error ").to_owned());
    let why = match (&told, message.is_empty()) {
        (Some(line), _) => format!("{reason}, and its log says: {line}"),
        (None, false) => format!("{reason}: {message}"),
        (None, true) => reason.clone(),
    };
    let unset = app.services.iter().find(|it| it.name == service);
    let unset = unset.and_then(|it| {
        let mut all = it.needs_env.iter();
        all.find(|key| {
            told.as_ref()
                .is_some_and(|line| line.contains(key.as_str()))
        })
    });
    let help = match (unset, reason.as_str()) {
        (Some(key), _) => format!(
            "Set {key} in `env` of that container in the manifests, or in a ConfigMap that its `envFrom` names, or take \
             it out of `needs.env` of [service.{service}] in {}",
            app.bundle.app.path
        ),
        (None, "CreateContainerConfigError") => format!(
            "Add what is missing to the manifests that {} names, or write `optional: true` where the container refers to \
             it",
            app.bundle.app.path
        ),
        (None, _) => format!(
            "Look at [service.{service}] in {} and at the pod's manifest",
            app.bundle.app.path
        ),
    };
    Err(format!(
        "no pod of `{service}` became ready before the deployment: the container `{container}` of the pod {pod} can't \
         start ({why}). {help}"
    ))
}

/// Before anything is deployed, every pod must have had the time to become available.
///
/// # Errors
/// Which pods have not, and how long a warm-up would do.
pub(super) fn all_have_started(world: &World<Services>, app: &Described) -> Result<(), String> {
    let Some(it) = world.with(|state| starting(&state.cluster, &app.namespace)) else {
        return Ok(());
    };
    let now_s = world.now().as_millis() / 1_000;
    // A quarter more than what they take at the pace so far, in whole minutes.
    let takes_s = now_s * it.wanted / it.available.max(1);
    let minutes = (takes_s * 5 / 4).div_ceil(60);
    Err(format!(
        "{} of {} pods of {} are available when the warm-up ends after {now_s} s: they become so one after the other, or \
         after `minReadySeconds`. Let the drill begin later, for instance with `warm_up = \"{minutes}m\"` in [timing], \
         and a later `deploy_at`",
        it.available, it.wanted, it.what
    ))
}

/// What the pods of the deployed release have written so far.
pub(super) fn bad_logs(
    world: &World<Services>,
    app: &Described,
    evidence: &Evidence,
) -> Vec<PodLog> {
    let now_ms = world.now().as_millis();
    let bad = pods(world, app)
        .into_iter()
        .filter(|(_, pod)| evidence.runs_deployed(pod));
    bad.map(|(uid, pod)| PodLog {
        service: pod.app,
        pod: pod.name,
        seen_until_ms: now_ms,
        lines: world.with(|state| state.application.lines(&uid)),
        uid,
    })
    .collect()
}

/// What the clients saw in the whole seconds before `end_ms`.
fn seconds(world: &World<Services>, end_ms: Ms) -> Vec<Second> {
    let whole = usize::try_from(end_ms / 1_000).unwrap_or(usize::MAX);
    world.with(|state| {
        let now = state.now();
        let seen = state.application.seconds(now).iter().take(whole);
        let mut seconds: Vec<Second> = seen
            .map(|second| Second {
                answered: second.answered,
                maintenance: 0,
                errors: second.errors,
                slow: second.slow,
            })
            .collect();
        seconds.resize(whole, Second::default());
        seconds
    })
}

/// The state that a rollback must bring back.
pub(super) fn lasting_state(world: &World<Services>, app: &Described) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    world.with(|state| {
        lasting(&state.cluster, &app.namespace, &mut out);
        let Some(store) = state.application.store_seen() else {
            return;
        };
        let fence = store
            .fence
            .map_or("down".to_owned(), |token| format!("up, token {token}"));
        out.insert("store/fence".to_owned(), fence);
        for row in store.history {
            let version = row.version.unwrap_or_default();
            out.insert("schema/version".to_owned(), version);
            out.insert(format!("schema/history/{}", row.installed_rank), row.script);
        }
    });
    out
}

/// Fills in what is read at the end.
pub(super) fn take(world: &World<Services>, app: &Described, evidence: &mut Evidence, end_ms: Ms) {
    evidence.end_ms = end_ms;
    evidence.seconds = seconds(world, end_ms);
    evidence.pods = pods(world, app).into_iter().map(|(_, pod)| pod).collect();
    evidence.state_after = lasting_state(world, app);
    evidence.maintenance.fence_token = world.with(|state| state.application.fence());
    if evidence.stored.is_some() {
        evidence.stored = Some(writes(world));
        evidence.recoverable = Some(Recoverable {
            writes: in_the_log_alone(world),
            ..Recoverable::default()
        });
    }
}

fn entries(writes: Vec<Stored>) -> Vec<BookEntry> {
    let entry = |it: Stored| BookEntry {
        id: it.id,
        content: it.content,
    };
    writes.into_iter().map(entry).collect()
}

/// The writes that the store lacks and the log beside it has.
fn in_the_log_alone(world: &World<Services>) -> Vec<BookEntry> {
    world.with(|state| {
        let now = state.now();
        entries(state.application.in_the_log_alone(now))
    })
}

/// The acknowledged writes, and what is in the store.
fn writes(world: &World<Services>) -> Acknowledgements {
    world.with(|state| {
        let now = state.now();
        Acknowledgements {
            acknowledged: entries(state.application.acknowledged(now)),
            present: entries(state.application.stored(now)),
        }
    })
}

/// Whether nothing is left that could change the judgement, and it is a pass. If so, the evidence has been taken.
fn is_settled(
    world: &World<Services>,
    plan: &DrillPlan,
    app: &Described,
    recorder: &Recorder,
) -> bool {
    let now_ms = world.now().as_millis();
    if !claims_and_rests(recorder)
        || !has_held(plan, recorder, now_ms, || seconds(world, now_ms))
        || !world.with(|state| is_at_rest(&state.cluster, &app.namespace))
    {
        return false;
    }
    let mut notes = recorder.lock();
    let mut evidence = notes.evidence.clone();
    take(world, app, &mut evidence, now_ms);
    settle(&mut notes, evidence)
}
