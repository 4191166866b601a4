//! Releases: which builds they ship with which configuration, which faults those carry, and what a release promises to
//! breach when nobody rolls it back.
//!
//! - `service`: the services, and the names of what is deployed.
//! - `build`: what runs in a container, and the defects that its code may carry.
//! - `template`: what a release changes of a Deployment's pod template besides the image.
//! - `catalogue`: all releases, as a table.

mod build;
mod catalogue;
#[expect(
    clippy::module_inception,
    reason = "the type is named as the module that is about it"
)]
mod release;
mod service;
mod template;
#[cfg(test)]
mod tests;

pub use build::{
    Build, CRASHES_AFTER_S, Defect, FIRST_PODS, MarketList, ONE_POD_OF, SchemaVersion,
};
pub use release::{Promise, Release, STABLE};
pub use service::{MIGRATIONS, NAMESPACE, Service, TRADING};
pub use template::TemplateChange;
