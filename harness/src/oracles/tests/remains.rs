//! What is there at the end: books, builds, flags, state and files.

use super::Case;
use crate::evidence::{Books, Entry};
use crate::verdict::Verdict;

/// Evidence that these oracles must see through.
pub(super) fn cases() -> Vec<Case> {
    use Verdict::{Fail, Inconclusive};
    vec![
        (
            "a trade is gone",
            |e| {
                e.trades.present.remove(7);
            },
            "trades",
            Fail,
        ),
        (
            "a trade has changed",
            |e| e.trades.present[7].content = 0,
            "trades",
            Fail,
        ),
        (
            "a trade is there twice",
            |e| {
                let t = e.trades.present[7];
                e.trades.present.push(t);
            },
            "trades",
            Fail,
        ),
        (
            "an id was given twice",
            |e| e.trades.acknowledged.push(Entry { id: 5, content: 1 }),
            "trades",
            Fail,
        ),
        (
            "no trades",
            |e| e.trades = Books::default(),
            "trades",
            Inconclusive,
        ),
        (
            "an order is gone",
            |e| {
                e.orders.present.remove(0);
            },
            "orders",
            Fail,
        ),
        (
            "a bad pod is left",
            |e| e.pods[1].version = Some("1.5.0".into()),
            "builds",
            Fail,
        ),
        (
            "a pod runs nothing",
            |e| e.pods[1].version = None,
            "builds",
            Fail,
        ),
        (
            "a pod is not ready",
            |e| e.pods[1].ready = false,
            "builds",
            Fail,
        ),
        (
            "a service is gone",
            |e| {
                e.pods.pop();
            },
            "builds",
            Fail,
        ),
        (
            "a foreign pod",
            |e| e.pods[0].app = "cuckoo".into(),
            "builds",
            Fail,
        ),
        (
            "the flag is left",
            |e| e.maintenance.flag = Some("maintenance".into()),
            "maintenance",
            Fail,
        ),
        (
            "the flag is gone",
            |e| e.maintenance.flag = None,
            "maintenance",
            Fail,
        ),
        (
            "the fence is left",
            |e| e.maintenance.fence_token = Some(3),
            "maintenance",
            Fail,
        ),
        (
            "the schema differs",
            |e| {
                e.state_after.insert("schema/version".into(), "2".into());
            },
            "state",
            Fail,
        ),
        (
            "something is gone",
            |e| {
                e.state_after.remove("schema/version");
            },
            "state",
            Fail,
        ),
        (
            "something is new",
            |e| {
                e.state_after.insert("configmap/x/y".into(), "z".into());
            },
            "state",
            Fail,
        ),
        (
            "nothing was recorded",
            |e| e.state_before.clear(),
            "state",
            Inconclusive,
        ),
        (
            // The dump's own heading is not a line of the log.
            "an empty log",
            |e| {
                let log = "incident-1/logs/matching/matching-0.log".to_owned();
                e.files.insert(log, "==> matching-0\n".to_owned());
            },
            "files",
            Fail,
        ),
        (
            "no post-mortem",
            |e| e.files.retain(|file, _| !file.ends_with(".md")),
            "files",
            Fail,
        ),
        (
            "no scenario",
            |e| e.files.retain(|file, _| !file.ends_with(".toml")),
            "files",
            Fail,
        ),
        (
            "a scenario that does not load",
            |e| {
                let scenario = "incident-1/scenario.toml".to_owned();
                e.files.insert(scenario, "name = 3".to_owned());
            },
            "files",
            Fail,
        ),
    ]
}
