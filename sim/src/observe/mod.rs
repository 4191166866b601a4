//! Observability as the executor sees it: Prometheus and Loki, each behind its own HTTP API.
//!
//! - [`tsdb`]: series, samples, staleness markers; [`labels`] and [`matcher`] are its vocabulary.
//! - [`scrape`]: what is scraped and how a scrape's samples get in.
//! - [`prometheus`]: the scrape loop and the query API.
//! - [`promql`]: the language.
//! - [`loki`]: log streams, the LogQL subset and its API.
//!
//! All of it is synchronous and a pure function of the calls made to it: no clock, no randomness.

pub mod labels;
pub mod loki;
pub mod matcher;
pub mod prometheus;
pub mod promql;
pub mod scrape;
pub mod tsdb;
mod wire;

pub use loki::Loki;
pub use prometheus::{Config, Prometheus};
pub use scrape::{SampleSink, SampleText, ScrapeError, ScrapeFault, ScrapeSource, Target};
