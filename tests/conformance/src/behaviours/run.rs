//! Runs behaviours against a server.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{Behaviour, Ground};

/// A behaviour that is otherwise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The name of the behaviour.
    pub name: &'static str,
    /// The source of the rule.
    pub of: &'static str,
    /// What is otherwise.
    pub why: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ({})", self.name, self.why, self.of)
    }
}

/// Runs behaviours one after the other against the server of a kubeconfig; those that fail.
///
/// # Errors
/// The kubeconfig can't be read, or leads nowhere.
pub fn run(kubeconfig: &Path, behaviours: &[Behaviour]) -> Result<Vec<Failure>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("a runtime: {error}"))?;
    runtime.block_on(async {
        let client = client(kubeconfig).await?;
        // A server that is not there has no behaviours.
        let version = client.apiserver_version().await;
        version.map_err(|error| format!("{}: no server answers: {error}", kubeconfig.display()))?;
        let mut failures = Vec::new();
        for behaviour in behaviours {
            if let Err(why) = try_one(&client, behaviour).await {
                failures.push(Failure {
                    name: behaviour.name,
                    of: behaviour.of,
                    why,
                });
            }
        }
        Ok(failures)
    })
}

/// A client of the server of a kubeconfig, which sends each request once.
async fn client(kubeconfig: &Path) -> Result<Client, String> {
    let shown = kubeconfig.display();
    let read = Kubeconfig::read_from(kubeconfig).map_err(|error| format!("{shown}: {error}"))?;
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| format!("{shown}: {error}"))?;
    // What the server answers is looked at, also where it says that the request may be sent again.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| format!("{shown}: {error}"))
}

/// Tries one in a namespace of its own, which ends with it.
async fn try_one(client: &Client, behaviour: &Behaviour) -> Result<(), String> {
    let ground = Ground::new(client.clone()).await?;
    let tried = (behaviour.body)(ground.clone()).await;
    let left = ground.leave().await;
    tried.and(left)
}
