//! One executor at a time: a `coordination.k8s.io/v1` Lease whose number of transitions is the fencing token.
//!
//! Every taking of the lease makes a new token, even by the holder's own successor process. A holder that could
//! not renew in time stops by itself; one that finds another's token stops at once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::kubernetes::{Cluster, is_conflict};
use crate::stop::unless;

/// Name of the Lease.
const NAME: &str = "rollback";
/// By how much two hosts' clocks may differ.
const SKEW: SignedDuration = SignedDuration::from_secs(1);

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    holder: String,
    renewed_at: Option<Timestamp>,
    duration_s: i32,
    transitions: i32,
}

/// What may be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It may be taken, with this token.
    Take {
        /// Fencing token.
        token: u64,
        /// Whose it was, if it was not released.
        from: Option<String>,
    },
    /// Somebody holds it.
    Held {
        /// Who.
        holder: String,
        /// Until when, unless it is renewed.
        until: Timestamp,
    },
}

/// Decides at `now` for `me`. Pure.
pub(crate) fn claim(view: Option<&View>, me: &str, now: Timestamp) -> Claim {
    let Some(view) = view else {
        return Claim::Take {
            token: 1,
            from: None,
        };
    };
    let token = u64::try_from(view.transitions).unwrap_or(0) + 1;
    let free = view.holder.is_empty() || view.holder == me;
    let until = view
        .renewed_at
        .map(|at| at + SignedDuration::from_secs(view.duration_s.into()) + SKEW);
    match until {
        Some(until) if !free && until > now => Claim::Held {
            holder: view.holder.clone(),
            until,
        },
        _ => Claim::Take {
            token,
            from: (!view.holder.is_empty()).then(|| view.holder.clone()),
        },
    }
}

/// A lease that is held.
pub(crate) struct Held {
    cluster: Cluster,
    identity: String,
    duration: Duration,
    /// The Lease as it was last read or written.
    last: Mutex<Lease>,
    /// Fencing token.
    pub(crate) token: u64,
    /// Whose it was, if it was not released.
    pub(crate) taken_from: Option<String>,
}

