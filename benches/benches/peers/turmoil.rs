//! turmoil: three hosts with a runtime each, datagrams through its simulated network, and ticks of 1 ms.

#![expect(
    clippy::disallowed_methods,
    reason = "turmoil advances tokio's own clock of each host"
)]

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use benches::pattern::{Engine, Made, Pattern, STEP_MS};
use tokio::time::{Instant, sleep, sleep_until};
use turmoil::net::UdpSocket;

const STEP: Duration = Duration::from_millis(STEP_MS);
const CLIENT: &str = "client";
const GATEWAY: &str = "gateway";
const ENGINE: &str = "engine";
const PORT: u16 = 9_000;
/// Where the gateway gets answers of the engine.
const BACK: u16 = 9_001;

async fn bind(port: u16) -> std::io::Result<UdpSocket> {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await
}

async fn receive(socket: &UdpSocket) -> std::io::Result<u64> {
    let mut message = [0; 8];
    socket.recv_from(&mut message).await?;
    Ok(u64::from_le_bytes(message))
}

async fn send(socket: &UdpSocket, number: u64, to: &str, port: u16) -> std::io::Result<()> {
    socket.send_to(&number.to_le_bytes(), (to, port)).await?;
    Ok(())
}

/// Passes on what comes in at `from`.
async fn pass_on(from: u16, to: &str, port: u16) -> turmoil::Result {
    let socket = bind(from).await?;
    loop {
        let number = receive(&socket).await?;
        send(&socket, number, to, port).await?;
    }
}

pub(super) fn run(pattern: &Pattern) -> Made {
    let mut sim = turmoil::Builder::new()
        .simulation_duration(Duration::from_millis(pattern.end_ms()))
        .tick_duration(STEP)
        .min_message_latency(STEP)
        .max_message_latency(STEP)
        .udp_capacity(1_024)
        .rng_seed(1)
        .build();
    let engine = Rc::new(RefCell::new(Engine::new(pattern)));
    sim.host(GATEWAY, || async {
        tokio::task::spawn_local(pass_on(BACK, CLIENT, PORT));
        pass_on(PORT, ENGINE, PORT).await
    });
    let inside = Rc::clone(&engine);
    sim.host(ENGINE, move || {
        let engine = Rc::clone(&inside);
        async move {
            let socket = bind(PORT).await?;
            loop {
                let number = receive(&socket).await?;
                sleep(STEP).await;
                engine.borrow_mut().execute(number);
                send(&socket, number, GATEWAY, BACK).await?;
            }
        }
    });
    let sent_ms = pattern.sent_ms.clone();
    let answers = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&answers);
    sim.client(CLIENT, async move {
        let begin = Instant::now();
        let socket = Arc::new(bind(PORT).await?);
        let (sender, wanted) = (Arc::clone(&socket), sent_ms.len() as u64);
        tokio::task::spawn_local(async move {
            for (number, at) in (0..).zip(sent_ms) {
                sleep_until(begin + Duration::from_millis(at)).await;
                send(&sender, number, GATEWAY, PORT).await?;
            }
            std::io::Result::Ok(())
        });
        while *counted.borrow() < wanted {
            receive(&socket).await?;
            *counted.borrow_mut() += 1;
        }
        Ok(())
    });
    sim.run().expect("every request is answered in time");
    let (engine, answers) = (engine.borrow(), *answers.borrow());
    engine.made(answers)
}
