//! The real ports: the system's clock, HTTP, a directory of evidence, PostgreSQL.

mod clock;
mod evidence;
mod http;
mod postgres;
mod settings;
mod tls;

pub use clock::SystemClock;
pub use evidence::DirectoryEvidence;
pub use http::{http_client, http_client_for};
pub use postgres::{Layout, PostgresDatabase};
pub use settings::{BasicAuth, ServerSettings, Settings};
pub use tls::TlsSetupError;
