//! An application as a team describes it: a file in TOML beside its manifests.
//!
//! ```text
//! app.toml ──serde──▶ raw (with places) ──check──▶ App ◀── manifests
//! ```

mod app;
mod bundle;
mod check;
mod circles;
mod deployed;
mod http;
mod quantity;
mod raw;
mod releases;
mod sample;
pub(crate) mod store;
mod templates;

#[cfg(test)]
pub(crate) mod tests;

pub use app::{
    App, Backoff, Burst, Call, Client, Defect, DefectKind, Hop, Release, Service, Spread,
};
pub use bundle::{AppError, Bundle, File, read};
pub use http::{Http, Method};
pub use quantity::{Rate, Share};
pub use sample::sample;
pub use store::{
    Loses, Migration, Mismatch, SchemaNeed, SchemaRange, Script, Store, Undo, latest_migration,
};
