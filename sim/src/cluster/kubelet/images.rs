//! Images: present, slow to pull, or missing.

use super::pod::State;
use crate::cluster::agenda_items::Step;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::store::Ref;
use crate::time::Micros;

/// What a node finds when it needs an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageState {
    /// On every node already, as `kind load` leaves it.
    #[default]
    Present,
    /// In the registry: the first pull takes this long, then it is present.
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
    }

    pub(super) fn pod_object(&self, id: u32) -> Option<Ref> {
        let run = self.kubelet.pods.get(&id)?;
        self.get(Kind::Pod, &run.key)
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
    pub(super) fn ensure_image(&mut self, id: u32) {
        let Some(run) = self.kubelet.pods.get(&id) else {
            return;
        };
        let image = run.image.clone();
        let state = self.kubelet.images.get(&image).copied().unwrap_or_default();
        match state {
            ImageState::Present => {
                let message = format!("Container image \"{image}\" already present on machine");
                self.pod_event(id, false, "Pulled", &message);
                self.start_after(id, Micros::ZERO);
            }
            ImageState::Pull { takes } => {
                self.pod_event(id, false, "Pulling", &format!("Pulling image \"{image}\""));
                self.kubelet.images.insert(image, ImageState::Present);
                self.start_after(id, takes);
            }
            ImageState::Missing => self.pull_missing(id, &image),
        }
    }

    fn start_after(&mut self, id: u32, delay: Micros) {
        let start = self.timings.container_start.draw(&mut self.rng.kubelet);
        self.step_after(id, delay + start, Step::Start);
    }

    fn pull_missing(&mut self, id: u32, image: &str) {
        let max = self.timings.back_off_max;
        let now = self.now;
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        let holds = run
            .pull_failed
            .is_some_and(|failed| run.pull_back_off.holds(failed, now, max));
        if holds {
            run.state = State::Waiting {
                reason: "ImagePullBackOff",
                message: format!("Back-off pulling image \"{image}\""),
            };
            self.mark_status(id);
            self.pod_event(
                id,
                false,
                "BackOff",
                &format!("Back-off pulling image \"{image}\""),
            );
            let retry = self.timings.pod_retry.draw(&mut self.rng.kubelet);
            self.step_after(id, retry, Step::Retry);
            return;
        }
        self.pod_event(id, false, "Pulling", &format!("Pulling image \"{image}\""));
        let takes = self.timings.pull_failure.draw(&mut self.rng.kubelet);
        self.step_after(id, takes, Step::PullFailed);
    }

    pub(super) fn pull_failed(&mut self, id: u32) {
        let (first, max, now) = (self.timings.back_off, self.timings.back_off_max, self.now);
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        let message = format!(
            "Failed to pull image \"{}\": rpc error: code = NotFound desc = failed to pull and unpack image: not found",
            run.image
        );
        run.state = State::Waiting {
            reason: "ErrImagePull",
            message: message.clone(),
        };
        run.pull_back_off.next(now, now, first, max);
        run.pull_failed = Some(now);
        self.mark_status(id);
        self.pod_event(id, true, "Failed", &message);
        self.pod_event(id, true, "Failed", "Error: ErrImagePull");
        // Sandbox and all have been found by then, and the pod is synced again.
        self.step_at_next_look(id, Step::Retry);
    }
}
