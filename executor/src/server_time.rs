//! The API server's time, which is the same on every host that runs an executor.
//!
//! An executor compares its present with what others have stamped: the starts of pods, the lines of logs, the time of
//! the trigger, the entries of a journal that another host has begun. Those stamps are the servers', whose clocks are
//! kept together. The clock of a laptop or of a runner may be off by half a minute, and two of them may disagree by
//! more. So every instant of an executor is the API server's: its host's clock, and by how much that is off.
//!
//! The host's time of day is read once. From then on the time that went by is added, which nobody can set
//! ([`Clock::elapsed`]): a clock that is put right in the middle of a rollback neither ends its budgets nor its lease.
//!
//! By how much is known from the answers of the API server. Each one says when it was made, in whole seconds (`Date`,
//! RFC 9110, 6.6.1; Go's `net/http` always writes it). It was made between the request and its answer, so each of them
//! bounds the difference from both sides, and many of them come to little more than the fastest answer took. Who has
//! had no answer yet asks for one before anything else (`Executor::begin`), since what is begun is bounded in time.
//! A difference that the bounds allow is not corrected, so a host whose clock is right goes by that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderMap;
use http::header::DATE;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use tower::service_fn;

use crate::clock::Clock;
use crate::event::{Event, Observer};

/// `Date` leaves out the fraction of a second.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(1);
/// A difference that a person is told of: what is below may come of the resolution and of a slow answer.
const WORTH_TELLING: SignedDuration = SignedDuration::from_secs(2);

/// What is known of the difference between the API server's clock and this host's. Clones share it.
#[derive(Clone)]
pub(crate) struct ServerTime {
    host: Arc<dyn Clock>,
    /// The host's time of day when its clock had shown no time that went by.
    epoch: Timestamp,
    observer: Arc<dyn Observer>,
    known: Arc<Mutex<Known>>,
}

/// The difference, which is added to the host's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// What is gone by.
    offset: SignedDuration,
    /// What the answers so far allow.
    bounds: Option<Bounds>,
    /// Whether somebody was told that the host's clock is off.
    told: bool,
}

/// The least and the greatest difference that an answer allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    least: SignedDuration,
    greatest: SignedDuration,
}

impl Bounds {
    /// What an answer says that was made at `date`, in whole seconds, to a request of `sent` that came by `received`.
    fn of(date: Timestamp, sent: Timestamp, received: Timestamp) -> Self {
        Self {
            least: date.duration_since(received),
            greatest: date.duration_since(sent) + RESOLUTION,
        }
    }

    /// What both allow, if there is anything.
    fn and(self, other: Self) -> Option<Self> {
        let both = Self {
            least: self.least.max(other.least),
            greatest: self.greatest.min(other.greatest),
        };
        (both.least <= both.greatest).then_some(both)
    }
}

impl Known {
    /// Takes in what an answer allows. One that contradicts those before it tells of a server's clock that was set.
    fn take_in(&mut self, answer: Bounds) {
        let before = self.bounds.and_then(|before| before.and(answer));
        let bounds = before.unwrap_or(answer);
        self.bounds = Some(bounds);
        self.offset = self.offset.max(bounds.least).min(bounds.greatest);
    }

    /// What a person is told, once: that the host's clock is off.
    fn news(&mut self) -> Option<String> {
        if self.told || self.offset.abs() < WORTH_TELLING {
            return None;
        }
        self.told = true;
        let side = if self.offset.is_negative() {
            "ahead of"
        } else {
            "behind"
        };
        Some(format!(
            "The clock of this host is {} s {side} the API server's. The rollback goes by the API server's clock.",
            self.offset.abs().as_secs()
        ))
    }
}

impl ServerTime {
    /// By the clock of this host, until the API server has answered. `observer` is told if that clock is off.
    pub(crate) fn new(host: Arc<dyn Clock>, observer: Arc<dyn Observer>) -> Self {
        let since = SignedDuration::try_from(host.elapsed()).unwrap_or(SignedDuration::ZERO);
        let now = host.now();
        let epoch = now.checked_sub(since).unwrap_or(now);
        Self {
            host,
            epoch,
            observer,
            known: Arc::default(),
        }
    }

    /// Whether an answer of the API server has told its time.
    pub(crate) fn is_told(&self) -> bool {
        self.lock().bounds.is_some()
    }

