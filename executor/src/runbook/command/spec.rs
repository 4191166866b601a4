//! What there is to say of a command, and the macro that declares all of them with it.

use super::catalogue::{Command, Kind};
use super::{Arguments, Flag};
use crate::runbook::protection::Protection;

/// What a command does to the world around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It records or copies, before a deployment. In a rollback it is too late for it.
    Prepares,
    /// It changes the application, so that its intent is journaled first.
    Changes,
    /// It waits for a change to be over.
    Waits,
    /// It only looks, and may be done in any order with others that do.
    Looks,
    /// It saves evidence that is gone later. Evidence is replaced as a whole, so that no intent is journaled.
    Saves,
    /// It writes a document about the incident at its end.
    Documents,
}

/// Which part of a rollback a command belongs to: what its time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The application is halted and opened again.
    Halt,
    /// The ledger is undone, restored or replayed.
    Data,
    /// What a post-mortem needs is saved.
    Evidence,
    /// Configuration, undo and rollout.
    Pods,
    /// The recovery is shown.
    Proof,
    /// The part of the step before it: the command looks whether that did what it is there for.
    AsBefore,
}

/// What stays as a command left it until another one takes it back. Whoever is called is told of it. A value that is
/// set is known from the command itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing.
    Nothing,
    /// The ledger is fenced.
    Fenced,
    /// The ledger is not fenced any more.
    Unfenced,
    /// The rollout of the step's service is paused.
    Paused,
    /// The rollout of the step's service is not paused any more.
    Resumed,
}

/// What a command does to the ledger, or to those who write to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLedger {
    /// Nothing.
    Nothing,
    /// It halts those who write to it, or opens it to them: a wrong outcome must stop what follows.
    Halts,
    /// It takes away rows that the bad release wrote. The old application must not run before it.
    Rewrites,
    /// It adds rows.
    Extends,
}

/// Whom a command turns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// The API server of Kubernetes.
    Kubernetes,
    /// The ledger's database.
    Database,
    /// Prometheus; the API server only says which pods there are.
    Prometheus,
    /// Loki; the API server only says which pods there are, or hands on their own logs.
    Loki,
    /// Nobody: it writes of what is known.
    Nobody,
}

/// Which number a command comes to, which `rb.expect` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// None: it is well or is not.
    None,
    /// How much a counter has grown. It says nothing of how many requests there were.
    Growth,
    /// The answer to a query, for which `rb.min-requests` may say how many requests it must rest on.
    Answer,
}

/// Another command that must come later in the same phase, whenever this one is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Which.
    pub by: Kind,
    /// A command that it must come ahead of, too, and the warning if it comes only after that.
    pub ahead_of: Option<(Kind, &'static str)>,
    /// Code of the warning if it does not.
    pub code: &'static str,
    /// The warning.
    pub message: &'static str,
    /// What stands at the command.
    pub label: &'static str,
    /// What to do.
    pub help: &'static str,
}

/// The warning about a runbook without the command: in the phase `prepare` if it [prepares](Effect::Prepares), else in
/// `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Its code.
    pub code: &'static str,
    /// What is missing.
    pub message: &'static str,
    /// What to do.
    pub help: &'static str,
}

/// What is known of a command, whatever a step says in particular.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// Which.
    pub kind: Kind,
    /// The program that a person types.
    pub program: &'static str,
    /// The words after the program without which it is another command. Several commands may begin alike.
    pub form: &'static str,
    /// The whole command for the namespace `web`, as a person types it.
    pub example: &'static str,
    /// Whether the words, which [`Self::program`] leads, are this command.
    pub(super) fits: fn(&Arguments<'_, '_, '_, '_>) -> bool,
    /// Flags that it takes.
    pub(super) flags: &'static [Flag],
    /// Reads it from words that fit. `None`: something is wrong, and the findings say what.
    pub(super) read: fn(&mut Arguments<'_, '_, '_, '_>) -> Option<Command>,
    /// Placeholders that it has a value for, besides `$SERVICE`.
    pub placeholders: &'static [&'static str],
    /// What it does.
    pub effect: Effect,
    /// What its time is spent on.
    pub part: Part,
    /// What it leaves behind.
    pub leaves: Leaves,
    /// Whom it turns to.
    pub asks: Asks,
    /// What it does to the ledger.
    pub ledger: OnLedger,
    /// The number that it comes to.
    pub value: Value,
    /// Whether it looks at the application as an undo leaves it: ahead of the undo it sees the release that is about to
    /// go.
    pub follows_undo: bool,
    /// What must follow it.
    pub followed: Option<Followed>,
    /// What its absence is called.
    pub missed: Option<Missed>,
    /// Requests that it sends to the API server, as verb and resource: `patch deployments`.
    pub rights: &'static [&'static str],
    /// Requests that it sends besides, or instead, where a service is a StatefulSet.
    pub rights_of_stateful_sets: &'static [&'static str],
    /// What it is there for, and why. Queries may serve something else, depending on what surrounds them.
    pub protects: (Protection, &'static str),
}

/// What goes without saying: nothing.
pub(super) const PLAIN: CommandSpec = CommandSpec {
    kind: Kind::RecordRelease,
    program: "",
    form: "",
    example: "",
    fits: |_| false,
    flags: &[],
    read: |_| None,
    placeholders: &[],
    effect: Effect::Looks,
    part: Part::AsBefore,
    leaves: Leaves::Nothing,
    asks: Asks::Kubernetes,
    ledger: OnLedger::Nothing,
    value: Value::None,
    follows_undo: false,
    followed: None,
    missed: None,
    rights: &[],
    rights_of_stateful_sets: &[],
    protects: (Protection::Objective, ""),
};

/// Declares [`Command`](super::Command), [`Kind`](super::Kind) and their table, so that none of them lacks a command.
///
/// In `words`, the command's fields are in scope, and `span` writes a duration.
macro_rules! commands {
    ($span:ident; $(
        $(#[$doc:meta])*
        $kind:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })? = $program:literal $form:literal {
            example: $example:literal,
            fits: $fits:expr,
            read: $read:expr,
            effect: $effect:ident,
            part: $part:ident,
            leaves: $leaves:ident,
            protects: $protection:ident, $why:literal,
            words: $words:expr,
            $($key:ident: $value:expr,)*
        }
    )*) => {
        /// The closed set of commands.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", tag = "kind")]
        pub enum Command {
            $($(#[$doc])* $kind $({ $($(#[$field_doc])* $field: $type,)* })?,)*
        }

        /// Which command, whatever its arguments are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        /// Every command, in the order in which messages list those of one program.
        pub const COMMANDS: &[CommandSpec] = &[$(CommandSpec {
            kind: Kind::$kind,
            program: $program,
            form: $form,
            example: $example,
            fits: $fits,
            read: $read,
            effect: Effect::$effect,
            part: Part::$part,
            leaves: Leaves::$leaves,
            protects: (Protection::$protection, $why),
            $($key: $value,)*
            ..PLAIN
        },)*];

        impl Command {
            /// Which.
            #[must_use]
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind { .. } => Kind::$kind,)*
                }
            }

            /// What it does, in a few words that go on after a step's name. `span` writes a duration.
            #[must_use]
            #[expect(unused_variables, reason = "words that name no field and no duration")]
            pub fn in_words(&self, $span: fn(Duration) -> String) -> String {
                match self {
                    $(Self::$kind $({ $($field),* })? => String::from($words),)*
                }
            }
        }
    };
}
pub(super) use commands;
