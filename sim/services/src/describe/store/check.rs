//! What a description must satisfy that says something of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sim::time::Micros;
use toml::Spanned;

use super::super::app::{App, DefectKind, Release, Spread};
use super::super::check::{service_named, spread};
use super::super::quantity::Share;
use super::super::raw::{RawDefect, RawRelease, RawService, RawSpread};
use super::model::{Loses, Migration, Mismatch, SchemaNeed, SchemaRange, Store, Undo};
use super::raw::{RawMigration, RawStore, RawUndo, Versions};
use super::scripts::Scripts;
use crate::mistake::Mistakes;
use crate::suggest;

/// The highest schema version.
const VERSION_MOST: i64 = 1_000_000;
/// What an undo script can lose.
const LOSES: [(&str, Loses); 3] = [
    ("nothing", Loses::Nothing),
    ("values", Loses::Values),
    ("rows", Loses::Rows),
];
/// What becomes of a process that meets another schema.
const OTHERWISE: [(&str, Mismatch); 2] = [("exits", Mismatch::Exits), ("errors", Mismatch::Errors)];

/// The value of a word; a mistake where there is none.
fn word<T: Copy>(
    m: &mut Mistakes,
    what: &str,
    given: Option<&Spanned<String>>,
    known: &[(&str, T)],
    default: T,
) -> T {
    let Some(given) = given else { return default };
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let found = known.iter().find(|(name, _)| name == given.get_ref());
    if found.is_none() {
        m.add(
            given.span(),
            format!("`{what}` can't be `{}`", given.get_ref()),
            "unknown word",
            suggest::help(given.get_ref(), &names),
        );
    }
    found.map_or(default, |(_, value)| *value)
}

/// Versions as they are written; a mistake where they are none.
fn versions(m: &mut Mistakes, given: &Spanned<Versions>) -> SchemaRange {
    let text = &given.get_ref().0;
    SchemaRange::parse(text).unwrap_or_else(|| {
        m.add(
            given.span(),
            format!("`{text}` are no schema versions"),
            "not a range of whole numbers",
            "write one version, such as 2, or \"1..2\" for both and what is between them, or \"2..\" from 2 on",
        );
        SchemaRange::ANY
    })
}

/// How long something takes; `median_s` and three times as long for one in a hundred, if nothing is said.
fn takes(m: &mut Mistakes, what: &str, raw: Option<&RawSpread>, median_s: u64) -> Spread {
    let assumed = Spread::of(Micros::from_secs(median_s), Micros::from_secs(3 * median_s));
    raw.map_or(assumed, |raw| spread(m, what, raw))
}

fn no_store(m: &mut Mistakes, span: Range<usize>, what: &str) {
    m.add(
        span,
        format!("`{what}` means nothing without a store"),
        "the application has none",
        "add for instance [store] with services = [\"orders\"], or remove this",
    );
}

/// Reads the store and what the services need of it into `app`, whose services are there already.
pub(in super::super) fn check(
    m: &mut Mistakes,
    app: &mut App,
    raw: Option<&RawStore>,
    services: &BTreeMap<Spanned<String>, RawService>,
) {
    let store = raw.map(|raw| store(m, app, raw));
    for (name, raw) in services {
        let needs = &raw.needs;
        let Some(at) = app.service(name.get_ref()) else {
            continue;
        };
        let (Some(span), schema) = (
            needs
                .schema
                .as_ref()
                .map(Spanned::span)
                .or(needs.otherwise.as_ref().map(Spanned::span)),
            needs.schema.as_ref(),
        ) else {
            continue;
        };
        let Some(store) = &store else {
            no_store(m, span, "needs.schema");
            continue;
        };
        if !store.services.contains(&at) {
            m.add(
                span,
                format!("`{}` does not use the store", name.get_ref()),
                "not among `services` of [store]",
                "add it there, or remove this",
            );
            continue;
        }
        let range = schema.map_or(SchemaRange::ANY, |given| versions(m, given));
        let otherwise = word(
            m,
            "otherwise",
            needs.otherwise.as_ref(),
            &OTHERWISE,
            Mismatch::Exits,
        );
        if !range.covers(store.schema) {
            m.add(
                span,
                format!(
                    "`{}` works on schema {range}, and the store is at {} before the drill",
                    name.get_ref(),
                    store.schema
                ),
                "no request would succeed",
                "let `needs.schema` cover `schema` of [store]",
            );
        }
        if let Some(service) = app.services.get_mut(at) {
            service.schema = SchemaNeed { range, otherwise };
        }
    }
    app.store = store;
}

