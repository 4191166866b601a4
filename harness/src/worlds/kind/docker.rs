//! The Docker engine, through its command line: whose containers are whose, where they are,
//! and their end and second start.
//!
//! Labels as in `deploy/README.md`, "Whose is it": what this process leaves behind when it is killed,
//! the next one removes.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// Label on everything that Firedrill makes in the engine.
const LABEL: &str = "firedrill=1";
/// Label with whose it is: `PID-START`, or `hand`.
const OWNER: &str = "firedrill.owner";

/// What `docker ARGUMENTS…` prints.
pub(super) fn docker(arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("FIREDRILL_DOCKER").unwrap_or_else(|| "docker".into());
    let output = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let what = arguments.first().copied().unwrap_or_default();
    Err(format!("`docker {what}` failed: {}", text(&output.stderr)))
}

/// When a process started, in clock ticks after the machine did; `None` if it does not run.
fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    fields.get(19)?.parse().ok()
}

/// Whether whoever the label names may still use what is theirs.
fn is_alive(owner: &str) -> bool {
    if owner == "hand" {
        return true;
    }
    owner.split_once('-').is_some_and(|(pid, start)| {
        let pid = pid.parse().ok().and_then(start_of);
        pid.is_some() && pid == start.parse().ok()
    })
}

/// Removes the containers of processes that have ended.
///
/// # Errors
/// What the engine says.
pub(super) fn reap() -> Result<(), String> {
    let format = format!("{{{{.ID}}}}\t{{{{.Label \"{OWNER}\"}}}}");
    let filter = format!("label={LABEL}");
    for line in docker(&["ps", "--all", "--filter", &filter, "--format", &format])?.lines() {
        if let Some((id, owner)) = line.split_once('\t')
            && !is_alive(owner)
        {
            docker(&["rm", "--force", "--volumes", id])?;
        }
    }
    Ok(())
}

/// The labels of what this process makes.
///
/// # Errors
/// It can't tell when it started.
pub(super) fn labels() -> Result<[(String, String); 2], String> {
    let me = std::process::id();
    let start = start_of(me).ok_or("this process is not in /proc")?;
    let (label, on) = LABEL.split_once('=').unwrap_or((LABEL, ""));
    Ok([
        (label.to_owned(), on.to_owned()),
        (OWNER.to_owned(), format!("{me}-{start}")),
    ])
}

/// Kills a server's container at once.
///
/// # Errors
/// What the engine says.
pub(super) fn kill(container: &str) -> Result<(), String> {
    docker(&["kill", "--signal", "KILL", container])?;
    // `kill` does not wait, and a container that still ends can't be started.
    docker(&["wait", container]).map(drop)
}

/// Starts it again.
///
/// # Errors
/// What the engine says, or it came back under another address than `address`, where nobody finds it.
pub(super) fn start(container: &str, network: &str, address: Ipv4Addr) -> Result<(), String> {
    docker(&["start", container])?;
    let now = address_of(container, network)?;
    if now == address {
        return Ok(());
    }
    Err(format!(
        "the ledger's server came back at {now}, not at {address}"
    ))
}

/// Address of a container on a network.
pub(super) fn address_of(container: &str, network: &str) -> Result<Ipv4Addr, String> {
    let format = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
    let address = docker(&["inspect", "--format", &format, container])?;
    address
        .parse()
        .map_err(|_| format!("{container} has no address on the network {network}"))
}

/// Whether `container` is attached to `network`, and that is one that the harness made: nothing is changed to find out.
pub(super) fn is_in_our_network(container: &str, network: &str) -> bool {
    let (label, on) = LABEL.split_once('=').unwrap_or((LABEL, ""));
    let format = format!("{{{{index .Labels \"{label}\"}}}}");
    let ours = docker(&["network", "inspect", "--format", &format, network]);
    ours.is_ok_and(|value| value.trim() == on) && address_of(container, network).is_ok()
}

/// A word that nobody can guess.
pub(super) fn random_word() -> Result<String, String> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| format!("/dev/urandom: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::{is_alive, random_word, start_of};

    #[test]
    fn only_the_living_keep_what_is_theirs() {
        let me = std::process::id();
        let start = start_of(me).expect("it runs");
        assert!(is_alive(&format!("{me}-{start}")));
        assert!(is_alive("hand"));
        for owner in [format!("{me}-{}", start + 1), String::new(), "x-1".into()] {
            assert!(!is_alive(&owner), "{owner}");
        }
    }

    #[test]
    fn words_differ() {
        let (one, other) = (random_word(), random_word());
        assert_eq!(one.as_ref().map(String::len), Ok(32));
        assert_ne!(one, other);
    }
}
