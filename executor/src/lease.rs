//! One executor at a time: a `coordination.k8s.io/v1` Lease whose number of transitions is the fencing token.
//!
//! Every taking of the lease makes a new token, even by the holder's own successor process. A holder that could
//! not renew in time stops by itself; one that finds another's token stops at once.
//!
//! Whoever wants it judges by what it has seen itself: a Lease that did not change for as long as it lasts, on the
//! watcher's own clock, has run out (`client-go/tools/leaderelection`: `observedTime`). The holder's `renewTime` comes
//! from another host's clock, and only tells whether it is worth waiting.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::journal::Journal;
use crate::kubernetes::{Cluster, is_conflict, is_missing};
use crate::stop::unless;

/// Name of the Lease.
const NAME: &str = "rollback";
/// How often somebody who waits for it looks (`RetryPeriod` in client-go's defaults).
const LOOK: Duration = Duration::from_secs(2);
/// So many changes of a Lease show that its holder is alive. One may be a renewal that was on its way when its holder
/// died. A second one of those is refused, as it was made of the Lease before the first.
const RENEWALS: u32 = 2;
/// For how long a server is asked who holds it, however late that is.
const AT_LEAST: Duration = Duration::from_secs(5);

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
        /// For how long yet, unless it is renewed.
        left: Duration,
    },
}

/// Decides for `me`, who has seen the Lease as it is for as long as `seen`. The token goes on from the Lease's or from
/// `floor`, the highest that is known otherwise: a Lease may have been deleted or made anew. Pure.
pub(crate) fn claim(view: Option<&View>, me: &str, seen: Duration, floor: u64) -> Claim {
    let Some(view) = view else {
        return Claim::Take {
            token: floor + 1,
            from: None,
        };
    };
    let token = u64::try_from(view.transitions).unwrap_or(0).max(floor) + 1;
    let free = view.holder.is_empty() || view.holder == me || view.renewed_at.is_none();
    let lasts = Duration::from_secs(view.duration_s.try_into().unwrap_or(0));
    let left = lasts.saturating_sub(seen);
    if !free && !left.is_zero() {
        return Claim::Held {
            holder: view.holder.clone(),
            left,
        };
    }
    Claim::Take {
        token,
        from: (!view.holder.is_empty()).then(|| view.holder.clone()),
    }
}

impl View {
    /// Whether it has not run out by the holder's clock, if that goes as ours does.
    fn seems_alive(&self, now: Timestamp) -> bool {
        let lasts = SignedDuration::from_secs(self.duration_s.into());
        self.renewed_at.is_some_and(|at| at + lasts > now)
    }
}

/// How long somebody wants the lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Whether to wait for a holder who seems to be alive until that is certain.
    pub(crate) wait: bool,
    /// Until when to try at least.
    pub(crate) until: Timestamp,
    /// The highest token that the database has seen, as far as it could be asked.
    pub(crate) floor: u64,
}

/// A Lease as its holder last wrote it.
struct Written {
    lease: Lease,
    /// When it was sent, by [`Clock::elapsed`](crate::clock::Clock::elapsed): it lasts from then on.
    sent: Duration,
}

/// A lease that is held.
pub(crate) struct Held {
    cluster: Cluster,
    identity: String,
    duration: Duration,
    last: Mutex<Written>,
    /// Fencing token.
    pub(crate) token: u64,
    /// Whose it was, if it was not released.
    pub(crate) taken_from: Option<String>,
}

