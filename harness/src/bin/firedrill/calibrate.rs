//! `firedrill calibrate`: measures what the simulation assumes, and writes it down.

use crate::args::CalibrateArgs;
use crate::exit::Failure;

/// Runs it; the exit code.
#[cfg(feature = "kind")]
pub(crate) fn run(args: &CalibrateArgs) -> Result<u8, Failure> {
    use crate::terminal;

    let say = |what: &str| crate::terminal::complain(&format!("calibrate: {what}"));
    let measured = firedrill::worlds::kind::calibrate(args.rounds, &say)?;
    let failed = |error: &dyn std::fmt::Display| {
        Failure::input(
            format!("cannot write {}: {error}", args.out.display()),
            "give another file with --out",
        )
    };
    let text = measured.to_text().map_err(|error| failed(&error))?;
    std::fs::write(&args.out, text).map_err(|error| failed(&error))?;
    terminal::say(&format!("written: {}", args.out.display()));
    Ok(0)
}

/// This build lacks the world.
#[cfg(not(feature = "kind"))]
pub(crate) fn run(_: &CalibrateArgs) -> Result<u8, Failure> {
    use firedrill::worlds::{WorldError, WorldKind};

    Err(WorldError::NotBuilt(WorldKind::Kind).into())
}
