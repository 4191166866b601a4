//! An error and what caused it, in one line.

use std::error::Error;
use std::fmt::Write as _;

/// The text of `error`, and after it that of each error that caused it, with `: ` between them.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String can't fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_causes;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Failed {
        what: &'static str,
        source: Option<Box<Failed>>,
    }

    #[test]
    fn every_cause_is_named_once_and_in_its_order() {
        let failed = |what, source| Failed { what, source };
        let root = failed("no such column", None);
        let middle = failed("the query failed", Some(Box::new(root)));
        let text = with_causes(&failed("the rows were not read", Some(Box::new(middle))));
        assert_eq!(
            text,
            "the rows were not read: the query failed: no such column"
        );
    }
}