impl Held {
    /// Takes the lease. If another holds it: refuses at once if that one seems to be alive, or, if it is to wait, when
    /// that one shows that it is.
    pub(crate) async fn acquire(
        cluster: &Cluster,
        identity: &str,
        duration: Duration,
        patience: Patience,
        stop: &CancellationToken,
    ) -> Result<Self, Error> {
        let api = api(cluster);
        let begun = cluster.clock.now();
        // Somebody who holds it is waited for until it is certain whether they are alive. A server that does not say
        // who holds it gets no more time than the objective leaves.
        let outwaits = signed(duration * 3 + Duration::from_secs(10));
        let unseen = patience.until.max(begun + signed(AT_LEAST));
        let deadline = unseen.max(begun + outwaits);
        let mut seen: Option<(View, Duration)> = None;
        let mut renewals = 0;
        loop {
            let limit = if seen.is_some() { deadline } else { unseen };
            let look = cluster.get_opt(&api, NAME, limit);
            let found = unless(stop, look)
                .await
                .unwrap_or(Err(Error::Interrupted))?;
            let view = found.as_ref().map(view);
            let floor = match &view {
                Some(_) => patience.floor,
                None => unless(stop, tokens_used(cluster, identity, deadline))
                    .await
                    .unwrap_or(Err(Error::Interrupted))?
                    .max(patience.floor),
            };
            // Whoever sets a clock meanwhile makes no lease run out.
            let elapsed = cluster.clock.elapsed();
            let since = match &seen {
                Some((before, since)) if view.as_ref() == Some(before) => *since,
                _ => elapsed,
            };
            renewals += u32::from(seen.is_some() && since == elapsed);
            seen = view.clone().map(|view| (view, since));
            let unchanged = elapsed.saturating_sub(since);
            match claim(view.as_ref(), identity, unchanged, floor) {
                Claim::Held { holder, left } => {
                    let now = cluster.clock.now();
                    let until = now + signed(left);
                    let seems_alive = view.as_ref().is_some_and(|view| view.seems_alive(now));
                    if renewals >= RENEWALS || (seems_alive && !patience.wait) {
                        return Err(Error::LeaseHeld { holder, until });
                    }
                    let pause = cluster.pause(left.min(LOOK), deadline);
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
                    let now = cluster.clock.now();
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
                        Ok(lease) => {
                            // It was not sent before.
                            let sent = elapsed;
                            return Ok(Self {
                                last: Mutex::new(Written { lease, sent }),
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
    /// (`client-go/tools/leaderelection`: `RetryPeriod` < `RenewDeadline` < `LeaseDuration`);
    /// nobody can take it meanwhile.
    pub(crate) async fn keep(&self) -> Error {
        loop {
            self.cluster.clock.sleep(self.duration / 3).await;
            let until = self.until();
            match self.renew(true, until).await {
                Ok(()) => {}
                Err(error @ (Error::Superseded { .. } | Error::LeaseRanOut { .. })) => {
                    return error;
                }
                // Nobody holds it any more, so that anybody may take it.
                Err(error) if is_missing(&error) => {
                    let why = format!("the Lease was deleted: {}", error.chain());
                    return Error::LeaseRanOut { why };
                }
                Err(error) => {
                    self.cluster.pause(self.cluster.left(until), until).await;
                    return Error::LeaseRanOut { why: error.chain() };
                }
            }
        }
    }

    /// Why it is not ours any more by this host's own clock: it was not renewed for as long as it lasts. `None`: it is.
    pub(crate) fn run_out(&self) -> Option<Error> {
        let late = self.age().checked_sub(self.duration)?;
        (!late.is_zero()).then(|| Error::LeaseRanOut {
            why: format!(
                "this host stood still, and it ran out {} ms ago",
                late.as_millis()
            ),
        })
    }

    /// How long ago it was sent for the last time.
    fn age(&self) -> Duration {
        let sent = self.last().sent;
        self.cluster.clock.elapsed().saturating_sub(sent)
    }

    fn last(&self) -> MutexGuard<'_, Written> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when renewing it is tried: a little before its time is over by this host's own clock.
    fn until(&self) -> Timestamp {
        let lasts = self.duration - self.duration / 20;
        self.cluster.clock.now() + signed(lasts.saturating_sub(self.age()))
    }

    /// Gives it up, so that the next one need not wait. Failing that, it runs out.
    pub(crate) async fn release(&self) {
        let _ = self.renew(false, self.until()).await;
    }

    /// One conditional write; a read only if it met a conflict.
    async fn renew(&self, hold: bool, deadline: Timestamp) -> Result<(), Error> {
        let api = api(&self.cluster);
        let mut lease = self.last().lease.clone();
        let sent = Mutex::new(Duration::ZERO);
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
                let clock = &self.cluster.clock;
                let at = clock.now();
                *sent.lock().unwrap_or_else(PoisonError::into_inner) = clock.elapsed();
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
                Ok(lease) => {
                    let sent = sent.into_inner().unwrap_or_else(PoisonError::into_inner);
                    *self.last() = Written { lease, sent };
                    return Ok(());
                }
                // Ours went through unheard, or it was taken.
                Err(error) if is_conflict(&error) => {
                    let found = self.cluster.get_opt(api, NAME, deadline).await?;
                    lease = still_there(found)?;
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

/// The highest token that the journal shows: one that was used must not be given out again because somebody deleted the
/// Lease.
async fn tokens_used(cluster: &Cluster, identity: &str, until: Timestamp) -> Result<u64, Error> {
    let journal = Journal::load(cluster, identity, until).await?;
    Ok(journal
        .entries
        .iter()
        .map(|entry| entry.token)
        .max()
        .unwrap_or(0))
}

/// What a conflict was with. A Lease that was deleted meanwhile is nobody's: it can be taken again.
fn still_there(found: Option<Lease>) -> Result<Lease, Error> {
    found.ok_or_else(|| Error::LeaseRanOut {
        why: "the Lease was deleted".to_owned(),
    })
}

/// Whether the Lease still reads as held with `token`. One that can't be read does not.
pub(crate) async fn is_held_with(cluster: &Cluster, token: u64) -> bool {
    let until = cluster.clock.now() + signed(LOOK * 3);
    let found = cluster.get_opt(&api(cluster), NAME, until).await;
    found.ok().flatten().is_some_and(|lease| {
        let view = view(&lease);
        !view.holder.is_empty() && u64::try_from(view.transitions) == Ok(token)
    })
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
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Claim, View, claim, still_there};
    use crate::error::Error;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    fn secs(number: u64) -> Duration {
        Duration::from_secs(number)
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
    fn the_first_token_follows_the_highest_that_was_used() {
        for (floor, token) in [(0, 1), (7, 8)] {
            let take = Claim::Take { token, from: None };
            assert_eq!(claim(None, "a", Duration::ZERO, floor), take);
        }
    }

    #[test]
    fn a_token_that_the_database_has_seen_is_not_given_out_again() {
        let view = held_by("");
        for (floor, token) in [(0, 5), (4, 5), (40, 41)] {
            let take = Claim::Take { token, from: None };
            assert_eq!(claim(Some(&view), "b", Duration::ZERO, floor), take);
        }
    }

    #[test]
    fn a_lease_that_is_deleted_amid_a_conflict_is_nobodys() {
        assert!(matches!(still_there(None), Err(Error::LeaseRanOut { .. })));
        assert!(still_there(Some(super::Lease::default())).is_ok());
    }

    #[test]
    fn a_holder_is_left_alone_until_its_lease_has_not_changed_for_as_long_as_it_lasts() {
        let view = held_by("a");
        // The holder's clock is an hour behind, or it died an hour ago: who looks for the first time can't tell.
        for (seen, left) in [(0, 20), (19, 1)] {
            let held = Claim::Held {
                holder: "a".to_owned(),
                left: secs(left),
            };
            assert_eq!(claim(Some(&view), "b", secs(seen), 0), held);
        }
        let take = Claim::Take {
            token: 5,
            from: Some("a".to_owned()),
        };
        assert_eq!(claim(Some(&view), "b", secs(20), 0), take);
        assert!(view.seems_alive(at(119)) && !view.seems_alive(at(120)));
    }

    #[test]
    fn ones_own_and_a_released_lease_may_be_taken_with_a_new_token() {
        let own = Claim::Take {
            token: 5,
            from: Some("a".to_owned()),
        };
        assert_eq!(claim(Some(&held_by("a")), "a", Duration::ZERO, 0), own);
        assert_eq!(
            claim(Some(&held_by("")), "b", Duration::ZERO, 0),
            Claim::Take {
                token: 5,
                from: None
            }
        );
    }
}
