//! The files that somebody begins with who drills an application of their own: its description, a runbook, a scenario.

use std::fmt::Write as _;
use std::time::Duration;

use contract::image;
use sim_services::describe::{App, AppError, Bundle, File};
use sim_services::manifests::Manifests;

use super::entry::{self, Why, names_host, values};
use super::first_runbook::{RATE, RTO_S, SHUTDOWN_S, START_P99_S, runbook};
use super::store;
use crate::forecast::workloads;
use crate::scenario::Timing;

/// A longer warm-up is a multiple of this, in seconds.
const WARM_UP_STEP_S: u64 = 30;
/// What the description is called in messages while it does not lie anywhere.
const NOT_WRITTEN: &str = "app.toml (not written)";

/// Files to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// `app.toml`.
    pub app: String,
    /// `rollback.md`.
    pub runbook: String,
    /// `scenarios/failing-requests.toml`.
    pub scenario: String,
    /// The service that the clients ask, and why it was taken for the one that they ask.
    pub entry: (String, Why),
}

/// Files for the application called `name` with these manifests, which lie at `paths` as its description sees them.
///
/// # Errors
/// What keeps the manifests from being drilled.
pub fn application(name: &str, manifests: &Manifests, paths: &[String]) -> Result<Files, AppError> {
    let (app, asked, why) = read(name, manifests, paths)?;
    let entry = app.services.get(asked).map(|it| it.name.clone());
    let calls = calls(&app, manifests);
    let order = order(app.services.len(), &calls);
    let found = store::found(&app, manifests, &order);
    let stored = store::section(&app, found.as_ref());
    let (runbook, rto_s) = runbook(&app, manifests, asked, &order, found.as_ref());
    Ok(Files {
        app: description(&app, paths, asked, &calls, &stored),
        runbook,
        scenario: scenario(&app, asked, rto_s, warm_up_s(manifests)),
        entry: (entry.unwrap_or_default(), why),
    })
}

/// The application with a client of the service that is most likely asked by people, that service, and why it is this
/// one.
fn read(
    name: &str,
    manifests: &Manifests,
    paths: &[String],
) -> Result<(App, usize, Why), AppError> {
    let mut first_error = None;
    for (candidate, why) in entry::candidates(manifests) {
        let text = format!(
            "name = {name:?}\nmanifests = {paths:?}\n\
             [[client]]\nname = \"users\"\nservice = {candidate:?}\nrate = {RATE}\ntimeout = \"2s\"\n"
        );
        let app = File {
            path: NOT_WRITTEN.to_owned(),
            text,
        };
        match Bundle::of(app, manifests).app() {
            Ok(app) => {
                let asked = app.service(&candidate).unwrap_or_default();
                return Ok((app, asked, why));
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) => Err(error),
        None => unreachable!("there is at least one candidate"),
    }
}

/// Which services call which, as far as the environment of their containers names addresses: by caller, then callee.
fn calls(app: &App, manifests: &Manifests) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (from, service) in app.services.iter().enumerate() {
        let mut workloads = manifests.workloads().map(|(object, _)| object);
        let Some(object) = workloads.find(|object| object.name() == service.name) else {
            continue;
        };
        let mut texts = Vec::new();
        values(
            object.at(&["spec", "template", "spec", "containers"]),
            &mut texts,
        );
        for (to, called) in app.services.iter().enumerate() {
            let Some(address) = called.address.as_deref() else {
                continue;
            };
            let names_it = texts.iter().any(|text| names_host(text, address));
            if names_it && to != from && !leads(&found, to, from) && !found.contains(&(from, to)) {
                found.push((from, to));
            }
        }
    }
    found
}

fn leads(calls: &[(usize, usize)], from: usize, to: usize) -> bool {
    let mut next = calls.iter().filter(|(caller, _)| *caller == from);
    next.any(|(_, callee)| *callee == to || leads(calls, *callee, to))
}

