//! PromQL: parsed by the crate `promql`, planned once, evaluated instant by instant.
//!
//! - [`plan`]: a query's text to a tree of our own; whatever is not supported is refused here, by name.
//! - [`eval`]: the tree at one instant; `range_fn` and `instant_fn` hold the functions, `aggregate` and
//!   `binary` the operators.
//!
//! The rules are those of Prometheus 3 (`promql/engine.go`, `functions.go`, `quantile.go`), for float samples.

mod aggregate;
mod binary;
mod dates;
pub mod eval;
mod histogram;
mod instant_fn;
mod math_fn;
mod numbers;
pub mod plan;
mod range_fn;
#[cfg(test)]
mod tests;

use thiserror::Error;

/// Why a query has no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The text is not PromQL: HTTP 400, `bad_data`.
    #[error("parse error: {0}")]
    Syntax(String),
    /// PromQL that this implementation does not know: HTTP 422, `execution`.
    #[error("not supported here: {0}")]
    Unsupported(String),
    /// The evaluation failed: HTTP 422, `execution`.
    #[error("{0}")]
    Execution(String),
}
