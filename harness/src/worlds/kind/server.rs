//! The ledger's server: PostgreSQL by testcontainers, in a container that belongs to this process.
//!
//! testcontainers makes the container, waits until the server takes connections, and removes container and volumes with
//! the [`Server`]. What a process leaves behind that is killed, the next one removes by its labels (`docker`).
//! The image is the official one or our own (`deploy/packages/postgres`); it is pulled only if the engine hasn't got
//! it.

use std::net::Ipv4Addr;
use std::time::Duration;

use testcontainers::core::WaitFor;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

use super::docker;

/// Its image and version.
const IMAGE: (&str, &str) = ("postgres", "15");

/// What the server is started with; all else is PostgreSQL's own default.
///
/// With the defaults, the first checkpoint falls five minutes after the start, or when a gigabyte was logged:
/// in the middle of a drill. On a slow disk it stalls every commit for seconds, which would then be measured as the
/// exchange's or the executor's. Those who run PostgreSQL for such a load put it off so (PostgreSQL 15's manual, 30.5
/// "WAL Configuration": rare checkpoints cost disk space and a longer recovery after a crash). A drill is over before
/// the first one. A copied ledger still has the checkpoints that dropping and renaming databases force.
/// `log_checkpoints` is on by itself since 15.
const SETTINGS: [&str; 4] = ["-c", "checkpoint_timeout=15min", "-c", "max_wal_size=4GB"];

/// What the server says once it takes connections. Both images have what they say before, while they make the database,
/// on the standard output.
const READY: &str = "database system is ready to accept connections";
/// No start takes longer, though it makes a database of 40 MB first.
const LONGEST_START: Duration = Duration::from_secs(60);

/// The ledger's server. It goes with this value, which lives and ends within a multi-threaded runtime.
pub(super) struct Server {
    container: ContainerAsync<GenericImage>,
    /// Its address on the cluster's network, which pods and this host reach.
    pub(super) address: Ipv4Addr,
    /// The superuser's password.
    pub(super) password: String,
}

impl Server {
    /// Removes what dead processes left, starts a server on `network`, and waits until it takes connections.
    /// Ctrl-C is heeded afterwards: a start that is given up halfway might leave its container.
    ///
    /// # Errors
    /// What the engine says, or how far the server came; nothing is left then.
    pub(super) async fn start(network: &str) -> Result<Self, String> {
        docker::reap()?;
        Self::start_with(network, &SETTINGS).await
    }

    async fn start_with(network: &str, settings: &[&str]) -> Result<Self, String> {
        let prefix = std::env::var("FIREDRILL_IMAGE_PREFIX").unwrap_or_default();
        let (name, tag) = IMAGE;
        let password = docker::random_word()?;
        let on = network.to_owned();
        let container = GenericImage::new(format!("{prefix}{name}"), tag.to_owned())
            .with_wait_for(WaitFor::message_on_stderr(READY))
            .with_startup_timeout(LONGEST_START)
            .with_env_var("POSTGRES_PASSWORD", &password)
            .with_cmd(settings.iter().copied())
            .with_labels(docker::labels()?)
            .with_host_config_modifier(move |host| {
                // Not `with_network`, which would make a network that is missing, without our label.
                host.network_mode = Some(on.clone());
                // It is reached by its address; no port of this machine is opened.
                host.publish_all_ports = Some(false);
            })
            .start()
            .await
            .map_err(|error| format!("start the ledger's server: {error}"))?;
        let address = docker::address_of(container.id(), network).map_err(|error| {
            format!(
                "{error}; if a Docker context is in use, set DOCKER_HOST to its address: the ledger's server is started there"
            )
        })?;
        Ok(Self {
            container,
            address,
            password,
        })
    }

    /// Its container.
    pub(super) fn id(&self) -> &str {
        self.container.id()
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::NoTls;

    use super::super::docker::{self, docker, labels};
    use super::super::interrupt::runtime;
    use super::{IMAGE, Server};

    /// A network of the test's own, with this process's labels.
    struct Network(String);

    impl Network {
        fn new() -> Self {
            let name = format!("firedrill-test-{}", std::process::id());
            let [(label, on), (owner, me)] = labels().expect("this process runs");
            let (label, owner) = (format!("{label}={on}"), format!("{owner}={me}"));
            docker(&[
                "network", "create", "--label", &label, "--label", &owner, &name,
            ])
            .expect("a network");
            Self(name)
        }

        /// What is on it.
        fn containers(&self) -> String {
            let filter = format!("network={}", self.0);
            docker(&["ps", "--all", "--quiet", "--filter", &filter]).expect("a list")
        }
    }

    impl Drop for Network {
        fn drop(&mut self) {
            let _ = docker(&["network", "rm", &self.0]);
        }
    }

    async fn ask(server: &Server, question: &str) -> String {
        let url = format!(
            "postgresql://postgres:{}@{}/postgres",
            server.password, server.address
        );
        let (client, connection) = tokio_postgres::connect(&url, NoTls)
            .await
            .expect("a server that has started takes connections");
        drop(tokio::spawn(connection));
        client
            .query_one(question, &[])
            .await
            .expect("an answer")
            .get(0)
    }

    #[test]
    fn a_server_takes_connections_carries_our_labels_and_leaves_nothing() {
        let prefix = std::env::var("FIREDRILL_IMAGE_PREFIX").unwrap_or_default();
        let image = format!("{prefix}{}:{}", IMAGE.0, IMAGE.1);
        if let Err(why) = docker(&["image", "inspect", "--format", "{{.Id}}", &image]) {
            eprintln!("LEFT OUT: no Docker engine that has the image {image}: {why}");
            return;
        }
        let network = Network::new();
        let runtime = runtime().expect("a runtime");
        let (id, volume) = runtime.block_on(async {
            let server = Server::start(&network.0).await.expect("it starts");
            assert_eq!(ask(&server, "SHOW checkpoint_timeout").await, "15min");
            assert_eq!(ask(&server, "SHOW max_wal_size").await, "4GB");
            for (label, value) in labels().expect("this process runs") {
                let format = format!("{{{{index .Config.Labels \"{label}\"}}}}");
                assert_eq!(
                    docker(&["inspect", "--format", &format, server.id()]),
                    Ok(value)
                );
            }
            let ports = "{{json .NetworkSettings.Ports}}";
            let opened = docker(&["inspect", "--format", ports, server.id()]).expect("ports");
            assert!(!opened.contains("HostPort"), "{opened}");
            // As a fault does it: the same container, at the same address.
            docker::kill(server.id()).expect("killed");
            docker::start(server.id(), &network.0, server.address).expect("started again");
            let mount = "{{(index .Mounts 0).Name}}";
            let volume = docker(&["inspect", "--format", mount, server.id()]).expect("a volume");
            (server.id().to_owned(), volume)
        });
        assert!(docker(&["inspect", &id]).is_err(), "the container is gone");
        assert!(
            docker(&["volume", "inspect", &volume]).is_err(),
            "its volume is gone"
        );

        let refused = runtime.block_on(Server::start_with(&network.0, &["-c", "no_such=1"]));
        let why = refused.err().expect("PostgreSQL has no such setting");
        assert!(
            why.contains("unrecognized configuration parameter"),
            "{why}"
        );
        assert_eq!(network.containers(), "", "and leaves no container");
    }
}
