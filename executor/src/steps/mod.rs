//! The commands, each idempotent: act only if it is not so already, and verify what came of it.

mod answer;
mod bound;
mod config;
mod context;
mod counter;
mod holding;
mod ledger;
mod logs;
mod looks;
mod others;
mod pod_logs;
mod pods;
mod post_mortem;
mod proof;
mod query;
mod replace;
mod replica_sets;
mod rollout;
mod scale;
mod scenario;
mod silence;
pub(crate) mod streams;
mod symptom;
mod undo;
mod window;

pub use rollout::WAITS_FOR_OLD_PODS;

pub(crate) use post_mortem::of_report as post_mortem_of;
pub(crate) use replace::{LOOK, Look, Pods};

pub(crate) use context::{Changed, Context, Facts, Stop, Success};

use crate::placeholders::uses;
use crate::planner::Plan;
use crate::runbook::Command;

/// Does the step once, within its budget.
pub(crate) async fn perform(context: &Context<'_>) -> Result<Success, Stop> {
    match &context.step.command {
        Command::RecordRelease | Command::Snapshot { .. } => Err(Stop::Failed(
            "it belongs before the deployment, in the prepare phase".to_owned(),
        )),
        Command::SetConfigValue { name, key, value } => {
            config::set_value(context, name, key, value).await
        }
        Command::RestoreConfig => config::restore(context).await,
        Command::Fence => ledger::fence(context).await,
        Command::Unfence => ledger::unfence(context).await,
        Command::UndoSchema => ledger::undo(context).await,
        Command::RestoreSnapshot { name } => ledger::restore(context, name).await,
        Command::ReplayOrders => ledger::replay(context).await,
        Command::DumpLogs { since } => logs::dump(context, *since).await,
        Command::RolloutResume => undo::resume(context).await,
        Command::RolloutUndo { pinned } => undo::undo(context, *pinned).await,
        Command::RestoreReplicas => scale::restore(context).await,
        Command::ReplacePods => replace::replace(context).await,
        Command::RolloutStatus => rollout::status(context).await,
        Command::ReviewReplicaSets => replica_sets::review(context).await,
        Command::CheckHealth { port } => pods::health(context, *port).await,
        Command::CheckBuildInfo { port } => pods::build_info(context, *port).await,
        Command::CheckCounter { port, series } => counter::check(context, *port, series).await,
        Command::PromQuery { .. } | Command::LogQuery { .. } => query::ask(context).await,
        Command::WritePostMortem => post_mortem::write(context).await,
        Command::WriteScenario => scenario::write(context).await,
    }
}

/// Whether the command changes the exchange, so that its intent is journaled first. Evidence does not count: it is
/// replaced as a whole.
pub(crate) fn has_side_effect(command: &Command) -> bool {
    match command {
        Command::SetConfigValue { .. }
        | Command::Fence
        | Command::Unfence
        | Command::UndoSchema
        | Command::RestoreSnapshot { .. }
        | Command::ReplayOrders
        | Command::RestoreConfig
        | Command::RolloutResume
        | Command::RestoreReplicas
        | Command::ReplacePods
        | Command::RolloutUndo { .. } => true,
        Command::RecordRelease
        | Command::Snapshot { .. }
        | Command::DumpLogs { .. }
        | Command::RolloutStatus
        | Command::ReviewReplicaSets
        | Command::CheckHealth { .. }
        | Command::CheckBuildInfo { .. }
        | Command::CheckCounter { .. }
        | Command::PromQuery { .. }
        | Command::LogQuery { .. }
        | Command::WritePostMortem
        | Command::WriteScenario => false,
    }
}

/// Whether recovery can begin only after step `index` of the plan: it changes the exchange, waits for a change to
/// be over, or asks for a number ahead of every query that looks at the time since recovery (`$WINDOW`), such as the wait for
/// the last gateway to stop refusing.
pub(crate) fn delays_recovery(plan: &Plan, index: usize) -> bool {
    let Some(step) = plan.steps.get(index) else {
        return false;
    };
    match &step.command {
        Command::RolloutStatus => true,
        query if query.judges_a_value() => !plan.steps[..=index]
            .iter()
            .any(|step| looks_back(&step.command)),
        other => has_side_effect(other),
    }
}

/// Whether the command is a query over the time since recovery.
fn looks_back(command: &Command) -> bool {
    match command {
        Command::PromQuery { query } | Command::LogQuery { query } => uses(query, "WINDOW"),
        _ => false,
    }
}
