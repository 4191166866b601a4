//! Drills break things, so a cluster without the harness's marker is left alone: seen with the real program, against a
//! server that notes what it is asked. Needs neither Docker nor a cluster.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError};

/// What the server answers for the marker.
const MISSING: (&str, &str) = (
    "404 Not Found",
    r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not found","reason":"NotFound","code":404}"#,
);
const ANOTHER: (&str, &str) = (
    "200 OK",
    r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"firedrill-marker","namespace":"firedrill"},"data":{"id":"somebody-else"}}"#,
);

/// A folder that goes with the value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Answers every request alike. The request's line is noted before the answer is sent: the program may have ended
/// before this thread runs again.
fn answer(
    mut stream: &TcpStream,
    (status, body): (&str, &str),
    asked: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    if !first.is_empty() {
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(first.trim().to_owned());
    }
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .ok()
}

const OURS: (&str, &str) = (
    "200 OK",
    r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"firedrill-marker","namespace":"firedrill"},"data":{"id":"mine"}}"#,
);

/// Runs a drill against the server; what it printed, and what it asked. `elsewhere`: the account whose kubeconfig leads
/// to another server, and that server. What lies beside the cluster's file stays if the drill is refused.
fn drill(
    name: &str,
    reply: (&'static str, &'static str),
    elsewhere: Option<(&str, &str)>,
) -> (Output, Vec<String>) {
    let folder =
        std::env::temp_dir().join(format!("firedrill-marker-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let folder = Folder(folder);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up has no answer to get.
            let _ = answer(&stream, reply, &notes);
        }
    });
    let kubeconfig = folder.0.join("kubeconfig");
    let config = |server: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Config","clusters":[{{"name":"c","cluster":{{"server":"{server}"}}}}],
            "users":[{{"name":"u","user":{{"token":"t"}}}}],"contexts":[{{"name":"production","context":{{"cluster":"c","user":"u"}}}}],
            "current-context":"production"}}"#
        )
    };
    let ours = format!("http://{address}");
    std::fs::write(&kubeconfig, config(&ours)).expect("a kubeconfig");
    let of_account = |account: &str| {
        let file = folder.0.join(format!("{account}.kubeconfig"));
        let server = elsewhere.filter(|(it, _)| *it == account);
        let text = config(server.map_or(&ours, |(_, server)| server));
        std::fs::write(&file, text).expect("a kubeconfig");
        file
    };
    let (executors, programs) = (of_account("executor"), of_account("program"));
    let precious = folder.0.join("drill/precious");
    std::fs::create_dir_all(folder.0.join("drill")).expect("a folder");
    std::fs::write(&precious, "").expect("a file");
    let facts = folder.0.join("cluster.json");
    let text = format!(
        r#"{{"context":"production","id":"mine","kubeconfig":"{0}","executor_kubeconfig":"{1}","program_kubeconfig":"{2}",
            "network":"no-such-network","node":"no-such-node","owner":"hand","gateway":"http://{address}","prometheus":"http://{address}"}}"#,
        kubeconfig.display(),
        executors.display(),
        programs.display()
    );
    std::fs::write(&facts, text).expect("facts");
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["chaos", "latency-regression", "--world", "kind"])
        .env("FIREDRILL_CLUSTER", &facts)
        // Whatever is started for a cluster that is refused shows as another error than the refusal.
        .env("FIREDRILL_DOCKER", "/no/such/docker")
        .output()
        .expect("it runs");
    assert!(
        precious.exists(),
        "{name}: nothing is touched before the marker is seen"
    );
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (output, asked)
}

#[test]
fn a_context_without_the_marker_is_refused_and_only_asked_for_it() {
    for (name, reply) in [("missing", MISSING), ("another", ANOTHER)] {
        let (output, asked) = drill(name, reply, None);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{name}: {said}");
        let refusal = "the context production does not carry the marker mine";
        assert!(said.contains(refusal), "{name}: {said}");
        assert_eq!(
            asked,
            ["GET /api/v1/namespaces/firedrill/configmaps/firedrill-marker HTTP/1.1"],
            "{name}"
        );
    }
}

#[test]
fn an_executor_that_would_act_on_another_cluster_is_refused() {
    for account in ["executor", "program"] {
        let elsewhere = (account, "http://production.example:6443");
        let name = format!("elsewhere-{account}");
        let (output, asked) = drill(&name, OURS, Some(elsewhere));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        let refusal = format!("{account}.kubeconfig leads to http://production.example:6443");
        assert!(said.contains(&refusal), "{said}");
        assert_eq!(asked.len(), 1, "only the marker is asked for: {asked:?}");
    }
}

#[test]
fn a_world_is_not_asked_for_a_fault_that_it_lacks() {
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["chaos", "api-slow", "--world", "kind"])
        .env("FIREDRILL_CLUSTER", "/no/such/cluster.json")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let refusal = "the world `kind` has no fault `api-slow`; it can be had in `--world sim`";
    assert!(said.contains(refusal), "{said}");
}
