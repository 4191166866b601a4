//! The exchange's own images: one static program, and a tag for each service and version of the catalogue, which the
//! image tells the program.

use std::fs;
use std::path::PathBuf;

use xshell::{Shell, cmd};

use super::docker::{Docker, LABEL, output};
use super::say;
use crate::firedrill::{cargo, manifest};

/// Versions of each service in the catalogue of `dex::release`. A test holds this list against it.
const VERSIONS: [(&str, &[&str]); 3] = [
    ("matching", &["1.4.2", "1.4.3", "1.5.1", "2.0.0", "2.0.1"]),
    ("risk", &["1.4.2", "1.4.3", "2.0.0", "2.0.1"]),
    ("gateway", &["1.4.2", "1.4.3", "1.5.0", "2.0.0", "2.0.1"]),
];
const PROGRAM: &str = "dex-service";

/// All images of the exchange.
pub(crate) fn references() -> Vec<String> {
    pairs()
        .map(|(service, version)| format!("dex/{service}:{version}"))
        .collect()
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    VERSIONS
        .iter()
        .flat_map(|(service, versions)| versions.iter().map(move |version| (*service, *version)))
}

/// Builds the program once and the images from it; loads them into the cluster if there is one.
pub(super) fn build(sh: &Shell) -> Result<(), String> {
    let docker = Docker::connect(sh)?;
    let root = manifest();
    let root = root
        .parent()
        .ok_or("the workspace has no directory")?
        .to_owned();
    let program = program(sh)?;
    let context = crate::kind::state_directory()?.join("dex-image");
    fs::create_dir_all(&context).map_err(|error| format!("{}: {error}", context.display()))?;
    let copy = context.join(PROGRAM);
    fs::copy(&program, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    let dockerfile = root.join("dex/Dockerfile").display().to_string();
    let context = context.display().to_string();
    say(&format!(
        "building {} images of the exchange",
        pairs().count()
    ));
    for (service, version) in pairs() {
        let reference = format!("dex/{service}:{version}");
        let (service, version) = (format!("SERVICE={service}"), format!("VERSION={version}"));
        docker.run(&[
            "build",
            "--quiet",
            "--file",
            &dockerfile,
            "--label",
            LABEL,
            "--build-arg",
            &service,
            "--build-arg",
            &version,
            "--tag",
            &reference,
            &context,
        ])?;
    }
    crate::kind::load_dex(&docker)
}

/// The static program. Code for this machine is built apart from that for the image (`--target`), so that build scripts
/// and procedural macros stay dynamic.
fn program(sh: &Shell) -> Result<PathBuf, String> {
    let (cargo, manifest) = (cargo(), manifest());
    let target = host(sh)?;
    say(&format!("building {PROGRAM} for {target}, static"));
    let build = cmd!(
        sh,
        "{cargo} build --release --locked --quiet --manifest-path {manifest} --package dex --features service --bin {PROGRAM} --target {target} --message-format json-render-diagnostics"
    );
    let messages = build
        .quiet()
        .env(
            "RUSTFLAGS",
            "-C target-feature=+crt-static -C strip=symbols",
        )
        .read()
        .map_err(|error| error.to_string())?;
    executable(&messages).ok_or_else(|| format!("cargo built no {PROGRAM}"))
}

fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == PROGRAM)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

fn host(sh: &Shell) -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = output(cmd!(sh, "{rustc} --version --verbose"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc does not name its host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{PROGRAM, VERSIONS, executable, references};

    /// `xtask` depends on no sibling, so it reads the catalogue as text.
    #[test]
    fn every_version_is_in_the_catalogue_and_no_release_is_left_out() {
        let catalogue = include_str!("../../../dex/src/release.rs");
        for (_, versions) in VERSIONS {
            for version in versions {
                assert!(catalogue.contains(&format!("\"{version}")), "{version}");
            }
        }
        let start = catalogue.find("pub fn catalogue()").expect("the catalogue");
        let end = catalogue
            .find("pub fn defective_for_tests()")
            .expect("what is not in it");
        let strings = catalogue[start..end].split('"').skip(1).step_by(2);
        let is_version =
            |text: &&str| text.split('.').count() == 3 && !text.contains('-') && text.len() == 5;
        for version in strings.filter(is_version) {
            assert!(
                VERSIONS.iter().any(|(_, it)| it.contains(&version)),
                "no image of version {version}"
            );
        }
        assert_eq!(references().len(), 14);
    }

    #[test]
    fn the_program_is_found_in_what_cargo_says() {
        let message = |name: &str, path: &str| {
            serde_json::json!({"target": {"name": name}, "executable": path}).to_string()
        };
        let text = format!("{}\nnoise\n{}", message("a", "/a"), message(PROGRAM, "/b"));
        assert_eq!(executable(&text), Some("/b".into()));
        assert_eq!(executable("{}"), None);
    }
}
