//! A small simulated cluster, served over HTTP on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use futures::channel::oneshot;
use futures::future::{Either, select};
use sim::application::{Plain, PlainConfig};
use sim::cluster::ImageState;
use sim::{World, WorldConfig};
use sim_serve::kubeconfig::kubeconfig;
use sim_serve::store::Closed;
use sim_serve::{Limits, Listener, Pacing, Settle, listen, serve};

/// The loopback interface alone reaches it, and nothing in it is worth a secret.
const TOKEN: &str = "conformance";
const SEED: u64 = 1;
/// An image that no registry has.
const MISSING: &str = "conformance/web:missing";

/// How a program reaches the cluster.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The text of a kubeconfig.
    pub kubeconfig: String,
    /// The URL of the API server, with the token in its path.
    pub server: String,
    /// The URL that lets time pass.
    pub sleep: String,
}

/// Serves a cluster while `program` runs on a thread of its own; what that returns. With a `speed`, its clock runs so
/// many times as fast as the wall clock, for a program that keeps time by itself; without, requests move it.
///
/// # Errors
/// Nothing can listen, or the program waits for what never comes.
pub fn with_cluster<T: Send + 'static>(
    speed: Option<u32>,
    program: impl FnOnce(Reach) -> T + Send + 'static,
) -> Result<T, String> {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut network = listen(&[(Listener::Kube, local)], TOKEN, Limits::default())
        .map_err(|error| error.to_string())?;
    let address = network
        .address(Listener::Kube)
        .ok_or("the API server has no address")?;
    let reach = Reach {
        kubeconfig: kubeconfig(address, TOKEN, "default"),
        server: format!("http://{address}/{TOKEN}"),
        sleep: format!("http://{address}/{TOKEN}/firedrill/v1/sleep"),
    };
    let pacing = match speed {
        Some(speed) => Pacing::Wall(speed),
        None => Pacing::Requests(Settle::default()),
    };
    let (mut pace, door) = network.open(pacing);
    let gate = door.gate();
    gate.with_others("kubectl");
    let wake = gate.waker();
    let (done, ended) = oneshot::channel();
    let client = std::thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| program(reach)));
        // The world that waits for it may have ended.
        let _ = done.send(());
        wake();
        result
    });
    let config = WorldConfig {
        application: PlainConfig::default(),
        ..WorldConfig::default()
    };
    let ran = sim::world::run_at(
        &mut pace,
        config,
        SEED,
        sim::Limits::default(),
        |world: World<Plain>| async move {
            world.with(|state| state.cluster.set_image(MISSING, ImageState::Missing));
            let serving = Box::pin(serve(world, door, SEED, &Closed, &()));
            match select(serving, ended).await {
                Either::Left(((), _)) | Either::Right(_) => {}
            }
        },
    );
    ran.map_err(|halt| format!("the simulated cluster: {halt:?}"))?;
    match client.join() {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(panic)) | Err(panic) => resume_unwind(panic),
    }
}
