//! From a document to a [`Runbook`], and what only shows in the whole: budgets, names used twice, snapshots
//! that nobody takes.

use std::time::Duration;

use super::command::Command;
use super::front_matter::TriggerPlace;
use super::model::{MIGRATIONS, Phase, Runbook, Step, When};
use super::naming::Naming;
use super::source::{Findings, RunbookErrors, digest};
use super::step::{self, Place};
use super::{document, front_matter, lint, suggest};
use crate::workload::WorkloadKind;

impl Runbook {
    /// Reads a runbook; `name` is what messages call it, usually the file's name.
    ///
    /// # Errors
    /// Every mistake in it, each with its place and a remedy. A runbook with a mistake is refused as a whole.
    pub fn parse(name: &str, text: &str) -> Result<Self, RunbookErrors> {
        let mut findings = Findings::new(text);
        let runbook = read(text, &mut findings);
        match runbook {
            Some((runbook, _)) if findings.error_count() == 0 => Ok(runbook),
            _ => Err(RunbookErrors::new(name, text, findings.into_sorted())),
        }
    }

    /// What a rollback takes if each step uses its whole budget, on the way that takes the longest: with the steps that
    /// always run, and those of the undo or of the restore. A runbook whose RTO is shorter is refused.
    #[must_use]
    pub fn longest_way(&self) -> Duration {
        let services = self.services.len();
        let sums = PATHS.map(|(_, when)| path_budget(&self.steps, services, when).1);
        sums.into_iter().max().unwrap_or_default()
    }

    /// Reads a runbook as [`Runbook::parse`] does, and also looks for what is legal and unwise.
    ///
    /// # Errors
    /// As [`Runbook::parse`].
    pub fn parse_and_lint(name: &str, text: &str) -> Result<lint::Parsed, RunbookErrors> {
        let mut findings = Findings::new(text);
        let runbook = read(text, &mut findings);
        match runbook {
            Some((runbook, places)) if findings.error_count() == 0 => {
                lint::check(&runbook, &places, &mut findings);
                Ok(lint::Parsed::new(
                    name,
                    text,
                    runbook,
                    findings.into_sorted(),
                ))
            }
            _ => Err(RunbookErrors::new(name, text, findings.into_sorted())),
        }
    }
}

/// Where the parts of a runbook stand.
pub(super) struct Places {
    /// The steps, in order.
    pub(super) steps: Vec<Place>,
    /// The triggers, in order.
    pub(super) triggers: Vec<TriggerPlace>,
}

fn read(text: &str, findings: &mut Findings<'_>) -> Option<(Runbook, Places)> {
    let (front, body) = front_matter::read(text, findings);
    let document = document::read(text, body, findings);
    if document
        .title
        .as_ref()
        .is_none_or(|title| title.value.is_empty())
    {
        let span = document
            .title
            .as_ref()
            .map_or(body..body, |it| it.span.clone());
        findings.error(
            "title-missing",
            span,
            "the runbook has no title",
            "expected a heading",
            "begin the text with `# Title`; headings are the titles of the steps",
        );
    }
    let mut steps = Vec::new();
    let mut places = Vec::new();
    for block in &document.blocks {
        if let Some((step, place)) = step::read(text, block, &front, findings) {
            steps.push(step);
            places.push(place);
        }
    }
    if document.blocks.is_empty() && findings.error_count() == 0 {
        findings.error(
            "steps-missing",
            body..body,
            "the runbook has no steps",
            "no `sh` block from here on",
            "each step is a fenced `sh` block with attributes",
        );
    }
    names_are_unique(&steps, &places, findings);
    snapshots_exist(&steps, &places, findings);
    if let Some(rto) = front.rto {
        let services = front.services.as_ref().map_or(1, Vec::len);
        budgets_fit(rto, services, &steps, &places, findings);
    }
    let runbook = Runbook {
        title: document.title?.value,
        digest: digest(text),
        rto: front.rto?,
        rpo_records: front.rpo?,
        validation_window: front.validation_window?,
        namespace: front.namespace?,
        services: front.services?,
        prometheus: front.prometheus?,
        loki: front.loki,
        migrations: front.migrations.unwrap_or(MIGRATIONS.to_owned()),
        naming: Naming {
            halts: front.halts.unwrap_or(Naming::default().halts),
            records: front.records.unwrap_or(Naming::default().records),
            log: front.log.unwrap_or(Naming::default().log),
        },
        triggers: front.triggers?,
        steps,
    };
    let places = Places {
        steps: places,
        triggers: front.trigger_places,
    };
    Some((runbook, places))
}

