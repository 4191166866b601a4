//! What affects the cluster itself: pods that can't come up or won't go, no room, watches that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sim::cluster::{ImageState, Kind, Obstacle, Value};
use sim::time::Micros;
use sim_exchange::World;

use super::{Begun, Changed};
use crate::scenario::Fault;
use crate::worlds::common::manifests::NAMESPACE;

/// The simulated cluster's only node, and how many pods it takes otherwise.
const NODE: (&str, u32) = ("node-1", 110);
/// How often watches end while they are gone: sooner than a rollout is done.
const WATCHES_END: Micros = Micros::from_secs(1);

/// The namespace's quota of pods is used up.
pub(super) fn quota(world: &World) -> Begun {
    let before = world.with(|state| {
        let pods = state.cluster.objects(Kind::Pod, NAMESPACE).count();
        state.cluster.set_pod_quota(Some(pods));
        state.cluster.pods_refused()
    });
    Begun::until(move |world| {
        world.with(|state| {
            state.cluster.set_pod_quota(None);
            state.cluster.pods_refused() - before
        })
    })
}

/// The node takes no more pods.
pub(super) fn node_full(world: &World) -> Begun {
    world.with(|state| {
        let pods = state.cluster.objects(Kind::Pod, NAMESPACE).count();
        let pods = u32::try_from(pods).unwrap_or(u32::MAX);
        state.cluster.set_node_capacity(NODE.0, pods);
    });
    Begun::until(|world| {
        let hits = pods(world, unschedulable);
        world.with(|state| state.cluster.set_node_capacity(NODE.0, NODE.1));
        hits
    })
}

/// The prior image of the service that is `changed` can't be pulled. A service that the release leaves alone gets no
/// new pods: nothing is hit, and the drill says so; the same holds for the next three.
pub(super) fn image_gone(world: &World, changed: Option<&Changed>) -> Begun {
    let Some(changed) = changed else {
        return Begun::until(|_| 0);
    };
    let image = changed.good.clone();
    world.with(|state| state.cluster.set_image(&image, ImageState::Missing));
    Begun::until(move |world| {
        let hits = pods(world, |pod| lacks(pod, &image));
        world.with(|state| state.cluster.set_image(&image, ImageState::Present));
        hits
    })
}

/// Pods of the prior version become ready late.
pub(super) fn pods_slow(world: &World, fault: &Fault, changed: Option<&Changed>) -> Begun {
    let delay = Micros::from(fault.delay.unwrap_or_default());
    hinder(
        world,
        changed.map(|it| &it.good),
        Obstacle::ReadyLate(delay),
    )
}

/// Pods of the prior version don't become ready.
pub(super) fn pods_stuck(world: &World, changed: Option<&Changed>) -> Begun {
    hinder(world, changed.map(|it| &it.good), Obstacle::NeverReady)
}

/// Pods of the bad version ignore SIGTERM.
pub(super) fn terminating_slow(world: &World, changed: Option<&Changed>) -> Begun {
    hinder(world, changed.map(|it| &it.bad), Obstacle::IgnoresTerm)
}

fn hinder(world: &World, image: Option<&String>, what: Obstacle) -> Begun {
    let Some(image) = image.cloned() else {
        return Begun::until(|_| 0);
    };
    world.with(|state| state.cluster.hinder(&image, what));
    Begun::until(move |world| world.with(|state| state.cluster.lift(&image, what)))
}

/// Each second every watch ends, and what it would go on from is compacted: 410 Gone.
pub(super) fn watch_gone(world: &World) -> Begun {
    let ended = Arc::new(AtomicU64::new(0));
    let (counted, world) = (Arc::clone(&ended), world.clone());
    let work = async move {
        loop {
            let open = world.with(|state| {
                state.cluster.compact();
                state.cluster.drop_watches()
            });
            counted.fetch_add(open as u64, Ordering::Relaxed);
            world.sleep(WATCHES_END).await;
        }
    };
    Begun {
        ending: Box::new(move |_| ended.load(Ordering::Relaxed)),
        work: Some(Box::pin(work)),
        done: None,
    }
}

fn pods(world: &World, hit: impl Fn(&Value) -> bool) -> u64 {
    world.with(|state| {
        let pods = state.cluster.objects(Kind::Pod, NAMESPACE);
        pods.filter(|pod| hit(pod)).count() as u64
    })
}

fn lacks(pod: &Value, image: &str) -> bool {
    let reason = pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].as_str();
    pod["spec"]["containers"][0]["image"] == image
        && matches!(reason, Some("ErrImagePull" | "ImagePullBackOff"))
}

fn unschedulable(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == "PodScheduled" && condition["reason"] == "Unschedulable"
    })
}
