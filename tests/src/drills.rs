//! Drills for tests: built-in scenarios, with the runbook changed where a test wants it.

use std::sync::{Arc, Mutex};

use executor::TriggerEvent;
use executor::ports::Ports;
use executor::runbook::TriggerClass;
use firedrill::drill::{self, DrillResult};
use firedrill::runbooks::{BUILT_IN, LoadedRunbook};
use firedrill::scenario::{Scenario, catalogue};
use firedrill::verdict::Verdict;
use firedrill::worlds::{DrillPlan, Until, WorldKind};
use jiff::Timestamp;
use sim::time::Micros;
use sim_exchange::World;

/// The three scenarios that `cargo xtask chaos` runs.
pub const SCENARIOS: [&str; 3] = [
    "latency-regression",
    "balance-anomaly",
    "breaking-migration",
];

/// A plan of the built-in scenario `name`, by the built-in runbook.
///
/// # Panics
/// If either does not load.
#[must_use]
pub fn plan(name: &str, seed: u64) -> DrillPlan {
    plan_by(name, seed, BUILT_IN)
}

/// A plan of the built-in scenario `name`, by the runbook `text`.
///
/// # Panics
/// If either does not load.
#[must_use]
pub fn plan_by(name: &str, seed: u64, text: &str) -> DrillPlan {
    let runbook = match LoadedRunbook::parse("changed.md", text) {
        Ok(runbook) => runbook,
        Err(errors) => panic!("the runbook does not load: {errors:?}"),
    };
    let scenario = catalogue::built_in(name, &runbook.triggers())
        .unwrap_or_else(|| panic!("no scenario called {name}"))
        .unwrap_or_else(|error| panic!("scenario {name} does not load: {error:?}"));
    DrillPlan {
        world: WorldKind::Sim,
        scenario: Arc::new(scenario),
        runbook,
        seed,
        until: Until::Duration,
        executor: None,
    }
}

/// Performs and judges a drill.
///
/// # Panics
/// If the simulated world can't be built.
#[must_use]
pub fn run(plan: &DrillPlan) -> DrillResult {
    drill::run(plan).expect("the simulated world builds")
}

/// The same plan with its scenario edited.
#[must_use]
pub fn edited(mut plan: DrillPlan, edit: impl FnOnce(&mut Scenario)) -> DrillPlan {
    plan.scenario = Arc::new(Scenario::clone(&plan.scenario).with(edit));
    plan
}

/// Names of the oracles that failed.
#[must_use]
pub fn failed(result: &DrillResult) -> Vec<&str> {
    result
        .findings
        .iter()
        .filter(|f| f.verdict() == Verdict::Fail)
        .map(|f| f.oracle().as_str())
        .collect()
}

/// The drill passes.
///
/// # Panics
/// If it does not.
#[track_caller]
pub fn assert_passes(result: &DrillResult) {
    assert_eq!(
        result.verdicts.overall,
        Verdict::Pass,
        "{} seed {}: {:#?}\n{:?}",
        result.scenario,
        result.seed,
        result.problems(),
        result.faults
    );
}

/// The drill fails, and by this oracle.
///
/// # Panics
/// If it does not.
#[track_caller]
pub fn assert_fails_by(result: &DrillResult, oracle: &str) {
    assert_eq!(
        result.verdicts.overall,
        Verdict::Fail,
        "{:?}",
        result.verdicts
    );
    assert!(
        failed(result).contains(&oracle),
        "{oracle} should fail, but {:#?}",
        result.problems()
    );
}

/// The built-in scenarios of these names.
///
/// # Panics
/// If one of them is not built in.
#[must_use]
pub fn scenarios(names: &[&str]) -> Vec<Arc<Scenario>> {
    names
        .iter()
        .map(|name| {
            let scenario = catalogue::built_in(name, &[]).expect("it is built in");
            Arc::new(scenario.expect("it loads"))
        })
        .collect()
}

/// The built-in runbook with `from` replaced wherever it is.
///
/// # Panics
/// If it is nowhere.
#[must_use]
pub fn changed(from: &str, to: &str) -> String {
    assert!(BUILT_IN.contains(from), "no longer in the runbook: {from}");
    BUILT_IN.replace(from, to)
}

