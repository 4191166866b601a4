//! `cargo xtask campaign`: `firedrill campaign`, and for clusters of kind the image that it needs.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use xshell::{Shell, cmd};

use crate::dist;
use crate::firedrill::{hand_over, run_with_live_build, target_directory};
use crate::images::docker::output;
use crate::images::{WORLD, program};
use crate::kind::{CONTEXT, state_directory};

/// How kind calls the contexts of its clusters.
const KIND: &str = "kind-";

/// Runs it; `firedrill`'s exit code, or 4 if the image can't be made or loaded.
pub(crate) fn run(sh: &Shell, args: &[OsString]) -> Result<ExitCode, String> {
    let Some(cluster) = wants_image(args) else {
        return run_with_live_build(sh, "campaign", args);
    };
    match provide(sh, &cluster) {
        Ok(built) => {
            // The very program that the pods run.
            let mut all = vec![OsString::from("--image"), built.reference.into()];
            all.extend(kubeconfig(args));
            all.extend(args.iter().cloned());
            hand_over(&built.program, &target_directory(sh)?, "campaign", &all)
        }
        Err(error) => {
            eprintln!("error: {error}");
            Ok(ExitCode::from(WORLD))
        }
    }
}

/// Builds the image and loads it into the nodes of a cluster of kind.
fn provide(sh: &Shell, cluster: &str) -> Result<dist::Built, String> {
    let kind = program("kind").ok_or(
        "no kind command found: give the image's name with --image, as the cluster's nodes find it",
    )?;
    let built = dist::firedrill(sh)?;
    let archive = &built.archive;
    eprintln!(
        "campaign: loading {} into the cluster {cluster}",
        built.reference
    );
    output(cmd!(
        sh,
        "{kind} load image-archive {archive} --name {cluster}"
    ))?;
    Ok(built)
}

/// The kubeconfig of the cluster that `cargo xtask kind up` made, whose context no other file has, unless one is named.
fn kubeconfig(args: &[OsString]) -> Vec<OsString> {
    let ours = value(args, "--context").is_some_and(|context| context == CONTEXT);
    let file = state_directory().map(|directory| directory.join("kubeconfig"));
    match file {
        Ok(file) if ours && file.is_file() && value(args, "--kubeconfig").is_none() => {
            vec!["--kubeconfig".into(), file.into()]
        }
        _ => Vec::new(),
    }
}

/// The cluster of kind that needs an image: the campaign goes there, and no image is named.
fn wants_image(args: &[OsString]) -> Option<String> {
    if value(args, "--image").is_some() {
        return None;
    }
    let context = value(args, "--context")?;
    context.strip_prefix(KIND).map(str::to_owned)
}

/// The value of one of the campaign's own options.
fn value<'a>(args: &'a [OsString], option: &str) -> Option<&'a str> {
    // What follows the command of the shards is its own.
    let is_command = |word: &&OsString| *word == "chaos" || *word == "search";
    let own: Vec<&OsStr> = args
        .iter()
        .take_while(|word| !is_command(word))
        .map(OsString::as_os_str)
        .collect();
    own.iter().enumerate().find_map(|(at, word)| {
        let word = word.to_str()?;
        match word.strip_prefix(option)? {
            "" => own.get(at + 1)?.to_str(),
            rest => rest.strip_prefix('='),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cluster_of_kind_without_an_image_gets_one() {
        let wants = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            wants_image(&words)
        };
        let firedrill = Some("firedrill".to_owned());
        assert_eq!(
            wants("--context kind-firedrill --shards 4 chaos all"),
            firedrill
        );
        assert_eq!(
            wants("--shards 4 --context=kind-firedrill search"),
            firedrill
        );
        for line in [
            "--context production --shards 4 chaos all",
            "--context kind-firedrill --image firedrill:1 chaos",
            "--context=kind-firedrill --image=firedrill:1 chaos",
            "--shards 4 chaos --context kind-firedrill",
            "--manifest --shards 4 chaos",
            "--context",
        ] {
            assert_eq!(wants(line), None, "{line}");
        }
    }
}
