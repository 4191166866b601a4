//! Which cluster to drill on: the one that `cargo xtask kind up` made, or another with the harness's marker.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::Deserialize;
use tokio::net::TcpStream;

use super::clock::within;
use super::crash::{Trap, Trapping};
use super::lock::{self, Lock};
use super::{docker, faults, process};
use crate::worlds::common::manifests::NAMESPACE;

/// The marker's namespace and name: a cluster that hasn't got it is never touched.
const MARKER: (&str, &str) = ("firedrill", "firedrill-marker");

/// How long a cluster may take to answer for its marker.
const MARKER_LIMIT: Duration = Duration::from_secs(10);

/// Why a cluster is not ours to drill on.
enum Unmarked {
    /// It carries another marker, or none.
    Another(String),
    /// It does not answer.
    Silent(String),
}

/// Port of the API server on the node.
const API_PORT: u16 = 6_443;

/// Where things are, as `cluster.json` says.
#[derive(Deserialize)]
pub(super) struct Place {
    /// One user at a time: held as long as this value.
    #[serde(skip)]
    lock: Option<Lock>,
    /// The way to the cluster for the harness itself: its marker was seen.
    #[serde(skip)]
    marked: Option<kube::Client>,
    /// Where `cluster.json` lies.
    #[serde(skip)]
    directory: PathBuf,
    /// Context of all kubeconfigs.
    pub(super) context: String,
    /// What the marker must say.
    id: String,
    kubeconfig: PathBuf,
    /// With the executor's own account.
    pub(super) executor_kubeconfig: PathBuf,
    /// With the account of a program that is drilled in place of our executor. Left out, it is the executor's.
    #[serde(default)]
    program_kubeconfig: Option<PathBuf>,
    /// Docker network that pods reach.
    pub(super) network: String,
    /// Container of the node.
    pub(super) node: String,
    /// Base URL of the gateway's Service on this machine.
    pub(super) gateway: String,
    /// Base URL of Prometheus on this machine.
    pub(super) prometheus: String,
}

