//! A session of `kubectl` commands, with the answers that a real cluster gives. It is played on the simulated API
//! server and on a real one, and the answers are compared without what differs from run to run.
//!
//! - [`session`]: the file of commands and answers, which people read and review.
//! - [`normal`]: what does not count in an answer: names that a server makes up, ages, addresses, the width of columns.
//! - [`versions`]: what older programs print otherwise.
//! - [`play`]: runs the commands, and compares or records.
//! - [`behaviours`]: what holds of both servers, each with one body that is run against either.
//! - [`world`]: a small simulated cluster, served over HTTP on the loopback interface.

pub mod behaviours;
pub mod normal;
pub mod play;
pub mod session;
pub mod versions;
pub mod world;
