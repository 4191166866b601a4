//! Whoever acts, as an executor on a host of the drill.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contract::wire::ReportLine;
use executor::{Executor, TriggerEvent};
use futures::future::{Either, select};
use sim::time::Micros;
use sim::{Application, World};
use sim_serve::answer::Gate;

use super::actor::{Actor, Phase};
use super::tape::Tape;
use crate::worlds::common::acts::Record as _;
use crate::worlds::common::claims;
use crate::worlds::common::host::{Failed, Host};
use crate::worlds::recording::Ended;
use crate::worlds::sim::recorder::ActsRecord;

/// A host on which somebody from outside acts. Its triggers are watched by our own executor, whose clients are others.
pub(in crate::worlds::sim) struct OutsideHost<A: Application> {
    pub(in crate::worlds::sim) actor: Arc<dyn Actor<A>>,
    pub(in crate::worlds::sim) watcher: Executor,
    pub(in crate::worlds::sim) record: ActsRecord<A>,
    /// Its number, counted from 1.
    pub(in crate::worlds::sim) number: u32,
    /// Under which name its requests are numbered.
    pub(in crate::worlds::sim) origin: String,
    /// The release to go back to.
    pub(in crate::worlds::sim) prior: String,
    /// What is recorded, if anything is.
    pub(in crate::worlds::sim) tape: Option<Tape>,
    /// For how long a trigger is waited for where somebody acts without one, too, since the drill began.
    pub(in crate::worlds::sim) watch_until: Duration,
}

impl<A: Application> OutsideHost<A> {
    fn world(&self) -> &World<A> {
        &self.record.world
    }

    /// Runs a phase to its end.
    async fn phase(&self, name: &str, trigger: Option<&TriggerEvent>) -> Result<Ended, Failed> {
        let phase = Phase {
            host: self.number,
            name,
            prior: &self.prior,
            trigger,
        };
        let (world, tape) = (self.world(), self.tape.as_ref());
        self.record
            .tell("harness", "", format!("runs the program for `{name}`"));
        if let Some(tape) = tape {
            tape.began(world.now(), self.number, name);
        }
        let gate = self.actor.gate();
        gate.with_others(&self.origin);
        let alone = Alone(gate);
        let ended = self.actor.act(world, phase).await?;
        drop(alone);
        if let Some(tape) = tape {
            tape.ended(world.now(), &ended);
        }
        let mut files = ended.files.clone();
        self.record
            .evidence(|evidence| evidence.files.append(&mut files));
        let how = claims::in_words(&ended);
        self.record.tell("executor", name, how);
        if ended.overdue {
            return Err(claims::overdue(name));
        }
        Ok(ended)
    }

    async fn roll_back(
        &self,
        phase: &str,
        trigger: Option<&TriggerEvent>,
    ) -> Result<ReportLine, Failed> {
        let began = self.world().now().to_timestamp();
        let ended = self.phase(phase, trigger).await?;
        claims::report(began, self.world().now().to_timestamp(), &ended)
    }
}

/// The world goes on by itself again when this goes.
struct Alone<'a>(&'a Gate);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.alone();
    }
}

#[async_trait]
impl<A: Application> Host for OutsideHost<A> {
    async fn prepare(&self) -> Result<(), Failed> {
        self.watcher.prepare().await?;
        let ended = self.phase("prepare", None).await?;
        claims::prepared(&ended)
    }

    async fn watch(&self) -> Result<Option<TriggerEvent>, Failed> {
        if !self.actor.acts_without_a_trigger() {
            return Host::watch(&self.watcher).await;
        }
        let until = self.world().sleep_until(Micros::from(self.watch_until));
        let fired = match select(Host::watch(&self.watcher), until).await {
            Either::Left((fired, _)) => fired?,
            Either::Right(_) => None,
        };
        if fired.is_none() {
            self.phase("watch", None).await?;
        }
        Ok(fired)
    }

    async fn run(&self, event: &TriggerEvent) -> Result<ReportLine, Failed> {
        self.roll_back("run", Some(event)).await
    }

    async fn resume(&self) -> Result<ReportLine, Failed> {
        self.roll_back("resume", None).await
    }
}
