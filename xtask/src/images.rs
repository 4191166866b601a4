//! `cargo xtask images`: what the live world is made of. From a registry where one can be reached, else
//! (`--from-packages`) built from Go modules and Debian packages by the recipes in `deploy/packages`;
//! `images dex` builds the exchange's own.
//!
//! Everything looks first whether its result is there, so a second run takes seconds and a broken one goes on.

mod build;
mod cache;
mod dex;
pub(crate) mod docker;
mod engine;
mod names;
mod node;
pub(crate) mod privileges;
mod programs;
mod registry;

use std::path::PathBuf;
use std::process::ExitCode;

use xshell::Shell;

pub(crate) use self::cache::{Cache, program};
pub(crate) use self::dex::{executable, host, provide as provide_dex, references as dex_images};
use self::docker::Docker;
pub(crate) use self::names::{NODE, POSTGRES, PROMETHEUS};
pub(crate) use self::programs::older_kubectl;

/// The world could not be built.
pub(crate) const WORLD: u8 = 4;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which images: those that the world needs, or the exchange's
    #[arg(value_enum, default_value_t = What::World)]
    what: What,
    /// Build Docker, kind and all images from Go modules and Debian packages (Debian or Ubuntu, as root)
    #[arg(long, conflicts_with = "status")]
    from_packages: bool,
    /// Only say what is there
    #[arg(long)]
    status: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// kind's node, PostgreSQL, Prometheus
    World,
    /// The exchange's services, one image for each version
    Dex,
}

/// Provides them; exit code 4 if that fails.
pub(crate) fn run(sh: &Shell, args: &Args) -> ExitCode {
    let done = match (args.what, args.status) {
        (_, true) => {
            crate::kind::print(&status(sh));
            Ok(())
        }
        (What::Dex, false) => dex::provide(sh),
        (What::World, false) if args.from_packages => from_packages(sh),
        (What::World, false) => registry::pull(sh),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(WORLD)
        }
    }
}

/// One line of progress.
pub(crate) fn say(text: &str) {
    eprintln!("images: {text}");
}

fn from_packages(sh: &Shell) -> Result<(), String> {
    let cache = Cache::open()?;
    engine::provide(sh, &cache)?;
    let docker = Docker::connect(sh)?;
    programs::kind_and_kubectl(sh, &cache)?;
    node::provide(&docker, &cache)?;
    build::from_recipe(&docker, names::POSTGRES)?;
    build::prometheus(&docker, &cache)?;
    say("ready: `cargo xtask kind up`");
    Ok(())
}

/// The older kubectls, in the order of their versions. Built where they are not in the cache, which takes Go.
pub(crate) fn older_kubectls(sh: &Shell) -> Result<Vec<PathBuf>, String> {
    programs::older_kubectls(sh, &Cache::open()?)
}

/// What is there, for `--status`.
fn status(sh: &Shell) -> String {
    let mut out = String::new();
    let mut line = |what: &str, found: &str| out.push_str(&format!("{what:<34} {found}\n"));
    for name in ["docker", "kind", "kubectl", "go"] {
        let path = program(name).map(|path| path.display().to_string());
        line(name, path.as_deref().unwrap_or("missing"));
    }
    match Docker::connect(sh) {
        Err(error) => line("engine", &error),
        Ok(docker) => {
            line("engine", &format!("Docker {}", docker.version()));
            let world = names::ALL.iter().map(|image| image.reference());
            let exchange = dex::references(sh).unwrap_or_else(|error| {
                line("the exchange's images", &error);
                Vec::new()
            });
            for reference in world.chain(exchange) {
                let there = docker.has_image(&reference);
                line(&reference, if there { "there" } else { "missing" });
            }
        }
    }
    out
}
