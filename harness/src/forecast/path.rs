//! The critical path: which pod waited for which, and for what, up to the recovery.
//!
//! It is followed backwards from the recovery. A pod that became available lets the next one be created; where a pod of
//! the bad release must end first (`Recreate`, and each pod of a StatefulSet), its end does.

use sim::time::Micros;

use super::pods::{Life, Release};

/// What a span of time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The undo's own requests, and the controllers.
    Control,
    /// From the creation of a pod to its node: with room, a moment.
    Schedule,
    /// The kubelet, sandbox and volumes, and a pull if there is one.
    Pull,
    /// Init containers.
    Init,
    /// From the start of the process until it can answer.
    Start,
    /// From there until the readiness probe has found out, and the status says so.
    Probe,
    /// `minReadySeconds`.
    MinReady,
    /// From the deletion of a bad pod until it gets no traffic, or is gone.
    Terminate,
}

impl Phase {
    /// All of them, in the order of a pod's life.
    pub const ALL: [Self; 8] = [
        Self::Control,
        Self::Schedule,
        Self::Pull,
        Self::Init,
        Self::Start,
        Self::Probe,
        Self::MinReady,
        Self::Terminate,
    ];

    /// As it stands in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Schedule => "schedule",
            Self::Pull => "sandbox and pull",
            Self::Init => "init",
            Self::Start => "start",
            Self::Probe => "probe",
            Self::MinReady => "minReady",
            Self::Terminate => "terminate",
        }
    }
}

/// A span of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) phase: Phase,
    pub(super) from: Micros,
    pub(super) to: Micros,
    /// The pod that it is about; none for what the controllers do.
    pub(super) pod: Option<String>,
}

/// The phases of a pod's start, each with its end, in their order. They end at its readiness at the latest: what a
/// process does after that, nobody waits for.
pub(super) fn phases(life: &Life) -> Vec<Span> {
    let Some(ready) = life.ready else {
        return Vec::new();
    };
    let ends = [
        (Phase::Schedule, life.bound),
        (Phase::Pull, life.began),
        (Phase::Init, life.main),
        (Phase::Start, life.answers),
        (Phase::Probe, Some(ready)),
    ];
    let mut from = life.created;
    let mut spans = Vec::new();
    let mut push = |phase, from: Micros, to: Micros| {
        if to > from {
            let pod = Some(life.name.clone());
            spans.push(Span {
                phase,
                from,
                to,
                pod,
            });
        }
    };
    for (phase, end) in ends {
        let to = end.unwrap_or(from).min(ready).max(from);
        push(phase, from, to);
        from = to;
    }
    push(Phase::MinReady, ready, life.available.unwrap_or(ready));
    spans
}

/// What decides when a draw has recovered.
pub(super) struct Ends {
    /// When the rollout was complete.
    pub(super) complete: Micros,
    /// When the bad release was cut off.
    pub(super) traffic: Micros,
    /// Whether a pod of it must end before one of the prior release starts.
    pub(super) ends_first: bool,
}

/// The path from the undo to the recovery, without a gap.
pub(super) fn critical(pods: &[Life], ends: &Ends) -> Vec<Span> {
    let pods = &waited_for(pods, ends.complete);
    let mut spans = Vec::new();
    let mut at = ends.complete.max(ends.traffic);
    if ends.traffic > ends.complete {
        at = last_cut_off(pods, ends.traffic, &mut spans);
    }
    // Each round goes at least one pod back.
    for _ in 0..=pods.len() {
        let before = at;
        let Some((cause, when)) = cause(pods, at, ends.ends_first) else {
            break;
        };
        control(when, at, &mut spans);
        at = match cause {
            Cause::Available(life) => {
                let start = phases(life);
                spans.extend(start.into_iter().rev());
                life.created
            }
            Cause::Gone(life) => {
                let from = life.deleted.unwrap_or(when);
                push(Phase::Terminate, from, when, &life.name, &mut spans);
                from
            }
        };
        if at >= before {
            break;
        }
    }
    control(Micros::ZERO, at, &mut spans);
    spans.reverse();
    spans
}

/// The lives, as far as the rollout waited for them. A StatefulSet's rollout is complete once its pods are ready,
/// whether they are available or not (`kubectl/pkg/polymorphichelpers/rollout_status.go`).
fn waited_for(pods: &[Life], complete: Micros) -> Vec<Life> {
    let mut pods = pods.to_vec();
    for life in &mut pods {
        if life.ready.is_some_and(|at| at <= complete) {
            life.available = life.available.filter(|at| *at <= complete).or(life.ready);
        }
    }
    pods
}

