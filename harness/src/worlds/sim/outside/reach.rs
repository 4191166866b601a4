//! Where the program finds the world, and the files that it gets and leaves.

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

use super::child;
use crate::worlds::common::manifests::NAMESPACE;
use crate::worlds::{Program, WorldError};

/// The commands of the program's `PATH` that keep the world's time.
const TOOLS: [&str; 3] = ["date", "sleep", "timeout"];

/// What the program is told of its world.
pub(in crate::worlds::sim) struct Reach {
    pub(super) program: Arc<Program>,
    pub(super) gate: Gate,
    kube: SocketAddr,
    prometheus: SocketAddr,
    loki: SocketAddr,
    token: String,
    /// Removed with this value.
    folder: tempfile::TempDir,
    /// The process group that is at work; 0: none is.
    pub(super) group: Arc<AtomicU64>,
}

impl Reach {
    /// Opens a world to `program`: its network, its pace, its door, and what the program is told.
    ///
    /// # Errors
    /// [`WorldError::SetUp`] if nothing can listen, or a file can't be written.
    pub(in crate::worlds::sim) fn open(
        program: &Arc<Program>,
    ) -> Result<(Network, Served, Door, Arc<Self>), WorldError> {
        let told = |what: &str, error: &dyn std::fmt::Display| {
            WorldError::SetUp(format!("{what}: {error}"))
        };
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listeners = [Listener::Kube, Listener::Prometheus, Listener::Loki];
        let token = token().map_err(|error| told("the token", &error))?;
        let mut network = sim_serve::listen(
            &listeners.map(|listener| (listener, local)),
            &token,
            Limits::default(),
        )
        .map_err(|error| told("the simulated servers", &error))?;
        let [kube, prometheus, loki] = listeners.map(|of| network.address(of).unwrap_or(local));
        let group = Arc::new(AtomicU64::new(0));
        let pacing = match program.pace {
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
        let reach = Self {
            program: Arc::clone(program),
            gate,
            kube,
            prometheus,
            loki,
            token,
            folder,
            group,
        };
        reach
            .furnish()
            .map_err(|error| told("the executor's folder", &error))?;
        Ok((network, pace, door, Arc::new(reach)))
    }

    /// Writes what the program is given.
    fn furnish(&self) -> std::io::Result<()> {
        use std::io::Write as _;
        let config = kubeconfig(self.kube, &self.token, NAMESPACE);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.kubeconfig())?;
        file.write_all(config.as_bytes())?;
        let bin = self.folder.path().join("bin");
        fs::create_dir(&bin)?;
        for tool in TOOLS {
            let path = bin.join(tool);
            let own = self
                .program
                .tools
                .display()
                .to_string()
                .replace('\'', "'\\''");
            fs::write(
                &path,
                format!("#!/bin/sh\nexec '{own}' tool {tool} \"$@\"\n"),
            )?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Where host `number` puts by what a post-mortem needs.
    fn evidence(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("evidence-{number}"))
    }

    /// Where host `number` writes since when everything is well.
    pub(super) fn recovered_at(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("recovered-at-{number}"))
    }

    /// The environment of a process on host `number`.
    ///
    /// # Errors
    /// The folder of its evidence can't be made.
    pub(super) fn environment(
        &self,
        number: u32,
    ) -> std::io::Result<BTreeMap<&'static str, String>> {
        let evidence = self.evidence(number);
        fs::create_dir_all(&evidence)?;
        let text = |path: &Path| path.display().to_string();
        let bin = text(&self.folder.path().join("bin"));
        let path = std::env::var("PATH").unwrap_or_default();
        let server = format!("http://{}", self.kube);
        Ok(BTreeMap::from([
            ("FIREDRILL_EVIDENCE", text(&evidence)),
            ("FIREDRILL_NAMESPACE", NAMESPACE.to_owned()),
            ("FIREDRILL_RECOVERED_AT", text(&self.recovered_at(number))),
            ("FIREDRILL_SERVER", server.clone()),
            ("FIREDRILL_TOKEN", self.token.clone()),
            ("KUBECACHEDIR", text(&self.folder.path().join("cache"))),
            ("KUBECONFIG", text(&self.kubeconfig())),
            ("LOKI_URL", format!("http://{}", self.loki)),
            ("PATH", format!("{bin}:{path}")),
            ("PROMETHEUS_URL", format!("http://{}", self.prometheus)),
            // The host names of the runbook lead to the world, too.
            ("http_proxy", server),
            ("no_proxy", "127.0.0.1,localhost".to_owned()),
        ]))
    }

    /// What host `number` has saved, under its path below the folder of the evidence.
    pub(super) fn files(&self, number: u32) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let root = self.evidence(number);
        gather(&root, &root, &mut found);
        found
    }
}

/// A token that nobody can guess. It decides nothing in the world, which never sees it.
fn token() -> Result<String, rustix::io::Errno> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("firedrill-{:032x}", u128::from_ne_bytes(bytes)))
}

/// Files below `folder`, under their path from `root` with a leading slash. What can't be read is left out.
fn gather(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(of_type) if of_type.is_dir() => gather(root, &path, found),
            Ok(of_type) if of_type.is_file() => {
                if let (Ok(name), Ok(text)) = (path.strip_prefix(root), fs::read(&path)) {
                    let text = String::from_utf8_lossy(&text).into_owned();
                    found.insert(format!("/{}", name.display()), text);
                }
            }
            // A link could lead anywhere.
            _ => {}
        }
    }
}
