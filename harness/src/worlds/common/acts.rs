//! What happens in a drill, in the same order in every world.
//!
//! ```text
//! warm-up ─▶ prepare ─▶ deploy ─▶ watch ─▶ run ─┬─▶ report
//!                                    killed: ◀──┘ another host resumes
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use contract::wire::ReportLine;
use executor::ports::EvidenceStore;
use executor::{Event, Observer, TriggerEvent};
use futures::future::BoxFuture;
use jiff::Timestamp;

use super::executor::{calls_a_person, copy, told};
use super::host::{Failed, Host, carry_on};
use crate::drill::timeline::Told;
use crate::evidence::{Evidence, ExecutorOutcome, Ms};
use crate::scenario::Anchor;

/// Where what happens is written down, and whom it is told to.
pub(in crate::worlds) trait Record: Clone + Send + Sync + 'static {
    /// Milliseconds of the drill.
    fn now_ms(&self) -> Ms;

    /// An instant of the executor's clock, in milliseconds of the drill.
    fn ms_of(&self, at: Timestamp) -> Ms;

    /// Changes the evidence, or reads it.
    fn evidence<T>(&self, change: impl FnOnce(&mut Evidence) -> T) -> T;

    /// One more line of the timeline, now, which only persons read.
    fn tell(&self, who: &'static str, step: &str, what: String) {
        self.tell_of(Told::Else, who, step, what);
    }

    /// One more line of the timeline, now, which tells of `told`.
    fn tell_of(&self, told: Told, who: &'static str, step: &str, what: String);

    /// The drill has come to `anchor`: faults may wait for it.
    fn reached(&self, anchor: &Anchor);

    /// The executor said what its plan rests on.
    fn observed(&self, _: &Arc<executor::planner::Observed>) {}

    /// Something of the harness's own failed.
    fn harness_failed(&self, why: String) {
        self.evidence(|evidence| {
            evidence.executor.outcome = ExecutorOutcome::CutShort(why.clone());
            evidence.harness_failed.get_or_insert(why);
        });
    }
}

/// What a world does in the acts of a drill.
pub(in crate::worlds) trait Stage {
    /// Where it writes down what happens.
    type Record: Record;

    /// That record.
    fn record(&self) -> &Self::Record;

    /// When the release is looked at first, and when the next one is deployed, since the drill began.
    fn instants(&self) -> (Duration, Duration);

    /// Sleeps until an instant of the drill.
    async fn sleep_until(&self, since_the_beginning: Duration);

    /// Sleeps.
    async fn sleep(&self, duration: Duration);

    /// The state that must be the same after the rollback.
    async fn lasting_state(&self) -> Result<BTreeMap<String, String>, String>;

    /// An executor on the host of that number, from 1, with `observer` looking on.
    async fn host(&self, number: u32, observer: Arc<dyn Observer>)
    -> Result<Arc<dyn Host>, String>;

    /// The release is about to be deployed.
    fn deploying(&self) {}

    /// Deploys the release.
    async fn deploy(&self) -> Result<(), String>;

    /// What that release is called.
    fn release(&self) -> &str;

    /// A trigger fired, and nothing has been done about it. Whoever must die at a request of the rollback is armed.
    async fn triggered(&self, event: &TriggerEvent) -> Result<(), String>;

    /// `run` on a host that may die, or stand still.
    async fn on_host(
        &self,
        run: BoxFuture<'_, Result<ReportLine, Failed>>,
    ) -> Result<ReportLine, Failed>;

    /// How the rollback ended on another host that works beside the first one, if one took over.
    async fn taken_over(&self) -> Option<Result<ReportLine, Failed>> {
        None
    }
}

/// A store that is always there: what an executor saves in it becomes part of the drill's evidence.
pub(in crate::worlds) struct ArtifactStore<R>(pub(in crate::worlds) R);

#[async_trait]
impl<R: Record> EvidenceStore for ArtifactStore<R> {
    async fn put(&self, name: &str, content: Bytes) -> Result<(), String> {
        let text = String::from_utf8_lossy(&content).into_owned();
        self.0
            .evidence(|evidence| evidence.files.insert(name.to_owned(), text));
        Ok(())
    }
}

/// Writes down what an executor says while it acts.
pub(in crate::worlds) struct Witness<R>(pub(in crate::worlds) R);

impl<R: Record> Observer for Witness<R> {
    fn event(&self, _at: Timestamp, event: &Event) {
        let record = &self.0;
        match event {
            Event::StepStarted { name, .. } => record.reached(&Anchor::Step(name.clone())),
            Event::StepFinished { name, .. } => record.reached(&Anchor::After(name.clone())),
            Event::Observed(observed) => record.observed(observed),
            _ => {}
        }
        if let Some(why) = calls_a_person(event) {
            let now = record.now_ms();
            record.evidence(|evidence| evidence.executor.calls(why, now));
        }
        if let Some((of, step, what)) = told(event) {
            record.tell_of(of, "executor", &step, what);
        }
    }
}

