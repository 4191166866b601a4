//! A runbook in an outline.

use std::fmt;

use super::model::{Phase, Runbook, When};
use super::suggest;

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
            "  namespace {}, services {}; RTO {}, RPO {} {}, validation window {}",
            self.namespace,
            self.services.join(", "),
            suggest::show(self.rto),
            self.rpo_records,
            self.naming.records,
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
