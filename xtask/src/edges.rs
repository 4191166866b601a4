//! What CI checks of the structure: the edges between the workspace's packages, against what is allowed, the circles of
//! modules inside each, pieces of code that stand in two files, what is too long, and what stands in a `mod.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xshell::Shell;

use crate::firedrill::{manifest, metadata};
use crate::{circles, copies, lengths, mod_files, sources};

/// What each package may depend on in the workspace, to build and to run. A package that is not listed may not
/// exist.
const ALLOWED: [(&str, &[&str]); 14] = [
    // What a text in PromQL says: the executor and the simulated Prometheus read it by the same grammar.
    ("promql", &[]),
    // What an executor and the worlds say to each other: values only.
    ("contract", &[]),
    ("dex", &[]),
    // The system under test knows neither the exchange nor what drills it.
    ("executor", &["promql", "contract"]),
    // The simulated world knows neither what runs in it nor who acts in it.
    ("sim", &["promql"]),
    // The world over HTTP knows no application either.
    ("sim-serve", &["sim"]),
    // An application that a file describes is nobody's in particular.
    ("sim-services", &["contract", "sim"]),
    // The exchange as an application of it runs the exchange's own code.
    ("sim-exchange", &["contract", "dex", "sim"]),
    (
        "firedrill",
        &[
            "promql",
            "contract",
            "dex",
            "executor",
            "sim",
            "sim-exchange",
            "sim-serve",
            "sim-services",
        ],
    ),
    // Broken executors, which nothing that is shipped knows.
    ("mutants", &["executor", "sim-exchange", "firedrill"]),
    (
        "e2e",
        &[
            "dex",
            "executor",
            "sim",
            "sim-exchange",
            "sim-services",
            "firedrill",
            "mutants",
        ],
    ),
    (
        "benches",
        &[
            "dex",
            "executor",
            "sim",
            "sim-exchange",
            "sim-services",
            "firedrill",
        ],
    ),
    // It plays sessions of kubectl on a small cluster without an application.
    ("conformance", &["sim", "sim-serve"]),
    ("xtask", &[]),
];

/// Checks; failure if an edge is forbidden.
pub(crate) fn run(sh: &Shell) -> Result<ExitCode, String> {
    let metadata = metadata(sh)?;
    let found = edges(&metadata)?;
    let mut forbidden = forbidden(&found);
    for (name, src) in directories(&metadata) {
        forbidden.extend(circles::problems(&name, &src)?);
    }
    let manifest = manifest();
    let root = manifest.parent().ok_or("the workspace has no directory")?;
    let sources = sources::all(root)?;
    forbidden.extend(copies::problems(&sources));
    forbidden.extend(lengths::problems(&sources));
    forbidden.extend(mod_files::problems(&sources));
    for problem in &forbidden {
        eprintln!("edges: {problem}");
    }
    if forbidden.is_empty() {
        println!(
            "edges: {} packages know only whom they may, no circle of modules and no copy in {} files is new, none is too long, and each mod.rs only hands on",
            found.len(),
            sources.len()
        );
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "edges: ARCHITECTURE.md says which part may know which and why, and CONTRIBUTING.md has the other rules"
    );
    Ok(ExitCode::FAILURE)
}

/// The packages with sources of their own, and where those are.
fn directories(metadata: &serde_json::Value) -> Vec<(String, PathBuf)> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter_map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            let src = manifest.with_file_name("src");
            let name = package["name"].as_str()?;
            src.is_dir().then(|| (name.to_owned(), src))
        })
        .collect()
}

/// One package and the packages of the workspace that it depends on, in any way (also for its tests).
type Edges = (String, BTreeSet<String>);

fn edges(metadata: &serde_json::Value) -> Result<Vec<Edges>, String> {
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata lists no packages")?;
    let name = |value: &serde_json::Value| value["name"].as_str().map(str::to_owned);
    let own: BTreeSet<String> = packages.iter().filter_map(name).collect();
    packages
        .iter()
        .map(|package| {
            let from = name(package).ok_or("cargo metadata lists a package without a name")?;
            let dependencies = package["dependencies"]
                .as_array()
                .ok_or("cargo metadata lists no dependencies")?;
            // A dependency by path, whatever it is renamed to.
            let to = dependencies
                .iter()
                .filter(|d| d["path"].is_string())
                .filter_map(name)
                .filter(|n| own.contains(n))
                .collect();
            Ok((from, to))
        })
        .collect()
}

fn forbidden(found: &[Edges]) -> Vec<String> {
    let mut problems = Vec::new();
    for (from, to) in found {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == from) else {
            problems.push(format!("package {from} is not in the list of parts"));
            continue;
        };
        for target in to.iter().filter(|t| !allowed.contains(&t.as_str())) {
            problems.push(format!("{from} must not depend on {target}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> serde_json::Value {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|d| serde_json::json!({"name": d, "path": format!("/ws/{d}")}))
            .collect();
        serde_json::json!({"name": name, "dependencies": dependencies})
    }

    fn problems(packages: Vec<serde_json::Value>) -> Vec<String> {
        forbidden(&edges(&serde_json::json!({"packages": packages})).expect("well-formed"))
    }

    #[test]
    fn allowed_edges_pass() {
        let packages = vec![
            package("dex", &[]),
            package("sim", &["promql"]),
            package("sim-exchange", &["dex", "sim"]),
            package("executor", &["promql"]),
            package("firedrill", &["promql", "dex", "executor", "sim"]),
        ];
        assert_eq!(problems(packages), Vec::<String>::new());
    }

    #[test]
    fn forbidden_edges_and_unknown_packages_are_named() {
        let packages = vec![
            package("dex", &[]),
            package("sim", &[]),
            package("executor", &["dex", "sim"]),
            package("extra", &[]),
        ];
        assert_eq!(
            problems(packages),
            [
                "executor must not depend on dex",
                "executor must not depend on sim",
                "package extra is not in the list of parts"
            ]
        );
    }

    #[test]
    fn dependencies_from_a_registry_are_no_edges() {
        let packages = vec![
            package("dex", &[]),
            serde_json::json!({"name": "executor", "dependencies": [{"name": "dex", "path": null}]}),
        ];
        assert_eq!(problems(packages), Vec::<String>::new());
    }

    #[test]
    fn nothing_that_is_shipped_knows_the_mutants() {
        for shipped in ["executor", "firedrill", "xtask"] {
            let found = problems(vec![
                package("mutants", &[]),
                package(shipped, &["mutants"]),
            ]);
            assert_eq!(found, [format!("{shipped} must not depend on mutants")]);
        }
    }

    #[test]
    fn malformed_metadata_is_an_error() {
        assert!(edges(&serde_json::json!({})).is_err());
        assert!(edges(&serde_json::json!({"packages": [{"name": "x"}]})).is_err());
    }
}
