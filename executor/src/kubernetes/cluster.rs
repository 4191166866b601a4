//! Calls to the API server, each bounded in time and repeated where that is safe.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde::de::DeserializeOwned;

use super::retry::{
    BEGINNER, Class, classify, is_lost, is_of_a_beginner, is_of_the_pod, is_status, pause,
};
use super::words::in_words;
use crate::budget::Budget;
use crate::clock::{Clock, timeout};
use crate::error::{Error, NO_TIME};
use crate::event::{Event, Observer};
use crate::pod_port::PodPort;

/// How long before the end a last attempt is made.
const LAST_ATTEMPT: Duration = Duration::from_millis(500);

/// How long after a conflict a ConfigMap is read again.
const CONFLICT: Duration = Duration::from_millis(50);

/// The cluster as the executor uses it.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) client: kube::Client,
    pub(crate) namespace: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) request_timeout: Duration,
}

/// What a conditional write found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Updated {
    /// It was written.
    Written,
    /// It was already so.
    AlreadySo,
}

impl Cluster {
    /// Deployments of the namespace.
    pub(crate) fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// ReplicaSets of the namespace.
    pub(crate) fn replica_sets(&self) -> Api<ReplicaSet> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Pods of the namespace.
    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// ConfigMaps of the namespace.
    pub(crate) fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Time left until `deadline`; zero if it passed.
    pub(crate) fn left(&self, deadline: Timestamp) -> Duration {
        Duration::try_from(deadline.duration_since(self.clock.now())).unwrap_or(Duration::ZERO)
    }

    /// Time since `instant`; zero if it is still to come.
    pub(crate) fn since(&self, instant: Timestamp) -> Duration {
        Duration::try_from(self.clock.now().duration_since(instant)).unwrap_or(Duration::ZERO)
    }

    /// Sleeps for `duration`, but not beyond `deadline`. False if the deadline has come.
    pub(crate) async fn pause(&self, duration: Duration, deadline: Timestamp) -> bool {
        let left = self.left(deadline);
        if left.is_zero() {
            return false;
        }
        self.clock.sleep(duration.min(left)).await;
        !self.left(deadline).is_zero()
    }

    /// Calls `request` until it is answered for good or the time is over; what refusals cost is charged to the reserve
    /// of `budget`. `request` must be one that may take effect twice: a read,
    /// or a write with a precondition or an absolute value.
    pub(crate) async fn call<T, F, Fut>(
        &self,
        what: &str,
        budget: impl Into<Budget>,
        request: F,
    ) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, kube::Error>>,
    {
        self.repeat(what, &budget.into(), |_| true, request).await
    }

    /// As [`call`](Self::call), where only the time of errors that `transient` picks is charged to the reserve.
    async fn repeat<T, F, Fut>(
        &self,
        what: &str,
        budget: &Budget,
        transient: fn(Option<&kube::Error>) -> bool,
        request: F,
    ) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, kube::Error>>,
    {
        let mut attempt = 0_u32;
        let mut unknown_since = None;
        loop {
            attempt += 1;
            let began = self.clock.now();
            let limit = self
                .request_timeout
                .min(self.left(budget.last()))
                .max(NO_TIME);
            let answer = timeout(&*self.clock, limit, request()).await;
            let unknown = matches!(&answer, Ok(Err(error)) if is_of_a_beginner(error));
            unknown_since = unknown.then(|| unknown_since.unwrap_or(began));
            let for_good = unknown_since.is_some_and(|since| self.since(since) > BEGINNER);
            let (why, wait, charged, last) = match answer {
                Ok(Ok(answer)) => {
                    // It was under way when the time was over: the server was slow, not the application.
                    budget.lose(self.since(budget.end()));
                    return Ok(answer);
                }
                Ok(Err(error)) => match classify(&error) {
                    Class::Final => return Err(kubernetes(what, error)),
                    Class::Retry { .. } if for_good => return Err(kubernetes(what, error)),
                    Class::Retry { after } => (
                        in_words(&error),
                        pause(attempt, after),
                        transient(Some(&error)),
                        kubernetes(what, error),
                    ),
                },
                Err(elapsed) => {
                    let error = Error::Deadline {
                        what: what.to_owned(),
                        limit,
                    };
                    let why = elapsed.to_string();
                    (why, pause(attempt, None), transient(None), error)
                }
            };
            if charged {
                // What the server wishes for beyond the end goes by for nobody.
                budget.lose(self.since(began) + wait.min(self.left(budget.last())));
            }
            // Where the server wishes for more time than there is, a last attempt is made shortly before the end. What
            // is charged to the reserve is not the caller's time, however little of that is left.
            let end = if charged { budget.last() } else { budget.end() };
            let wait = wait.min(self.left(end).saturating_sub(LAST_ATTEMPT));
            if wait.is_zero() {
                return Err(last);
            }
            self.retrying(what, &why, budget);
            self.clock.sleep(wait).await;
        }
    }

