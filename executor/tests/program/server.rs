//! An API server of one line a connection: it tells the test what it is asked, and answers what the test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// How a request is answered.
pub(crate) enum Answer {
    /// Not while the test runs.
    Never,
    /// By 404.
    NotFound,
}

/// The server. Its threads end with the test's process.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Receiver<String>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Starts one; `answer` gets the request's first line.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let (tell, asked) = channel();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, tell, count) = (Arc::clone(&answer), tell.clone(), Arc::clone(&count));
                std::thread::spawn(move || serve(&stream, &*answer, &tell, &count));
            }
        });
        Self {
            address,
            asked,
            requests,
        }
    }

    /// Waits for a request; its first line.
    pub(crate) fn asked(&self) -> String {
        self.asked.recv().expect("the server lives")
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// A kubeconfig for it.
    pub(crate) fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters:\n- name: test\n  cluster: {{server: \"http://{}\"}}\nusers:\n- name: test\n  user: {{}}\ncontexts:\n- name: test\n  context: {{cluster: test, user: test}}\n",
            self.address
        )
    }
}

/// Answers the requests of a connection until one is to stay unanswered.
fn serve(
    stream: &TcpStream,
    answer: &dyn Fn(&str) -> Answer,
    tell: &Sender<String>,
    count: &AtomicUsize,
) {
    const BODY: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"NotFound","message":"not here","code":404}"#;
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            let header = header.trim().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if header.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        count.fetch_add(1, Ordering::SeqCst);
        let what = answer(&first);
        let _ = tell.send(first);
        match what {
            Answer::NotFound => {
                let text = format!(
                    "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
                    BODY.len()
                );
                let mut writer = stream;
                if writer.write_all(text.as_bytes()).is_err() {
                    return;
                }
            }
            Answer::Never => {
                // Until the other side is gone.
                let _ = reader.read(&mut [0]);
                return;
            }
        }
    }
}
