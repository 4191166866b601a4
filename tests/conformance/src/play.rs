//! Runs the commands of a session.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::normal::Normal;
use crate::session::{Answer, Entry};
use crate::versions;

/// The namespace in which a session works. It makes it, and removes it.
pub const NAMESPACE: &str = "conformance";
/// No command may take longer, in seconds of the wall clock.
const PATIENCE_S: &str = "120";

/// Where the commands are run.
pub struct Stage {
    /// The kubectl of the session is first on its path; removed with this value.
    folder: tempfile::TempDir,
    /// The folder with the files that commands name.
    files: PathBuf,
    /// How time is made to pass in a simulated cluster: the URL that makes it.
    sleep: Option<String>,
    normal: Normal,
}

/// An answer that is not the one that the session has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The line of the command in the session.
    pub line: usize,
    /// The command.
    pub command: String,
    /// What the session has.
    pub expected: Answer,
    /// What came.
    pub found: Answer,
    /// The simulation was known to deviate here, and does no more.
    pub mended: bool,
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "line {}: $ {}", self.line, self.command)?;
        if self.mended {
            return writeln!(
                f,
                "  the simulation answers as it must: take the mark `!` away"
            );
        }
        let (expected, found) = (self.expected.lines(), self.found.lines());
        for line in expected.iter().filter(|line| !found.contains(line)) {
            writeln!(f, "  expected: {line}")?;
        }
        for line in found.iter().filter(|line| !expected.contains(line)) {
            writeln!(f, "  answered: {line}")?;
        }
        if expected.iter().all(|line| found.contains(line)) && expected.len() == found.len() {
            writeln!(f, "  the same lines came in another order")?;
        }
        Ok(())
    }
}

impl Stage {
    /// For commands that run `kubectl` with `kubeconfig`, whose current context is taken. `sleep` is the URL by which
    /// time passes in a simulated cluster; a real one has the wall clock.
    ///
    /// # Errors
    /// `kubectl` can't be run, is of a version that the session was not made for, or does not reach the cluster.
    pub fn new(
        kubectl: &Path,
        kubeconfig: &Path,
        files: &Path,
        sleep: Option<String>,
    ) -> Result<Self, String> {
        let folder =
            tempfile::tempdir().map_err(|error| format!("a folder for the session: {error}"))?;
        let failed = |error: std::io::Error| format!("{}: {error}", folder.path().display());
        fs::create_dir(folder.path().join("bin")).map_err(failed)?;
        let kubectl =
            fs::canonicalize(kubectl).map_err(|error| format!("{}: {error}", kubectl.display()))?;
        symlink(&kubectl, folder.path().join("bin/kubectl")).map_err(failed)?;
        let own = folder.path().join("kubeconfig");
        let mut stage = Self {
            files: files.to_owned(),
            sleep,
            normal: Normal::new("", &[], 0),
            folder,
        };
        // The session's namespace is set in a copy, so that the kubeconfig stays as it is.
        let view = format!(
            "kubectl --kubeconfig '{}' config view --raw --minify --flatten",
            kubeconfig.display()
        );
        let text = stage.must(&view)?;
        fs::write(&own, text.join("\n")).map_err(|error| format!("{}: {error}", own.display()))?;
        stage.must(&format!(
            "kubectl config set-context --current --namespace={NAMESPACE}"
        ))?;
        let server = stage
            .must("kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}'")?;
        let nodes = stage.must(
            "kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'",
        )?;
        let server = server.first().map_or("", String::as_str);
        let minor = stage.minor()?;
        versions::check(minor)?;
        stage.normal = Normal::new(server, &nodes, minor);
        Ok(stage)
    }

