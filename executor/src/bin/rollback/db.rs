//! Single steps on the ledger database, for a rollback by hand.

use std::sync::Arc;

use executor::ports::{Database, DatabaseError};
use tokio_util::sync::CancellationToken;

use crate::arguments::Common;
use crate::commands::Failure;
use crate::connect::{postgres, settings};
use crate::db_command::{Db, DbCommand};
use crate::show::Screen;
use crate::{ask, signals};

/// Does it; what there is to say.
pub(crate) async fn db(
    common: &Common,
    Db { command, token }: Db,
    screen: &Arc<Screen>,
) -> Result<String, Failure> {
    let url = common.database_url.as_deref();
    let url = url.ok_or_else(|| Failure::input("which database? Set ROLLBACK_DATABASE_URL"))?;
    let database = postgres(url, &settings(common)?)?;
    let failed = |error: DatabaseError| Failure::failed(error.to_string());
    let token = match token {
        Some(token) => token,
        None => database.token_max().await.map_err(failed)?,
    };
    let told = common.yes || common.accept_data_loss;
    if let Some(question) = question(&command).filter(|_| !told) {
        ask::go_ahead(&question, &CancellationToken::new()).await?;
    }
    // From here on a signal must not end it half-way: the ledger may be closed for its copy.
    signals::listen(Arc::clone(screen), CancellationToken::new())?;
    let text = match command {
        DbCommand::Fence => {
            let report = database.fence(token).await.map_err(failed)?;
            report.to_string()
        }
        DbCommand::Unfence => {
            database.unfence(token).await.map_err(failed)?;
            "fence down".to_owned()
        }
        DbCommand::Snapshot { name } => {
            let snapshot = database.snapshot(&name).await.map_err(failed)?;
            snapshot.to_string()
        }
        DbCommand::Restore {
            snapshot,
            set_aside,
        } => {
            let restored = database.restore(&snapshot, &set_aside, token).await;
            restored.map_err(failed)?.to_string()
        }
        DbCommand::Replay { set_aside, .. } => {
            let report = database.replay(&set_aside, token).await.map_err(failed)?;
            report.to_string()
        }
    };
    Ok(text)
}

/// What to ask before it; `None` for what changes nothing of the ledger.
fn question(command: &DbCommand) -> Option<String> {
    Some(match command {
        DbCommand::Snapshot { .. } => return None,
        DbCommand::Fence => {
            "The application will no longer be able to write to the ledger.".to_owned()
        }
        DbCommand::Unfence => {
            "The application will be able to write to the ledger again.".to_owned()
        }
        DbCommand::Restore {
            snapshot,
            set_aside,
        } => format!(
            "The ledger is replaced by snapshot `{snapshot}`. What was written since remains in `{set_aside}` only; `rollback db replay --log` copies the log over, and nothing else."
        ),
        DbCommand::Replay { set_aside, .. } => {
            format!("The log's tail is copied from `{set_aside}` to the ledger.")
        }
    })
}
