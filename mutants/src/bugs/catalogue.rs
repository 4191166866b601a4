//! All bugs, and two executors that show whether the hunt can be believed.

use async_trait::async_trait;
use bytes::Bytes;
use executor::ports::HttpError;
use http::{Response, StatusCode};

use super::{exclusion, host, ledger, observability, reads, writes};
use crate::bug::{Bug, How, Row};
use crate::patches::{PatchError, patches};
use crate::ports::{Asker, QueryServer, Question, asked};

/// All bugs: those that bent ports make, then those that are patches.
///
/// # Errors
/// The first mistake in the patches' files.
pub fn all() -> Result<Vec<Bug>, PatchError> {
    let rows: [&[Row]; 6] = [
        writes::ROWS,
        reads::ROWS,
        exclusion::ROWS,
        ledger::ROWS,
        observability::ROWS,
        host::ROWS,
    ];
    let mut bugs: Vec<Bug> = rows.into_iter().flatten().map(Bug::from).collect();
    bugs.extend(patches()?.into_iter().map(|patch| Bug {
        name: patch.name,
        what: patch.what,
        stresses: patch.stresses,
        masked: patch.masked,
        how: How::Patched,
    }));
    Ok(bugs)
}

/// Prometheus and Loki refuse every question.
struct Refusing;

#[async_trait]
impl Asker for Refusing {
    async fn ask(&self, _: Question, _: &QueryServer) -> Result<Response<Bytes>, HttpError> {
        let mut answer = Response::new(Bytes::from_static(b"refused"));
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        Ok(answer)
    }
}

/// An executor that fails in every drill in which anything is to be rolled back:
/// a hunt that does not catch it is worth nothing.
#[must_use]
pub fn canary() -> Bug {
    Bug {
        name: "canary".to_owned(),
        what: "every question to Prometheus and Loki is refused".to_owned(),
        stresses: vec!["trigger".to_owned()],
        masked: None,
        how: How::Bent(|_, ports| asked(ports, Refusing)),
    }
}

/// The executor as it is: a hunt that catches it raises false alarms.
#[must_use]
pub fn sound() -> Bug {
    Bug {
        name: "sound".to_owned(),
        what: "nothing is wrong".to_owned(),
        stresses: vec!["trigger".to_owned()],
        masked: None,
        how: How::Bent(|_, ports| ports),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_sixty_bugs_at_least_and_each_has_a_name_of_its_own() {
        let bugs = all().expect("the patches read");
        assert!(bugs.len() >= 60, "{}", bugs.len());
        let names: BTreeSet<&str> = bugs.iter().map(|bug| bug.name.as_str()).collect();
        assert_eq!(names.len(), bugs.len());
        for bug in &bugs {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(bug.name.chars().all(kebab), "{}", bug.name);
            assert!(!bug.stresses.is_empty(), "{}", bug.name);
        }
    }

    #[test]
    fn every_word_that_orders_the_drills_is_in_a_scenario() {
        use firedrill::scenario::BUILT_IN;
        for bug in all().expect("the patches read") {
            for word in &bug.stresses {
                let mut texts = BUILT_IN.iter();
                assert!(
                    texts.any(|it| it.text.contains(word)),
                    "{}: {word}",
                    bug.name
                );
            }
        }
    }
}
