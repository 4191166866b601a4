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
