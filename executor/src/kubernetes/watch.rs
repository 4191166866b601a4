//! Watches that survive what ends them: 410, a cut connection, the server's own time limit.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::api::{Api, WatchParams};
use kube::core::WatchEvent;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::cluster::Cluster;
use super::retry::retry_pause;
use crate::budget::Budget;
use crate::clock::timeout;

/// Not in a tight loop, however often the server says 410.
const AGAIN: Duration = Duration::from_millis(200);

/// What a watch brought.
pub(crate) enum Next<K> {
    /// An object was added or changed.
    Changed(K),
    /// An object was deleted, or left the selector.
    Deleted(K),
    /// Nothing within the limit. The watch goes on; a reader that must be sure looks for itself.
    Quiet,
    /// Events may have been missed: read the state again and [`Watcher::restart`] from there.
    Relist,
}

/// One watch.
pub(crate) struct Watcher<K> {
    cluster: Cluster,
    budget: Budget,
    api: Api<K>,
    params: WatchParams,
    version: String,
    stream: Option<BoxStream<'static, Result<WatchEvent<K>, kube::Error>>>,
}

impl<K> Watcher<K>
where
    K: Clone + Debug + DeserializeOwned + Resource + Send + 'static,
{
    /// A watch from `version` on, which a read returned. What refusals cost is charged to the reserve of `budget`.
    pub(crate) fn new(
        cluster: &Cluster,
        budget: &Budget,
        api: Api<K>,
        params: WatchParams,
        version: String,
    ) -> Self {
        Self {
            cluster: cluster.clone(),
            budget: budget.clone(),
            api,
            params,
            version,
            stream: None,
        }
    }

    /// Goes on from `version`, after a fresh read.
    pub(crate) fn restart(&mut self, version: String) {
        self.version = version;
        self.stream = None;
    }

    /// The next event, waiting at most `limit`.
    pub(crate) async fn next(&mut self, limit: Duration) -> Next<K> {
        let clock = self.cluster.clock.clone();
        if self.version.is_empty() {
            return self.lost(AGAIN.min(limit)).await;
        }
        if self.stream.is_none() {
            let opening = self.api.watch(&self.params, &self.version);
            let opening = timeout(&*clock, limit.min(self.cluster.request_timeout), opening);
            match opening.await {
                Ok(Ok(stream)) => self.stream = Some(stream.boxed()),
                // A version that is too old needs a fresh read at once; anything else is a server that refuses.
                Ok(Err(error)) => {
                    let refused = retry_pause(&error, 1);
                    let pause = refused.unwrap_or(AGAIN).max(AGAIN).min(limit);
                    if refused.is_some() {
                        self.budget.lose(pause);
                    }
                    return self.lost(pause).await;
                }
                Err(_) => return Next::Quiet,
            }
        }
        let Some(stream) = self.stream.as_mut() else {
            return Next::Relist;
        };
        match timeout(&*clock, limit, next_object(stream, &mut self.version)).await {
            Err(_) => Next::Quiet,
            Ok(Found::Changed(object)) => Next::Changed(object),
            Ok(Found::Deleted(object)) => Next::Deleted(object),
            // The server closes watches as a matter of course: go on from the last version.
            Ok(Found::End) => {
                self.stream = None;
                Next::Quiet
            }
            Ok(Found::Broken) => self.lost(AGAIN.min(limit)).await,
        }
    }

    async fn lost(&mut self, pause: Duration) -> Next<K> {
        self.stream = None;
        self.cluster.clock.sleep(pause).await;
        Next::Relist
    }
}

enum Found<K> {
    Changed(K),
    Deleted(K),
    End,
    Broken,
}

async fn next_object<K: Resource>(
    stream: &mut BoxStream<'static, Result<WatchEvent<K>, kube::Error>>,
    version: &mut String,
) -> Found<K> {
    loop {
        match stream.next().await {
            None => return Found::End,
            Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                *version = bookmark.metadata.resource_version;
            }
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                *version = object.resource_version().unwrap_or_default();
                return Found::Changed(object);
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                *version = object.resource_version().unwrap_or_default();
                return Found::Deleted(object);
            }
            Some(Ok(WatchEvent::Error(_)) | Err(_)) => return Found::Broken,
        }
    }
}
