//! Draws a whole drill from a number.
//!
//! - `space`: the drill, of the parts that the others draw. `dice`: what they draw with.
//! - `load`: what the clients send, and what the ledger holds. `rollout`: pods, and how they are replaced.
//!   `timing`: when what happens.
//! - `aim`: what no drill has met yet, and how one is brought to it.
//! - `faults`: what goes wrong. `death`: where the executor dies.

mod aim;
mod death;
mod dice;
mod faults;
mod load;
mod rollout;
mod space;
mod timing;

pub use space::{Drawn, Half, NoRelease, Space};