/// An observer that writes down what an executor of this stage says.
pub(in crate::worlds) fn witness<S: Stage>(stage: &S) -> Arc<dyn Observer> {
    Arc::new(Witness(stage.record().clone()))
}

/// Deployer and executor, one after the other.
pub(in crate::worlds) async fn act<S: Stage>(stage: &S) {
    if let Err(why) = acts(stage).await {
        stage.record().harness_failed(why);
    }
}

/// The acts; what of the harness's own failed, if anything did.
async fn acts<S: Stage>(stage: &S) -> Result<(), String> {
    let record = stage.record();
    let (warm_up, deploy_at) = stage.instants();
    stage.sleep_until(warm_up).await;
    let state = stage.lasting_state().await?;
    record.evidence(|evidence| evidence.state_before = state);
    let host = stage.host(1, witness(stage)).await?;
    if let Err(failed) = host.prepare().await {
        let (_, why) = error("prepare", failed)?;
        // Nothing was deployed, so nothing was shown.
        record.evidence(|evidence| evidence.executor.outcome = ExecutorOutcome::Refused(why));
        return Ok(());
    }
    stage.sleep_until(deploy_at).await;
    let now = record.now_ms();
    record.evidence(|evidence| evidence.deployed_ms = Some(now));
    stage.deploying();
    record.reached(&Anchor::Deployment);
    let what = format!("deploys {}", stage.release());
    record.tell("deployer", "", what);
    if let Err(error) = stage.deploy().await {
        record.tell("deployer", "", format!("could not deploy: {error}"));
        // What was not deployed is no drill: the fault never fired.
        record.evidence(|evidence| evidence.deployed_ms = None);
        return Ok(());
    }
    let event = match host.watch().await {
        Err(failed) => {
            let (_, why) = error("watch", failed)?;
            record.evidence(|evidence| evidence.executor.outcome = ExecutorOutcome::Failed(why));
            return Ok(());
        }
        Ok(None) => {
            let why = "the validation window closed";
            record.evidence(|evidence| evidence.executor.saw_nothing(why));
            return Ok(());
        }
        Ok(Some(event)) => event,
    };
    // The harness's own clock, at the instant at which the watch said so.
    let now = record.now_ms();
    record.evidence(|evidence| evidence.executor.fired(&event.name, now));
    stage.triggered(&event).await?;
    record.reached(&Anchor::Trigger);
    let ended = roll_back(stage, host, &event).await;
    let now = record.now_ms();
    match ended {
        Ok(report) => record.evidence(|evidence| {
            let said = &mut evidence.executor;
            said.ended_ms = Some(now);
            copy(report, |at| record.ms_of(at), said);
        }),
        Err(failed) => {
            // Where another host is at work or was before, it was refused, as it should be.
            let (gives_way, why) = error("run", failed)?;
            record.evidence(|evidence| {
                let said = &mut evidence.executor;
                said.ended_ms = Some(now);
                said.outcome = if gives_way {
                    ExecutorOutcome::Refused(why)
                } else {
                    ExecutorOutcome::Failed(why)
                };
            });
        }
    }
    Ok(())
}

/// Whether an executor that failed in `phase` gave way, and its error in words; what of the harness's own failed, if it
/// was that.
fn error(phase: &str, failed: Failed) -> Result<(bool, String), String> {
    let gives_way = failed.gives_way();
    match failed {
        Failed::Harness(why) => Err(why),
        Failed::Killed(_) => Err(format!("the executor's host died in `{phase}`")),
        Failed::Executor { message, .. } => Ok((gives_way, format!("{phase}: {message}"))),
    }
}

/// Runs the rollback, on one host after the other where the executor is killed.
async fn roll_back<S: Stage>(
    stage: &S,
    first: Arc<dyn Host>,
    event: &TriggerEvent,
) -> Result<ReportLine, Failed> {
    let record = stage.record();
    let (mut current, mut number) = (first, 1);
    loop {
        let run = async {
            match number {
                1 => current.run(event).await,
                _ => carry_on(&*current, event).await,
            }
        };
        match stage.on_host(Box::pin(run)).await {
            Err(Failed::Killed(death)) => {
                let now = record.now_ms();
                if death.at_request {
                    record.evidence(|evidence| evidence.crash_ms = Some(Some(now)));
                }
                record.tell_of(Told::Killed, "executor", "", "killed".to_owned());
                stage.sleep(death.resume_after).await;
                number += 1;
                let next = stage.host(number, witness(stage)).await;
                current = next.map_err(Failed::Harness)?;
            }
            Err(failed) if failed.gives_way() => {
                // What counts is what came of the rollback, on whichever host.
                record.tell("executor", "", failed.to_string());
                return stage.taken_over().await.unwrap_or(Err(failed));
            }
            ended => return ended,
        }
    }
}
