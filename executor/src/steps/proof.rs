//! The window of the proof: the time over which `$WINDOW` looks back.
//!
//! It begins when the last change was over. It begins anew, later, whenever what was seen in it can't be part of a
//! recovery:
//!
//! ```text
//! change over ── pod killed ── a window that proves nothing
//!                  └── whole again ── errors ─ a window that proves nothing
//!                                        └──── a clean window: the proof
//! ```
//!
//! Servers don't count what their clients saw while they were down, so a pod's start, its restarts and its readiness
//! belong to the proof as much as the numbers do, and so does the last time that a check found a pod that did not
//! serve. So does what others do to the services: a release that comes back while it is proven that it is gone is seen
//! at the next look, not after the proof. A window that began anew has proved nothing yet: every query of the proof up
//! to the one that is asked must hold over the new one. Time for that comes from the reserve, as long as it can still
//! be enough.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use super::concurrent;
use super::context::{Context, Stop, Success};
use super::pods::is_short;
use crate::error::Error;
use crate::kubernetes::{is_live, timestamp};
use crate::runbook::Phase;

/// Kubernetes leaves out the fraction of a second.
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// No look at the pods takes longer.
const LOOK: SignedDuration = SignedDuration::from_secs(5);

/// What identifies the processes of a pod: the restarts of each container.
type Processes = BTreeMap<String, i32>;

/// The window as one step goes by it.
#[derive(Debug)]
pub(super) struct Proof {
    /// Where it begins: the recovery is claimed from there on.
    start: Timestamp,
    /// Where the looks at it begin: later than that by what an answer took. No look begins before an earlier one that
    /// found nothing, since it would hold against the application what that one did not see.
    from: Timestamp,
    /// Where it began when the step did.
    first: Timestamp,
    /// How often it began anew, and why at last.
    moved: u32,
    because: String,
    /// What ran at the last look, by the pods' UIDs.
    running: Option<BTreeMap<String, Processes>>,
    /// What happened to a pod last, by its node's clock, as far as the window goes by it already.
    newest: Option<Timestamp>,
    /// Requests per second, as counted last.
    pub(super) rate: Option<f64>,
    /// Up to when logs must have arrived.
    pub(super) logs_until: Option<Timestamp>,
}

/// What a look at the pods says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pods {
    /// All are there and ready.
    Sound,
    /// The window can't begin yet.
    Unsound(String),
    /// The API server did not say.
    Unanswered(String),
}

impl Proof {
    pub(super) fn of(context: &Context<'_>) -> Self {
        let start = context.facts.window_start;
        let from = context.facts.looked_from;
        let mut proof = Self {
            start,
            from: from.map_or(start, |from| from.max(start)),
            first: start,
            moved: 0,
            because: String::new(),
            running: None,
            newest: None,
            rate: None,
            logs_until: None,
        };
        if let Some(at) = context.facts.made_good_at {
            proof.begin_anew(at, "what somebody else had changed was made good");
        }
        proof
    }

    /// Where the window begins.
    pub(super) fn start(&self) -> Timestamp {
        self.start
    }

    /// Where looks at it begin.
    pub(super) fn from(&self) -> Timestamp {
        self.from
    }

