//! Bodies into canonical objects: a round trip through the typed struct drops unknown fields and nulls
//! and refuses wrong types, as the API server's decoder does.

use k8s_openapi::api::{apps, coordination, core, discovery, policy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Raw;

use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;

fn round_trip<T: DeserializeOwned + Serialize>(object: Raw) -> Result<Raw, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(object)?)
}

/// The canonical form of an object of this kind.
pub(crate) fn canonical(kind: Kind, object: Raw) -> Result<Value, serde_json::Error> {
    let mut object = match kind {
        Kind::Namespace => round_trip::<core::v1::Namespace>(object),
        Kind::Node => round_trip::<core::v1::Node>(object),
        Kind::Pod => round_trip::<core::v1::Pod>(object),
        Kind::Service => round_trip::<core::v1::Service>(object),
        Kind::ConfigMap => round_trip::<core::v1::ConfigMap>(object),
        Kind::Secret => round_trip::<core::v1::Secret>(object),
        Kind::Event => round_trip::<core::v1::Event>(object),
        Kind::Deployment => round_trip::<apps::v1::Deployment>(object),
        Kind::ReplicaSet => round_trip::<apps::v1::ReplicaSet>(object),
        Kind::EndpointSlice => round_trip::<discovery::v1::EndpointSlice>(object),
        Kind::Lease => round_trip::<coordination::v1::Lease>(object),
        Kind::PodDisruptionBudget => round_trip::<policy::v1::PodDisruptionBudget>(object),
    }?;
    prune(&mut object);
    Ok(object.into())
}

/// Removes what Go's `omitempty` leaves out: empty lists, and empty maps where the field is a map.
fn prune(v: &mut Raw) {
    match v {
        Raw::Object(m) => {
            for member in m.values_mut() {
                prune(member);
            }
            m.retain(|k, v| match v {
                Raw::Null => false,
                Raw::Array(a) => !a.is_empty(),
                Raw::Object(o) => {
                    !o.is_empty()
                        || !matches!(
                            k.as_str(),
                            "labels" | "annotations" | "data" | "matchLabels" | "nodeSelector"
                        )
                }
                _ => true,
            });
        }
        Raw::Array(a) => a.iter_mut().for_each(prune),
        _ => {}
    }
}
