//! The composite action's scripts, with programs in place of `firedrill` and GitHub's `gh`: one comment, kept up to
//! date and cut to what GitHub takes, and exit codes that mean what they say.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What GitHub takes.
const MOST: usize = 65_536;
const MARKER: &str = "<!-- firedrill comment: verify -->";

/// Notes its arguments, answers the list of comments with what a file holds, and keeps the body of a comment.
const GH: &str = r#"#!/usr/bin/env bash
echo "$*" >> "$SCRATCH/asked"
case "$*" in
  "api user"*) if [ -f "$SCRATCH/user" ]; then cat "$SCRATCH/user"; else exit 1; fi ;;
  *"--paginate"*) if [ -f "$SCRATCH/comments" ]; then cat "$SCRATCH/comments"; else exit 1; fi ;;
  *"--method"*)
    for word in "$@"; do case "$word" in "body=@"*) cp "${word#body=@}" "$SCRATCH/body" ;; esac; done
    [ ! -f "$SCRATCH/refused" ]
    ;;
esac
"#;

/// Notes its arguments, a line for each, writes a text and ends with the code that a file holds.
const FIREDRILL: &str = r#"#!/usr/bin/env bash
printf '%s\n' "$@" > "$SCRATCH/words"
report="${@: -1}"
mkdir -p "$report"
echo "the answer" > "$report/verify.md"
echo "the answer" > "$report/summary.md"
echo "the answer" > "$report/forecast.md"
for word in "$@"; do if [ "$before" = --against ]; then cp -r "$word" "$SCRATCH/against"; fi; before="$word"; done
exit "$(cat "$SCRATCH/code")"
"#;

/// A folder with the programs that stand in for others.
struct Stage(PathBuf);

