//! The simulated controllers beside the real ones of Kubernetes 1.34, which `tests/reference/controllers` runs on
//! client-go's fake clientset: after each of some random operations both must come to the same state at rest.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::go;
use super::lab::Lab;
use super::operations::{Operation, draw, state};
use crate::cluster::json::Value;
use crate::cluster::value::{items, text};
use crate::rng::Rng;

/// Sequences of operations, each on a new cluster.
const SEQUENCES: u64 = 3_000;
/// Operations of a sequence.
const OPERATIONS: usize = 9;
/// Sequences go to this many pairs of a simulation and a reference.
const PAIRS: u64 = 2;

/// The reference, at work.
struct Reference {
    program: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Reference {
    fn start(program: &Path) -> Self {
        let mut program = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was just built");
        let to = program.stdin.take().expect("piped");
        let from = BufReader::new(program.stdout.take().expect("piped"));
        Self { program, to, from }
    }

    /// The states at rest after each of these operations on a new cluster.
    fn run(&mut self, operations: &[&Operation]) -> Vec<Vec<String>> {
        let mut lines = "{\"op\":\"reset\"}\n".to_owned();
        for operation in operations {
            let _ = writeln!(lines, "{operation}");
        }
        self.to
            .write_all(lines.as_bytes())
            .expect("the reference reads");
        let mut answers = Vec::new();
        for _ in 0..=operations.len() {
            let mut line = String::new();
            self.from.read_line(&mut line).expect("text");
            let answer: Value = serde_json::from_str(&line).expect("the reference answers");
            let lists =
                ["deployments", "replicaSets", "pods"].map(|l| items(&answer, &[l]).to_vec());
            let lines = lists.concat();
            answers.push(lines.iter().map(|l| text(l, &[]).to_owned()).collect());
        }
        answers.remove(0);
        answers
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Carries out what can be of `operations` on both sides; where they differ, what was done until then and both states.
fn difference(reference: &mut Reference, seed: u64, operations: &[Operation]) -> Option<String> {
    let mut lab = Lab::new(seed);
    let mut done = Vec::new();
    let mut simulated = Vec::new();
    for operation in operations {
        if !lab.operate(operation) {
            continue;
        }
        lab.rest();
        done.push(operation);
        simulated.push(state(&lab.cluster));
    }
    let real = reference.run(&done);
    let at = (0..done.len()).find(|i| real[*i] != simulated[*i])?;
    let mut text = String::new();
    for operation in &done[..=at] {
        let _ = writeln!(text, "{operation}");
    }
    let _ = writeln!(
        text,
        "real:      {:#?}\nsimulated: {:#?}",
        real[at], simulated[at]
    );
    Some(text)
}

/// Takes away operations for as long as there is a difference.
fn smallest(reference: &mut Reference, seed: u64, mut operations: Vec<Operation>) -> String {
    let mut found = difference(reference, seed, &operations).expect("there is one");
    let mut i = 0;
    while i < operations.len() {
        let mut fewer = operations.clone();
        fewer.remove(i);
        match difference(reference, seed, &fewer) {
            Some(text) => (operations, found) = (fewer, text),
            None => i += 1,
        }
    }
    found
}

fn drawn(seed: u64) -> Vec<Operation> {
    let mut rng = Rng::derive(seed, "reference");
    (0..OPERATIONS).map(|_| draw(&mut rng)).collect()
}

#[test]
fn random_operations_end_as_with_the_controllers_of_kubernetes() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/controllers");
    let program = std::env::current_exe().expect("a test is a program");
    let program = program.with_file_name("kubernetes-reference");
    let left_out = "the comparison of the simulated controllers with those of Kubernetes";
    if !go::build(&source, &program, left_out) {
        return;
    }
    let pair = |first: u64| {
        let mut reference = Reference::start(&program);
        (first..SEQUENCES).step_by(PAIRS as usize).find_map(|seed| {
            let operations = drawn(seed);
            difference(&mut reference, seed, &operations)?;
            let text = smallest(&mut reference, seed, operations);
            Some(format!("seed {seed}:\n{text}"))
        })
    };
    let found: Vec<String> = std::thread::scope(|scope| {
        let pairs: Vec<_> = (0..PAIRS).map(|n| scope.spawn(move || pair(n))).collect();
        let ends = pairs
            .into_iter()
            .filter_map(|p| p.join().expect("no panic"));
        ends.collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}