    /// How long it is at `now`.
    pub(super) fn window(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.from)).unwrap_or_default()
    }

    /// A look that began at `from` at the latest found nothing: later ones begin no earlier.
    pub(super) fn looked(&mut self, from: Timestamp) {
        self.from = self.from.max(from);
    }

    /// Whether it began anew since the step did.
    pub(super) fn has_moved(&self) -> bool {
        self.start > self.first
    }

    /// How often it began anew.
    pub(super) fn moves(&self) -> u32 {
        self.moved
    }

    /// It begins anew at `at`, because of `why`, unless it begins later already. Whether it does.
    pub(super) fn begin_anew(&mut self, at: Timestamp, why: &str) -> bool {
        let later = at > self.start;
        if later {
            self.start = at;
            self.from = self.from.max(at);
            self.moved += 1;
            why.clone_into(&mut self.because);
            self.logs_until = None;
        }
        later
    }

    /// What the journal must know of it: where the window begins now, and where later looks at it begin.
    pub(super) fn record(&self, mut success: Success) -> Success {
        let mut data = serde_json::Map::new();
        if self.has_moved() {
            data.insert("window_start".to_owned(), json!(self.start));
        }
        if self.from > self.start {
            data.insert("looked_from".to_owned(), json!(self.from));
        }
        if !data.is_empty() {
            success.data = data.into();
        }
        success
    }

    /// For a reader: that it began anew, if so.
    pub(super) fn told(&self) -> String {
        match self.moved {
            0 => String::new(),
            1 => format!("; the window began anew: {}", self.because),
            times => format!(
                "; the window began anew {times} times, at last: {}",
                self.because
            ),
        }
    }

    /// Looks at every service and its pods: the window begins after whatever happened to them.
    pub(super) async fn look_at_pods(&mut self, context: &Context<'_>) -> Result<Pods, Stop> {
        let clock = &context.ports.clock;
        if let Err(why) = concurrent::look(context).await? {
            return Ok(Pods::Unanswered(why));
        }
        let mut running = BTreeMap::new();
        let mut newest: Option<(Timestamp, String)> = None;
        let mut unsound = None;
        for (name, service) in &context.baseline.services {
            let budget = context.budget.within(clock.now() + LOOK);
            let pods = match context.cluster.list_pods(&service.selector, &budget).await {
                Ok(pods) => pods,
                Err(error @ Error::Superseded { .. }) => return Err(Stop::from(error)),
                Err(error) => return Ok(Pods::Unanswered(error.chain())),
            };
            let pods: Vec<Pod> = pods.into_iter().filter(is_live).collect();
            unsound = unsound.or(is_short(name, service.replicas, &pods));
            for pod in &pods {
                running.insert(pod.uid().unwrap_or_default(), processes(pod));
                match sound_since(pod) {
                    Some((at, what)) => {
                        if newest.as_ref().is_none_or(|(newest, _)| at > *newest) {
                            newest = Some((at, format!("{} {what}", pod.name_any())));
                        }
                    }
                    None => unsound = Some(format!("{} is not ready", pod.name_any())),
                }
            }
        }
        let now = clock.now();
        Ok(self.take_in(now, running, newest, unsound))
    }

    /// What the pods came to at `now`. Pure.
    fn take_in(
        &mut self,
        now: Timestamp,
        running: BTreeMap<String, Processes>,
        newest: Option<(Timestamp, String)>,
        unsound: Option<String>,
    ) -> Pods {
        let before = self.running.replace(running);
        if let Some(why) = unsound {
            self.begin_anew(now, &why);
            return Pods::Unsound(why);
        }
        let mut moved = false;
        if let Some((at, why)) = newest
            && self.newest != Some(at)
        {
            self.newest = Some(at);
            // A node whose clock is ahead can't move it into the future, and one whose clock is behind would date what
            // is new since the last look before the window.
            moved = self.begin_anew((at + SECOND).min(now), &why)
                || before.is_some() && self.begin_anew(now, &why);
        }
        // A node whose clock is behind would date a restart before the window.
        if before.is_some_and(|before| self.running != Some(before)) && !moved {
            self.begin_anew(now, "the pods are others than before");
        }
        Pods::Sound
    }

    /// Whether it may begin anew because of what a query says at `now`. After the proof a step that looks on for its
    /// hold may, for what passes: answers that a node made late which stood still, however long that was. What goes on
    /// is a relapse, and so is whatever a step sees that asks once, since that one does not see whether it passes.
    pub(super) fn may_slide(context: &Context<'_>, now: Timestamp) -> bool {
        match context.step.phase {
            Phase::After => context.step.hold.is_some() && !context.budget.too_late(now),
            _ => context.step.phase == Phase::Run,
        }
    }
}

/// How often each container of the pod has been started again.
fn processes(pod: &Pod) -> Processes {
    let statuses = pod.status.iter();
    statuses
        .flat_map(|status| status.container_statuses.iter().flatten())
        .map(|status| (status.name.clone(), status.restart_count))
        .collect()
}

