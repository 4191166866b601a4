//! Floods a served world with clients that mean no good, and says how fast others are answered meanwhile:
//!
//! ```text
//! firedrill serve                                        # says address and token
//! cargo run -p sim-serve --example flood -- ADDRESS TOKEN SECONDS
//! ```
//!
//! Four clients hold up to 250 connections each. Look at the memory of the server beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[path = "../src/tests/flood.rs"]
mod flood;

use flood::Flood;

const MAPS: &str = "/api/v1/namespaces/dex-production/configmaps";

#[expect(
    clippy::disallowed_methods,
    reason = "it floods a server from outside, in real time"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let mut word = |what: &str| words.next().ok_or_else(|| format!("{what} is missing"));
    let address: SocketAddr = word("the address")?.parse()?;
    let token = word("the token")?;
    let seconds: u64 = word("the number of seconds")?.parse()?;
    let (over, acts) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let clients: Vec<_> = (0..4)
        .map(|seed| {
            let mut flood = Flood::new(address, &token, MAPS, seed);
            let (over, acts) = (Arc::clone(&over), Arc::clone(&acts));
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if flood.act().is_ok() {
                        acts.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_secs(5));
        let done = acts.load(Ordering::Relaxed);
        println!("{:4} s  {done} acts", begun.elapsed().as_secs());
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().map_err(|_| "a client panicked")?;
    }
    Ok(())
}
