//! How a fault begins: what the rows of the table are given, and what they give back.

use dex::release::{Release, Service};
use futures::future::BoxFuture;
use sim::rng::Rng;
use sim::time::Micros;
use sim_exchange::Alarm;
use sim_exchange::World;
use sim_exchange::database::DbFault;

use super::{
    Injector, cluster, exchange, executor_hosts, false_alarms, ledger, messages, node,
    observability, people,
};
use crate::scenario::fault::kinds;
use crate::scenario::{Fault, FaultKind, Scenario};

/// Takes a fault back and says how often it hit.
pub(super) type Ending = Box<dyn FnOnce(&World) -> u64 + Send>;

/// A fault that has begun.
pub(super) struct Begun {
    /// What ends it; also called at the drill's end.
    pub(super) ending: Ending,
    /// What goes on while it lasts, if anything does.
    pub(super) work: Option<BoxFuture<'static, ()>>,
    /// How often it hit, if it was over at once.
    pub(super) done: Option<u64>,
}

impl Begun {
    /// A fault of one instant, which is over, and hit so often.
    pub(super) fn done(hits: u64) -> Self {
        Self {
            done: Some(hits),
            ..Self::until(move |_| hits)
        }
    }

    /// A fault that `ending` takes back.
    pub(super) fn until(ending: impl FnOnce(&World) -> u64 + Send + 'static) -> Self {
        Self {
            ending: Box::new(ending),
            work: None,
            done: None,
        }
    }
}

/// A service that the bad release changes, and its images.
#[derive(Clone)]
pub(super) struct Changed {
    pub(super) service: &'static str,
    pub(super) good: String,
    pub(super) bad: String,
}

impl Changed {
    pub(super) fn all(scenario: &Scenario) -> Vec<Self> {
        let named = |name: &str| Release::by_name(name);
        let (Some(from), Some(to)) = (named(&scenario.release.from), named(&scenario.release.to))
        else {
            return Vec::new();
        };
        let images = |service| (from.build(service).image(), to.build(service).image());
        Service::ALL
            .into_iter()
            .map(|service| (service, images(service)))
            .filter(|(_, (good, bad))| good != bad)
            .map(|(service, (good, bad))| Self {
                service: service.name(),
                good,
                bad,
            })
            .collect()
    }
}

/// A fault that is to begin.
pub(super) struct Beginning<'a> {
    pub(super) injector: &'a Injector,
    pub(super) world: &'a World,
    pub(super) fault: &'a Fault,
    /// Names its streams of the seed.
    pub(super) label: &'a str,
}

impl<'a> Beginning<'a> {
    /// The service that the fault is about, if the release changes it.
    fn changed(&self) -> Option<&'a Changed> {
        let mut changed = self.injector.changed.iter();
        changed.find(|it| Some(it.service) == self.fault.target.as_deref())
    }

    fn stream(&self) -> Rng {
        self.injector.lock().schedule.stream(self.label)
    }

    /// Kills the executor; another host resumes after the fault's delay.
    fn kill(&self) -> Begun {
        let resume_after = Micros::from(self.fault.delay.unwrap_or_default());
        Begun::done(self.injector.kill(resume_after))
    }
}

/// Makes the match over the kinds of the table's rows: one arm for each, so that none does another's work.
macro_rules! beginnings {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $what:literal, { $($facts:tt)* } => $begin:expr;)*) => {
        /// Begins a fault of `kind`, as its row in the table says.
        pub(super) fn begin(kind: FaultKind, it: &Beginning<'_>) -> Begun {
            let begin: fn(&Beginning<'_>) -> Begun = match kind {
                $(FaultKind::$kind => $begin,)*
            };
            begin(it)
        }
    };
}

kinds!(beginnings);
