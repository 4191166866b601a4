//! Descriptions are read, and every mistake in them is told at once.

use sim::time::Micros;

use super::{App, AppError, Bundle, DefectKind, File, Rate, Share, Spread};
use crate::manifests::LoadError;

pub(crate) const MANIFESTS: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, namespace: shop}
spec:
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec:
      containers:
        - name: web
          image: shop/front:1.0.0
          resources: {limits: {memory: 512M}}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {ports: [{port: 80}], selector: {app: front}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: stock, namespace: shop}
spec:
  selector: {matchLabels: {app: stock}}
  template:
    metadata: {labels: {app: stock}}
    spec: {containers: [{name: stock, image: 'shop/stock:1.0.0'}]}
---
apiVersion: v1
kind: Service
metadata: {name: stock, namespace: shop}
spec: {ports: [{port: 80}], selector: {app: stock}}
";

const APP: &str = r#"
name = "shop"
manifests = ["k8s"]

[service.front]
request = { median = "5ms", p99 = "40ms" }
memory = { start_mb = 100, growth_mb_per_minute = 0 }
calls = [{ service = "stock", timeout = "250ms", retries = 1 }]

[[client]]
name = "browsers"
service = "front"
rate = 50
timeout = "1s"

[release."2.0.0"]
images = { front = "shop/front:2.0.0" }
defects = [
    { service = "front", kind = "errors", share = 0.1 },
    { service = "front", kind = "leak", growth_mb_per_minute = 206 },
]
"#;

pub(crate) fn app(text: &str) -> Result<App, AppError> {
    with(text, MANIFESTS)
}

pub(crate) fn with(text: &str, manifests: &str) -> Result<App, AppError> {
    let file = |path: &str, text: &str| File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let bundle = Bundle {
        app: file("app.toml", text),
        manifests: vec![file("k8s/all.yaml", manifests)],
    };
    bundle.app()
}

fn mistakes(text: &str) -> Vec<String> {
    match app(text) {
        Err(AppError::Wrong(error)) => {
            let all = error.mistakes.iter();
            all.map(|it| format!("{it}: {}", it.help)).collect()
        }
        other => panic!("it has mistakes: {other:?}"),
    }
}