fn store(m: &mut Mistakes, app: &App, raw: &RawStore) -> Store {
    let mut services = Vec::new();
    for name in raw.services.get_ref() {
        let Some(at) = service_named(m, app, name) else {
            continue;
        };
        if services.contains(&at) {
            m.add(
                name.span(),
                format!("`{}` is named twice", name.get_ref()),
                "the second time",
                "remove one of them",
            );
        } else {
            services.push(at);
        }
    }
    if raw.services.get_ref().is_empty() {
        m.add(
            raw.services.span(),
            "no service uses the store",
            "nobody",
            "name the Deployments that read and write it",
        );
    }
    let schema = m.count("schema", raw.schema.as_ref(), 1, 1..=VERSION_MOST);
    let scripts = raw.scripts.as_ref().map(|name| scripts(m, app, name));
    let place = raw.scripts.as_ref().map(Spanned::span);
    let place = place.unwrap_or(raw.services.span());
    if let Some(scripts) = &scripts
        && !scripts.versioned.contains_key(&schema)
    {
        let span = raw.schema.as_ref().map_or(place.clone(), Spanned::span);
        let known: Vec<String> = scripts.versioned.keys().map(u32::to_string).collect();
        m.add(
            span,
            format!("no migration file leads to schema {schema}"),
            "the version before the drill",
            format!("name one that the files lead to: {}", known.join(", ")),
        );
    }
    let migrations = migrations(m, raw, scripts.unwrap_or_default(), schema);
    Store {
        services,
        scripts: raw.scripts.as_ref().map(|it| it.get_ref().clone()),
        schema,
        migrations,
        has_log: raw.log,
        snapshot: takes(m, "snapshot", raw.snapshot.as_ref(), 2),
        restore: takes(m, "restore", raw.restore.as_ref(), 3),
    }
}

/// The migration files of the ConfigMap of that name.
fn scripts(m: &mut Mistakes, app: &App, name: &Spanned<String>) -> Scripts {
    let map = app
        .manifests
        .get("ConfigMap", &app.namespace, name.get_ref());
    let Some(map) = map else {
        m.add(
            name.span(),
            format!("the manifests have no ConfigMap `{}`", name.get_ref()),
            "not in the namespace of the Deployments",
            "name the ConfigMap that holds the migration files, or add it to the manifests",
        );
        return Scripts::default();
    };
    let scripts = Scripts::of(map);
    let (line, column) = map.line_and_column(&["data"]);
    let at = format!("{}:{line}:{column}", map.document.name);
    for odd in &scripts.odd {
        m.add(
            name.span(),
            format!("{at}: `{odd}` is no versioned migration"),
            "a file of this ConfigMap",
            "call it V2__WHAT.sql, or U2__WHAT.sql if it undoes one; versions are whole numbers from 1 on",
        );
    }
    for twice in &scripts.twice {
        m.add(
            name.span(),
            format!("{at}: another file has the version of `{twice}`"),
            "files of this ConfigMap",
            "give each migration a version of its own",
        );
    }
    for (version, script) in &scripts.undo {
        if !scripts.versioned.contains_key(version) {
            m.add(
                name.span(),
                format!(
                    "{at}: `{}` undoes version {version}, which no file leads to",
                    script.name
                ),
                "a file of this ConfigMap",
                format!("add V{version}__WHAT.sql, or remove it"),
            );
        }
    }
    scripts
}

/// What is described of each file, and what is assumed of those that are not described.
fn migrations(
    m: &mut Mistakes,
    raw: &RawStore,
    scripts: Scripts,
    schema: u32,
) -> BTreeMap<u32, Migration> {
    let Scripts {
        versioned,
        mut undo,
        ..
    } = scripts;
    for name in raw.migration.keys() {
        let text = name.get_ref();
        let version = text.parse::<u32>().ok();
        let file = version.filter(|version| versioned.contains_key(version));
        if file.is_none() {
            let known: Vec<String> = versioned.keys().map(u32::to_string).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            m.add(
                name.span(),
                format!("no migration file leads to schema {text}"),
                "unknown version",
                if known.is_empty() {
                    "name the ConfigMap with the files in `scripts` of [store]".to_owned()
                } else {
                    suggest::help(text, &known)
                },
            );
        } else if file.is_some_and(|version| version <= schema) {
            m.add(
                name.span(),
                format!("the store is at schema {schema} before the drill"),
                "this migration is applied already",
                "remove the table: only what a release applies takes time in a drill",
            );
        }
    }
    let mut migrations = BTreeMap::new();
    for (version, script) in versioned {
        let described = raw
            .migration
            .iter()
            .find(|(name, _)| name.get_ref().parse::<u32>() == Ok(version));
        let (span, described) =
            described.map_or((0..0, None), |(name, it)| (name.span(), Some(it)));
        let migration = Migration {
            takes: takes(m, "takes", described.and_then(|it| it.takes.as_ref()), 1),
            online: described.is_some_and(|it| it.online),
            undo: undone(m, described, undo.remove(&version), version, span),
            script,
        };
        migrations.insert(version, migration);
    }
    migrations
}

fn undone(
    m: &mut Mistakes,
    described: Option<&RawMigration>,
    script: Option<super::model::Script>,
    version: u32,
    place: Range<usize>,
) -> Option<Undo> {
    let raw: Option<&Spanned<RawUndo>> = described.and_then(|it| it.undo.as_ref());
    if script.is_none()
        && let Some(raw) = raw
    {
        let span = if raw.span().is_empty() {
            place
        } else {
            raw.span()
        };
        m.add(
            span,
            format!("no file undoes version {version}"),
            "there is no such script",
            format!("add U{version}__WHAT.sql to the ConfigMap of `scripts`, or remove `undo`"),
        );
    }
    let raw = raw.map(Spanned::get_ref);
    let takes = takes(m, "undo.takes", raw.and_then(|it| it.takes.as_ref()), 1);
    let loses = raw.and_then(|it| it.loses.as_ref());
    let loses = word(m, "undo.loses", loses, &LOSES, Loses::Nothing);
    Some(Undo {
        script: script?,
        takes,
        loses,
    })
}

