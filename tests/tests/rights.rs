//! The executor's rights are what it needs: every request that it sends to the API server over all kinds of rollbacks
//! is compared with `deploy/rbac.yaml`, in both directions. Nothing that it needs is missing,
//! and nothing is granted that no drill uses.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use e2e::drills::{SCENARIOS, edited, plan, plan_by};
use e2e::runbooks::pausing;
use executor::ports::Ports;
use executor::runbook::{COMMANDS, Kind};
use firedrill::drill::run_decorated;
use firedrill::scenario::{Crash, CrashSide};
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use sim::fabric::{Fate, Message, Rule, Server};
use sim::rng::Rng;
use sim::time::Micros;

const RBAC: &str = include_str!("../../deploy/rbac.yaml");
const NAMESPACE: &str = "dex-production";

/// Grants that no drill uses, with the code that does.
const BY_CODE: [(&str, &str); 2] = [
    (
        "update configmaps rollback-baseline",
        "`prepare` before a second deployment (executor/src/kubernetes/cluster.rs)",
    ),
    (
        "update configmaps rollback-journal",
        "a second rollback begins (executor/src/journal/store.rs)",
    ),
];

/// One right: what, on what, and on which object if the request names one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    verb: String,
    group: String,
    resource: String,
    name: Option<String>,
}

/// What a request asks for, as the API server's authorizer reads it (`requestinfo.go`).
fn right(verb: &str, path: &str) -> Right {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => panic!("{path} is no resource of the API"),
    };
    let ["namespaces", NAMESPACE, resource, rest @ ..] = rest else {
        panic!("{path} leads out of the namespace");
    };
    // A watch or a list of one object names it all the same.
    let field = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("fieldSelector=metadata.name%3D"));
    let name = rest.first().copied().or(field).map(str::to_owned);
    let resource = match rest.get(1) {
        Some(sub) => format!("{resource}/{sub}"),
        None => (*resource).to_owned(),
    };
    let verb = match verb {
        "GET"
            if query
                .split('&')
                .any(|pair| pair == "watch=true" || pair == "watch=1") =>
        {
            "watch"
        }
        "GET" if rest.is_empty() => "list",
        "GET" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "POST" => "create",
        "DELETE" => "delete",
        other => panic!("{other} {path}"),
    };
    Right {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource,
        name: name.filter(|_| verb != "create"),
    }
}

/// What the executor asked the API server for, and when, in ms since the drill began.
type Asked = Vec<(u64, Right)>;

/// Writes it down.
struct Recorder(Arc<Mutex<Asked>>);

impl Rule for Recorder {
    fn judge(&mut self, message: &Message, _: &mut Rng) -> Option<Fate> {
        // Whoever is authenticated may ask for the version (`system:public-info-viewer`).
        let is_free = message.path == "/version";
        if message.server == Server::Kube && message.origin.starts_with("executor") && !is_free {
            let right = right(&message.verb, &message.path);
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((message.sent_at.as_millis(), right));
        }
        None
    }
}

/// What somebody else does to the cluster once the bad release is there.
type Meddling = fn(kube::Client) -> futures::future::BoxFuture<'static, ()>;

fn nobody(_: kube::Client) -> futures::future::BoxFuture<'static, ()> {
    Box::pin(async {})
}

/// Pauses a Deployment that must be rolled back, so that it must be resumed first.
fn pauses(client: kube::Client) -> futures::future::BoxFuture<'static, ()> {
    Box::pin(async move {
        let change = Patch::Merge(json!({"spec": {"paused": true}}));
        Api::<Deployment>::namespaced(client, NAMESPACE)
            .patch("gateway", &PatchParams::default(), &change)
            .await
            .expect("paused");
    })
}

