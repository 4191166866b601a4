//! A whole campaign without a cluster: a server that answers as an API server does, and runs the pods of a Job as
//! processes, with the very arguments of its manifest. One pod is killed midway.
//! What is merged is what one process finds.

#[path = "support/binary.rs"]
mod binary;
#[path = "support/scratch.rs"]
mod scratch;
#[path = "support/unstamped.rs"]
mod unstamped;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use binary::{command, firedrill};
use scratch::Scratch;
use serde_json::{Value, json};

/// What the server knows.
#[derive(Default)]
struct State {
    /// The request lines, in order.
    asked: Vec<String>,
    namespaces: Vec<Value>,
    files: Option<Value>,
    job: Option<Value>,
    pods: Vec<Value>,
    logs: Vec<String>,
}

struct Server {
    state: Arc<Mutex<State>>,
    address: String,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request: its method, its path without the query, and its body.
fn request(stream: &TcpStream) -> Option<(String, String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let method = words.next()?.to_owned();
    let path = words.next()?.split('?').next()?.to_owned();
    Some((
        method,
        path,
        serde_json::from_slice(&body).unwrap_or_default(),
    ))
}

fn status(code: u16, reason: &str) -> (u16, String) {
    let outcome = if code < 300 { "Success" } else { "Failure" };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": outcome, "message": reason, "reason": reason, "code": code,
    });
    (code, status.to_string())
}

/// Finds an object, or says that it is not there.
fn found(object: Option<&Value>) -> (u16, String) {
    object.map_or_else(|| status(404, "NotFound"), |it| (200, it.to_string()))
}

fn answer(state: &Arc<Mutex<State>>, folder: &Path, stream: &mut TcpStream) -> Option<()> {
    let (method, path, body) = request(stream)?;
    let mut known = locked(state);
    known.asked.push(format!("{method} {path}"));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (code, text) = match (method.as_str(), parts.as_slice()) {
        ("POST", ["api", "v1", "namespaces"]) => {
            known.namespaces.push(body.clone());
            (201, body.to_string())
        }
        ("GET", ["api", "v1", "namespaces", name]) => found(
            known
                .namespaces
                .iter()
                .find(|it| it["metadata"]["name"] == *name),
        ),
        ("DELETE", ["api", "v1", "namespaces", name]) => {
            known
                .namespaces
                .retain(|it| it["metadata"]["name"] != *name);
            status(200, "deleted")
        }
        ("POST", ["api", "v1", "namespaces", _, "configmaps"]) => {
            known.files = Some(body.clone());
            (201, body.to_string())
        }
        ("POST", ["apis", "batch", "v1", "namespaces", _, "jobs"]) if known.job.is_none() => {
            known.job = Some(body.clone());
            let (state, folder, job) = (Arc::clone(state), folder.to_owned(), body.clone());
            let files = known.files.clone();
            std::thread::spawn(move || {
                let job = || carry_out(&state, &folder, &job, files.as_ref());
                // Or the campaign would wait for ever.
                if std::panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
                    ends(&state, "Failed", "the test's own server failed");
                }
            });
            (201, body.to_string())
        }
        ("POST", ["apis", "batch", "v1", "namespaces", _, "jobs"]) => status(409, "AlreadyExists"),
        ("GET", ["apis", "batch", "v1", "namespaces", _, "jobs", _]) => found(known.job.as_ref()),
        ("GET", ["api", "v1", "namespaces", _, "pods"]) => {
            let list =
                json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": known.pods});
            (200, list.to_string())
        }
        ("GET", ["api", "v1", "namespaces", _, "pods", pod, "log"]) => {
            let at = known
                .pods
                .iter()
                .position(|it| it["metadata"]["name"] == *pod);
            at.map_or_else(
                || status(404, "NotFound"),
                |at| (200, known.logs[at].clone()),
            )
        }
        _ => status(404, "NotFound"),
    };
    drop(known);
    let kind = if path.ends_with("/log") {
        "text/plain"
    } else {
        "application/json"
    };
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {code} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    )
    .ok()
}

/// What the Job controller and a kubelet do: a pod for each index, and another one for an index that was killed.
fn carry_out(state: &Mutex<State>, folder: &Path, job: &Value, files: Option<&Value>) {
    let input = folder.join("campaign");
    std::fs::create_dir_all(&input).expect("a writable folder");
    let data = files.and_then(|it| it["data"].as_object());
    for (name, text) in data.into_iter().flatten() {
        std::fs::write(input.join(name), text.as_str().expect("a text"))
            .expect("a writable folder");
    }
    let spec = &job["spec"];
    let container = &spec["template"]["spec"]["containers"][0];
    let args: Vec<String> = container["args"]
        .as_array()
        .expect("arguments")
        .iter()
        .map(|it| {
            let word = it.as_str().expect("a word");
            word.replace("/campaign/", &format!("{}/", input.display()))
        })
        .collect();
    let completions = spec["completions"].as_u64().expect("a number");
    let mut failed = 0;
    for index in 0..completions {
        if index == 2 {
            pod(state, folder, &args, index, true);
        }
        failed += u64::from(pod(state, folder, &args, index, false) != Some(0));
    }
    let (kind, why) = if failed > 0 {
        ("Failed", "FailedIndexes")
    } else {
        ("Complete", "CompletionsReached")
    };
    ends(state, kind, why);
}

