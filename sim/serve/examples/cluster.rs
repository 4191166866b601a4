//! A simulated cluster for one command, which finds it through `KUBECONFIG`:
//!
//! ```text
//! cargo run -p sim-serve --example cluster -- sh -c "kubectl create deployment web --image=web:1; kubectl get pods"
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use futures::channel::oneshot;
use futures::future::{Either, select};
use sim::application::{Plain, PlainConfig};
use sim::{World, WorldConfig};
use sim_serve::kubeconfig::kubeconfig;
use sim_serve::store::Closed;
use sim_serve::{Limits, Listener, Pacing, Settle, listen, serve};

const SEED: u64 = 1;
/// Only this machine can connect, and only for as long as the command runs.
const TOKEN: &str = "example";

fn command(arguments: &[String], folder: &Path) -> std::io::Result<ExitStatus> {
    let (program, rest) = arguments
        .split_first()
        .ok_or_else(|| std::io::Error::other("say which command to run"))?;
    Command::new(program)
        .args(rest)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("KUBECACHEDIR", folder.join("cache"))
        .status()
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut network = listen(&[(Listener::Kube, local)], TOKEN, Limits::default())?;
    let address = network.address(Listener::Kube).ok_or("nobody listens")?;
    let folder = std::env::temp_dir().join(format!("sim-serve-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let text = kubeconfig(address, TOKEN, "default");
    std::fs::write(folder.join("kubeconfig"), text)?;
    let (mut pace, door) = network.open(Pacing::Requests(Settle::default()));
    let gate = door.gate();
    gate.with_others("command");
    let wake = gate.waker();
    let (done, ended) = oneshot::channel();
    let of_command = folder.clone();
    std::thread::spawn(move || {
        // The world may have ended before the command.
        let _ = done.send(command(&arguments, &of_command));
        wake();
    });
    let config = WorldConfig::<PlainConfig>::default();
    let limits = sim::Limits::default();
    let ran = sim::world::run_at(
        &mut pace,
        config,
        SEED,
        limits,
        |world: World<Plain>| async move {
            let serving = Box::pin(serve(world, door, SEED, &Closed, &()));
            match select(serving, ended).await {
                Either::Left(((), ended)) => ended.await,
                Either::Right((ended, _)) => ended,
            }
        },
    );
    std::fs::remove_dir_all(&folder)?;
    let status = ran???;
    Ok(status.code().map_or(ExitCode::FAILURE, |code| {
        ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
    }))
}