impl Held {
    /// Takes the lease. If another holds it: refuses at once, or, if `wait`, when that one shows that it lives.
    pub(crate) async fn acquire(
        cluster: &Cluster,
        identity: &str,
        duration: Duration,
        wait: bool,
        stop: &CancellationToken,
    ) -> Result<Self, Error> {
        let api = api(cluster);
        let patience = duration * 3 + Duration::from_secs(10);
        let deadline = cluster.clock.now() + signed(patience);
        let mut seen: Option<Option<Timestamp>> = None;
        loop {
            let look = cluster.get_opt(&api, NAME, deadline);
            let found = unless(stop, look)
                .await
                .unwrap_or(Err(Error::Interrupted))?;
            let view = found.as_ref().map(view);
            let now = cluster.clock.now();
            match claim(view.as_ref(), identity, now) {
                Claim::Held { holder, until } => {
                    let renewed_at = view.as_ref().and_then(|view| view.renewed_at);
                    let alive = seen.is_some_and(|before| before != renewed_at);
                    if !wait || alive {
                        return Err(Error::LeaseHeld { holder, until });
                    }
                    seen = Some(renewed_at);
                    let until_free =
                        Duration::try_from(until.duration_since(now)).unwrap_or_default();
                    let pause = cluster.pause(until_free + Duration::from_millis(10), deadline);
                    if !unless(stop, pause).await.ok_or(Error::Interrupted)? {
                        return Err(Error::LeaseHeld { holder, until });
                    }
                }
                Claim::Take { token, from } => {
                    let mut lease = found.unwrap_or_else(|| Lease {
                        metadata: ObjectMeta {
                            name: Some(NAME.to_owned()),
                            ..ObjectMeta::default()
                        },
                        spec: None,
                    });
                    let create = lease.metadata.resource_version.is_none();
                    lease.spec = Some(spec(identity, duration, token, now, now));
                    let params = PostParams::default();
                    let written = if create {
                        cluster
                            .call("create the lease", deadline, || api.create(&params, &lease))
                            .await
                    } else {
                        let replace = || api.replace(NAME, &params, &lease);
                        cluster.call("take the lease", deadline, replace).await
                    };
                    match written {
                        Ok(written) => {
                            return Ok(Self {
                                last: Mutex::new(written),
                                cluster: cluster.clone(),
                                identity: identity.to_owned(),
                                duration,
                                token,
                                taken_from: from.filter(|holder| holder != identity),
                            });
                        }
                        // Another was faster, or our own write went through unheard: its token is then ours to bump.
                        Err(error) if is_conflict(&error) => {
                            let pause = Duration::from_millis(50);
                            if !cluster.pause(pause, deadline).await {
                                return Err(error);
                            }
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// Renews it for as long as it is polled. Completes only when it is lost: when another has taken it, or when its
    /// time is over without a renewal. A renewal that fails before that is tried again
    /// (`client-go/tools/leaderelection`: `RetryPeriod` < `RenewDeadline` < `LeaseDuration`); nobody can take it meanwhile.
    pub(crate) async fn keep(&self) -> Error {
        loop {
            self.cluster.clock.sleep(self.duration / 3).await;
            let until = self.until();
            match self.renew(true, until).await {
                Ok(()) => {}
                Err(error @ Error::Superseded { .. }) => return error,
                Err(error) => {
                    self.cluster.pause(self.cluster.left(until), until).await;
                    return Error::LeaseRanOut { why: error.chain() };
                }
            }
        }
    }

    /// Why it is not ours any more by this host's own clock: it was not renewed for as long as it lasts. `None`: it is.
    pub(crate) fn run_out(&self) -> Option<Error> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let until = view(&last).renewed_at? + signed(self.duration);
        let late = self.cluster.clock.now().duration_since(until);
        late.is_positive().then(|| Error::Superseded {
            by: format!(
                "this host's lease ran out {} ms ago, so another may hold it",
                late.as_millis()
            ),
        })
    }

    /// Until when renewing it is tried: a little before its time is over by this host's own clock.
    fn until(&self) -> Timestamp {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let renewed_at = view(&last).renewed_at.unwrap_or_default();
        renewed_at + signed(self.duration - self.duration / 20)
    }

    /// Gives it up, so that the next one need not wait. Failing that, it runs out.
    pub(crate) async fn release(&self) {
        let _ = self.renew(false, self.until()).await;
    }

    /// One conditional write; a read only if it met a conflict.
    async fn renew(&self, hold: bool, deadline: Timestamp) -> Result<(), Error> {
        let api = api(&self.cluster);
        let mut lease = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        loop {
            self.check(&lease)?;
            let acquired = lease
                .spec
                .as_ref()
                .and_then(|spec| spec.acquire_time.as_ref());
            let acquired = acquired.map_or_else(|| self.cluster.clock.now(), |time| time.0);
            let holder = if hold { self.identity.as_str() } else { "" };
            let (api, params) = (&api, PostParams::default());
            // Each attempt says when it was made.
            let replace = || {
                let at = self.cluster.clock.now();
                let fresh = Lease {
                    spec: Some(spec(holder, self.duration, self.token, acquired, at)),
                    ..lease.clone()
                };
                let params = &params;
                async move { api.replace(NAME, params, &fresh).await }
            };
            match self
                .cluster
                .call("renew the lease", deadline, replace)
                .await
            {
                Ok(written) => {
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) = written;
                    return Ok(());
                }
                // Ours went through unheard, or it was taken.
                Err(error) if is_conflict(&error) => {
                    let found = self.cluster.get_opt(api, NAME, deadline).await?;
                    let gone = || Error::Superseded {
                        by: "the lease is gone".to_owned(),
                    };
                    lease = found.ok_or_else(gone)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn check(&self, lease: &Lease) -> Result<(), Error> {
        let now = view(lease);
        if now.holder == self.identity && u64::try_from(now.transitions) == Ok(self.token) {
            return Ok(());
        }
        let by = format!(
            "`{}` holds the lease with token {}",
            now.holder, now.transitions
        );
        Err(Error::Superseded { by })
    }
}

fn api(cluster: &Cluster) -> Api<Lease> {
    Api::namespaced(cluster.client.clone(), &cluster.namespace)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn view(lease: &Lease) -> View {
    let spec = lease.spec.as_ref();
    View {
        holder: spec
            .and_then(|spec| spec.holder_identity.clone())
            .unwrap_or_default(),
        renewed_at: spec
            .and_then(|spec| spec.renew_time.as_ref())
            .map(|time| time.0),
        duration_s: spec
            .and_then(|spec| spec.lease_duration_seconds)
            .unwrap_or(0),
        transitions: spec.and_then(|spec| spec.lease_transitions).unwrap_or(0),
    }
}

fn spec(
    holder: &str,
    duration: Duration,
    token: u64,
    acquired: Timestamp,
    renewed: Timestamp,
) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(i32::try_from(duration.as_secs().max(1)).unwrap_or(i32::MAX)),
        acquire_time: Some(MicroTime(acquired)),
        renew_time: Some(MicroTime(renewed)),
        lease_transitions: Some(i32::try_from(token).unwrap_or(i32::MAX)),
        ..LeaseSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Claim, View, claim};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    fn held_by(holder: &str) -> View {
        View {
            holder: holder.to_owned(),
            renewed_at: Some(at(100)),
            duration_s: 20,
            transitions: 4,
        }
    }

    #[test]
    fn the_first_token_is_one() {
        assert_eq!(
            claim(None, "a", at(0)),
            Claim::Take {
                token: 1,
                from: None
            }
        );
    }

    #[test]
    fn a_live_holder_is_left_alone_until_its_lease_and_the_skew_are_over() {
        let view = held_by("a");
        let held = Claim::Held {
            holder: "a".to_owned(),
            until: at(121),
        };
        assert_eq!(claim(Some(&view), "b", at(120)), held);
        let take = Claim::Take {
            token: 5,
            from: Some("a".to_owned()),
        };
        assert_eq!(claim(Some(&view), "b", at(121)), take);
    }

    #[test]
    fn ones_own_and_a_released_lease_may_be_taken_with_a_new_token() {
        let own = Claim::Take {
            token: 5,
            from: Some("a".to_owned()),
        };
        assert_eq!(claim(Some(&held_by("a")), "a", at(101)), own);
        assert_eq!(
            claim(Some(&held_by("")), "b", at(101)),
            Claim::Take {
                token: 5,
                from: None
            }
        );
    }
}
