//! Services as processes, spoken to over HTTP, and waits for conditions.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Polls `condition` until it gives a value; fails after half a minute.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_500 {
        if let Some(value) = condition().await {
            return value;
        }
        ticks.tick().await;
    }
    panic!("never happened: {what}");
}

/// A service's process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    /// Reads the lines until the process has closed its output.
    reader: JoinHandle<()>,
    address: Option<SocketAddr>,
}

impl Process {
    /// Starts `image` with more variables.
    pub(crate) fn start(image: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dex-service"))
            .env_clear()
            .env("DEX_BUILD", image)
            .env("DEX_LISTEN", "127.0.0.1:0")
            .env("POD_NAME", image)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, sink) = (child.stdout.take().expect("piped"), lines.clone());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                sink.lock().expect("not poisoned").push(line);
            }
        });
        Self {
            child,
            lines,
            reader,
            address: None,
        }
    }

    /// As [`Self::start`], and waits until it is ready.
    pub(crate) async fn ready(image: &str, variables: &[(&str, &str)]) -> Self {
        let mut process = Self::start(image, variables);
        process.listens().await;
        let address = process.address();
        let http = Http::new();
        eventually(&format!("{image} is ready"), async || {
            (http.get(address, "/health").await? == (200, "ok".to_owned())).then_some(())
        })
        .await;
        process
    }

    /// Waits until it listens.
    pub(crate) async fn listens(&mut self) {
        let line = self.logs("listening on ").await;
        let address = line.rsplit(' ').next().and_then(|a| a.parse().ok());
        self.address = Some(address.expect("an address"));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("it listens")
    }

    /// Waits for a line that contains `text`.
    pub(crate) async fn logs(&self, text: &str) -> String {
        eventually(&format!("a line with {text:?}"), async || self.logged(text)).await
    }

    pub(crate) fn logged(&self, text: &str) -> Option<String> {
        let lines = self.lines.lock().expect("not poisoned");
        lines.iter().find(|line| line.contains(text)).cloned()
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Kills it at once, as a node that dies would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end, and until all that it had written is among the lines.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        eventually("the process ends", async || {
            let status = self.child.try_wait().expect("a child")?;
            self.reader.is_finished().then_some(status)
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let lines = self.lines.lock().map(|l| l.join("\n"));
            eprintln!("--- {:?}\n{}", self.address, lines.unwrap_or_default());
        }
    }
}

/// An answer: status, whether it is marked as maintenance, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) maintenance: bool,
    pub(crate) closes: bool,
    pub(crate) body: String,
}

/// A client with connections that it keeps.
#[derive(Clone)]
pub(crate) struct Http(Client<HttpConnector, Body>);

impl Http {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    async fn send(
        &self,
        address: SocketAddr,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, String> {
        let method = if body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"))
            .body(Body::from(body.unwrap_or_default()))
            .expect("a request");
        let response = self.0.request(request).await.map_err(|e| e.to_string())?;
        let (head, body) = response.into_parts();
        let body = to_bytes(Body::new(body), 1 << 20)
            .await
            .map_err(|e| e.to_string())?;
        let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok());
        Ok(Answer {
            status: head.status.as_u16(),
            maintenance: header("x-dex-maintenance") == Some("true"),
            closes: header("connection") == Some("close"),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    pub(crate) async fn post(
        &self,
        address: SocketAddr,
        path: &str,
        body: String,
    ) -> Result<Answer, String> {
        self.send(address, path, Some(body)).await
    }

    pub(crate) async fn get(&self, address: SocketAddr, path: &str) -> Option<(u16, String)> {
        let answer = self.send(address, path, None).await.ok()?;
        Some((answer.status, answer.body))
    }

    /// The value of a sample, by its name with labels.
    pub(crate) async fn metric(&self, address: SocketAddr, sample: &str) -> Option<u64> {
        let (_, page) = self.get(address, "/metrics").await?;
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
        value.parse().ok()
    }
}
