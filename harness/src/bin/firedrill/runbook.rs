//! `firedrill runbook check`: every mistake with its place and a remedy.

use executor::runbook::Runbook;

use crate::args::CheckArgs;
use crate::exit::Failure;
use crate::{input, terminal};

/// Checks it; the exit code. Warnings are shown and do not count, unless `--strict` says so.
pub(crate) fn check(args: &CheckArgs) -> Result<u8, Failure> {
    let text = input::read(&args.file, "runbook")?;
    let name = args.file.display().to_string();
    let parsed =
        Runbook::parse_and_lint(&name, &text).map_err(|errors| Failure::Input(errors.into()))?;
    let warnings = parsed.diagnostic().cloned().map(miette::Report::new);
    let runbook = &parsed.runbook;
    terminal::say(&format!(
        "{name}: `{}`, {} steps, {} triggers, RTO {} s, digest {}",
        runbook.title,
        runbook.steps.len(),
        runbook.triggers.len(),
        runbook.rto.as_secs(),
        runbook.digest
    ));
    match warnings {
        Some(warnings) if args.strict => Err(Failure::Input(warnings)),
        Some(warnings) => {
            terminal::complain_of(&warnings);
            Ok(0)
        }
        None => Ok(0),
    }
}
