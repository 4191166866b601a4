//! What is said of a store is read, and every mistake in it is told with its place and a remedy.

use super::super::tests::{MANIFESTS, app, with};
use super::super::{App, AppError, DefectKind, Share};
use super::{Loses, Mismatch};

const FILES: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: files, namespace: shop}
data:
  V1__stock.sql: CREATE TABLE stock ();
  V2__colour.sql: ALTER TABLE stock ADD COLUMN colour text;
  U2__colour.sql: ALTER TABLE stock DROP COLUMN colour;
  V3__size.sql: ALTER TABLE stock ADD COLUMN size text;
  flyway.conf: cleanDisabled=true
";

pub(crate) const APP: &str = r#"
name = "shop"
manifests = ["k8s"]

[service.front]
calls = [{ service = "stock", timeout = "250ms" }]

[service.stock]
start = { median = "1s" }
needs = { schema = "1", otherwise = "exits" }

[store]
services = ["stock"]
scripts = "files"
log = true

[store.migration.2]
takes = { median = "2s", p99 = "2s" }
undo = { loses = "values" }

[[client]]
name = "browsers"
service = "front"
rate = 50
timeout = "1s"
writes = 0.5

[release."2.0.0"]
images = { stock = "shop/stock:2.0.0" }
migrations = ["V2__colour.sql"]
schema = { stock = "2.." }
defects = [{ service = "stock", kind = "errors", share = 0.1 }]
"#;

/// The description with one change.
pub(crate) fn changed(from: &str, to: &str) -> Result<App, AppError> {
    assert!(APP.contains(from), "{from}");
    of(&APP.replace(from, to))
}

/// The description with that text, and the manifests with the migration files.
pub(crate) fn of(text: &str) -> Result<App, AppError> {
    with(text, &format!("{MANIFESTS}{FILES}"))
}

fn mistakes(of: Result<App, AppError>) -> Vec<String> {
    match of {
        Err(AppError::Wrong(error)) => {
            let all = error.mistakes.iter();
            all.map(|it| format!("{it}: {}", it.help)).collect()
        }
        other => panic!("it has mistakes: {other:?}"),
    }
}

#[test]
fn the_store_has_what_the_file_and_the_scripts_say() {
    let app = changed("", "").expect("it is right");
    let store = app.store.as_ref().expect("it has one");
    assert_eq!((store.schema, store.has_log), (1, true));
    assert_eq!(store.services, [app.service("stock").expect("it is there")]);
    let versions: Vec<u32> = store.migrations.keys().copied().collect();
    assert_eq!(versions, [1, 2, 3]);
    let undo = store.migrations[&2]
        .undo
        .as_ref()
        .expect("a script undoes it");
    assert_eq!(
        (undo.script.name.as_str(), undo.loses),
        ("U2__colour.sql", Loses::Values)
    );
    assert_eq!(store.migrations[&3].undo, None);
    let stock = &app.services[store.services[0]];
    assert_eq!(stock.schema.range.to_string(), "1");
    assert_eq!(stock.schema.otherwise, Mismatch::Exits);
    let release = &app.releases["2.0.0"];
    assert_eq!(release.migrations, [2]);
    let need = app.schema_need(store.services[0], release);
    assert_eq!(need.range.to_string(), "2..");
    assert_eq!(app.clients[0].writes, Share(500_000));
    assert!(app.writes());
}

#[test]
fn the_defect_breaks_the_schema_from_its_first_migration_on() {
    let app = changed(
        "kind = \"errors\", share = 0.1",
        "kind = \"breaking-schema\"",
    );
    let app = app.expect("it is right");
    let kind = app.releases["2.0.0"].defects[0].kind;
    assert_eq!(kind, DefectKind::BreakingSchema(2));
}