/// The Job has ended.
fn ends(state: &Mutex<State>, kind: &str, why: &str) {
    let condition = json!({"type": kind, "status": "True", "reason": why});
    if let Some(job) = &mut locked(state).job {
        job["status"] = json!({"conditions": [condition]});
    }
}

/// Runs a pod; its exit code.
fn pod(
    state: &Mutex<State>,
    folder: &Path,
    args: &[String],
    index: u64,
    kill: bool,
) -> Option<i32> {
    let number = locked(state).pods.len();
    let name = format!("shard-{index}-{number}");
    let (message, reports) = (folder.join(&name), folder.join(format!("reports-{number}")));
    let (said, kept) = (message.display().to_string(), reports.display().to_string());
    let mut words = vec![args[0].as_str(), "--message", &said, "--reports", &kept];
    words.extend(args[1..].iter().map(String::as_str));
    let child = command(&words)
        .env("JOB_COMPLETION_INDEX", index.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the binary was built for this test");
    if kill {
        while !reports.join(format!("shard-{index}")).exists() {
            assert_eq!(
                child.try_wait().expect("its state"),
                None,
                "it ended before"
            );
            std::thread::yield_now();
        }
        child.kill().expect("it runs");
    }
    let output = child.wait_with_output().expect("it ends");
    let code = output.status.code();
    let text = std::fs::read_to_string(&message).unwrap_or_default();
    let terminated = json!({"exitCode": code.unwrap_or(137), "reason": "Error", "message": text});
    let pod = json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": name, "uid": name,
            "annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()},
        },
        "status": {
            "phase": if code == Some(0) { "Succeeded" } else { "Failed" },
            "containerStatuses": [{
                "name": "firedrill", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": terminated},
            }],
        },
    });
    let log = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let mut known = locked(state);
    known.pods.push(pod);
    known.logs.push(log.into_owned());
    code
}

impl Server {
    /// Serves with these namespaces, and leaves a kubeconfig with the context `there` in `directory`.
    fn begin(directory: &Scratch, namespaces: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let state = Arc::new(Mutex::new(State {
            namespaces,
            ..State::default()
        }));
        let (known, folder) = (Arc::clone(&state), PathBuf::from(directory.at("node")));
        std::fs::create_dir_all(&folder).expect("a writable folder");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = answer(&known, &folder, &mut stream);
            }
        });
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "elsewhere",
            "clusters": [{"name": "c", "cluster": {"server": address}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "there", "context": {"cluster": "c", "user": "u"}}],
        });
        directory.write("kubeconfig", &config.to_string());
        Self { state, address }
    }

    fn campaign(&self, directory: &Scratch, own: &[&str], work: &[&str]) -> Output {
        assert!(
            self.address.starts_with("http://127.0.0.1:"),
            "nothing but this test's server is asked"
        );
        let file = directory.at("kubeconfig");
        let where_to = [
            "campaign",
            "--kubeconfig",
            &file,
            "--context",
            "there",
            "--image",
            "firedrill:test",
        ];
        firedrill(&[&where_to[..], own, work].concat())
    }
}

