//! The cluster itself: made by kind, marked, and given what every drill needs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xshell::{Cmd, cmd};

use super::leftovers::{self, Thing};
use super::owner::{self, Owner, tied_to_us};
use super::{CLUSTER, CONTEXT, NETWORK, say, state_directory};
use crate::images::docker::{Docker, LABEL, output, succeeds};
use crate::images::{NODE, PROMETHEUS, dex_images, privileges, program};

/// The marker's namespace and name: a context that hasn't got it is none of ours.
const MARKER: (&str, &str) = ("firedrill", "firedrill-marker");
/// Ports of the node that `deploy/kind.yaml` opens on this machine's loopback interface.
const GATEWAY_PORT: &str = "30080/tcp";
const PROMETHEUS_PORT: &str = "30090/tcp";
/// How long the tokens of the accounts are good for.
const TOKEN_DURATION: &str = "24h";

/// Files that this module keeps.
struct Files {
    kubeconfig: PathBuf,
    executor: PathBuf,
    /// That of a program which is drilled in place of the executor.
    program: PathBuf,
    facts: PathBuf,
    /// kubectl's, which would else lie in `~/.kube`.
    cache: PathBuf,
    /// What a drill needs for a while, and leaves if it is killed.
    workshop: PathBuf,
}

impl Files {
    fn new() -> Result<Self, String> {
        let directory = state_directory()?;
        Ok(Self {
            kubeconfig: directory.join("kubeconfig"),
            executor: directory.join("executor.kubeconfig"),
            program: directory.join("program.kubeconfig"),
            facts: directory.join("cluster.json"),
            cache: directory.join("kubectl-cache"),
            workshop: directory.join("drill"),
        })
    }
}

fn deploy(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy")).join(name)
}

fn tool(name: &str) -> Result<PathBuf, String> {
    program(name).ok_or_else(|| {
        format!(
            "no {name} command found: install it, or `cargo xtask images --from-packages` builds it"
        )
    })
}

fn kubectl<'a>(docker: &Docker<'a>, arguments: &[&str]) -> Result<Cmd<'a>, String> {
    let kubectl = tool("kubectl")?;
    let Files {
        kubeconfig, cache, ..
    } = Files::new()?;
    Ok(cmd!(
        docker.sh,
        "{kubectl} --cache-dir {cache} --kubeconfig {kubeconfig} --context {CONTEXT} --request-timeout 30s {arguments...}"
    ))
}

fn apply(docker: &Docker<'_>, name: &str) -> Result<(), String> {
    let file = deploy(name).display().to_string();
    output(kubectl(docker, &["apply", "--filename", &file])?).map(drop)
}

/// Makes the exchange's namespace, whose name the manifest has.
fn apply_namespace(docker: &Docker<'_>) -> Result<String, String> {
    let file = deploy("dex/00-namespace.yaml").display().to_string();
    let name = "jsonpath={.metadata.name}";
    output(kubectl(
        docker,
        &["apply", "--filename", &file, "--output", name],
    )?)
}

/// Makes sure of a healthy cluster.
pub(super) fn up(docker: &Docker<'_>, owner: Owner) -> Result<(), String> {
    let networks = leftovers::networks(docker)?;
    let network = networks.iter().find(|it| it.name == NETWORK);
    let theirs = network.and_then(|it| Owner::parse(&it.owner));
    if let Some(theirs) = theirs.filter(|it| *it != owner && *it != Owner::Hand) {
        return Err(format!(
            "a drill of process {theirs} uses the cluster; wait for its end, or `cargo xtask kind down`"
        ));
    }
    let nodes = leftovers::nodes(docker)?;
    if super::is_in_use()? && !nodes.is_empty() {
        // What looks broken may be what the drill is about.
        say(
            "a drill is under way on the cluster, which is left as it is; the next one waits for its end",
        );
        return Ok(());
    }
    let made = !(network.is_some() && revive(docker, &nodes));
    if made {
        forget()?;
        if !nodes.is_empty() || network.is_some() {
            say("the cluster that is there is not whole: making it anew");
            leftovers::remove_all(docker)?;
        }
        if let Err(error) = create(docker, owner) {
            // Half a cluster is no help to anybody.
            let _ = leftovers::remove_all(docker);
            return Err(error);
        }
    }
    furnish(docker, made)?;
    write_facts(docker, theirs.unwrap_or(owner))?;
    say(&format!(
        "ready: kubectl --kubeconfig {}",
        Files::new()?.kubeconfig.display()
    ));
    Ok(())
}

/// Whether the nodes that are there make a working cluster of ours. A drill that died may have left one paused,
/// or cut off.
fn revive(docker: &Docker<'_>, nodes: &[Thing]) -> bool {
    if nodes.is_empty() {
        return false;
    }
    for node in nodes {
        match node.state.as_str() {
            "running" => {}
            "paused" => {
                if docker.run(&["unpause", &node.name]).is_err() {
                    return false;
                }
            }
            _ => return false,
        }
        if leftovers::mend(docker, node).is_err() {
            return false;
        }
    }
    if export_kubeconfig(docker).is_err() {
        return false;
    }
    let ready = ["get", "--raw", "/readyz"];
    kubectl(docker, &ready).is_ok_and(succeeds) && marker(docker).is_some()
}

