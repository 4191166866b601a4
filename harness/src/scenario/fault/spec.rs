//! What a row of the table of faults says of a kind.

use dex::release::Service;

use super::draws::Draws;
use super::kinds::FaultKind;
use crate::scenario::Path;
use crate::worlds::WorldKind;

/// Whether a field of a fault must, may or must not be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It has no meaning for this kind.
    No,
    /// It may be left out.
    May,
    /// It must be given.
    Must,
}

/// A kind of fault, and what scenario files may say about it.
#[derive(Clone, Copy, Debug)]
pub struct FaultSpec {
    /// Which.
    pub kind: FaultKind,
    /// The word in scenario files.
    pub name: &'static str,
    /// What happens, in one sentence.
    pub what: &'static str,
    /// Whom it can hit.
    pub targets: Targets,
    /// Whether `lasts` is given.
    pub lasts: Need,
    /// Whether `delay` is given.
    pub delay: Need,
    /// Whether `chance` is given.
    pub chance: Need,
    /// Whether `by` is given.
    pub by: Need,
    /// On which ways nothing that an executor does can bring the exchange back while it lasts.
    pub blocks: Blocks,
    /// Whether it strikes what serves the clients, not the executor or its observability.
    pub strikes: bool,
    /// How a cluster does it; `None`: only the simulation can.
    pub live: Option<Live>,
    /// The field of the target's Deployment that somebody else sets, and that is theirs to take back, not the
    /// executor's.
    pub theirs: Option<&'static str>,
    /// Where it keeps everybody from seeing how the exchange is.
    pub blinds: Option<Blinds>,
    /// What its `delay` holds up, where the oracles must know.
    pub holds_up: Option<HeldUp>,
    /// What becomes of the undo scripts, which decides the path that a rollback takes.
    pub undo_scripts: Option<UndoScripts>,
    /// How a search draws it.
    pub draws: Draws,
    /// The worlds that can do it.
    pub worlds: &'static [WorldKind],
    /// Whether it affects any application, and not the exchange alone.
    pub anywhere: bool,
}

impl FaultSpec {
    /// Whether what happens because of it may come up to its `delay` after its end: whatever it held up while it
    /// lasted is still under way. A host that is away is back once its executor has ended, which says so itself.
    #[must_use]
    pub fn outlasts(&self) -> bool {
        self.delay != Need::No && self.holds_up != Some(HeldUp::Executor)
    }
}

/// Whom a kind can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// There is no choice.
    NoChoice,
    /// One of the exchange's services, and what is deployed as it.
    Services,
    /// One of these.
    Of(&'static [&'static str]),
}

impl Targets {
    /// The words that scenario files may use; empty: there is no choice. Services are in the order of their names.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::NoChoice => Vec::new(),
            Self::Services => {
                let mut names = Service::NAMES.to_vec();
                names.sort_unstable();
                names
            }
            Self::Of(names) => names.to_vec(),
        }
    }
}

/// The ways back on which a kind leaves nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// None.
    NoWay,
    /// All.
    EveryWay,
    /// The restore of a snapshot.
    Restore,
    /// Those on which the ledger goes back: the undo scripts and the restore.
    LedgerWays,
    /// It depends on the target; none where a target is not listed.
    ByTarget(&'static [(&'static str, Self)]),
}

impl Blocks {
    /// Whether a fault of this kind leaves nothing to do on the way `path`, if `target` is whom it hits.
    #[must_use]
    pub fn blocks(self, target: Option<&str>, path: Path) -> bool {
        match self {
            Self::NoWay => false,
            Self::EveryWay => true,
            Self::Restore => path == Path::Restore,
            Self::LedgerWays => matches!(path, Path::Undo | Path::Restore),
            Self::ByTarget(targets) => {
                let mut targets = targets.iter();
                let found = targets.find(|(name, _)| Some(*name) == target);
                found.is_some_and(|(_, blocks)| blocks.blocks(target, path))
            }
        }
    }
}

/// Where a kind keeps everybody from seeing how the exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blinds {
    /// Wherever it hits.
    Everywhere,
    /// Where this is its target.
    Target(&'static str),
}

impl Blinds {
    /// Whether it does, if `target` is whom it hits.
    #[must_use]
    pub fn blinds(self, target: Option<&str>) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Target(name) => target == Some(name),
        }
    }
}

/// What a fault's `delay` holds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldUp {
    /// The executor: its host is away for so long.
    Executor,
    /// What everybody sees: it comes so much later.
    Observability,
}

/// What becomes of the undo scripts of the release's migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoScripts {
    /// They are gone.
    Missing,
    /// They say that they lose data.
    Lossy,
    /// They fail, which shows only when they run.
    Failing,
}

/// What a cluster can do. The live world matches over these, so that no kind that it is said to do is forgotten
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Kills the executor's process.
    ExecutorKilled,
    /// Kills the ledger's server and starts it again.
    DatabaseRestarted,
    /// Kills the processes of a service's pods.
    PodsKilled,
    /// Kills the API server's processes.
    ApiServerRestarted,
    /// Drops packets.
    ConnectionsDropped,
    /// Pauses the node's container.
    NodePaused,
}

/// Whether what few kinds ask for is given: what the row says, if it does.
pub(super) const fn need(given: &[Need]) -> Need {
    match given {
        [need] => *need,
        _ => Need::No,
    }
}

pub(super) const fn worlds(live: Option<Live>) -> &'static [WorldKind] {
    match live {
        Some(_) => &[WorldKind::Sim, WorldKind::Kind],
        None => &[WorldKind::Sim],
    }
}

/// What stands in a row of the table, if it does.
pub(super) const fn given<T: Copy>(fact: &[T]) -> Option<T> {
    match fact {
        [fact] => Some(*fact),
        _ => None,
    }
}
