//! `firedrill calibrate`: measures what the simulation assumes, and writes it down.

use crate::args::CalibrateArgs;
use crate::exit::Failure;

/// Runs it; the exit code.
#[cfg(feature = "kind")]
pub(crate) fn run(args: &CalibrateArgs) -> Result<u8, Failure> {
    use sim::measured::to_text;

    use crate::terminal;

    let say = |what: &str| crate::terminal::complain(&format!("calibrate: {what}"));
    let (cluster, exchange) = firedrill::worlds::kind::calibrate(args.rounds, &say)?;
    let cluster = to_text(&cluster, "sim/src/measured.rs");
    let exchange = to_text(&exchange, "sim/exchange/src/measured.rs");
    for (text, out, option) in [
        (cluster, &args.out, "--out"),
        (exchange, &args.out_exchange, "--out-exchange"),
    ] {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::input(
                format!("cannot write {}: {error}", out.display()),
                format!("give another file with {option}"),
            )
        };
        let text = text.map_err(|error| failed(&error))?;
        std::fs::write(out, text).map_err(|error| failed(&error))?;
        terminal::say(&format!("written: {}", out.display()));
    }
    Ok(0)
}

/// This build lacks the world.
#[cfg(not(feature = "kind"))]
pub(crate) fn run(_: &CalibrateArgs) -> Result<u8, Failure> {
    use firedrill::worlds::{WorldError, WorldKind};

    Err(WorldError::NotBuilt(WorldKind::Kind).into())
}
