//! The real ports: the system's clock, HTTP, a directory of evidence, PostgreSQL.

mod clock;
mod evidence;
mod http;
mod postgres;

pub use clock::SystemClock;
pub use evidence::DirectoryEvidence;
pub use http::{HttpSetupError, http_client};
pub use postgres::{Layout, PostgresDatabase};
