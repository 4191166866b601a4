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

    pub(crate) fn begin(&self, stage: Stage) {
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
