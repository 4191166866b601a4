//! Circles of modules inside a package: none may come to those that are known.
//!
//! A module here is a child of the crate's root with all that is below it. What a file takes from another one is read
//! from its text: every path outside of comments and of the tests at its end that begins with `crate::`, or with as
//! many `super::` as lead from the file to the crate's root.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::sources::without_tests;

/// Arrows that run against the order of a package's modules, each with what it takes. Without them there is no circle.
/// An arrow leaves this list when it is gone, and none is added.
const KNOWN: [(&str, &str, &str); 17] = [
    // A release names its migrations, and a migration the release that it came with.
    ("dex", "migrations", "release"),
    // The log replays into an exchange, which keeps a log.
    ("dex", "order_log", "exchange"),
    // The grammar of a log's stream selector.
    ("executor", "runbook", "steps"),
    // The one error type has the errors of the parts as its sources.
    ("executor", "error", "journal"),
    ("executor", "error", "kubernetes"),
    // The path that the plan takes.
    ("executor", "report", "planner"),
    // How many requests a proof takes.
    ("firedrill", "scenario", "evidence"),
    // In which worlds there is a fault.
    ("firedrill", "scenario", "worlds"),
    // An entry of the timeline.
    ("firedrill", "worlds", "drill"),
    // When a drill that may end early has recovered.
    ("firedrill", "worlds", "oracles"),
    // The token of a plan.
    ("firedrill", "worlds", "token"),
    // A median's interval.
    ("firedrill", "worlds", "verify"),
    // Which drill represents its scenario.
    ("firedrill", "runner", "report"),
    // The verdict of a finding.
    ("firedrill", "oracles", "verdict"),
    ("xtask", "firedrill", "images"),
    ("xtask", "firedrill", "kind"),
    // Where the cluster keeps its state, and which images it has.
    ("xtask", "images", "kind"),
];

/// Modules that do not know each other although they have the same parent: the directory below `src`, and what no file
/// in it may take.
const STRANGERS: [(&str, &str, &str); 4] = [
    ("firedrill", "worlds/sim", "worlds::kind"),
    ("firedrill", "worlds/kind", "worlds::sim"),
    ("firedrill", "worlds/common", "worlds::sim"),
    ("firedrill", "worlds/common", "worlds::kind"),
];

/// Modules that a crate's root hands on from below another one: the package, the name at the root, and where it lives.
const HANDED_ON: [(&str, &str, &str); 1] = [("firedrill", "finding", "oracles")];

/// Arrows of one package: from one module to another.
type Arrows = BTreeSet<(String, String)>;

/// What is wrong with the modules of `package`, whose sources are in `src`.
pub(crate) fn problems(package: &str, src: &Path) -> Result<Vec<String>, String> {
    let mut arrows = Arrows::new();
    let modules = modules(package, src)?;
    each(src, &mut |path, text| {
        let below = path.strip_prefix(src).unwrap_or(path);
        let first = below.iter().next().unwrap_or_default().to_string_lossy();
        let module = first.trim_end_matches(".rs");
        if module != "lib" && module != "main" {
            let homes = taken(text, depth(below)).into_iter();
            let homes = homes.filter(|it| modules.contains(it));
            let others = homes
                .map(|it| home(package, it))
                .filter(|taken| taken != module);
            arrows.extend(others.map(|taken| (module.to_owned(), taken)));
        }
    })?;
    let mut problems = judged(package, arrows, &KNOWN);
    for (_, directory, stranger) in STRANGERS.iter().filter(|(of, ..)| *of == package) {
        each(&src.join(directory), &mut |path, text| {
            if takes(text, stranger) {
                let path = path.display();
                problems.push(format!("{package}: {path} must not know `{stranger}`"));
            }
        })?;
    }
    Ok(problems)
}

/// The names of modules at the crate's root: its children, and what it hands on from below them.
fn modules(package: &str, src: &Path) -> Result<BTreeSet<String>, String> {
    let told = |error: std::io::Error| format!("{}: {error}", src.display());
    let handed_on = HANDED_ON.iter().filter(|(of, ..)| *of == package);
    let mut names: BTreeSet<_> = handed_on.map(|(_, name, _)| (*name).to_owned()).collect();
    for entry in fs::read_dir(src).map_err(told)? {
        let name = entry.map_err(told)?.file_name();
        names.insert(name.to_string_lossy().trim_end_matches(".rs").to_owned());
    }
    Ok(names)
}

/// The child of the crate's root that `module` lives in.
fn home(package: &str, module: String) -> String {
    let mut handed_on = HANDED_ON.iter();
    match handed_on.find(|(of, name, _)| *of == package && *name == module) {
        Some((_, _, home)) => (*home).to_owned(),
        None => module,
    }
}

/// Whether the code takes something of the module at the end of that path, by its whole path or from beside it.
fn takes(text: &str, stranger: &str) -> bool {
    let last = stranger.rsplit("::").next().unwrap_or(stranger);
    let beside = format!("super::{last}::");
    let code = code(text);
    code.contains(&format!("crate::{stranger}::")) || code.contains(&beside)
}

