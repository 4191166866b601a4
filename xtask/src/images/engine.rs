//! A Docker engine from Debian's packages, also where the machine withholds capabilities.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use xshell::{Shell, cmd};

use super::cache::{Cache, program};
use super::docker::{Docker, output};
use super::privileges::PID_FILE;
use super::{privileges, programs, say};

/// Packages, and a program by which each is recognized.
const PACKAGES: [(&str, &str); 3] = [
    ("docker.io", "dockerd"),
    ("debootstrap", "debootstrap"),
    ("iptables", "iptables"),
];

/// Installs the engine and starts it, unless one answers.
///
/// # Errors
/// It can't be installed or started, or the one that answers can't start the cluster's node.
pub(super) fn provide(sh: &Shell, cache: &Cache) -> Result<(), String> {
    install(sh)?;
    match Docker::connect(sh) {
        Ok(docker) => privileges::check(&docker),
        Err(_) => start(sh, cache),
    }
}

fn install(sh: &Shell) -> Result<(), String> {
    // Administrators' programs are not in everybody's search path.
    let there = |name: &str| {
        program(name).is_some()
            || ["/usr/sbin", "/sbin"]
                .iter()
                .any(|directory| PathBuf::from(directory).join(name).is_file())
    };
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, name)| !there(name))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if program("apt-get").is_none() {
        return Err(format!(
            "--from-packages installs {} with apt-get, which is not here: install them by hand",
            missing.join(", ")
        ));
    }
    say(&format!("installing {}", missing.join(", ")));
    let refused = |error: String| format!("{error}\ninstalling packages needs root");
    output(cmd!(sh, "apt-get update --quiet")).map_err(refused)?;
    let install = cmd!(
        sh,
        "apt-get install --quiet --yes --no-install-recommends {missing...}"
    );
    output(install.env("DEBIAN_FRONTEND", "noninteractive"))
        .map(drop)
        .map_err(refused)
}

fn start(sh: &Shell, cache: &Cache) -> Result<(), String> {
    say("starting the Docker engine");
    let mut dockerd = Command::new("dockerd");
    if privileges::are_withheld() {
        // runc would refuse privileged containers, which nodes are.
        let runtime = programs::RUNTIME.build(sh, cache)?;
        dockerd
            .arg(format!("--add-runtime=bounded={}", runtime.display()))
            .arg("--default-runtime=bounded");
    }
    forget_dead_engine();
    let log = cache.path("dockerd.log");
    let file = |error: std::io::Error| format!("{}: {error}", log.display());
    let out = File::create(&log).map_err(file)?;
    let err = out.try_clone().map_err(file)?;
    // A process group of its own: it outlives us, and Ctrl-C here doesn't reach it.
    dockerd
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start dockerd: {error}"))?;
    if eventually(60, || Docker::connect(sh).is_ok()) {
        return Ok(());
    }
    let text = fs::read_to_string(&log).unwrap_or_default();
    let last: Vec<&str> = text.lines().rev().take(15).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!(
        "the Docker engine did not start ({}):\n{}",
        log.display(),
        last.join("\n")
    ))
}

/// An engine that was killed leaves its process id behind, and a new one believes any process of that number.
fn forget_dead_engine() {
    let pid = fs::read_to_string(PID_FILE).unwrap_or_default();
    let name = fs::read_to_string(format!("/proc/{}/comm", pid.trim())).unwrap_or_default();
    if name.trim() != "dockerd" {
        let _ = fs::remove_file(PID_FILE);
    }
}

/// Asks `question` once per half second, at most `seconds` long, until the answer is yes.
pub(crate) fn eventually(seconds: u32, mut question: impl FnMut() -> bool) -> bool {
    for _ in 0..seconds * 2 {
        if question() {
            return true;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "waits for programs of the real world"
        )]
        std::thread::sleep(Duration::from_millis(500));
    }
    question()
}
