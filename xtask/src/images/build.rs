//! Images from recipes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xshell::{Cmd, cmd};

use super::cache::{Cache, digest, recipes};
use super::docker::{Docker, RECIPE, output};
use super::names::{BASE, Image, PROMETHEUS};
use super::programs::{self, Program};
use super::say;

/// Builds `image` by the Dockerfile in its recipe, unless a current one is there.
pub(super) fn from_recipe(docker: &Docker<'_>, image: Image) -> Result<(), String> {
    let directory = recipes().join(image.recipe);
    let (reference, digest) = (image.reference(), digest(&[&directory], "")?);
    if docker.is_current(&reference, &digest) {
        return Ok(());
    }
    base(docker)?;
    say(&format!("building {reference}"));
    let dockerfile = directory.join("Dockerfile");
    dockerfile_build(docker, &dockerfile, &directory, &reference, &digest)
}

/// Prometheus, alone in its image, laid out as the official one. Its pages need files that its module hasn't got; its
/// API doesn't.
pub(super) fn prometheus(docker: &Docker<'_>, cache: &Cache) -> Result<(), String> {
    let (program, reference) = (programs::PROMETHEUS, PROMETHEUS.reference());
    let digest = programs::digest_of(&[program], &[])?;
    if docker.is_current(&reference, &digest) {
        return Ok(());
    }
    program.build(docker.sh, cache)?;
    say(&format!("building {reference}"));
    let root = program_root(cache, program)?;
    for (directory, mode) in [
        ("etc/prometheus", 0o755),
        ("prometheus", 0o1777),
        ("tmp", 0o1777),
    ] {
        let path = root.join(directory);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        fs::create_dir_all(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    let label = format!("LABEL {RECIPE}={digest}");
    let changes = [
        "ENTRYPOINT [\"/usr/local/bin/prometheus\"]",
        "CMD [\"--config.file=/etc/prometheus/prometheus.yml\", \"--storage.tsdb.path=/prometheus\"]",
        "USER 65534:65534",
        "WORKDIR /prometheus",
        "EXPOSE 9090",
        &label,
    ];
    import(docker, &root, &reference, &changes)
}

/// A file system with one static program in it, `/usr/local/bin/NAME`.
pub(super) fn program_root(cache: &Cache, program: Program) -> Result<PathBuf, String> {
    let root = cache.scratch("root")?;
    let bin = root.join("usr/local/bin");
    fs::create_dir_all(&bin).map_err(|error| format!("{}: {error}", bin.display()))?;
    copy(&cache.bin().join(program.name), &bin.join(program.name))?;
    Ok(root)
}

/// Copies a file, mode included.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to)
        .map(drop)
        .map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

/// `docker build`, upon our base, labelled with the recipe's digest.
pub(super) fn dockerfile_build(
    docker: &Docker<'_>,
    dockerfile: &Path,
    context: &Path,
    reference: &str,
    digest: &str,
) -> Result<(), String> {
    let argument = format!("BASE={}", BASE.reference());
    build(docker, dockerfile, context, &argument, digest, reference)
}

/// `docker build` with one build argument, labelled with the recipe's digest.
pub(super) fn build(
    docker: &Docker<'_>,
    dockerfile: &Path,
    context: &Path,
    argument: &str,
    digest: &str,
    reference: &str,
) -> Result<(), String> {
    let label = format!("{RECIPE}={digest}");
    let (dockerfile, context) = (
        dockerfile.display().to_string(),
        context.display().to_string(),
    );
    let arguments = [
        "build",
        "--quiet",
        "--file",
        &dockerfile,
        "--build-arg",
        argument,
        "--label",
        &label,
        "--tag",
        reference,
        &context,
    ];
    docker.run(&arguments).map(drop)
}

/// Debian 12, from its archive.
pub(super) fn base(docker: &Docker<'_>) -> Result<(), String> {
    let reference = BASE.reference();
    if docker.has_image(&reference) {
        return Ok(());
    }
    say(&format!("bootstrapping {reference}"));
    let cache = Cache::open()?;
    let root = cache.scratch("rootfs")?;
    let sh = docker.sh;
    output(cmd!(sh, "debootstrap --variant=minbase bookworm {root}"))?;
    let (archives, lists) = (root.join("var/cache/apt"), root.join("var/lib/apt/lists"));
    let (docs, manuals) = (root.join("usr/share/doc"), root.join("usr/share/man"));
    output(cmd!(sh, "rm -rf {archives} {lists} {docs} {manuals}"))?;
    let changes = ["CMD [\"bash\"]"];
    import(docker, &root, &reference, &changes)?;
    output(cmd!(sh, "rm -rf {root}")).map(drop)
}

/// An image of one layer: what is in `root`.
pub(super) fn import(
    docker: &Docker<'_>,
    root: &Path,
    reference: &str,
    changes: &[&str],
) -> Result<(), String> {
    let mut arguments = vec!["import"];
    for change in changes {
        arguments.extend(["--change", change]);
    }
    arguments.extend(["-", reference]);
    let sh = docker.sh;
    // No tool but tar keeps devices and owners as they are.
    pipe(
        cmd!(sh, "tar --create --numeric-owner --directory {root} ."),
        docker.command(&arguments),
    )
}

/// Hands what `from` prints to `to`.
pub(super) fn pipe(from: Cmd<'_>, to: Cmd<'_>) -> Result<(), String> {
    let shown = format!("{from} | {to}");
    let failed = |error: std::io::Error| format!("`{shown}`: {error}");
    let mut source = Command::from(from)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stream = source
        .stdout
        .take()
        .ok_or_else(|| format!("`{shown}`: no pipe"))?;
    let sink = Command::from(to)
        .stdin(stream)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(failed)?;
    let source = source.wait().map_err(failed)?;
    if source.success() && sink.status.success() {
        return Ok(());
    }
    Err(format!(
        "`{shown}` failed:\n{}",
        String::from_utf8_lossy(&sink.stderr)
    ))
}
