//! The processes in the pods.

use std::collections::VecDeque;

use dex::command::Command;
use dex::exposition::DURATION_BOUNDS;
use dex::gateway::{Gateway, TradingMode};
use dex::release::Build;
use dex::risk::Reconciler;

use super::mounts::Mounts;
use sim::time::Micros;
use sim::workload::{ContainerStart, LogLine};

/// Error lines that a pod writes in one second at most, and lines about maintenance.
const ERROR_LINES_PER_S: u16 = 20;
const MAINTENANCE_LINES_PER_S: u16 = 1;

/// How a gateway answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ok = 0,
    Rejected = 1,
    Maintenance = 2,
    Unavailable = 3,
    Internal = 4,
}

impl Answer {
    /// Labels `code` and `maintenance` of the request counter, in the order of the variants.
    pub(super) const LABELS: [(&'static str, &'static str); 5] = [
        ("200", "false"),
        ("400", "false"),
        ("503", "true"),
        ("503", "false"),
        ("500", "false"),
    ];
}

/// A request on its way from a gateway to the matching engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    /// When it gets there, in µs.
    pub(super) due: u64,
    /// Number of the request.
    pub(super) id: u64,
    /// When the gateway got it.
    pub(super) received: u64,
    pub(super) command: Command,
    /// Way of the answer to the client, in µs.
    pub(super) back_us: u32,
}

/// What a gateway process holds.
#[derive(Clone, Debug)]
pub(super) struct GatewayState {
    /// Index of the pod.
    pub(super) pod: usize,
    pub(super) gateway: Gateway,
    pub(super) mode: TradingMode,
    /// Which change of the halt flag it has seen.
    pub(super) mode_version: u64,
    /// When the kubelet writes a changed halt flag into the pod.
    pub(super) mounts: Mounts,
    pub(super) alive: bool,
    /// From here on the process no longer keeps connections open.
    pub(super) draining: bool,
    /// From here on it takes no more requests.
    pub(super) closes_at: u64,
    /// The process works on one request at a time, until here.
    pub(super) busy_until: u64,
    pub(super) hops: VecDeque<Hop>,
    pub(super) answers: [u64; 5],
    pub(super) durations: [u64; DURATION_BOUNDS.len() + 1],
    pub(super) duration_sum_us: u64,
}

impl GatewayState {
    /// Counts an answer that was written `us` after the request came.
    #[inline]
    pub(super) fn count(&mut self, answer: Answer, us: u64) {
        self.answers[answer as usize] += 1;
        let index = DURATION_BOUNDS
            .iter()
            .position(|(bound, _)| us <= *bound)
            .unwrap_or(DURATION_BOUNDS.len());
        self.durations[index] += 1;
        self.duration_sum_us += us;
    }
}

/// What a matching process holds.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchingState {
    pub(super) orders: u64,
    pub(super) trades: u64,
    /// Acknowledged entries of the log that its replay refused.
    pub(super) refused: u64,
}

/// What a risk process holds.
#[derive(Clone, Debug)]
pub(super) struct RiskState {
    pub(super) reconciler: Reconciler,
    pub(super) reported: u64,
}

/// The part of a process that depends on its service.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// Index into the gateways.
    Gateway(u32),
    Matching(MatchingState),
    Risk(Box<RiskState>),
    /// It does not come up.
    Broken,
}

/// A process: one start of a container.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) app: String,
    pub(super) build: Option<Build>,
    pub(super) role: Role,
    pub(super) instance: u64,
    pub(super) alive: bool,
    pub(super) ready: bool,
    pub(super) terminating: bool,
    /// It has said that it is not ready before the matching engine serves what it needs.
    pub(super) waits: bool,
    /// Why it cannot serve for good: it could not read the ledger.
    pub(super) failed: Option<String>,
    /// The process that ran in the pod before.
    pub(super) previous: Option<usize>,
    /// A reconnection to the database is on the event queue.
    pub(super) reconnecting: bool,
    pub(super) lines: Vec<LogLine>,
    /// What it may still write about refused requests.
    pub(super) lines_left: LineBudget,
}

impl Pod {
    pub(super) fn new(
        container: &ContainerStart,
        build: Option<Build>,
        role: Role,
        instance: u64,
    ) -> Self {
        Self {
            namespace: container.namespace.clone(),
            name: container.pod.clone(),
            uid: container.uid.clone(),
            app: container.app.clone(),
            build,
            role,
            instance,
            alive: true,
            ready: false,
            terminating: false,
            waits: false,
            failed: None,
            previous: None,
            reconnecting: false,
            lines: Vec::new(),
            lines_left: LineBudget::default(),
        }
    }
}

/// How many lines about refused requests a process has written in one second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LineBudget {
    second: u64,
    errors: u16,
    maintenance: u16,
}

impl LineBudget {
    /// Whether another line about a request that was refused with `answer` may be written at `at`.
    pub(super) fn take(&mut self, at: Micros, answer: Answer) -> bool {
        let second = at.0 / 1_000_000;
        if self.second != second {
            *self = Self {
                second,
                ..Self::default()
            };
        }
        let (used, limit) = if answer == Answer::Maintenance {
            (&mut self.maintenance, MAINTENANCE_LINES_PER_S)
        } else {
            (&mut self.errors, ERROR_LINES_PER_S)
        };
        let may = *used < limit;
        *used += u16::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, LineBudget, Micros};

    /// What a matching engine held back for minutes can be refused within one second.
    #[test]
    fn a_second_of_any_number_of_refusals_has_its_lines_and_no_more() {
        let mut budget = LineBudget::default();
        let mut lines = |answer, second: u64, refusals: u32| {
            (0..refusals)
                .filter(|_| budget.take(Micros(second * 1_000_000), answer))
                .count()
        };
        assert_eq!(lines(Answer::Internal, 7, 200_000), 20);
        assert_eq!(lines(Answer::Maintenance, 7, 200_000), 1);
        assert_eq!(
            lines(Answer::Unavailable, 7, 1),
            0,
            "errors share one budget"
        );
        assert_eq!(lines(Answer::Unavailable, 8, 30), 20);
    }
}
