//! The triggers of the built-in runbook: where each must fire, and where it must not. The book's table is made from
//! these rows, and `tests/checks.rs` holds the drills against them.

/// A trigger: where it must fire, and where a sound exchange comes near it.
#[derive(Clone, Copy, Debug)]
pub struct TriggerDrills {
    /// Its name.
    pub trigger: &'static str,
    /// The scenario in which it must fire.
    pub fires: &'static str,
    /// The scenario of a sound release in which it must not.
    pub near: &'static str,
    /// How near: with this edit of the trigger (from, to) it would fire.
    pub would_fire: (&'static str, &'static str),
}

/// All triggers of the built-in runbook, in its order.
pub const TRIGGERS: &[TriggerDrills] = &[
    TriggerDrills {
        trigger: "p0-matching-irregularity",
        fires: "irregular-matching",
        near: "near-matching",
        would_fire: ("[1m]", "[10m]"),
    },
    TriggerDrills {
        trigger: "p0-state-hash",
        fires: "state-hash-mismatch",
        near: "near-state-hash",
        would_fire: ("[1m]", "[10m]"),
    },
    TriggerDrills {
        trigger: "p0-order-failures",
        fires: "just-too-many-errors",
        near: "near-order-failures",
        would_fire: ("for: 20s", "for: 5s"),
    },
    TriggerDrills {
        trigger: "sla-latency-p99",
        fires: "latency-regression",
        near: "near-latency",
        would_fire: ("for: 15s", "for: 5s"),
    },
    TriggerDrills {
        trigger: "sla-throughput",
        fires: "throughput-collapse",
        near: "near-throughput",
        would_fire: ("< 0.7", "< 0.8"),
    },
    TriggerDrills {
        trigger: "data-balance-anomaly",
        fires: "balance-anomaly",
        near: "near-balance-anomaly",
        would_fire: ("for: 15s", "for: 5s"),
    },
];

impl TriggerDrills {
    /// `runbook` with the trigger as it would fire on the sound release.
    ///
    /// # Panics
    /// If the runbook lacks the trigger or the words to edit.
    #[must_use]
    pub fn hasty_in(&self, runbook: &str) -> String {
        let start = runbook
            .find(&format!("- name: {}\n", self.trigger))
            .expect("the trigger is there");
        let rest = &runbook[start + 1..];
        let end = rest
            .find("- name: ")
            .or(rest.find("\n---"))
            .expect("it ends");
        let (from, to) = self.would_fire;
        assert!(rest[..end].contains(from), "{}: no {from}", self.trigger);
        let edited = rest[..end].replace(from, to);
        format!("{}{edited}{}", &runbook[..=start], &rest[end..])
    }
}

/// The book's table of triggers.
#[must_use]
pub fn table_of_triggers() -> String {
    let mut out = "| trigger | must fire in | must not fire in | where it would with |\n| --- | --- | --- | --- |\n".to_owned();
    for row in TRIGGERS {
        let (from, to) = row.would_fire;
        out.push_str(&format!(
            "| `{}` | `{}` | `{}` | `{to}` for `{from}` |\n",
            row.trigger, row.fires, row.near
        ));
    }
    out
}
