//! Every kind of fault, one at a time: at drawn instants, for drawn times, on drawn services and servers, beside drawn
//! releases and loads, as a search draws them. What may come of that is open: perhaps nothing can be saved in time.
//! Yet nobody is harmed, nothing false is claimed, nothing panics, the run ends, and who had the time to recover does.
//!
//! `FIREDRILL_DRAWS`: how many drills of each kind (default 4; the nightly's are more). `FIREDRILL_DRAWS_FROM`:
//! another number draws others. A failure prints the tokens that replay its drills.

use e2e::drills::without_step;
use firedrill::drill;
use firedrill::runbooks::{BUILT_IN, LoadedRunbook};
use firedrill::runner;
use firedrill::scenario::fault::FAULTS;
use firedrill::search::{Class, Drawn, Judged, Known, Space, judge, known};
use firedrill::worlds::WorldKind;

/// The classes of failure that are known, with their reasons.
const KNOWN: &str = include_str!("../../scenarios/known-failures.toml");

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}"))
    })
}

/// `count` drills of each kind of fault by the runbook `text`, drawn from `from`.
fn drawn(text: &str, from: u64, count: u64) -> Vec<Drawn> {
    let runbook = LoadedRunbook::parse("drawn.md", text).expect("it loads");
    let space = Space::new(&runbook);
    let kinds = FAULTS.iter();
    kinds
        .filter(|spec| spec.worlds.contains(&WorldKind::Sim))
        .flat_map(|spec| {
            let space = &space;
            let drawn = move |number| space.draw_about(spec.kind, from, number);
            (0..count).map(drawn)
        })
        .collect::<Result<_, _>>()
        .expect("there are releases")
}

/// What came of one drill.
struct Tried {
    /// Whether its fault began.
    began: bool,
    /// What is wrong with it, for a reader.
    wrong: Option<String>,
}

fn tried(drawn: &Drawn, known: &[Known]) -> Tried {
    let scenario = &drawn.plan.scenario;
    let result = drill::run(&drawn.plan).expect("the world builds");
    let wrong = match judge(drawn.half, &drawn.plan, &result) {
        Judged::Failed(finding) => {
            let class = Class::of(finding.class(), drawn.half, scenario);
            let is_new = !known.iter().any(|known| known.is(&class));
            is_new.then(|| {
                format!(
                    "{class}: {finding}\n  {:?}\n  {}",
                    result.faults, result.replay
                )
            })
        }
        Judged::Sound | Judged::Silent(_) => None,
    };
    Tried {
        began: result.faults_seen.iter().any(Option::is_some),
        wrong,
    }
}

fn all_tried(drawn: &[Drawn]) -> Vec<Tried> {
    let known = known(KNOWN).expect("it reads");
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let tried = runner::each(drawn.len(), jobs, &|| false, &|index| {
        tried(&drawn[index], &known)
    });
    tried.into_iter().map(|(_, tried)| tried).collect()
}

#[test]
fn no_fault_wherever_it_falls_harms_or_makes_claims_false() {
    let (draws, from) = (
        number("FIREDRILL_DRAWS", 4),
        number("FIREDRILL_DRAWS_FROM", 0),
    );
    let drawn = drawn(BUILT_IN, from, draws);
    for one in &drawn {
        assert_eq!(
            one.plan.scenario.faults.len(),
            1,
            "{}",
            one.plan.scenario.name
        );
    }
    let tried = all_tried(&drawn);
    let wrong: Vec<&str> = tried.iter().filter_map(|it| it.wrong.as_deref()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} drills, drawn from {from}:\n{}",
        wrong.len(),
        drawn.len(),
        wrong.join("\n\n")
    );
    // What never began tries nothing.
    let began = tried.iter().filter(|it| it.began).count();
    assert!(
        began * 10 >= drawn.len() * 8,
        "{began} of {} faults began",
        drawn.len()
    );
}

#[test]
fn a_runbook_that_loses_trades_does_not_get_by() {
    let broken = without_step(BUILT_IN, "replay-orders");
    let drawn = drawn(&broken, 1, 1);
    let tried = all_tried(&drawn);
    assert!(tried.iter().any(|it| it.wrong.is_some()));
}
