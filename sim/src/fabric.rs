//! The fabric: the one place through which every request into the world passes.
//!
//! It numbers the requests of each origin, draws their latencies, and lets rules decide the fate of
//! single messages. Request *k* of an origin is therefore a name that survives re-runs: a crash point
//! is "the executor dies before, or right after, its request *k* takes effect".
//!
//! ```text
//! origin ── number, latency, rules ──▶ arrival: takes effect ── latency, rules ──▶ reply
//!                  │                                   │
//!             crash before k                      crash after k
//! ```

use std::collections::BTreeMap;

use futures::channel::oneshot;

use crate::measured::{Distribution, Measured};
use crate::rng::Rng;
use crate::time::Micros;

/// Which server a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// The Kubernetes API server.
    Kube,
    /// Prometheus.
    Prometheus,
    /// Loki.
    Loki,
    /// The ledger database.
    Database,
}

/// A request as the rules see it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who sent it.
    pub origin: String,
    /// Its number among all requests of that origin, from 1.
    pub number: u64,
    /// Whom it is for.
    pub server: Server,
    /// HTTP method, or the name of the database operation.
    pub verb: String,
    /// Path and query; empty for database operations.
    pub path: String,
    /// When it was sent.
    pub sent_at: Micros,
}

/// What a rule does to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives later by this much.
    Delay(Micros),
    /// It never arrives; the sender sees its connection cut after this much.
    Lose(Micros),
    /// It takes effect; the sender sees its connection cut instead of the reply.
    CutReply,
    /// It takes effect twice, the second time after this much; the sender gets the first reply.
    Duplicate(Micros),
    /// The server refuses it before it takes effect, with this HTTP status.
    Refuse {
        /// 401, 403, 429, 500, 503 or 504.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after_s: Option<u32>,
    },
}

/// A fault on the fabric. The first rule that names a fate wins.
pub trait Rule: Send {
    /// The fate of this message; `None`: not this rule's business.
    fn judge(&mut self, message: &Message, rng: &mut Rng) -> Option<Fate>;
}

/// On which side of its effect a request's sender dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectSide {
    /// The request never takes effect.
    Before,
    /// The request takes effect and the sender never learns of it.
    After,
}

/// How long requests take, from the request to the whole answer: half of it out, half of it back.
/// The server's own work is part of it.
#[derive(Clone, Copy, Debug)]
pub struct FabricTimings {
    /// The API server: one object read, a pod's log, or a watch that begins.
    pub get: Distribution,
    /// A list, without what it waits for a watch cache (`cluster::api::cache`).
    pub list: Distribution,
    /// A patch.
    pub patch: Distribution,
    /// An object replaced, or deleted.
    pub put: Distribution,
    /// An object created.
    pub post: Distribution,
    /// Prometheus or Loki.
    pub http: Distribution,
    /// The database: a connection and a plain statement.
    pub database: Distribution,
    /// From a change in the store to the watcher.
    pub watch: Distribution,
}

impl FabricTimings {
    /// What was measured.
    #[must_use]
    pub fn measured(measured: &Measured) -> Self {
        let api = &measured.api;
        Self {
            get: api.get.distribution,
            list: api.list.distribution,
            patch: api.patch.distribution,
            put: api.put.distribution,
            post: api.post.distribution,
            http: measured.monitoring.query.distribution,
            database: measured.store.statement.distribution,
            watch: api.watch.distribution,
        }
    }

    fn of(&self, server: Server, verb: &str, path: &str) -> Distribution {
        match (server, verb) {
            (Server::Prometheus | Server::Loki, _) => self.http,
            (Server::Database, _) => self.database,
            (Server::Kube, "GET") if is_list(path) => self.list,
            (Server::Kube, "GET") => self.get,
            (Server::Kube, "PATCH") => self.patch,
            (Server::Kube, "POST") => self.post,
            (Server::Kube, _) => self.put,
        }
    }
}

/// Whether a GET is for a whole collection. Collections and logs alone are asked with options.
fn is_list(path: &str) -> bool {
    path.split_once('?').is_some_and(|(path, options)| {
        !options.is_empty() && !path.ends_with("/log") && !options.contains("watch=true")
    })
}

impl Default for FabricTimings {
    fn default() -> Self {
        Self::measured(Measured::built_in())
    }
}

struct CrashPoint {
    number: u64,
    side: EffectSide,
    signal: Option<oneshot::Sender<()>>,
}

struct Origin {
    requests: u64,
    rng: Rng,
    crash: Option<CrashPoint>,
    /// Told once the request of that number is sent.
    awaited: Vec<(u64, oneshot::Sender<()>)>,
}

/// A rule in force, with the stream it draws from.
struct ActiveRule {
    id: u64,
    rng: Rng,
    rule: Box<dyn Rule>,
    fired: u64,
}

/// Names a rule that was added, to remove it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(u64);

