//! What faults do to the pods of an image: they come up late or never, or don't heed SIGTERM.

use std::collections::BTreeSet;

use super::container::{ContainerRef, ContainerRun};
use crate::cluster::machine::Cluster;
use crate::time::Micros;

/// What is wrong with pods of an image that start, or are stopped, from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The readiness probe fails until the process has run for this long.
    ReadyLate(Micros),
    /// The readiness probe fails.
    NeverReady,
    /// The process ignores SIGTERM and serves on, until SIGKILL at the end of the grace period.
    IgnoresTerm,
}

/// An obstacle in force.
#[derive(Debug)]
pub(crate) struct Hindered {
    image: String,
    what: Obstacle,
    since: Micros,
    /// UIDs of the pods that it hit.
    hit: BTreeSet<String>,
}

impl Hindered {
    /// Whether it keeps a pod from being ready at `now`.
    fn holds_back(&self, run: &ContainerRun, now: Micros) -> bool {
        let until = match self.what {
            Obstacle::ReadyLate(by) => run.process_since + by,
            Obstacle::NeverReady => Micros(u64::MAX),
            Obstacle::IgnoresTerm => return false,
        };
        self.image == run.image && run.process_since >= self.since && now < until
    }
}

impl Cluster {
    /// Lets `what` affect the pods of `image`, until [`Self::lift`].
    pub fn hinder(&mut self, image: &str, what: Obstacle) {
        self.kubelet.hindered.push(Hindered {
            image: image.to_owned(),
            what,
            since: self.now,
            hit: BTreeSet::new(),
        });
    }

    /// Ends what [`Self::hinder`] began; how many pods it hit.
    pub fn lift(&mut self, image: &str, what: Obstacle) -> u64 {
        let mut hit = 0;
        self.kubelet.hindered.retain(|h| {
            let ends = h.image == image && h.what == what;
            hit += if ends { h.hit.len() as u64 } else { 0 };
            !ends
        });
        hit
    }

    /// Whether a container's readiness probe fails, whatever the process answers.
    pub(super) fn held_back(&mut self, of: ContainerRef) -> bool {
        let now = self.now;
        self.hit_by(of, |hindered, container| {
            hindered.holds_back(container, now)
        })
    }

    /// Whether a container's process does not heed SIGTERM.
    pub(super) fn ignores_term(&mut self, of: ContainerRef) -> bool {
        self.hit_by(of, |hindered, container| {
            hindered.what == Obstacle::IgnoresTerm && hindered.image == container.image
        })
    }

    /// Whether an obstacle of this kind is in a container's way; its pod counts as hit then.
    fn hit_by(
        &mut self,
        of: ContainerRef,
        meant: impl Fn(&Hindered, &ContainerRun) -> bool,
    ) -> bool {
        let Some(run) = self.kubelet.pods.get(&of.pod) else {
            return false;
        };
        let container = &run.containers[usize::from(of.place)];
        let mut all = self.kubelet.hindered.iter_mut();
        let Some(hindered) = all.find(|h| meant(h, container)) else {
            return false;
        };
        hindered.hit.insert(run.uid.clone());
        true
    }
}
