//! Looks at pods, one by one, until all of them are as they should be.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use super::context::{Context, Stop, Success, after};
use crate::error::Error;
use crate::pod_port::PodPort;
use crate::runbook::Phase;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a pod may take to answer at first. One that hangs must not use up the time of all.
const LIMIT: Duration = Duration::from_secs(2);

/// What keeps a check of pods from its good end.
pub(super) enum Trouble {
    /// It was seen.
    Seen(String),
    /// There was no answer in time, so that nothing is known.
    Unanswered(String),
}

impl Trouble {
    pub(super) fn of(what: &str, error: &Error) -> Self {
        let text = format!("{what}: {}", error.chain());
        match error {
            Error::Deadline { .. } => Self::Unanswered(text),
            _ => Self::Seen(text),
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Seen(text) | Self::Unanswered(text) => text,
        }
    }
}

/// The looks of one check at the pods of a service.
pub(super) struct Looks<'a, 'b> {
    pub(super) context: &'a Context<'b>,
    /// How long the next answer may take: more after each that did not come, since all of them pass through the API
    /// server, which may be slow.
    limit: Duration,
    /// What was seen last.
    seen: String,
    /// When a pod did not serve last.
    away: Mutex<Option<Timestamp>>,
}

impl<'a, 'b> Looks<'a, 'b> {
    pub(super) fn new(context: &'a Context<'b>) -> Self {
        Self {
            context,
            limit: LIMIT,
            seen: String::new(),
            away: Mutex::default(),
        }
    }

    /// A page of a pod, from the port that the runbook names.
    pub(super) async fn get(
        &mut self,
        pod: &Pod,
        port: PodPort,
        path: &str,
    ) -> Result<String, Error> {
        let limit = SignedDuration::try_from(self.limit).unwrap_or_default();
        let budget = &self.context.budget;
        let budget = budget.within(self.context.ports.clock.now() + limit);
        let cluster = self.context.cluster;
        let name = pod.name_any();
        let page = cluster
            .pod_get(&name, port, path, &budget, &self.away)
            .await;
        if let Err(Error::Deadline { .. }) = page {
            self.limit = (self.limit * 2).min(self.context.cluster.request_timeout.max(LIMIT));
        }
        page
    }

    /// The end of a check whose looks these were. During the rollback the recovery is dated no earlier than the last
    /// look at a pod that did not serve: where no readiness probe keeps requests from such a pod, clients were refused
    /// as well, and its own metrics can't tell.
    pub(super) fn record(looks: &[Self], mut success: Success) -> Success {
        let away = |looks: &Self| *looks.away.lock().unwrap_or_else(PoisonError::into_inner);
        let away = looks.iter().filter_map(away).max();
        let is_run = looks.iter().any(|it| it.context.step.phase == Phase::Run);
        if let Some(at) = away.filter(|_| is_run) {
            success.data = json!({ "window_start": at });
        }
        success
    }

    /// Waits for the next look. When the time is over, what was seen last is the reason, not that nothing was seen
    /// any more.
    pub(super) async fn wait(&mut self, why: Trouble) -> Result<(), Stop> {
        let why = match why {
            Trouble::Seen(why) => {
                self.seen.clone_from(&why);
                why
            }
            Trouble::Unanswered(why) => after(&self.seen, &why),
        };
        self.context.wait(&why, PAUSE).await
    }
}
