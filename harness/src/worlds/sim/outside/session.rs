//! A person, or a tool, that works by hand on the served world.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::future::{Either, select};
use sim::time::Micros;
use sim::{Application, World};
use sim_serve::answer::Gate;

use super::actor::{Actor, Phase};
use super::reach::{Opening, Reach};
use crate::worlds::common::host::Failed;
use crate::worlds::recording::Ended;

/// How a world is served to whoever works by hand.
pub struct Session {
    /// How many times as fast as the wall clock the world's clock runs; `None`: requests move it.
    pub pace: Option<u32>,
    /// The program that the commands of the `PATH` call: this one.
    pub tools: PathBuf,
    /// Where it listens. The port is the API server's, and the next two are those of Prometheus and Loki; 0: any.
    pub listen: SocketAddr,
    /// Where the kubeconfig goes, which is there while the world is served; `None`: into a folder of its own.
    pub kubeconfig: Option<PathBuf>,
    /// How long it takes at most, in the world's time.
    pub longest: Duration,
    /// Told once the world is open.
    pub opened: Box<dyn Fn(&Opened) + Send + Sync>,
    over: Mutex<Option<oneshot::Receiver<()>>>,
}

/// Ends a session, from any thread.
pub struct SessionEnd(oneshot::Sender<()>);

impl SessionEnd {
    /// It is over.
    pub fn end(self) {
        // It may be over already.
        let _ = self.0.send(());
    }
}

/// What whoever works by hand is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The API server, Prometheus and Loki.
    pub servers: [SocketAddr; 3],
    /// What the API server asks for.
    pub token: String,
    /// The kubeconfig.
    pub kubeconfig: PathBuf,
    /// The folder of the commands that stand for the system's own.
    pub bin: PathBuf,
    /// The variables that a program of a drill has, but for `PATH`.
    pub environment: BTreeMap<&'static str, String>,
    /// What fired, if anything did.
    pub trigger: Option<String>,
}

impl Session {
    /// A session of an hour at most, on the loopback interface, in which requests move the clock; and what ends it
    /// sooner. `opened` is told once the world is open.
    #[must_use]
    pub fn new(tools: PathBuf, opened: Box<dyn Fn(&Opened) + Send + Sync>) -> (Self, SessionEnd) {
        let (end, over) = oneshot::channel();
        let session = Self {
            pace: None,
            tools,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            kubeconfig: None,
            longest: Duration::from_secs(3_600),
            opened,
            over: Mutex::new(Some(over)),
        };
        (session, SessionEnd(end))
    }

    pub(in crate::worlds::sim) fn opening<'a>(&'a self, namespace: &'a str) -> Opening<'a> {
        Opening {
            namespace,
            pace: self.pace,
            tools: &self.tools,
            listen: self.listen,
            kubeconfig: self.kubeconfig.as_deref(),
        }
    }

    /// Completes once it was ended, or has taken its longest time; why.
    async fn over<A: Application>(&self, world: &World<A>) -> &'static str {
        let over = self
            .over
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let ended = async {
            // Who has taken it before has ended the session.
            if let Some(over) = over {
                let _ = over.await;
            }
        };
        let longest = world.sleep(Micros::from(self.longest));
        match select(Box::pin(ended), longest).await {
            Either::Left(_) => "ended by hand",
            Either::Right(_) => "its time was over",
        }
    }
}

/// Somebody who works by hand.
pub(in crate::worlds::sim) struct BySession {
    pub(in crate::worlds::sim) reach: Reach,
    pub(in crate::worlds::sim) session: Arc<Session>,
}

impl BySession {
    /// Opens the world, and leaves it open until the session is over.
    pub(in crate::worlds::sim) async fn serve<A: Application>(
        &self,
        world: &World<A>,
        phase: Phase<'_>,
    ) -> std::io::Result<Ended> {
        let reach = &self.reach;
        let environment = reach.told(&phase)?;
        (self.session.opened)(&Opened {
            servers: [reach.kube, reach.prometheus, reach.loki],
            token: reach.token.clone(),
            kubeconfig: reach.kubeconfig().to_owned(),
            bin: reach.bin(),
            environment,
            trigger: phase.trigger.map(|event| event.name.clone()),
        });
        let why = self.session.over(world).await;
        let ended = reach.with_files(phase.host, Ended::default());
        let claims = ended.recovered_at.is_some();
        let said = format!("{why}, and nobody said since when all is well");
        Ok(Ended {
            code: Some(i32::from(!claims)),
            errors: if claims { Vec::new() } else { vec![said] },
            ..ended
        })
    }

    /// The world without a drill: whoever works by hand begins at once.
    pub(in crate::worlds::sim) async fn serve_healthy<A: Application>(
        &self,
        world: &World<A>,
        prior: &str,
    ) -> std::io::Result<()> {
        let phase = Phase {
            host: 1,
            name: "serve",
            prior,
            trigger: None,
        };
        self.reach
            .gate
            .with_others(crate::worlds::sim::ports::ORIGIN);
        self.serve(world, phase).await?;
        self.reach.gate.alone();
        Ok(())
    }
}

#[async_trait]
impl<A: Application> Actor<A> for BySession {
    fn gate(&self) -> &Gate {
        &self.reach.gate
    }

    async fn act(&self, world: &World<A>, phase: Phase<'_>) -> Result<Ended, Failed> {
        if phase.name == "prepare" {
            // The baseline is the watcher's, and nobody has come yet.
            return Ok(Ended {
                code: Some(0),
                ..Ended::default()
            });
        }
        let folder = |error: std::io::Error| Failed::Harness(format!("the evidence: {error}"));
        self.serve(world, phase).await.map_err(folder)
    }

    fn acts_without_a_trigger(&self) -> bool {
        true
    }
}

/// Where a kubeconfig may go: a file that is not there, or that of a served world which has ended.
///
/// # Errors
/// It is somebody else's file, or can't be removed.
pub fn make_way(kubeconfig: &Path) -> Result<(), String> {
    let text = match std::fs::read_to_string(kubeconfig) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
        Ok(text) => text,
    };
    let config: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    if config.is_none_or(|config| config["current-context"] != "firedrill") {
        return Err("the file is there already, and is no kubeconfig of a served world".to_owned());
    }
    std::fs::remove_file(kubeconfig).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kubeconfig_of_a_served_world_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        assert_eq!(make_way(&path), Ok(()));
        std::fs::write(&path, "apiVersion: v1\nkind: Config\n").expect("it is ours");
        assert!(make_way(&path).is_err());
        assert!(path.exists());
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let own = sim_serve::kubeconfig::kubeconfig(address, "token", "shop");
        std::fs::write(&path, own).expect("it is ours");
        assert_eq!(make_way(&path), Ok(()));
        assert!(!path.exists());
    }
}