    /// Plays a session; what deviates from it.
    ///
    /// # Errors
    /// A command can't be run at all.
    pub fn compare(&self, entries: &[Entry]) -> Result<Vec<Deviation>, String> {
        let mut deviations = Vec::new();
        for entry in entries {
            let found = self.answer(entry)?;
            let expected = self.counts(entry, &entry.answer);
            let must_differ = entry.deviates && self.is_simulated();
            if (found != expected) != must_differ {
                deviations.push(Deviation {
                    line: entry.line,
                    command: entry.command.clone(),
                    expected,
                    found,
                    mended: must_differ,
                });
            }
        }
        Ok(deviations)
    }

    /// The minor version of the session's kubectl.
    ///
    /// # Errors
    /// It can't be run, or names none.
    pub fn minor(&self) -> Result<u32, String> {
        let said = self.must("kubectl version --client --output=json")?;
        let said: serde_json::Value = serde_json::from_str(&said.join("\n"))
            .map_err(|error| format!("`kubectl version`: {error}"))?;
        let minor = said["clientVersion"]["minor"].as_str().unwrap_or_default();
        // Some that are patched call themselves `32+`.
        let minor = minor.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        minor
            .parse()
            .map_err(|_| format!("`kubectl version` names no minor version, but `{minor}`"))
    }

    fn is_simulated(&self) -> bool {
        self.sleep.is_some()
    }

    /// Plays a session, and writes down what comes as what must come. Where the simulation is known to deviate, only a
    /// real cluster says what must come.
    ///
    /// # Errors
    /// A command can't be run at all, or kubectl is older than the session's: it prints less.
    pub fn record(&self, entries: &mut [Entry]) -> Result<(), String> {
        let minor = self.minor()?;
        if minor != versions::RECORDED_WITH {
            return Err(format!(
                "a session is recorded with kubectl 1.{}, and this one is of version 1.{minor}",
                versions::RECORDED_WITH
            ));
        }
        for entry in entries {
            let answer = self.answer(entry)?;
            if !(entry.deviates && self.is_simulated()) {
                entry.answer = answer;
            }
        }
        Ok(())
    }

    fn answer(&self, entry: &Entry) -> Result<Answer, String> {
        let answer = match (entry.command.strip_prefix("sleep "), &self.sleep) {
            (Some(seconds), Some(url)) => sleep(url, seconds)?,
            _ => self.run(&entry.command)?,
        };
        Ok(self.counts(entry, &answer))
    }

    fn counts(&self, entry: &Entry, answer: &Answer) -> Answer {
        let Entry {
            command, last_only, ..
        } = entry;
        self.normal.answer(command, answer, *last_only)
    }

    /// The standard output of a command that must not fail.
    fn must(&self, command: &str) -> Result<Vec<String>, String> {
        let answer = self.run(command)?;
        if answer.code == 0 {
            return Ok(answer.output);
        }
        Err(format!("`{command}`: {}", answer.errors.join("; ")))
    }

    fn run(&self, command: &str) -> Result<Answer, String> {
        let own = self.folder.path();
        let path = std::env::var("PATH").unwrap_or_default();
        let done = Command::new("timeout")
            .args([PATIENCE_S, "sh", "-c", command])
            .current_dir(&self.files)
            .env("PATH", format!("{}:{path}", own.join("bin").display()))
            .env("KUBECONFIG", own.join("kubeconfig"))
            .env("KUBECACHEDIR", own.join("cache"))
            .env("HELM_CACHE_HOME", own.join("helm"))
            .env("HELM_CONFIG_HOME", own.join("helm"))
            .env("HELM_DATA_HOME", own.join("helm"))
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env_remove("http_proxy")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("`{command}`: {error}"))?;
        let lines = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.lines().map(str::to_owned).collect()
        };
        Ok(Answer {
            output: lines(&done.stdout),
            errors: lines(&done.stderr),
            code: done.status.code().unwrap_or(-1),
        })
    }
}

/// Lets so many seconds pass in a simulated cluster.
fn sleep(url: &str, seconds: &str) -> Result<Answer, String> {
    let url = format!("{url}?seconds={seconds}");
    let asked = ureq::post(&url).send_empty();
    asked.map_err(|error| format!("POST {url}: {error}"))?;
    Ok(Answer::default())
}
