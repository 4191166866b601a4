//! The world's own record, as evidence: what the order log gives, who wrote, what no client knows of.

use dex::Exchange;
use dex::command::Command;
use dex::invariants::{Reckoned, reckon};
use dex::release::{Release, Service, TRADING};
use dex::types::Seq;
use serde_json::Value;
use sim::world::{Change, Write};
use sim_exchange::database::{DbOp, Handover, LedgerTables, order_content, trade_content};

use crate::evidence::{
    Acknowledgements, BookEntry, LedgerState, LedgerWrite, Ms, Reckoning, WriteSeen, Wrote, ms,
};
use crate::scenario::Path;
use crate::worlds::sim::ports::is_executor;

/// The ledger as the deployment finds it: nobody but the prior release's engine has written it so far.
pub(super) struct Deployed {
    state: Exchange,
    /// Hash of the order log's last entry that it includes, which tells this log from any other; `None`: it includes
    /// none.
    chain: Option<u64>,
}

impl Deployed {
    /// As `ledger` is now.
    pub(super) fn of(ledger: &LedgerTables) -> Self {
        Self {
            state: ledger.state().clone(),
            chain: chain(ledger, ledger.state().seq()),
        }
    }

    /// Whether it is what `ledger` was before its log came to entry `seq`.
    fn is_before(&self, ledger: &LedgerTables, seq: Seq) -> bool {
        self.state.seq() <= seq && chain(ledger, self.state.seq()) == self.chain
    }
}

fn chain(ledger: &LedgerTables, seq: Seq) -> Option<u64> {
    ledger.log().get(seq).map(|entry| entry.chain)
}

/// The ledger beside what the matching engine of release `from` makes of the order log;
/// `None` if there is no such release.
///
/// An engine is a pure function of its build, the state that it found and the log, and the world records each engine
/// that began to write, with what it found and what it made of that first. So only the stretch in question is computed
/// again: from the first engine of another build, or with a tail to replay, to the last such one. Before and after,
/// what stands in the ledger is what this very engine made of a state that is compared.
///
/// The stretch begins at the deployment, if that came before: what a migration makes of the rows is found by the first
/// engine that comes after it, and must be judged, too.
pub(super) fn reckoning(
    ledger: &LedgerTables,
    from: &str,
    deployed: Option<&Deployed>,
) -> Option<Reckoning> {
    let build = Release::by_name(from)?.build(Service::Matching);
    let handovers = ledger.handovers();
    let in_question = |it: &&Handover| it.build != build || it.replayed();
    let first = handovers.iter().find(in_question);
    let last = handovers.iter().rposition(|it| in_question(&it));
    let (Some(first), Some(last)) = (first, last) else {
        // Nobody but this engine ever wrote.
        let state = LedgerState::of(ledger.state(), Vec::new());
        return Some(Reckoning {
            as_of: ledger.state().seq().0,
            found: state.clone(),
            expected: state,
            refused: Vec::new(),
        });
    };
    let replayed_last = handovers.get(last).filter(|it| it.build == build);
    // After an engine of another build, what the next one found is what that one left.
    let found = match (replayed_last, handovers.get(last + 1)) {
        (Some(replay), _) => &*replay.written,
        (None, Some(next)) => &*next.written,
        (None, None) => ledger.state(),
    };
    let before = deployed.filter(|it| it.is_before(ledger, first.found.seq()));
    let base = before.map_or(&*first.found, |it| &it.state);
    let entries = ledger.log().after(base.seq());
    let Reckoned {
        state,
        trades,
        refused,
    } = reckon(base.clone().under(build, 0), entries, found.seq());
    let trades = trades.iter().map(|trade| BookEntry {
        id: trade.id.0,
        content: trade_content(trade),
    });
    let expected = LedgerState::of(&state, trades.collect());
    let between = |id: u64| id > base.trade_id().0 && id <= found.trade_id().0;
    let rows = ledger.trades().iter().filter(|row| between(row.id));
    let rows = rows.map(|row| BookEntry {
        id: row.id,
        content: row.content,
    });
    Some(Reckoning {
        as_of: found.seq().0,
        found: LedgerState::of(found, rows.collect()),
        expected,
        refused: refused.iter().map(|seq| seq.0).collect(),
    })
}

/// Orders in the log whose acknowledgement no client holds.
pub(super) fn unclaimed(ledger: &LedgerTables, orders: &Acknowledgements) -> Vec<BookEntry> {
    let entries = ledger.log().entries();
    let mut claimed = vec![false; entries.len() + 1];
    for order in &orders.acknowledged {
        let at = usize::try_from(order.id).unwrap_or(usize::MAX);
        if let Some(claimed) = claimed.get_mut(at) {
            *claimed = true;
        }
    }
    let unclaimed = entries.iter().zip(&claimed[1..]);
    let placed = |command: &Command| matches!(command, Command::Place { .. });
    unclaimed
        .filter(|(entry, claimed)| !**claimed && placed(&entry.command))
        .map(|(entry, _)| BookEntry {
            id: entry.seq.0,
            content: order_content(&entry.command),
        })
        .collect()
}

