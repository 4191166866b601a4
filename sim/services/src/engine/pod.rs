//! A pod: its workers, its queue, what it counted and what it wrote.

use std::collections::VecDeque;

use sim::application::PodLogLine;
use sim::time::Micros;
use sim::workload::{ContainerStart, LogLine};

use super::behaviour::Behaviour;
use crate::metrics::Counts;

/// Lines of a process that are kept.
const LINES_MAX: usize = 500;
/// Lines about failed requests in one second, at most.
const COMPLAINTS_MAX: u32 = 3;

/// The serving process of a pod, from its start until it is gone.
pub(super) struct Pod {
    pub(super) service: usize,
    pub(super) container: ContainerStart,
    pub(super) behaviour: Behaviour,
    /// From when on it listens.
    pub(super) listens_at: Micros,
    pub(super) is_gone: bool,
    /// Requests that it works on, by their position in the slab.
    pub(super) active: Vec<u32>,
    /// Requests that wait.
    pub(super) waiting: VecDeque<u32>,
    pub(super) counts: Counts,
    /// Answers when it last wrote how many there were.
    pub(super) told: u64,
    lines: VecDeque<LogLine>,
    complained: (u64, u32),
}

impl Pod {
    pub(super) fn new(
        service: usize,
        container: &ContainerStart,
        behaviour: Behaviour,
        listens_at: Micros,
    ) -> Self {
        Self {
            service,
            container: container.clone(),
            behaviour,
            listens_at,
            is_gone: false,
            active: Vec::new(),
            waiting: VecDeque::new(),
            counts: Counts::default(),
            told: 0,
            lines: VecDeque::new(),
            complained: (0, 0),
        }
    }

    pub(super) fn listens(&self, now: Micros) -> bool {
        !self.is_gone && self.listens_at <= now
    }

    /// Writes a line.
    pub(super) fn log(
        &mut self,
        at: Micros,
        level: &'static str,
        text: String,
        outbox: &mut Vec<PodLogLine>,
    ) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(LogLine {
            at,
            text: format!("{level} {text}"),
        });
        outbox.push(PodLogLine::of(&self.container, level, at, text));
    }

    /// Writes a line about a failed request, unless there are many.
    pub(super) fn complain(&mut self, at: Micros, text: &str, outbox: &mut Vec<PodLogLine>) {
        let second = at.0 / 1_000_000;
        if self.complained.0 != second {
            self.complained = (second, 0);
        }
        self.complained.1 += 1;
        if self.complained.1 <= COMPLAINTS_MAX {
            self.log(at, "error", text.to_owned(), outbox);
        }
    }

    /// Its lines from `since` on.
    pub(super) fn lines(&self, since: Micros) -> Vec<LogLine> {
        let lines = self.lines.iter().filter(|line| line.at >= since);
        lines.cloned().collect()
    }
}
