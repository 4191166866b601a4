//! Whose something is in the Docker engine, so that what a dead process left behind can be told from what a living one
//! uses. The label `firedrill.owner` holds `PID-START`, where START is when that process started (field 22 of its
//! `/proc/PID/stat`, since process ids are given out again), or `hand`: kept until `kind down`.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::images::program;

/// The label's name.
pub(crate) const LABEL: &str = "firedrill.owner";

/// An owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A person at a command line.
    Hand,
    /// A process.
    Process {
        /// Its id.
        pid: u32,
        /// When it started, in clock ticks after the machine did.
        start: u64,
    },
}

impl Owner {
    /// The process `pid`, if it runs.
    pub(crate) fn process(pid: u32) -> Option<Self> {
        let start = start_of(pid)?;
        Some(Self::Process { pid, start })
    }

    /// Reads the label. What can't be read belongs to nobody.
    pub(crate) fn parse(label: &str) -> Option<Self> {
        if label == "hand" {
            return Some(Self::Hand);
        }
        let (pid, start) = label.split_once('-')?;
        Some(Self::Process {
            pid: pid.parse().ok()?,
            start: start.parse().ok()?,
        })
    }

    /// Whether it may still use what is its own.
    pub(crate) fn is_alive(self) -> bool {
        match self {
            Self::Hand => true,
            Self::Process { pid, start } => start_of(pid) == Some(start),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hand => f.write_str("hand"),
            Self::Process { pid, start } => write!(f, "{pid}-{start}"),
        }
    }
}

/// What makes a command end with us, by `signal`, where there is such a thing: the program, and its first arguments.
pub(crate) fn tied_to_us(command: PathBuf, signal: &str) -> (PathBuf, Vec<OsString>) {
    match program("setpriv") {
        Some(setpriv) => (
            setpriv,
            vec![format!("--pdeathsig={signal}").into(), command.into()],
        ),
        None => (command, Vec::new()),
    }
}

/// When a process started; `None` if it doesn't run, or is a zombie.
fn start_of(pid: u32) -> Option<u64> {
    start_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn start_in(stat: &str) -> Option<u64> {
    // The second field is a name in parentheses, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    fields.get(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Owner, start_in};

    #[test]
    fn labels_round_trip() {
        for owner in [
            Owner::Hand,
            Owner::Process {
                pid: 12,
                start: 345,
            },
        ] {
            assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
        }
        for label in ["", "12", "12-", "-3", "a-b", "<no value>"] {
            assert_eq!(Owner::parse(label), None, "{label}");
        }
    }

    #[test]
    fn this_process_lives_and_its_predecessor_of_the_same_number_does_not() {
        let me = Owner::process(std::process::id()).expect("it runs");
        assert!(me.is_alive());
        let Owner::Process { pid, start } = me else {
            panic!("a process is no hand");
        };
        let start = start.wrapping_sub(1);
        assert!(!Owner::Process { pid, start }.is_alive());
    }

    #[test]
    fn names_may_hold_anything_and_zombies_are_dead() {
        let tail = "1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 1 2";
        assert_eq!(start_in(&format!("9 (a) b) S 0 {tail}")), Some(777));
        assert_eq!(start_in(&format!("9 (x) Z 0 {tail}")), None);
        assert_eq!(start_in("9 (x) S 1"), None);
    }
}