impl Place {
    /// Reads `cluster.json`: `FIREDRILL_CLUSTER`, or where `cargo xtask kind up` puts it; and waits until nobody else
    /// uses that cluster. `user` is what those are told who then wait for us. The cluster carries the marker,
    /// and all kubeconfigs lead to it.
    ///
    /// # Errors
    /// There is none that can be read, it is not marked, or the wait was interrupted.
    pub(super) async fn find(user: &str, interrupted: &AtomicBool) -> Result<Self, String> {
        let file = std::env::var_os("FIREDRILL_CLUSTER").map_or_else(
            || {
                PathBuf::from(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../target/firedrill/cluster.json"
                ))
            },
            PathBuf::from,
        );
        let read = || {
            std::fs::read_to_string(&file).map_err(|error| {
                format!(
                    "{}: {error}; `cargo xtask kind up` makes a cluster",
                    file.display()
                )
            })
        };
        read()?;
        let say = |what: &str| eprintln!("kind: {}", executor::printable(what));
        let stop = || interrupted.load(Ordering::Acquire);
        let lock = lock::take(&file.with_file_name("drill.lock"), user, &say, &stop).await?;
        // While we waited, the cluster may have been made anew.
        let mut place: Self = serde_json::from_str(&read()?)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        place.lock = Some(lock);
        place.directory = file.with_file_name("");
        place.marked = Some(place.recognised().await?);
        place.same_cluster()?;
        // Only now: before the marker is seen, nothing is touched, neither there nor here.
        faults::heal(&place.node)?;
        process::clear(&place.workshop())?;
        Ok(place)
    }

    /// The way to the cluster, once its marker is seen. What a drill that was killed left in force can keep the cluster
    /// from answering: that is taken back if the node stands in the network that the harness made,
    /// and the marker is asked for again.
    async fn recognised(&self) -> Result<kube::Client, String> {
        match self.marker().await {
            Ok(client) => Ok(client),
            Err(Unmarked::Another(why)) => Err(why),
            Err(Unmarked::Silent(why)) => {
                if !docker::is_in_our_network(&self.node, &self.network) {
                    return Err(why);
                }
                faults::heal(&self.node)?;
                self.marker().await.map_err(|unmarked| match unmarked {
                    Unmarked::Another(why) | Unmarked::Silent(why) => why,
                })
            }
        }
    }

    /// Asks the cluster for its marker.
    async fn marker(&self) -> Result<kube::Client, Unmarked> {
        let client = self
            .client(&self.kubeconfig)
            .await
            .map_err(Unmarked::Silent)?;
        let (namespace, name) = MARKER;
        let markers = Api::<ConfigMap>::namespaced(client.clone(), namespace);
        let marker = match within(MARKER_LIMIT, markers.get_opt(name)).await {
            Some(Ok(marker)) => marker,
            Some(Err(error)) => {
                let why = format!("ask the cluster for its marker: {error}");
                return Err(Unmarked::Silent(why));
            }
            None => {
                let why = "ask the cluster for its marker: no answer".to_owned();
                return Err(Unmarked::Silent(why));
            }
        };
        let id = marker.and_then(|map| map.data?.get("id").cloned());
        if id.as_ref() == Some(&self.id) {
            return Ok(client);
        }
        Err(Unmarked::Another(format!(
            "the context {} does not carry the marker {} ({namespace}/{name}): drills break things, so it is left alone",
            self.context, self.id
        )))
    }

    /// Whether all kubeconfigs lead to the same cluster: the other accounts can't read the marker.
    ///
    /// # Errors
    /// They don't, or one can't be read.
    fn same_cluster(&self) -> Result<(), String> {
        let leads_to = |file: &PathBuf| {
            let config = Kubeconfig::read_from(file)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            let context = config.contexts.iter().find(|it| it.name == self.context);
            let cluster = context
                .and_then(|it| it.context.as_ref())
                .map(|it| &it.cluster);
            let found = config.clusters.iter().find(|it| Some(&it.name) == cluster);
            let server = found.and_then(|it| it.cluster.as_ref()?.server.clone());
            server.ok_or_else(|| {
                format!(
                    "{}: the context {} names no server",
                    file.display(),
                    self.context
                )
            })
        };
        let ours = leads_to(&self.kubeconfig)?;
        for other in [&self.executor_kubeconfig, self.program_kubeconfig()] {
            let theirs = leads_to(other)?;
            if ours != theirs {
                return Err(format!(
                    "{} leads to {theirs}, and the cluster with the marker is {ours}: the executor would act on another one, so both are left alone",
                    other.display()
                ));
            }
        }
        Ok(())
    }

    /// Kubeconfig of a program that is drilled in place of our executor.
    pub(super) fn program_kubeconfig(&self) -> &PathBuf {
        let own = self.program_kubeconfig.as_ref();
        own.unwrap_or(&self.executor_kubeconfig)
    }

    /// Folder for what a drill needs for a while. One drill at a time uses the cluster, and so this.
    pub(super) fn workshop(&self) -> PathBuf {
        self.directory.join("drill")
    }

    /// The way to the cluster for the harness itself: [`Place::find`] has seen its marker.
    ///
    /// # Errors
    /// The marker was not seen.
    pub(super) fn admin(&self) -> Result<kube::Client, String> {
        let client = self.marked.clone();
        client.ok_or_else(|| "the cluster's marker was not asked for".to_owned())
    }

    /// The way to the cluster for the executor of the exchange, with no more rights than it needs.
    ///
    /// # Errors
    /// No way.
    pub(super) async fn executor(&self) -> Result<kube::Client, String> {
        self.client(&self.executor_kubeconfig).await
    }

    /// The same for whatever it rolls back in `namespace`, perhaps with its death on it.
    ///
    /// # Errors
    /// No way.
    pub(super) async fn executor_in(
        &self,
        namespace: &str,
        trap: &Arc<Trap>,
    ) -> Result<kube::Client, String> {
        let file = &self.executor_kubeconfig;
        let mut config = self.config(file).await?;
        namespace.clone_into(&mut config.default_namespace);
        let builder = ClientBuilder::try_from(config)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(builder.with_layer(&Trapping(Arc::clone(trap))).build())
    }

    /// What makes kubectl act on this cluster, with all rights, by the same way as our own clients,
    /// and leave nothing in `~/.kube`.
    pub(super) async fn kubectl_arguments(&self) -> Vec<OsString> {
        let cache = self.kubeconfig.with_file_name("kubectl-cache");
        let mut arguments: Vec<OsString> = vec![
            "--kubeconfig".into(),
            self.kubeconfig.clone().into(),
            "--context".into(),
            self.context.clone().into(),
            "--cache-dir".into(),
            cache.into(),
        ];
        if let Some(direct) = self.direct().await {
            arguments.extend(["--server".into(), direct.to_string().into()]);
        }
        arguments
    }

    /// The API server at the node's own address, if this host reaches it: an executor inside the cluster's network has
    /// no forwarded port on its way either.
    async fn direct(&self) -> Option<http::Uri> {
        let address = docker::address_of(&self.node, &self.network).ok()?;
        let server = SocketAddr::from((address, API_PORT));
        let connected = within(Duration::from_secs(1), TcpStream::connect(server)).await;
        connected?.ok()?;
        format!("https://{server}").parse().ok()
    }

    async fn client(&self, file: &PathBuf) -> Result<kube::Client, String> {
        kube::Client::try_from(self.config(file).await?)
            .map_err(|error| format!("{}: {error}", file.display()))
    }

    async fn config(&self, file: &PathBuf) -> Result<kube::Config, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let kubeconfig = Kubeconfig::read_from(file).map_err(|error| failed(&error))?;
        let options = KubeConfigOptions {
            context: Some(self.context.clone()),
            ..KubeConfigOptions::default()
        };
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| failed(&error))?;
        config.default_namespace = NAMESPACE.to_owned();
        if let Some(direct) = self.direct().await {
            config.cluster_url = direct;
        }
        Ok(config)
    }
}
