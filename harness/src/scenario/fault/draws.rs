//! Where a search draws faults of a kind: where there is something for them to hit.

use executor::runbook::{Asks, Command, Effect, Kind, OnLedger};

/// Kinds of faults that belong together. Each family is off in half of a search's drills, so that the others are met
/// without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Requests of the executor on their way.
    Messages,
    /// The ledger's database and its scripts.
    Ledger,
    /// Metrics, logs and alarms.
    Observability,
    /// Pods and their images.
    Pods,
    /// What other people and controllers do.
    People,
    /// The hosts that run the executor.
    Hosts,
    /// The node, the API server, the namespace, and connections that everybody shares.
    Infrastructure,
    /// Clients, and what serves them.
    Clients,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 8] = [
        Self::Messages,
        Self::Ledger,
        Self::Observability,
        Self::Pods,
        Self::People,
        Self::Hosts,
        Self::Infrastructure,
        Self::Clients,
    ];
}

/// Steps at which there is something for a fault to hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the trigger and at every step.
    Anywhere,
    /// At the trigger alone.
    Trigger,
    /// Where the executor acts through the API server: at the trigger, where the lease is taken, and at the steps that
    /// change or read objects.
    Acting,
    /// Where Deployments are undone, so that pods are about to start and to end.
    Undoing,
    /// Where the flag that halts trading is changed.
    Halting,
    /// Where the ledger is worked on.
    Ledger,
    /// Where the undo scripts run.
    UndoSchema,
    /// Where the snapshot is restored.
    Restoring,
    /// Where Prometheus is asked.
    Queries,
    /// Where logs are asked for.
    Logs,
    /// At the trigger, in a drill in which another host takes over or joins later.
    NextHost,
}

impl Place {
    /// Whether `command` is one of those steps.
    pub(crate) fn takes(self, command: &Command) -> bool {
        let (kind, spec) = (command.kind(), command.spec());
        // What prepares is done before a rollback.
        let asks = |whom| spec.asks == whom && spec.effect != Effect::Prepares;
        match self {
            Self::Anywhere => true,
            Self::Trigger | Self::NextHost => false,
            Self::Acting => asks(Asks::Kubernetes),
            Self::Undoing => kind == Kind::RolloutUndo,
            Self::Halting => spec.ledger == OnLedger::Halts && asks(Asks::Kubernetes),
            Self::Ledger => asks(Asks::Database),
            Self::UndoSchema => kind == Kind::UndoSchema,
            Self::Restoring => kind == Kind::RestoreSnapshot,
            Self::Queries => asks(Asks::Prometheus),
            Self::Logs => asks(Asks::Loki),
        }
    }

    /// Whether the trigger is one of those instants.
    pub(crate) fn is_at_the_trigger(self) -> bool {
        matches!(
            self,
            Self::Anywhere | Self::Trigger | Self::Acting | Self::NextHost
        )
    }
}

/// What a fault needs in order to hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// At which instants.
    pub place: Place,
    /// How long after the instant it may begin, in milliseconds.
    pub latest_ms: u64,
    /// How long it must last at least, in milliseconds, if it lasts.
    pub shortest_ms: u64,
}

pub(super) const fn at(place: Place, latest_ms: u64, shortest_ms: u64) -> Needs {
    Needs {
        place,
        latest_ms,
        shortest_ms,
    }
}

/// What faults of a kind need, by their target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawnAt {
    /// The same on every target.
    Any(Needs),
    /// It depends on the target; those that are not listed hit nothing that every release has.
    ByTarget(&'static [(&'static str, Needs)]),
}

/// How a search draws faults of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// The kinds that it is on or off with.
    pub family: Family,
    /// What it needs in order to hit.
    pub drawn_at: DrawnAt,
    /// Whether a sound executor recovers from a short fault of this kind, whatever step it falls on, so that the
    /// expectation of the release alone still holds. It does not where the fault takes away what the runbook needs,
    /// changes which path is right, sets off another trigger, damages the ledger, or goes on interfering.
    pub survivable: bool,
}

impl Draws {
    /// What a fault on `target` needs; `None`: it is not drawn.
    #[must_use]
    pub fn needs(&self, target: Option<&str>) -> Option<Needs> {
        match self.drawn_at {
            DrawnAt::Any(needs) => Some(needs),
            DrawnAt::ByTarget(targets) => {
                let mut targets = targets.iter();
                let found = targets.find(|(name, _)| Some(*name) == target);
                found.map(|(_, needs)| *needs)
            }
        }
    }
}

pub(super) const fn draws(family: Family, drawn_at: DrawnAt, survivable: bool) -> Draws {
    Draws {
        family,
        drawn_at,
        survivable,
    }
}
