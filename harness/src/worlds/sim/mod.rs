//! The deterministic simulation.

use super::{Performed, Plan, WorldError};

/// Performs a drill in the simulated world.
///
/// # Errors
/// [`WorldError::SetUp`] if the world's beginnings failed.
pub fn perform(_plan: &Plan) -> Result<Performed, WorldError> {
    Err(WorldError::SetUp(
        "the simulated world is not wired up in this build".to_owned(),
    ))
}
