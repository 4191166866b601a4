//! What workflows and documents tell people to type is understood.

use clap::Parser as _;

use crate::args::Cli;

#[path = "../../../../xtask/src/command_lines.rs"]
mod command_lines;

#[test]
fn every_command_line_in_workflows_and_documents_is_understood() {
    let others = ["kind", "images", "dist", "ci", "edges", "conformance"];
    let mut seen = 0;
    for line in command_lines::beginning_with("cargo xtask") {
        let task = line.words.first();
        if task.is_none_or(|word| others.contains(&word.as_str())) {
            continue;
        }
        seen += 1;
        let words = std::iter::once("firedrill".to_owned()).chain(line.words);
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{}: {error}", line.place);
        }
    }
    assert!(seen > 10, "only {seen}");
}