/// The services in the order in which they are rolled back: whoever is called comes before who calls it.
fn order(count: usize, calls: &[(usize, usize)]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < count {
        let ready = |at: &usize| {
            !order.contains(at)
                && calls
                    .iter()
                    .all(|(from, to)| from != at || order.contains(to))
        };
        match (0..count).find(ready) {
            Some(at) => order.push(at),
            None => break,
        }
    }
    order
}

fn description(
    app: &App,
    paths: &[String],
    asked: usize,
    calls: &[(usize, usize)],
    stored: &str,
) -> String {
    let name = |at: usize| app.services.get(at).map_or("", |it| it.name.as_str());
    let mut out = format!(
        "# How the services of `{0}` behave, for drills of its rollback. What stands here is assumed: put your own numbers\n\
         # in its place, from the dashboards that you have.\n\
         #\n\
         #     firedrill check app.toml\n\
         #     firedrill chaos --app app.toml\n\n\
         name = {0:?}\n\
         # Files and folders that kubectl applies, from this file's folder.\n\
         manifests = {paths:?}\n\
         runbook = \"rollback.md\"\n\
         scenarios = [\"scenarios\"]\n\
         # What the release in the manifests is called.\n\
         prior = \"stable\"\n\
         # Whose names the metrics have: prometheus, micrometer, opentelemetry, istio or ingress-nginx.\n\
         metrics = \"prometheus\"\n",
        app.name
    );
    for (at, service) in app.services.iter().enumerate() {
        let _ = write!(
            out,
            "\n[service.{}]\n\
             # From the start of a process until it listens.\n\
             start = {{ median = \"2s\", p99 = \"{START_P99_S}s\" }}\n\
             # Its own work on a request, without the calls that it waits for.\n\
             request = {{ median = \"5ms\", p99 = \"40ms\" }}\n\
             # Requests that a pod works on at a time, and those that wait; more are refused with 503.\n\
             concurrency = 64\n\
             queue = 200\n\
             # From SIGTERM until the process exits. Up to then it serves.\n\
             shutdown = \"{SHUTDOWN_S}s\"\n",
            service.name
        );
        let its: Vec<usize> = calls
            .iter()
            .filter(|it| it.0 == at)
            .map(|it| it.1)
            .collect();
        if its.is_empty() {
            out.push_str("# calls = [{ service = \"another\", share = 0.5, timeout = \"500ms\", retries = 1 }]\n");
        } else {
            out.push_str("# Found in the environment of its containers.\ncalls = [\n");
            for to in its {
                let _ = writeln!(
                    out,
                    "    {{ service = \"{}\", timeout = \"500ms\" }},",
                    name(to)
                );
            }
            out.push_str("]\n");
        }
    }
    let image = app.services.get(asked).map_or("", |it| it.image.as_str());
    let bad = image::tagged(image, "bad");
    let asked = name(asked);
    let _ = write!(
        out,
        "\n# The service that your users ask first. Is it another one? Then name it here, in the release below, and in the\n\
         # queries of the runbook.\n\
         # Clients send whether they are answered or not. Do they retry? Then say so: that is what storms are made of.\n\
         [[client]]\n\
         name = \"users\"\n\
         service = \"{asked}\"\n\
         rate = {RATE}\n\
         timeout = \"2s\"\n\
         # retries = 2\n\
         # backoff = {{ first = \"100ms\", most = \"2s\", factor = 2, jitter = 0.5 }}\n\
         # burst = {{ rate = 600, first = \"5m\", lasts = \"20s\" }}\n\
         # Share of its requests that are writes into the store, which their answers acknowledge.\n\
         # writes = 0.2\n\
         {stored}\n\
         # A release that is to be rolled back. Defects: slow (factor), errors and wrong-answers (share), leak\n\
         # (growth_mb_per_minute), retry-amplification (retries), crash-loop, never-ready, bad-configuration,\n\
         # missing-dependency, breaking-schema.\n\
         [release.bad]\n\
         description = \"One request in ten fails.\"\n\
         images = {{ {asked} = {bad:?} }}\n\
         defects = [{{ service = \"{asked}\", kind = \"errors\", share = 0.1 }}]\n"
    );
    out
}

