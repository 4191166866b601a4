//! How a container is probed, stopped and pulled.

use serde_json::Value;
use sim_services::hooks::command_sleeps_s;

use super::look::{Look, below, text};

pub(super) const ALL: &[fn(&mut Look<'_>)] = &[
    readiness,
    liveness,
    first_probe,
    images,
    hooks,
    host_ports,
    requests,
];

/// Tags that are moved to another image, besides those without a number.
const MOVING: [&str; 9] = [
    "latest",
    "main",
    "master",
    "stable",
    "edge",
    "dev",
    "nightly",
    "prod",
    "production",
];

fn name(container: &Value) -> &str {
    text(&container["name"])
}

fn readiness(look: &mut Look<'_>) {
    // Nobody sends requests to a worker: where Services are known, one of them would select its pods.
    if is_worker(look) {
        return;
    }
    for (path, container) in look.lasting() {
        // A sidecar that gets no traffic of its own needs none.
        if path[3] == "containers" && container["readinessProbe"].is_null() {
            let takes = look.known.starts.get(name(container));
            let takes = takes.map_or(0.0, |it| it.start.percentile(50).as_secs_f64());
            look.warn(
                "no-readiness-probe",
                &below(&path, &[]),
                format!(
                    "container {} has no readiness probe: a pod counts as available as soon as its process runs, and \
                     gets traffic about {takes:.1} s before it answers; a release that does not work rolls out \
                     to the end",
                    name(container)
                ),
                "add a readinessProbe that asks what clients need, with periodSeconds: 2",
            );
        }
    }
}

/// Whether the manifests have Services in the namespace, and none of them selects the pods.
fn is_worker(look: &Look<'_>) -> bool {
    let namespace = look.workload.object.namespace();
    let mut objects = look.known.manifests.objects.iter();
    look.workload.services.is_empty()
        && objects.any(|it| it.kind() == "Service" && it.namespace() == namespace)
}

/// For how long a probe lets a process run that does not answer, in seconds.
fn patience(probe: &Value) -> u64 {
    // A zero is as good as none: the API server writes the default in its place (`SetDefaults_Probe`).
    let given = |field: &str| probe[field].as_u64().filter(|n| *n > 0);
    let number = |field: &str, default| given(field).unwrap_or(default);
    number("initialDelaySeconds", 0)
        + number("periodSeconds", 10) * number("failureThreshold", 3).max(1)
}

fn liveness(look: &mut Look<'_>) {
    for (path, container) in look.lasting() {
        let Some(times) = look.known.starts.get(name(container)) else {
            continue;
        };
        let slow = times.start.percentile(99).as_secs_f64();
        // Where there is a startup probe, the liveness probe waits for it.
        let field = ["startupProbe", "livenessProbe"]
            .into_iter()
            .find(|field| !container[*field].is_null());
        let Some(field) = field else {
            continue;
        };
        let patience = patience(&container[field]);
        if (patience as f64) < slow {
            look.warn(
                "liveness-before-start",
                &below(&path, &[field]),
                format!(
                    "{field} stops container {} after {patience} s, and one start in a hundred takes {slow:.0} s \
                     or more: such a pod is started again and again",
                    name(container)
                ),
                format!(
                    "add a startupProbe with periodSeconds: 2 and failureThreshold: {}, or raise its failureThreshold",
                    (slow * 1.5 / 2.0).ceil()
                ),
            );
        }
    }
}

fn first_probe(look: &mut Look<'_>) {
    for (path, container) in look.lasting() {
        let Some(times) = look.known.starts.get(name(container)) else {
            continue;
        };
        let delay = container["readinessProbe"]["initialDelaySeconds"].as_u64();
        let delay = delay.unwrap_or_default();
        let median = times.start.percentile(50).as_secs_f64();
        if delay as f64 > median + 5.0 {
            look.warn(
                "slow-first-probe",
                &below(&path, &["readinessProbe", "initialDelaySeconds"]),
                format!(
                    "container {} is asked after {delay} s for the first time, and half of its starts take {median:.1} s \
                     or less: each pod of an undo waits for that",
                    name(container)
                ),
                "set initialDelaySeconds to 0: a readiness probe that fails early does no harm",
            );
        }
    }
}

fn images(look: &mut Look<'_>) {
    for (path, container) in look.workload.containers() {
        let image = text(&container["image"]);
        let field = below(&path, &["image"]);
        if let Some(tag) = moving_tag(image) {
            look.warn(
                "moving-tag",
                &field,
                format!(
                    "the tag of {image} {tag}: an undo brings the same reference back, and with it what the tag means \
                     by then"
                ),
                "give each release a tag of its own, or a digest (@sha256:…)",
            );
        } else if container["imagePullPolicy"] == "Always" {
            look.warn(
                "always-pull",
                &below(&path, &["imagePullPolicy"]),
                format!(
                    "each start of container {} asks the registry: an undo fails while that is away",
                    name(container)
                ),
                "use IfNotPresent with a tag that does not move",
            );
        }
    }
}

/// What is wrong with the tag of an image, if anything is.
fn moving_tag(image: &str) -> Option<String> {
    if image.contains('@') {
        return None;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        None => Some("is not given, which means `latest`".to_owned()),
        Some((_, tag)) if MOVING.contains(&tag) => Some(format!("`{tag}` moves")),
        Some((_, tag)) if tag.chars().all(|c| c.is_ascii_alphabetic() || c == '-') => {
            Some(format!("`{tag}` names no version, and may move"))
        }
        Some(_) => None,
    }
}

fn hooks(look: &mut Look<'_>) {
    let pod = ["spec", "template", "spec", "terminationGracePeriodSeconds"];
    let grace = look.at(&pod).as_u64().unwrap_or(30);
    for (path, container) in look.lasting() {
        let hook = &container["lifecycle"]["preStop"];
        let own = below(&path, &["lifecycle", "preStop"]);
        let sleep = hook["sleep"]["seconds"].as_u64();
        let sleep = sleep.or_else(|| command_sleeps_s(hook));
        if let Some(seconds) = sleep.filter(|it| *it >= grace) {
            look.warn(
                "hook-eats-grace",
                &own,
                format!(
                    "the preStop hook of container {} sleeps for {seconds} s, and the grace period is {grace} s: \
                     the process is killed before it can finish what it began",
                    name(container)
                ),
                format!("set terminationGracePeriodSeconds to {} or more", seconds + 15),
            );
        }
        let gets_traffic = path[3] == "containers" && !look.workload.services.is_empty();
        if hook.is_null() && gets_traffic && !look.workload.recreates() {
            look.warn(
                "no-pre-stop",
                &below(&path, &[]),
                format!(
                    "container {} gets SIGTERM while its address is still handed out: requests of the bad release fail \
                     at the undo unless the process serves on for a few seconds",
                    name(container)
                ),
                "add lifecycle.preStop.sleep.seconds: 5, unless the process does that itself",
            );
        }
    }
}

fn host_ports(look: &mut Look<'_>) {
    let (surge, _) = look.workload.fenceposts();
    let replicas = look.workload.replicas();
    let needed = replicas.saturating_add(surge) as usize;
    for (path, container) in look.lasting() {
        let ports = container["ports"].as_array().into_iter().flatten();
        for (at, port) in ports.enumerate() {
            let Some(number) = port["hostPort"].as_u64() else {
                continue;
            };
            if look.known.nodes >= needed {
                continue;
            }
            let at = at.to_string();
            let nodes = match look.known.nodes {
                0 => "how many there are is not known".to_owned(),
                n => format!("there are {n}"),
            };
            look.warn(
                "host-port",
                &below(&path, &["ports", &at, "hostPort"]),
                format!(
                    "port {number} of a node goes to one pod: a rollout of {replicas} pods with a surge of {surge} \
                     needs {needed} nodes, and {nodes}"
                ),
                "use a Service instead of hostPort, or set maxSurge to 0 and maxUnavailable to 1",
            );
        }
    }
}

fn requests(look: &mut Look<'_>) {
    for (path, container) in look.lasting() {
        let given = |field: &str| !container["resources"][field].is_null();
        if !given("requests") && !given("limits") {
            look.warn(
                "requests-missing",
                &below(&path, &[]),
                format!(
                    "container {} asks for no memory and no processor: it goes onto a node that is full as well, \
                     and is the first to be killed there",
                    name(container)
                ),
                "add resources.requests with cpu and memory",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{moving_tag, patience};

    #[test]
    fn a_period_of_zero_is_the_default_that_the_server_writes_in_its_place() {
        let probe = serde_json::json!({"periodSeconds": 0, "failureThreshold": 2});
        assert_eq!(patience(&probe), 20);
        assert_eq!(patience(&serde_json::json!({"periodSeconds": 5})), 15);
    }

    #[test]
    fn tags_that_move_are_told_from_versions() {
        for (image, moves) in [
            ("shop/front", true),
            ("shop/front:latest", true),
            ("registry:5000/shop/front", true),
            ("registry:5000/shop/front:1.2.3", false),
            ("shop/front:v2", false),
            ("shop/front:stable", true),
            ("shop/front:8f3c2a1", false),
            ("shop/front:latest@sha256:00", false),
            ("nginx:alpine", true),
        ] {
            assert_eq!(moving_tag(image).is_some(), moves, "{image}");
        }
    }
}