/// The marker's id.
fn marker(docker: &Docker<'_>) -> Option<String> {
    let (namespace, name) = MARKER;
    let get = [
        "get",
        "configmap",
        name,
        "--namespace",
        namespace,
        "--output",
        "jsonpath={.data.id}",
    ];
    let id = output(kubectl(docker, &get).ok()?).ok()?;
    Some(id).filter(|id| !id.is_empty())
}

fn export_kubeconfig(docker: &Docker<'_>) -> Result<(), String> {
    let (kind, kubeconfig) = (tool("kind")?, Files::new()?.kubeconfig);
    output(cmd!(
        docker.sh,
        "{kind} export kubeconfig --name {CLUSTER} --kubeconfig {kubeconfig}"
    ))
    .map(drop)
}

fn create(docker: &Docker<'_>, owner: Owner) -> Result<(), String> {
    let image = NODE.reference();
    if !docker.has_image(&image) {
        return Err(format!(
            "the image {image} is missing: `cargo xtask images` pulls it, with --from-packages builds it"
        ));
    }
    let kind = tool("kind")?;
    tool("kubectl")?;
    privileges::check(docker)?;
    say("making the cluster");
    let owner = format!("{}={owner}", owner::LABEL);
    let id = docker.run(&[
        "network", "create", "--label", LABEL, "--label", &owner, NETWORK,
    ])?;
    let (kubeconfig, config) = (Files::new()?.kubeconfig, deploy("kind.yaml"));
    // A kind that outlives us would, when the nodes that it is making are reaped, clean up after itself, and take the
    // next cluster's nodes of the same name with it.
    let (program, before) = tied_to_us(kind, "KILL");
    let create = cmd!(
        docker.sh,
        "{program} {before...} create cluster --name {CLUSTER} --image {image} --config {config} --kubeconfig {kubeconfig} --wait 120s"
    );
    // Not `--quiet`, which would keep kind's reasons to itself.
    output(create.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", NETWORK)).map_err(privileges::explain)?;
    let (namespace, name) = MARKER;
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace},
         "data": {"id": id.get(..12).unwrap_or(&id)}},
    ]});
    let apply = kubectl(docker, &["apply", "--filename", "-"])?;
    output(apply.stdin(objects.to_string())).map(drop)
}

/// What every drill finds: the namespace, the accounts and their rights, Prometheus, the images.
fn furnish(docker: &Docker<'_>, new: bool) -> Result<(), String> {
    let namespace = apply_namespace(docker)?;
    let files = Files::new()?;
    for (rights, account, kubeconfig) in [
        ("rbac.yaml", "rollback-executor", &files.executor),
        ("program.yaml", "drilled-program", &files.program),
    ] {
        apply(docker, rights)?;
        account_kubeconfig(docker, &namespace, account, kubeconfig)?;
    }
    if new {
        let (plain, reference) = (PROMETHEUS.plain(), PROMETHEUS.reference());
        if docker.has_image(&reference) {
            if plain != reference {
                docker.run(&["tag", &reference, &plain])?;
            }
            load(docker, &[plain])?;
        } else {
            say(&format!(
                "{reference} is missing here: the node will pull it"
            ));
        }
        load_dex(docker)?;
    }
    apply(docker, "prometheus.yaml")?;
    let wait = [
        "rollout",
        "status",
        "deployment/prometheus",
        "--namespace",
        "monitoring",
        "--timeout",
        "90s",
    ];
    output(kubectl(docker, &wait)?).map(drop)
}

/// Loads the exchange's images into the cluster, if there is one, as far as they are built.
pub(crate) fn load_dex(docker: &Docker<'_>) -> Result<(), String> {
    if leftovers::nodes(docker)?.is_empty() {
        return Ok(());
    }
    let all = dex_images(docker.sh)?;
    let built: Vec<String> = all
        .iter()
        .filter(|reference| docker.has_image(reference))
        .cloned()
        .collect();
    if built.len() < all.len() {
        say(&format!(
            "{} of {} images of the exchange are built: `cargo xtask images dex` builds and loads them",
            built.len(),
            all.len()
        ));
    }
    load(docker, &built)
}

pub(crate) fn load(docker: &Docker<'_>, images: &[String]) -> Result<(), String> {
    if images.is_empty() {
        return Ok(());
    }
    say(&format!("loading {} image(s) into the node", images.len()));
    let kind = tool("kind")?;
    output(cmd!(
        docker.sh,
        "{kind} load docker-image --name {CLUSTER} {images...}"
    ))?;
    // Or a drill's ledger would wait for them with its first fsync.
    output(cmd!(docker.sh, "sync")).map(drop)
}

