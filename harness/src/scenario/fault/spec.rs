//! What a row of the table of faults says of a kind.

use dex::release::Service;

use super::draws::Draws;
use super::elsewhere::OfTheExchange;
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

/// How long a fault of a kind is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// It is over at once.
    Once,
    /// For a time that scenario files can't say: until what it began ends by itself, or for the rest of the drill.
    ByItself,
    /// For as long as scenario files say, which may leave it out.
    May,
    /// For as long as scenario files must say.
    Must,
}

impl Lasts {
    /// Whether scenario files say for how long.
    pub(super) const fn need(self) -> Need {
        match self {
            Self::Once | Self::ByItself => Need::No,
            Self::May => Need::May,
            Self::Must => Need::Must,
        }
    }

    pub(super) const fn is_for_a_time(self) -> bool {
        match self {
            Self::Once => false,
            Self::ByItself | Self::May | Self::Must => true,
        }
    }
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
    /// Whether it is there for a time, also where scenario files may not say for how long.
    pub for_a_time: bool,
    /// Whether `delay` is given.
    pub delay: Need,
    /// Whether `chance` is given.
    pub chance: Need,
    /// Whether `by` is given.
    pub by: Need,
    /// On which ways nothing that an executor does can bring the exchange back while it lasts.
    pub blocks: Blocks,
    /// What it strikes besides the executor and its observability.
    pub strikes: Strikes,
    /// What it does to the hosts that run the executor.
    pub hosts: Hosts,
    /// Whether something is left of it once it has ended that a sound executor can't deal with. What does not end goes
    /// on, which is not what this is about.
    pub leaves: bool,
    /// Whether an executor may come to know of a recovery later while it lasts.
    pub delays_knowing: bool,
    /// How a cluster does it; `None`: only the simulation can.
    pub live: Option<Live>,
    /// The field of the target's Deployment that somebody else sets, and that is theirs to take back, not the
    /// executor's.
    pub theirs: Option<&'static str>,
    /// Where it keeps everybody from seeing how the exchange is.
    pub blinds: Option<Blinds>,
    /// Whom a runbook must ask for anybody to notice it, where it takes that.
    pub felt_by: Option<Asked>,
    /// What its `delay` holds up, where the oracles must know.
    pub holds_up: Option<HeldUp>,
    /// What becomes of the undo scripts, which decides the path that a rollback takes.
    pub undo_scripts: Option<UndoScripts>,
    /// How a search draws it.
    pub draws: Draws,
    /// The worlds that can do it.
    pub worlds: &'static [WorldKind],
    /// Why it affects the exchange alone; `None`: it affects any application.
    pub of_the_exchange: Option<OfTheExchange>,
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
    Services(Which),
    /// One of these.
    Of(&'static [&'static str]),
}

impl Targets {
    /// The words that scenario files may use; empty: there is no choice. Services are in the order of their names.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::NoChoice => Vec::new(),
            Self::Services(_) => {
                let mut names = Service::NAMES.to_vec();
                names.sort_unstable();
                names
            }
            Self::Of(names) => names.to_vec(),
        }
    }

    /// Of which services it takes one, if it takes any.
    #[must_use]
    pub fn which(self) -> Option<Which> {
        match self {
            Self::Services(which) => Some(which),
            Self::NoChoice | Self::Of(_) => None,
        }
    }
}

/// Of which services a kind can hit one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Of any.
    Any,
    /// Of those that are Deployments: there is no such thing as a paused StatefulSet.
    Deployments,
    /// Of those whose image the release changes: it hinders pods of the image before or after.
    ChangedImage,
    /// Of those that the release changes: it takes away what only such a change leaves.
    Changed,
}

impl Which {
    /// Whether it hits nothing where the release leaves the service alone.
    #[must_use]
    pub fn is_about_the_change(self) -> bool {
        match self {
            Self::Any | Self::Deployments => false,
            Self::ChangedImage | Self::Changed => true,
        }
    }
}

/// What a kind strikes besides the executor and its observability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strikes {
    /// Nothing.
    Nothing,
    /// What serves the clients.
    Servers,
    /// What serves the clients: every pod of its target ends at once.
    Pods,
    /// The books themselves, which are wrong from then on.
    Books,
}

impl Strikes {
    /// Whether it strikes what serves the clients.
    #[must_use]
    pub fn servers(self) -> bool {
        match self {
            Self::Servers | Self::Pods => true,
            Self::Nothing | Self::Books => false,
        }
    }

    /// Whether it can break the ledger: what is struck may leave it half written.
    #[must_use]
    pub fn can_break_the_ledger(self) -> bool {
        self == Self::Books || self.servers()
    }
}

/// What a kind does to the hosts that run the executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Nothing.
    Untouched,
    /// The one that is at work dies, and another one takes over once its lease has run out.
    Killed,
    /// The one that is at work stands still, and another one takes over beside it.
    Paused,
    /// Another one begins beside it.
    Joined,
    /// Their clocks are off.
    ClockOff,
}

impl Hosts {
    /// Whether a second host runs an executor beside the first one.
    #[must_use]
    pub fn are_two(self) -> bool {
        match self {
            Self::Paused | Self::Joined => true,
            Self::Untouched | Self::Killed | Self::ClockOff => false,
        }
    }
}

/// Whom a runbook may ask, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Loki.
    Loki,
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

/// What `delay` holds up: a host that is away holds up the executor, and the row says of anything else.
pub(super) const fn held_up(hosts: Hosts, said: Option<HeldUp>) -> Option<HeldUp> {
    match hosts {
        Hosts::Killed | Hosts::Paused => Some(HeldUp::Executor),
        Hosts::Untouched | Hosts::Joined | Hosts::ClockOff => said,
    }
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