/// Since when the pod has been as it is: its youngest process and its readiness, whichever is later, and what that was.
/// `None` if it is not ready.
fn sound_since(pod: &Pod) -> Option<(Timestamp, String)> {
    let status = pod.status.as_ref()?;
    let ready = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "Ready" && condition.status == "True")?;
    let ready_at = ready.last_transition_time.as_ref().map(timestamp);
    let started_at = status
        .container_statuses
        .iter()
        .flatten()
        .filter_map(|container| {
            let running = container.state.as_ref()?.running.as_ref()?;
            running.started_at.as_ref().map(timestamp)
        })
        .max();
    let ready_at = ready_at.map(|at| (at, format!("became ready at {at}")));
    let started_at = started_at.map(|at| (at, format!("was started at {at}")));
    ready_at
        .into_iter()
        .chain(started_at)
        .max()
        .or(Some((Timestamp::UNIX_EPOCH, String::new())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use k8s_openapi::api::core::v1::Pod;

    use super::{Pods, Proof, Success, processes, sound_since};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    fn proof() -> Proof {
        Proof {
            start: at(100),
            from: at(100),
            first: at(100),
            moved: 0,
            because: String::new(),
            running: None,
            newest: None,
            rate: None,
            logs_until: None,
        }
    }

    fn pod(restarts: i32, started: &str, ready: &str, transition: &str) -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "gateway-1", "uid": "u"},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": transition}],
                "containerStatuses": [{
                    "name": "main", "ready": true, "restartCount": restarts, "image": "", "imageID": "",
                    "state": {"running": {"startedAt": started}},
                }],
            },
        }))
        .expect("a pod")
    }

    fn look(proof: &mut Proof, now: i64, pod: &Pod) -> Pods {
        let running = BTreeMap::from([("u".to_owned(), processes(pod))]);
        let since = sound_since(pod).map(|(at, what)| (at, format!("gateway-1 {what}")));
        let unsound = since.is_none().then(|| "gateway-1 is not ready".to_owned());
        proof.take_in(at(now), running, since, unsound)
    }

    const EARLY: &str = "1970-01-01T00:00:30Z";

    #[test]
    fn pods_that_were_there_before_leave_the_window_alone() {
        let mut proof = proof();
        let pod = pod(3, EARLY, "True", "1970-01-01T00:01:39Z");
        assert_eq!(look(&mut proof, 110, &pod), Pods::Sound);
        assert_eq!(look(&mut proof, 120, &pod), Pods::Sound);
        assert_eq!((proof.start(), proof.has_moved()), (at(100), false));
        assert_eq!(proof.told(), "");
    }

    /// The journal hands both on, so that whoever resumes looks at no more than who began.
    #[test]
    fn looks_begin_no_earlier_than_one_that_found_nothing() {
        let mut proof = proof();
        let recorded = |proof: &Proof| proof.record(Success::default()).data;
        assert_eq!(recorded(&proof), serde_json::Value::Null);
        proof.looked(at(102));
        proof.looked(at(101));
        assert_eq!((proof.start(), proof.from()), (at(100), at(102)));
        assert_eq!(proof.window(at(110)), std::time::Duration::from_secs(8));
        let looked = serde_json::json!({ "looked_from": at(102) });
        assert_eq!(recorded(&proof), looked);
        // What spoilt the window in the moment before is no part of the recovery that is claimed.
        assert!(proof.begin_anew(at(101), "a pod was started"));
        assert_eq!((proof.start(), proof.from()), (at(101), at(102)));
        assert!(proof.begin_anew(at(120), "a pod was started"));
        assert_eq!((proof.start(), proof.from()), (at(120), at(120)));
        let anew = serde_json::json!({ "window_start": at(120) });
        assert_eq!(recorded(&proof), anew);
    }

    #[test]
    fn a_start_or_a_readiness_within_the_window_begins_it_anew_after_its_second() {
        for (started, transition) in [
            ("1970-01-01T00:01:50Z", EARLY),
            (EARLY, "1970-01-01T00:01:50Z"),
        ] {
            let mut proof = proof();
            let pod = pod(1, started, "True", transition);
            assert_eq!(look(&mut proof, 150, &pod), Pods::Sound);
            assert_eq!((proof.start(), proof.has_moved()), (at(111), true));
            assert!(proof.told().contains("gateway-1"), "{}", proof.told());
        }
    }

    #[test]
    fn a_pod_that_is_not_ready_keeps_it_from_beginning() {
        let mut proof = proof();
        let pod = pod(1, EARLY, "False", EARLY);
        assert!(matches!(look(&mut proof, 150, &pod), Pods::Unsound(_)));
        assert_eq!(proof.start(), at(150));
    }

    #[test]
    fn clocks_of_nodes_may_be_wrong() {
        let mut ahead = proof();
        let pod_of = |restarts| pod(restarts, EARLY, "True", "1970-01-01T01:00:00Z");
        assert_eq!(look(&mut ahead, 150, &pod_of(0)), Pods::Sound);
        assert_eq!(ahead.start(), at(150), "not in the future");
        assert_eq!(look(&mut ahead, 160, &pod_of(0)), Pods::Sound);
        assert_eq!(ahead.start(), at(150), "and only once");
        // A restart that is dated before the window is seen by its number.
        let mut behind = proof();
        let pod_of = |restarts| pod(restarts, EARLY, "True", EARLY);
        assert_eq!(look(&mut behind, 150, &pod_of(0)), Pods::Sound);
        assert_eq!(behind.start(), at(100));
        assert_eq!(look(&mut behind, 170, &pod_of(1)), Pods::Sound);
        assert_eq!(behind.start(), at(170));
    }
}