/// Writes a kubeconfig for `account` in the exchange's namespace, so that whoever uses it has that account's rights and
/// no more.
fn account_kubeconfig(
    docker: &Docker<'_>,
    namespace: &str,
    account: &str,
    path: &Path,
) -> Result<(), String> {
    let token = output(kubectl(
        docker,
        &[
            "create",
            "token",
            account,
            "--namespace",
            namespace,
            "--duration",
            TOKEN_DURATION,
        ],
    )?)?;
    let view = ["config", "view", "--raw", "--minify", "--output", "json"];
    let text = output(kubectl(docker, &view)?)?;
    let mut config: Value =
        serde_json::from_str(&text).map_err(|error| format!("kubeconfig: {error}"))?;
    config["users"] = json!([{"name": account, "user": {"token": token}}]);
    config["contexts"][0]["context"]["user"] = json!(account);
    config["contexts"][0]["context"]["namespace"] = json!(namespace);
    private(path, &config.to_string())
}

/// Writes a file that only its owner may read.
fn private(path: &Path, text: &str) -> Result<(), String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    // A mode applies only to a file that is made.
    let _ = fs::remove_file(path);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Tells the harness where things are.
fn write_facts(docker: &Docker<'_>, owner: Owner) -> Result<(), String> {
    let files = Files::new()?;
    let node = format!("{CLUSTER}-control-plane");
    let url = |port: &str| -> Result<String, String> {
        let lines = docker.lines(&["port", &node, port])?;
        let first = lines.first().cloned().unwrap_or_default();
        Ok(format!("http://{first}"))
    };
    let id = marker(docker).ok_or("the cluster lost its marker")?;
    let facts = json!({
        "context": CONTEXT,
        "id": id,
        "owner": owner.to_string(),
        "kubeconfig": files.kubeconfig,
        "executor_kubeconfig": files.executor,
        "program_kubeconfig": files.program,
        "network": NETWORK,
        "node": node,
        "gateway": url(GATEWAY_PORT)?,
        "prometheus": url(PROMETHEUS_PORT)?,
    });
    let text = serde_json::to_string_pretty(&facts).map_err(|error| error.to_string())?;
    fs::write(&files.facts, text + "\n")
        .map_err(|error| format!("{}: {error}", files.facts.display()))
}

/// Removes what is known of a cluster.
pub(super) fn forget() -> Result<(), String> {
    let files = Files::new()?;
    for file in [files.kubeconfig, files.executor, files.facts] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", file.display()));
            }
            _ => {}
        }
    }
    for folder in [files.cache, files.workshop] {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", folder.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Says what is there.
pub(super) fn status(docker: &Docker<'_>) -> Result<String, String> {
    let mut out = Vec::new();
    out.push(format!("Docker {}", docker.version()));
    let nodes = leftovers::nodes(docker)?;
    let mut things = vec![];
    for (kind, found) in [
        ("container", leftovers::containers(docker)?),
        ("network", leftovers::networks(docker)?),
        ("volume", leftovers::volumes(docker)?),
    ] {
        things.extend(found.into_iter().map(|thing| (kind, thing)));
    }
    for node in &nodes {
        out.push(format!("node {}, {}", node.name, node.state));
    }
    for (kind, thing) in &things {
        let whose = match (thing.is_dead(), thing.owner.as_str()) {
            (false, "hand") => "made by hand".to_owned(),
            (false, owner) => format!("in use by process {owner}"),
            (true, _) => "left behind: the next `kind up` removes it".to_owned(),
        };
        out.push(format!("{kind} {}, {whose}", thing.name));
    }
    if nodes.is_empty() {
        out.push("no cluster: `cargo xtask kind up` makes one".to_owned());
        return Ok(out.join(
            "
",
        ) + "
");
    }
    // One that stands still would keep us waiting.
    let answers = nodes.iter().all(|node| node.state == "running");
    out.push(match answers.then(|| marker(docker)).flatten() {
        Some(id) => format!("marker {id}"),
        None => "no marker, or the API server does not answer: `cargo xtask kind up` mends it"
            .to_owned(),
    });
    let facts = fs::read_to_string(Files::new()?.facts).unwrap_or_default();
    Ok(out.join("\n") + "\n" + &facts)
}

#[cfg(test)]
mod tests {
    use super::{GATEWAY_PORT, PROMETHEUS_PORT};

    #[test]
    fn the_manifests_have_the_ports_that_the_cluster_opens() {
        let cluster = include_str!("../../../deploy/kind.yaml");
        let services = include_str!("../../../deploy/dex/20-services.yaml");
        let prometheus = include_str!("../../../deploy/prometheus.yaml");
        for (port, manifest) in [(GATEWAY_PORT, services), (PROMETHEUS_PORT, prometheus)] {
            let number = port.trim_end_matches("/tcp");
            assert!(
                cluster.contains(&format!("containerPort: {number} ")),
                "{port}"
            );
            assert!(manifest.contains(&format!("nodePort: {number} ")), "{port}");
        }
    }
}
