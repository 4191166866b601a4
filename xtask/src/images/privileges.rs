//! Whether a Docker engine can start privileged containers, which the cluster's nodes are.
//!
//! Some machines withhold CAP_SYS_RESOURCE even from root. runc then refuses every privileged container, unless the
//! engine was started with the bounded runtime (`deploy/packages/runtime`), as [`super::engine`] does it.

use std::fs;

use super::docker::Docker;

/// Where dockerd writes its process id.
pub(super) const PID_FILE: &str = "/var/run/docker.pid";
/// CAP_SYS_RESOURCE, from linux/capability.h.
const SYS_RESOURCE: u32 = 24;
/// Names under which Docker has plain runc.
const PLAIN: [&str; 2] = ["runc", "io.containerd.runc.v2"];
/// What runc says then.
const REFUSAL: &str = "unable to apply caps: operation not permitted";

/// Whether what is started here is withheld a capability that privileged containers get; no where nobody can tell.
pub(super) fn are_withheld() -> bool {
    lacks_sys_resource(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// Process id of the engine that commands talk to, if that is one of this machine.
fn engine() -> Option<String> {
    // An engine elsewhere is on a machine of its own, about which nothing is known here.
    if std::env::var_os("DOCKER_HOST").is_some() {
        return None;
    }
    let pid = fs::read_to_string(PID_FILE).ok()?.trim().to_owned();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(pid).filter(|_| name.trim() == "dockerd")
}

/// Asks before a node is started what runc would only say after a minute.
///
/// # Errors
/// The engine of this machine can't start privileged containers, and what to do about that.
pub(crate) fn check(docker: &Docker<'_>) -> Result<(), String> {
    let Some(pid) = engine() else {
        return Ok(());
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let runtime = docker.run(&["info", "--format", "{{.DefaultRuntime}}"])?;
    if starts_nodes(&status, &runtime) {
        return Ok(());
    }
    Err(advice(Some(&pid)))
}

/// An error of kind's, with what to do about it where that is known.
pub(crate) fn explain(error: String) -> String {
    if error.contains(REFUSAL) {
        return format!("{error}\n{}", advice(engine().as_deref()));
    }
    error
}

fn advice(pid: Option<&str>) -> String {
    let process = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
    format!(
        "this machine withholds CAP_SYS_RESOURCE, and its Docker engine{process} was started without the bounded runtime, so it \
         starts no privileged container, which the cluster's node is. Stop that engine; then \
         `cargo xtask images --from-packages` starts one that can"
    )
}

/// Whether a dockerd with this `/proc/PID/status` and default runtime can start a privileged container.
fn starts_nodes(status: &str, runtime: &str) -> bool {
    !(lacks_sys_resource(status) && PLAIN.contains(&runtime.trim()))
}

fn lacks_sys_resource(status: &str) -> bool {
    bounding_set(status).is_some_and(|bits| bits >> SYS_RESOURCE & 1 == 0)
}

fn bounding_set(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|it| it.strip_prefix("CapBnd:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{advice, bounding_set, explain, lacks_sys_resource, starts_nodes};

    const WITHHELD: &str = "Name:\tdockerd\nCapBnd:\t000001fffeffffff\n";
    const WHOLE: &str = "Name:\tdockerd\nCapBnd:\t000001ffffffffff\n";

    #[test]
    fn the_bounding_set_is_read() {
        assert!(lacks_sys_resource(WITHHELD));
        assert!(!lacks_sys_resource(WHOLE));
        assert_eq!(bounding_set(WITHHELD).map(|bits| bits >> 21 & 1), Some(1));
        for unknown in ["Name:\tx\n", "CapBnd:\tmany\n", ""] {
            assert_eq!(bounding_set(unknown), None);
            assert!(!lacks_sys_resource(unknown));
        }
    }

    #[test]
    fn only_plain_runc_without_the_capability_starts_no_node() {
        assert!(!starts_nodes(WITHHELD, "runc\n"));
        assert!(!starts_nodes(WITHHELD, "io.containerd.runc.v2"));
        for (status, runtime) in [(WITHHELD, "bounded"), (WHOLE, "runc"), ("", "runc")] {
            assert!(starts_nodes(status, runtime), "{status} {runtime}");
        }
    }

    #[test]
    fn what_runc_refuses_is_explained_and_nothing_else_is() {
        let kind = "`kind create cluster` failed:\nERROR: failed to create cluster: docker run error\nCommand Output: docker: \
                    Error response from daemon: OCI runtime create failed: unable to start container process: unable to apply \
                    caps: operation not permitted: unknown.";
        let text = explain(kind.to_owned());
        let added = text.strip_prefix(kind).expect("kind's own words stay");
        assert!(added.contains("Stop that engine"), "{added}");
        assert!(
            added.contains("cargo xtask images --from-packages"),
            "{added}"
        );
        let other = "`kind create cluster` failed:\nERROR: port is already allocated";
        assert_eq!(explain(other.to_owned()), other);
    }

    #[test]
    fn the_engine_is_named_where_it_is_known() {
        assert!(advice(Some("12")).contains("engine (process 12) was"));
        assert!(advice(None).contains("engine was"));
    }
}
