//! Text files that the command line names, and standard input.

use std::path::Path;

use executor::read_text;

use crate::exit::Failure;

/// The path that stands for standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

/// What a file is called in messages.
pub(crate) fn called(path: &Path) -> String {
    if path == Path::new(STANDARD_INPUT) {
        return "standard input".to_owned();
    }
    path.display().to_string()
}

/// Reads a text file, or standard input where `path` is `-`.
pub(crate) fn read(path: &Path, what: &str) -> Result<String, Failure> {
    let file = if path == Path::new(STANDARD_INPUT) {
        Path::new("/dev/stdin")
    } else {
        path
    };
    read_text(file).map_err(|error| {
        Failure::input(
            format!("cannot read the {what} {}: {error}", called(path)),
            format!("give the path of a readable text file in UTF-8 that holds a {what}"),
        )
    })
}