#[test]
fn every_mistake_is_told_with_its_place_and_a_remedy() {
    for (from, to, told) in [
        (
            "services = [\"stock\"]",
            "services = [\"stok\"]",
            "app.toml:13:13: the manifests have no Deployment or StatefulSet `stok`: did you mean `stock`?",
        ),
        (
            "services = [\"stock\"]",
            "services = []",
            "app.toml:13:12: no service uses the store: name the Deployments that read and write it",
        ),
        (
            "services = [\"stock\"]",
            "services = [\"stock\", \"stock\"]",
            "app.toml:13:22: `stock` is named twice: remove one of them",
        ),
        (
            "scripts = \"files\"",
            "scripts = \"fils\"",
            "app.toml:14:11: the manifests have no ConfigMap `fils`: name the ConfigMap",
        ),
        (
            "log = true",
            "schema = 7",
            "app.toml:15:10: no migration file leads to schema 7: name one that the files lead to: 1, 2, 3",
        ),
        (
            "log = true",
            "schema = 0",
            "app.toml:15:10: `schema` is 0: choose a value from 1 to 1000000",
        ),
        (
            "log = true",
            "logs = true",
            "app.toml:15:1: there is no key `logs` here: did you mean `log`?",
        ),
        (
            "[store.migration.2]",
            "[store.migration.8]",
            "app.toml:17:18: no migration file leads to schema 8",
        ),
        (
            "[store.migration.2]",
            "[store.migration.1]",
            "app.toml:17:18: the store is at schema 1 before the drill: remove the table",
        ),
        (
            "[store.migration.2]",
            "[store.migration.3]",
            "app.toml:19:8: no file undoes version 3: add U3__WHAT.sql",
        ),
        (
            "loses = \"values\"",
            "loses = \"value\"",
            "app.toml:19:18: `undo.loses` can't be `value`: did you mean `values`?",
        ),
        (
            "schema = \"1\"",
            "schema = \"1-2\"",
            "app.toml:10:20: `1-2` are no schema versions: write one version",
        ),
        (
            "schema = \"1\"",
            "schema = true",
            "app.toml:10:20: invalid type: boolean `true`, expected schema versions",
        ),
        (
            "schema = \"1\"",
            "schema = \"2..3\"",
            "app.toml:10:20: `stock` works on schema 2..3, and the store is at 1 before the drill",
        ),
        (
            "otherwise = \"exits\"",
            "otherwise = \"exit\"",
            "app.toml:10:37: `otherwise` can't be `exit`: did you mean `exits`?",
        ),
        (
            "[service.front]\n",
            "[service.front]\nneeds = { schema = 1 }\n",
            "app.toml:6:20: `front` does not use the store: add it there, or remove this",
        ),
        (
            "timeout = \"250ms\"",
            "timeout = \"250ms\", optional = true",
            "app.toml:26:10: the writes of this client do not all reach the store",
        ),
        (
            "V2__colour.sql",
            "V2__color.sql",
            "app.toml:30:15: there is no migration file `V2__color.sql`: did you mean `V2__colour.sql`?",
        ),
        (
            "[\"V2__colour.sql\"]",
            "[\"V3__size.sql\", \"V2__colour.sql\"]",
            "app.toml:30:31: version 2 is not above 3",
        ),
        (
            "[\"V2__colour.sql\"]",
            "[\"V1__stock.sql\"]",
            "app.toml:30:15: version 1 is not above 1",
        ),
        (
            "schema = { stock = \"2..\" }\n",
            "",
            "app.toml:30:15: the release's own `stock` works on schema 1, and its migrations lead to 2: \
             add schema = { stock = \"2\" }",
        ),
        (
            "schema = { stock",
            "schema = { front",
            "app.toml:31:12: `front` has no image in this release",
        ),
        (
            "migrations = [\"V2__colour.sql\"]\nschema = { stock = \"2..\" }\n\
             defects = [{ service = \"stock\", kind = \"errors\", share = 0.1 }]",
            "defects = [{ service = \"stock\", kind = \"breaking-schema\" }]",
            "app.toml:30:40: the release has no migration that could break the schema",
        ),
    ] {
        let told_of = mistakes(changed(from, to));
        assert!(
            told_of.iter().any(|it| it.starts_with(told)),
            "{to}: {told_of:#?}"
        );
    }
}

#[test]
fn files_that_can_not_be_told_apart_are_refused_with_their_place() {
    for (from, to, told) in [
        (
            "V3__size.sql",
            "R__size.sql",
            "`R__size.sql` is no versioned migration",
        ),
        (
            "V3__size.sql",
            "V02__size.sql",
            "another file has the version of `V2__colour.sql`",
        ),
        (
            "U2__colour.sql",
            "U9__colour.sql",
            "`U9__colour.sql` undoes version 9",
        ),
    ] {
        let files = format!("{MANIFESTS}{FILES}").replace(from, to);
        let told_of = mistakes(with(APP, &files));
        let found = told_of.iter().find(|it| it.contains(told));
        let found = found.unwrap_or_else(|| panic!("{to}: {told_of:#?}"));
        assert!(
            found.starts_with("app.toml:14:11: k8s/all.yaml:"),
            "{found}"
        );
    }
}

#[test]
fn without_a_store_nothing_of_it_means_anything() {
    let start = APP.find("[store]").expect("it is there");
    let end = APP.find("[[client]]").expect("it is there");
    let text = format!("{}{}", &APP[..start], &APP[end..]);
    let told = mistakes(app(&text));
    for what in ["needs.schema", "writes", "schema", "migrations"] {
        let wanted = format!("`{what}` means nothing without a store: add for instance [store]");
        assert!(
            told.iter().any(|it| it.contains(&wanted)),
            "{what}: {told:#?}"
        );
    }
}