/// The way that these writes took, of an executor that does not say it.
pub(super) fn path_of(writes: &[WriteSeen]) -> Path {
    let ledger = |operation: LedgerWrite| {
        let mut all = writes.iter();
        all.any(|it| matches!(it.what, Wrote::Ledger { operation: of, .. } if of == operation))
    };
    let mut objects = writes.iter().map(|it| &it.what);
    if ledger(LedgerWrite::Restore) {
        Path::Restore
    } else if ledger(LedgerWrite::Undo) {
        Path::Undo
    } else if objects.any(|it| matches!(it, Wrote::Object { .. })) {
        Path::Application
    } else {
        Path::None
    }
}

/// What executors' hosts wrote from `since` on; nothing if nothing fired.
pub(super) fn writes(all: &[Write<DbOp>], since: Option<Ms>) -> Vec<WriteSeen> {
    let Some(since) = since else {
        return Vec::new();
    };
    let seen = all.iter().filter(|write| is_executor(&write.origin));
    let seen = seen.filter(|write| write.at.as_millis() >= since);
    seen.filter_map(|write| {
        Some(WriteSeen {
            host: write.origin.clone(),
            number: write.number,
            sent_ms: write.sent_at.as_millis(),
            at_ms: write.at.as_millis(),
            what: wrote(&write.change)?,
        })
    })
    .collect()
}

/// What was written; `None` for what executors never ask for.
fn wrote(change: &Change<DbOp>) -> Option<Wrote> {
    let (op, fence) = match change {
        Change::Cluster { verb, path, body } => return Some(object(verb, path, body)),
        Change::Database { op, fence } => (op, *fence),
    };
    let (operation, token) = match op {
        DbOp::Fence { token } => (LedgerWrite::Fence, *token),
        DbOp::Unfence { token } => (LedgerWrite::Unfence, *token),
        DbOp::Undo { token, .. } => (LedgerWrite::Undo, *token),
        DbOp::Restore { token, .. } => (LedgerWrite::Restore, *token),
        DbOp::Replay { token, .. } => (LedgerWrite::Replay, *token),
        // A snapshot is taken before a deployment, by whoever prepares it; the rest only reads, or is the deployer's.
        DbOp::Snapshot { .. }
        | DbOp::Migrate { .. }
        | DbOp::History
        | DbOp::Position
        | DbOp::FindSnapshot { .. }
        | DbOp::FenceToken
        | DbOp::TokenMax => return None,
    };
    Some(Wrote::Ledger {
        operation,
        token,
        fence,
    })
}

fn object(verb: &str, path: &str, body: &[u8]) -> Wrote {
    let request = || Wrote::Object {
        request: format!("{verb} {path}"),
        flag: flag(path, body),
    };
    if !path.contains("/leases") {
        return request();
    }
    let Ok(lease) = serde_json::from_slice::<Value>(body) else {
        return request();
    };
    let spec = &lease["spec"];
    let held = spec["holderIdentity"]
        .as_str()
        .is_some_and(|holder| !holder.is_empty());
    let lasts_s = spec["leaseDurationSeconds"].as_u64().unwrap_or(0);
    Wrote::Lease {
        token: spec["leaseTransitions"].as_u64().unwrap_or(0),
        lasts_ms: if held {
            ms(std::time::Duration::from_secs(lasts_s))
        } else {
            0
        },
    }
}

/// What a request sets the halt flag to, if it is a request for the flag. A patch of either kind says it, and so does
/// a whole object. A body that is neither is not read.
fn flag(path: &str, body: &[u8]) -> Option<String> {
    if !path.ends_with(&format!("/configmaps/{TRADING}")) {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let json = serde_json::from_str(text).ok();
    let body: Value = json.or_else(|| serde_saphyr::from_str(text).ok())?;
    let set = match body.as_array() {
        Some(operations) => {
            let mut last = operations.iter().rev();
            let set = last.find(|it| it["path"] == "/data/mode" && it["op"] != "test")?;
            &set["value"]
        }
        None => &body["data"]["mode"],
    };
    set.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::flag;

    #[test]
    fn the_halt_flag_is_read_from_every_kind_of_body() {
        let path = "/api/v1/namespaces/dex-production/configmaps/dex-trading";
        for (body, set) in [
            (r#"{"data": {"mode": "open"}}"#, Some("open")),
            ("data:\n  mode: maintenance\n", Some("maintenance")),
            (
                r#"[{"op": "replace", "path": "/data/mode", "value": "open"}]"#,
                Some("open"),
            ),
            (
                r#"[{"op": "test", "path": "/data/mode", "value": "open"}]"#,
                None,
            ),
            (r#"{"metadata": {"labels": {"a": "b"}}}"#, None),
            ("", None),
            ("k8s\0", None),
        ] {
            assert_eq!(flag(path, body.as_bytes()).as_deref(), set, "{body}");
        }
        assert_eq!(
            flag(
                "/api/v1/namespaces/dex-production/configmaps/other",
                br#"{"data": {"mode": "open"}}"#
            ),
            None
        );
    }
}
