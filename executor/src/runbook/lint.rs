//! What is legal in a runbook and unwise. It doesn't keep a runbook from being loaded: a changed one must
//! run in drills, which judge it by what happens.

mod queries;
mod reach;
mod time;

use std::ops::Range;

use self::queries::Unwise;
use self::reach::Vacuous;
use super::command::{COMMANDS, Command, Effect, Kind, OnLedger};
use super::front_matter::TriggerPlace;
use super::model::{Condition, Phase, Runbook, When};
use super::parse::Places;
use super::source::{Findings, Mistake, RunbookErrors, plain};
use super::step::Place;
use super::suggest;
use crate::workload::WorkloadKind;

/// Requests that bound an error rate below 0.01 % at 95 % if none of them fails (rule of three).
const REQUESTS_MIN: u64 = 30_000;

/// A runbook, and what is unwise about it.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The runbook.
    pub runbook: Runbook,
    warnings: RunbookErrors,
}

impl Parsed {
    pub(super) fn new(name: &str, text: &str, runbook: Runbook, warnings: Vec<Mistake>) -> Self {
        Self {
            runbook,
            warnings: RunbookErrors::new(name, text, warnings),
        }
    }

    /// The warnings, in the order of the text.
    #[must_use]
    pub fn warnings(&self) -> &[Mistake] {
        self.warnings.mistakes()
    }

    /// The warnings as one miette `Diagnostic` that carries the text; `None` if there are none.
    #[must_use]
    pub fn diagnostic(&self) -> Option<&RunbookErrors> {
        (!self.warnings().is_empty()).then_some(&self.warnings)
    }

    /// The warnings as plain text.
    #[must_use]
    pub fn plain(&self) -> String {
        plain(self.warnings.name(), self.warnings())
    }
}

/// Notes what is unwise in `runbook`, whose parts stand at `places`.
pub(super) fn check(runbook: &Runbook, places: &Places, findings: &mut Findings<'_>) {
    let mut lint = Lint {
        runbook,
        places: &places.steps,
        findings,
    };
    lint.triggers(&places.triggers);
    lint.missed();
    lint.phases();
    lint.undo();
    lint.ledger();
    lint.followed();
    lint.logs();
    lint.verification();
    lint.steps_queries();
    lint.holds();
    lint.requests();
    lint.order();
    lint.budgets();
}

struct Lint<'a, 'f, 't> {
    runbook: &'a Runbook,
    places: &'a [Place],
    findings: &'f mut Findings<'t>,
}

