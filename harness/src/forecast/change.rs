//! Changes of a manifest, one line each, that may make its undo faster.

use serde_json::{Value, json};
use sim_services::hooks::command_sleeps_s;

use super::workload::{Place, Workload, place};

/// One line of YAML, otherwise.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Where the line stands, or what it would be added to.
    pub(super) place: Place,
    /// The field, as people call it: `readinessProbe.periodSeconds`.
    pub(super) field: String,
    /// What is there, with the default where nothing is.
    pub(super) from: String,
    /// What would be there.
    pub(super) to: String,
    /// What the change costs.
    pub(super) price: &'static str,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    /// The value at this path of the workload.
    Field(Vec<String>, Value),
    /// No PodDisruptionBudget.
    NoBudgets,
}

impl Change {
    /// The workload with this change.
    #[must_use]
    pub(super) fn apply(&self, workload: &Workload) -> Workload {
        let mut changed = workload.clone();
        match &self.what {
            What::Field(path, to) => set(&mut changed.value, path, to.clone()),
            What::NoBudgets => changed.budgets.clear(),
        }
        changed
    }
}

/// The changes that are worth a try, in the manifest's order of thought: how it rolls, then how its pods are probed,
/// then how they end.
#[must_use]
pub(super) fn changes(workload: &Workload) -> Vec<Change> {
    let mut found = Vec::new();
    rolling(workload, &mut found);
    let several = workload.lasting().count() > 1;
    for (path, container) in workload.lasting() {
        let name = container["name"].as_str().unwrap_or_default();
        let called = if several {
            format!("{name}: ")
        } else {
            String::new()
        };
        let of = Maker {
            workload,
            path: &path,
            called: &called,
        };
        of.probes(container, &mut found);
        of.pre_stop(container, &mut found);
        if container["imagePullPolicy"] == "Always" {
            let to = json!("IfNotPresent");
            let price = "a tag that moves is not pulled again";
            found.push(of.change(&["imagePullPolicy"], "Always", to, price));
        }
    }
    pods(workload, &mut found);
    if let Some(budget) = workload.budgets.first() {
        found.push(Change {
            place: place(budget, &["spec"]),
            field: "PodDisruptionBudget".to_owned(),
            from: "there".to_owned(),
            to: "not there".to_owned(),
            price: "nothing limits evictions",
            what: What::NoBudgets,
        });
    }
    found
}

/// Changes below one path.
struct Maker<'a> {
    workload: &'a Workload,
    path: &'a [String],
    /// What stands before the field's name.
    called: &'a str,
}

impl Maker<'_> {
    fn change(
        &self,
        field: &[&str],
        from: impl Into<String>,
        to: Value,
        price: &'static str,
    ) -> Change {
        let own = field.iter().map(|it| (*it).to_owned());
        let path: Vec<String> = self.path.iter().cloned().chain(own).collect();
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        Change {
            place: self.workload.place(&steps),
            field: format!("{}{}", self.called, field.join(".")),
            from: from.into(),
            to: shown(&to),
            price,
            what: What::Field(path, to),
        }
    }

    /// A number of seconds or a count that would be smaller.
    fn lower(
        &self,
        field: &[&str],
        (from, to): (u64, u64),
        price: &'static str,
        found: &mut Vec<Change>,
    ) {
        if to < from {
            found.push(self.change(field, from.to_string(), json!(to), price));
        }
    }

    fn probes(&self, container: &Value, found: &mut Vec<Change>) {
        for (probe, prices) in [
            (
                "readinessProbe",
                [
                    "more probes",
                    "a probe that fails until the process can answer",
                    "a pod gets traffic after its first good answer",
                ],
            ),
            (
                "startupProbe",
                [
                    "more probes, and fewer seconds until the container is given up: raise failureThreshold",
                    "a probe that fails until the process can answer",
                    "",
                ],
            ),
        ] {
            let Some(spec) = container[probe].as_object() else {
                continue;
            };
            let number = |field: &str, default: u64| {
                // A zero is as good as none: the API server writes the default in its place.
                let given = spec.get(field).and_then(Value::as_u64);
                given.filter(|n| *n > 0).unwrap_or(default)
            };
            let period = number("periodSeconds", 10);
            let faster = if period > 2 { 2 } else { 1 };
            self.lower(
                &[probe, "periodSeconds"],
                (period, faster),
                prices[0],
                found,
            );
            let delay = number("initialDelaySeconds", 0);
            self.lower(
                &[probe, "initialDelaySeconds"],
                (delay, 0),
                prices[1],
                found,
            );
            let threshold = number("successThreshold", 1);
            self.lower(
                &[probe, "successThreshold"],
                (threshold, 1),
                prices[2],
                found,
            );
        }
    }

    /// A hook that sleeps for longer than it takes until nobody sends anything any more.
    fn pre_stop(&self, container: &Value, found: &mut Vec<Change>) {
        const ENOUGH_S: u64 = 5;
        let price = "less time for clients that hold on to a connection";
        let hook = &container["lifecycle"]["preStop"];
        let slept = hook["sleep"]["seconds"].as_u64();
        let field = ["lifecycle", "preStop", "sleep", "seconds"];
        self.lower(&field, (slept.unwrap_or(0), ENOUGH_S), price, found);
        if let Some(seconds) = command_sleeps_s(hook).filter(|it| *it > ENOUGH_S) {
            let from = format!("{seconds} s");
            let mut change = self.change(
                &["lifecycle", "preStop"],
                from,
                json!({"sleep": {"seconds": ENOUGH_S}}),
                price,
            );
            change.to = format!("sleep: {{seconds: {ENOUGH_S}}}");
            found.push(change);
        }
    }
}

