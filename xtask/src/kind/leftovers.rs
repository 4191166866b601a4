//! What Firedrill has in the Docker engine, found by label: containers, the network, volumes.

use super::owner::{self, Owner};
use super::{CLUSTER, NETWORK};
use crate::images::docker::{Docker, LABEL};

/// kind's own label on a cluster's nodes, the only one that it sets.
const NODES: &str = "io.x-k8s.kind.cluster";

/// Takes away the chains by which drills refuse packets, as the drills themselves do.
const MEND: &str = include_str!("../../../deploy/heal.sh");

/// Something in the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) state: String,
}

impl Thing {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split('\t').map(|part| part.trim().to_owned());
        Some(Self {
            name: parts.next().filter(|name| !name.is_empty())?,
            owner: parts.next()?,
            state: parts.next().unwrap_or_default(),
        })
    }

    /// Whether nobody can use it any more. A container, network or volume with our label and no owner belongs to
    /// nobody.
    pub(super) fn is_dead(&self) -> bool {
        Owner::parse(&self.owner).is_none_or(|owner| !owner.is_alive())
    }
}

fn list(
    docker: &Docker<'_>,
    kind: &[&str],
    filter: &str,
    name: &str,
) -> Result<Vec<Thing>, String> {
    let state = if name == ".Names" { "{{.State}}" } else { "" };
    let format = format!(
        "{{{{{name}}}}}\t{{{{.Label \"{}\"}}}}\t{state}",
        owner::LABEL
    );
    let filter = format!("label={filter}");
    let arguments = [kind, &["--filter", &filter, "--format", &format]].concat();
    let lines = docker.lines(&arguments)?;
    Ok(lines.iter().filter_map(|line| Thing::parse(line)).collect())
}

/// Containers with our label.
pub(super) fn containers(docker: &Docker<'_>) -> Result<Vec<Thing>, String> {
    list(docker, &["ps", "--all"], LABEL, ".Names")
}

/// Networks with our label.
pub(super) fn networks(docker: &Docker<'_>) -> Result<Vec<Thing>, String> {
    list(docker, &["network", "ls"], LABEL, ".Name")
}

/// Volumes with our label.
pub(super) fn volumes(docker: &Docker<'_>) -> Result<Vec<Thing>, String> {
    list(docker, &["volume", "ls"], LABEL, ".Name")
}

/// The cluster's nodes.
pub(super) fn nodes(docker: &Docker<'_>) -> Result<Vec<Thing>, String> {
    let filter = format!("{NODES}={CLUSTER}");
    list(docker, &["ps", "--all"], &filter, ".Names")
}

/// Takes back what a killed drill left in force in a running node.
pub(super) fn mend(docker: &Docker<'_>, node: &Thing) -> Result<(), String> {
    docker
        .run(&["exec", &node.name, "sh", "-c", MEND])
        .map(drop)
}

/// Removes what belongs to nobody that lives. What it removed.
pub(super) fn reap(docker: &Docker<'_>) -> Result<Vec<String>, String> {
    remove(docker, Thing::is_dead)
}

/// Removes all that there is. What it removed.
pub(super) fn remove_all(docker: &Docker<'_>) -> Result<Vec<String>, String> {
    remove(docker, |_| true)
}

fn remove(docker: &Docker<'_>, condemned: impl Fn(&Thing) -> bool) -> Result<Vec<String>, String> {
    let mut removed = Vec::new();
    for container in containers(docker)?.iter().filter(|it| condemned(it)) {
        docker.run(&["rm", "--force", "--volumes", &container.name])?;
        removed.push(format!("container {}", container.name));
    }
    // Nodes carry only kind's label: the network's owner is theirs, and without the network they are nobody's.
    let networks = networks(docker)?;
    let network = networks.iter().find(|it| it.name == NETWORK);
    if network.is_none_or(&condemned) {
        for node in nodes(docker)? {
            docker.run(&["rm", "--force", "--volumes", &node.name])?;
            removed.push(format!("node {}", node.name));
        }
    }
    for network in networks.iter().filter(|it| condemned(it)) {
        disconnect(docker, &network.name)?;
        docker.run(&["network", "rm", &network.name])?;
        removed.push(format!("network {}", network.name));
    }
    for volume in volumes(docker)?.iter().filter(|it| condemned(it)) {
        docker.run(&["volume", "rm", "--force", &volume.name])?;
        removed.push(format!("volume {}", volume.name));
    }
    Ok(removed)
}

/// A network with somebody else's container on it can't be removed; the container itself is not ours to remove.
fn disconnect(docker: &Docker<'_>, network: &str) -> Result<(), String> {
    let template = "{{range .Containers}}{{.Name}}\n{{end}}";
    for name in docker.lines(&["network", "inspect", "--format", template, network])? {
        if !name.is_empty() {
            docker.run(&["network", "disconnect", "--force", network, &name])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Thing;
    use crate::kind::owner::Owner;

    fn thing(owner: &str) -> Thing {
        Thing::parse(&format!("name\t{owner}\trunning")).expect("well-formed")
    }

    #[test]
    fn only_the_living_keep_what_is_theirs() {
        assert!(!thing("hand").is_dead());
        let me = Owner::process(std::process::id()).expect("it runs");
        assert!(!thing(&me.to_string()).is_dead());
        for owner in ["", "4294967295-1", "nonsense"] {
            assert!(thing(owner).is_dead(), "{owner}");
        }
    }

    #[test]
    fn lines_of_the_engine_are_read() {
        assert_eq!(thing("hand").state, "running");
        assert_eq!(
            Thing::parse("network\t\t").map(|it| it.owner),
            Some(String::new())
        );
        assert_eq!(Thing::parse(""), None);
    }
}
