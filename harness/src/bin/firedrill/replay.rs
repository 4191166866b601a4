//! `firedrill replay`: one drill again, from its token and from the files that the token names, or from a recording.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use firedrill::report::meta::Seeds;
use firedrill::report::{self, journal::Skipped};
use firedrill::runbooks::{self, LoadedRunbook};
use firedrill::runner::{self, RunOutcome};
use firedrill::scenario::{Described, Scenario};
use firedrill::token::{AtHand, GivenFile, Token, TokenError, quoted};
use firedrill::worlds::recording::Recording;
use firedrill::worlds::{DrillPlan, in_flight, sim};
use firedrill::{drill, verdict};

use crate::args::ReplayArgs;
use crate::exit::{Failure, INTERRUPTED};
use crate::files::read;
use crate::interrupt::Interrupt;
use crate::meta::Run;
use crate::progress::Progress;
use crate::{chaos, check, input, terminal};

/// Runs it; the exit code.
pub(crate) fn run(args: &ReplayArgs) -> Result<u8, Failure> {
    let began = Run::begin();
    let app = args.app.as_deref().map(|path| {
        let app = input::application(path)?;
        Ok::<_, Failure>((input::at_hand(path, &app), app))
    });
    let app = app.transpose()?;
    let (given, app) = app.unzip();
    let files = args.files.iter().map(|path| file(path, app.as_ref()));
    let at_hand = AtHand {
        files: files.collect::<Result<_, Failure>>()?,
        app: given,
    };
    let recording = args.recording.as_deref().map(recording).transpose()?;
    let token = match (&recording, &args.token) {
        (Some(recording), _) => &recording.head.token,
        (None, Some(token)) => token,
        (None, None) => {
            return Err(Failure::input(
                "which drill?",
                "give a token or --recording",
            ));
        }
    };
    let token = Token::decode_beside(token, runbooks::BUILT_IN, &at_hand);
    let token = token.map_err(|error| refused(&error, app.as_ref()))?;
    if recording.is_none() && args.program.executor.is_none() {
        names_no_program(&token, args)?;
    }
    let runbook = LoadedRunbook::parse(&token.runbook_file, &token.runbook_text)
        .map_err(|e| Failure::Input(e.into()))?;
    // A runbook that lacks the scenario's trigger fails the drill, and that drill can be replayed, too.
    let scenario = Scenario::parse(&token.scenario_file, &token.scenario_text, &[])
        .map_err(|e| Failure::Input(e.into()))?;
    let plan = DrillPlan {
        world: token.world,
        scenario: Arc::new(scenario),
        runbook,
        seed: token.seed,
        until: token.until,
        executor: args.program.program(token.world, args.report.as_deref())?,
    };
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let interrupt = Interrupt::listen();
    let progress = Progress::begin("", 1, in_flight::work(&plan.scenario), args.output.quiet);
    let (runbook, seed) = (plan.runbook.clone(), plan.seed);
    let played = match &recording {
        Some(recording) => play(&plan, recording).map(|(outcome, said)| (outcome, Some(said))),
        None => {
            let outcome = runner::run(&[plan], 1, interrupt.stop(), true, &|_| {});
            outcome.map(|outcome| (outcome, None)).map_err(Into::into)
        }
    };
    progress.end();
    let (outcome, differs) = played?;
    if let (Some(made), Some(result)) = (&token.made, outcome.results.first())
        && let Some(difference) = made.difference(result.fingerprint)
    {
        // What a program does is its own affair.
        let by_program = args.program.executor.is_some() && !made.is_of(result.fingerprint);
        terminal::complain(if by_program {
            "note: the drill went another way than the one that the token was made of: the program, or this build, did \
             something else"
        } else {
            &difference
        });
    }
    let code = chaos::conclude(
        &outcome,
        at_hand,
        args.report.as_deref(),
        args.output,
        interrupt.stop().load(Ordering::Relaxed),
        || {
            let seeds = Seeds {
                first: seed,
                count: 1,
            };
            began.meta(Some(&runbook), Some(seeds))
        },
    )?;
    let Some(differs) = differs else {
        return Ok(code);
    };
    match differs {
        Ok(same) => {
            if !args.output.quiet {
                terminal::complain(&same);
            }
            Ok(code)
        }
        Err(difference) => {
            terminal::complain(&format!("the recording can't be played back: {difference}"));
            Ok(code_of_a_difference(code))
        }
    }
}

