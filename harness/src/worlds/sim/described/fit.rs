//! Whether the application runs before anything is deployed, and what to do about it where it does not.

use sim::World;
use sim_services::engine::Services;

use crate::scenario::Described;
use crate::worlds::sim::cluster_state::{HeldUp, held_up, starting, unschedulable};

/// Before anything is deployed, every pod must run and be available.
///
/// # Errors
/// Which does not, why, and what to do about it.
pub(super) fn is_ready(world: &World<Services>, app: &Described) -> Result<(), String> {
    all_have_room(world, app)?;
    all_can_start(world, app)?;
    all_have_started(world, app)
}

/// Before anything is deployed, every pod must have found a node.
///
/// # Errors
/// Which pod has none, why, and what to do about it.
fn all_have_room(world: &World<Services>, app: &Described) -> Result<(), String> {
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
fn all_can_start(world: &World<Services>, app: &Described) -> Result<(), String> {
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
fn all_have_started(world: &World<Services>, app: &Described) -> Result<(), String> {
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
