//! The drills on a real cluster, as CI runs them: images are made while everything else is checked, then each default
//! scenario is drilled once, and once more if it does not pass: a passing disturbance of a real cluster rarely comes
//! twice. A scenario that passed only then is named. What the machine can't show is said, and never counted as passed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::firedrill;
use crate::kind::state_directory;

/// CI must be over within an hour.
const WHOLE: Duration = minutes(60);
/// What the tests take that come afterwards.
const TESTS: Duration = minutes(20);
/// What a world to drill in takes before the first drill.
const WORLD: Duration = minutes(2);
/// What a drill takes.
const DRILL: Duration = minutes(5);
/// What failed is drilled once more within this time, even if CI takes longer than an hour by that.
const REPEAT_WITHIN: Duration = minutes(45);

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// The making of the images, under way.
pub(super) struct Images {
    child: Child,
    log: PathBuf,
}

/// Begins to provide Docker and the images, in a process of its own; why not, if it can't.
pub(super) fn provide() -> Result<Images, String> {
    if !cfg!(target_os = "linux") {
        return Err("kind drills need Linux".to_owned());
    }
    let log = state_directory()?.join("ci-images.log");
    let to = |error: std::io::Error| format!("{}: {error}", log.display());
    let out = File::create(&log).map_err(to)?;
    let err = out.try_clone().map_err(to)?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    // From a registry if there is one, else from packages; then the exchange's own.
    let script = "\"$0\" images || \"$0\" images --from-packages && exec \"$0\" images dex";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(this)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|error| format!("cannot run sh: {error}"))?;
    Ok(Images { child, log })
}

impl Images {
    fn wait(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(8).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Err(format!(
            "Docker or its images can't be had here (all of it: {}):\n{}",
            self.log.display(),
            last.join("\n")
        ))
    }
}

/// What came of the drills.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Drilled {
    pub(super) passed: usize,
    /// Passed when they were repeated, after they had not.
    pub(super) repeated: Vec<String>,
    /// With what the drill's oracles found.
    pub(super) failed: Vec<String>,
    /// Not shown, by the fault of this machine; with the reason.
    pub(super) left_out: Vec<String>,
}

/// Drills with `program`; `since_start` says how long CI has been at work.
pub(super) fn drill(
    sh: &Shell,
    program: &Path,
    images: Result<Images, String>,
    since_start: impl Fn() -> Duration,
) -> Result<Drilled, String> {
    let mut drilled = Drilled::default();
    if let Err(why) = images.and_then(Images::wait) {
        drilled.left_out.push(why);
        return Ok(drilled);
    }
    let defaults = defaults(sh, program)?;
    let (begun, left_out) = chosen(&defaults, since_start(), today());
    let after = since_start().as_secs() / 60;
    for scenario in left_out {
        let why = format!("{scenario}: no time left for it after {after} minutes");
        drilled.left_out.push(why);
    }
    if begun.is_empty() {
        return Ok(drilled);
    }
    let mut found = match chaos(sh, program, &begun, "ci-kind") {
        Ok(found) => found,
        Err(why) => {
            drilled
                .left_out
                .push(format!("no world to drill in: {why}"));
            return Ok(drilled);
        }
    };
    let after = since_start();
    let again = found.iter().filter(|(_, shown)| is_repeated(shown, after));
    let again: Vec<String> = again.map(|(scenario, _)| scenario.clone()).collect();
    if !again.is_empty() {
        println!("ci: once more, as they did not pass: {}", again.join(", "));
        found.extend(chaos(sh, program, &again, "ci-kind-again")?);
        let passed = again
            .iter()
            .filter(|s| found.get(*s) == Some(&Shown::Passed));
        drilled.repeated = passed.cloned().collect();
    }
    for (scenario, shown) in found {
        match shown {
            Shown::Passed => drilled.passed += 1,
            Shown::Nothing(why) => drilled.left_out.push(format!("{scenario}: {why}")),
            Shown::Failed(why) => drilled.failed.push(format!("{scenario}: {why}")),
        }
    }
    Ok(drilled)
}

/// The scenarios that `program` drills where none is named.
fn defaults(sh: &Shell, program: &Path) -> Result<Vec<String>, String> {
    let listed = cmd!(sh, "{program} list scenarios --format json").quiet();
    by_default(&listed.read().map_err(|error| error.to_string())?)
}

