//! Images: present, slow to pull, or missing.

use super::container::{ContainerRef, State};
use crate::cluster::due_items::Step;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::store::Ref;
use crate::cluster::value;
use crate::time::Micros;

/// What a node finds when it needs an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageState {
    /// On every node already, as `kind load` leaves it. No registry is asked, whatever the pull policy is.
    #[default]
    Present,
    /// In the registry: a node's first pull takes this long, and when it has ended the image is present there.
    /// A container with `imagePullPolicy: Always` asks the registry at each further start.
    Pull {
        /// Duration of the pull.
        takes: Micros,
    },
    /// Nowhere: ErrImagePull, then ImagePullBackOff.
    Missing,
}

impl Cluster {
    /// Says where an image is. Images that were never mentioned are present.
    pub fn set_image(&mut self, image: &str, state: ImageState) {
        self.kubelet.images.insert(image.to_owned(), state);
        self.kubelet.pulled.retain(|(_, pulled), _| pulled != image);
    }

    /// Every node has pulled an image by now that is in the registry.
    pub fn pull_everywhere(&mut self, image: &str) {
        let nodes: Vec<String> = self.kubelet.looks.keys().cloned().collect();
        for node in nodes {
            self.kubelet
                .pulled
                .insert((node, image.to_owned()), self.now);
        }
    }

    pub(super) fn pod_object(&self, id: u32) -> Option<Ref> {
        let run = self.kubelet.pods.get(&id)?;
        self.get(Kind::Pod, &run.key)
            .filter(|pod| value::uid(&pod.value) == run.uid)
    }

    pub(super) fn pod_event(
        &mut self,
        id: u32,
        warning: bool,
        reason: &'static str,
        message: &str,
    ) {
        let Some(pod) = self.pod_object(id) else {
            return;
        };
        let object: &Value = &pod.value;
        self.event(object, warning, reason, message, "kubelet");
    }

    /// Gets the image, then starts the container.
    pub(super) fn ensure_image(&mut self, of: ContainerRef) {
        let Some(run) = self.kubelet.pods.get(&of.pod) else {
            return;
        };
        let container = &run.containers[usize::from(of.place)];
        let (image, always) = (container.image.clone(), container.always_pulls);
        let on_node = (run.node.clone(), image.clone());
        let state = self.kubelet.images.get(&image).copied().unwrap_or_default();
        let pulled = self.kubelet.pulled.get(&on_node).copied();
        match state {
            ImageState::Missing => self.pull_missing(of, &image),
            ImageState::Pull { takes } if pulled.is_none_or(|at| self.now < at) => {
                let message = format!("Pulling image \"{image}\"");
                self.pod_event(of.pod, false, "Pulling", &message);
                // Another pull of it is under way: what is left of this one is a question to the registry.
                let takes = match pulled {
                    Some(_) => self.timings.registry.draw(self.rng.of(of)),
                    None => takes,
                };
                let done = self.pull_in_turn(&on_node.0, takes);
                self.kubelet.pulled.entry(on_node).or_insert(done);
                self.start_after(of, done - self.now);
            }
            ImageState::Pull { .. } if always => {
                let message = format!("Pulling image \"{image}\"");
                self.pod_event(of.pod, false, "Pulling", &message);
                let takes = self.timings.registry.draw(self.rng.of(of));
                let done = self.pull_in_turn(&on_node.0, takes);
                self.start_after(of, done - self.now);
            }
            ImageState::Present | ImageState::Pull { .. } => {
                let message = format!("Container image \"{image}\" already present on machine");
                self.pod_event(of.pod, false, "Pulled", &message);
                self.start_after(of, Micros::ZERO);
            }
        }
    }

    /// When a pull that takes so long will have ended: a node pulls one image after another (`serializeImagePulls`,
    /// on by default; `pkg/kubelet/images/puller.go`), even for pods that need the same one (kubernetes#125164).
    fn pull_in_turn(&mut self, node: &str, takes: Micros) -> Micros {
        let free = self.kubelet.pulling.entry(node.to_owned()).or_default();
        *free = self.now.max(*free) + takes;
        *free
    }

    fn start_after(&mut self, of: ContainerRef, delay: Micros) {
        let start = self.timings.container_start.draw(self.rng.of(of));
        self.step_after(of, delay + start, Step::Start);
    }

    fn pull_missing(&mut self, of: ContainerRef, image: &str) {
        let max = self.timings.back_off_max;
        let now = self.now;
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let node = run.node.clone();
        let container = &mut run.containers[usize::from(of.place)];
        let back_off = container.pull_back_off;
        let holds = container
            .pull_failed
            .is_some_and(|failed| back_off.holds(failed, now, max));
        if holds {
            let message = format!("Back-off pulling image \"{image}\"");
            container.state = State::Waiting {
                reason: "ImagePullBackOff",
                message: message.clone(),
            };
            self.mark_status(of);
            self.pod_event(of.pod, false, "BackOff", &message);
            return self.try_again_later(of);
        }
        let message = format!("Pulling image \"{image}\"");
        self.pod_event(of.pod, false, "Pulling", &message);
        let takes = self.timings.registry.draw(self.rng.of(of));
        let done = self.pull_in_turn(&node, takes);
        self.step_after(of, done - now, Step::PullFailed);
    }

    pub(super) fn pull_failed(&mut self, of: ContainerRef) {
        let (first, max, now) = (self.timings.back_off, self.timings.back_off_max, self.now);
        let Some(container) = self.kubelet.container_mut(of) else {
            return;
        };
        let message = format!(
            "Failed to pull image \"{}\": rpc error: code = NotFound desc = failed to pull and unpack image: not found",
            container.image
        );
        container.state = State::Waiting {
            reason: "ErrImagePull",
            message: message.clone(),
        };
        container.pull_back_off.next(now, now, first, max);
        container.pull_failed = Some(now);
        self.mark_status(of);
        self.pod_event(of.pod, true, "Failed", &message);
        self.pod_event(of.pod, true, "Failed", "Error: ErrImagePull");
        // Sandbox and all have been found by then, and the pod is synced again.
        self.step_at_next_look(of, Step::Retry);
        self.go_on(of.pod);
    }
}
