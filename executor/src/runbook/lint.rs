//! What is legal in a runbook and unwise. It doesn't keep a runbook from being loaded: a changed one must
//! run in drills, which judge it by what happens.

mod queries;

use std::fmt;
use std::ops::Range;

use self::queries::Unwise;
use super::front_matter::TriggerPlace;
use super::model::{Command, OnFail, Phase, Runbook, When};
use super::parse::{PATHS, Places, path_budget, total};
use super::source::{Findings, Mistake, RunbookErrors, plain};
use super::step::Place;
use super::suggest;

/// Requests that bound an error rate below 0.01 % at 95 % if none of them fails (rule of three).
const REQUESTS_MIN: u64 = 30_000;
/// More requests a second than this are not to be counted on: few exchanges have them at any hour.
const RATE_MAX: u64 = 1_000;

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
    lint.prepare();
    lint.phases();
    lint.undo();
    lint.ledger();
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
            if let (Some(counted), Some(span)) = (&step.count_query, &place.requests) {
                for it in queries::of_promql(counted, &runbook.namespace) {
                    self.unwise(&it, span.clone(), false);
                }
            }
        }
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

    /// What a phase doesn't carry out: before a deployment the release is recorded and snapshots are taken, nothing else;
    /// afterwards it is too late for both.
    fn phases(&mut self) {
        for at in 0..self.runbook.steps.len() {
            let step = &self.runbook.steps[at];
            let prepares = matches!(
                step.command,
                Command::RecordRelease | Command::Snapshot { .. }
            );
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

    /// What must hold for as long as its step may take can't have begun to hold.
    fn holds(&mut self) {
        let runbook = self.runbook;
        for (step, place) in runbook.steps.iter().zip(self.places) {
            if let (Some(hold), Some(span)) = (step.hold, &place.hold)
                && hold >= step.timeout
            {
                let message = format!(
                    "`{}` must hold for {}, and its budget is {}",
                    step.name,
                    suggest::show(hold),
                    suggest::show(step.timeout)
                );
                self.findings.warning(
                    "hold-too-long",
                    span.clone(),
                    message,
                    "can't be over within `rb.timeout`",
                    "shorten it, or give the step a larger budget",
                );
            }
        }
    }

    /// Windows that can't hold the requests which are waited for.
    fn requests(&mut self) {
        let runbook = self.runbook;
        let services = runbook.services.len();
        let always: Vec<usize> = path_budget(&runbook.steps, services, &[When::Always]).0;
        for (at, (step, place)) in runbook.steps.iter().zip(self.places).enumerate() {
            let (Some(wanted), Some(counted)) = (step.min_requests, &step.count_query) else {
                continue;
            };
            if let Some(span) = place
                .requests
                .clone()
                .filter(|_| !counted.contains("$WINDOW"))
            {
                self.findings.warning(
                    "requests-window",
                    span,
                    "the requests are counted in a window that doesn't begin with the recovery",
                    "without `$WINDOW`",
                    "write `[$WINDOW]`: a longer one counts requests of the bad release, a shorter one may never hold enough",
                );
            }
            if step.phase != Phase::Run {
                continue;
            }
            // The window begins before the first step that uses it, and may last until the RTO, less what comes after.
            let uses = |at: &usize| {
                let step = &runbook.steps[*at];
                step.text.contains("$WINDOW") || step.count_query.is_some()
            };
            let first = always.iter().copied().find(|at| uses(at)).unwrap_or(at);
            let is_other = |other: &usize| *other < first || *other > at;
            let others = always.iter().filter(|other| is_other(other));
            let others = total(&runbook.steps, services, others.copied());
            let longest = runbook.rto.saturating_sub(others).as_secs().max(1);
            let rate = wanted.div_ceil(longest);
            if let Some(span) = place.min_requests.clone().filter(|_| rate > RATE_MAX) {
                self.findings.warning(
                    "requests-too-many",
                    span,
                    format!(
                        "{wanted} requests take {rate} a second: within the RTO this window lasts {longest}s at most"
                    ),
                    "more than most exchanges have",
                    "ask for fewer: 30000 without an error bound the error rate below 0.01 %",
                );
            }
        }
    }

    fn prepare(&mut self) {
        if self
            .at(Phase::Prepare, |it| matches!(it, Command::RecordRelease))
            .is_empty()
        {
            self.warn(
                "no-record",
                "nothing records the release before a deployment",
                "without it there is no target to pin and no configuration to put back: add `kubectl get deployments` to the phase `prepare`",
            );
        }
    }

    fn undo(&mut self) {
        let undos = self.run(|it| matches!(it, Command::RolloutUndo { .. }));
        if undos.is_empty() {
            self.warn(
                "no-undo",
                "no step rolls the application back",
                "add `kubectl rollout undo` to the phase `run`",
            );
        }
        for at in undos {
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

    fn ledger(&mut self) {
        let changes = self.run(|it| {
            matches!(
                it,
                Command::UndoSchema | Command::RestoreSnapshot { .. } | Command::ReplayOrders
            )
        });
        let fences = self.run(|it| matches!(it, Command::Fence));
        let unfences = self.run(|it| matches!(it, Command::Unfence));
        for at in &changes {
            let fenced = fences
                .iter()
                .any(|fence| fence < at && self.covers(*fence, *at));
            let opened = unfences.iter().any(|unfence| unfence < at);
            if !fenced || opened {
                self.warn_at(
                    *at,
                    "ledger-not-fenced",
                    "the ledger is changed while the exchange may write to it",
                    "no fence before it",
                    "put `rollback db fence` before it and `rollback db unfence` after it",
                );
            }
        }
        for fence in &fences {
            if !unfences
                .iter()
                .any(|unfence| unfence > fence && self.covers(*unfence, *fence))
            {
                self.warn_at(
                    *fence,
                    "fence-stays",
                    "nothing lowers this fence",
                    "up for good",
                    "add `rollback db unfence` under the same `rb.when`, after the application is back",
                );
            }
        }
        let restores = self.run(|it| matches!(it, Command::RestoreSnapshot { .. }));
        let replays = self.run(|it| matches!(it, Command::ReplayOrders));
        for at in restores {
            if !replays
                .iter()
                .any(|replay| *replay > at && self.covers(*replay, at))
            {
                self.warn_at(
                    at,
                    "restore-without-replay",
                    "what was acknowledged after the snapshot is lost by this restore",
                    "no replay after it",
                    "add `rollback db replay --orders` after it",
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
        let dumps = self.run(|it| matches!(it, Command::DumpLogs { .. }));
        let undos = self.run(|it| matches!(it, Command::RolloutUndo { .. }));
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
        type Check = (
            &'static str,
            &'static str,
            &'static str,
            fn(&Command) -> bool,
        );
        let checks: [Check; 4] = [
            (
                "no-rollout-status",
                "nothing waits for the rollout",
                "add `kubectl rollout status`",
                |it| matches!(it, Command::RolloutStatus),
            ),
            (
                "no-health-check",
                "nothing asks the pods for their health",
                "add `kubectl get --raw …/proxy/health`",
                |it| matches!(it, Command::CheckHealth { .. }),
            ),
            (
                "no-build-check",
                "nothing checks that the prior build runs",
                "an undo can be a no-op and exit 0: add `kubectl get --raw …/proxy/metrics`",
                |it| matches!(it, Command::CheckBuildInfo { .. }),
            ),
            (
                "no-error-rate",
                "nothing checks the error rate",
                "add `promql` with `rb.expect` and `rb.min-requests` to the phase `run`",
                |it| matches!(it, Command::PromQuery { .. }),
            ),
        ];
        for (code, message, help, test) in checks {
            if self.run(test).is_empty() {
                self.warn(code, message, help);
            }
        }
        let queries = self.run(|it| matches!(it, Command::PromQuery { .. }));
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
        let text = |at: usize| match &self.runbook.steps[at].command {
            Command::PromQuery { query } => query.as_str(),
            _ => "",
        };
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
                    "write `[$WINDOW]`: the time since trading reopened",
                );
            }
        }
    }

    /// The application comes after the schema, and traffic before its verification.
    fn order(&mut self) {
        let changes =
            self.run(|it| matches!(it, Command::UndoSchema | Command::RestoreSnapshot { .. }));
        let undos = self.run(|it| matches!(it, Command::RolloutUndo { .. }));
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

    /// Everything that may be needed at once fits into the RTO. An undo that is made good by a restore may fail at the end of its own
    /// budget, so both count on its path.
    fn budgets(&mut self) {
        // An undo may fail, and somebody may scale a service down meanwhile; both at once are left out.
        const EITHER: [When; 2] = [When::DeploymentPaused, When::ConfigChanged];
        const ALL: [When; 3] = [EITHER[0], EITHER[1], When::ReplicasReduced];
        let rto = self.runbook.rto;
        let steps = &self.runbook.steps;
        let services = self.runbook.services.len();
        let sum =
            |when: &[When], more: &[When]| path_budget(steps, services, &[when, more].concat()).1;
        let worst = PATHS.iter().map(|(_, when)| sum(when, &ALL)).max();
        // Where nothing but the configuration changed, pods are replaced instead of a rollout, not on top of it.
        let replaced = (0..steps.len())
            .filter(|at| steps[*at].phase == Phase::Run && steps[*at].when == When::ConfigOnly);
        let rolled_out =
            self.run(|it| matches!(it, Command::RolloutUndo { .. } | Command::RolloutStatus));
        let more = total(steps, services, replaced).saturating_sub(total(
            steps,
            services,
            rolled_out.into_iter(),
        ));
        let worst = worst.unwrap_or_default().saturating_add(more);
        if worst > rto {
            let message = format!(
                "with every condition met, the budgets come to {}, more than the RTO of {}",
                suggest::show(worst),
                suggest::show(rto)
            );
            self.warn(
                "budget-worst-case",
                &message,
                "shorten the budgets of conditional steps",
            );
            return;
        }
        let undo = self.run(|it| matches!(it, Command::UndoSchema));
        let Some(undo) = undo
            .into_iter()
            .find(|at| steps[*at].on_fail == OnFail::Restore)
        else {
            return;
        };
        let both = sum(
            &[
                When::Always,
                When::LedgerBreaking,
                When::LedgerUndo,
                When::LedgerRestore,
            ],
            &EITHER,
        );
        if both > rto {
            let message = format!(
                "if `{}` fails and the snapshot is restored instead, the budgets come to {}, more than the RTO of {}",
                steps[undo].name,
                suggest::show(both),
                suggest::show(rto)
            );
            let help = format!(
                "until it is done, nothing is left to wait for a server that refuses: shorten this budget, and those of the restore, by {} in all",
                suggest::show(both - rto)
            );
            self.warn_at(
                undo,
                "budget-fallback",
                &message,
                "may use up its budget before it fails",
                &help,
            );
        }
    }
}

impl fmt::Display for Runbook {
    /// An outline: objectives, triggers, and one line for each step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} ({})",
            self.title,
            &self.digest[..self.digest.len().min(12)]
        )?;
        writeln!(
            f,
            "  namespace {}, services {}; RTO {}, RPO {} trades, validation window {}",
            self.namespace,
            self.services.join(", "),
            suggest::show(self.rto),
            self.rpo_trades,
            suggest::show(self.validation_window),
        )?;
        for trigger in &self.triggers {
            writeln!(
                f,
                "  trigger {}: {} {} for {}",
                trigger.name,
                trigger.query,
                trigger.condition,
                suggest::show(trigger.hold_for)
            )?;
        }
        for (phase, name) in [
            (Phase::Prepare, "prepare"),
            (Phase::Run, "run"),
            (Phase::After, "after"),
        ] {
            writeln!(f, "  {name}")?;
            for step in self.steps.iter().filter(|step| step.phase == phase) {
                let when = match step.when {
                    When::Always => "",
                    When::LedgerBreaking => ", if the ledger must be corrected",
                    When::LedgerUndo => ", if undo scripts can correct the ledger",
                    When::LedgerRestore => ", if the snapshot must correct the ledger",
                    When::DeploymentPaused => ", if the Deployment is paused",
                    When::ConfigChanged => ", if the configuration changed",
                    When::ConfigOnly => ", if nothing but the configuration changed",
                    When::ReplicasReduced => ", if the Deployment was scaled down",
                };
                let each = if step.for_each_service {
                    ", for each service"
                } else {
                    ""
                };
                writeln!(
                    f,
                    "    {:<24} {} (within {}{each}{when})",
                    step.name,
                    step.title,
                    suggest::show(step.timeout)
                )?;
            }
        }
        Ok(())
    }
}