/// The built-in runbook without the step that rolls the application back: every drill fails.
fn broken_runbook(directory: &Scratch) -> String {
    let text = include_str!("../../runbooks/rollback.md");
    let at = text.find(r#""name":"undo-app""#).expect("the step");
    let from = text[..at].rfind("```sh").expect("a fence");
    let to = at + text[at..].find("\n```\n").expect("its end") + 5;
    directory.write("broken.md", &format!("{}{}", &text[..from], &text[to..]))
}

#[test]
fn a_campaign_of_four_shards_finds_what_one_process_finds_and_leaves_nothing() {
    let directory = Scratch::new("campaign");
    let server = Server::begin(&directory, Vec::new());
    let broken = broken_runbook(&directory);
    let scenario = include_str!("../../scenarios/latency-regression.toml");
    let scenario = directory.write("latency-regression.toml", scenario);
    let work = [
        "chaos",
        "good-release",
        &scenario,
        "--seeds",
        "6",
        "--runbook",
        &broken,
        "--jobs",
        "1",
    ];
    let (merged, local) = (directory.at("merged"), directory.at("local"));
    let output = server.campaign(&directory, &["--shards", "4", "--report", &merged], &work);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert!(
        stdout.contains("4 of 4 shards, 12 drills: 6 passed, 6 failed, 0 inconclusive"),
        "{stdout}"
    );
    assert!(
        stdout.contains("without a result: shard 2, shard-2-2: it ended with exit code 137"),
        "{stdout}"
    );

    let alone = firedrill(&[&work[..], &["--report", &local]].concat());
    assert_eq!(alone.status.code(), Some(1), "{alone:?}");
    for name in ["journal.json", "report.html", "junit.xml", "summary.md"] {
        let plain = |folder: &str| {
            unstamped::without_runs(name, &directory.read(&format!("{folder}/{name}")))
        };
        assert_eq!(plain("merged"), plain("local"), "{name}");
    }
    assert!(
        directory
            .read("merged/journal.json")
            .contains("\"smallest\""),
        "the failure was cut down"
    );
    let told = directory.journal("merged/campaign.json");
    assert_eq!(told["complete"], true, "{told}");
    assert_eq!(told["differing"], json!([]), "{told}");
    assert_eq!(told["lost"].as_array().map(Vec::len), Some(1), "{told}");

    let state = locked(&server.state);
    assert_eq!(state.pods.len(), 5, "one was killed and tried again");
    assert_eq!(
        state.namespaces,
        Vec::<Value>::new(),
        "its own namespace is gone"
    );
    let last = state.asked.last().expect("requests");
    assert!(
        last.starts_with("DELETE /api/v1/namespaces/firedrill-"),
        "{last}"
    );
    let job = state.job.as_ref().expect("the Job");
    let name = &job["metadata"]["name"];
    assert_eq!(job["metadata"]["namespace"], *name);
    assert!(
        state
            .asked
            .iter()
            .all(|line| line.contains("/firedrill-") || line == "POST /api/v1/namespaces"),
        "{:?}",
        state.asked
    );
}

#[test]
fn a_namespace_that_is_nobody_s_to_use_is_left_alone() {
    let directory = Scratch::new("campaign-refused");
    let named = |labels: Value| json!({"metadata": {"name": "production", "labels": labels}});
    for namespaces in [
        vec![],
        vec![named(json!({}))],
        vec![named(json!({"firedrill-campaigns": "no"}))],
    ] {
        let server = Server::begin(&directory, namespaces);
        let own = ["--shards", "2", "--namespace", "production"];
        let output = server.campaign(&directory, &own, &["chaos", "good-release", "--seeds", "2"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(
            locked(&server.state).asked,
            ["GET /api/v1/namespaces/production"]
        );
    }
}

#[test]
fn a_campaign_in_somebody_s_namespace_removes_what_is_its_own() {
    let directory = Scratch::new("campaign-shared");
    let labels = json!({"firedrill-campaigns": "allowed"});
    let namespace = json!({"metadata": {"name": "drills", "labels": labels}});
    let server = Server::begin(&directory, vec![namespace]);
    let own = ["--shards", "3", "--namespace", "drills", "-q"];
    let output = server.campaign(
        &directory,
        &own,
        &["search", "--seeds", "3", "--seed", "2", "--jobs", "1"],
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    assert!(stdout.contains("3 of 3 shards, 3 drills: "), "{stdout}");
    let state = locked(&server.state);
    assert_eq!(state.namespaces.len(), 1, "it is not ours");
    let deleted: Vec<&String> = state
        .asked
        .iter()
        .filter(|line| line.starts_with("DELETE"))
        .collect();
    assert!(
        matches!(deleted.as_slice(), [only] if only.contains("/namespaces/drills/jobs/firedrill-")),
        "{deleted:?}"
    );
}

#[test]
fn the_manifest_is_printed_without_a_cluster_and_needs_an_image() {
    let work = ["chaos", "good-release", "--seeds", "8"];
    let manifest = [
        &[
            "campaign",
            "--manifest",
            "--image",
            "firedrill:1",
            "--shards",
            "4",
        ][..],
        &work[..],
    ]
    .concat();
    let output = firedrill(&manifest);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let kinds: Vec<&str> = list["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|it| it["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["Namespace", "Job"]);
    let without = firedrill(
        &[
            &["campaign", "--context", "there", "--shards", "4"][..],
            &work[..],
        ]
        .concat(),
    );
    assert_eq!(without.status.code(), Some(2), "{without:?}");
    assert!(String::from_utf8_lossy(&without.stderr).contains("cargo xtask dist"));
    let nowhere = firedrill(
        &[
            &["campaign", "--image", "i", "--shards", "4"][..],
            &work[..],
        ]
        .concat(),
    );
    assert_eq!(
        nowhere.status.code(),
        Some(2),
        "there is no default cluster"
    );
}
