//! Every kind of fault at drawn instants, for drawn times, on drawn services and servers, beside each bad release. What may come of
//! that is open: perhaps nothing can be saved in time. Yet nobody is harmed, nothing false is claimed, and nothing panics.
//!
//! `FIREDRILL_DRAWS`: how many drills of each kind (default 4; the nightly's are more). `FIREDRILL_DRAWS_FROM`: another number draws
//! others. A failure prints the tokens that replay its drills.

use std::time::Duration;

use e2e::drills::{SCENARIOS, edited, plan, plan_by, run, without_step};
use firedrill::drill::DrillResult;
use firedrill::finding::{Ended, Finding};
use firedrill::runbooks::BUILT_IN;
use firedrill::runner;
use firedrill::scenario::fault::{FAULTS, FaultSpec, Need};
use firedrill::scenario::{Anchor, Fault, PartsPerMillion};
use firedrill::verdict::Verdict;
use firedrill::worlds::{Plan, Until, WorldKind};
use sim::rng::Rng;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}"))
    })
}

/// A duration from `least` to `most` milliseconds; half of them are short, where most races are.
fn span(rng: &mut Rng, least: u64, most: u64) -> Duration {
    let most = if rng.ratio(1, 2) {
        most
    } else {
        least + (most - least) / 20
    };
    Duration::from_millis(rng.between(least, most))
}

fn drawn<T>(rng: &mut Rng, need: Need, draw: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    let given = match need {
        Need::No => false,
        Need::May => rng.ratio(1, 2),
        Need::Must => true,
    };
    given.then(|| draw(rng))
}

fn fault(spec: &FaultSpec, rng: &mut Rng, steps: &[String]) -> Fault {
    let when = match rng.between(0, 9) {
        0 => Anchor::Deployment,
        1..=3 => Anchor::Trigger,
        _ => {
            let index = rng.between(0, steps.len() as u64 - 1);
            Anchor::Step(steps[usize::try_from(index).expect("small")].clone())
        }
    };
    let targets = spec.targets.names();
    let target = match targets.len() as u64 {
        0 => None,
        count => {
            let index = usize::try_from(rng.between(0, count - 1)).expect("small");
            Some(targets[index].to_owned())
        }
    };
    Fault {
        kind: spec.kind,
        when,
        at: span(rng, 0, 10_000),
        jitter: Duration::ZERO,
        lasts: drawn(rng, spec.lasts, |rng| span(rng, 500, 120_000)),
        target,
        delay: drawn(rng, spec.delay, |rng| span(rng, 100, 60_000)),
        chance: drawn(rng, spec.chance, |rng| {
            PartsPerMillion(u32::try_from(rng.between(10_000, 1_000_000)).expect("small"))
        }),
    }
}

/// Drill `number` of the kind `spec`.
fn drill(spec: &FaultSpec, from: u64, number: u64) -> Plan {
    let mut rng = Rng::derive(from, &format!("drawn/{}/{number}", spec.name));
    let scenario = SCENARIOS[usize::try_from(rng.between(0, 2)).expect("small")];
    let base = plan(scenario, rng.between(0, u64::MAX / 2));
    let runbook = base.runbook.clone();
    let steps: Vec<String> = runbook
        .runbook
        .steps
        .iter()
        .map(|step| step.name.clone())
        .collect();
    // A step that the expected path does not have would begin nothing.
    let mut drill = loop {
        let fault = fault(spec, &mut rng, &steps);
        let drawn = edited(base.clone(), |s| s.faults.push(fault));
        if drawn.scenario.fits("drawn.toml", &runbook.runbook).is_ok() {
            break drawn;
        }
    };
    drill.until = Until::Held;
    drill
}

/// What must not be, whatever befell.
fn wrongs(result: &DrillResult) -> Vec<String> {
    let failed = result
        .findings
        .iter()
        .filter(|f| f.verdict() == Verdict::Fail);
    let wrong = failed.filter(|finding| match finding {
        // What befell a sound exchange after the claim is not the executor's doing: a ledger that somebody breaks, a release that
        // somebody puts back.
        // A late claim is not false: signs of trouble that nobody has may hold it up.
        Finding::Claim(_) => finding.is_harm(),
        Finding::Invariants(_) | Finding::Ledger(_) if befell_after_the_claim(result) => false,
        // An executor that can't reach what it works on gives up with an error, and so tells its person.
        Finding::Outcome(outcome) => matches!(outcome.end, Ended::Panicked { .. }),
        _ => finding.is_harm(),
    });
    wrong
        .map(|finding| format!("{}: {finding}", finding.oracle()))
        .collect()
}

/// Whether the fault began after the instant from which on recovery is claimed: a claim says nothing of what came later.
fn befell_after_the_claim(result: &DrillResult) -> bool {
    let trigger = result.course.as_ref().and_then(|course| course.trigger_ms);
    let claimed = trigger.zip(result.rto_claimed_ms);
    let claimed = claimed.map(|(trigger, rto)| trigger.saturating_add(rto));
    // The first is the release.
    let began = result.faults.get(1).map(|fault| fault.at_ms);
    claimed
        .zip(began)
        .is_some_and(|(claimed, began)| began >= claimed)
}

#[test]
fn no_fault_wherever_it_falls_harms_or_makes_claims_false() {
    let (draws, from) = (
        number("FIREDRILL_DRAWS", 4),
        number("FIREDRILL_DRAWS_FROM", 0),
    );
    let plans: Vec<Plan> = FAULTS
        .iter()
        .filter(|spec| spec.worlds.contains(&WorldKind::Sim))
        .flat_map(|spec| (0..draws).map(|number| drill(spec, from, number)))
        .collect();
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let judged = runner::each(plans.len(), jobs, &|| false, &|index| {
        let result = run(&plans[index]);
        let began = result.faults.len() > 1;
        let wrongs = wrongs(&result);
        let told = (!wrongs.is_empty()).then(|| {
            format!(
                "{}\n  {:?}\n  {}",
                wrongs.join("\n"),
                result.faults,
                result.replay
            )
        });
        (began, told)
    });
    let wrong: Vec<String> = judged
        .iter()
        .filter_map(|(_, (_, told))| told.clone())
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} drills, drawn from {from}:\n{}",
        wrong.len(),
        plans.len(),
        wrong.join("\n\n")
    );
    // What never began tries nothing.
    let began = judged.iter().filter(|(_, (began, _))| *began).count();
    assert!(
        began * 10 >= plans.len() * 8,
        "{began} of {} faults began",
        plans.len()
    );
}

#[test]
fn a_runbook_that_loses_trades_does_not_get_by() {
    let result = run(&plan_by(
        "balance-anomaly",
        1,
        &without_step(BUILT_IN, "replay-orders"),
    ));
    assert!(!wrongs(&result).is_empty(), "{:#?}", result.troubles());
}
