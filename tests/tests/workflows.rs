//! The workflows: least rights, bounded in time, pinned, one at a time. What they run is held against the parsers by
//! the tests of `xtask` and `firedrill`; here it is made sure that those read every script.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

fn workflows() -> BTreeMap<String, (String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/workflows");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("there are workflows") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let name = path.display().to_string();
        let parsed = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        found.insert(name, (text, parsed));
    }
    assert_eq!(found.len(), 3, "ci, nightly, runbook");
    found
}

fn jobs(workflow: &Value) -> impl Iterator<Item = (&String, &Value)> {
    workflow["jobs"].as_object().expect("jobs").iter()
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().expect("steps").iter()
}

#[test]
fn they_have_least_rights_limits_and_one_run_at_a_time() {
    for (name, (_, workflow)) in workflows() {
        let rights = serde_json::json!({ "contents": "read" });
        assert_eq!(workflow["permissions"], rights, "{name}");
        assert!(workflow["concurrency"]["group"].is_string(), "{name}");
        for (job, what) in jobs(&workflow) {
            assert!(what["timeout-minutes"].is_u64(), "{name}: {job}");
        }
    }
}

#[test]
fn a_comment_is_found_by_its_marker_and_not_by_who_wrote_last() {
    let mut comments = 0;
    for (name, (_, workflow)) in workflows() {
        for (job, what) in jobs(&workflow) {
            for step in steps(what) {
                let run = step["run"].as_str().unwrap_or_default();
                assert!(!run.contains("gh pr comment"), "{name}: {job}: {run}");
                if run.contains("bash comment.sh") {
                    comments += 1;
                    for variable in ["GH_TOKEN", "GH_REPO", "NUMBER", "NAME", "TEXT"] {
                        assert!(
                            step["env"][variable].is_string(),
                            "{name}: {job}: {variable}"
                        );
                    }
                    assert!(
                        run.contains("ref=$BASE"),
                        "the script of the change may not write: {run}"
                    );
                    assert!(step["env"]["BASE"].is_string(), "{name}: {job}");
                }
            }
        }
    }
    assert_eq!(comments, 1);
}

#[test]
fn a_job_that_may_write_runs_nothing_of_the_change() {
    let mut writers = 0;
    for (name, (_, workflow)) in workflows() {
        for (job, what) in jobs(&workflow).filter(|(_, what)| !what["permissions"].is_null()) {
            writers += 1;
            for step in steps(what) {
                let uses = step["uses"].as_str().unwrap_or_default();
                assert!(!uses.starts_with("actions/checkout"), "{name}: {job}");
                let run = step["run"].as_str().unwrap_or_default();
                assert!(!run.contains("cargo"), "{name}: {job}");
            }
        }
    }
    assert_eq!(writers, 1, "the comment");
}

#[test]
fn actions_are_pinned_by_digest_and_leave_no_token_behind() {
    let mut digests: BTreeMap<String, String> = BTreeMap::new();
    for (name, (text, workflow)) in workflows() {
        for (job, what) in jobs(&workflow) {
            for uses in steps(what).filter(|step| step["uses"].is_string()) {
                let action = uses["uses"].as_str().unwrap_or_default();
                let (what, digest) = action.split_once('@').unwrap_or_default();
                // A tag can be moved to other code, a commit can't.
                let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
                let pinned = digest.len() == 40 && digest.chars().all(hexadecimal);
                assert!(pinned, "{name}: {job}: {action} is not pinned by a commit");
                let known = digests
                    .entry(what.to_owned())
                    .or_insert_with(|| digest.to_owned());
                assert_eq!(known, digest, "{name}: {job}: two versions of {what}");
                // People, and what offers updates, read the version beside it.
                let line = format!("uses: {action} # v");
                assert!(
                    text.contains(&line),
                    "{name}: {job}: say which version {action} is"
                );
                if action.starts_with("actions/checkout") {
                    let kept = &uses["with"]["persist-credentials"];
                    assert_eq!(kept, &Value::Bool(false), "{name}: {job}");
                }
            }
        }
    }
}

#[test]
fn every_script_is_one_that_the_readers_of_command_lines_see() {
    for (name, (text, workflow)) in workflows() {
        let parsed = jobs(&workflow)
            .flat_map(|(_, what)| steps(what))
            .filter(|step| step["run"].is_string())
            .count();
        let seen = text
            .lines()
            .filter(|line| {
                let bare = line.trim_start().trim_start_matches("- ");
                let rest = bare.strip_prefix("run: ");
                rest.is_some_and(|rest| rest == "|" || !rest.starts_with(['>', '|', '"', '\'']))
            })
            .count();
        assert_eq!(seen, parsed, "{name}: write `run: |` or plain text");
        assert!(!text.contains("pull_request_target"), "{name}");
    }
}

/// The composite action, for workflows of other repositories.
fn action() -> (String, Value) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/actions/firedrill/action.yml");
    let text = std::fs::read_to_string(path).expect("UTF-8");
    let parsed = serde_saphyr::from_str(&text).expect("YAML");
    (text, parsed)
}

#[test]
fn the_action_runs_scripts_of_its_own_and_takes_inputs_as_variables_only() {
    let (_, action) = action();
    assert_eq!(action["runs"]["using"], "composite");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 4);
    for step in steps {
        let name = &step["name"];
        assert_eq!(step["shell"], "bash", "{name}");
        assert!(
            step["uses"].is_null(),
            "{name}: it depends on no other action"
        );
        let run = step["run"].as_str().expect("a script");
        // What stands in a script is a program. An input must not become a part of one.
        assert!(!run.contains("${{"), "{name}: {run}");
        for script in run.split('/').filter_map(|part| part.split_once(".sh")) {
            let path = format!("../.github/actions/firedrill/{}.sh", script.0);
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            assert!(path.is_file(), "{}", path.display());
        }
    }
}

#[test]
fn every_input_of_the_action_is_described_and_used() {
    let (text, action) = action();
    let inputs = action["inputs"].as_object().expect("inputs");
    assert!(inputs.len() > 5);
    for (name, input) in inputs {
        assert!(input["description"].is_string(), "{name}");
        assert!(
            text.contains(&format!("inputs.{name}")),
            "{name} is not used"
        );
        let is_required = input["required"] == true;
        assert_ne!(is_required, input["default"].is_string(), "{name}");
    }
    for (at, _) in text.match_indices("inputs.") {
        let name: String = text[at + 7..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        assert!(inputs.contains_key(&name), "inputs.{name}");
    }
}
