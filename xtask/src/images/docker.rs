//! The Docker engine, through its command line.

use std::path::PathBuf;

use xshell::{Cmd, Shell, cmd};

use super::cache::program;

/// Label on everything that Firedrill makes in the engine.
pub(crate) const LABEL: &str = "firedrill=1";
/// Label with a digest of the recipe that an image was built by.
pub(super) const RECIPE: &str = "firedrill.recipe";

const NO_DOCKER: &str = "the kind world needs a Docker engine. With a registry in reach: install Docker and start it, \
    then `cargo xtask images`. Without: `cargo xtask images --from-packages`";

/// A Docker engine that answers.
pub(crate) struct Docker<'a> {
    /// The shell that commands run in.
    pub(crate) sh: &'a Shell,
    program: PathBuf,
    version: String,
}

/// Runs `command`; what it printed if it fails.
pub(crate) fn output(command: Cmd<'_>) -> Result<String, String> {
    let shown: String = command.to_string().chars().take(200).collect();
    let output = command
        .quiet()
        .ignore_status()
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    Err(format!("`{shown}` failed:\n{}", said.trim()))
}

/// Whether `command` succeeds.
pub(crate) fn succeeds(command: Cmd<'_>) -> bool {
    output(command).is_ok()
}

impl<'a> Docker<'a> {
    /// The engine of this machine (or of `DOCKER_HOST`).
    pub(crate) fn connect(sh: &'a Shell) -> Result<Self, String> {
        let program =
            program("docker").ok_or_else(|| format!("no docker command found; {NO_DOCKER}"))?;
        let format = "{{.ServerVersion}}";
        let version = output(cmd!(sh, "{program} info --format {format}"))
            .map_err(|error| format!("{error}\n{NO_DOCKER}"))?;
        if version.is_empty() {
            return Err(format!("the Docker engine does not answer; {NO_DOCKER}"));
        }
        Ok(Self {
            sh,
            program,
            version,
        })
    }

    /// The engine's version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// `docker ARGUMENTS…`
    pub(crate) fn command(&self, arguments: &[&str]) -> Cmd<'a> {
        let program = &self.program;
        cmd!(self.sh, "{program} {arguments...}")
    }

    /// What `docker ARGUMENTS…` prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        output(self.command(arguments))
    }

    /// What it prints, line by line.
    pub(crate) fn lines(&self, arguments: &[&str]) -> Result<Vec<String>, String> {
        let text = self.run(arguments)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Whether an image is there.
    pub(crate) fn has_image(&self, reference: &str) -> bool {
        succeeds(self.command(&["image", "inspect", "--format", "{{.Id}}", reference]))
    }

    /// Whether an image is there and was built by this very recipe.
    pub(super) fn is_built_by(&self, reference: &str, digest: &str) -> bool {
        self.recipe(reference).is_ok_and(|label| label == digest)
    }

    fn recipe(&self, reference: &str) -> Result<String, String> {
        let template = format!("{{{{index .Config.Labels \"{RECIPE}\"}}}}");
        self.run(&["image", "inspect", "--format", &template, reference])
    }

    /// Whether an image is there and wasn't built by an older recipe. One that was pulled is good.
    pub(super) fn is_current(&self, reference: &str, digest: &str) -> bool {
        self.recipe(reference)
            .is_ok_and(|label| label.is_empty() || label == "<no value>" || label == digest)
    }
}
