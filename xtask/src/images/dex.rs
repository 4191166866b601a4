//! The exchange's own images (`dex/Dockerfile`): one static program, and an image for each service and version of the
//! catalogue that tells it which it is; besides, the one that migrates the ledger.

use std::fs;
use std::path::PathBuf;

use xshell::{Shell, cmd};

use super::build::build;
use super::cache::digest;
use super::docker::{Docker, output};
use super::say;
use crate::firedrill::{cargo, manifest};

/// Programs of package `dex`.
const PROGRAMS: [&str; 2] = ["dex-service", "dex-migrate"];
/// The image of the second.
const MIGRATE: &str = "dex/migrate:1";

/// All images of the exchange.
pub(crate) fn references(sh: &Shell) -> Result<Vec<String>, String> {
    let mut all = services(sh)?;
    all.push(MIGRATE.to_owned());
    Ok(all)
}

/// The images of the services, as the catalogue of `dex::release` has them. This program depends on no sibling, so that
/// it is built soon, and asks one of `dex`.
fn services(sh: &Shell) -> Result<Vec<String>, String> {
    let (cargo, manifest) = (cargo(), manifest());
    let asked = cmd!(
        sh,
        "{cargo} run --locked --quiet --manifest-path {manifest} --package dex --example images"
    );
    let images: Vec<String> = output(asked)?.lines().map(str::to_owned).collect();
    match images.iter().find(|image| !image.starts_with("dex/")) {
        Some(odd) => Err(format!(
            "`{odd}` is no image of the exchange: dex/SERVICE:VERSION is"
        )),
        None if images.is_empty() => Err("the catalogue of `dex` names no image".to_owned()),
        None => Ok(images),
    }
}

/// Builds the programs and, unless there are images of these very programs already, the images; loads them into the
/// cluster if there is one.
pub(crate) fn provide(sh: &Shell) -> Result<(), String> {
    let docker = Docker::connect(sh)?;
    let manifest = manifest();
    let root = manifest.parent().ok_or("the workspace has no directory")?;
    let context = crate::kind::state_directory()?.join("dex-image");
    fs::create_dir_all(&context).map_err(|error| format!("{}: {error}", context.display()))?;
    for (name, program) in programs(sh)? {
        let copy = context.join(name);
        fs::copy(&program, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    }
    let dockerfile = root.join("dex/Dockerfile");
    let digest = digest(&[&context, &dockerfile], "")?;
    let all = references(sh)?;
    if all.iter().all(|image| docker.is_built_by(image, &digest)) {
        return Ok(());
    }
    say(&format!("building {} images of the exchange", all.len()));
    let image = |argument: &str, reference: &str| {
        build(&docker, &dockerfile, &context, argument, &digest, reference)
    };
    image(&format!("PROGRAM={}", PROGRAMS[1]), MIGRATE)?;
    for reference in all.iter().filter(|reference| *reference != MIGRATE) {
        image(&format!("DEX_BUILD={reference}"), reference)?;
    }
    crate::kind::load_dex(&docker)
}

/// The static programs. Code for this machine is built apart from that for the image (`--target`), so that build
/// scripts and procedural macros stay dynamic.
fn programs(sh: &Shell) -> Result<Vec<(&'static str, PathBuf)>, String> {
    let (cargo, manifest) = (cargo(), manifest());
    let target = host(sh)?;
    say(&format!("building the exchange for {target}, static"));
    let build = cmd!(
        sh,
        "{cargo} build --release --locked --quiet --manifest-path {manifest} --package dex --features service --bins --target {target} --message-format json-render-diagnostics"
    );
    let messages = build
        .quiet()
        .env(
            "RUSTFLAGS",
            "-C target-feature=+crt-static -C strip=symbols",
        )
        .read()
        .map_err(|error| error.to_string())?;
    PROGRAMS
        .into_iter()
        .map(|name| {
            let path = executable(&messages, name);
            Ok((name, path.ok_or_else(|| format!("cargo built no {name}"))?))
        })
        .collect()
}

/// The program `name` that cargo built, by what it printed as JSON.
pub(crate) fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The triple of this machine.
pub(crate) fn host(sh: &Shell) -> Result<String, String> {
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
    use super::executable;

    #[test]
    fn the_program_is_found_in_what_cargo_says() {
        let message = |name: &str, path: &str| {
            serde_json::json!({"target": {"name": name}, "executable": path}).to_string()
        };
        let text = format!("{}\nnoise\n{}", message("a", "/a"), message("b", "/b"));
        assert_eq!(executable(&text, "b"), Some("/b".into()));
        assert_eq!(executable("{}", "b"), None);
    }
}
