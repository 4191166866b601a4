//! ConfigMaps: the maintenance flag, and the release's configuration (which an undo does not restore).

use super::context::{Context, Stop, Success};
use crate::kubernetes::Updated;

/// Sets one key of a ConfigMap.
pub(super) async fn set_value(
    context: &Context<'_>,
    name: &str,
    key: &str,
    value: &str,
) -> Result<Success, Stop> {
    let change = |data: &mut std::collections::BTreeMap<String, String>| {
        if data.get(key).is_some_and(|present| present == value) {
            return false;
        }
        data.insert(key.to_owned(), value.to_owned());
        true
    };
    let updated = context
        .cluster
        .update_config_map(name, false, &context.budget, change)
        .await?;
    let detail = format!("{name}: {key}={value}");
    Ok(match updated {
        Updated::Written => Success::done(detail),
        Updated::AlreadySo => Success::already(detail),
    })
}

/// Puts back what `prepare` recorded.
pub(super) async fn restore(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        for (name, recorded) in &service.config {
            let change = |data: &mut std::collections::BTreeMap<String, String>| {
                if data == recorded {
                    return false;
                }
                data.clone_from(recorded);
                true
            };
            parts.push(
                match context
                    .cluster
                    .update_config_map(name, true, &context.budget, change)
                    .await?
                {
                    Updated::Written => Success::done(format!("{name} restored")),
                    Updated::AlreadySo => Success::already(format!("{name} is as recorded")),
                },
            );
        }
    }
    if parts.is_empty() {
        return Ok(Success::already("no configuration differs"));
    }
    Ok(Success::join(parts))
}