/// The share of a client's requests that are writes. Each must reach the store, so that its answer acknowledges it.
pub(in super::super) fn writes(
    m: &mut Mistakes,
    app: &App,
    asks: usize,
    given: Option<&Spanned<Share>>,
) -> Share {
    let Some(given) = given else {
        return Share(0);
    };
    let Some(store) = &app.store else {
        no_store(m, given.span(), "writes");
        return Share(0);
    };
    if given.get_ref().0 > 0 && !reaches(app, store, asks) {
        m.add(
            given.span(),
            "the writes of this client do not all reach the store",
            "no service of the store answers each of them",
            "let it ask a service of [store], or one whose every request calls such a service: \
             without `share` and `optional`",
        );
    }
    *given.get_ref()
}

/// Whether every request to a service comes to one of the store before it is answered.
fn reaches(app: &App, store: &Store, from: usize) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(at) = next.pop() {
        if store.services.contains(&at) {
            return true;
        }
        if seen.insert(at) {
            let calls = app.services.get(at).into_iter().flat_map(|it| &it.calls);
            let certain = calls.filter(|call| call.share == Share::ALL && !call.optional);
            next.extend(certain.map(|call| call.to));
        }
    }
    false
}

/// What a release does to the store: its migrations, and the schema that its images work on.
pub(in super::super) fn release(
    m: &mut Mistakes,
    app: &App,
    raw: &RawRelease,
    release: &mut Release,
) {
    for (name, given) in &raw.schema {
        let Some(at) = service_named(m, app, name) else {
            continue;
        };
        let Some(store) = &app.store else {
            no_store(m, name.span(), "schema");
            continue;
        };
        let has_image = release.images.contains_key(&at);
        if !store.services.contains(&at) || !has_image {
            let (what, help) = if has_image {
                (
                    "does not use the store",
                    "add it to `services` of [store], or remove this",
                )
            } else {
                (
                    "has no image in this release",
                    "add it to `images` of this release, or remove this",
                )
            };
            m.add(
                name.span(),
                format!("`{}` {what}", name.get_ref()),
                "its builds work on the schema that `needs` says",
                help,
            );
            continue;
        }
        release.schema.insert(at, versions(m, given));
    }
    let Some(first) = raw.migrations.first() else {
        return;
    };
    let Some(store) = &app.store else {
        no_store(m, first.span(), "migrations");
        return;
    };
    let known: Vec<&str> = store
        .migrations
        .values()
        .map(|it| it.script.name.as_str())
        .collect();
    let mut at = store.schema;
    for name in &raw.migrations {
        let found = store
            .migrations
            .iter()
            .find(|(_, it)| it.script.name == *name.get_ref());
        let Some((version, _)) = found else {
            m.add(
                name.span(),
                format!("there is no migration file `{}`", name.get_ref()),
                "not in the ConfigMap of `scripts`",
                suggest::help(name.get_ref(), &known),
            );
            continue;
        };
        if *version <= at {
            m.add(
                name.span(),
                format!("version {version} is not above {at}"),
                "migrations go upwards, from `schema` of [store] on",
                "put them in the order of their versions, and leave out what is applied already",
            );
            continue;
        }
        at = *version;
        release.migrations.push(at);
    }
    for service in &store.services {
        let Some(name) = app.services.get(*service).map(|it| it.name.as_str()) else {
            continue;
        };
        let range = app.schema_need(*service, release).range;
        if release.images.contains_key(service) && !range.covers(at) {
            m.add(
                first.span(),
                format!("the release's own `{name}` works on schema {range}, and its migrations lead to {at}"),
                "it would not work on what it makes",
                format!("add schema = {{ {name} = \"{at}\" }} to this release"),
            );
        }
    }
}

/// The defect `breaking-schema`: from its migrations on, no other build of the service works.
pub(in super::super) fn breaking_schema(
    m: &mut Mistakes,
    app: &App,
    release: &Release,
    service: usize,
    raw: &RawDefect,
) -> Option<DefectKind> {
    let span = raw.kind.span();
    let Some(store) = &app.store else {
        no_store(m, span, "breaking-schema");
        return None;
    };
    let Some(first) = release.migrations.first() else {
        m.add(
            span,
            "the release has no migration that could break the schema",
            "no `migrations`",
            "add `migrations` to this release, or remove the defect",
        );
        return None;
    };
    if !store.services.contains(&service) {
        m.add(
            raw.service.span(),
            format!("`{}` does not use the store", raw.service.get_ref()),
            "no schema can break it",
            "name a service of [store]",
        );
        return None;
    }
    Some(DefectKind::BreakingSchema(*first))
}
