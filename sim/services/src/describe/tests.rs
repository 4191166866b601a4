//! Descriptions are read, and every mistake in them is told at once.

use sim::time::Micros;

use super::{App, AppError, Bundle, DefectKind, File, Share, Spread};

const MANIFESTS: &str = "\
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
spec: {selector: {app: front}}
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
spec: {selector: {app: stock}}
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
    let file = |path: &str, text: &str| File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let bundle = Bundle {
        app: file("app.toml", text),
        manifests: vec![file("k8s/all.yaml", MANIFESTS)],
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
        "app.toml:8:22: the manifests have no Deployment `stok`: did you mean `stock`?",
        "app.toml:13:8: `rate` is 0: choose a value from 1 to 100000",
        "app.toml:19:33: there is no defect `error`: did you mean `errors`?",
        "app.toml:20:33: the defect `leak` needs `growth_mb_per_minute`: add for instance growth_mb_per_minute = 10",
        "app.toml:20:50: `factor` means nothing for the defect `leak`: remove it; this kind has `growth_mb_per_minute`",
    ];
    assert_eq!(told, expected);
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
            "app.toml:18:20: `shop/front:1.0.0` is the image that",
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