/// The names of those in a `list` of scenarios that run where none is named: they have a fact `runs`.
fn by_default(list: &str) -> Result<Vec<String>, String> {
    let list: Value = serde_json::from_str(list).map_err(|error| error.to_string())?;
    let runs = |scenario: &&Value| {
        let mut facts = scenario["facts"].as_array().into_iter().flatten();
        facts.any(|fact| fact["of"] == "runs")
    };
    let defaults = list.as_array().into_iter().flatten().filter(runs);
    let names: Vec<String> = defaults
        .filter_map(|it| Some(it["name"].as_str()?.to_owned()))
        .collect();
    if names.is_empty() {
        return Err("the program lists no scenario that it drills by default".to_owned());
    }
    Ok(names)
}

/// Which of the scenarios are drilled on this `day`, and which are left out, where CI began `since_start` ago: as many
/// as are over within the hour. Each day begins with another one, so that all are drilled in the course of time.
fn chosen(scenarios: &[String], since_start: Duration, day: usize) -> (Vec<String>, Vec<String>) {
    let left = WHOLE.saturating_sub(since_start + TESTS + WORLD);
    let fit = usize::try_from(left.as_secs() / DRILL.as_secs()).unwrap_or(usize::MAX);
    let mut begun = scenarios.to_vec();
    begun.rotate_left(day % scenarios.len().max(1));
    let left_out = begun.split_off(fit.min(begun.len()));
    (begun, left_out)
}

/// The number of today since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "which scenarios are drilled in CI changes with the real day"
)]
fn today() -> usize {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let days = since.unwrap_or_default().as_secs() / (24 * 60 * 60);
    usize::try_from(days).unwrap_or_default()
}

/// What one drill showed.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Passed,
    /// It failed, or it was inconclusive and this machine is not to blame. What the oracles found is in words.
    Failed(String),
    /// It was inconclusive, and this machine is to blame; in words.
    Nothing(String),
}

/// Whether what a drill showed is reason to drill once more, where CI began `since_start` ago. Where this machine is to
/// blame, the next drill often shows nothing either, so it is tried only if it is over within the hour.
fn is_repeated(shown: &Shown, since_start: Duration) -> bool {
    match shown {
        Shown::Passed => false,
        Shown::Failed(_) => since_start < REPEAT_WITHIN,
        Shown::Nothing(_) => since_start + DRILL + TESTS <= WHOLE,
    }
}

/// Drills `scenarios`; by scenario, what each showed.
fn chaos(
    sh: &Shell,
    program: &Path,
    scenarios: &[String],
    report: &str,
) -> Result<BTreeMap<String, Shown>, String> {
    let report = state_directory()?.join(report);
    // An old report must not be taken for this one's.
    let _ = std::fs::remove_dir_all(&report);
    let mut args: Vec<OsString> = scenarios.iter().map(OsString::from).collect();
    args.extend(["--world", "kind", "--report"].map(OsString::from));
    args.push(report.clone().into_os_string());
    let code = firedrill::run_built(sh, program, "chaos", &args)?;
    let path = report.join("journal.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => shown(&text).map_err(|error| format!("{}: {error}", path.display())),
        // The world could not be built, or the input is bad: there is no journal.
        Err(error) => Err(format!(
            "{code:?}, and no journal: {}: {error}",
            path.display()
        )),
    }
}

fn shown(journal: &str) -> Result<BTreeMap<String, Shown>, String> {
    let journal: Value = serde_json::from_str(journal).map_err(|error| error.to_string())?;
    let drills = journal["drills"].as_array().ok_or("it has no drills")?;
    drills
        .iter()
        .map(|drill| {
            let scenario = drill["scenario"]
                .as_str()
                .ok_or("a drill has no scenario")?;
            let shown = match (drill["verdict"].as_str(), host(drill)) {
                (Some("pass"), _) => Shown::Passed,
                (Some("inconclusive"), Some(why)) => Shown::Nothing(why),
                _ => Shown::Failed(found(drill)),
            };
            Ok((scenario.to_owned(), shown))
        })
        .collect()
}

