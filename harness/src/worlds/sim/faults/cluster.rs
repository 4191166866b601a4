//! What affects the cluster itself: pods that can't come up or won't go, no room, watches that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sim::cluster::{ImageState, Kind, NODE_PODS, Obstacle, Value};
use sim::time::Micros;
use sim::{Application, World};

use super::{Begun, Changed};
use crate::scenario::Fault;

/// How often watches end while they are gone: sooner than a rollout is done.
const WATCHES_END: Micros = Micros::from_secs(1);

/// The namespace's quota of pods is used up.
pub(super) fn quota<A: Application>(world: &World<A>, namespace: &str) -> Begun<A> {
    let before = world.with(|state| {
        let pods = state.cluster.objects(Kind::Pod, namespace).count();
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

/// No node takes more pods than there are on it. A pod that is on none yet has room on each.
pub(super) fn node_full<A: Application>(world: &World<A>, namespace: &str) -> Begun<A> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes: Vec<String> = world.with(|state| {
        let nodes = state.cluster.objects(Kind::Node, "");
        nodes.map(|node| text(&node["metadata"]["name"])).collect()
    });
    world.with(|state| {
        for node in &nodes {
            let pods = state.cluster.objects(Kind::Pod, namespace);
            let there = pods.filter(|pod| {
                let on = pod["spec"]["nodeName"].as_str().unwrap_or_default();
                on.is_empty() || on == node
            });
            let there = u32::try_from(there.count()).unwrap_or(u32::MAX);
            state.cluster.set_node_capacity(node, there);
        }
    });
    let namespace = namespace.to_owned();
    Begun::until(move |world| {
        let hits = pods(world, &namespace, unschedulable);
        world.with(|state| {
            for node in &nodes {
                state.cluster.set_node_capacity(node, NODE_PODS);
            }
        });
        hits
    })
}

/// The prior image of the service that is `changed` can't be pulled. A service that the release leaves alone gets no
/// new pods: nothing is hit, and the drill says so; the same holds for the next three.
pub(super) fn image_gone<A: Application>(
    world: &World<A>,
    namespace: &str,
    changed: Option<&Changed>,
) -> Begun<A> {
    let Some(changed) = changed else {
        return Begun::until(|_| 0);
    };
    let (image, namespace) = (changed.good.clone(), namespace.to_owned());
    world.with(|state| state.cluster.set_image(&image, ImageState::Missing));
    Begun::until(move |world| {
        let hits = pods(world, &namespace, |pod| lacks(pod, &image));
        world.with(|state| state.cluster.set_image(&image, ImageState::Present));
        hits
    })
}

/// Pods of the prior version become ready late.
pub(super) fn pods_slow<A: Application>(
    world: &World<A>,
    fault: &Fault,
    changed: Option<&Changed>,
) -> Begun<A> {
    let delay = Micros::from(fault.delay.unwrap_or_default());
    hinder(
        world,
        changed.map(|it| &it.good),
        Obstacle::ReadyLate(delay),
    )
}

/// Pods of the prior version don't become ready.
pub(super) fn pods_stuck<A: Application>(world: &World<A>, changed: Option<&Changed>) -> Begun<A> {
    hinder(world, changed.map(|it| &it.good), Obstacle::NeverReady)
}

/// Pods of the bad version ignore SIGTERM.
pub(super) fn terminating_slow<A: Application>(
    world: &World<A>,
    changed: Option<&Changed>,
) -> Begun<A> {
    hinder(world, changed.map(|it| &it.bad), Obstacle::IgnoresTerm)
}

fn hinder<A: Application>(world: &World<A>, image: Option<&String>, what: Obstacle) -> Begun<A> {
    let Some(image) = image.cloned() else {
        return Begun::until(|_| 0);
    };
    world.with(|state| state.cluster.hinder(&image, what));
    Begun::until(move |world| world.with(|state| state.cluster.lift(&image, what)))
}

/// Each second every watch ends, and what it would go on from is compacted: 410 Gone.
pub(super) fn watch_gone<A: Application>(world: &World<A>) -> Begun<A> {
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

fn pods<A: Application>(world: &World<A>, namespace: &str, hit: impl Fn(&Value) -> bool) -> u64 {
    world.with(|state| {
        let pods = state.cluster.objects(Kind::Pod, namespace);
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
