//! The application as a state machine of the simulated world.
//!
//! ```text
//! clients ──request──▶ pod: workers + bounded queue ──calls──▶ pod of another service ──▶ …
//!    ▲                                                │
//!    └── answer, timeout, retry with back-off ◀───────┘
//! ```
//!
//! Who waits for an answer waits only for as long as its timeout. The server does not learn of that: it goes on with
//! work that nobody waits for any more. Retry storms and overloads that outlast their cause come of nothing else.
//!
//! Traffic is caught up with lazily, up to the instant at which somebody looks, and once a second.

mod apply;
mod behaviour;
mod pod;
mod services;
mod store;
mod traffic;
mod workload;

#[cfg(test)]
mod storing_tests;
#[cfg(test)]
mod tests;

pub use apply::apply;
pub use services::{Second, Services, ServicesConfig};
pub use store::{StoreChange, StoreOp, StoreReply, StoreSeen, Stored};