enum Cause<'a> {
    Available(&'a Life),
    Gone(&'a Life),
}

/// What happened last up to `at` that lets something go on.
fn cause(pods: &[Life], at: Micros, ends_first: bool) -> Option<(Cause<'_>, Micros)> {
    let started = pods
        .iter()
        .filter(|life| life.release == Release::Prior && !life.old)
        .filter_map(|life| Some((Cause::Available(life), life.available?)));
    let ended = pods
        .iter()
        .filter(|life| ends_first && life.release == Release::Bad)
        .filter_map(|life| Some((Cause::Gone(life), life.gone?)));
    let all = started.chain(ended).filter(|(_, when)| *when <= at);
    all.max_by_key(|(_, when)| *when)
}

/// The pod that got traffic to the last: its end is put upon the path, and its deletion is what comes before.
fn last_cut_off(pods: &[Life], traffic: Micros, spans: &mut Vec<Span>) -> Micros {
    let bad = pods.iter().filter(|life| life.release == Release::Bad);
    let deleted = bad.filter_map(|life| Some((life, life.deleted?)));
    let last = deleted
        .filter(|(_, at)| *at <= traffic)
        .max_by_key(|(_, at)| *at);
    let Some((life, from)) = last else {
        return traffic;
    };
    push(Phase::Terminate, from, traffic, &life.name, spans);
    from
}

fn control(from: Micros, to: Micros, spans: &mut Vec<Span>) {
    if to > from {
        spans.push(Span {
            phase: Phase::Control,
            from,
            to,
            pod: None,
        });
    }
}

fn push(phase: Phase, from: Micros, to: Micros, pod: &str, spans: &mut Vec<Span>) {
    if to > from {
        spans.push(Span {
            phase,
            from,
            to,
            pod: Some(pod.to_owned()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, release: Release, created: u64, available: u64) -> Life {
        let at = |s| Some(Micros::from_secs(s));
        Life {
            name: name.to_owned(),
            release,
            old: release == Release::Bad,
            created: Micros::from_secs(created),
            bound: at(created),
            began: at(created + 1),
            main: at(created + 1),
            answers: at(created + 3),
            ready: at(available - 2),
            available: at(available),
            deleted: (release == Release::Bad).then(|| Micros::from_secs(available)),
            gone: (release == Release::Bad).then(|| Micros::from_secs(available + 5)),
        }
    }

    fn told(spans: &[Span]) -> Vec<String> {
        let one = |it: &Span| {
            let pod = it.pod.as_deref().unwrap_or("-");
            let seconds = |at: Micros| at.0 / 1_000_000;
            format!(
                "{} {pod} {}-{}",
                it.phase.name(),
                seconds(it.from),
                seconds(it.to)
            )
        };
        spans.iter().map(one).collect()
    }

    #[test]
    fn a_rollout_that_is_complete_when_its_pods_are_ready_does_not_wait_until_they_are_available() {
        let pods = [
            pod("db-0", Release::Bad, 0, 2),
            pod("db-0", Release::Prior, 7, 30),
        ];
        let ends = Ends {
            complete: Micros::from_secs(29),
            traffic: Micros::from_secs(3),
            ends_first: true,
        };
        let expected = [
            "control - 0-2",
            "terminate db-0 2-7",
            "sandbox and pull db-0 7-8",
            "start db-0 8-10",
            "probe db-0 10-28",
            "control - 28-29",
        ];
        assert_eq!(told(&critical(&pods, &ends)), expected);
    }

    #[test]
    fn pods_that_wait_for_one_another_are_one_path() {
        let pods = [
            pod("a", Release::Prior, 1, 10),
            pod("b", Release::Prior, 11, 20),
            // It became available beside another one, and nobody waited for it.
            pod("c", Release::Prior, 11, 17),
        ];
        let ends = Ends {
            complete: Micros::from_secs(21),
            traffic: Micros::from_secs(12),
            ends_first: false,
        };
        let expected = [
            "control - 0-1",
            "sandbox and pull a 1-2",
            "start a 2-4",
            "probe a 4-8",
            "minReady a 8-10",
            "control - 10-11",
            "sandbox and pull b 11-12",
            "start b 12-14",
            "probe b 14-18",
            "minReady b 18-20",
            "control - 20-21",
        ];
        assert_eq!(told(&critical(&pods, &ends)), expected);
    }

    #[test]
    fn where_pods_are_stopped_first_their_end_is_on_the_path() {
        let pods = [
            pod("old", Release::Bad, 1, 2),
            pod("new", Release::Prior, 8, 15),
        ];
        let ends = Ends {
            complete: Micros::from_secs(15),
            traffic: Micros::from_secs(3),
            ends_first: true,
        };
        let path = told(&critical(&pods, &ends));
        let expected = ["control - 0-2", "terminate old 2-7", "control - 7-8"];
        assert_eq!(path[..3], expected);
        assert_eq!(path.last().map(String::as_str), Some("minReady new 13-15"));
    }

    #[test]
    fn traffic_that_ends_last_decides() {
        let pods = [
            pod("old", Release::Bad, 1, 10),
            pod("new", Release::Prior, 1, 9),
        ];
        let ends = Ends {
            complete: Micros::from_secs(11),
            traffic: Micros::from_secs(14),
            ends_first: false,
        };
        let path = told(&critical(&pods, &ends));
        let expected = ["minReady new 7-9", "control - 9-10", "terminate old 10-14"];
        assert_eq!(path[path.len() - 3..], expected);
    }

    #[test]
    fn the_path_has_no_gap() {
        let pods = [
            pod("a", Release::Prior, 2, 9),
            pod("b", Release::Prior, 9, 30),
        ];
        let ends = Ends {
            complete: Micros::from_secs(31),
            traffic: Micros::from_secs(31),
            ends_first: false,
        };
        let path = critical(&pods, &ends);
        assert_eq!(path[0].from, Micros::ZERO);
        assert_eq!(path.last().map(|it| it.to), Some(Micros::from_secs(31)));
        assert!(path.windows(2).all(|pair| pair[0].to == pair[1].from));
    }
}
