//! `firedrill benchmark`: the executor against bare kubectl, in turns, on a cluster.

use crate::args::BenchmarkArgs;
use crate::exit::Failure;

/// Runs it; the exit code. It measures and does not judge.
#[cfg(feature = "kind")]
pub(crate) fn run(args: &BenchmarkArgs) -> Result<u8, Failure> {
    let say = |what: &str| crate::terminal::complain(&format!("benchmark: {what}"));
    let measured = firedrill::worlds::kind::benchmark(args.rounds, &say)?;
    crate::terminal::say(&shown(&measured));
    Ok(0)
}

/// This build lacks the world.
#[cfg(not(feature = "kind"))]
pub(crate) fn run(_: &BenchmarkArgs) -> Result<u8, Failure> {
    use firedrill::worlds::{WorldError, WorldKind};

    Err(WorldError::NotBuilt(WorldKind::Kind).into())
}

/// For people.
#[cfg(feature = "kind")]
fn shown(measured: &firedrill::worlds::kind::Benchmark) -> String {
    use comfy_table::Table;
    use firedrill::stats::show_ms;

    let mut pairs = Table::new();
    pairs.set_header([
        "round",
        "first",
        "kubectl",
        "its rollout",
        "executor",
        "its rollout",
        "old pods gone",
    ]);
    for (n, pair) in measured.pairs.iter().enumerate() {
        let first = if pair.kubectl_first {
            "kubectl"
        } else {
            "executor"
        };
        pairs.add_row([
            (n + 1).to_string(),
            first.to_owned(),
            show_ms(pair.kubectl_ms),
            show_ms(pair.kubectl_rollout_ms),
            show_ms(pair.executor_ms),
            show_ms(pair.executor_rollout_ms),
            show_ms(pair.settled_ms),
        ]);
    }
    let mut steps = Table::new();
    steps.set_header(["step of a whole recovery", "took"]);
    for step in &measured.steps {
        steps.add_row([step.step.clone(), show_ms(step.took_ms)]);
    }
    format!(
        "{pairs}\nundo to rolled out: {}\nover the same rollout: {}\n\n{steps}\nwhole recovery: {}",
        measured.ratio,
        measured.same_rollout,
        show_ms(measured.whole_ms)
    )
}
