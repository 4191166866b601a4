//! The live world: a kind cluster, PostgreSQL and Prometheus in containers, the exchange as real services, and the real
//! executor with the rights that it has in production.
//!
//! ```text
//! clear ─▶ ledger ─▶ exchange ─▶ warm-up ─▶ prepare ─▶ deploy ─▶ watch ─▶ run ─▶ hold ─▶ end ─▶ clear   (acts)
//!                                look ── look ── look ── look ── look ── look ── look ── look           (prober)
//!                                clients ════════════════════════════════════════════════               (load)
//! ```
//!
//! - `perform`: the drill from its beginning to the evidence; `timing`: when what happens in it; `interrupt`:
//!   what cuts it short.
//! - `place`, `lock`: which cluster, whether it may be used, and by whom.
//! - `docker`: the engine's containers, and whose they are; `server`: the ledger's, a container of this process.
//! - `ledger`: its roles, migrations and rows.
//! - `objects`: the exchange in the cluster.
//! - `load`: the clients.
//! - `ending`: when the drill is over, and what is read then.
//! - `path_taken`: which way a program's rollback took.
//! - `stage`: what is written down while the drill runs; `acts`: what happens in this world in the acts of a drill;
//!   `run`: those acts, with whoever looks on and the faults beside them.
//! - `hosts`: who carries out the rollback.
//! - `by_process`: the executor as a `process` of its own; `by_command`: somebody else's program; `crash`: its death at
//!   a request.
//! - `described`: drills of an application that a file describes.
//! - `faults`: what else goes wrong.
//! - `benchmark`: what the executor costs on top of bare kubectl.
//! - `calibrate`: what all this takes, measured for the simulation.
//! - `probe`, `harvest`: what the harness sees of ledger and cluster, without asking the executor.
//!
//! Times are real, so the scenario's are shortened (`timing`): nothing is waited for that shows nothing.

mod acts;
mod benchmark;
mod by_command;
mod by_process;
mod calibrate;
mod clock;
mod crash;
mod described;
mod docker;
mod ending;
mod faults;
mod harvest;
mod hosts;
mod interrupt;
mod ledger;
mod load;
mod lock;
mod measuring;
mod objects;
mod path_taken;
mod perform;
mod place;
mod probe;
mod process;
mod run;
mod server;
mod stage;
mod timing;

pub use self::benchmark::{Benchmark, Pair, Ratio, StepTook, benchmark};
pub use self::calibrate::calibrate;
pub use self::perform::{perform, perform_to_recovery};
