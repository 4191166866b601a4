//! What each step of the built-in runbook stands against: the drill in which it alone matters, and what becomes of the
//! drill without it. The book's table is made from these rows, and `tests/checks.rs` holds the drills against them.

use crate::drills::{changed_step, without_step};

/// What a change of a step does to its drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The drill fails. The step's text is edited by these pairs (from, to); none: nothing but the change itself.
    Fails(&'static [(&'static str, &'static str)]),
    /// There is no such change, or the drill can't tell, for this reason.
    No(&'static str),
}

/// What becomes of a drill in which the step fails and the runbook goes on all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassedOver {
    /// It fails in its own drill already, which fails then.
    Here,
    /// It fails, at first or for good, in this drill, which passes as the runbook is, and fails then.
    In {
        /// The scenario.
        scenario: &'static str,
        /// What happens, for a reader.
        then: &'static str,
    },
    /// It fails, at first, in this drill, which passes then, too.
    Mended {
        /// The scenario.
        scenario: &'static str,
        /// What makes it good, for a reader.
        by: &'static str,
    },
    /// It fails, at first, in this drill, which then fails with some seeds and passes with the others.
    Sometimes {
        /// The scenario.
        scenario: &'static str,
        /// What happens, for a reader.
        then: &'static str,
    },
    /// No drill can tell, for this reason.
    No(&'static str),
}

/// What must come of a drill in which a failure is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Must {
    /// It fails with every seed.
    Fail,
    /// It fails with one of many seeds.
    FailSometimes,
    /// It passes with many seeds.
    Pass,
}

/// One of the three ways in which a step can lose its force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The step is gone.
    Removed,
    /// Its check accepts everything.
    Vacuous,
    /// Its failure is passed over.
    PassedOver,
}

impl Edit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Removed, Self::Vacuous, Self::PassedOver];

    /// What the edited step is, for a reader.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Vacuous => "content with everything",
            Self::PassedOver => "passed over when it fails",
        }
    }
}

/// What is done to a step that hides what another one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hider {
    /// It is taken out.
    TakenOut(&'static str),
    /// It stays, and its failure is passed over.
    PassedOver(&'static str),
}

/// A step and its drill.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Name of the step.
    pub step: &'static str,
    /// The scenario in which it matters.
    pub scenario: &'static str,
    /// Steps that hide what happens without it, or where it checks nothing.
    pub hidden_by: &'static [Hider],
    /// What happens without it, for a reader.
    pub without: &'static str,
    /// Its check is there and checks nothing.
    pub vacuous: Change,
    /// Its failure is passed over.
    pub passed_over: PassedOver,
}

impl Check {
    /// `runbook` without the step.
    #[must_use]
    pub fn removed_from(&self, runbook: &str) -> String {
        without_step(&self.alone_in(runbook), self.step)
    }

    /// `runbook` with the step's check made vacuous, if it can be.
    #[must_use]
    pub fn vacuous_in(&self, runbook: &str) -> Option<String> {
        self.changed_in(runbook, self.vacuous)
    }

    /// `runbook` with the step's failure passed over, the drill in which it fails, and what must come of that drill
    /// then; `None` if no drill can tell.
    #[must_use]
    pub fn passed_over_in(&self, runbook: &str) -> Option<(String, &'static str, Must)> {
        let (text, scenario, must) = match self.passed_over {
            PassedOver::Here => (self.alone_in(runbook), self.scenario, Must::Fail),
            PassedOver::In { scenario, .. } => (runbook.to_owned(), scenario, Must::Fail),
            PassedOver::Mended { scenario, .. } => (runbook.to_owned(), scenario, Must::Pass),
            PassedOver::Sometimes { scenario, .. } => {
                (runbook.to_owned(), scenario, Must::FailSometimes)
            }
            PassedOver::No(_) => return None,
        };
        // One step says what is done instead.
        let text = text.replace(",\"rb.on-fail\":\"restore\"", "");
        Some((passed_over(&text, self.step), scenario, must))
    }

    /// Whether `edit` shows in some drills only, so that one can't tell.
    #[must_use]
    pub fn shows_in_some(&self, edit: Edit) -> bool {
        let passed_over = edit == Edit::PassedOver;
        passed_over && matches!(self.passed_over, PassedOver::Sometimes { .. })
    }

