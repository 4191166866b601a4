//! `cargo xtask conformance`: builds the program `conformance` in release mode and becomes it. With `--world kind` the
//! session is played on the cluster of the live drills, which gets the images that it needs. `--kubectl 1.31`, `1.32`
//! and `1.33` build a kubectl of that version from Go modules, and play with it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use xshell::{Shell, cmd};

use crate::firedrill::{cargo, code, manifest, with_cluster};
use crate::images::docker::Docker;
use crate::images::{POSTGRES, older_kubectl, program};
use crate::kind;

/// The variable that names the kubectl that is played with.
pub(crate) const KUBECTL: &str = "FIREDRILL_KUBECTL";
/// The variable that names older programs that the tests play with, as a search path names folders.
pub(crate) const OLDER: &str = "FIREDRILL_KUBECTL_OLDER";
/// The images of the session.
const IMAGES: [&str; 2] = ["conformance/web:1", "conformance/web:2"];

/// Runs it with `args`, and hands on its exit code; cargo's own if the build fails.
pub(crate) fn run(sh: &Shell, args: &[OsString]) -> Result<ExitCode, String> {
    let (mut args, live) = world(args)?;
    build_older(&mut args, |minor| older_kubectl(sh, minor))?;
    if !live {
        return play(sh, &args);
    }
    with_cluster(sh, || {
        provide(sh)?;
        let kubeconfig = kind::state_directory()?.join("kubeconfig");
        args.extend(["--kubeconfig".into(), kubeconfig.into()]);
        play(sh, &args)
    })
}

/// The arguments without `--world`, and whether that asks for the real cluster.
fn world(args: &[OsString]) -> Result<(Vec<OsString>, bool), String> {
    let mut rest = Vec::new();
    let mut live = false;
    let mut args = args.iter();
    while let Some(word) = args.next() {
        let world = match word.to_str() {
            Some("--world") => args.next().and_then(|it| it.to_str()).unwrap_or_default(),
            Some(joined) if joined.starts_with("--world=") => &joined["--world=".len()..],
            _ => {
                rest.push(word.clone());
                continue;
            }
        };
        live = match world {
            "sim" => false,
            "kind" => true,
            other => {
                return Err(format!(
                    "there is no world `{other}`: choose `sim` or `kind`"
                ));
            }
        };
    }
    Ok((rest, live))
}

/// Puts the path of a built program where `--kubectl` asks for a version. `build` has `None` for what is no version.
fn build_older(
    args: &mut [OsString],
    build: impl Fn(&str) -> Option<Result<PathBuf, String>>,
) -> Result<(), String> {
    let mut named = false;
    for word in args {
        let text = word.to_str().unwrap_or_default();
        let joined = text.strip_prefix("--kubectl=");
        let version = if named { Some(text) } else { joined };
        if let Some(built) = version.and_then(&build) {
            let prefix = if joined.is_some() { "--kubectl=" } else { "" };
            let mut path = OsString::from(prefix);
            path.push(built?);
            *word = path;
            named = false;
        } else {
            named = text == "--kubectl";
        }
    }
    Ok(())
}

/// Gives the cluster the images of the session: any that have the program `sleep` will do, as Postgres' has.
fn provide(sh: &Shell) -> Result<(), String> {
    let docker = Docker::connect(sh)?;
    for image in IMAGES {
        docker.run(&["tag", &POSTGRES.reference(), image])?;
    }
    kind::load(&docker, &IMAGES.map(str::to_owned))
}

fn play(sh: &Shell, args: &[OsString]) -> Result<ExitCode, String> {
    let (cargo, manifest) = (cargo(), manifest());
    let run = cmd!(
        sh,
        "{cargo} run --quiet --release --manifest-path {manifest} --package conformance -- {args...}"
    );
    let mut run = Command::from(run);
    if std::env::var_os(KUBECTL).is_none()
        && let Some(kubectl) = program("kubectl")
    {
        run.env(KUBECTL, kubectl);
    }
    let status = run
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    Ok(code(status.code()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{build_older, world};

    #[test]
    fn the_world_is_taken_out_of_the_arguments() {
        let of = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            world(&words).map(|(rest, live)| (rest.len(), live))
        };
        assert_eq!(of(&["--record", "--world", "kind"]), Ok((1, true)));
        assert_eq!(of(&["--world=sim", "--kubectl", "a"]), Ok((2, false)));
        assert_eq!(of(&[]), Ok((0, false)));
        assert!(of(&["--world", "moon"]).is_err());
    }
    #[test]
    fn a_version_is_replaced_by_the_program_that_was_built() {
        let of = |words: &[&str]| {
            let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let done = build_older(&mut words, |minor| {
                let path = match minor {
                    "1.31" => Ok("/built".into()),
                    "1.32" => Err("no Go".to_owned()),
                    _ => return None,
                };
                Some(path)
            });
            let text = |words: Vec<OsString>| words.join(" ".as_ref()).into_string();
            done.map(|()| text(words).expect("UTF-8"))
        };
        let same = |words: &[&str]| assert_eq!(of(words), Ok(words.join(" ")));
        assert_eq!(
            of(&["--kubectl", "1.31", "--record"]),
            Ok("--kubectl /built --record".to_owned())
        );
        assert_eq!(of(&["--kubectl=1.31"]), Ok("--kubectl=/built".to_owned()));
        assert_eq!(of(&["--kubectl", "1.32"]), Err("no Go".to_owned()));
        same(&["--kubectl", "/usr/bin/kubectl"]);
        same(&["--pace", "1.31"]);
        same(&["1.31"]);
    }
}
