//! What workflows and documents tell people to type is understood.

use clap::{CommandFactory as _, Parser as _};

use crate::args::Cli;

#[path = "../../../../xtask/src/command_lines.rs"]
mod command_lines;

/// Commands of this program that are written about ahead of the change that brings them.
const AWAITED: [&[&str]; 2] = [&["report"], &["runbook", "verify"]];

fn is_missing(words: &[&str]) -> bool {
    let mut at = Cli::command();
    for word in words {
        match at.find_subcommand(word) {
            Some(found) => at = found.clone(),
            None => return true,
        }
    }
    false
}

#[test]
fn every_command_line_in_workflows_and_documents_is_understood() {
    let others = ["kind", "images", "ci", "edges"];
    let mut seen = 0;
    for line in command_lines::beginning_with("cargo xtask") {
        let awaited = AWAITED.iter().any(|path| {
            line.words.len() >= path.len()
                && line.words.iter().zip(*path).all(|(a, b)| a == b)
                && is_missing(path)
        });
        if awaited
            || line
                .words
                .first()
                .is_none_or(|word| others.contains(&word.as_str()))
        {
            continue;
        }
        seen += 1;
        let words = std::iter::once("firedrill".to_owned()).chain(line.words);
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{}: {error}", line.place);
        }
    }
    assert!(seen > 6, "only {seen}");
}