impl Stage {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("firedrill-action-{name}-{}", std::process::id()));
        let bin = folder.join("bin");
        std::fs::create_dir_all(&bin).expect("a writable folder");
        for (name, text) in [("gh", GH), ("firedrill", FIREDRILL)] {
            let path = bin.join(name);
            std::fs::write(&path, text).expect("a writable folder");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("our own file");
        }
        Self(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).expect("a writable folder");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/actions/firedrill");
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("bash")
            .arg(scripts.join(script))
            .current_dir(&self.0)
            .env("PATH", format!("{}:{path}", self.at("bin").display()))
            .env("SCRATCH", &self.0)
            .env("GITHUB_OUTPUT", self.at("output"))
            .env("GITHUB_STEP_SUMMARY", self.at("summary"))
            .envs(variables.iter().copied())
            .output()
            .expect("there is a bash")
    }

    fn comment(&self) -> Output {
        let text = self.at("text").display().to_string();
        let variables = [
            ("GH_REPO", "some/where"),
            ("NUMBER", "7"),
            ("NAME", "verify"),
            ("TEXT", text.as_str()),
        ];
        self.run("comment.sh", &variables)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn the_first_answer_makes_a_comment_and_the_next_one_changes_it() {
    let stage = Stage::new("once");
    stage.write("text", "ADOPT\n");
    stage.write("comments", "");
    let output = stage.comment();
    assert!(output.status.success(), "{}", said(&output));
    let asked = stage.read("asked");
    assert!(
        asked.contains("--method POST repos/some/where/issues/7/comments --field"),
        "{asked}"
    );
    assert_eq!(stage.read("body"), format!("{MARKER}\nADOPT"));
    // Nobody tells this token who it is, so any program's comment with the marker is taken for ours.
    let question = asked.lines().find(|line| line.contains("--paginate"));
    let question = question.expect("the comments were asked for");
    assert!(
        question.contains(r#"select(.user.type == "Bot")"#),
        "{question}"
    );
    assert!(
        question.contains(&format!(r#"startswith("{MARKER}")"#)),
        "{question}"
    );

    stage.write("user", "somebody\n");
    stage.write("comments", "41\n42\n");
    stage.write("text", "REJECT\n");
    let output = stage.comment();
    assert!(output.status.success(), "{}", said(&output));
    let asked = stage.read("asked");
    let last = asked.lines().last().expect("a question");
    assert!(
        last.contains("--method PATCH repos/some/where/issues/comments/41 --field"),
        "{asked}"
    );
    assert!(
        asked.contains(r#"select(.user.login == "somebody")"#),
        "{asked}"
    );
    assert_eq!(stage.read("body"), format!("{MARKER}\nREJECT"));
}

#[test]
fn a_comment_is_cut_to_what_github_takes_by_characters() {
    let stage = Stage::new("cut");
    stage.write("comments", "");
    let exact = "ä".repeat(MOST - MARKER.chars().count() - 1);
    stage.write("text", &exact);
    assert!(stage.comment().status.success());
    assert_eq!(
        stage.read("body").chars().count(),
        MOST,
        "it fits to the last character"
    );
    for (text, fences) in [
        (format!("{exact}ä"), 0),
        (format!("head\n```text\n{}", "row\n".repeat(40_000)), 2),
    ] {
        stage.write("text", &text);
        assert!(stage.comment().status.success());
        let body = stage.read("body");
        let count = body.chars().count();
        assert!((MOST - 200..=MOST).contains(&count), "{count}");
        assert!(body.starts_with(MARKER), "it is found again");
        assert!(body.ends_with("the summary of the job has all of it)"));
        assert_eq!(
            body.matches("```").count(),
            fences,
            "the block of code is closed"
        );
    }
}

#[test]
fn a_token_without_the_right_is_a_warning_and_a_bad_name_an_error() {
    let stage = Stage::new("rights");
    stage.write("text", "ADOPT\n");
    let output = stage.comment();
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("::warning"),
        "the comments can't be read"
    );
    stage.write("comments", "");
    stage.write("refused", "");
    let output = stage.comment();
    assert!(output.status.success() && said(&output).contains("pull-requests: write"));
    let text = stage.at("text").display().to_string();
    let injected = [
        ("NAME", "x\" | evil"),
        ("TEXT", text.as_str()),
        ("GH_REPO", "a/b"),
        ("NUMBER", "1"),
    ];
    assert_eq!(stage.run("comment.sh", &injected).status.code(), Some(2));
    std::fs::remove_file(stage.at("text")).expect("it is ours");
    assert!(
        stage.comment().status.success(),
        "without an answer there is nothing to say"
    );
}

#[test]
fn words_reach_firedrill_as_they_are_and_its_code_is_handed_on() {
    let stage = Stage::new("run");
    stage.write("code", "3");
    let inputs = [
        ("COMMAND", "chaos"),
        ("ARGUMENTS", "near-* --seeds 20 $(touch evil) ;"),
        ("BASELINE", ""),
        ("CANDIDATE", ""),
        ("REPORT", "out"),
    ];
    let output = stage.run("run.sh", &inputs);
    assert!(output.status.success(), "{}", said(&output));
    let words = stage.read("words");
    let words: Vec<&str> = words.lines().collect();
    assert_eq!(
        words,
        [
            "chaos", "near-*", "--seeds", "20", "$(touch", "evil)", ";", "--report", "out"
        ]
    );
    assert!(!stage.at("evil").exists(), "a word is no command");
    assert_eq!(stage.read("output"), "code=3\ntext=out/summary.md\n");
    assert_eq!(stage.read("summary"), "the answer\n");

    let verify = [
        ("COMMAND", "verify"),
        ("ARGUMENTS", ""),
        ("BASELINE", "main"),
        ("CANDIDATE", "new book.md"),
        ("REPORT", "out"),
    ];
    assert!(stage.run("run.sh", &verify).status.success());
    let words = stage.read("words");
    let words: Vec<&str> = words.lines().collect();
    assert_eq!(
        words,
        [
            "runbook",
            "verify",
            "--baseline",
            "main",
            "--candidate",
            "new book.md",
            "--report",
            "out"
        ]
    );
    let without = [
        ("COMMAND", "verify"),
        ("ARGUMENTS", ""),
        ("BASELINE", ""),
        ("CANDIDATE", "x"),
        ("REPORT", "out"),
    ];
    assert_eq!(
        stage.run("run.sh", &without).status.code(),
        Some(2),
        "there is nothing to compare with"
    );
    let other = [
        ("COMMAND", "rm"),
        ("ARGUMENTS", ""),
        ("BASELINE", ""),
        ("CANDIDATE", ""),
        ("REPORT", "out"),
    ];
    assert_eq!(stage.run("run.sh", &other).status.code(), Some(2));
}

/// What the manifests were is read from the history, and firedrill has it while it runs.
#[test]
fn a_forecast_is_compared_with_the_manifests_of_the_baseline() {
    let stage = Stage::new("forecast");
    stage.write("code", "1");
    let git = |words: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b.example"];
        let output = Command::new("git")
            .args(who)
            .args(words)
            .current_dir(&stage.0)
            .output()
            .expect("there is a git");
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    };
    let forecast = |baseline: &str| {
        let inputs = [
            ("COMMAND", "forecast"),
            ("ARGUMENTS", "--budget 120s"),
            ("BASELINE", baseline),
            ("CANDIDATE", ""),
            ("MANIFESTS", "some k8s"),
            ("REPORT", "out"),
        ];
        let output = stage.run("run.sh", &inputs);
        (output.status.code(), said(&output))
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "nothing"]);
    std::fs::create_dir(stage.at("some k8s")).expect("a writable folder");
    stage.write("some k8s/web.yaml", "replicas: 2\n");
    git(&["add", "some k8s"]);
    git(&["commit", "-q", "-m", "two"]);
    stage.write("some k8s/web.yaml", "replicas: 3\n");

    // In the first commit there were none, and a push has no baseline.
    let plain = "forecast\n-f\nsome k8s\n--budget\n120s\n--report\nout\n";
    for baseline in ["HEAD~1", ""] {
        assert_eq!(forecast(baseline).0, Some(0));
        assert_eq!(stage.read("words"), plain, "{baseline}");
    }
    assert_eq!(forecast("HEAD").0, Some(0));
    let words = stage.read("words");
    let words: Vec<&str> = words.lines().collect();
    assert_eq!(words[..4], ["forecast", "-f", "some k8s", "--against"]);
    assert_eq!(words[5..], ["--budget", "120s", "--report", "out"]);
    assert_eq!(stage.read("against/web.yaml"), "replicas: 2\n");
    assert!(!Path::new(words[4]).exists(), "it is cleared away");
    let output = stage.read("output");
    assert!(
        output.ends_with("code=1\ntext=out/forecast.md\n"),
        "{output}"
    );

    let (code, said) = forecast("no-such-commit");
    assert_eq!(code, Some(2));
    assert!(said.contains("fetch-depth: 0"), "{said}");
}

#[test]
fn the_job_ends_as_firedrill_did() {
    let stage = Stage::new("answer");
    let ends = |code: &str, inconclusive: &str| {
        let variables = [("CODE", code), ("INCONCLUSIVE", inconclusive)];
        stage.run("answer.sh", &variables).status.code()
    };
    for (code, inconclusive, expected) in [
        ("0", "warn", 0),
        ("0", "fail", 0),
        ("1", "warn", 1),
        ("2", "warn", 2),
        ("3", "warn", 0),
        ("3", "fail", 3),
        ("4", "warn", 4),
        // It never ran.
        ("", "warn", 2),
    ] {
        assert_eq!(
            ends(code, inconclusive),
            Some(expected),
            "{code} {inconclusive}"
        );
    }
}
