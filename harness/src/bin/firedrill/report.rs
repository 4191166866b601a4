//! `firedrill report`: the reports again, from journals alone; several are merged.

use firedrill::report::journal::JSON_SCHEMA;
use firedrill::report::read::{self, ReadError};
use firedrill::report::summary::by_scenario_of;
use firedrill::report::{self, table};
use firedrill::verdict;

use crate::args::ReportArgs;
use crate::exit::Failure;
use crate::terminal;

/// Runs it; the exit code is that of the run, or of all the runs together.
pub(crate) fn run(args: &ReportArgs) -> Result<u8, Failure> {
    if args.schema {
        terminal::say(JSON_SCHEMA.trim_end());
        return Ok(0);
    }
    let mut journals = Vec::with_capacity(args.journals.len());
    for path in &args.journals {
        journals.push((path.clone(), read::read(path).map_err(refused)?));
    }
    let journal = read::merge(journals).map_err(refused)?;
    if !journal.drills.is_empty() {
        terminal::say(&table::summary_of(&by_scenario_of(&journal.drills)));
    }
    let findings = table::findings_of(&journal.drills);
    if !findings.is_empty() {
        terminal::say(&format!("\n{findings}"));
    }
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
        report::write_journal(directory, &journal)?;
        terminal::say(&format!(
            "report: {}",
            directory.join("report.html").display()
        ));
    }
    terminal::say_coloured(journal.summary.verdict, &report::tally(&journal.summary));
    Ok(verdict::exit_code([journal.summary.verdict]))
}

fn refused(error: ReadError) -> Failure {
    let cause = std::error::Error::source(&error).map_or_else(String::new, |s| format!(": {s}"));
    Failure::input(format!("{error}{cause}"), error.help())
}