    /// The host's time of day, if nobody has set it since this began.
    fn of_host(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.host.elapsed());
        let time = elapsed.map(|elapsed| self.epoch.checked_add(elapsed));
        time.ok().and_then(Result::ok).unwrap_or(self.epoch)
    }

    /// The same client, whose answers are taken in.
    pub(crate) fn heard_by(&self, client: kube::Client) -> kube::Client {
        let namespace = client.default_namespace().to_owned();
        let valid_until = *client.valid_until();
        let time = self.clone();
        let service = service_fn(move |request: http::Request<Body>| {
            let (client, time) = (client.clone(), time.clone());
            async move {
                let of_a_pod = is_proxied(request.uri().path());
                let sent = time.of_host();
                let answer = client.send(request).await?;
                if !of_a_pod {
                    time.take_in(answer.headers(), sent);
                }
                Ok::<_, kube::Error>(answer)
            }
        });
        kube::Client::new(service, namespace).with_valid_until(valid_until)
    }

    /// Takes in when an answer was made to a request of `sent`, by the host's clock. One that does not say is of no
    /// use.
    fn take_in(&self, headers: &HeaderMap, sent: Timestamp) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        let Some(date) = date else { return };
        let answer = Bounds::of(date, sent, self.of_host());
        let told = {
            let mut known = self.lock();
            known.take_in(answer);
            known.news()
        };
        if let Some(text) = told {
            self.observer.event(self.now(), &Event::Note { text });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ServerTime {
    fn now(&self) -> Timestamp {
        let (host, offset) = (self.of_host(), self.lock().offset);
        host.checked_add(offset).unwrap_or(host)
    }

    fn elapsed(&self) -> Duration {
        self.host.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.host.sleep(duration)
    }
}

/// Whether the answer to a request of this path is another server's, and so is its `Date`: the API server hands on what
/// the pod says.
fn is_proxied(path: &str) -> bool {
    path.split('/').any(|part| part == "proxy")
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Bounds, Known, is_proxied};

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap_or_default()
    }

    fn millis(number: i64) -> SignedDuration {
        SignedDuration::from_millis(number)
    }

    /// An answer that a server makes whose clock is `offset` from the host's, 20 ms after the host sent its request at
    /// `sent`, and 30 ms before that has it.
    fn answer(sent: i64, offset: i64) -> Bounds {
        let second = (sent + 20 + offset).div_euclid(1_000) * 1_000;
        Bounds::of(at(second), at(sent), at(sent + 50))
    }

    #[test]
    fn a_clock_that_is_right_is_left_alone() {
        let mut known = Known::default();
        for sent in (100_000..200_000).step_by(37) {
            known.take_in(answer(sent, 0));
            assert_eq!(known.offset, SignedDuration::ZERO, "{sent}");
        }
        assert_eq!(known.news(), None);
    }

    #[test]
    fn one_answer_tells_it_to_a_second_and_many_to_what_an_answer_takes() {
        for offset in [-3_600_000, -30_000, -1_500, 1_500, 30_000, 3_600_000] {
            let mut known = Known::default();
            known.take_in(answer(100_400, offset));
            let off = |known: &Known| (known.offset - millis(offset)).abs();
            assert!(off(&known) <= millis(1_050), "{offset}: {known:?}");
            for sent in (101_000..160_000).step_by(37) {
                known.take_in(answer(sent, offset));
            }
            assert!(off(&known) <= millis(60), "{offset}: {known:?}");
        }
    }

    #[test]
    fn a_servers_clock_that_is_set_is_followed() {
        let mut known = Known::default();
        for (sent, offset) in [(100_000, 0), (110_000, -30_000), (120_000, 20_000)] {
            known.take_in(answer(sent, offset));
            let off = (known.offset - millis(offset)).abs();
            assert!(off <= millis(1_050), "{offset}: {known:?}");
        }
    }

    #[test]
    fn a_person_is_told_once_and_only_of_what_matters() {
        let told = |offset: i64| {
            let mut known = Known::default();
            known.take_in(answer(100_000, offset));
            let first = known.news();
            assert_eq!(known.news(), None);
            first
        };
        assert_eq!(told(1_000), None);
        assert_eq!(told(-1_000), None);
        let ahead = told(-30_000).unwrap_or_default();
        assert!(ahead.contains(" s ahead of the API server's"), "{ahead}");
        let behind = told(30_000).unwrap_or_default();
        assert!(behind.contains(" s behind the API server's"), "{behind}");
    }

    #[test]
    fn what_a_pod_says_is_not_the_api_servers_time() {
        assert!(is_proxied(
            "/api/v1/namespaces/dex/pods/gateway-1:8080/proxy/metrics"
        ));
        assert!(!is_proxied("/api/v1/namespaces/dex/pods/proxy-1/log"));
    }
}
