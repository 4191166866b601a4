//! What affects the ledger database, its undo scripts, and the gateways that should stop writing to it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use sim::cluster::{ApiRequest, ApiResponse, Kind};
use sim::time::Micros;
use sim_exchange::database::DbFault;
use sim_exchange::{World, WorldState};

use super::Begun;
use crate::scenario::Fault;
use crate::worlds::common::manifests::MIGRATIONS;
use crate::worlds::common::manifests::NAMESPACE;

/// The undo scripts are gone.
pub(super) fn scripts_missing(world: &World) -> Begun {
    edited_scripts(world, |_| None)
}

/// The undo scripts say that they lose data.
pub(super) fn scripts_lossy(world: &World) -> Begun {
    edited_scripts(world, |sql| {
        Some(sql.replace("-- rollback: lossless", "-- rollback: lossy"))
    })
}

/// Sessions that were ended are there again at once.
pub(super) fn sessions_reconnect(world: &World, fault: &Fault) -> Begun {
    world.with(|state| {
        let now = state.now();
        let until = fault
            .lasts
            .map_or(Micros::MAX, |lasts| now + Micros::from(lasts));
        state.application.database_mut(now).keep_sessions(until);
    });
    Begun::until(move |world: &World| {
        world.with(|state| {
            let now = state.now();
            let database = state.application.database_mut(now);
            database.keep_sessions(now);
            database.session_waits()
        })
    })
}

/// A long transaction holds locks on the ledger's tables.
pub(super) fn busy(world: &World, fault: &Fault) -> Begun {
    let lasts = Micros::from(fault.lasts.unwrap_or_default());
    let before = world.with(|state| {
        let now = state.now();
        let database = state.application.database_mut(now);
        database.hold_locks(now + lasts);
        database.lock_waits()
    });
    Begun::until(move |world: &World| {
        world.with(|state| state.application.database().lock_waits() - before)
    })
}

/// Gateways notice a change of the halt flag late, or never.
pub(super) fn flag_missed(world: &World, fault: &Fault) -> Begun {
    let delay = fault.delay.map(Micros::from);
    world.with(|state| state.application.miss_flag(delay));
    Begun::until(|world: &World| world.with(|state| state.application.heed_flag()))
}

/// A fault that the server has for a while.
pub(super) fn on_the_server(world: &World, fault: DbFault) -> Begun {
    let set = move |world: &World, on| {
        world.with(|state| {
            let now: Micros = state.now();
            state.application.set_database_fault(now, fault, on)
        })
    };
    set(world, true);
    Begun::until(move |world: &World| set(world, false))
}

/// What becomes of the undo scripts that the release has put beside its migrations; `None`: it is gone.
fn edited_scripts(world: &World, edit: impl Fn(&str) -> Option<String>) -> Begun {
    let hits = world.with(|state| {
        let found = state.cluster.object(Kind::ConfigMap, NAMESPACE, MIGRATIONS);
        let data = found.map(|map| map["data"].clone()).unwrap_or_default();
        let changed: BTreeMap<&str, Option<String>> = data
            .members()
            .filter_map(|(name, sql)| Some((name, sql.as_str()?)))
            .filter(|(name, _)| name.starts_with('U'))
            .map(|(name, sql)| (name, sql, edit(sql)))
            .filter(|(_, sql, edited)| edited.as_deref() != Some(*sql))
            .map(|(name, _, edited)| (name, edited))
            .collect();
        let hits = changed.len() as u64;
        if patched(state, &json!({ "data": changed })) {
            hits
        } else {
            0
        }
    });
    Begun::until(move |_| hits)
}

/// Merges `patch` into the ConfigMap with the migrations, as somebody with the right to it.
fn patched(state: &mut WorldState, patch: &Value) -> bool {
    let now = state.now();
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{MIGRATIONS}");
    let Ok(uri) = path.parse() else { return false };
    let request = ApiRequest {
        method: http::Method::PATCH,
        uri,
        content_type: Some("application/merge-patch+json".to_owned()),
        accept: None,
        body: Bytes::from(patch.to_string()),
        user: "fault".to_owned(),
        user_agent: None,
    };
    let WorldState {
        cluster,
        application,
        ..
    } = state;
    let answer = cluster.handle(now, request, application);
    matches!(answer, ApiResponse::Unary { status: 200, .. })
}
