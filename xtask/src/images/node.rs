//! The node image. Its own images are imported by the containerd that will run them, inside a container of the
//! image in the making, which is then committed.

use std::fs;
use std::path::Path;

use xshell::cmd;

use super::build::{base, copy, dockerfile_build, import, pipe, program_root};
use super::cache::{Cache, recipes};
use super::docker::{Docker, RECIPE, output};
use super::engine::eventually;
use super::names::{KUBERNETES, NODE};
use super::programs::{self, IN_CONTAINERS, KUBE_PROXY, Program};
use super::say;

/// Prefix of what is only needed while building.
const PART: &str = "firedrill-build/";
/// The container that is committed.
const CONTAINER: &str = "firedrill-node-build";
const KUBE_PROXY_IMAGE: &str = "kube-proxy:v1.34.4";
const PAUSE_IMAGE: &str = "pause:3.10.1";
/// What the containerd configuration of kind 0.30 calls it.
const PAUSE_ALIAS: &str = "pause:3.10";

/// Builds the node image, unless a current one is there.
pub(super) fn provide(docker: &Docker<'_>, cache: &Cache) -> Result<(), String> {
    let recipe = recipes().join(NODE.recipe);
    let mut all: Vec<Program> = programs::NODE.to_vec();
    all.push(KUBE_PROXY);
    all.extend(IN_CONTAINERS.iter().map(|(program, _)| *program));
    let digest = programs::digest_of(&all, &[&recipe, &recipes().join("kind")])?;
    let reference = NODE.reference();
    if docker.is_current(&reference, &digest) {
        return Ok(());
    }
    for program in all {
        program.build(docker.sh, cache)?;
    }
    base(docker)?;
    say(&format!("building {reference}"));
    let outcome = assemble(docker, cache, &recipe, &digest);
    clean(docker);
    outcome
}

fn assemble(docker: &Docker<'_>, cache: &Cache, recipe: &Path, digest: &str) -> Result<(), String> {
    clean(docker);
    for (program, name) in IN_CONTAINERS {
        let entry = format!("ENTRYPOINT [\"/usr/local/bin/{}\"]", program.name);
        let changes = [entry.as_str(), "ENV PATH=/usr/local/bin"];
        let root = program_root(cache, program)?;
        import(docker, &root, &format!("{PART}{name}"), &changes)?;
    }
    kube_proxy(docker, cache, recipe, digest)?;
    let bare = format!("{PART}node");
    bare_node(docker, cache, recipe, &bare, digest)?;
    // No label of ours: what is committed would hand it on to every node.
    docker.run(&[
        "run",
        "--detach",
        "--name",
        CONTAINER,
        "--privileged",
        "--entrypoint",
        "sleep",
        &bare,
        "infinity",
    ])?;
    fill(docker)?;
    let label = format!("LABEL {RECIPE}={digest}");
    docker
        .run(&[
            "commit",
            "--change",
            "ENTRYPOINT [\"/usr/local/bin/entrypoint\", \"/sbin/init\"]",
            "--change",
            "CMD []",
            "--change",
            &label,
            CONTAINER,
            &NODE.reference(),
        ])
        .map(drop)
}

/// kube-proxy and iptables, in one layer: a whiteout can't be unpacked on the overlay file system of a container.
fn kube_proxy(
    docker: &Docker<'_>,
    cache: &Cache,
    recipe: &Path,
    digest: &str,
) -> Result<(), String> {
    let context = cache.scratch("kube-proxy-image")?;
    let name = KUBE_PROXY.name;
    copy(&cache.bin().join(name), &context.join(name))?;
    let (layers, container) = (format!("{PART}layers"), format!("{CONTAINER}-layers"));
    let dockerfile = recipe.join("kube-proxy.Dockerfile");
    dockerfile_build(docker, &dockerfile, &context, &layers, digest)?;
    docker.run(&["create", "--name", &container, &layers, "true"])?;
    let reference = format!("{PART}{KUBE_PROXY_IMAGE}");
    let change = "ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    pipe(
        docker.command(&["export", &container]),
        docker.command(&["import", "--change", change, "-", &reference]),
    )
}