/// How long the steady state is watched before anything is deployed, in seconds: [`Timing::WARM_UP`], or more where the
/// pods take more than the part of it that passes before the clients begin.
fn warm_up_s(manifests: &Manifests) -> u64 {
    let start = Duration::from_secs(START_P99_S);
    let (workloads, _) = workloads(manifests);
    let slowest = workloads.iter().map(|it| it.creation_takes(start)).max();
    let needs_s = (slowest.unwrap_or_default() * Timing::WARM_UP_PER_START).as_secs();
    needs_s
        .next_multiple_of(WARM_UP_STEP_S)
        .max(Timing::WARM_UP.as_secs())
}

/// The scenario, for a runbook whose RTO is `rto_s` seconds. The steady state is watched for `warm_up_s` seconds.
fn scenario(app: &App, asked: usize, rto_s: u64, warm_up_s: u64) -> String {
    let service = app.services.get(asked).map_or("", |it| it.name.as_str());
    let (more_rto_s, more_warm_up_s) = (rto_s - RTO_S, warm_up_s - Timing::WARM_UP.as_secs());
    let (mut begins, mut timing, mut rto_max) = (String::new(), String::new(), String::new());
    if more_warm_up_s > 0 {
        begins = format!(
            "# By a third of it, when the clients begin, all pods are available, as their probes and `minReadySeconds` have\n\
             # it.\n\
             warm_up = \"{warm_up_s}s\"\n\
             deploy_at = \"{}s\"\n",
            Timing::DEPLOY_AT.as_secs() + more_warm_up_s
        );
    }
    let more_s = more_rto_s + more_warm_up_s;
    if more_s > 0 {
        timing = format!(
            "[timing]\n\
             {begins}# Long enough for the RTO of the runbook.\n\
             duration = \"{}s\"\n\n",
            Timing::DURATION.as_secs() + more_s
        );
    }
    if more_rto_s > 0 {
        rto_max = format!(
            "# As long as the RTO of the runbook.\n\
             rto_max = \"{rto_s}s\"\n"
        );
    }
    format!(
        "name = \"failing-requests\"\n\
         description = \"A release of {service} fails one request in ten.\"\n\n\
         # Deployed over what the manifests hold.\n\
         [release]\n\
         to = \"bad\"\n\n\
         {timing}[expect]\n\
         # The runbook's trigger that must fire.\n\
         trigger = \"too-many-errors\"\n\
         {rto_max}# After the recovery, of a hundred requests of clients at most one may take longer.\n\
         p99_max = \"500ms\"\n"
    )
}

#[cfg(test)]
mod tests {
    use sim_services::describe::{Bundle, File};
    use sim_services::manifests::{Document, Manifests};

    use super::{Why, application, order};
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::{Described, Scenario};

