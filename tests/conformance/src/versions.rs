//! What older programs print otherwise than kubectl 1.34, with which the session was recorded, although the server
//! answers all of them the same. It is all said here, with its place in the source of `k8s.io/kubectl`. Where anything
//! else differs, the server is at fault.

/// The minor version of the kubectl that the session was recorded with.
pub const RECORDED_WITH: u32 = 34;
/// The oldest minor version that the session can be played with.
pub const OLDEST: u32 = 31;

/// Something that a kubectl prints otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The minor version since which kubectl prints what the session has.
    pub since: u32,
    /// What does not count for an older one.
    pub rule: Rule,
}

/// What does not count.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Of a line that is like this regular expression, only its first group counts.
    Lacks(&'static str),
    /// The order of the lines that the command prints which begins so.
    AnyOrder(&'static str),
}

/// All differences.
pub const DIFFERENCES: [Difference; 3] = [
    // `describe` names ports: pkg/describe/describe.go, `describeContainerPorts` and `describeContainerHostPorts`.
    Difference {
        since: 34,
        rule: Rule::Lacks(r"^(\s*(?:Host )?Port:\s+\d+/(?:TCP|UDP|SCTP)) \([a-z0-9-]+\)$"),
    },
    // `delete` names the namespace: pkg/cmd/delete/delete.go, `PrintObj`.
    Difference {
        since: 34,
        rule: Rule::Lacks(r#"^(.*" deleted) from \S+ namespace$"#),
    },
    // `describe` sorts the keys of a ConfigMap: pkg/describe/describe.go, `ConfigMapDescriber`. An older one goes
    // through a Go map, whose order is another one in each run.
    Difference {
        since: 34,
        rule: Rule::AnyOrder("kubectl describe configmap "),
    },
];

/// What does not count for a kubectl of version 1.`minor`.
pub fn rules(minor: u32) -> impl Iterator<Item = Rule> {
    let older = DIFFERENCES.iter().filter(move |it| minor < it.since);
    older.map(|it| it.rule)
}

/// Whether the session can be played with version 1.`minor`.
///
/// # Errors
/// Says which versions it can be played with.
pub fn check(minor: u32) -> Result<(), String> {
    if (OLDEST..=RECORDED_WITH).contains(&minor) {
        return Ok(());
    }
    Err(format!(
        "the session can be played with kubectl 1.{OLDEST} to 1.{RECORDED_WITH}, and this one is of version 1.{minor}: \
         name another one by `--kubectl`"
    ))
}

#[cfg(test)]
mod tests {
    use super::{OLDEST, RECORDED_WITH, check, rules};

    #[test]
    fn nothing_is_passed_over_for_the_version_that_recorded_the_session() {
        assert_eq!(rules(RECORDED_WITH).count(), 0);
        assert!(rules(OLDEST).count() > 0);
    }

    #[test]
    fn versions_that_nobody_looked_at_are_refused() {
        assert!(check(OLDEST).is_ok() && check(RECORDED_WITH).is_ok());
        let why = check(OLDEST - 1).expect_err("too old");
        assert!(
            why.contains("1.31 to 1.34") && why.contains("1.30:"),
            "{why}"
        );
        assert!(check(RECORDED_WITH + 1).is_err());
    }
}
