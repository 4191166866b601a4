//! Images from a registry.

use xshell::Shell;

use super::docker::Docker;
use super::{names, say};

/// Pulls what is missing.
pub(super) fn pull(sh: &Shell) -> Result<(), String> {
    let docker = Docker::connect(sh)?;
    let mut failed = Vec::new();
    for image in names::ALL {
        let reference = image.reference();
        if docker.has_image(&reference) {
            continue;
        }
        say(&format!("pulling {reference}"));
        if let Err(error) = docker.run(&["pull", "--quiet", &reference]) {
            failed.push(error);
        }
    }
    if failed.is_empty() {
        say("ready: `cargo xtask kind up`");
        return Ok(());
    }
    Err(format!(
        "{}\nwithout a registry, `cargo xtask images --from-packages` builds them from Go modules and Debian packages",
        failed.join("\n")
    ))
}