fn names_are_unique(steps: &[Step], places: &[Place], findings: &mut Findings<'_>) {
    for (index, step) in steps.iter().enumerate() {
        if let Some(first) = steps[..index].iter().find(|it| it.name == step.name) {
            findings.error(
                "name-duplicate",
                places[index].name.clone(),
                format!("a second step is named `{}`", step.name),
                format!("the first one is on line {}", first.line),
                "the journal goes by names: give each step its own",
            );
        }
    }
}

/// What is restored must have been taken.
fn snapshots_exist(steps: &[Step], places: &[Place], findings: &mut Findings<'_>) {
    let taken: Vec<&str> = steps
        .iter()
        .filter_map(|step| match &step.command {
            Command::Snapshot { name } if step.phase == Phase::Prepare => Some(name.as_str()),
            _ => None,
        })
        .collect();
    for (step, place) in steps.iter().zip(places) {
        if let (Command::RestoreSnapshot { name }, Some(snapshot)) =
            (&step.command, &place.snapshot)
            && !taken.contains(&name.as_str())
        {
            findings.error(
                "snapshot-unknown",
                snapshot.span.clone(),
                format!("no step of the phase `prepare` takes a snapshot `{name}`"),
                "nothing to restore from",
                if taken.is_empty() {
                    format!(
                        "add a step `rollback db snapshot --name {name}` to the phase `prepare`"
                    )
                } else {
                    suggest::help(name, &taken)
                },
            );
        }
    }
}

/// The ways through the phase `run`: what the ledger needs.
pub(super) const PATHS: [(&str, &[When]); 3] = [
    ("the steps that always run", &[When::Always]),
    (
        "the steps of the undo path",
        &[When::Always, When::LedgerBreaking, When::LedgerUndo],
    ),
    (
        "the steps of the restore path",
        &[When::Always, When::LedgerBreaking, When::LedgerRestore],
    ),
];

/// What a step may take: its timeout, once for each service if it runs for each.
fn budget(step: &Step, services: usize) -> Duration {
    let times = if step.for_each_service { services } else { 1 };
    step.timeout
        .saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
}

/// The sum of the budgets of the steps `at`. A service is of one kind, which is not known here: of steps that are for
/// one kind of workload only, those of the kind that takes the longest count.
pub(super) fn total(steps: &[Step], services: usize, at: impl Iterator<Item = usize>) -> Duration {
    let at: Vec<usize> = at.collect();
    let sum = |is_counted: &dyn Fn(&Step) -> bool| {
        let counted = at.iter().map(|at| &steps[*at]).filter(|it| is_counted(it));
        counted.fold(Duration::ZERO, |sum, step| {
            sum.saturating_add(budget(step, services))
        })
    };
    let for_all = |step: &Step| WorkloadKind::ALL.iter().all(|kind| step.is_for(*kind));
    let of_one = WorkloadKind::ALL.map(|kind| sum(&|step| !for_all(step) && step.is_for(kind)));
    let longest = of_one.into_iter().max().unwrap_or_default();
    sum(&for_all).saturating_add(longest)
}

/// Steps of a path with the sum of their budgets.
pub(super) fn path_budget(
    steps: &[Step],
    services: usize,
    when: &[When],
) -> (Vec<usize>, Duration) {
    let chosen: Vec<usize> = (0..steps.len())
        .filter(|at| steps[*at].phase == Phase::Run && when.contains(&steps[*at].when))
        .collect();
    let sum = total(steps, services, chosen.iter().copied());
    (chosen, sum)
}

/// The budgets of a path fit into the RTO; the first one that doesn't is reported.
fn budgets_fit(
    rto: Duration,
    services: usize,
    steps: &[Step],
    places: &[Place],
    findings: &mut Findings<'_>,
) {
    let is_run = |step: &&Step| step.phase == Phase::Run;
    if steps.iter().filter(is_run).any(|step| step.timeout > rto) {
        return; // Said already, at that step.
    }
    for (what, when) in PATHS {
        let (chosen, sum) = path_budget(steps, services, when);
        let largest = chosen
            .into_iter()
            .max_by_key(|at| budget(&steps[*at], services));
        if let Some(largest) = largest.filter(|_| sum > rto) {
            findings.error(
                "budget",
                places[largest].timeout.clone(),
                format!(
                    "{what} may take {} together, more than the RTO of {}",
                    suggest::show(sum),
                    suggest::show(rto)
                ),
                format!(
                    "`{}` has the largest budget: {}{}",
                    steps[largest].name,
                    suggest::show(steps[largest].timeout),
                    if steps[largest].for_each_service {
                        format!(" for each of {services} services")
                    } else {
                        String::new()
                    }
                ),
                format!(
                    "shorten budgets by {} in all, this one first",
                    suggest::show(sum - rto)
                ),
            );
            return;
        }
    }
}
