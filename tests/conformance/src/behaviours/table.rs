//! The table of all behaviours.

use futures::future::BoxFuture;

use super::Ground;

/// One behaviour, and how it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// What holds, as a name.
    pub name: &'static str,
    /// The source of the rule: a file of Kubernetes 1.34, from the root of `kubernetes` or of the module that the path
    /// begins with, and where it helps the function.
    pub of: &'static str,
    /// Tries it; `Err` says what is otherwise.
    pub body: fn(Ground) -> BoxFuture<'static, Result<(), String>>,
}

/// A row of a table: the function of a body, and the source of its rule.
macro_rules! behaviour {
    ($body:ident, $of:literal) => {
        crate::behaviours::Behaviour {
            name: stringify!($body),
            of: $of,
            body: |on| Box::pin($body(on)),
        }
    };
}
pub(super) use behaviour;

/// All behaviours, by subject.
#[must_use]
pub fn all() -> Vec<Behaviour> {
    [
        super::requests::TABLE,
        super::upkeep::TABLE,
        super::sets::TABLE,
        super::subresources::TABLE,
        super::rollouts::TABLE,
        super::strategic::TABLE,
        super::apply::TABLE,
        super::lists::TABLE,
        super::watches::TABLE,
        super::defaults::TABLE,
        super::pod_defaults::TABLE,
        super::options::TABLE,
        super::validation::TABLE,
        super::deletion::TABLE,
        super::patches::TABLE,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all;

    #[test]
    fn each_has_a_name_of_its_own_and_a_source() {
        let names: BTreeSet<&str> = all().iter().map(|it| it.name).collect();
        assert_eq!(names.len(), all().len());
        assert!(all().iter().all(|it| it.of.contains('/')));
    }
}
