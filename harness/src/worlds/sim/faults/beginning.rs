//! How a fault begins: what the rows of the table are given, and what they give back.

use dex::release::{Release, Service};
use futures::future::BoxFuture;
use sim::rng::Rng;
use sim::time::Micros;
use sim::{Application, World};
use sim_exchange::Alarm;
use sim_exchange::SimulatedExchange;
use sim_exchange::database::DbFault;
use sim_services::manifests::WorkloadKind;

use super::{
    Injector, cluster, exchange, executor_hosts, false_alarms, ledger, messages, node,
    observability, people,
};
use crate::scenario::fault::kinds;
use crate::scenario::{Fault, FaultKind, Scenario};
use crate::worlds::common::manifests::NAMESPACE;

/// Takes a fault back and says how often it hit.
pub(super) type Ending<A> = Box<dyn FnOnce(&World<A>) -> u64 + Send>;

/// A fault that has begun.
pub(super) struct Begun<A: Application = SimulatedExchange> {
    /// What ends it; also called at the drill's end.
    pub(super) ending: Ending<A>,
    /// What goes on while it lasts, if anything does.
    pub(super) work: Option<BoxFuture<'static, ()>>,
    /// How often it hit, if it was over at once.
    pub(super) done: Option<u64>,
}

impl<A: Application> Begun<A> {
    /// A fault of one instant, which is over, and hit so often.
    pub(super) fn done(hits: u64) -> Self {
        Self {
            done: Some(hits),
            ..Self::until(move |_| hits)
        }
    }

    /// A fault that `ending` takes back.
    pub(super) fn until(ending: impl FnOnce(&World<A>) -> u64 + Send + 'static) -> Self {
        Self {
            ending: Box::new(ending),
            work: None,
            done: None,
        }
    }
}

/// A Deployment or a StatefulSet of the application.
#[derive(Clone)]
pub(super) struct Deployed {
    pub(super) name: String,
    /// Of which kind it is.
    pub(super) kind: WorkloadKind,
    /// The label `app` of its series.
    pub(super) app: String,
    /// The container whose image a release changes.
    pub(super) container: String,
}

impl Deployed {
    /// A Deployment whose pods and container have its name, too.
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: WorkloadKind::Deployment,
            app: name.to_owned(),
            container: name.to_owned(),
        }
    }
}

/// A workload that the bad release changes, and its images.
#[derive(Clone)]
pub(super) struct Changed {
    pub(super) of: Deployed,
    pub(super) good: String,
    pub(super) bad: String,
}

/// What faults can be aimed at.
pub(super) struct Scope {
    pub(super) namespace: String,
    pub(super) deployed: Vec<Deployed>,
    pub(super) changed: Vec<Changed>,
}

impl Scope {
    /// That of the exchange.
    pub(super) fn exchange(scenario: &Scenario) -> Self {
        let all = Service::ALL.into_iter();
        let mut scope = Self {
            namespace: NAMESPACE.to_owned(),
            deployed: all.map(|it| Deployed::named(it.name())).collect(),
            changed: Vec::new(),
        };
        let named = |name: &str| Release::by_name(name);
        let (Some(from), Some(to)) = (named(&scenario.release.from), named(&scenario.release.to))
        else {
            return scope;
        };
        let images = |service| (from.build(service).image(), to.build(service).image());
        scope.changed = Service::ALL
            .into_iter()
            .map(|service| (service, images(service)))
            .filter(|(_, (good, bad))| good != bad)
            .map(|(service, (good, bad))| Changed {
                of: Deployed::named(service.name()),
                good,
                bad,
            })
            .collect();
        scope
    }
}

/// A fault that is to begin.
pub(super) struct Beginning<'a, A: Application = SimulatedExchange> {
    pub(super) injector: &'a Injector<A>,
    pub(super) world: &'a World<A>,
    pub(super) fault: &'a Fault,
    /// Names its streams of the seed.
    pub(super) label: &'a str,
}

impl<'a, A: Application> Beginning<'a, A> {
    /// The namespace of the application.
    pub(super) fn namespace(&self) -> &'a str {
        &self.injector.scope.namespace
    }

    /// Every Deployment that the release changes.
    pub(super) fn all_changed(&self) -> &'a [Changed] {
        &self.injector.scope.changed
    }

    /// The Deployment that the fault is about.
    pub(super) fn target(&self) -> Deployed {
        let name = self.fault.target.as_deref().unwrap_or_default();
        let mut all = self.injector.scope.deployed.iter();
        let known = all.find(|it| it.name == name);
        known.cloned().unwrap_or_else(|| Deployed::named(name))
    }

    /// The Deployment that the fault is about, if the release changes it.
    fn changed(&self) -> Option<&'a Changed> {
        let mut changed = self.all_changed().iter();
        changed.find(|it| Some(it.of.name.as_str()) == self.fault.target.as_deref())
    }

    fn stream(&self) -> Rng {
        self.injector.lock().schedule.stream(self.label)
    }

    /// Hits nothing, as the fault is one of the exchange's own and this is another application. No scenario file may
    /// have it, so the harness is at fault, and the drill is void.
    fn of_the_exchange_only(&self) -> Begun<A> {
        let kind = self.fault.kind.as_str();
        let why = format!("the fault `{kind}` is one of the exchange's, which is not drilled here");
        self.injector.harness_failed(why);
        Begun::until(|_| 0)
    }

    /// Kills the executor; another host resumes after the fault's delay.
    fn kill(&self) -> Begun<A> {
        let resume_after = Micros::from(self.fault.delay.unwrap_or_default());
        Begun::done(self.injector.kill(resume_after))
    }
}

/// Makes the match over the kinds of the table's rows: one arm for each, so that none does another's work.
macro_rules! beginnings {
    (@of_any $begin:expr, anywhere) => { $begin };
    (@of_any $begin:expr) => { |it| it.of_the_exchange_only() };
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $what:literal, { $($facts:tt)* }
        => $begin:expr $(, $anywhere:ident)?;)*) => {
        /// Begins a fault of `kind`, as its row in the table says.
        pub(super) fn begin(kind: FaultKind, it: &Beginning<'_>) -> Begun {
            let begin: fn(&Beginning<'_>) -> Begun = match kind {
                $(FaultKind::$kind => $begin,)*
            };
            begin(it)
        }

        /// Begins a fault of any application. One of the exchange's own makes the drill void: no scenario file may
        /// have it.
        pub(super) fn begin_anywhere<A: Application>(
            kind: FaultKind,
            it: &Beginning<'_, A>,
        ) -> Begun<A> {
            let begin: fn(&Beginning<'_, A>) -> Begun<A> = match kind {
                $(FaultKind::$kind => beginnings!(@of_any $begin $(, $anywhere)?),)*
            };
            begin(it)
        }
    };
}

kinds!(beginnings);
