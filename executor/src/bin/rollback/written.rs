//! What documents tell people to type is understood.

use clap::Parser as _;

use crate::arguments::Arguments;

#[path = "../../../../xtask/src/command_lines.rs"]
mod command_lines;

#[test]
fn every_command_line_in_documents_is_understood() {
    let written = command_lines::beginning_with("rollback");
    assert!(written.len() > 5, "{written:?}");
    for line in written {
        let words = std::iter::once("rollback".to_owned()).chain(line.words);
        if let Err(error) = Arguments::try_parse_from(words) {
            panic!("{}: {error}", line.place);
        }
    }
}

#[test]
fn the_arguments_of_the_jobs_are_understood() {
    let folder = command_lines::root().join("deploy/executor");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("it is there").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("UTF-8");
        let lines = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("args: ["));
        for words in lines.filter_map(|rest| rest.strip_suffix(']')) {
            let words = std::iter::once("rollback").chain(words.split(", "));
            if let Err(error) = Arguments::try_parse_from(words) {
                panic!("{}: {error}", entry.path().display());
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 3, "prepare, watch, resume");
}
