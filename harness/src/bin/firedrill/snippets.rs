//! Mistakes in files whose lines are too long to be shown: their places are named, and no line is drawn.

use std::fmt::Write as _;

use miette::{Diagnostic, LabeledSpan, SourceCode};

/// The longest line that is drawn, in bytes. Nobody finds a place in a longer one, and the library that draws them
/// counts no more than 65,535 columns.
const DRAWN_MAX: usize = 1_000;

/// How many lines are drawn around a place.
const AROUND: usize = 1;

/// `report` without any line of its files, each place named, if a line that would be drawn is too long.
pub(crate) fn without(report: &dyn Diagnostic) -> Option<String> {
    is_too_wide(report, None).then(|| {
        let mut out = String::new();
        write_plainly(&mut out, report, None);
        out.trim_end().to_owned()
    })
}

/// Whether a line around a place of `report` is too long to be drawn. `above` is the file of what it is a part of.
fn is_too_wide(report: &dyn Diagnostic, above: Option<&dyn SourceCode>) -> bool {
    let source = report.source_code().or(above);
    let wide = |label: LabeledSpan| {
        let read = source.map(|it| it.read_span(label.inner(), AROUND, AROUND));
        read.and_then(Result::ok).is_some_and(|read| {
            let mut lines = read.data().split(|byte| *byte == b'\n');
            // The first line may begin in the middle.
            read.column() > DRAWN_MAX || lines.any(|line| line.len() > DRAWN_MAX)
        })
    };
    report.labels().into_iter().flatten().any(wide)
        || report
            .related()
            .into_iter()
            .flatten()
            .any(|it| is_too_wide(it, source))
}

fn write_plainly(out: &mut String, report: &dyn Diagnostic, above: Option<&dyn SourceCode>) {
    let source = report.source_code().or(above);
    // Writing to a string does not fail.
    let _ = writeln!(out, "error: {report}");
    for label in report.labels().into_iter().flatten() {
        let read = source.map(|it| it.read_span(label.inner(), 0, 0));
        if let Some(read) = read.and_then(Result::ok) {
            let (line, column) = (read.line() + 1, read.column() + 1);
            let _ = write!(out, "  at {}:{line}:{column}", read.name().unwrap_or("?"));
            let what = label.label().map(|it| format!(": {it}"));
            let _ = writeln!(out, "{}", what.unwrap_or_default());
        }
    }
    if let Some(help) = report.help() {
        let _ = writeln!(out, "  help: {help}");
    }
    for it in report.related().into_iter().flatten() {
        write_plainly(out, it, source);
    }
}

#[cfg(test)]
mod tests {
    use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};

    use super::without;

    fn report(text: String, at: usize) -> Report {
        let mistake = MietteDiagnostic::new("this is no number")
            .with_label(LabeledSpan::at(at..at + 1, "here"))
            .with_help("write a number");
        Report::new(mistake).with_source_code(NamedSource::new("wide.toml", text))
    }

    #[test]
    fn a_mistake_far_to_the_right_is_named_and_its_line_is_not_drawn() {
        let text = format!("a = 1\nb = \"{}\" x\n", "-".repeat(70_000));
        let at = text.len() - 2;
        let shown = without(report(text, at).as_ref()).expect("the line is long");
        assert_eq!(
            shown,
            "error: this is no number\n  at wide.toml:2:70008: here\n  help: write a number"
        );
        // A line next to it is drawn, too.
        let text = format!("a = x\n# {}\n", "-".repeat(70_000));
        assert!(without(report(text, 4).as_ref()).is_some());
        assert_eq!(without(report("a = x\n".to_owned(), 4).as_ref()), None);
    }
}
