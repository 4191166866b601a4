//! What the phases share: how they reach what they ask, and the baseline that `prepare` recorded.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::baseline::{Baseline, CONFIG_MAP, KEY};
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::executor::Executor;
use crate::kubernetes::Cluster;
use crate::queries::{Doubts, Queries};

/// How long reading the state may take where no rollback waits for it.
pub(super) const READ: SignedDuration = SignedDuration::from_secs(30);

impl Executor {
    pub(crate) fn cluster(&self) -> Cluster {
        Cluster {
            client: self.ports.kube.clone(),
            namespace: self.runbook.namespace.clone(),
            clock: Arc::clone(&self.ports.clock),
            observer: Arc::clone(&self.options.observer),
            request_timeout: self.options.request_timeout,
        }
    }

    pub(crate) fn queries(&self) -> Queries {
        Queries {
            http: self.ports.http.clone(),
            clock: Arc::clone(&self.ports.clock),
            request_timeout: self.options.request_timeout,
            doubts: Doubts::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    pub(crate) fn emit(&self, event: &Event) {
        self.options.observer.event(self.now(), event);
    }

    /// How long the runbook lets a rollback take.
    pub(super) fn objective(&self) -> SignedDuration {
        SignedDuration::try_from(self.runbook.rto).unwrap_or(READ)
    }

    /// The present instant by the API server's clock, which is asked for it if it has told nothing yet. Nothing that is
    /// counted from this instant can begin without that server, so it has the whole RTO to answer in. If it does not,
    /// the host's clock is left to go by.
    pub async fn present(&self) -> Timestamp {
        self.learn_the_time(self.objective()).await;
        self.now()
    }

    /// Asks the API server for the time, unless it has told it, for as long as `limit` by the host's clock.
    async fn learn_the_time(&self, limit: SignedDuration) {
        if !self.time.is_told() {
            let (cluster, client) = (self.cluster(), &self.ports.kube);
            let ask = || async { client.apiserver_version().await };
            let asked = cluster.call("ask for the time", self.now() + limit, ask);
            // What matters is when the answer was made, and not what it says.
            let _ = self.unless_stopped(asked).await;
        }
    }

    /// Begins a phase that may be the first one on this host. What it begins is bounded in time, so it must know it. A
    /// server that does not answer within 30 s leaves the host's clock to go by.
    pub(crate) async fn begin(&self, stage: Stage) {
        self.learn_the_time(READ).await;
        self.emit(&Event::PhaseStarted { stage });
    }

    /// The baseline that `prepare` recorded, asked for until `until`.
    pub(crate) async fn baseline(&self, until: Timestamp) -> Result<Baseline, Error> {
        let cluster = self.cluster();
        let api = cluster.config_maps();
        let found = cluster.get_opt(&api, CONFIG_MAP, until).await?;
        let data = found
            .and_then(|object| object.data)
            .ok_or(Error::NoBaseline)?;
        let text = data.get(KEY).ok_or(Error::NoBaseline)?;
        serde_json::from_str(text).map_err(|error| Error::Unreadable {
            what: format!("configmap {CONFIG_MAP}"),
            reason: error.to_string(),
        })
    }
}