/// The built-in runbook without the step called `name`: its fenced block is cut out.
///
/// # Panics
/// If there is no such step, so that a renamed step can't turn a test into one that tests nothing.
#[must_use]
pub fn without_step(text: &str, name: &str) -> String {
    let (before, block, after) = split_at_step(text, name);
    assert!(!block.is_empty());
    format!("{before}{after}")
}

/// The runbook `text` with `from` replaced in the block of step `name`.
///
/// # Panics
/// If there is no such step, or its block lacks `from`.
#[must_use]
pub fn changed_step(text: &str, name: &str, from: &str, to: &str) -> String {
    let (before, block, after) = split_at_step(text, name);
    assert!(block.contains(from), "step {name} no longer says {from}");
    format!("{before}{}{after}", block.replace(from, to))
}

/// The runbook with step `name` moved to right before step `before`.
///
/// # Panics
/// If either is missing.
#[must_use]
pub fn move_step(text: &str, name: &str, before: &str) -> String {
    let (head, block, tail) = split_at_step(text, name);
    let block = block.to_owned();
    let rest = format!("{head}{tail}");
    let (head, target, tail) = split_at_step(&rest, before);
    format!("{head}{block}\n{target}{tail}")
}

/// The runbook `text` with triggers that never fire: their conditions are out of reach.
///
/// # Panics
/// If it has no front matter or no trigger.
#[must_use]
pub fn disarmed(text: &str) -> String {
    let head_end = text.find("\n---\n").expect("front matter ends");
    let (head, body) = text.split_at(head_end);
    let mut edited = 0;
    let head: Vec<&str> = head
        .lines()
        .map(|line| {
            let out_of_reach = match line.trim_start() {
                below if below.starts_with("condition: \"<") => "    condition: \"< -1\"",
                above if above.starts_with("condition:") => "    condition: \"> 1000000000\"",
                _ => return line,
            };
            edited += 1;
            out_of_reach
        })
        .collect();
    assert!(edited > 0, "the runbook has no trigger");
    format!("{}{body}", head.join("\n"))
}

fn split_at_step<'a>(text: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
    let key = format!("\"name\":\"{name}\"");
    let at = text
        .find(&key)
        .unwrap_or_else(|| panic!("no step called {name}"));
    let start = text[..at]
        .rfind("```sh")
        .expect("a step's attributes follow its fence");
    let end = at + text[at..].find("\n```\n").expect("a fence is closed") + "\n```\n".len();
    (&text[..start], &text[start..end], &text[end..])
}

/// Does `act` with an executor's ports a few seconds after the bad release was deployed, before the drill's own
/// executor has found out, and gives what came of it.
///
/// # Panics
/// If the simulated world can't be built, or `act` does not end within the drill.
pub fn beside<T, Fut>(
    plan: &DrillPlan,
    act: impl Fn(World, Ports) -> Fut + Clone + Send + Sync + 'static,
) -> T
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let begin = Micros::from(plan.scenario.timing.deploy_at) + Micros::from_secs(8);
    beside_from(plan, begin, act)
}

/// The same from `begin` on.
///
/// # Panics
/// If the simulated world can't be built, or `act` does not end within the drill.
pub fn beside_from<T, Fut>(
    plan: &DrillPlan,
    begin: Micros,
    act: impl Fn(World, Ports) -> Fut + Clone + Send + Sync + 'static,
) -> T
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let kept: Arc<Mutex<Option<T>>> = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    drill::run_decorated(plan, &move |world: &World, ports: Ports| {
        let (inside, mine, keep, act) = (world.clone(), ports.clone(), keep.clone(), act.clone());
        tokio::spawn(async move {
            inside.sleep_until(begin).await;
            let done = act(inside, mine).await;
            *keep.lock().expect("not poisoned") = Some(done);
        });
        ports
    })
    .expect("the world builds");
    let done = kept.lock().expect("not poisoned").take();
    done.expect("it came to an end within the drill")
}

/// A trigger that a person pulls now.
#[must_use]
pub fn trigger(world: &World, class: TriggerClass) -> TriggerEvent {
    TriggerEvent::manual(class, now(world), "a test")
}

/// The present instant.
///
/// # Panics
/// If it is out of range.
#[must_use]
pub fn now(world: &World) -> Timestamp {
    let micros = i64::try_from(world.now().0).expect("in range");
    Timestamp::from_microsecond(sim::time::EPOCH_SECOND * 1_000_000 + micros).expect("in range")
}