    const MANIFESTS: &str = "\
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: 'r:5000/web:7',
  env: [{name: STOCK, value: 'http://stock.shop:80/'}]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}], selector: {app: web}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: stock}, spec: {selector: {matchLabels: {app: stock}},
  template: {metadata: {labels: {app: stock}}, spec: {containers: [{name: stock, image: stock}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: stock}, spec: {ports: [{port: 80}], selector: {app: stock}}}
";

    #[test]
    fn the_files_to_begin_with_are_right_and_know_who_calls_whom() {
        let document = Document {
            name: "k8s/all.yaml".to_owned(),
            text: MANIFESTS.to_owned(),
        };
        let manifests = Manifests::parse(vec![document], "shop").expect("they are right");
        let files =
            application("mine", &manifests, &["../k8s".to_owned()]).expect("it can be drilled");
        assert!(files.app.contains("r:5000/web:7-bad"), "{}", files.app);
        assert!(
            files.app.contains("{ service = \"stock\", timeout"),
            "{}",
            files.app
        );
        let runbook = LoadedRunbook::parse("rollback.md", &files.runbook);
        let runbook = runbook.expect("the runbook is right");
        assert_eq!(runbook.runbook.services, ["stock", "web"]);
        let bundle = sim_services::describe::Bundle {
            app: sim_services::describe::File {
                path: "app.toml".to_owned(),
                text: files.app,
            },
            manifests: vec![sim_services::describe::File {
                path: "k8s/all.yaml".to_owned(),
                text: MANIFESTS.to_owned(),
            }],
        };
        let app = Described::from(bundle.app().expect("the description is right"));
        let scenario = Scenario::parse_of(&app, "s.toml", &files.scenario, &runbook.triggers());
        let scenario = scenario.expect("the scenario is right");
        assert_eq!(scenario.release.from, "stable");
        // Whoever has its text has the application, too.
        let again = Scenario::parse("s.toml", &scenario.text, &[]).expect("it reads back");
        assert_eq!(again, scenario);
    }

    #[test]
    fn migration_files_make_a_store_and_its_steps() {
        let files = "---
{apiVersion: v1, kind: ConfigMap, metadata: {name: files}, data: {V1__a.sql: A, V2__b.sql: B, U2__b.sql: C}}
";
        let text = format!(
            "{}{files}",
            MANIFESTS.replace("image: stock", "image: stock, args: [--database]")
        );
        let document = Document {
            name: "k8s/all.yaml".to_owned(),
            text: text.clone(),
        };
        let manifests = Manifests::parse(vec![document], "default").expect("they are right");
        let files =
            application("mine", &manifests, &["k8s".to_owned()]).expect("it can be drilled");
        let bundle = Bundle {
            app: File {
                path: "app.toml".to_owned(),
                text: files.app.replace("# writes = 0.2", "writes = 0.2"),
            },
            manifests: vec![File {
                path: "k8s/all.yaml".to_owned(),
                text,
            }],
        };
        let app = Described::from(bundle.app().expect("the description is right"));
        let store = app.store.as_ref().expect("it has one");
        assert_eq!((store.schema, store.scripts.as_deref()), (2, Some("files")));
        assert_eq!(store.services, [app.service("stock").expect("it is there")]);
        let runbook = LoadedRunbook::parse("rollback.md", &files.runbook);
        let runbook = runbook.expect("the runbook is right");
        runbook.check_services(Some(&app)).expect("it fits");
        let mut steps = runbook.runbook.steps.iter().map(|step| step.name.as_str());
        assert!(steps.any(|name| name == "undo-schema"), "{}", files.runbook);
    }

    #[test]
    fn the_runbook_has_the_steps_of_each_kind_that_there_is() {
        let stock = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: stock}, spec: {";
        let stateful = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: stock}, spec: {serviceName: stock, ";
        let runbook = |text: String| {
            let name = "k8s/all.yaml".to_owned();
            let manifests = Manifests::parse(vec![Document { name, text }], "shop");
            let manifests = manifests.expect("they are right");
            let files = application("mine", &manifests, &["../k8s".to_owned()]);
            files.expect("it can be drilled").runbook
        };
        let deployments = runbook(MANIFESTS.to_owned());
        assert!(deployments.contains("kubectl get deployments -n "));
        assert!(!deployments.contains("statefulset"), "{deployments}");
        let both = runbook(MANIFESTS.replacen(stock, stateful, 1));
        assert!(both.contains("kubectl get deployments,statefulsets -n "));
        assert!(both.contains("kubectl rollout undo deployment/$SERVICE"));
        assert!(both.contains("kubectl rollout undo statefulset/$SERVICE"));
        let read = executor::runbook::Runbook::parse_and_lint("rollback.md", &both);
        let told = read.expect("the runbook is right").plain();
        assert_eq!(told.matches("warning: ").count(), 0, "{told}");
    }

    fn begun(text: &str) -> super::Files {
        let name = "k8s/all.yaml".to_owned();
        let text = text.to_owned();
        let manifests = Manifests::parse(vec![Document { name, text }], "shop");
        let manifests = manifests.expect("they are right");
        application("mine", &manifests, &["../k8s".to_owned()]).expect("it can be drilled")
    }

    #[test]
    fn queries_and_selectors_go_by_the_labels_that_the_pods_have() {
        let recommended = MANIFESTS.replace("{app: ", "{app.kubernetes.io/name: ");
        let runbook = begun(&recommended).runbook;
        assert!(
            runbook.contains("-l app.kubernetes.io/name=$SERVICE "),
            "{runbook}"
        );
        assert!(runbook.contains(r#"app="web""#), "{runbook}");
        // One chart names all its workloads alike: what tells them apart are their names.
        let chart = MANIFESTS.replace("app: web}", "app: shop, component: web}");
        let chart = chart.replace("app: stock}", "app: shop, component: stock}");
        let runbook = begun(&chart).runbook;
        assert!(runbook.contains("-l component=$SERVICE "), "{runbook}");
        assert!(runbook.contains(r#"app="web""#), "{runbook}");
        LoadedRunbook::parse("rollback.md", &runbook).expect("the runbook is right");
    }

    #[test]
    fn pods_are_asked_whatever_their_ports_are() {
        let one = "image: stock, ports: [{containerPort: 9000}]";
        for manifests in [MANIFESTS, &MANIFESTS.replace("image: stock", one)] {
            let runbook = begun(manifests).runbook;
            assert!(runbook.contains("pods/$POD/proxy/health"), "{runbook}");
            assert!(runbook.contains("pods/$POD/proxy/metrics"), "{runbook}");
        }
        // Where one container declares ports, that is the one that serves, wherever it stands.
        let beside = "image: beside}, {name: stock, image: stock, ports: [{containerPort: 9000}]";
        let files = begun(&MANIFESTS.replace(
            "name: stock, image: stock",
            &format!("name: beside, {beside}"),
        ));
        assert!(
            files.runbook.contains("pods/$POD/proxy/metrics"),
            "{}",
            files.runbook
        );
    }

    #[test]
    fn clients_ask_the_service_that_the_manifests_show_to_the_world() {
        let whole = format!(
            "{MANIFESTS}---
{{apiVersion: v1, kind: Service, metadata: {{name: stock}}, spec: {{type: NodePort, ports: [{{port: 80}}], selector: {{app: stock}}}}}}
"
        );
        let files = begun(&whole);
        assert_eq!(
            files.entry,
            ("stock".to_owned(), Why::Exposed("stock".to_owned()))
        );
        assert!(
            files.app.contains("service = \"stock\"\nrate"),
            "{}",
            files.app
        );
        assert!(
            files.scenario.contains("A release of stock"),
            "{}",
            files.scenario
        );
        assert_eq!(begun(MANIFESTS).entry.0, "web");
    }

    #[test]
    fn a_mistake_of_manifests_names_no_file_that_is_not_there() {
        let name = "k8s/all.yaml".to_owned();
        let text = MANIFESTS.replacen(
            "{selector: {matchLabels",
            "{replicas: 0, selector: {matchLabels",
            2,
        );
        let manifests = Manifests::parse(vec![Document { name, text }], "shop");
        let manifests = manifests.expect("they are right");
        let wrong = application("mine", &manifests, &[]).expect_err("nobody can answer");
        let wrong = format!("{:?}", miette::Report::from(wrong));
        assert!(wrong.contains("app.toml (not written)"), "{wrong}");
    }

    #[test]
    fn whoever_is_called_comes_before_who_calls() {
        assert_eq!(order(3, &[(0, 2), (2, 1)]), [1, 2, 0]);
    }
}
