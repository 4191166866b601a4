//! What befalls the cluster itself: pods that can't come up or won't go, no room, watches that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sim::cluster::{Hindrance, ImageState, Kind, Value};
use sim::time::Micros;
use sim::world::World;

use super::super::NAMESPACE;
use super::{Begun, Changed, micros};
use crate::scenario::{Fault, FaultKind};

/// The simulated cluster's only node, and how many pods it takes otherwise.
const NODE: (&str, u32) = ("node-1", 110);
/// How often watches end while they are gone: sooner than a rollout is done.
const WATCHES_END: Micros = Micros::from_secs(1);

/// Begins a fault of this family. `changed` is the service that it is about, if the release changes it.
pub(super) fn begin(world: &World, fault: &Fault, changed: Option<&Changed>) -> Begun {
    let delay = micros(fault.delay.unwrap_or_default());
    match (fault.kind, changed) {
        (FaultKind::WatchGone, _) => watch_gone(world),
        (FaultKind::Quota, _) => {
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
        (FaultKind::NodeFull, _) => {
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
        // A service that the release leaves alone gets no new pods: nothing is hit, and the drill says so.
        (_, None) => Begun::until(|_| 0),
        (FaultKind::ImageGone, Some(changed)) => {
            let image = changed.good.clone();
            world.with(|state| state.cluster.set_image(&image, ImageState::Missing));
            Begun::until(move |world| {
                let hits = pods(world, |pod| lacks(pod, &image));
                world.with(|state| state.cluster.set_image(&image, ImageState::Present));
                hits
            })
        }
        (FaultKind::PodsSlow, Some(changed)) => {
            hinder(world, &changed.good, Hindrance::ReadyLate(delay))
        }
        (FaultKind::TerminatingSlow, Some(changed)) => {
            hinder(world, &changed.bad, Hindrance::IgnoresTerm)
        }
        (_, Some(changed)) => hinder(world, &changed.good, Hindrance::NeverReady),
    }
}

fn hinder(world: &World, image: &str, what: Hindrance) -> Begun {
    let image = image.to_owned();
    world.with(|state| state.cluster.hinder(&image, what));
    Begun::until(move |world| world.with(|state| state.cluster.lift(&image, what)))
}

/// Each second every watch ends, and what it would go on from is compacted: 410 Gone.
fn watch_gone(world: &World) -> Begun {
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
