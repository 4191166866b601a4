//! What the executor acts through in the world of the shop.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use executor::ports::{EvidenceStore, Ports};
use firedrill::worlds::sim::{clock, http, no_ledger};
use sim::World;

use crate::app::{NAMESPACE, Shop};

/// The names of the files that the executor stored.
pub(crate) type Stored = Arc<Mutex<Vec<String>>>;

pub(crate) fn of(world: &World<Shop>, stored: &Stored) -> Ports {
    Ports {
        kube: kube::Client::new(world.kube("executor"), NAMESPACE),
        http: http(world, "executor"),
        database: no_ledger(),
        clock: clock(world),
        evidence: Arc::new(Store(stored.clone())),
    }
}

struct Store(Stored);

#[async_trait]
impl EvidenceStore for Store {
    async fn put(&self, name: &str, _: Bytes) -> Result<(), String> {
        let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stored.push(name.to_owned());
        Ok(())
    }
}