/// The node without its images.
fn bare_node(
    docker: &Docker<'_>,
    cache: &Cache,
    recipe: &Path,
    reference: &str,
    digest: &str,
) -> Result<(), String> {
    let sh = docker.sh;
    let context = cache.scratch("node-image")?;
    let files = programs::module(sh, "kind", "sigs.k8s.io/kind")?.join("images/base/files");
    let (kind_files, overlay) = (context.join("kind-files"), recipe.join("overlay"));
    // The module cache is read-only, and so would the copy be.
    output(cmd!(
        sh,
        "cp --recursive --no-preserve=mode {files} {kind_files}"
    ))?;
    output(cmd!(sh, "cp --recursive {overlay} {context}"))?;
    let version = context.join("overlay/kind/version");
    fs::write(&version, KUBERNETES).map_err(|error| format!("{}: {error}", version.display()))?;
    let bin = context.join("bin");
    fs::create_dir_all(&bin).map_err(|error| format!("{}: {error}", bin.display()))?;
    for program in programs::NODE {
        copy(&cache.bin().join(program.name), &bin.join(program.name))?;
    }
    let dockerfile = recipe.join("Dockerfile");
    dockerfile_build(docker, &dockerfile, &context, reference, digest)
}

/// Imports the images into the container, under the names that kubeadm uses.
fn fill(docker: &Docker<'_>) -> Result<(), String> {
    docker.run(&["exec", "--detach", CONTAINER, "containerd"])?;
    let answers = || docker.run(&["exec", CONTAINER, "ctr", "version"]).is_ok();
    if !eventually(30, answers) {
        return Err("containerd did not start in the node image".to_owned());
    }
    let mut names: Vec<&str> = IN_CONTAINERS.iter().map(|(_, name)| *name).collect();
    names.push(KUBE_PROXY_IMAGE);
    let parts: Vec<String> = names.iter().map(|name| format!("{PART}{name}")).collect();
    let mut save = vec!["save"];
    save.extend(parts.iter().map(String::as_str));
    let images = [
        "exec",
        "--interactive",
        CONTAINER,
        "ctr",
        "--namespace",
        "k8s.io",
        "images",
    ];
    let load = [&images[..], &["import", "--snapshotter", "overlayfs", "-"]].concat();
    pipe(docker.command(&save), docker.command(&load))?;
    let ctr = |arguments: &[&str]| docker.run(&[&images[..], arguments].concat()).map(drop);
    for name in names {
        let (from, to) = (
            format!("docker.io/{PART}{name}"),
            format!("registry.k8s.io/{name}"),
        );
        ctr(&["tag", &from, &to])?;
        if name == PAUSE_IMAGE {
            ctr(&["tag", &from, &format!("registry.k8s.io/{PAUSE_ALIAS}")])?;
        }
        ctr(&["rm", &from])?;
    }
    // What is committed must be at rest.
    let stop = "kill $(pidof containerd) && while pidof containerd; do sleep 0.1; done";
    docker.run(&["exec", CONTAINER, "sh", "-c", stop]).map(drop)
}

/// Removes what is only needed while building.
fn clean(docker: &Docker<'_>) {
    let layers = format!("{CONTAINER}-layers");
    for container in [CONTAINER, &layers] {
        let _ = docker.run(&["rm", "--force", "--volumes", container]);
    }
    let filter = format!("reference={PART}*");
    let nested = format!("reference={PART}*/*");
    let list = [
        "images",
        "--format",
        "{{.Repository}}:{{.Tag}}",
        "--filter",
        &filter,
        "--filter",
        &nested,
    ];
    for image in docker.lines(&list).unwrap_or_default() {
        let _ = docker.run(&["rmi", &image]);
    }
}
