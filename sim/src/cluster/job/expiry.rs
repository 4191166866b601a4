//! What becomes of finished Jobs and of pods whose Job is gone.

use super::pods::{FINALIZER, is_tracked};
use crate::cluster::api::status::ApiError;
use crate::cluster::claims::without_finalizer;
use crate::cluster::due_items::Work;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::{DeleteOptions, Part, Propagation};
use crate::cluster::store::Ref;
use crate::cluster::value::{
    self, condition, condition_true, controller_of, deleting, int, parse_timestamp, split_key,
    text, uid,
};
use crate::time::Micros;

/// Whether a Job is complete or has failed.
pub(super) fn is_finished(job: &Value) -> bool {
    condition_true(job, "Complete") || condition_true(job, "Failed")
}

/// When a finished Job is to be deleted.
fn expires(job: &Value) -> Option<Micros> {
    let ttl = u64::try_from(int(job, &["spec", "ttlSecondsAfterFinished"])?).ok()?;
    let finished = ["Complete", "Failed"]
        .into_iter()
        .find_map(|of_type| condition(job, of_type).filter(|c| text(c, &["status"]) == "True"))?;
    let since = parse_timestamp(text(finished, &["lastTransitionTime"]))?;
    Some(since + Micros::from_secs(ttl))
}

impl Cluster {
    /// Sees to it that a finished Job is deleted when its time is over.
    pub(super) fn let_expire(&mut self, key: &str, job: &Value) {
        if let Some(at) = expires(job).filter(|_| !deleting(job)) {
            self.enqueue_at(at.max(self.now), Work::Expired(key.to_owned()));
        }
    }

    pub(crate) fn expire_job(&mut self, key: &str) -> Result<(), ApiError> {
        let Some(job) = self.get(Kind::Job, key) else {
            return Ok(());
        };
        match expires(&job.value) {
            Some(at) if at <= self.now && !deleting(&job.value) => {
                let options = DeleteOptions {
                    propagation: Propagation::Foreground,
                    uid: Some(uid(&job.value).to_owned()),
                    ..DeleteOptions::default()
                };
                self.delete(Kind::Job, key, &options).map(|_| ())
            }
            Some(_) => {
                self.let_expire(key, &job.value);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A Job is gone: nobody counts its pods any more.
    pub(super) fn release_orphans(&mut self, key: &str) -> Result<(), ApiError> {
        let (namespace, name) = split_key(key);
        let of_job = |pod: &Value| {
            controller_of(pod).is_some_and(|owner| {
                text(owner, &["kind"]) == "Job" && text(owner, &["name"]) == name
            })
        };
        let orphans: Vec<Ref> = self
            .store
            .list(Kind::Pod, Some(namespace))
            .filter(|(_, pod)| is_tracked(&pod.value) && of_job(&pod.value))
            .map(|(_, pod)| pod.clone())
            .collect();
        for pod in orphans {
            self.release_pod(&pod.value)?;
        }
        Ok(())
    }

    /// Takes the finalizer off a pod that has been counted.
    pub(crate) fn release_pod(&mut self, pod: &Value) -> Result<(), ApiError> {
        let mut copy = without_finalizer(pod, FINALIZER);
        value::remove(&mut copy, &["metadata", "resourceVersion"]);
        self.update(Kind::Pod, &value::key_of(pod), copy, Part::Main)
            .map(|_| ())
    }
}
