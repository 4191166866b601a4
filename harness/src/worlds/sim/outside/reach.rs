//! Where whoever acts finds the world, and the files that they get and leave.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sim_serve::answer::{Door, Gate};
use sim_serve::kubeconfig::kubeconfig;
use sim_serve::pace::Served;
use sim_serve::{Limits, Listener, Network, Pacing, Settle};

use super::actor::Phase;
use super::child;
use super::guard::Guard;
use crate::worlds::common::left;
use crate::worlds::recording::Ended;
use crate::worlds::{Program, WorldError};

/// The commands of the program's `PATH` that stand for the system's own.
const TOOLS: [&str; 5] = ["date", "flyway", "rollback", "sleep", "timeout"];

/// What whoever acts is told of the world.
pub(in crate::worlds::sim) struct Reach {
    pub(super) gate: Gate,
    pub(super) kube: SocketAddr,
    pub(super) prometheus: SocketAddr,
    pub(super) loki: SocketAddr,
    pub(super) token: String,
    namespace: String,
    kubeconfig: PathBuf,
    /// Removed with this value.
    folder: tempfile::TempDir,
    /// What removes it otherwise.
    pub(super) guard: Guard,
    /// The process group that is at work; 0: none is.
    pub(super) group: Arc<AtomicU64>,
}

/// How a world is opened.
pub(in crate::worlds::sim) struct Opening<'a> {
    /// The namespace of the application.
    pub(in crate::worlds::sim) namespace: &'a str,
    /// How many times as fast as the wall clock the world's clock runs; `None`: requests move it.
    pub(in crate::worlds::sim) pace: Option<u32>,
    /// The program that the commands of the `PATH` call.
    pub(in crate::worlds::sim) tools: &'a Path,
    /// Where it listens. The port is the API server's, and the next two are those of Prometheus and Loki; 0: any.
    pub(in crate::worlds::sim) listen: SocketAddr,
    /// Where the kubeconfig goes; `None`: into a folder of the drill's own.
    pub(in crate::worlds::sim) kubeconfig: Option<&'a Path>,
}

impl<'a> Opening<'a> {
    /// On the loopback interface, at ports of the moment.
    pub(in crate::worlds::sim) fn to_a_program(program: &'a Program, namespace: &'a str) -> Self {
        Self {
            namespace,
            pace: program.pace,
            tools: &program.tools,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            kubeconfig: None,
        }
    }
}

impl Reach {
    /// Opens a world: its network, its pace, its door, and what whoever acts is told.
    ///
    /// # Errors
    /// [`WorldError::SetUp`] if nothing can listen, or a file can't be written.
    pub(in crate::worlds::sim) fn open(
        opening: &Opening<'_>,
    ) -> Result<(Network, Served, Door, Self), WorldError> {
        let told = |what: &str, error: &dyn std::fmt::Display| {
            WorldError::SetUp(format!("{what}: {error}"))
        };
        let listeners = [Listener::Kube, Listener::Prometheus, Listener::Loki];
        let addresses = addresses(opening.listen).ok_or_else(|| {
            told(
                "the simulated servers",
                &"there are no three ports from there on",
            )
        })?;
        let at = [
            (listeners[0], addresses[0]),
            (listeners[1], addresses[1]),
            (listeners[2], addresses[2]),
        ];
        let token = token().map_err(|error| told("the token", &error))?;
        let mut network = sim_serve::listen(&at, &token, Limits::default())
            .map_err(|error| told("the simulated servers", &error))?;
        let [kube, prometheus, loki] =
            listeners.map(|of| network.address(of).unwrap_or(opening.listen));
        let group = Arc::new(AtomicU64::new(0));
        let pacing = match opening.pace {
            Some(speed) => Pacing::Wall(speed),
            None => {
                let group = Arc::clone(&group);
                Pacing::Requests(Settle {
                    computing: Some(Box::new(move || {
                        child::is_computing(group.load(Ordering::SeqCst))
                    })),
                    ..Settle::default()
                })
            }
        };
        let (pace, door) = network.open(pacing);
        let gate = door.gate();
        gate.alone();
        let folder = tempfile::Builder::new()
            .prefix("firedrill-")
            .tempdir()
            .map_err(|error| told("the executor's folder", &error))?;
        let guard = Guard::of(folder.path())
            .map_err(|error| told("a shell that watches over the executor's folder", &error))?;
        let own = folder.path().join("kubeconfig");
        let reach = Self {
            gate,
            kube,
            prometheus,
            loki,
            token,
            namespace: opening.namespace.to_owned(),
            kubeconfig: opening.kubeconfig.map_or(own, Path::to_owned),
            folder,
            guard,
            group,
        };
        reach
            .furnish(opening.tools)
            .map_err(|error| told("the executor's files", &error))?;
        Ok((network, pace, door, reach))
    }