/// The file at `path`. A scenario is one of `app`, whose files it has in it from then on.
fn file(path: &Path, app: Option<&Described>) -> Result<GivenFile, Failure> {
    let (name, text) = (path.display().to_string(), read(path, "file")?);
    let text = match app {
        Some(app) if check::holds_a_scenario(path, &text) => {
            let scenario = Scenario::parse_of(app, &name, &text, &[]);
            scenario.map_err(|e| Failure::Input(e.into()))?.text
        }
        _ => text,
    };
    Ok(GivenFile { path: name, text })
}

/// Why a token can't be replayed. A scenario of `app` that is missing because it can't be read is told of as such.
fn refused(error: &TokenError, app: Option<&Described>) -> Failure {
    if let TokenError::ScenarioMissing(name) = error
        && let Some(app) = app
        && let Err(failure) = input::scenario_of(app, name)
    {
        return failure;
    }
    Failure::input(error.to_string(), error.help())
}

/// The exit code where a recording played otherwise than it was recorded: a failure, however the drill that was played
/// then ended.
fn code_of_a_difference(of_drill: u8) -> u8 {
    if of_drill == INTERRUPTED {
        return of_drill;
    }
    verdict::exit_code([verdict::Verdict::Fail])
}

/// Refuses to let our own executor do what a program did: it would be judged in the program's place. A token does not
/// run a command, as a token may be anybody's.
fn names_no_program(token: &Token, args: &ReplayArgs) -> Result<(), Failure> {
    let (Some(program), Some(word)) = (&token.program, &args.token) else {
        return Ok(());
    };
    let files = args.files.iter().map(|path| path.display().to_string());
    let app = args.app.iter().flat_map(|path| {
        let path = quoted(&path.display().to_string());
        ["--app".to_owned(), path]
    });
    let words: Vec<String> = std::iter::once(word.trim().to_owned())
        .chain(app)
        .chain(files.map(|path| quoted(&path)))
        .collect();
    let (called, words) = (terminal::called(), words.join(" "));
    Err(Failure::input(
        "a program carried this drill out, and a token runs no program by itself",
        format!(
            "if you trust it, type `{called} replay {words} {}`",
            program.options()
        ),
    ))
}

fn recording(path: &Path) -> Result<Recording, Failure> {
    let text = read(path, "recording")?;
    Recording::parse(&text).map_err(|error| {
        Failure::input(
            format!("{}: {error}", path.display()),
            "recordings are what `chaos --executor CMD` writes with --record or --report",
        )
    })
}

/// Plays a recording: what came of the drill, and that it was the same, or what was not.
type Compared = Result<String, String>;

fn play(plan: &DrillPlan, recording: &Recording) -> Result<(RunOutcome, Compared), Failure> {
    let (performed, played) = sim::play(plan, recording)?;
    let result = drill::conclude(plan, performed);
    let compared = match recording.difference(&played) {
        Some(difference) => Err(difference),
        None => Ok(format!(
            "played back: {} requests, the same answers at the same instants, and the same fingerprint",
            recording.requests()
        )),
    };
    let outcome = RunOutcome {
        results: vec![result],
        skipped: Skipped::default(),
    };
    Ok((outcome, compared))
}

#[cfg(test)]
mod tests {
    use super::code_of_a_difference;
    use crate::exit::INTERRUPTED;

    #[test]
    fn a_recording_that_plays_otherwise_is_a_failure_however_the_drill_ends() {
        assert_eq!([0, 1, 3].map(code_of_a_difference), [1; 3]);
        assert_eq!(code_of_a_difference(INTERRUPTED), INTERRUPTED);
    }
}
