//! What a simulation costs grows at most in proportion to what it simulates: requests, pods, services, faults.
//!
//! Cost is counted, never timed: instructions by valgrind's callgrind, and memory as the most that a process had
//! resident. Where valgrind is not installed, the tests that need it say so and show nothing.

use std::process::Command;

use benches::growth::Direction;

/// Set in the child process: the direction and how many.
const WORK: &str = "FIREDRILL_GROWTH";

/// Not a test of its own: the body that the other process runs.
#[test]
fn child() {
    let Ok(work) = std::env::var(WORK) else {
        return;
    };
    let (direction, count) = work.split_once(' ').expect("a direction and a number");
    let direction = Direction::by_word(direction).expect("a direction");
    let events = direction.work(count.parse().expect("a number"));
    println!("EVENTS {events}");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(peak) = peak.and_then(|it| it.trim().strip_suffix(" kB")) {
        println!("PEAK {peak}");
    }
}

/// What the work costs in a process of its own, which `program` and its arguments run.
fn output(program: &[&str], direction: Direction, count: u64) -> (String, String) {
    let own = std::env::current_exe().expect("this test is a program");
    let own = own.to_str().expect("UTF-8");
    let child = [own, "child", "--exact", "--nocapture", "--test-threads=1"];
    let line: Vec<&str> = program.iter().copied().chain(child).collect();
    let output = Command::new(line[0])
        .args(&line[1..])
        .env(WORK, format!("{} {count}", direction.as_str()))
        .output()
        .expect("it can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    (stdout, stderr)
}

/// The number after `word` in `text`.
fn number(text: &str, word: &str) -> Option<u64> {
    let (_, rest) = text.split_once(word)?;
    rest.split_whitespace().next()?.parse().ok()
}

fn has_valgrind() -> bool {
    let found = Command::new("valgrind").arg("--version").output().is_ok();
    if !found {
        eprintln!(
            "valgrind is not installed, so no instructions are counted, and this shows nothing"
        );
    }
    found
}

fn instructions(direction: Direction, count: u64) -> u64 {
    let callgrind = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ];
    let (_, said) = output(&callgrind, direction, count);
    number(&said, "Collected :").unwrap_or_else(|| panic!("callgrind counts: {said}"))
}

/// What one more costs at the greater numbers is at most a quarter more than at the smaller ones.
#[track_caller]
fn assert_at_most_linear(direction: Direction, counts: [u64; 3]) {
    if !has_valgrind() {
        return;
    }
    let [few, some, many] = counts.map(|count| instructions(direction, count));
    let each = |cost: u64, count: u64| cost as f64 / count as f64;
    let at_few = each(some - few, counts[1] - counts[0]);
    let at_many = each(many - some, counts[2] - counts[1]);
    println!(
        "{direction:?}: {few}, {some}, {many} instructions; {at_few:.0}, {at_many:.0} for one more"
    );
    assert!(
        at_many <= at_few * 1.25,
        "{direction:?}: one more costs {at_few:.0} instructions at first and {at_many:.0} later"
    );
}

#[test]
fn requests_cost_the_same_however_many_there_were() {
    assert_at_most_linear(Direction::Requests, [10_000, 50_000, 250_000]);
}

#[test]
fn requests_of_a_drill_cost_the_same_however_many_there_are() {
    assert_at_most_linear(Direction::RequestsOfADrill, [9_000, 45_000, 225_000]);
}

#[test]
fn pods_cost_the_same_however_many_there_are() {
    assert_at_most_linear(Direction::Pods, [10, 100, 1_000]);
}

#[test]
fn services_cost_the_same_however_many_there_are() {
    assert_at_most_linear(Direction::Services, [3, 30, 300]);
}

#[test]
fn faults_cost_the_same_however_many_there_are() {
    assert_at_most_linear(Direction::Faults, [1, 10, 100]);
}

/// The most that a request of a whole drill may keep in memory, in bytes.
const BYTES_PER_REQUEST: u64 = 160;

#[test]
fn a_request_keeps_no_more_memory_than_is_stated() {
    let peak = |count: u64| {
        let (said, _) = output(&["env"], Direction::RequestsOfADrill, count);
        let (sent, peak) = (number(&said, "EVENTS"), number(&said, "PEAK"));
        (sent.expect("it says so"), peak)
    };
    let ((few, little), (many, much)) = (peak(90_000), peak(900_000));
    let (Some(little), Some(much)) = (little, much) else {
        eprintln!("this system does not say how much memory a process had, so this shows nothing");
        return;
    };
    let each = much.saturating_sub(little) * 1_024 / (many - few);
    println!("{few} requests take {little} kB, {many} take {much} kB: {each} bytes each");
    assert!(each <= BYTES_PER_REQUEST, "{each} bytes each");
}