/// Changes the configuration of services whose code stays as it is, so that their pods must be replaced.
fn reconfigures(client: kube::Client) -> futures::future::BoxFuture<'static, ()> {
    Box::pin(async move {
        let maps = Api::<ConfigMap>::namespaced(client, NAMESPACE);
        for (map, key, value) in [
            ("risk-config", "RECONCILE_SECONDS", "4"),
            ("gateway-config", "RATE_LIMIT_PER_ACCOUNT", "251"),
        ] {
            let change = Patch::Merge(json!({"data": {key: value}}));
            maps.patch(map, &PatchParams::default(), &change)
                .await
                .expect("changed");
        }
    })
}

/// What the executor needs, and what its commands send that their descriptions do not say.
#[derive(Default)]
struct Needed {
    rights: BTreeSet<Right>,
    /// Command, and what it sends.
    undescribed: BTreeSet<(&'static str, String)>,
    /// Commands that were carried out.
    seen: BTreeSet<Kind>,
}

/// Whether a request is the rollback's own, for its lease or its journal, whichever step is under way.
fn is_of_every_rollback(right: &Right) -> bool {
    right.resource == "leases" || right.name.as_deref() == Some("rollback-journal")
}

/// Adds what the executor needs in a drill of `plan` to `needed`.
fn record(plan: &DrillPlan, meddling: Meddling, needed: &mut Needed) {
    let deployed = Micros::from(plan.scenario.timing.deploy_at);
    let asked: Arc<Mutex<Asked>> = Arc::default();
    let notes = Arc::clone(&asked);
    let decorate = move |world: &sim_exchange::World, ports: Ports| {
        world.with(|w| {
            let recorder = Box::new(Recorder(Arc::clone(&notes)));
            w.fabric.add_rule("rights", recorder);
        });
        let world = world.clone();
        tokio::spawn(async move {
            let until = deployed + Micros::from_secs(12);
            let left = until.saturating_sub(world.now());
            if left > Micros::ZERO {
                world.sleep(left).await;
                meddling(kube::Client::new(world.kube("colleague"), NAMESPACE)).await;
            }
        });
        ports
    };
    let result = run_decorated(plan, &decorate).expect("the simulated world builds");
    let failed: Vec<_> = result
        .problems()
        .into_iter()
        .filter(|finding| finding.verdict() == Verdict::Fail)
        .collect();
    assert!(failed.is_empty(), "{}: {failed:#?}", plan.scenario.name);
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    needed
        .rights
        .extend(asked.iter().map(|(_, right)| right.clone()));
    for said in &result.steps {
        let steps = &plan.runbook.runbook.steps;
        let step = steps.iter().find(|step| step.name == said.name);
        let command = &step.expect("a step of the runbook").command;
        needed.seen.insert(command.kind());
        let spec = command.spec();
        let within = said.started_ms..said.finished_ms.unwrap_or_default();
        for (_, right) in asked.iter().filter(|(at, _)| within.contains(at)) {
            let sent = format!("{} {}", right.verb, right.resource);
            if !is_of_every_rollback(right) && !spec.rights.contains(&sent.as_str()) {
                needed.undescribed.insert((spec.example, sent));
            }
        }
    }
}

/// Everything that the executor needs, over every path of the procedure.
fn needed() -> Needed {
    let mut needed = Needed::default();
    for scenario in SCENARIOS {
        record(&plan(scenario, 3), nobody, &mut needed);
    }
    record(&plan("breaking-migration-snapshot", 3), nobody, &mut needed);
    record(&plan("latency-regression", 3), pauses, &mut needed);
    // A command that the built-in runbook does not use.
    let pausing = plan_by("breaking-migration", 3, &pausing());
    record(&pausing, nobody, &mut needed);
    record(&plan("balance-anomaly", 3), reconfigures, &mut needed);
    for side in [CrashSide::Before, CrashSide::After] {
        let crashing = edited(plan("balance-anomaly", 3), |scenario| {
            scenario.crash = Some(Crash {
                request: 25,
                side,
                resume_after: Duration::from_secs(5),
            });
        });
        record(&crashing, nobody, &mut needed);
    }
    needed
}

/// What the Role grants: a right without a name is one on every object.
fn granted() -> BTreeSet<Right> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(RBAC).expect("deploy/rbac.yaml");
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let words = rule[field].as_array().cloned().unwrap_or_default();
        words
            .iter()
            .map(|word| word.as_str().expect("a word").to_owned())
            .collect()
    };
    let roles: Vec<&Value> = objects.iter().filter(|it| it["kind"] == "Role").collect();
    assert_eq!(roles.len(), 1, "one Role, in one namespace");
    assert_eq!(roles[0]["metadata"]["namespace"], NAMESPACE);
    assert!(
        !objects
            .iter()
            .any(|it| it["kind"] == "ClusterRole" || it["kind"] == "ClusterRoleBinding"),
        "nothing in other namespaces"
    );
    let mut granted = BTreeSet::new();
    for rule in roles[0]["rules"].as_array().expect("rules") {
        let names = words(rule, "resourceNames");
        let names: Vec<Option<String>> = if names.is_empty() {
            vec![None]
        } else {
            names.into_iter().map(Some).collect()
        };
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                for verb in words(rule, "verbs") {
                    for name in &names {
                        let right = Right {
                            verb: verb.clone(),
                            group: group.clone(),
                            resource: resource.clone(),
                            name: name.clone(),
                        };
                        for word in [&right.verb, &right.group, &right.resource] {
                            assert!(!word.contains('*'), "a wildcard: {right:?}");
                        }
                        assert!(granted.insert(right.clone()), "granted twice: {right:?}");
                    }
                }
            }
        }
    }
    granted
}

