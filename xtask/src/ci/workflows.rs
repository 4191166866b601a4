//! The lint of the GitHub workflows, by actionlint where it is installed.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// Lints those below `root`; whether it passed, or why it could not be done.
pub(super) fn lint(root: &Path) -> Result<bool, String> {
    println!("ci: workflows");
    match Command::new("actionlint").current_dir(root).status() {
        Ok(status) => Ok(status.success()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(
            "workflows: actionlint is not installed; go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
                .to_owned(),
        ),
        Err(error) => Err(format!("workflows: cannot run actionlint: {error}")),
    }
}
