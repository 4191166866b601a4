//! How a fault begins: what the rows of the table are given, and what they give back.

use futures::future::BoxFuture;
use sim::rng::Rng;
use sim::time::Micros;
use sim::{Application, World};
use sim_exchange::Alarm;
use sim_exchange::SimulatedExchange;
use sim_exchange::database::DbFault;

use super::{
    Injector, cluster, exchange, executor_hosts, false_alarms, ledger, messages, node,
    observability, people,
};
use crate::scenario::fault::kinds;
use crate::scenario::{Fault, FaultKind, Scenario};
use crate::worlds::sim::application::{Drilled, Service};

/// Takes a fault back and says how often it hit.
pub(super) type Ending<A> = Box<dyn FnOnce(&World<A>) -> u64 + Send>;

/// A fault that has begun.
pub struct Begun<A: Application = SimulatedExchange> {
    /// What ends it; also called at the drill's end.
    pub(super) ending: Ending<A>,
    /// What goes on while it lasts, if anything does.
    pub(super) work: Option<BoxFuture<'static, ()>>,
    /// How often it hit, if it was over at once.
    pub(super) done: Option<u64>,
}

impl<A: Application> Begun<A> {
    /// A fault of one instant, which is over, and hit so often.
    #[must_use]
    pub fn done(hits: u64) -> Self {
        Self {
            done: Some(hits),
            ..Self::until(move |_| hits)
        }
    }

    /// A fault that `ending` takes back; it says how often it hit.
    #[must_use]
    pub fn until(ending: impl FnOnce(&World<A>) -> u64 + Send + 'static) -> Self {
        Self {
            ending: Box::new(ending),
            work: None,
            done: None,
        }
    }
}

/// A workload that the bad release changes, and its images.
#[derive(Clone)]
pub(in super::super) struct Changed {
    pub(in super::super) of: Service,
    pub(super) good: String,
    pub(in super::super) bad: String,
}

/// What faults can be aimed at.
pub(in super::super) struct Scope {
    pub(in super::super) namespace: String,
    services: Vec<Service>,
    pub(in super::super) changed: Vec<Changed>,
}

impl Scope {
    /// The services of `drilled`, and those that the release of `scenario` changes.
    pub(in super::super) fn of<D: Drilled>(drilled: &D, scenario: &Scenario) -> Self {
        let services = drilled.services();
        let release = &scenario.release;
        let images = drilled.images(&release.from).into_iter();
        let images = images.zip(drilled.images(&release.to));
        let changed = services
            .iter()
            .zip(images)
            .filter(|(_, (good, bad))| good != bad)
            .map(|(of, (good, bad))| Changed {
                of: of.clone(),
                good,
                bad,
            })
            .collect();
        Self {
            namespace: drilled.namespace().to_owned(),
            services,
            changed,
        }
    }
}

/// A fault that is to begin.
pub struct Beginning<'a, A: Application = SimulatedExchange> {
    pub(super) injector: &'a Injector<A>,
    /// Where it begins.
    pub world: &'a World<A>,
    /// What the scenario says of it.
    pub fault: &'a Fault,
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
    pub(super) fn target(&self) -> Service {
        let name = self.fault.target.as_deref().unwrap_or_default();
        let mut all = self.injector.scope.services.iter();
        let known = all.find(|it| it.name == name);
        known.cloned().unwrap_or_else(|| Service::named(name))
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
    (@of_any $begin:expr, anywhere => $of_any:expr) => { $of_any };
    (@of_any $begin:expr, exchange($why:expr)) => { |it| it.of_the_exchange_only() };
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $what:literal, { $($facts:tt)* }
        => $begin:expr, $scope:ident $(($why:expr))? $(=> $of_any:expr)?;)*) => {
        /// Begins a fault of `kind`, as its row in the table says.
        pub(in super::super) fn begin(kind: FaultKind, it: &Beginning<'_>) -> Begun {
            let begin: fn(&Beginning<'_>) -> Begun = match kind {
                $(FaultKind::$kind => $begin,)*
            };
            begin(it)
        }

        /// Begins a fault of any application. One of the exchange's own makes the drill void: no scenario file may
        /// have it.
        pub(in super::super) fn begin_anywhere<A: Application>(
            kind: FaultKind,
            it: &Beginning<'_, A>,
        ) -> Begun<A> {
            let begin: fn(&Beginning<'_, A>) -> Begun<A> = match kind {
                $(FaultKind::$kind => beginnings!(@of_any $begin, $scope $(($why))? $(=> $of_any)?),)*
            };
            begin(it)
        }
    };
}

kinds!(beginnings);
