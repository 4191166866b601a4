//! One sync of a Job (`job_controller.go` syncJob).

use super::expiry::is_finished;
use super::pods::{
    SOURCE, backs_off_until, has_failed, has_succeeded, is_terminating, is_tracked, restarts,
};
use crate::cluster::api::status::ApiError;
use crate::cluster::due_items::Work;
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::replicaset::is_active;
use crate::cluster::store::Ref;
use crate::cluster::value::{
    self, at, condition, condition_true, deleting, flag, int, items, parse_timestamp, remove, set,
    text, timestamp,
};
use crate::time::Micros;

/// How a Job ends: the interim condition, the final one, the reason and the message.
struct End {
    interim: &'static str,
    last: &'static str,
    reason: String,
    message: String,
}

impl End {
    fn failure(reason: &str, message: &str) -> Self {
        Self {
            interim: "FailureTarget",
            last: "Failed",
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    fn success(reason: &str, message: &str) -> Self {
        Self {
            interim: "SuccessCriteriaMet",
            last: "Complete",
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    /// The end that an earlier sync has decided on.
    fn decided(job: &Value) -> Option<Self> {
        let interim = |of_type| condition(job, of_type).filter(|c| text(c, &["status"]) == "True");
        if let Some(met) = interim("SuccessCriteriaMet") {
            return Some(Self::success(
                text(met, &["reason"]),
                text(met, &["message"]),
            ));
        }
        let target = interim("FailureTarget")?;
        Some(Self::failure(
            text(target, &["reason"]),
            text(target, &["message"]),
        ))
    }
}

fn spec(job: &Value, field: &str) -> Option<i64> {
    int(job, &["spec", field])
}

fn suspended(job: &Value) -> bool {
    flag(job, &["spec", "suspend"])
}

impl Cluster {
    pub(crate) fn sync_job(&mut self, key: &str) -> Result<(), ApiError> {
        let Some(stored) = self.get(Kind::Job, key) else {
            return self.release_orphans(key);
        };
        let mut job = stored.value.clone();
        if is_finished(&job) {
            self.let_expire(key, &job);
            return Ok(());
        }
        let pods = self.claim(&job, Kind::Pod, |_| true)?;
        if text(&job, &["status", "startTime"]).is_empty() && !suspended(&job) {
            set(&mut job, &["status", "startTime"], timestamp(self.now));
        }
        let (mut succeeded, mut failed) = counted(&job);
        for pod in pods.iter().filter(|pod| is_tracked(&pod.value)) {
            succeeded += i64::from(has_succeeded(&pod.value));
            failed += i64::from(has_failed(&pod.value, &job));
        }
        let mut end = self.failure_of(key, &job, &pods, failed);
        let active: Vec<Ref> = pods
            .iter()
            .filter(|p| is_active(&p.value))
            .cloned()
            .collect();
        let outcome = match &end {
            Some(_) => self.delete_job_pods(&job, &active, active.len() as i64),
            None => {
                let managed = if deleting(&job) {
                    Ok(())
                } else {
                    self.manage_job(key, &job, &pods, &active, succeeded)
                };
                if managed.is_ok() {
                    self.suspend_condition(&mut job);
                }
                managed
            }
        };
        let pods = self.claim(&job, Kind::Pod, |_| true)?;
        if end.is_none() {
            end = completion_of(&job, &pods, succeeded);
        }
        self.write_job_status(key, &mut job, &pods, end)?;
        outcome
    }

    /// Why the Job fails, if it does.
    fn failure_of(&mut self, key: &str, job: &Value, pods: &[Ref], failed: i64) -> Option<End> {
        if let Some(decided) = End::decided(job) {
            return Some(decided);
        }
        let limit = spec(job, "backoffLimit").unwrap_or(6);
        let policy = text(job, &["spec", "template", "spec", "restartPolicy"]);
        let restarted = restarts(pods);
        let restarts_exceed = policy == "OnFailure" && restarted > 0 && restarted >= limit;
        if failed > limit || restarts_exceed {
            return Some(End::failure(
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            ));
        }
        let deadline = u64::try_from(spec(job, "activeDeadlineSeconds")?).ok()?;
        if suspended(job) {
            return None;
        }
        let started = parse_timestamp(text(job, &["status", "startTime"]))?;
        let over = started + Micros::from_secs(deadline);
        if over <= self.now {
            return Some(End::failure(
                "DeadlineExceeded",
                "Job was active longer than specified deadline",
            ));
        }
        self.enqueue_at(over, Work::Job(key.to_owned()));
        None
    }

    /// `manageJob`: pods that are too many go, or pods that are missing are made.
    fn manage_job(
        &mut self,
        key: &str,
        job: &Value,
        pods: &[Ref],
        active: &[Ref],
        succeeded: i64,
    ) -> Result<(), ApiError> {
        let have = active.len() as i64;
        if suspended(job) {
            return self.delete_job_pods(job, active, have);
        }
        let parallel = spec(job, "parallelism").unwrap_or(1);
        let want = match spec(job, "completions") {
            None if succeeded > 0 => have,
            None => parallel,
            Some(all) => (all - succeeded).clamp(0, parallel),
        };
        if have > want {
            return self.delete_job_pods(job, active, have - want);
        }
        let only_failed = text(job, &["spec", "podReplacementPolicy"]) == "Failed";
        let terminating = pods
            .iter()
            .filter(|p| only_failed && is_terminating(&p.value));
        let missing = want - have - terminating.count() as i64;
        if missing <= 0 {
            return Ok(());
        }
        if let Some(until) = backs_off_until(pods, job).filter(|until| *until > self.now) {
            self.enqueue_at(until, Work::Job(key.to_owned()));
            return Ok(());
        }
        const MOST_AT_ONCE: i64 = 500;
        self.create_job_pods(job, missing.min(MOST_AT_ONCE))
    }

    fn suspend_condition(&mut self, job: &mut Value) {
        let is = condition_true(job, "Suspended");
        let wanted = suspended(job);
        if is == wanted {
            return;
        }
        let (status, reason, event, message) = if wanted {
            ("True", "JobSuspended", "Suspended", "Job suspended")
        } else {
            ("False", "JobResumed", "Resumed", "Job resumed")
        };
        put(job, self.now, ("Suspended", status), (reason, message));
        self.event(job, false, event, message, SOURCE);
        if !wanted {
            set(job, &["status", "startTime"], timestamp(self.now));
        }
    }

    /// Counts the pods that have ended, writes the status, and lets go of what has been counted.
    fn write_job_status(
        &mut self,
        key: &str,
        job: &mut Value,
        pods: &[Ref],
        end: Option<End>,
    ) -> Result<(), ApiError> {
        let (mut succeeded, mut failed) = counted(job);
        let mut released = Vec::new();
        for pod in pods.iter().filter(|pod| is_tracked(&pod.value)) {
            if has_succeeded(&pod.value) {
                succeeded += 1;
            } else if has_failed(&pod.value, job) {
                failed += 1;
            } else {
                continue;
            }
            released.push(pod.clone());
        }
        let count = |of: &dyn Fn(&Value) -> bool| pods.iter().filter(|p| of(&p.value)).count();
        let terminating = count(&is_terminating);
        let is_ready = |pod: &Value| is_active(pod) && condition_true(pod, "Ready");
        for (field, number) in [
            ("active", count(&is_active)),
            ("succeeded", usize::try_from(succeeded).unwrap_or(0)),
            ("failed", usize::try_from(failed).unwrap_or(0)),
        ] {
            let number = (number > 0).then(|| number.into());
            value::set_or_remove(job, &["status", field], number);
        }
        set(job, &["status", "ready"], count(&is_ready));
        set(job, &["status", "terminating"], terminating);
        set(job, &["status", "uncountedTerminatedPods"], json!({}));
        let mut finished = None;
        if let Some(end) = end {
            let why = (end.reason.as_str(), end.message.as_str());
            if !condition_true(job, end.interim) {
                put(job, self.now, (end.interim, "True"), why);
            }
            let left = pods.iter().any(|p| is_active(&p.value));
            if terminating == 0 && !left {
                put(job, self.now, (end.last, "True"), why);
                if end.last == "Complete" {
                    set(job, &["status", "completionTime"], timestamp(self.now));
                }
                finished = Some(end);
            }
        }
        if self.store.get(Kind::Job, key).is_some() {
            let mut copy = job.clone();
            remove(&mut copy, &["metadata", "resourceVersion"]);
            self.update(Kind::Job, key, copy, Part::Status)?;
        }
        for pod in released {
            self.release_pod(&pod.value)?;
        }
        if let Some(end) = finished {
            let failed = end.last == "Failed";
            if failed {
                // The reasons are those of `End::failure`.
                let reason = if end.reason == "DeadlineExceeded" {
                    "DeadlineExceeded"
                } else {
                    "BackoffLimitExceeded"
                };
                self.event(job, true, reason, &end.message, SOURCE);
            } else {
                self.event(job, false, "Completed", "Job completed", SOURCE);
            }
        }
        Ok(())
    }
}

/// How many pods have been counted as succeeded and failed.
fn counted(job: &Value) -> (i64, i64) {
    let of = |field: &str| int(job, &["status", field]).unwrap_or(0);
    (of("succeeded"), of("failed"))
}

/// Whether the Job is complete: nothing is active, and as many pods have succeeded as should.
fn completion_of(job: &Value, pods: &[Ref], succeeded: i64) -> Option<End> {
    let active = pods.iter().any(|pod| is_active(&pod.value));
    let enough = match spec(job, "completions") {
        None => succeeded > 0,
        Some(all) => succeeded >= all,
    };
    (enough && !active).then(|| {
        End::success(
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        )
    })
}

/// Sets a condition.
fn put(
    job: &mut Value,
    now: Micros,
    (of_type, status): (&str, &str),
    (reason, message): (&str, &str),
) {
    let at_now = timestamp(now);
    let new = json!({
        "type": of_type, "status": status, "reason": reason, "message": message,
        "lastProbeTime": at_now, "lastTransitionTime": at_now,
    });
    let mut all = items(job, &["status", "conditions"]).to_vec();
    match all
        .iter_mut()
        .find(|c| at(c, &["type"]).is_some_and(|t| *t == of_type))
    {
        Some(there) => *there = new,
        None => all.push(new),
    }
    set(job, &["status", "conditions"], all);
}