/// What the oracle `host` says, if it is it that withholds judgement.
fn host(drill: &Value) -> Option<String> {
    let mut reasons = not_passed(drill)
        .filter(|(oracle, verdict, _)| (*oracle, *verdict) == ("host", "inconclusive"));
    reasons.next().map(|(_, _, reason)| reason.to_owned())
}

/// What the oracles that did not pass found.
fn found(drill: &Value) -> String {
    let found =
        not_passed(drill).map(|(oracle, verdict, reason)| format!("{oracle} {verdict}: {reason}"));
    let found: Vec<String> = found.collect();
    found.join("; ")
}

/// The findings that are no pass: the oracle, its verdict and its reason.
fn not_passed(drill: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let findings = drill["findings"].as_array().into_iter().flatten();
    findings.filter_map(|finding| {
        let verdict = finding["verdict"].as_str().filter(|it| *it != "pass")?;
        Some((
            finding["oracle"].as_str()?,
            verdict,
            finding["reason"].as_str()?,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::{Shown, by_default, chosen, is_repeated, minutes, shown};

    #[test]
    fn the_scenarios_that_run_where_none_is_named_are_taken_from_the_list() {
        let list = r#"[{"name": "a", "facts": [{"of": "file", "is": "x"}, {"of": "runs", "is": "y"}]},
            {"name": "b", "facts": [{"of": "file", "is": "x"}]}, {"name": "c"}]"#;
        assert_eq!(by_default(list).expect("a list"), ["a"]);
        for none in ["", "[]", "{}", r#"[{"name": "b"}]"#] {
            assert!(by_default(none).is_err(), "{none}");
        }
    }

    #[test]
    fn as_many_drills_are_begun_as_end_within_the_hour_and_each_has_its_day() {
        let all = ["a", "b", "c"].map(str::to_owned);
        let begun = |since_start, day| chosen(&all, minutes(since_start), day).0.join("");
        assert_eq!(begun(23, 0), "abc");
        assert_eq!(begun(24, 0), "ab");
        assert_eq!(
            (begun(29, 1), begun(29, 2), begun(29, 3)),
            ("b".into(), "c".into(), "a".into())
        );
        assert_eq!(begun(60, 0), "");
        assert_eq!(chosen(&all, minutes(24), 1).1, ["a"]);
    }

    #[test]
    fn what_showed_nothing_is_repeated_only_within_the_hour() {
        let failed = Shown::Failed(String::new());
        let nothing = Shown::Nothing(String::new());
        let after = |shown, since_start| is_repeated(shown, minutes(since_start));
        assert_eq!((after(&nothing, 35), after(&nothing, 36)), (true, false));
        assert_eq!((after(&failed, 44), after(&failed, 45)), (true, false));
        assert!(!after(&Shown::Passed, 0));
    }

    #[test]
    fn only_the_host_excuses_a_drill_that_showed_nothing() {
        let journal = r#"{"drills": [
            {"scenario": "a", "verdict": "pass", "findings": []},
            {"scenario": "b", "verdict": "fail", "findings": [
                {"oracle": "hold", "verdict": "fail", "reason": "too slow"},
                {"oracle": "claim", "verdict": "pass", "reason": "it holds"},
                {"oracle": "host", "verdict": "inconclusive", "reason": "held up"}]},
            {"scenario": "c", "verdict": "inconclusive", "findings": [
                {"oracle": "host", "verdict": "inconclusive", "reason": "held up"}]},
            {"scenario": "d", "verdict": "inconclusive", "findings": [
                {"oracle": "host", "verdict": "pass", "reason": "in time"},
                {"oracle": "loki", "verdict": "inconclusive", "reason": "no lines"}]}]}"#;
        let all: Vec<(String, Shown)> = shown(journal).expect("a journal").into_iter().collect();
        let expected = [
            ("a", Shown::Passed),
            (
                "b",
                Shown::Failed("hold fail: too slow; host inconclusive: held up".to_owned()),
            ),
            ("c", Shown::Nothing("held up".to_owned())),
            ("d", Shown::Failed("loki inconclusive: no lines".to_owned())),
        ];
        assert_eq!(all, expected.map(|(name, shown)| (name.to_owned(), shown)));
        assert!(shown("{}").is_err());
    }
}