    /// Tells the observer that `what` is tried again, and at whose cost.
    pub(crate) fn retrying(&self, what: &str, why: &str, budget: &Budget) {
        let now = self.clock.now();
        let reserve = budget.reserve(now);
        let event = Event::Retrying {
            what: what.to_owned(),
            why: reserve.map_or_else(|| why.to_owned(), |reserve| format!("{why}; {reserve}")),
        };
        self.observer.event(now, &event);
    }

    /// One object, or `None`.
    pub(crate) async fn get_opt<K>(
        &self,
        api: &Api<K>,
        name: &str,
        budget: impl Into<Budget>,
    ) -> Result<Option<K>, Error>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        self.call(&format!("read {name}"), budget, || api.get_opt(name))
            .await
    }

    /// Pods that match `selector`.
    pub(crate) async fn list_pods(
        &self,
        selector: &str,
        budget: impl Into<Budget>,
    ) -> Result<Vec<Pod>, Error> {
        let api = self.pods();
        let params = ListParams::default().labels(selector);
        let list = self.call("list pods", budget, || api.list(&params)).await?;
        Ok(list.items)
    }

    /// Text from a pod's own HTTP server, through the API server's proxy. A pod that does not answer is what is looked
    /// for, not a server's refusal: it is not charged to the reserve. When it did not serve last is left in `away`.
    pub(crate) async fn pod_get(
        &self,
        pod: &str,
        port: PodPort,
        path: &str,
        budget: impl Into<Budget>,
        away: &Mutex<Option<Timestamp>>,
    ) -> Result<String, Error> {
        let uri = format!(
            "/api/v1/namespaces/{}/pods/{pod}{}/proxy/{path}",
            self.namespace,
            port.suffix()
        );
        let client = &self.client;
        let uri = &uri;
        self.repeat(
            &format!("get /{path} of pod {pod}"),
            &budget.into(),
            |error| error.is_some_and(|it| is_lost(it) || is_of_a_beginner(it)),
            || async move {
                let request = http::Request::get(uri)
                    .body(Vec::new())
                    .map_err(kube::Error::HttpError)?;
                let page = client.request_text(request).await;
                if page.as_ref().is_err_and(is_of_the_pod) {
                    let mut away = away.lock().unwrap_or_else(PoisonError::into_inner);
                    *away = Some(self.clock.now());
                }
                page
            },
        )
        .await
    }

    /// Brings a ConfigMap's data to where `change` wants them: read, change, replace with the resourceVersion as
    /// precondition; again after a conflict, whose time is charged to the reserve. `change` returns false if it finds
    /// nothing to do. The ConfigMap is created if it is missing and `create` is set.
    pub(crate) async fn update_config_map(
        &self,
        name: &str,
        create: bool,
        budget: impl Into<Budget>,
        change: impl Fn(&mut BTreeMap<String, String>) -> bool,
    ) -> Result<Updated, Error> {
        let api = self.config_maps();
        let params = PostParams::default();
        let budget = budget.into();
        let mut conflict = None;
        loop {
            let found = self.get_opt(&api, name, &budget).await?;
            let exists = found.is_some();
            if !exists && !create {
                return Err(Error::Unreadable {
                    what: format!("configmap {name}"),
                    reason: "it does not exist".to_owned(),
                });
            }
            let mut object = found.unwrap_or_else(|| ConfigMap {
                metadata: ObjectMeta {
                    name: Some(name.to_owned()),
                    ..ObjectMeta::default()
                },
                ..ConfigMap::default()
            });
            let mut data = object.data.take().unwrap_or_default();
            if !change(&mut data) {
                return Ok(Updated::AlreadySo);
            }
            if let Some(error) = conflict.take()
                && self.left(budget.end()).is_zero()
            {
                return Err(error);
            }
            object.data = Some(data);
            let what = format!("write configmap {name}");
            let result = if exists {
                self.call(&what, &budget, || api.replace(name, &params, &object))
                    .await
            } else {
                self.call(&what, &budget, || api.create(&params, &object))
                    .await
            };
            match result {
                Ok(_) => return Ok(Updated::Written),
                // Somebody else wrote, or an earlier attempt of ours did without our hearing of it: look again, even if
                // the time is over, since what is there already needs no time.
                Err(error) if is_conflict(&error) => {
                    budget.lose(CONFLICT);
                    self.clock.sleep(CONFLICT).await;
                    conflict = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the server answered 409.
pub(crate) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::Kubernetes { source, .. } if is_status(source, 409))
}

/// Whether the server answered 404.
pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Kubernetes { source, .. } if is_status(source, 404))
}

/// Wraps a client error.
pub(crate) fn kubernetes(what: &str, source: kube::Error) -> Error {
    Error::Kubernetes {
        what: what.to_owned(),
        source: Box::new(source),
    }
}
