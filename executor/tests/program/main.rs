//! The program itself, against an API server that answers what a test wants: signals, questions, `rollback/1`.

mod server;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use executor::wire::{Body, Line};
use server::{Answer, Server};

const RUNBOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/rollback.md");

/// The program with a kubeconfig that names `server`.
fn rollback(server: &Server, test: &str, arguments: &[&str]) -> Command {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    let kubeconfig = directory.join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig()).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollback"));
    for name in [
        "ROLLBACK_RUNBOOK",
        "ROLLBACK_DATABASE_URL",
        "ROLLBACK_EVIDENCE_DIR",
    ] {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .args(["--runbook", RUNBOOK, "--kubeconfig"])
        .arg(&kubeconfig)
        .current_dir(&directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn send(child: &Child, signal: &str) {
    let line = format!("kill -s {signal} {}", child.id());
    let sent = Command::new("sh").args(["-c", &line]).status();
    assert!(sent.expect("sh runs").success());
}

fn rest(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).expect("readable");
    text
}

#[test]
fn ctrl_c_leaves_a_look_at_once_and_says_that_nothing_was_done() {
    for arguments in [&["watch"][..], &["run", "--yes"], &["resume", "--yes"]] {
        let server = Server::start(|_| Answer::Never);
        let mut child = rollback(&server, "looks", arguments)
            .spawn()
            .expect("it starts");
        server.asked();
        send(&child, "INT");
        let code = child.wait().expect("it ends").code();
        let said = rest(child.stderr.take().expect("piped"));
        assert_eq!(code, Some(130), "{arguments:?}: {said}");
        assert!(
            said.contains("SIGINT: stopping at the next safe point"),
            "{said}"
        );
        assert!(said.contains("stopped before anything was done"), "{said}");
    }
}

#[test]
fn a_write_is_seen_through_and_a_second_signal_ends_it_at_once() {
    // The lease is not there; the request that makes it is never answered.
    let server = Server::start(|request| {
        if request.starts_with("GET ") {
            Answer::NotFound
        } else {
            Answer::Never
        }
    });
    let mut child = rollback(&server, "writes", &["run", "--yes"])
        .spawn()
        .expect("it starts");
    while !server.asked().starts_with("POST ") {}
    send(&child, "TERM");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    let mut first = String::new();
    said.read_line(&mut first).expect("it says something");
    assert!(
        first.starts_with("SIGTERM: stopping at the next safe point"),
        "{first}"
    );
    assert_eq!(child.try_wait().expect("asked"), None, "it waits");
    send(&child, "INT");
    let code = child.wait().expect("it ends").code();
    let said = rest(said);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("ended at once"), "{said}");
    assert!(said.contains(" resume --runbook "), "{said}");
    assert!(said.contains("runs out within 20 s"), "{said}");
}

#[test]
fn without_a_terminal_and_without_yes_it_does_not_even_look() {
    let server = Server::start(|_| Answer::NotFound);
    let ended = rollback(&server, "asks", &["run"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("nobody to ask"), "{said}");
    assert!(said.contains("--yes"), "{said}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn the_last_line_of_json_is_the_result_even_if_there_is_none() {
    let server = Server::start(|_| Answer::NotFound);
    let ended = rollback(&server, "json", &["plan", "--json"])
        .output()
        .expect("it runs");
    let out = String::from_utf8(ended.stdout).expect("UTF-8");
    let lines: Vec<Line> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of rollback/1"))
        .collect();
    assert!(
        matches!(&lines[0].body, Body::Began { command, rto_ms: 300_000, .. } if command == "plan"),
        "{out}"
    );
    let Some(Body::Error {
        message, exit_code, ..
    }) = lines.last().map(|line| line.body.clone())
    else {
        panic!("{out}")
    };
    assert_eq!(Some(i32::from(exit_code)), ended.status.code());
    assert!(message.contains("no baseline is recorded"), "{message}");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains(&message), "people are told too: {said}");
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let server = Server::start(|_| Answer::NotFound);
    let ended = rollback(&server, "man", &["man", "pages"])
        .output()
        .expect("it runs");
    assert!(ended.status.success(), "{ended:?}");
    let pages = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("man/pages");
    let page = std::fs::read_to_string(pages.join("rollback-resume.1")).expect("written");
    assert!(page.contains("interrupted rollback"), "{page}");
    assert!(pages.join("rollback.1").exists());
}