fn allows(granted: &Right, needed: &Right) -> bool {
    granted.verb == needed.verb
        && granted.group == needed.group
        && granted.resource == needed.resource
        && (granted.name.is_none() || granted.name == needed.name)
}

fn shown(right: &Right) -> String {
    let name = right.name.as_deref().unwrap_or("any");
    format!("{} {} {name}", right.verb, right.resource)
}

#[test]
fn what_is_granted_is_what_is_needed() {
    let granted = granted();
    let Needed {
        rights: needed,
        undescribed,
        seen,
    } = needed();
    assert!(
        undescribed.is_empty(),
        "sent by a command whose `rights` in executor/src/runbook/command/catalogue.rs do not say so: {undescribed:#?}"
    );
    assert!(seen.len() > 15, "few commands were carried out: {seen:?}");
    for spec in COMMANDS {
        for right in spec.rights {
            let is = |it: &Right| format!("{} {}", it.verb, it.resource) == *right;
            assert!(
                granted.iter().any(is),
                "{}: {right} is not granted",
                spec.example
            );
        }
    }
    let missing: Vec<String> = needed
        .iter()
        .filter(|needed| !granted.iter().any(|granted| allows(granted, needed)))
        .map(shown)
        .collect();
    assert!(missing.is_empty(), "needed and not granted: {missing:#?}");
    let unused: Vec<String> = granted
        .iter()
        .filter(|granted| !needed.iter().any(|needed| allows(granted, needed)))
        .map(shown)
        .filter(|right| !BY_CODE.iter().any(|(known, _)| known == right))
        .collect();
    assert!(unused.is_empty(), "granted and not needed: {unused:#?}");
}

#[test]
fn requests_are_read_as_the_authorizer_reads_them() {
    let base = "/apis/apps/v1/namespaces/dex-production/deployments";
    let case = |verb, path: &str| shown(&right(verb, path));
    assert_eq!(case("GET", &format!("{base}/risk")), "get deployments risk");
    assert_eq!(
        case("GET", &format!("{base}?labelSelector=a")),
        "list deployments any"
    );
    assert_eq!(
        case(
            "GET",
            &format!("{base}?&watch=true&fieldSelector=metadata.name%3Drisk")
        ),
        "watch deployments risk"
    );
    assert_eq!(
        case("PATCH", &format!("{base}/risk")),
        "patch deployments risk"
    );
    let pod = "/api/v1/namespaces/dex-production/pods/p:8080/proxy/health";
    assert_eq!(case("GET", pod), "get pods/proxy p:8080");
    let map = "/api/v1/namespaces/dex-production/configmaps";
    assert_eq!(case("POST", map), "create configmaps any");
}
