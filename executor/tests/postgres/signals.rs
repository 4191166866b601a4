//! The program at work on a ledger when a signal arrives.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use executor::ports::Database;

use super::exchange::Exchange;
use super::port;
use super::server::Server;
use super::sessions::{closed, kill, pid, until};

/// A terminal that is gone does not leave the ledger closed: the command is seen through.
pub(super) async fn are_heard_by_every_command(server: &Server) {
    let exchange = Exchange::create(server, "heard").await;
    let port = port(server, "heard");
    let watcher = exchange.maintenance().await;
    port.snapshot("heard_before").await.expect("snapshot");
    port.fence(1).await.expect("fence");
    // The program must end this session, which is slow to go, while the ledger is closed.
    let owner = exchange.owner().await;
    let stopped = pid(&owner).await;
    kill("STOP", stopped);
    let number = server.config("owner").get_ports()[0];
    let url = format!("postgres://owner@127.0.0.1:{number}/heard?sslmode=disable");
    // Whoever runs the tests may have SIGHUP ignored, which is inherited.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=HUP")
        .arg(env!("CARGO_BIN_EXE_rollback"))
        .args(["db", "restore", "--snapshot", "heard_before"])
        .args(["--set-aside", "heard_aside", "--token", "1", "--yes"])
        .args(["--database-url", &url])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for name in ["ROLLBACK_SETTINGS", "ROLLBACK_DATABASE_URL"] {
        command.env_remove(name);
    }
    let mut child = command.spawn().expect("it starts");
    until(&watcher, &closed("heard")).await;
    kill("HUP", child.id());
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    let mut text = String::new();
    said.read_line(&mut text).expect("it says something");
    assert!(
        text.starts_with("SIGHUP: stopping at the next safe point"),
        "{text}"
    );
    kill("CONT", stopped);
    let code = child.wait().expect("it ends").code();
    said.read_to_string(&mut text).expect("readable");
    assert_eq!(code, Some(0), "{text}");
    exchange.app().await;
}
