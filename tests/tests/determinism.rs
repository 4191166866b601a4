//! Same seed, same drill: fingerprints and outcomes agree across runs, threads and processes.

use std::process::Command;

use e2e::drills::{SCENARIOS, plan, run};

/// Set in the child process, to the seeds that it runs.
const SEEDS: &str = "FIREDRILL_DETERMINISM_SEEDS";

/// Everything of a drill that must be the same again, a line each.
fn lines(seeds: std::ops::Range<u64>) -> Vec<String> {
    SCENARIOS
        .iter()
        .flat_map(|scenario| seeds.clone().map(move |seed| run(&plan(scenario, seed))))
        .map(|r| {
            format!(
                "DRILL {} {} {:016x} {:?} rto={:?} claimed={:?} impact={:?} ppm={:?} trades={} lost={} steps={}",
                r.scenario,
                r.seed,
                r.fingerprint,
                r.verdicts,
                r.rto_ms,
                r.rto_claimed_ms,
                r.impact_ms,
                r.error_rate_ppm,
                r.trades.acknowledged,
                r.trades_lost(),
                r.steps.len(),
            )
        })
        .collect()
}

/// Not a test of its own: the body that the other process runs.
#[test]
fn child() {
    if let Ok(count) = std::env::var(SEEDS) {
        let count: u64 = count.parse().expect("a number of seeds");
        for line in lines(0..count) {
            println!("{line}");
        }
    }
}

#[test]
fn two_processes_agree() {
    const COUNT: u64 = 4;
    let output = Command::new(std::env::current_exe().expect("this test is a program"))
        .args([
            "determinism::child",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(SEEDS, COUNT.to_string())
        .output()
        .expect("this test can start itself");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // The test runner's own "test child ..." may stand before the first line.
    let theirs: Vec<&str> = text
        .lines()
        .filter_map(|l| l.find("DRILL ").map(|at| &l[at..]))
        .collect();
    let ours = lines(0..COUNT);
    assert_eq!(ours.len(), SCENARIOS.len() * COUNT as usize);
    assert_eq!(ours, theirs);
}

#[test]
fn a_busy_thread_beside_it_changes_nothing() {
    let alone = lines(7..8);
    let beside: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| lines(7..8))).collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect()
    });
    for other in beside {
        assert_eq!(alone, other);
    }
}

#[test]
fn another_seed_is_another_drill() {
    let a = run(&plan(SCENARIOS[0], 1));
    let b = run(&plan(SCENARIOS[0], 2));
    assert_ne!(a.fingerprint, b.fingerprint);
}
