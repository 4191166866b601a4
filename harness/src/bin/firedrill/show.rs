//! `firedrill show`: everything about one thing.

use firedrill::about::{self, About, Kind};
use firedrill::scenario::catalogue::release_named;
use firedrill::suggest;

use crate::args::{Format, ShowArgs};
use crate::exit::Failure;
use crate::{input, terminal};

/// Runs it; the exit code.
pub(crate) fn run(args: &ShowArgs) -> Result<u8, Failure> {
    let runbook = input::runbook(args.runbook.as_deref(), false)?;
    let (kinds, name) = match args.name.split_once('/') {
        None => (Kind::ALL.to_vec(), args.name.as_str()),
        Some((word, name)) => {
            let words = Kind::ALL.map(Kind::as_str);
            let kind = Kind::named(word).ok_or_else(|| {
                Failure::input(
                    format!("there is no kind of thing called `{word}`"),
                    suggest::help(word, &words),
                )
            })?;
            (vec![kind], name)
        }
    };
    let all: Vec<About> = kinds
        .into_iter()
        .flat_map(|kind| about::all(kind, &runbook))
        .collect();
    let found = named(&all, name);
    if found.is_empty() {
        let known = all.iter().map(|about| about.name.as_str());
        let help = suggest::nearest(name, known).map_or_else(
            || "`firedrill list scenarios`, `list releases`, `list faults` and `list triggers` name what there is".to_owned(),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        return Err(Failure::input(format!("nothing is called `{name}`"), help));
    }
    match args.format {
        Format::Json => terminal::say_json(&found),
        Format::Table => {
            let pages: Vec<String> = found.into_iter().map(about::page).collect();
            let rule = format!("\n{}\n\n", "─".repeat(80));
            terminal::say(pages.join(&rule).trim_end());
        }
    }
    Ok(0)
}

/// What is called `name`; else the release that a scenario means by it, which may be its version alone.
fn named<'a>(all: &'a [About], name: &str) -> Vec<&'a About> {
    let exact: Vec<&About> = all.iter().filter(|about| about.name == name).collect();
    if !exact.is_empty() {
        return exact;
    }
    let release = release_named(name);
    let is_it = |about: &&About| about.kind == Kind::Release && Some(&*about.name) == release;
    all.iter().filter(is_it).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_found_by_its_version() {
        let runbook = input::runbook(None, false).expect("it is built in");
        let all: Vec<About> = Kind::ALL
            .into_iter()
            .flat_map(|kind| about::all(kind, &runbook))
            .collect();
        let names = |name: &str| -> Vec<&str> {
            named(&all, name)
                .iter()
                .map(|about| about.name.as_str())
                .collect()
        };
        assert_eq!(names("1.5.0"), ["1.5.0-slow-path"]);
        assert_eq!(names("1.5.0-slow-path"), ["1.5.0-slow-path"]);
        assert_eq!(names("1.5"), [""; 0]);
        // A scenario is no release.
        assert_eq!(names("latency"), [""; 0]);
    }
}
