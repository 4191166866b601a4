//! What is done to the node, a container, and to the processes in it. Needs nothing in there but a shell, `grep` and
//! `iptables`, which every kind node has.

use std::net::Ipv4Addr;

use super::super::docker::docker;

/// Kills the processes of the pods whose ids match, all at once, and prints theirs. Not the pods' sandboxes:
/// a pod keeps its address, as it does when its process crashes.
const KILL_PODS: &str = r#"
pids=
for file in $(grep -lE "$1" /proc/[0-9]*/cgroup 2>/dev/null); do
    process=${file%/cgroup}
    [ "$(cat "$process/comm" 2>/dev/null)" = pause ] || pids="$pids ${process#/proc/}"
done
[ -z "$pids" ] || kill -9 $pids
echo $pids
"#;

/// Prints the ids of the processes with a name of at most 15 characters.
const PROCESSES: &str = r#"
for file in $(grep -lx "$1" /proc/[0-9]*/comm 2>/dev/null); do
    process=${file%/comm}
    echo "${process#/proc/}"
done
"#;

/// Takes these chains away, if they are there.
const FLUSH: &str = include_str!("../../../../../deploy/heal.sh");

/// Whose connections are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The pods', to the ledger's server at this address.
    Database(Ipv4Addr),
    /// Everybody's outside the node, to the API server.
    Kubernetes,
}

impl Cut {
    /// Its own chain.
    fn chain(self) -> &'static str {
        match self {
            Self::Database(_) => "FIREDRILL-DATABASE",
            Self::Kubernetes => "FIREDRILL-KUBERNETES",
        }
    }

    /// Chain that its packets pass, and what they look like.
    fn rules(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Database(address) => vec![
                ("FORWARD", format!("-d {address} -p tcp --dport 5432")),
                ("FORWARD", format!("-s {address} -p tcp --sport 5432")),
            ],
            // What the node itself sends to its API server comes in by `lo`.
            Self::Kubernetes => vec![("INPUT", "-i eth0 -p tcp --dport 6443".to_owned())],
        }
    }

    fn script(self) -> String {
        let chain = self.chain();
        let mut script = format!("set -e\niptables -w 5 -N {chain}\n");
        let rules = self.rules();
        for (_, what) in &rules {
            let refuse = "-j REJECT --reject-with tcp-reset";
            script.push_str(&format!("iptables -w 5 -A {chain} {what} {refuse}\n"));
        }
        let mut hooks: Vec<&str> = rules.iter().map(|(hook, _)| *hook).collect();
        hooks.dedup();
        for hook in hooks {
            // First: what follows lets established connections pass.
            script.push_str(&format!("iptables -w 5 -I {hook} 1 -j {chain}\n"));
        }
        script
    }
}

fn in_node(node: &str, script: &str, argument: &str) -> Result<String, String> {
    docker(&["exec", node, "sh", "-c", script, "firedrill", argument])
}

fn ids(text: &str) -> Vec<u32> {
    let words = text.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

fn state(node: &str) -> Result<String, String> {
    docker(&["inspect", "--format", "{{.State.Status}}", node])
}

/// Stops everything on the node.
pub(super) fn pause(node: &str) -> Result<(), String> {
    docker(&["pause", node])?;
    match state(node)?.as_str() {
        "paused" => Ok(()),
        other => Err(format!("the node is not paused but {other}")),
    }
}

/// Lets it go on. 1 if it was standing still until now.
pub(super) fn unpause(node: &str) -> Result<u64, String> {
    let was_paused = state(node)? == "paused";
    docker(&["unpause", node])?;
    Ok(u64::from(was_paused))
}

/// Ids of the processes called `name`.
pub(super) fn processes(node: &str, name: &str) -> Result<Vec<u32>, String> {
    Ok(ids(&in_node(node, PROCESSES, name)?))
}

/// Kills processes of the node.
pub(super) fn kill(node: &str, pids: &[u32]) -> Result<(), String> {
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    in_node(node, "kill -9 $1", &pids.join(" ")).map(drop)
}

/// Kills the processes of the pods with these ids; how many.
pub(super) fn kill_pods(node: &str, uids: &[String]) -> Result<usize, String> {
    Ok(ids(&in_node(node, KILL_PODS, &in_cgroups(uids))?).len())
}

/// How the pods' ids stand in the names of control groups: systemd's driver replaces the hyphens.
fn in_cgroups(uids: &[String]) -> String {
    let both: Vec<String> = uids
        .iter()
        .flat_map(|uid| [uid.clone(), uid.replace('-', "_")])
        .collect();
    both.join("|")
}

/// Begins to refuse.
pub(super) fn cut(node: &str, whose: Cut) -> Result<(), String> {
    in_node(node, FLUSH, whose.chain())?;
    in_node(node, &whose.script(), "").map(drop)
}

/// Ends it; how many packets were refused.
pub(super) fn mend(node: &str, whose: Cut) -> Result<u64, String> {
    let counted = in_node(node, "iptables -w 5 -nvxL $1", whose.chain());
    in_node(node, FLUSH, whose.chain())?;
    Ok(packets(&counted?))
}

/// Sum of the first column of `iptables -nvxL`.
fn packets(listing: &str) -> u64 {
    let first = listing.lines().filter_map(|line| {
        let word = line.split_whitespace().next()?;
        word.parse::<u64>().ok()
    });
    first.sum()
}

/// Undoes what a drill that was killed may have left: a node that stands still, packets that are refused.
///
/// # Errors
/// It could not be undone. A cluster whose node is no container here has nothing to undo.
pub(in crate::worlds::kind) fn heal(node: &str) -> Result<(), String> {
    let Ok(state) = state(node) else {
        return Ok(());
    };
    if state == "paused" {
        docker(&["unpause", node])?;
    }
    in_node(node, FLUSH, "").map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{Cut, FLUSH, ids, in_cgroups, packets};

    #[test]
    fn packets_are_counted_from_the_listing() {
        let listing = "Chain FIREDRILL (1 references)\n    pkts      bytes target     prot opt in     out     source               destination\n      \
             17      884 REJECT     6    --  *      *       0.0.0.0/0            10.9.9.9             tcp dpt:5432 reject-with tcp-reset\n       \
             4        0 REJECT     6    --  *      *       10.9.9.9             0.0.0.0/0             tcp spt:5432 reject-with tcp-reset";
        assert_eq!(packets(listing), 21);
        assert_eq!(packets(""), 0);
    }

    #[test]
    fn only_the_named_connections_are_cut() {
        let script = Cut::Database(Ipv4Addr::new(10, 9, 9, 9)).script();
        assert_eq!(script.matches("10.9.9.9").count(), 2, "{script}");
        assert_eq!(script.matches("-I FORWARD 1").count(), 1, "{script}");
        assert!(!script.contains("INPUT"), "{script}");
        let script = Cut::Kubernetes.script();
        assert!(script.contains("-i eth0 -p tcp --dport 6443"), "{script}");
        assert!(!script.contains("FORWARD"), "{script}");
        for cut in [Cut::Database(Ipv4Addr::LOCALHOST), Cut::Kubernetes] {
            assert!(FLUSH.contains(cut.chain()));
        }
    }

    #[test]
    fn pods_are_found_under_both_drivers_names() {
        let uids = ["a-b".to_owned(), "c-d".to_owned()];
        assert_eq!(in_cgroups(&uids), "a-b|a_b|c-d|c_d");
        assert_eq!(ids("12 345\n6\n"), [12, 345, 6]);
    }
}
