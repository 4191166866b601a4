//! The simulated world over HTTP, for programs outside this process: `kubectl`, a script, a client in any language.
//!
//! ```text
//!  program ── HTTP ──▶ network (threads, hyper) ── Asked ──▶ pace ──▶ program of the world ──▶ fabric ─▶ API server …
//!     ▲                                                                      │
//!     └──────────── answer, frames of a watch ◀──────────────────────────────┘
//! ```
//!
//! - [`network`]: who may connect, how much a client may send, and which server a request is for.
//! - [`pace`]: when the world goes on. Only requests move the clock; while the program waits for an open watch, the
//!   world goes on to its next event; while the program computes, the world stands still.
//! - [`answer`]: carries requests into the world, and answers back.
//! - [`store`]: what requests about the application's data store mean.
//! - [`tape`]: what a recording holds of them; [`play`]: plays it into another world.
//! - [`kubeconfig`]: tells `kubectl` where the world is.
//!
//! A program that sends one request after the other is reproducible: the same requests get the same answers. One that
//! sends several at once is not, since the network decides about their order.

pub mod answer;
pub mod kubeconfig;
pub mod network;
pub mod pace;
pub mod play;
pub mod store;
pub mod tape;
#[cfg(test)]
mod tests;

mod bridge;

pub use answer::{Heard, Witness, serve};
pub use bridge::To;
pub use network::{Limits, Listener, Network, NetworkError, listen};
pub use pace::{Pacing, Settle};