    /// `runbook` with this edit of the step and nothing else, and the scenario that tries it; `None`: there is no such
    /// edit.
    #[must_use]
    pub fn edited_in(&self, runbook: &str, edit: Edit) -> Option<(String, &'static str)> {
        let scenario = self.scenario;
        match (edit, self.vacuous, self.passed_over) {
            (Edit::Removed, ..) => Some((without_step(runbook, self.step), scenario)),
            (Edit::Vacuous, Change::Fails(edits), _) => {
                let change = |text: String, (from, to): &(&str, &str)| {
                    changed_step(&text, self.step, from, to)
                };
                Some((edits.iter().fold(runbook.to_owned(), change), scenario))
            }
            (Edit::Vacuous, Change::No(_), _) => None,
            (Edit::PassedOver, _, over) if over == CONTINUES => None,
            (Edit::PassedOver, _, over) => {
                let text = runbook.replace(",\"rb.on-fail\":\"restore\"", "");
                let scenario = match over {
                    PassedOver::Here | PassedOver::No(_) => scenario,
                    PassedOver::In { scenario, .. }
                    | PassedOver::Mended { scenario, .. }
                    | PassedOver::Sometimes { scenario, .. } => scenario,
                };
                Some((passed_over(&text, self.step), scenario))
            }
        }
    }

    /// `runbook` in which no other step hides what this one does.
    #[must_use]
    pub fn alone_in(&self, runbook: &str) -> String {
        let hiders = self.hidden_by.iter();
        hiders.fold(runbook.to_owned(), |text, hider| match hider {
            Hider::TakenOut(step) => without_step(&text, step),
            Hider::PassedOver(step) => passed_over(&text, step),
        })
    }

    fn changed_in(&self, runbook: &str, change: Change) -> Option<String> {
        let Change::Fails(edits) = change else {
            return None;
        };
        let text = self.alone_in(runbook);
        Some(edits.iter().fold(text, |text, (from, to)| {
            changed_step(&text, self.step, from, to)
        }))
    }
}

/// `text` in which the failure of `step` is passed over.
fn passed_over(text: &str, step: &str) -> String {
    let name = format!("\"name\":\"{step}\"");
    let with = format!("{name},\"rb.on-fail\":\"continue\"");
    changed_step(text, step, &name, &with)
}

/// A step without a condition: it acts, or it compares with what was recorded.
const NO_CONDITION: Change = Change::No("it has no condition of its own");
const CONTINUES: PassedOver = PassedOver::No("its failure is passed over as it is");
const ALONE: &[Hider] = &[];

