//! Clients that mean no good, on plain sockets: rubbish, halves of requests, floods, and streams that nobody reads.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Connections that one client holds open at most.
const HELD_MAX: usize = 250;

/// Numbers that look random (Marsaglia's xorshift), the same for the same seed.
pub(crate) struct Draw(u64);

impl Draw {
    /// From `seed`.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }

    fn bytes(&mut self, count: u64) -> Vec<u8> {
        (0..count)
            .map(|_| u8::try_from(self.below(256)).unwrap_or(0))
            .collect()
    }
}

/// A client that means no good.
pub(crate) struct Flood {
    address: SocketAddr,
    token: String,
    /// The collection of ConfigMaps that it changes and watches.
    maps: String,
    draw: Draw,
    /// Connections that it never reads from.
    held: VecDeque<TcpStream>,
}

impl Flood {
    /// One that goes for the API server at `address`.
    #[must_use]
    pub(crate) fn new(address: SocketAddr, token: &str, maps: &str, seed: u64) -> Self {
        Self {
            address,
            token: token.to_owned(),
            maps: maps.to_owned(),
            draw: Draw::new(seed),
            held: VecDeque::new(),
        }
    }

    /// Does one thing, whatever the server makes of it.
    ///
    /// # Errors
    /// There is no connection.
    pub(crate) fn act(&mut self) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        let what = self.draw.below(12);
        let (sent, reads) = match what {
            0 => {
                let count = self.draw.below(4_096);
                (self.draw.bytes(count), true)
            }
            1 => {
                let mut request = self.request("GET", "/api/v1/pods", "", 0);
                let kept = self.draw.below(request.len() as u64);
                request.truncate(usize::try_from(kept).unwrap_or(0));
                (request, false)
            }
            2 => (self.request("POST", &self.maps, "{", 3_000_000), false),
            3 => {
                let head = format!(
                    "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
                     Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                    self.maps, self.token
                );
                (head.into_bytes(), true)
            }
            4 => (self.request("GET", "/api/v1/pods", "", 0), true),
            5 => (self.request("GET", "/api/v1/pods", "", 0), false),
            6 | 7 => {
                let path = format!("{}?watch=true", self.maps);
                let request = self.request("GET", &path, "", 0);
                // The server may have closed it already.
                let _ = stream.write_all(&request);
                self.hold(stream);
                return Ok(());
            }
            8 => {
                let filling = "x".repeat(200_000);
                let body = format!(
                    r#"{{"data": {{"a": "{}{filling}"}}}}"#,
                    self.draw.below(1_000)
                );
                let path = format!("{}/flood", self.maps);
                (self.request("PATCH", &path, &body, body.len()), true)
            }
            9 => {
                let head = "GET /api HTTP/1.1\r\nHost: x\r\n";
                let long = format!("{head}X-Long: {}\r\n\r\n", "y".repeat(100_000));
                (long.into_bytes(), true)
            }
            10 => {
                let one = self.request("GET", "/version", "", 0);
                (one.repeat(50), false)
            }
            _ => {
                self.hold(stream);
                return Ok(());
            }
        };
        if stream.write_all(&sent).is_ok() && reads {
            let mut answer = [0; 512];
            // Closed, reset, or answered: all is well for a client of this kind.
            let _ = stream.read(&mut answer);
        }
        Ok(())
    }

    fn hold(&mut self, stream: TcpStream) {
        if self.held.len() == HELD_MAX {
            self.held.pop_front();
        }
        self.held.push_back(stream);
    }

    fn request(&self, method: &str, path: &str, body: &str, length: usize) -> Vec<u8> {
        let of_type = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let (address, token) = (self.address, &self.token);
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: {of_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}