fn rolling(workload: &Workload, found: &mut Vec<Change>) {
    let path = vec!["spec".to_owned()];
    let of = Maker {
        workload,
        path: &path,
        called: "",
    };
    let replicas = workload.replicas();
    // The pods of a StatefulSet are replaced one after the other, whatever it says.
    if !workload.is_stateful() {
        strategy(&of, found);
    }
    if replicas > 3 {
        found.push(of.change(
            &["replicas"],
            replicas.to_string(),
            json!(replicas.div_ceil(2)),
            "half of the capacity",
        ));
    }
    let ready = workload.at(&["spec", "minReadySeconds"]).as_u64();
    of.lower(
        &["minReadySeconds"],
        (ready.unwrap_or(0), 0),
        "a pod that fails soon after it is ready counts as available",
        found,
    );
}

/// How a Deployment replaces its pods.
fn strategy(of: &Maker<'_>, found: &mut Vec<Change>) {
    let workload = of.workload;
    let replicas = workload.replicas();
    if workload.recreates() {
        let to = json!("RollingUpdate");
        let price = "both releases run side by side";
        found.push(of.change(&["strategy", "type"], "Recreate", to, price));
    } else {
        let (surge, unavailable) = workload.fenceposts();
        let given = |field: &str| {
            let given = workload.at(&["spec", "strategy", "rollingUpdate", field]);
            if given.is_null() {
                "25% (default)".to_owned()
            } else {
                shown(given)
            }
        };
        if surge < replicas {
            found.push(of.change(
                &["strategy", "rollingUpdate", "maxSurge"],
                given("maxSurge"),
                json!("100%"),
                "room for as many pods more during a rollout",
            ));
        }
        if replicas > 1 && unavailable < replicas / 2 {
            found.push(of.change(
                &["strategy", "rollingUpdate", "maxUnavailable"],
                given("maxUnavailable"),
                json!("50%"),
                "half of the pods may be missing during a rollout",
            ));
        }
    }
}

fn pods(workload: &Workload, found: &mut Vec<Change>) {
    const ENOUGH_S: u64 = 10;
    let path: Vec<String> = ["spec", "template", "spec"].map(str::to_owned).to_vec();
    let of = Maker {
        workload,
        path: &path,
        called: "",
    };
    let grace = workload.pod()["terminationGracePeriodSeconds"].as_u64();
    of.lower(
        &["terminationGracePeriodSeconds"],
        (grace.unwrap_or(30), ENOUGH_S),
        "less time to finish what was begun",
        found,
    );
}

/// Sets the value at `path`, and makes the objects on the way to it.
fn set(value: &mut Value, path: &[String], to: Value) {
    let Some((step, rest)) = path.split_first() else {
        *value = to;
        return;
    };
    if let Value::Array(items) = value {
        let item = step.parse().ok().and_then(|at: usize| items.get_mut(at));
        if let Some(item) = item {
            set(item, rest, to);
        }
        return;
    }
    if !value.is_object() {
        *value = json!({});
    }
    if let Some(members) = value.as_object_mut() {
        set(members.entry(step.clone()).or_insert(Value::Null), rest, to);
    }
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