/// All steps of the built-in runbook, in its order.
pub const CHECKS: &[Check] = &[
    Check {
        step: "snapshot-ledger",
        scenario: "balance-anomaly",
        hidden_by: ALONE,
        without: "wrong balances have nothing to be restored from",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::No(
            "`rollback prepare` ends with the failure whatever `rb.on-fail` says, and nothing is deployed",
        ),
    },
    Check {
        step: "halt-trading",
        scenario: "image-gone",
        hidden_by: ALONE,
        without: "a person is paged, and trading is not halted over a ledger that nobody made right",
        vacuous: Change::Fails(&[("\"mode\":\"maintenance\"", "\"mode\":\"open\"")]),
        passed_over: PassedOver::In {
            scenario: "held-up-halting",
            then: "a person is paged, and trading is not halted over a ledger that nobody made right",
        },
    },
    Check {
        step: "fence-ledger",
        scenario: "flag-missed",
        hidden_by: ALONE,
        without: "gateways that missed the halt go on writing to the ledger that is being restored",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::In {
            scenario: "held-up-fencing",
            then: "a ledger without a fence is not restored, and a person is paged where waiting was enough",
        },
    },
    Check {
        step: "dump-logs",
        scenario: "latency-regression",
        hidden_by: ALONE,
        without: "the bad release's logs are gone with its pods",
        vacuous: NO_CONDITION,
        passed_over: CONTINUES,
    },
    Check {
        step: "undo-schema",
        scenario: "two-migrations",
        hidden_by: ALONE,
        without: "the prior release can't read the ledger",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::In {
            scenario: "undo-script-failing",
            then: "the prior release finds a ledger that it can't read",
        },
    },
    Check {
        step: "restore-ledger",
        scenario: "balance-anomaly",
        hidden_by: ALONE,
        without: "the wrong balances stay",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::In {
            scenario: "held-up-restoring",
            then: "there is nothing to replay into, and a person is paged where waiting was enough",
        },
    },
    Check {
        step: "replay-orders",
        scenario: "balance-anomaly",
        hidden_by: ALONE,
        without: "every order and trade since the snapshot is lost",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::In {
            scenario: "held-up-replaying",
            then: "every order and trade since the snapshot is lost",
        },
    },
    Check {
        step: "restore-config",
        scenario: "bad-configuration",
        hidden_by: ALONE,
        without: "the prior release starts with the configuration that is to blame",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::In {
            scenario: "held-up-config",
            then: "the prior release starts with the configuration that is to blame",
        },
    },
    Check {
        step: "resume-rollout",
        scenario: "canary",
        hidden_by: ALONE,
        without: "the undo of a paused Deployment is refused",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::Mended {
            scenario: "held-up-resuming",
            by: "the undo finds that it is still paused",
        },
    },
    Check {
        step: "restore-replicas",
        scenario: "replicas-scaled",
        hidden_by: ALONE,
        without: "the exchange is left with less than it had",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::Mended {
            scenario: "held-up-scaling",
            by: "`rollout-status` finds that it is still too small",
        },
    },
    Check {
        step: "undo-app",
        scenario: "second-release",
        hidden_by: ALONE,
        without: "the bad release stays",
        vacuous: Change::Fails(&[(" --to-revision=$TARGET_REVISION", "")]),
        passed_over: PassedOver::In {
            scenario: "held-up-undoing",
            then: "the bad release stays, and a person is paged where waiting was enough",
        },
    },
    Check {
        step: "replace-pods",
        scenario: "configuration-only",
        hidden_by: ALONE,
        without: "pods go on with the bad configuration that they began with",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::In {
            scenario: "held-up-replacing",
            then: "pods go on with the bad configuration that they began with",
        },
    },
    Check {
        step: "rollout-status",
        // Where pods are ready soon, what comes after it finds the whole rollout by then.
        scenario: "pods-slow",
        // It waits for the same while it has time left.
        hidden_by: &[Hider::TakenOut("review-replica-sets")],
        without: "what follows finds half a rollout, in which a pod of the bad release still serves",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::Sometimes {
            scenario: "held-up-rollout",
            then: "recovery is dated before the clients see it, unless `check-health` happens to wait long enough for the pods that the rollout lacks",
        },
    },
    Check {
        step: "check-health",
        scenario: "check-health",
        hidden_by: ALONE,
        without: "recovery is claimed with a risk service that says that it is not well",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::Here,
    },
    Check {
        step: "check-build",
        scenario: "check-build",
        hidden_by: ALONE,
        without: "another build than the recorded one serves, and nobody is told before the end of the proof",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::Here,
    },
    Check {
        step: "unfence-ledger",
        scenario: "breaking-migration",
        hidden_by: ALONE,
        without: "nothing can be written, and every order is refused",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::In {
            scenario: "held-up-unfencing",
            then: "trading is open over a ledger that nothing can be written to",
        },
    },
    Check {
        step: "open-trading",
        scenario: "breaking-migration",
        hidden_by: ALONE,
        without: "trading stays halted",
        vacuous: Change::Fails(&[("\"mode\":\"open\"", "\"mode\":\"maintenance\"")]),
        passed_over: PassedOver::In {
            scenario: "held-up-opening",
            then: "trading stays halted, and a person is paged where waiting was enough",
        },
    },
    Check {
        step: "orders-flow",
        scenario: "check-orders-flow",
        // They take a refusal for maintenance for a failure.
        hidden_by: &[
            Hider::TakenOut("error-rate"),
            Hider::TakenOut("stay-recovered"),
        ],
        without: "recovery is claimed while gateways still refuse orders",
        vacuous: Change::Fails(&[("\"== 0\"", "\">= 0\"")]),
        passed_over: PassedOver::No(
            "where it fails for good a person is paged while trading is open, and no scenario can expect that yet",
        ),
    },
    Check {
        step: "error-rate",
        scenario: "check-error-rate",
        hidden_by: &[
            Hider::TakenOut("error-rate-worst-pod"),
            Hider::TakenOut("error-logs"),
            Hider::TakenOut("stay-recovered"),
            Hider::TakenOut("still-no-error-logs"),
        ],
        without: "recovery is claimed after a few seconds, and requests fail that nobody counts",
        vacuous: Change::Fails(&[("\"< 0.0001\"", "\"< 1\"")]),
        passed_over: PassedOver::Here,
    },
    Check {
        step: "error-rate-worst-pod",
        scenario: "check-worst-pod",
        hidden_by: ALONE,
        without: "one pod that fails disappears among those that get all the requests",
        vacuous: Change::Fails(&[("\"< 0.001\"", "\"< 1\"")]),
        passed_over: PassedOver::Here,
    },
    Check {
        step: "error-logs",
        scenario: "check-error-logs",
        // It asks about all the time since recovery, too, a minute later.
        hidden_by: &[Hider::TakenOut("still-no-error-logs")],
        without: "failures that no metric counts go unseen",
        vacuous: Change::Fails(&[("level=\"error\"", "level=\"fatal\"")]),
        passed_over: PassedOver::Here,
    },
    Check {
        step: "books-balance",
        scenario: "check-books",
        // It asks once more, a minute later.
        hidden_by: &[Hider::TakenOut("still-books-balance")],
        without: "recovery is claimed over books that are off",
        vacuous: Change::Fails(&[("max(dex", "0 * max(dex")]),
        passed_over: PassedOver::Here,
    },
    Check {
        step: "stay-recovered",
        scenario: "check-stay-recovered",
        hidden_by: ALONE,
        without: "a relapse right after the proof goes unseen",
        vacuous: Change::Fails(&[("\"< 0.0001\"", "\"< 1\"")]),
        passed_over: PassedOver::Here,
    },
    Check {
        step: "still-no-error-logs",
        scenario: "check-still-no-error-logs",
        hidden_by: ALONE,
        without: "failures that no metric counts, and that begin once the logs were asked, go unseen",
        vacuous: Change::Fails(&[("level=\"error\"", "level=\"fatal\"")]),
        passed_over: PassedOver::Here,
    },
    Check {
        step: "still-books-balance",
        scenario: "check-still-books",
        hidden_by: ALONE,
        without: "books that are off once they were looked at go unseen",
        vacuous: Change::Fails(&[("max(dex", "0 * max(dex")]),
        passed_over: PassedOver::Here,
    },
    Check {
        step: "still-prior-build",
        scenario: "check-still-prior",
        // They see that pods were started meanwhile.
        hidden_by: &[
            Hider::PassedOver("stay-recovered"),
            Hider::PassedOver("still-no-error-logs"),
        ],
        without: "another release that came meanwhile goes unseen, as it does no harm yet",
        vacuous: NO_CONDITION,
        passed_over: PassedOver::Here,
    },
    Check {
        step: "post-mortem",
        scenario: "latency-regression",
        hidden_by: ALONE,
        without: "nobody finds the timeline and the evidence again",
        vacuous: NO_CONDITION,
        passed_over: CONTINUES,
    },
    Check {
        step: "scenario",
        scenario: "latency-regression",
        hidden_by: ALONE,
        without: "the incident does not become a drill",
        vacuous: NO_CONDITION,
        passed_over: CONTINUES,
    },
];

