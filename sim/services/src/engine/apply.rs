//! The objects of an application, created in its cluster at once: where a test or a measurement begins.

use bytes::Bytes;
use http::{Method, Uri};
use sim::WorldState;
use sim::cluster::{ApiRequest, ApiResponse};

use super::Services;
use crate::describe::App;

/// Creates every object of the manifests that the simulated API server serves, without latency.
///
/// # Errors
/// What it said of the first object that it refused.
pub fn apply(state: &mut WorldState<Services>, app: &App) -> Result<(), String> {
    for object in &app.manifests.objects {
        let (group, plural) = match (object.api_version(), object.kind()) {
            ("v1", "ConfigMap") => ("api/v1", "configmaps"),
            ("v1", "Secret") => ("api/v1", "secrets"),
            ("v1", "Service") => ("api/v1", "services"),
            ("apps/v1", "Deployment") => ("apis/apps/v1", "deployments"),
            ("apps/v1", "StatefulSet") => ("apis/apps/v1", "statefulsets"),
            ("policy/v1", "PodDisruptionBudget") => ("apis/policy/v1", "poddisruptionbudgets"),
            _ => continue,
        };
        let namespace = object.namespace().unwrap_or(&app.namespace);
        let path = format!("/{group}/namespaces/{namespace}/{plural}");
        let uri: Uri = path.parse().map_err(|_| format!("{path} is no path"))?;
        let request = ApiRequest {
            method: Method::POST,
            uri,
            content_type: Some("application/json".to_owned()),
            accept: None,
            body: Bytes::from(object.value.to_string()),
            user: "setup".to_owned(),
            user_agent: None,
        };
        let now = state.now();
        let response = state.cluster.handle(now, request, &mut state.application);
        match response {
            ApiResponse::Unary { status: 201, .. } => {}
            ApiResponse::Unary { body, .. } => {
                let said = String::from_utf8_lossy(&body);
                return Err(format!("{} {}: {said}", object.kind(), object.name()));
            }
            ApiResponse::Watch(_) | ApiResponse::Log(_) => {}
        }
    }
    Ok(())
}