/// The fabric's state.
pub struct Fabric {
    seed: u64,
    timings: FabricTimings,
    origins: BTreeMap<String, Origin>,
    rules: Vec<ActiveRule>,
    rules_added: u64,
    watch_rng: Rng,
}

/// What the fabric decided about a request.
pub(crate) struct Passage {
    pub(crate) message: Message,
    pub(crate) out: Micros,
    pub(crate) back: Micros,
    pub(crate) fate: Option<Fate>,
    pub(crate) crash: Option<EffectSide>,
}

impl Fabric {
    /// A fabric without rules.
    #[must_use]
    pub fn new(seed: u64, timings: FabricTimings) -> Self {
        Self {
            seed,
            timings,
            origins: BTreeMap::new(),
            rules: Vec::new(),
            rules_added: 0,
            watch_rng: Rng::derive(seed, "fabric/watch"),
        }
    }

    fn origin(&mut self, name: &str) -> &mut Origin {
        if !self.origins.contains_key(name) {
            let rng = Rng::derive(self.seed, &format!("fabric/{name}"));
            self.origins.insert(
                name.to_owned(),
                Origin {
                    requests: 0,
                    rng,
                    crash: None,
                    awaited: Vec::new(),
                },
            );
        }
        self.origins.get_mut(name).expect("just inserted")
    }

    /// How many requests `origin` has sent.
    #[must_use]
    pub fn requests(&self, origin: &str) -> u64 {
        self.origins.get(origin).map_or(0, |o| o.requests)
    }

    /// Adds a rule; it draws from a stream of its own, named `label`.
    pub fn add_rule(&mut self, label: &str, rule: Box<dyn Rule>) -> RuleId {
        self.rules_added += 1;
        let id = self.rules_added;
        let rng = Rng::derive(self.seed, &format!("fabric/rule/{label}"));
        self.rules.push(ActiveRule {
            id,
            rng,
            rule,
            fired: 0,
        });
        RuleId(id)
    }

    /// Removes a rule and says how often it fired; `None` if it is not in force.
    pub fn remove_rule(&mut self, id: RuleId) -> Option<u64> {
        let at = self.rules.iter().position(|r| r.id == id.0)?;
        Some(self.rules.remove(at).fired)
    }

    /// How often a rule in force has fired.
    #[must_use]
    pub fn rule_fired(&self, id: RuleId) -> Option<u64> {
        self.rules.iter().find(|r| r.id == id.0).map(|r| r.fired)
    }

    /// Arms a crash point: the receiver resolves when request `number` of `origin` reaches that side.
    /// From then on nothing that `origin` sends arrives.
    pub fn crash_at(
        &mut self,
        origin: &str,
        number: u64,
        side: EffectSide,
    ) -> oneshot::Receiver<()> {
        let (signal, fired) = oneshot::channel();
        self.origin(origin).crash = Some(CrashPoint {
            number,
            side,
            signal: Some(signal),
        });
        fired
    }

    /// Completes once `origin` has sent its request `number`.
    pub fn sent(&mut self, origin: &str, number: u64) -> oneshot::Receiver<()> {
        let (sender, sent) = oneshot::channel();
        self.origin(origin).awaited.push((number, sender));
        sent
    }

    pub(crate) fn admit(
        &mut self,
        origin: &str,
        server: Server,
        verb: &str,
        path: &str,
        now: Micros,
    ) -> Passage {
        let whole = self.timings.of(server, verb, path);
        let state = self.origin(origin);
        state.requests += 1;
        let number = state.requests;
        for (_, sent) in state
            .awaited
            .extract_if(.., |(awaited, _)| *awaited <= number)
        {
            // Whoever waited may have gone.
            let _ = sent.send(());
        }
        let whole = whole.draw(&mut state.rng);
        let out = Micros(whole.0 / 2);
        let back = whole - out;
        let crash = state.crash.as_ref().and_then(|c| match c.side {
            side if c.number == number => Some(side),
            // The dead send nothing.
            _ if number > c.number => Some(EffectSide::Before),
            _ => None,
        });
        let message = Message {
            origin: origin.to_owned(),
            number,
            server,
            verb: verb.to_owned(),
            path: path.to_owned(),
            sent_at: now,
        };
        // Every rule is asked, so that one does not change what another draws.
        let mut fate = None;
        for active in &mut self.rules {
            let wants = active.rule.judge(&message, &mut active.rng);
            if fate.is_none() && wants.is_some() {
                active.fired += 1;
                fate = wants;
            }
        }
        Passage {
            message,
            out,
            back,
            fate,
            crash,
        }
    }

    pub(crate) fn crashed(&mut self, origin: &str) {
        if let Some(signal) = self
            .origin(origin)
            .crash
            .as_mut()
            .and_then(|c| c.signal.take())
        {
            // A harness that no longer listens has already given the executor up.
            let _ = signal.send(());
        }
    }