/// Steps for which no drill is known in which they alone matter, and why.
pub const MASKED: &[(&str, &str)] = &[
    (
        "record-release",
        "`rollback prepare` records the release in any case, as nothing can be planned without it. The step gives it its time, and is there for whoever works by hand.",
    ),
    (
        "review-replica-sets",
        "`rollout-status` ends only when the old pods are gone, and `check-health` counts the pods: what the review could see after the one, the other sees right after it.",
    ),
];

/// The book's table of steps.
#[must_use]
pub fn table_of_steps() -> String {
    let mut out = "| step | drill | without the step | if its check checks nothing | if its failure is passed over |\n| --- | --- | --- | --- | --- |\n".to_owned();
    let cell = |change: Change| match change {
        Change::Fails(_) => "the drill fails",
        Change::No(why) => why,
    };
    for row in CHECKS {
        let passed_over = match row.passed_over {
            PassedOver::Here => "the drill fails".to_owned(),
            PassedOver::In { scenario, then } => format!("`{scenario}` fails: {then}"),
            PassedOver::Mended { scenario, by } => {
                format!("`{scenario}` passes all the same: {by}, and makes it good")
            }
            PassedOver::Sometimes { scenario, then } => {
                format!("`{scenario}` fails with some seeds: {then}")
            }
            PassedOver::No(why) => why.to_owned(),
        };
        let hiders = row.hidden_by.iter();
        let others: String = hiders
            .map(|hider| match hider {
                Hider::TakenOut(step) => format!(", and without `{step}`"),
                Hider::PassedOver(step) => format!(", and with failures of `{step}` passed over"),
            })
            .collect();
        out.push_str(&format!(
            "| `{}` | `{}` | {}{others} | {} | {} |\n",
            row.step,
            row.scenario,
            row.without,
            cell(row.vacuous),
            passed_over
        ));
    }
    out
}
