//! The processes in the pods.

use std::collections::VecDeque;

use dex::command::Command;
use dex::exposition::DURATION_BOUNDS;
use dex::gateway::{Gateway, TradingMode};
use dex::release::Build;
use dex::risk::Reconciler;

use super::mounts::Mounts;
use super::role::Role;
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
    /// Why it cannot serve for good: it could not read the ledger.
    pub(super) failed: Option<String>,
    /// The process that ran in the pod before.
    pub(super) previous: Option<usize>,
    /// A reconnection to the database is on the event queue.
    pub(super) reconnecting: bool,
    pub(super) lines: Vec<LogLine>,
    /// Second of the line budgets, and what is used up of them.
    budget_second: u64,
    error_lines: u16,
    maintenance_lines: u16,
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
            failed: None,
            previous: None,
            reconnecting: false,
            lines: Vec::new(),
            budget_second: u64::MAX,
            error_lines: 0,
            maintenance_lines: 0,
        }
    }

    /// Whether the pod may write another line about a refused request at `at`.
    pub(super) fn may_write(&mut self, at: Micros, answer: Answer) -> bool {
        let second = at.0 / 1_000_000;
        if self.budget_second != second {
            self.budget_second = second;
            self.error_lines = 0;
            self.maintenance_lines = 0;
        }
        let (used, limit) = if answer == Answer::Maintenance {
            (&mut self.maintenance_lines, MAINTENANCE_LINES_PER_S)
        } else {
            (&mut self.error_lines, ERROR_LINES_PER_S)
        };
        *used += 1;
        *used <= limit
    }
}
