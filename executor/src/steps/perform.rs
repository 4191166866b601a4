//! Which step carries a command out.

use super::context::{Context, Stop, Success};
use super::{
    config, counter, ledger, logs, ordered, pods, post_mortem, query, replace, replica_sets,
    revisions, rollout, scale, scenario, undo,
};
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
        Command::ReplayLog => ledger::replay(context).await,
        Command::DumpLogs { since } => logs::dump(context, *since).await,
        Command::RolloutPause => undo::pause(context).await,
        Command::RolloutResume => undo::resume(context).await,
        Command::RolloutUndo { pinned } => undo::undo(context, *pinned).await,
        Command::RestoreReplicas => scale::restore(context).await,
        Command::ReplacePods => replace::replace(context).await,
        Command::DeleteBrokenPods => ordered::delete_broken(context).await,
        Command::RolloutStatus => rollout::status(context).await,
        Command::ReviewReplicaSets => replica_sets::review(context).await,
        Command::ReviewRevisions => revisions::review(context).await,
        Command::CheckHealth { port } => pods::health(context, *port).await,
        Command::CheckBuildInfo { port } => pods::build_info(context, *port).await,
        Command::CheckCounter { port, series } => counter::check(context, *port, series).await,
        Command::PromQuery { .. } | Command::LogQuery { .. } => query::ask(context).await,
        Command::WritePostMortem => post_mortem::write(context).await,
        Command::WriteScenario => scenario::write(context).await,
    }
}
