//! Changes of the runbook as cases: how they are made, judged and read.

use std::sync::atomic::AtomicBool;

use e2e::drills::scenarios;
use firedrill::runbooks::BUILT_IN;
use firedrill::verify::{
    Answer, Judgement, Question, Reason, Remedy, RunbookSide, Runs, Terms, details, markdown, text,
    verify,
};
use firedrill::worlds::WorldKind;

/// Few seeds, and terms that so few can meet: six pairs that pass show that new failures are rarer than 40 %.
pub(crate) const SEEDS: u64 = 2;
pub(crate) const TERMS: Terms = Terms {
    margin: firedrill::verify::Margin {
        least: std::time::Duration::from_secs(3),
        percent: 10,
    },
    new_failures_max_ppm: 400_000,
    pairs_min: 2,
    shrink_budget: 1,
};

/// A change of the runbook, and what must come of it.
pub(crate) struct Case {
    name: &'static str,
    candidate: String,
    answer: Answer,
    /// Must be in the output.
    says: &'static str,
}

/// The attributes of step `name` with `from` replaced.
pub(crate) fn attribute(name: &str, from: &str, to: &str) -> String {
    attribute_of(BUILT_IN, name, from, to)
}

pub(crate) fn attribute_of(text: &str, name: &str, from: &str, to: &str) -> String {
    let at = text.find(&format!("\"name\":\"{name}\"")).expect(name);
    let end = at + text[at..].find('\n').expect("a line ends");
    let line = &text[at..end];
    assert!(line.contains(from), "{name} no longer has {from}");
    format!("{}{}{}", &text[..at], line.replace(from, to), &text[end..])
}

/// The command of step `name` with `from` replaced.
pub(crate) fn in_block(name: &str, from: &str, to: &str) -> String {
    let at = BUILT_IN.find(&format!("\"name\":\"{name}\"")).expect(name);
    let end = at + BUILT_IN[at..].find("\n```\n").expect("a fence is closed");
    let block = &BUILT_IN[at..end];
    assert!(block.contains(from), "{name} no longer has {from}");
    let (head, tail) = (&BUILT_IN[..at], &BUILT_IN[end..]);
    format!("{head}{}{tail}", block.replace(from, to))
}

pub(crate) fn case(
    name: &'static str,
    candidate: String,
    answer: Answer,
    says: &'static str,
) -> Case {
    Case {
        name,
        candidate,
        answer,
        says,
    }
}

pub(crate) fn read(text: &str) -> RunbookSide {
    RunbookSide::parse("candidate.md", text).unwrap_or_else(|e| panic!("{}", e.plain()))
}

pub(crate) fn judge(
    baseline: &str,
    candidate: &str,
    names: &[&str],
    runs: &mut Runs<'_>,
) -> Judgement {
    let question = Question {
        baseline: read(baseline),
        candidate: read(candidate),
        reference: None,
        scenarios: scenarios(names),
        seeds: 3..3 + SEEDS,
        terms: TERMS,
    };
    verify(&question, runs).expect("the simulated world builds")
}

/// The answer fits on a screen of 80 columns and 24 lines, begins with itself, and says nothing twice.
#[track_caller]
pub(crate) fn assert_readable(name: &str, judgement: &Judgement) {
    let said = text(judgement);
    let is_token = |line: &&str| line.contains("fd1-");
    let lines: Vec<&str> = said.lines().filter(|line| !is_token(line)).collect();
    assert!(
        said.starts_with(judgement.answer.as_str()),
        "{name}:\n{said}"
    );
    assert!(lines.len() <= 24, "{name}: {} lines\n{said}", lines.len());
    let wide = lines.iter().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None, "{name}:\n{said}");
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in flat.split(". ").flat_map(|s| s.split(" - ")) {
        let twice = sentence.len() > 20 && flat.matches(sentence).count() > 1;
        assert!(!twice, "{name} says twice: {sentence}\n{said}");
    }
    let seeds = flat.matches(" would be enough").count();
    assert!(seeds <= 1, "{name}: {seeds} numbers of seeds\n{said}");
    let remedies = flat.matches("→").count();
    assert!(remedies <= 1, "{name}: {remedies} remedies\n{said}");
    // Seeds are enough only where nothing else is wanting.
    let says = |it: &Reason| matches!(it.remedy, Some(Remedy::Say(_)));
    if seeds == 1 {
        assert!(!judgement.reasons.iter().any(says), "{name}:\n{said}");
    }
}

#[track_caller]
pub(crate) fn assert_all(names: &[&str], cases: Vec<Case>) {
    let stop = AtomicBool::new(false);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runs = Runs::new(WorldKind::Sim, jobs, &stop, &|| {});
    let mut wrong = Vec::new();
    for case in cases {
        let judgement = judge(BUILT_IN, &case.candidate, names, &mut runs);
        let said = format!("{}\n\n{}", text(&judgement), details(&judgement));
        let flat: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        if judgement.answer != case.answer || !flat.contains(case.says) {
            wrong.push(format!(
                "--- {}: expected {} and {:?}\n{said}",
                case.name, case.answer, case.says
            ));
        }
        assert_readable(case.name, &judgement);
        assert!(markdown(&judgement).starts_with(&format!("## {}", judgement.answer)));
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}
