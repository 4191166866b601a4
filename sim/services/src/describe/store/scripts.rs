//! The migration files as Flyway names them: `V2__split_the_address.sql`, and `U2__split_the_address.sql` undoes it.

use std::collections::BTreeMap;

use super::model::Script;
use crate::manifests::Object;

/// The files of a ConfigMap, by their version.
#[derive(Default)]
pub(super) struct Scripts {
    /// Those that change the schema.
    pub(super) versioned: BTreeMap<u32, Script>,
    /// Those that undo one.
    pub(super) undo: BTreeMap<u32, Script>,
    /// Names of others that end in `.sql`.
    pub(super) odd: Vec<String>,
    /// Files of a version that another one has, too.
    pub(super) twice: Vec<String>,
}

impl Scripts {
    /// Those of `map`.
    pub(super) fn of(map: &Object) -> Self {
        let mut scripts = Self::default();
        let data = map.at(&["data"]).as_object();
        for (name, text) in data.into_iter().flatten() {
            let Some(stem) = name.strip_suffix(".sql") else {
                continue;
            };
            let script = Script {
                name: name.clone(),
                sql: text.as_str().unwrap_or_default().to_owned(),
            };
            let Some((of, version)) = kind_and_version(stem) else {
                scripts.odd.push(name.clone());
                continue;
            };
            let files = if of == 'V' {
                &mut scripts.versioned
            } else {
                &mut scripts.undo
            };
            if files.insert(version, script).is_some() {
                scripts.twice.push(name.clone());
            }
        }
        scripts
    }
}

/// The highest version of the migration files that a ConfigMap holds; `None`: it holds none, or others beside them.
#[must_use]
pub fn latest_migration(map: &Object) -> Option<u32> {
    let scripts = Scripts::of(map);
    let dangling = |version: &u32| !scripts.versioned.contains_key(version);
    let is_odd = !scripts.odd.is_empty() || !scripts.twice.is_empty();
    if is_odd || scripts.undo.keys().any(dangling) {
        return None;
    }
    scripts.versioned.keys().next_back().copied()
}

/// `V2__split_the_address` is `('V', 2)`.
fn kind_and_version(stem: &str) -> Option<(char, u32)> {
    let kind = stem.chars().next().filter(|it| matches!(it, 'V' | 'U'))?;
    let (version, description) = stem.get(1..)?.split_once("__")?;
    let digits = version.bytes().all(|byte| byte.is_ascii_digit());
    let version = version.parse().ok().filter(|it| digits && *it > 0)?;
    (!description.is_empty()).then_some((kind, version))
}

#[cfg(test)]
mod tests {
    use super::kind_and_version;

    #[test]
    fn files_are_told_apart_by_their_names() {
        assert_eq!(kind_and_version("V2__split"), Some(('V', 2)));
        assert_eq!(kind_and_version("U12__split_it"), Some(('U', 12)));
        for odd in [
            "R__view", "V2", "V2__", "V2.1__x", "V0__x", "V__x", "v2__x", "", "é2__x",
        ] {
            assert_eq!(kind_and_version(odd), None, "{odd}");
        }
    }
}
