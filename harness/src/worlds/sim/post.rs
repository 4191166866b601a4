//! How an object is created before a drill.

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, PostParams};
use serde::de::DeserializeOwned;

use crate::worlds::WorldError;

/// Creates `object` in the namespace that `client` acts in.
///
/// # Errors
/// [`WorldError::SetUp`]: the object is not one of kind `K`, or the API server refuses it.
pub async fn post<K>(client: &kube::Client, object: serde_json::Value) -> Result<(), WorldError>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + serde::Serialize
        + Clone
        + std::fmt::Debug,
{
    let what = format!(
        "{} {}",
        K::kind(&()),
        object["metadata"]["name"].as_str().unwrap_or_default()
    );
    let wrong =
        |error: &dyn std::fmt::Display| WorldError::SetUp(format!("cannot create {what}: {error}"));
    let object: K = serde_json::from_value(object).map_err(|e| wrong(&e))?;
    Api::<K>::default_namespaced(client.clone())
        .create(&PostParams::default(), &object)
        .await
        .map(|_| ())
        .map_err(|e| wrong(&executor::in_words(&e)))
}
