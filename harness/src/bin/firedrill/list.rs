//! `firedrill list`: what there is.

use firedrill::about::{self, KeyShown, Kind};
use firedrill::scenario::{FAULTS, keys};

use crate::args::{Format, ListArgs, Listed};
use crate::exit::Failure;
use crate::{input, terminal};

/// Runs it; the exit code.
pub(crate) fn run(args: &ListArgs) -> Result<u8, Failure> {
    let kind = match args.what {
        Listed::Scenarios => Kind::Scenario,
        Listed::Releases => Kind::Release,
        Listed::Faults => Kind::Fault,
        Listed::Triggers => Kind::Trigger,
        Listed::Keys => {
            show_keys(args.format);
            return Ok(0);
        }
    };
    let runbook = input::runbook(args.runbook.as_deref(), false)?;
    let all = about::all(kind, &runbook);
    match args.format {
        Format::Json => terminal::say_json(&all),
        Format::Table => {
            terminal::say(about::listed(&all).trim_end());
            terminal::say(&format!(
                "\n{} {kind}s. `firedrill show NAME` tells everything about one.",
                all.len()
            ));
        }
    }
    Ok(0)
}

/// The keys of a scenario file; those of `[[faults]]` once, as the kind that takes most of them has them.
fn show_keys(format: Format) {
    let faults = FAULTS.iter().map(keys::of_fault);
    let of_fault = faults.max_by_key(Vec::len).unwrap_or_default();
    let of_fault = of_fault.into_iter().map(|mut key| {
        match key.name {
            "kind" => key.values = "a kind of fault (`firedrill list faults`)".to_owned(),
            "target" => key.values = "a target of this kind".to_owned(),
            _ => {}
        }
        key
    });
    let all: Vec<KeyShown> = keys::all()
        .into_iter()
        .chain(keys::of_deployment())
        .chain(of_fault)
        .map(Into::into)
        .collect();
    match format {
        Format::Json => terminal::say_json(&all),
        Format::Table => {
            terminal::say(about::keys_page(&all).trim_end());
            terminal::say(
                "\nWhat a fault takes depends on its kind: `firedrill show fault/NAME` tells.",
            );
        }
    }
}
