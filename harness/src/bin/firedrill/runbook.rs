//! `firedrill runbook check`: every mistake with its place and a remedy.

use executor::runbook::Runbook;

use crate::args::CheckArgs;
use crate::exit::Failure;
use crate::{input, terminal};

/// Checks it; the exit code. Warnings are shown and do not count.
pub(crate) fn check(args: &CheckArgs) -> Result<u8, Failure> {
    let text = input::read(&args.file, "runbook")?;
    let name = args.file.display().to_string();
    let parsed =
        Runbook::parse_and_lint(&name, &text).map_err(|errors| Failure::Input(errors.into()))?;
    let runbook = &parsed.runbook;
    terminal::say(&format!(
        "{name}: `{}`, {} steps, {} triggers, RTO {} s, digest {}",
        runbook.title,
        runbook.steps.len(),
        runbook.triggers.len(),
        runbook.rto.as_secs(),
        runbook.digest
    ));
    if let Some(warnings) = parsed.diagnostic() {
        terminal::complain(&format!("{:?}", miette::Report::new(warnings.clone())));
    }
    Ok(0)
}
