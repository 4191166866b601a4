//! A forecast in words, the same in the table, on the page and in a comment.

use super::answer::{Undo, Workload, Worth};
use super::path::Phase;
use super::processes::Bad;
use crate::stats::{show_ms, show_permille, show_tenths};

/// What is wrong with the release that is undone.
#[must_use]
pub(super) fn case(of: Bad) -> &'static str {
    match of {
        Bad::Wrong => "its pods work and are wrong",
        Bad::NeverReady => "its pods never become ready",
    }
}

/// How many pods a workload has, and how they are replaced.
#[must_use]
pub(super) fn pods(workload: &Workload) -> String {
    let Workload {
        replicas,
        surge,
        unavailable,
        ..
    } = workload;
    if workload.ordered {
        format!("{replicas} pods, one after the other")
    } else {
        format!("{replicas} pods, surge {surge}, unavailable {unavailable}")
    }
}

/// A time, or that there is none.
#[must_use]
pub fn time(ms: Option<u64>) -> String {
    ms.map_or_else(|| "never".to_owned(), show_ms)
}

/// The share of the draws over the RTO.
#[must_use]
pub(super) fn over(undo: &Undo) -> String {
    show_permille(undo.over_rto_permille.into())
}

/// What decides, the longest first: `probe 18.2 s, start 6.100 s`. Phases of less than a tenth of a second are left
/// out.
#[must_use]
pub(super) fn decides(undo: &Undo) -> String {
    let mut phases: Vec<(Phase, u64)> = undo
        .phases
        .iter()
        .map(|it| (it.phase, it.mean_ms))
        .filter(|(_, ms)| *ms >= 100)
        .collect();
    phases.sort_by_key(|(phase, ms)| (std::cmp::Reverse(*ms), *phase));
    let words: Vec<String> = phases
        .iter()
        .map(|(phase, ms)| format!("{} {}", phase.name(), show_ms(*ms)))
        .collect();
    if words.is_empty() {
        return undo
            .why_never
            .clone()
            .unwrap_or_else(|| "nothing takes long".to_owned());
    }
    words.join(", ")
}

/// The pods on the critical path of the typical draw, as a number in words.
#[must_use]
pub(super) fn pods_on_path(undo: &Undo) -> Option<String> {
    let chart = undo.typical.as_ref()?;
    let deciding = chart.rows.iter().filter(|row| row.decides).count();
    match deciding {
        0 => None,
        1 => Some("one pod decides".to_owned()),
        n => Some(format!("{n} pods decide, one after another")),
    }
}

/// What a line of YAML is worth: `readinessProbe.periodSeconds: 10 -> 2 saves 31.0 s (29.0 s to 33.0 s)`.
#[must_use]
pub(super) fn worth(worth: &Worth) -> String {
    format!(
        "{}: {} -> {} {} {} ({} to {})",
        worth.field,
        worth.from,
        worth.to,
        if worth.saves_ms < 0 { "costs" } else { "saves" },
        show_tenths(worth.saves_ms.abs()),
        show_tenths(worth.least_ms.abs().min(worth.most_ms.abs())),
        show_tenths(worth.least_ms.abs().max(worth.most_ms.abs())),
    )
}