    pub(crate) fn watch_lag(&mut self) -> Micros {
        self.timings.watch.draw(&mut self.watch_rng)
    }
}

#[cfg(test)]
mod tests {
    use super::{EffectSide, Fabric, FabricTimings, Fate, Message, Rule, Server};
    use crate::rng::Rng;
    use crate::time::Micros;

    struct LoseWrites;

    impl Rule for LoseWrites {
        fn judge(&mut self, message: &Message, _: &mut Rng) -> Option<Fate> {
            (message.verb != "GET").then_some(Fate::Lose(Micros::from_secs(1)))
        }
    }

    fn fabric() -> Fabric {
        Fabric::new(3, FabricTimings::default())
    }

    #[test]
    fn only_a_whole_collection_takes_as_long_as_a_list() {
        use super::is_list;

        assert!(is_list(
            "/api/v1/namespaces/x/pods?&labelSelector=app%3Dgateway"
        ));
        for other in [
            "/api/v1/namespaces/x/pods/gateway-1",
            "/api/v1/namespaces/x/pods/gateway-1?",
            "/api/v1/namespaces/x/pods/gateway-1/log?&sinceSeconds=60",
            "/api/v1/namespaces/x/pods?&watch=true&resourceVersion=7",
        ] {
            assert!(!is_list(other), "{other}");
        }
    }

    #[test]
    fn numbers_run_per_origin() {
        let mut f = fabric();
        let numbers: Vec<u64> = ["a", "b", "a"]
            .iter()
            .map(|o| {
                f.admit(o, Server::Kube, "GET", "/", Micros::ZERO)
                    .message
                    .number
            })
            .collect();
        assert_eq!(numbers, [1, 1, 2]);
        assert_eq!(f.requests("a"), 2);
    }

    #[test]
    fn another_origin_does_not_reshuffle_latencies() {
        let out = |with_other: bool| {
            let mut f = fabric();
            if with_other {
                f.admit("other", Server::Kube, "GET", "/", Micros::ZERO);
            }
            f.admit("a", Server::Kube, "GET", "/", Micros::ZERO).out
        };
        assert_eq!(out(false), out(true));
    }

    #[test]
    fn a_rule_fires_is_counted_and_ends_with_its_removal() {
        let mut f = fabric();
        let id = f.add_rule("lose-writes", Box::new(LoseWrites));
        assert!(
            f.admit("a", Server::Kube, "GET", "/", Micros::ZERO)
                .fate
                .is_none()
        );
        assert!(
            f.admit("a", Server::Kube, "PUT", "/", Micros::ZERO)
                .fate
                .is_some()
        );
        assert_eq!(f.remove_rule(id), Some(1));
        assert!(
            f.admit("a", Server::Kube, "PUT", "/", Micros::ZERO)
                .fate
                .is_none()
        );
    }

    struct Coin(std::sync::Arc<std::sync::Mutex<Vec<bool>>>);

    impl Rule for Coin {
        fn judge(&mut self, _: &Message, rng: &mut Rng) -> Option<Fate> {
            let heads = rng.ratio(1, 2);
            self.0.lock().expect("not poisoned").push(heads);
            heads.then_some(Fate::CutReply)
        }
    }

    #[test]
    fn a_rule_draws_the_same_whatever_stands_before_it() {
        let drawn = |with_other: bool| {
            let mut f = fabric();
            if with_other {
                f.add_rule("other", Box::new(LoseWrites));
            }
            let seen = std::sync::Arc::default();
            f.add_rule("coin", Box::new(Coin(std::sync::Arc::clone(&seen))));
            for _ in 0..20 {
                f.admit("a", Server::Kube, "PUT", "/", Micros::ZERO);
            }
            seen.lock().expect("not poisoned").clone()
        };
        assert_eq!(drawn(false), drawn(true));
    }

    #[test]
    fn whoever_waits_for_a_request_is_told_once_it_is_sent() {
        let mut f = fabric();
        let mut second = f.sent("a", 2);
        f.admit("b", Server::Kube, "GET", "/", Micros::ZERO);
        f.admit("b", Server::Kube, "GET", "/", Micros::ZERO);
        f.admit("a", Server::Kube, "GET", "/", Micros::ZERO);
        assert_eq!(second.try_recv(), Ok(None));
        f.admit("a", Server::Kube, "GET", "/", Micros::ZERO);
        assert_eq!(second.try_recv(), Ok(Some(())));
    }

    #[test]
    fn after_its_crash_point_an_origin_is_dead() {
        let mut f = fabric();
        let _fired = f.crash_at("a", 2, EffectSide::After);
        let sides: Vec<Option<EffectSide>> = (0..3)
            .map(|_| f.admit("a", Server::Kube, "GET", "/", Micros::ZERO).crash)
            .collect();
        assert_eq!(
            sides,
            [None, Some(EffectSide::After), Some(EffectSide::Before)]
        );
    }
}