impl Lint<'_, '_, '_> {
    /// Indexes of the steps of `phase` whose command satisfies `test`.
    fn at(&self, phase: Phase, test: impl Fn(&Command) -> bool) -> Vec<usize> {
        let steps = &self.runbook.steps;
        (0..steps.len())
            .filter(|at| steps[*at].phase == phase && test(&steps[*at].command))
            .collect()
    }

    fn run(&self, test: impl Fn(&Command) -> bool) -> Vec<usize> {
        self.at(Phase::Run, test)
    }

    fn warn_at(&mut self, at: usize, code: &'static str, message: &str, label: &str, help: &str) {
        let span = self.places[at].command.clone();
        self.findings.warning(code, span, message, label, help);
    }

    /// About the whole document: shown at the first step.
    fn warn(&mut self, code: &'static str, message: &str, help: &str) {
        let span = self.places.first().map_or(0..0, |it| it.opening.clone());
        self.findings
            .warning(code, span, message, "in this runbook", help);
    }

    fn triggers(&mut self, places: &[TriggerPlace]) {
        let runbook = self.runbook;
        for (trigger, place) in runbook.triggers.iter().zip(places) {
            if trigger.hold_for > runbook.validation_window {
                let message = format!(
                    "`{}` must hold for {}, and the validation window ends after {}",
                    trigger.name,
                    suggest::show(trigger.hold_for),
                    suggest::show(runbook.validation_window)
                );
                self.findings.warning(
                    "trigger-never-fires",
                    place.hold_for.clone(),
                    message,
                    "longer than the validation window",
                    "shorten it, or let the validation window last longer: this trigger can't fire within it",
                );
            }
            let vacuous = reach::of(&trigger.query, &runbook.namespace, trigger.condition);
            if vacuous == Some(Vacuous::Never) {
                self.findings.warning(
                    "trigger-never-fires",
                    place.query.clone(),
                    format!("no value of this query is {}", trigger.condition),
                    "can't fire",
                    "compare it with a value that it can have; a share is between 0 and 1",
                );
            }
            let unwise = queries::of_promql(&trigger.query, &runbook.namespace);
            for it in unwise {
                self.unwise(&it, place.query.clone(), true);
            }
        }
    }

    /// The queries of steps, and those that count requests.
    fn steps_queries(&mut self) {
        let runbook = self.runbook;
        for (step, place) in runbook.steps.iter().zip(self.places) {
            let asked = match &step.command {
                Command::PromQuery { query } => queries::of_promql(query, &runbook.namespace),
                Command::LogQuery { query } => queries::of_logql(query, &runbook.namespace),
                _ => Vec::new(),
            };
            for it in asked {
                self.unwise(&it, place.command.clone(), false);
            }
            if let (Command::PromQuery { query }, Some(expect)) = (&step.command, step.expect)
                && let Some(vacuous) = reach::of(query, &runbook.namespace, expect)
            {
                self.vacuous(vacuous, expect, place.command.clone());
            }
            if let (Some(counted), Some(span)) = (&step.count_query, &place.requests) {
                for it in queries::of_promql(counted, &runbook.namespace) {
                    self.unwise(&it, span.clone(), false);
                }
            }
        }
    }

    /// A proof whose comparison shows nothing.
    fn vacuous(&mut self, vacuous: Vacuous, expect: Condition, span: Range<usize>) {
        let (code, message, help) = match vacuous {
            Vacuous::Always => (
                "vacuous-proof",
                format!("every value of this query is {expect}: the step can't fail"),
                "compare it with a value that it has when something is wrong; a share is between 0 and 1",
            ),
            Vacuous::Never => (
                "proof-never-holds",
                format!("no value of this query is {expect}: the step can't succeed"),
                "compare it with a value that it has when all is well; a share is between 0 and 1",
            ),
            Vacuous::WithoutData => (
                "vacuous-proof",
                format!("without data this query is {expect}, as a constant stands for them"),
                "take the constant behind `or` away: missing data must not prove a recovery. Where a counter may not \
                 exist yet, write `or 0 * sum(…)` of one that does",
            ),
        };
        self.findings
            .warning(code, span, message, "shows nothing", help);
    }

    fn unwise(&mut self, unwise: &Unwise, span: Range<usize>, in_trigger: bool) {
        let namespace = &self.runbook.namespace;
        match unwise {
            Unwise::Namespace(other) => {
                let help = match suggest::closest(other, [namespace.as_str()]) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("write `{namespace}`, unless it is meant"),
                };
                let message = format!(
                    "this query asks about the namespace `{other}`, not `{namespace}` of the front matter"
                );
                let span = self.findings.within(span, other);
                self.findings
                    .warning("query-namespace", span, message, "another namespace", help);
            }
            Unwise::RateOfSum(function) => {
                let span = self.findings.within(span, function);
                self.findings.warning(
                    "rate-of-sum",
                    span,
                    format!("`{function}` is taken of a sum"),
                    "after the counters were added up",
                    format!(
                        "write `sum({function}(…))`: a pod that restarts makes the sum smaller, as if all had begun anew"
                    ),
                );
            }
            Unwise::TwoSamples(function) if in_trigger => {
                let span = self.findings.within(span, function);
                self.findings.warning(
                    "trigger-two-samples",
                    span,
                    format!("`{function}` looks at the last two samples only"),
                    "in a trigger",
                    "write `rate` or `delta` over several scrapes: one late sample would make a rollback mandatory",
                );
            }
            Unwise::TwoSamples(_) => {}
        }
    }

    /// What a phase doesn't carry out: before a deployment the release is recorded and snapshots are taken, nothing
    /// else; afterwards it is too late for both.
    fn phases(&mut self) {
        for at in 0..self.runbook.steps.len() {
            let step = &self.runbook.steps[at];
            let prepares = step.command.spec().effect == Effect::Prepares;
            match (step.phase, prepares) {
                (Phase::Prepare, false) => self.warn_at(
                    at,
                    "prepare-ignored",
                    "this step is not carried out: before a deployment nothing is done but to record and to copy",
                    "in the phase `prepare`",
                    "write `\"rb.phase\":\"run\"` if it belongs to the rollback",
                ),
                (Phase::Run | Phase::After, true) => self.warn_at(
                    at,
                    "recorded-late",
                    "this step fails: in a rollback it is too late for it",
                    "not in the phase `prepare`",
                    "write `\"rb.phase\":\"prepare\"`",
                ),
                _ => {}
            }
        }
    }

    /// Commands without which a rollback comes to harm, in the order in which one uses them.
    fn missed(&mut self) {
        let mut commands: Vec<_> = COMMANDS.iter().collect();
        commands.sort_by_key(|it| it.effect);
        for spec in commands {
            let phase = match spec.effect {
                Effect::Prepares => Phase::Prepare,
                _ => Phase::Run,
            };
            if let Some(missed) = spec.missed
                && self.at(phase, |it| it.kind() == spec.kind).is_empty()
            {
                self.warn(missed.code, missed.message, missed.help);
            }
        }
    }

    /// What must come after a command, whenever that is done.
    fn followed(&mut self) {
        for phase in [Phase::Run, Phase::After] {
            for at in self.at(phase, |it| it.spec().followed.is_some()) {
                let Some(followed) = self.runbook.steps[at].command.spec().followed else {
                    continue;
                };
                let first_of = |kind| {
                    let of_kind = self.at(phase, |it| it.kind() == kind);
                    of_kind.into_iter().find(|it| *it > at)
                };
                let later = self.at(phase, |it| it.kind() == followed.by);
                let later = later
                    .into_iter()
                    .find(|it| *it > at && self.covers(*it, at));
                let limit = followed
                    .ahead_of
                    .and_then(|(kind, why)| Some((first_of(kind)?, why)));
                let message = match (later, limit) {
                    (None, _) => followed.message,
                    (Some(later), Some((limit, why))) if later > limit => why,
                    (Some(_), _) => continue,
                };
                self.warn_at(at, followed.code, message, followed.label, followed.help);
            }
        }
    }

    fn undo(&mut self) {
        let undos = self.run(|it| it.kind() == Kind::RolloutUndo);
        for at in undos {
            self.broken_pods(at);
            if self.runbook.steps[at].command == (Command::RolloutUndo { pinned: false }) {
                self.warn_at(
                    at,
                    "undo-not-pinned",
                    "this undo goes to the second-highest revision, whatever that is",
                    "not pinned",
                    "repeated after a crash it returns to the bad release: add `--to-revision=$TARGET_REVISION`",
                );
            }
        }
    }

    /// A StatefulSet's undo may wait for ever for a pod of the bad release that never becomes ready.
    fn broken_pods(&mut self, undo: usize) {
        let stateful = |at: usize| {
            self.runbook.steps[at]
                .kinds
                .contains(&WorkloadKind::StatefulSet)
        };
        let deletes = self.run(|it| it.kind() == Kind::DeleteBrokenPods);
        if stateful(undo) && !deletes.iter().any(|at| *at > undo) {
            self.warn_at(
                undo,
                "no-broken-pods",
                "nothing deletes the broken pods of the release that is taken back",
                "a StatefulSet waits for them",
                "with `OrderedReady` the undo does not get past a pod that never becomes ready (kubernetes#67250): add \
                 `kubectl delete pods -l 'app=$SERVICE,controller-revision-hash in ($BAD_REVISIONS)'` after it",
            );
        }
    }

    fn ledger(&mut self) {
        let changes =
            self.run(|it| matches!(it.spec().ledger, OnLedger::Rewrites | OnLedger::Extends));
        let fences = self.run(|it| it.kind() == Kind::Fence);
        let unfences = self.run(|it| it.kind() == Kind::Unfence);
        for at in &changes {
            let fenced = fences
                .iter()
                .any(|fence| fence < at && self.covers(*fence, *at));
            let opened = unfences.iter().any(|unfence| unfence < at);
            if !fenced || opened {
                self.warn_at(
                    *at,
                    "ledger-not-fenced",
                    "the ledger is changed while the application may write to it",
                    "no fence before it",
                    "put `rollback db fence` before it and `rollback db unfence` after it",
                );
            }
        }
    }

    /// Whether step `a` runs whenever step `b` does.
    fn covers(&self, a: usize, b: usize) -> bool {
        let (a, b) = (self.runbook.steps[a].when, self.runbook.steps[b].when);
        a == b
            || a == When::Always
            || (a == When::LedgerBreaking && matches!(b, When::LedgerUndo | When::LedgerRestore))
    }

    fn logs(&mut self) {
        let dumps = self.run(|it| it.kind() == Kind::DumpLogs);
        let undos = self.run(|it| it.kind() == Kind::RolloutUndo);
        let Some(first_undo) = undos.first() else {
            return;
        };
        if dumps.is_empty() {
            self.warn_at(
                *first_undo,
                "logs-lost",
                "nothing dumps the bad release's logs",
                "its pods go here",
                "add `kubectl logs` before this step",
            );
        } else if dumps.iter().all(|dump| dump > first_undo) {
            self.warn_at(
                dumps[0],
                "logs-late",
                "the logs are dumped after the undo",
                "the bad release's pods may be gone",
                "move it before `kubectl rollout undo`",
            );
        }
    }

    fn verification(&mut self) {
        let queries = self.run(|it| it.kind() == Kind::PromQuery);
        let most = queries
            .iter()
            .filter_map(|at| self.runbook.steps[*at].min_requests)
            .max()
            .unwrap_or(0);
        if let Some(first) = queries.first().filter(|_| most < REQUESTS_MIN) {
            self.warn_at(
                *first,
                "too-few-requests",
                "too little traffic is asked for to tell a rate of 0.01 %",
                "no query waits for 30000 requests",
                "add `\"rb.min-requests\":\"30000\"`: by the rule of three that bounds the rate at 95 %",
            );
        }
        let steps = &self.runbook.steps;
        let text = |at: usize| steps[at].command.query().unwrap_or_default();
        // A query ahead of every one that uses `$WINDOW` is part of what recovery waits for.
        let proof = queries.iter().find(|at| text(**at).contains("$WINDOW"));
        let proof = proof.copied().unwrap_or(0);
        for at in queries.into_iter().filter(|at| *at >= proof) {
            if text(at).contains('[') && !text(at).contains("$WINDOW") {
                self.warn_at(
                    at,
                    "fixed-window",
                    "this window may reach back before the recovery",
                    "a fixed window",
                    "write `[$WINDOW]`: the time since the recovery",
                );
            }
        }
    }

    /// The application comes after the schema, and traffic before its verification.
    fn order(&mut self) {
        let changes = self.run(|it| it.spec().ledger == OnLedger::Rewrites);
        let undos = self.run(|it| it.kind() == Kind::RolloutUndo);
        if let (Some(last_change), Some(first_undo)) = (changes.last(), undos.first())
            && first_undo < last_change
        {
            self.warn_at(
                *first_undo,
                "application-first",
                "the application is rolled back before the ledger",
                "the old code would meet new rows here",
                "move it after the undo or restore of the ledger",
            );
        }
    }
}