fn judged(package: &str, mut arrows: Arrows, known: &[(&str, &str, &str)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (_, from, to) in known.iter().filter(|(of, ..)| *of == package) {
        if !arrows.remove(&((*from).to_owned(), (*to).to_owned())) {
            problems.push(format!(
                "{package}: `{from}` takes nothing of `{to}` any more; take that out of xtask/src/circles.rs"
            ));
        }
    }
    if let Some(circle) = circle(&arrows) {
        problems.push(format!(
            "{package}: a circle of modules: {}",
            circle.join(" → ")
        ));
    }
    problems
}

/// One circle, if there is any.
fn circle(arrows: &Arrows) -> Option<Vec<String>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        next.entry(from).or_default().push(to);
    }
    let mut done = BTreeSet::new();
    next.keys()
        .find_map(|start| walk(start, &next, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    at: &'a str,
    next: &BTreeMap<&'a str, Vec<&'a str>>,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    if let Some(began) = path.iter().position(|it| *it == at) {
        let circle = path[began..].iter().chain([&at]);
        return Some(circle.map(|it| (*it).to_owned()).collect());
    }
    if !done.insert(at) {
        return None;
    }
    path.push(at);
    let found = next
        .get(at)
        .into_iter()
        .flatten()
        .find_map(|to| walk(to, next, path, done));
    path.pop();
    found
}

/// Looks at each source of the library below `directory`.
fn each(directory: &Path, look: &mut dyn FnMut(&Path, &str)) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", directory.display());
    for entry in fs::read_dir(directory).map_err(told)? {
        let path = entry.map_err(told)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            // Programs are on top of their library, and tests may take anything.
            if name != "bin" && name != "tests" {
                each(&path, look)?;
            }
            continue;
        }
        if !name.ends_with(".rs") || name == "tests.rs" {
            continue;
        }
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        look(&path, &text);
    }
    Ok(())
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let lines = without_tests(text)
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// How far the module of a file is below the crate's root. `below` is the file's path from `src`.
fn depth(below: &Path) -> usize {
    let has_its_directory = below.ends_with("mod.rs");
    below.iter().count() - usize::from(has_its_directory)
}

/// The code with every path that climbs to the crate's root by `super::` written from `crate::`.
fn from_the_root(code: &str, depth: usize) -> String {
    let climb = "super::".repeat(depth);
    let mut absolute = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(&climb) {
        let (before, after) = rest.split_at(at);
        absolute.push_str(before);
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        absolute.push_str(if is_whole { "crate::" } else { &climb });
        rest = &after[climb.len()..];
    }
    absolute.push_str(rest);
    absolute
}

/// The names at the root of its own crate that a file takes something of, whose module is `depth` below the crate's
/// root.
fn taken(text: &str, depth: usize) -> BTreeSet<String> {
    let code = from_the_root(&code(text), depth);
    let mut found = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(heads(group)),
            None => found.extend(head(rest)),
        }
    }
    found
}

/// The name that a path begins with.
fn head(path: &str) -> Option<String> {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| path[..end].to_owned())
}

/// The names that the paths of a group begin with.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut begins, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.extend(head(group[begins..=at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(head(group[begins..=at].trim_start()));
                begins = at + 1;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrows(of: &[(&str, &str)]) -> Arrows {
        let owned = of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect()
    }

    #[test]
    fn what_a_file_takes_is_read_from_its_code() {
        let text = "//! [x](crate::comment::X)\nuse crate::a::A;\nuse crate::{b::{C, D}, e::F, Root};\nuse my_crate::no;\n\
            fn f() { crate::g::h(); crate::root() }\n#[cfg(test)]\nmod tests {\n    use crate::z::Z;\n}\n";
        let found = taken(text, 1);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["Root", "a", "b", "e", "g", "root"]);
    }

    #[test]
    fn a_path_that_climbs_to_the_root_is_taken_from_there() {
        let text = "use super::super::{a::A, b};\nuse super::beside::C;\nfn f() { super::super::d::e() }\n";
        let found = |path: &str| Vec::from_iter(taken(text, depth(Path::new(path))));
        assert_eq!(found("x/y.rs"), ["a", "b", "d"]);
        assert_eq!(found("x/y/mod.rs"), ["a", "b", "d"]);
        assert!(found("x/y/z.rs").is_empty());
        let beside = taken("use super::a;\n", depth(Path::new("x.rs")));
        assert_eq!(Vec::from_iter(beside), ["a"]);
    }

    #[test]
    fn a_circle_is_named_and_what_is_known_is_no_problem() {
        let circular = arrows(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]);
        let problems = judged("p", circular.clone(), &[]);
        assert_eq!(problems, ["p: a circle of modules: a → b → c → a"]);
        assert!(judged("p", circular.clone(), &[("p", "c", "a")]).is_empty());
        assert_eq!(judged("p", circular, &[("other", "c", "a")]).len(), 1);
    }

    #[test]
    fn what_the_root_hands_on_is_taken_of_where_it_lives() {
        assert_eq!(home("firedrill", "finding".to_owned()), "oracles");
        assert_eq!(home("firedrill", "stats".to_owned()), "stats");
        assert_eq!(home("dex", "finding".to_owned()), "finding");
    }

    #[test]
    fn siblings_that_do_not_know_each_other_take_nothing() {
        assert!(takes(
            "use crate::worlds::sim::harvest::pairs;\n",
            "worlds::sim"
        ));
        assert!(takes("use super::super::sim::watcher;\n", "worlds::sim"));
        assert!(!takes(
            "// crate::worlds::sim::x\nuse sim::time::Micros;\n",
            "worlds::sim"
        ));
    }

    #[test]
    fn an_arrow_that_is_gone_must_leave_the_list() {
        let problems = judged("p", arrows(&[("a", "b")]), &[("p", "b", "a")]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("any more"), "{}", problems[0]);
    }
}
