//! `firedrill compare`: recoveries on a cluster beside those of the simulation.

use crate::args::CompareArgs;
use crate::exit::Failure;

/// This build lacks the world.
#[cfg(not(feature = "kind"))]
pub(crate) fn run(_: &CompareArgs) -> Result<u8, Failure> {
    use firedrill::worlds::{WorldError, WorldKind};

    Err(WorldError::NotBuilt(WorldKind::Kind).into())
}

#[cfg(feature = "kind")]
pub(crate) use self::live::run;

#[cfg(feature = "kind")]
mod live {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use firedrill::evidence::{ExecutorOutcome, Ms};
    use firedrill::runbooks::LoadedRunbook;
    use firedrill::runner;
    use firedrill::scenario::Scenario;
    use firedrill::stats::show_ms;
    use firedrill::step_durations::{Row, StepDurations, compare};
    use firedrill::worlds::kind::perform_to_recovery;
    use firedrill::worlds::{self, DrillPlan, Performed, Until, WorldError, WorldKind};

    use super::{CompareArgs, Failure};
    use crate::exit::INTERRUPTED;
    use crate::interrupt::Interrupt;
    use crate::{chaos, input, terminal};

    /// Runs it; the exit code. It measures and does not judge. Interrupted, it shows what it has.
    pub(crate) fn run(args: &CompareArgs) -> Result<u8, Failure> {
        let runbook = input::runbook(None, false)?;
        let chosen = input::scenarios(&args.scenarios, &runbook, true)?;
        let chosen = input::can_be_done(chosen, WorldKind::Kind, false)?;
        let scenarios: Vec<_> = chosen.into_iter().map(|it| it.scenario).collect();
        let interrupt = Interrupt::listen();
        let mut kind: Vec<Vec<StepDurations>> = vec![Vec::new(); scenarios.len()];
        // In turns, so that a bad quarter of an hour of the machine is shared by all.
        'runs: for run in 1..=args.runs {
            for (scenario, runs) in scenarios.iter().zip(&mut kind) {
                let plan = plan(WorldKind::Kind, scenario, &runbook, run.into());
                let performed = match perform_to_recovery(&plan) {
                    Err(WorldError::Interrupted) => {
                        interrupt.enough();
                        break 'runs;
                    }
                    performed => performed?,
                };
                let durations = durations(&performed);
                let seen = durations.rto_ms.map_or_else(
                    || format!("no recovery seen: {}", why(&performed)),
                    |rto| format!("recovery time {}", show_ms(rto)),
                );
                terminal::complain(&format!("compare: {}, run {run}: {seen}", scenario.name));
                runs.push(durations);
            }
        }
        for (scenario, runs) in scenarios.iter().zip(&kind) {
            let sim = simulated(scenario, &runbook, args.seeds, interrupt.stop())?;
            terminal::say(&table(&scenario.name, runs, &sim));
        }
        Ok(if interrupt.stop().load(Ordering::Relaxed) {
            INTERRUPTED
        } else {
            0
        })
    }

    fn plan(
        world: WorldKind,
        scenario: &Arc<Scenario>,
        runbook: &LoadedRunbook,
        seed: u64,
    ) -> DrillPlan {
        DrillPlan {
            world,
            scenario: Arc::clone(scenario),
            runbook: runbook.clone(),
            seed,
            until: Until::Held,
            executor: None,
        }
    }

    /// Why there is no recovery time, as far as the executor knows.
    fn why(performed: &Performed) -> String {
        match &performed.evidence.executor.outcome {
            ExecutorOutcome::Failed(why)
            | ExecutorOutcome::Escalated(why)
            | ExecutorOutcome::NothingToDo(why)
            | ExecutorOutcome::CutShort(why)
            | ExecutorOutcome::Refused(why) => why.clone(),
            ExecutorOutcome::Recovered => "the executor takes it for recovered".to_owned(),
            ExecutorOutcome::Panicked(why) => format!("panicked: {why}"),
            ExecutorOutcome::StillRunning => "the executor was still at it".to_owned(),
        }
    }

    fn durations(performed: &Performed) -> StepDurations {
        StepDurations::of(&performed.evidence, &performed.timeline)
    }

    fn simulated(
        scenario: &Arc<Scenario>,
        runbook: &LoadedRunbook,
        seeds: u32,
        stop: &AtomicBool,
    ) -> Result<Vec<StepDurations>, Failure> {
        let stopped = || stop.load(Ordering::Relaxed);
        let seeds = usize::try_from(seeds).unwrap_or(usize::MAX);
        let timed = runner::each(seeds, chaos::processors(), &stopped, &|seed| {
            let plan = plan(WorldKind::Sim, scenario, runbook, seed as u64);
            worlds::perform(&plan).map(|performed| durations(&performed))
        });
        let timed = timed.into_iter().map(|(_, durations)| durations);
        Ok(timed.collect::<Result<_, _>>()?)
    }

    fn table(scenario: &str, kind: &[StepDurations], sim: &[StepDurations]) -> String {
        let mut table = comfy_table::Table::new();
        table.set_header([
            scenario,
            "kind median / worst",
            "runs",
            "sim median / worst",
            "sim : kind",
        ]);
        let both = |it: Option<(Ms, Ms)>| {
            it.map_or("–".to_owned(), |(median, worst)| {
                format!("{} / {}", show_ms(median), show_ms(worst))
            })
        };
        for row in compare(kind, sim) {
            let Row {
                what,
                kind_count,
                kind,
                sim,
            } = &row;
            let ratio = row.permille().map_or("–".to_owned(), |n| {
                format!("{}.{:02}", n / 1_000, n % 1_000 / 10)
            });
            table.add_row([
                what,
                &both(*kind),
                &kind_count.to_string(),
                &both(*sim),
                &ratio,
            ]);
        }
        format!("{table}\n")
    }
}
