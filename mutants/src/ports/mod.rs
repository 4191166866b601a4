//! Decorators of the executor's ports: between the sound executor and the world stands something that changes what
//! passes, so that the two together behave as an executor with a bug would.
//! The simulated world and its oracles are left as they are.
//!
//! - `kube`: requests to the API server and its answers.
//! - `http`: questions to Prometheus and Loki and their answers.
//! - `database`: operations of the ledger's database.
//! - `clock`: the time of the host.
//! - `store`: the files that the executor puts by.

mod clock;
mod database;
mod http;
mod kube;
mod store;

pub use self::clock::{Settable, Slow, Stopped};
pub use self::database::{Decorated, Decorator};
pub use self::http::{Asker, Question, Server as QueryServer, asked, values_changed};
pub use self::kube::{
    Answered, Between, Passes, Sent, Server, answer, answers, has_failed, json, missing, requests,
    stored, through, undated, without_version,
};
pub use self::store::stored_as;