    /// Writes what whoever acts is given.
    fn furnish(&self, tools: &Path) -> std::io::Result<()> {
        use std::io::Write as _;
        let config = kubeconfig(self.kube, &self.token, &self.namespace);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.kubeconfig)
            .map_err(|error| {
                let path = self.kubeconfig.display();
                std::io::Error::new(error.kind(), format!("{path}: {error}"))
            })?;
        file.write_all(config.as_bytes())?;
        let bin = self.bin();
        fs::create_dir(&bin)?;
        let own = tools.display().to_string().replace('\'', "'\\''");
        for tool in TOOLS {
            let path = bin.join(tool);
            let script = format!("#!/bin/sh\nexec '{own}' tool {tool} \"$@\"\n");
            fs::write(&path, script)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    /// The folder of the commands.
    pub(super) fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// Where the kubeconfig is.
    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where host `number` saves what a post-mortem needs.
    fn evidence(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("evidence-{number}"))
    }

    /// Where host `number` writes since when everything is well.
    pub(super) fn recovered_at(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("recovered-at-{number}"))
    }

    /// What whoever acts in `phase` needs to know. `PATH` is left to the caller.
    ///
    /// # Errors
    /// The folder of the evidence can't be made.
    pub(super) fn told(
        &self,
        phase: &Phase<'_>,
    ) -> std::io::Result<BTreeMap<&'static str, String>> {
        let evidence = self.evidence(phase.host);
        fs::create_dir_all(&evidence)?;
        let text = |path: &Path| path.display().to_string();
        let server = format!("http://{}", self.kube);
        let mut told = BTreeMap::from([
            ("FIREDRILL_EVIDENCE", text(&evidence)),
            ("FIREDRILL_NAMESPACE", self.namespace.clone()),
            ("FIREDRILL_PHASE", phase.name.to_owned()),
            ("FIREDRILL_PRIOR_RELEASE", phase.prior.to_owned()),
            (
                "FIREDRILL_RECOVERED_AT",
                text(&self.recovered_at(phase.host)),
            ),
            ("FIREDRILL_SERVER", server.clone()),
            ("FIREDRILL_TOKEN", self.token.clone()),
            ("KUBECACHEDIR", text(&self.folder.path().join("cache"))),
            ("KUBECONFIG", text(&self.kubeconfig)),
            ("LOKI_URL", format!("http://{}", self.loki)),
            ("PROMETHEUS_URL", format!("http://{}", self.prometheus)),
            // The host names of the runbook lead to the world, too.
            ("http_proxy", server),
            ("no_proxy", "127.0.0.1,localhost".to_owned()),
        ]);
        if let Some(trigger) = phase.trigger {
            told.insert("FIREDRILL_TRIGGER", trigger.name.clone());
        }
        Ok(told)
    }

    /// The environment of a process in `phase`.
    ///
    /// # Errors
    /// As [`Self::told`].
    pub(super) fn environment(
        &self,
        phase: &Phase<'_>,
    ) -> std::io::Result<BTreeMap<&'static str, String>> {
        let mut environment = self.told(phase)?;
        let path = std::env::var("PATH").unwrap_or_default();
        environment.insert("PATH", format!("{}:{path}", self.bin().display()));
        Ok(environment)
    }

    /// With what host `number` has saved, and since when it says that all is well.
    pub(super) fn with_files(&self, number: u32, ended: Ended) -> Ended {
        left::with_files(&self.evidence(number), &self.recovered_at(number), ended)
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        // It leads nowhere any more. That in the drill's own folder goes with the folder.
        let _ = fs::remove_file(&self.kubeconfig);
    }
}

/// The addresses of the three servers; `None` if the ports run out.
fn addresses(first: SocketAddr) -> Option<[SocketAddr; 3]> {
    let at = |n: u16| {
        let port = match first.port() {
            0 => 0,
            port => port.checked_add(n)?,
        };
        Some(SocketAddr::new(first.ip(), port))
    };
    Some([at(0)?, at(1)?, at(2)?])
}

/// A token that nobody can guess. It decides nothing in the world, which never sees it.
fn token() -> Result<String, rustix::io::Errno> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("firedrill-{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_servers_listen_side_by_side() {
        let at = |text: &str| addresses(text.parse().expect("an address"));
        let ports = |text| at(text).map(|all| all.map(|it| it.port()));
        assert_eq!(ports("127.0.0.1:0"), Some([0, 0, 0]));
        assert_eq!(ports("127.0.0.1:6443"), Some([6443, 6444, 6445]));
        assert_eq!(ports("127.0.0.1:65534"), None);
    }
}