#[test]
fn services_have_what_their_manifests_and_the_file_say() {
    let app = app(APP).expect("it is right");
    assert_eq!(app.namespace, "shop");
    let front = &app.services[0];
    assert_eq!(
        (front.name.as_str(), front.container.as_str()),
        ("front", "web")
    );
    assert_eq!(front.address.as_deref(), Some("front"));
    assert_eq!(front.memory_mb, (100, 512));
    assert_eq!(
        front.calls[0].to,
        app.service("stock").expect("it is there")
    );
    assert_eq!(app.release_names(), ["stable", "2.0.0"]);
    assert_eq!(
        app.images("2.0.0"),
        ["shop/front:2.0.0", "shop/stock:1.0.0"]
    );
    let kinds: Vec<_> = app.releases["2.0.0"]
        .defects
        .iter()
        .map(|it| it.kind)
        .collect();
    let leak = DefectKind::Leak(Micros::from_secs(120));
    assert_eq!(kinds, [DefectKind::Errors(Share(100_000)), leak]);
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_a_remedy() {
    let text = APP
        .replace("service = \"stock\"", "service = \"stok\"")
        .replace("rate = 50", "rate = 0")
        .replace("kind = \"errors\"", "kind = \"error\"")
        .replace("growth_mb_per_minute = 206", "factor = 2");
    let told = mistakes(&text);
    let expected = [
        "app.toml:8:22: the manifests have no Deployment or StatefulSet `stok`: did you mean `stock`?",
        "app.toml:13:8: `rate` is 0: choose a value from 0.001 to 100000, such as 0.5 or 200",
        "app.toml:19:33: there is no defect `error`: did you mean `errors`?",
        "app.toml:20:33: the defect `leak` needs `growth_mb_per_minute`: add for instance growth_mb_per_minute = 10",
        "app.toml:20:50: `factor` means nothing for the defect `leak`: remove it; this kind has `growth_mb_per_minute`",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_value_of_a_wrong_form_hides_no_other_mistake() {
    let text = APP
        .replace(
            "kind = \"errors\", share = 0.1",
            "kind = \"errors\", share = 2",
        )
        .replace("service = \"stock\"", "service = \"stok\"")
        .replace("timeout = \"1s\"", "timeout = 1\nhurry = true");
    let told = mistakes(&text);
    for part in [
        "`stok`",
        "invalid type",
        "there is no key `hurry`",
        "2 is not a share",
    ] {
        assert!(told.iter().any(|it| it.contains(part)), "{part}: {told:?}");
    }
    // What stands for a value that is wrong is not found wrong itself.
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn clients_may_send_less_than_a_request_a_second() {
    let app = app(&APP.replace("rate = 50", "rate = 0.5")).expect("it is right");
    assert_eq!(app.clients[0].rate_per_s, Rate(500));
    assert_eq!(app.rate_per_s().ceil(), 1);
}

#[test]
fn what_could_not_work_is_refused() {
    for (change, to, start) in [
        (
            "rate = 50",
            "rat = 50",
            "app.toml:13:1: there is no key `rat` here",
        ),
        (
            "timeout = \"1s\"",
            "timeout = 1",
            "app.toml:14:11: invalid type",
        ),
        (
            "timeout = \"1s\"",
            "timeout = \"1 s\"",
            "app.toml:14:11: `1 s` is not a duration",
        ),
        (
            "share = 0.1",
            "share = 10",
            "app.toml:19:51: 10 is not a share",
        ),
        (
            "shop/front:2.0.0",
            "shop/front:1.0.0",
            "app.toml:17:20: `shop/front:1.0.0` is the image that",
        ),
        (
            "[[client]]",
            "[service.stock]\ncalls = [{ service = \"front\", timeout = \"1s\" }]\n[[client]]",
            "app.toml:5:10: the calls of `front` lead back to it",
        ),
    ] {
        let told = mistakes(&APP.replace(change, to));
        assert!(told[0].starts_with(start), "{told:?}");
    }
}

#[test]
fn a_spread_has_its_median_and_its_99th_percentile() {
    let spread = Spread::of(Micros::from_millis(5), Micros::from_millis(40)).0;
    assert_eq!((spread.median(), spread.quantile(990_000)), (5_000, 40_000));
    assert_eq!(spread.quantile(10_000), 625);
    let (least, most) = spread.ends();
    assert!(
        least < 625 && most > 40_000 && most < 100_000,
        "{least} {most}"
    );
    let fixed = Spread::of(Micros::from_millis(5), Micros::from_millis(5)).0;
    assert_eq!(fixed.ends(), (5_000, 5_000));
}

/// What is wrong with [`APP`] and [`MANIFESTS`] after a change of one of them.
fn wrong(in_app: bool, change: &str, to: &str) -> Vec<String> {
    let whole = if in_app { APP } else { MANIFESTS };
    assert!(whole.contains(change), "{change}");
    let changed = whole.replacen(change, to, 1);
    let (text, manifests) = if in_app {
        (changed.as_str(), MANIFESTS)
    } else {
        (APP, changed.as_str())
    };
    match with(text, manifests) {
        Err(AppError::Wrong(error)) => {
            let all = error.mistakes.iter();
            all.map(|it| format!("{it}: {}", it.help)).collect()
        }
        other => panic!("`{to}` is a mistake: {other:?}"),
    }
}

#[test]
fn numbers_that_could_not_be_simulated_are_refused_at_their_place() {
    for (change, to, start) in [
        (
            "rate = 50",
            "rate = 9223372036854775807",
            "app.toml:13:8: `rate` is 9223372036854775807",
        ),
        ("rate = 50", "rate = -1", "app.toml:13:8: `rate` is -1"),
        ("rate = 50", "rate = \"50\"", "app.toml:13:8: invalid type"),
        (
            "rate = 50",
            "rate = 99999999999999999999",
            "app.toml:13:8: ",
        ),
        (
            "timeout = \"1s\"",
            "timeout = \"1s\"\nburst = { rate = 90, first = \"1m\", every = \"5s\", lasts = \"10s\" }",
            "app.toml:15:44: the next burst begins before this one ends",
        ),
        (
            "timeout = \"1s\"",
            "timeout = \"1s\"\nbackoff = { first = \"2s\", most = \"1s\" }",
            "app.toml:15:34: `backoff.most` is below `backoff.first`",
        ),
        (
            "[release.",
            "[[client]]\nname = \"b\"\nservice = \"front\"\nrate = 100000\ntimeout = \"1s\"\n[release.",
            "app.toml:19:8: the clients send up to 100050 requests a second together",
        ),
        (
            "timeout = \"1s\"",
            "timeout = \"0s\"",
            "app.toml:14:11: `timeout` is no time at all",
        ),
        (
            "median = \"5ms\"",
            "median = \"0ms\"",
            "app.toml:6:22: `request.median` is no time at all",
        ),
        (
            "p99 = \"40ms\"",
            "p99 = \"99999999999h\"",
            "app.toml:6:35: `99999999999h` is not a duration",
        ),
        (
            "share = 0.1",
            "share = nan",
            "app.toml:19:51: NaN is not a share",
        ),
        (
            "share = 0.1",
            "share = inf",
            "app.toml:19:51: inf is not a share",
        ),
        (
            "share = 0.1",
            "share = 1e-9",
            "app.toml:19:51: 0.000000001 is too small a share",
        ),
        ("share = 0.1", "share = 0", "app.toml:19:51: the share is 0"),
        (
            "start_mb = 100",
            "start_mb = 600",
            "app.toml:7:23: the memory is 600 MB at the start",
        ),
        (
            "images = {",
            "template = { front = { spec = { x = nan } } }\nimages = {",
            "app.toml:17:14: the change of the template of `front` has a number that is none",
        ),
    ] {
        let told = wrong(true, change, to);
        assert!(told[0].starts_with(start), "{to}: {told:?}");
    }
}

#[test]
fn what_no_pod_would_answer_or_survive_is_refused() {
    let stock = "[service.stock]\nneeds = { services = [\"front\"] }\n[[client]]";
    let circle = APP
        .replace(
            "calls = [{",
            "needs = { services = [\"stock\"] }\ncalls = [{",
        )
        .replace("[[client]]", stock);
    let told = mistakes(&circle);
    let start = "app.toml:5:10: the pods of `front` wait for themselves to be ready";
    assert!(told[0].starts_with(start), "{told:?}");

    let told = wrong(
        true,
        "service = \"front\"\nrate",
        "service = \"frnt\"\nrate",
    );
    let expected = "app.toml:12:11: the manifests have no Deployment or StatefulSet `frnt`: did you mean `front`?";
    assert_eq!(told, [expected]);

    let none = "metadata: {name: stock, namespace: shop}\nspec:\n  replicas: 0\n";
    let told = wrong(
        false,
        "metadata: {name: stock, namespace: shop}\nspec:\n",
        none,
    );
    let start = "app.toml:8:22: the Deployment `stock` has no pods";
    assert!(told[0].starts_with(start), "{told:?}");

    let many = none.replace("replicas: 0", "replicas: 2000000000");
    let told = wrong(
        false,
        "metadata: {name: stock, namespace: shop}\nspec:\n",
        &many,
    );
    let start = "app.toml:3:14: k8s/all.yaml:23:13: the Deployment `stock` has 2000000000 pods";
    assert!(told[0].starts_with(start), "{told:?}");
}

#[test]
fn services_are_told_apart_by_their_labels_and_else_by_their_names() {
    let labelled = |front: &str, stock: &str| {
        let manifests = MANIFESTS
            .replace("{app: front}", front)
            .replace("{app: stock}", stock);
        let app = with(APP, &manifests).expect("it is right");
        app.services
            .into_iter()
            .map(|it| it.app)
            .collect::<Vec<_>>()
    };
    let recommended = "{app.kubernetes.io/name: pages}";
    assert_eq!(labelled("{app: web}", "{app: stock}"), ["web", "stock"]);
    assert_eq!(labelled(recommended, "{k8s-app: s}"), ["pages", "stock"]);
    let both = "{app: web, app.kubernetes.io/name: pages}";
    assert_eq!(labelled(both, recommended), ["web", "pages"]);
    // One chart names all its workloads alike.
    let [one, other] = ["front", "stock"].map(|component| {
        format!("{{app.kubernetes.io/name: shop, app.kubernetes.io/component: {component}}}")
    });
    assert_eq!(labelled(&one, &other), ["front", "stock"]);
    // The name of one may be the label of another.
    assert_eq!(labelled("{app: stock}", "{tier: back}"), ["front", "stock"]);
}

#[test]
fn a_limit_that_is_never_reached_ends_nothing() {
    let huge = MANIFESTS.replace("memory: 512M", "memory: 1000000E");
    let text = APP.replace("growth_mb_per_minute = 0", "growth_mb_per_minute = 1");
    let text = text.replace(
        "kind = \"leak\", growth_mb_per_minute = 206",
        "kind = \"never-ready\"",
    );
    let app = with(&text, &huge).expect("it is right");
    assert_eq!(app.services[0].full_after, None);
}

#[test]
fn a_service_may_be_a_stateful_set() {
    let whole = "kind: StatefulSet\nmetadata: {name: stock, namespace: shop}\nspec:\n  serviceName: stock\n";
    let from = "kind: Deployment\nmetadata: {name: stock, namespace: shop}\nspec:\n";
    let headless = "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: named, namespace: shop}\n\
                    spec: {clusterIP: None, selector: {app: stock}}\n---\n";
    let manifests = MANIFESTS
        .replacen(from, whole, 1)
        .replacen("\n---\n", headless, 1);
    let app = with(APP, &manifests).expect("it is right");
    let kinds: Vec<(&str, &str)> = app
        .services
        .iter()
        .map(|it| (it.name.as_str(), it.kind.as_str()))
        .collect();
    assert_eq!(kinds, [("front", "Deployment"), ("stock", "StatefulSet")]);
    // Whoever asks it does not go by the headless Service, which only names its pods.
    assert_eq!(app.services[1].address.as_deref(), Some("stock"));

    let elsewhere = whole.replace("serviceName: stock", "serviceName: stok");
    let told = wrong(false, from, &elsewhere);
    let start =
        "app.toml:3:14: k8s/all.yaml:23:16: the StatefulSet `stock` names the Service `stok`";
    assert!(told[0].starts_with(start), "{told:?}");

    let on_delete = format!("{whole}  updateStrategy: {{type: OnDelete}}\n");
    let told = wrong(false, from, &on_delete);
    let start = "app.toml:3:14: k8s/all.yaml:24:26: the StatefulSet `stock` has the update strategy OnDelete";
    assert!(told[0].starts_with(start), "{told:?}");

    let twice = whole.replace("name: stock", "name: front");
    let told = wrong(false, from, &twice);
    let start = "app.toml:3:14: a Deployment and a StatefulSet are both called `front`";
    assert!(told.iter().any(|it| it.starts_with(start)), "{told:?}");
}

#[test]
fn an_image_that_two_releases_share_is_one_thing() {
    let second = "
[release.\"2.1.0\"]
images = { front = \"shop/front:2.0.0\" }
defects = [{ service = \"front\", kind = \"never-ready\" }]
";
    let told = mistakes(&format!("{APP}{second}"));
    let start =
        "app.toml:24:20: `shop/front:2.0.0` is also the image of the release `2.0.0`, in line 17,";
    assert!(told.len() == 1 && told[0].starts_with(start), "{told:?}");
    // Where both say the same of it, nothing is added to either.
    let same = second.replace("[{ service = \"front\", kind = \"never-ready\" }]", "[]");
    let without = APP
        .find("defects")
        .map(|at| &APP[..at])
        .expect("it has defects");
    assert!(
        app(&format!(
            "{without}{same}template.front.metadata.annotations.a = \"b\"\n"
        ))
        .is_ok()
    );
}

#[test]
fn a_release_changes_only_what_a_pod_template_has() {
    let with = |template: &str| format!("{APP}template.front.{template}\n");
    for (template, start) in [
        (
            "spec.containers = [{ name = \"web\", imge = \"x\" }]",
            "app.toml:22:51: `template.front.spec.containers.0.imge`: a pod template has no field `imge`",
        ),
        (
            "spec.containers = [{ name = \"wbe\", args = [\"-v\"] }]",
            "app.toml:22:45: `template.front.spec.containers`: there is no container `wbe`",
        ),
        (
            "spec.containers = [{ args = [\"-v\"] }]",
            "app.toml:22:21: `template.front.spec.containers`: has no name",
        ),
        (
            "spec.containers = [{ name = \"web\", resources = { requests = { cpu = \"abc\" } } }]",
            "app.toml:22:78: `template.front.spec.containers.0.resources.requests.cpu`: \"abc\" is no quantity",
        ),
        (
            "spec.terminationGracePeriodSeconds = \"long\"",
            "app.toml:22:21: `template.front.spec.terminationGracePeriodSeconds`: invalid type",
        ),
        (
            "selector.matchLabels.app = \"other\"",
            "app.toml:22:16: `template.front.selector`: `selector` of a Deployment can't be changed",
        ),
    ] {
        let told = mistakes(&with(template));
        assert!(told.len() == 1 && told[0].starts_with(start), "{told:?}");
    }
    for template in [
        "spec.containers = [{ name = \"web\", resources = { limits = { cpu = 1 } } }]",
        "spec.containers = [{ name = \"agent\", image = \"agent:1\" }]",
        "spec.containers = [{ name = \"web\", \"$patch\" = \"replace\", image = \"shop/front:2.0.0\" }]",
    ] {
        assert!(app(&with(template)).is_ok(), "{template}");
    }
    let stateful = MANIFESTS.replacen("kind: Deployment", "kind: StatefulSet", 1);
    let text = with("volumeClaimTemplates = []");
    let Err(AppError::Wrong(error)) = super::tests::with(&text, &stateful) else {
        panic!("the API server forbids it");
    };
    let told = error.mistakes[0].to_string();
    let forbidden =
        "`volumeClaimTemplates` of a StatefulSet can't be changed once it is there (forbidden)";
    assert!(told.contains(forbidden), "{told}");
}

#[test]
fn a_kind_that_is_misspelt_in_the_manifests_is_told_and_nothing_that_follows_from_it() {
    let manifests = MANIFESTS.replacen("kind: Deployment", "kind: Deploymnet", 1);
    let Err(AppError::Manifests(LoadError::Wrong(files))) = with(APP, &manifests) else {
        panic!("no server knows it");
    };
    let told: Vec<String> = files
        .iter()
        .flat_map(|file| &file.mistakes)
        .map(|it| format!("{it}: {}", it.help))
        .collect();
    assert_eq!(
        told,
        [
            "k8s/all.yaml:2:7: no matches for kind `Deploymnet` in version `apps/v1`: \
             did you mean `Deployment`?"
        ]
    );
}
