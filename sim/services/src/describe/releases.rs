//! What the releases of a description must satisfy.

use std::collections::BTreeMap;

use sim::time::Micros;
use toml::Spanned;

use super::app::{App, Defect, DefectKind, Release};
use super::check::{full_after, service_named};
use super::quantity::{Share, Span};
use super::raw::{RawDefect, RawRelease};
use super::{store, templates};
use crate::mistake::Mistakes;
use crate::suggest;

/// The kinds of defects, each with the key that says how bad it is, if there is one.
const KINDS: [(&str, Option<&str>); 10] = [
    ("slow", Some("factor")),
    ("errors", Some("share")),
    ("wrong-answers", Some("share")),
    ("leak", Some("growth_mb_per_minute")),
    ("crash-loop", None),
    ("never-ready", None),
    ("bad-configuration", None),
    ("retry-amplification", Some("retries")),
    ("missing-dependency", None),
    ("breaking-schema", None),
];

/// Reads the releases into `app`, whose services are there already.
pub(super) fn check(m: &mut Mistakes, app: &mut App, raw: BTreeMap<Spanned<String>, RawRelease>) {
    let places = raw.iter().flat_map(|(name, raw)| images(name, raw));
    let mut places: Vec<Image> = places.collect();
    places.sort_by_key(|it| it.image.span().start);
    for (name, raw) in raw {
        if *name.get_ref() == app.prior {
            m.add(
                name.span(),
                format!(
                    "the release `{}` is the one that the manifests hold",
                    app.prior
                ),
                "the name is taken",
                "choose another name, or set `prior` to what the manifests' release is called",
            );
        }
        let release = one(m, app, &name, raw);
        app.releases.insert(name.into_inner(), release);
    }
    shared(m, app, &places);
}

/// An image that a release names.
struct Image {
    release: String,
    service: String,
    image: Spanned<String>,
}

fn images(name: &Spanned<String>, raw: &RawRelease) -> Vec<Image> {
    let images = raw.images.iter();
    images
        .map(|(service, image)| Image {
            release: name.get_ref().clone(),
            service: service.get_ref().clone(),
            image: image.clone(),
        })
        .collect()
}

/// What an image does is what its releases say of it: two releases with the same image must say the same.
fn shared(m: &mut Mistakes, app: &App, places: &[Image]) {
    let said = |it: &Image| {
        let at = app.service(&it.service)?;
        let release = app.releases.get(&it.release)?;
        let defects = release.defects.iter().filter(|defect| defect.service == at);
        let defects: Vec<DefectKind> = defects.map(|defect| defect.kind).collect();
        Some((defects, app.schema_need(at, release)))
    };
    for (nth, one) in places.iter().enumerate() {
        let earlier = places.iter().take(nth);
        let mut same = earlier
            .filter(|it| it.service == one.service && it.image.get_ref() == one.image.get_ref());
        let Some(other) = same.find(|it| said(it) != said(one)) else {
            continue;
        };
        let before = app.bundle.app.text.get(..other.image.span().start);
        let line = before.unwrap_or_default().matches('\n').count() + 1;
        m.add(
            one.image.span(),
            format!(
                "`{}` is also the image of the release `{}`, in line {line}, and the two say different things of it",
                one.image.get_ref(),
                other.release
            ),
            "one image, and two sets of defects or schemas",
            "give each release a tag of its own, or let both have the same defects and the same schema",
        );
    }
}

fn one(m: &mut Mistakes, app: &App, name: &Spanned<String>, raw: RawRelease) -> Release {
    let mut release = Release {
        description: raw.description.clone(),
        images: BTreeMap::new(),
        templates: BTreeMap::new(),
        config: BTreeMap::new(),
        migrations: Vec::new(),
        schema: BTreeMap::new(),
        defects: Vec::new(),
    };
    for (service, image) in &raw.images {
        let Some(at) = service_named(m, app, service) else {
            continue;
        };
        let same = app
            .services
            .get(at)
            .is_some_and(|it| it.image == *image.get_ref());
        if same || image.get_ref().is_empty() {
            m.add(
                image.span(),
                format!(
                    "`{}` is the image that the manifests hold already",
                    image.get_ref()
                ),
                "nothing is deployed by this",
                "give the release a tag of its own, such as `shop/front:2.0.0`",
            );
        }
        release.images.insert(at, image.get_ref().clone());
    }
    store::release(m, app, &raw, &mut release);
    for (service, patch) in raw.template {
        let Some(at) = service_named(m, app, &service) else {
            continue;
        };
        match serde_json::to_value(&patch) {
            Ok(_) if !is_json(&patch) => m.add(
                service.span(),
                format!(
                    "the change of the template of `{}` has a number that is none, or a date",
                    service.get_ref()
                ),
                "JSON has no such value",
                "write a finite number, or put the date in quotes",
            ),
            Ok(patch) if patch.is_object() => {
                templates::check(m, app, at, &service.span(), &patch);
                release.templates.insert(at, patch);
            }
            _ => m.add(
                service.span(),
                "a change of a pod template is a table",
                "not a table",
                "for instance template.front = { metadata = { annotations = { checked = \"yes\" } } }",
            ),
        }
    }
    for (map, data) in raw.config {
        let known = app
            .manifests
            .get("ConfigMap", &app.namespace, map.get_ref());
        if known.is_none() {
            m.add(
                map.span(),
                format!("the manifests have no ConfigMap `{}`", map.get_ref()),
                "not in the namespace of the services",
                "name a ConfigMap of the manifests, or add it to them",
            );
        }
        release.config.insert(map.into_inner(), data);
    }
    if release.images.is_empty() && release.templates.is_empty() && release.config.is_empty() {
        m.add(
            name.span(),
            format!("the release `{}` changes nothing", name.get_ref()),
            "no image, no template and no configuration",
            "add for instance images = { front = \"shop/front:2.0.0\" }",
        );
    }
    for raw in raw.defects {
        if let Some(defect) = defect(m, app, &release, &raw) {
            release.defects.push(defect);
        }
    }
    release
}

/// Whether JSON has each of its values.
fn is_json(value: &toml::Value) -> bool {
    match value {
        toml::Value::Float(number) => number.is_finite(),
        toml::Value::Datetime(_) => false,
        toml::Value::Array(items) => items.iter().all(is_json),
        toml::Value::Table(fields) => fields.values().all(is_json),
        toml::Value::String(_) | toml::Value::Integer(_) | toml::Value::Boolean(_) => true,
    }
}

fn defect(m: &mut Mistakes, app: &App, release: &Release, raw: &RawDefect) -> Option<Defect> {
    let service = service_named(m, app, &raw.service)?;
    if !release.images.contains_key(&service) {
        m.add(
            raw.service.span(),
            format!("the release has no image of `{}`", raw.service.get_ref()),
            "a defect comes with an image",
            "add the service to `images` of this release, with a tag of its own",
        );
        return None;
    }
    let word = raw.kind.get_ref().as_str();
    let Some((_, degree)) = KINDS.iter().find(|(name, _)| *name == word) else {
        let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        let help = suggest::help(word, &known);
        m.add(
            raw.kind.span(),
            format!("there is no defect `{word}`"),
            "unknown kind",
            help,
        );
        return None;
    };
    only(m, word, *degree, raw);
    if let Some(share) = raw.share.as_ref().filter(|it| it.get_ref().0 == 0) {
        m.add(
            share.span(),
            "the share is 0: nothing is wrong with the release",
            "no request is hit",
            "write a number above 0, such as 0.1",
        );
    }
    let share = || raw.share.as_ref().map_or(Share::ALL, |it| *it.get_ref());
    let number = |given: &Option<Spanned<i64>>| {
        given
            .as_ref()
            .map_or(0, |it| u32::try_from(*it.get_ref()).unwrap_or(0))
    };
    let after = |given: &Option<Spanned<Span>>, seconds| {
        given
            .as_ref()
            .map_or(Micros::from_secs(seconds), |it| it.get_ref().0.into())
    };
    let kind = match word {
        "slow" => DefectKind::Slow(number(&raw.factor)),
        "errors" => DefectKind::Errors(share()),
        "wrong-answers" => DefectKind::WrongAnswers(share()),
        "leak" => leak(m, app, service, raw)?,
        "crash-loop" => DefectKind::CrashLoop(after(&raw.after, 1)),
        "never-ready" => DefectKind::NeverReady,
        "bad-configuration" => DefectKind::BadConfiguration,
        "retry-amplification" => DefectKind::RetryAmplification(number(&raw.retries)),
        "breaking-schema" => store::breaking_schema(m, app, release, service, raw)?,
        _ => DefectKind::MissingDependency,
    };
    Some(Defect { service, kind })
}

/// The key that says how bad a defect is must be there and in its range, and no other may.
fn only(m: &mut Mistakes, kind: &str, degree: Option<&str>, raw: &RawDefect) {
    let numbers = [
        ("factor", &raw.factor, 2..=1_000),
        ("retries", &raw.retries, 1..=100),
        (
            "growth_mb_per_minute",
            &raw.growth_mb_per_minute,
            1..=1_000_000,
        ),
    ];
    let given = numbers
        .iter()
        .filter_map(|(key, it, _)| Some((*key, it.as_ref()?.span())));
    let share = raw.share.as_ref().map(|it| ("share", it.span()));
    let after = raw.after.as_ref().filter(|_| kind != "crash-loop");
    let after = after.map(|it| ("after", it.span()));
    let given: Vec<_> = given.chain(share).chain(after).collect();
    for (key, span) in &given {
        if degree != Some(*key) {
            m.add(
                span.clone(),
                format!("`{key}` means nothing for the defect `{kind}`"),
                "not for this kind",
                degree.map_or("remove it".to_owned(), |it| {
                    format!("remove it; this kind has `{it}`")
                }),
            );
        }
    }
    if let Some(degree) = degree
        && given.iter().all(|(key, _)| *key != degree)
    {
        m.add(
            raw.kind.span(),
            format!("the defect `{kind}` needs `{degree}`"),
            "missing here",
            format!(
                "add for instance {degree} = {}",
                if degree == "share" { "0.1" } else { "10" }
            ),
        );
    }
    for (key, value, range) in numbers {
        if let Some(value) = value
            && !range.contains(value.get_ref())
        {
            let (low, high) = (range.start(), range.end());
            m.add(
                value.span(),
                format!("`{key}` is {}", value.get_ref()),
                format!("must be {low} to {high}"),
                format!("choose a value from {low} to {high}"),
            );
        }
    }
}

fn leak(m: &mut Mistakes, app: &App, service: usize, raw: &RawDefect) -> Option<DefectKind> {
    let (start, limit) = app.services.get(service)?.memory_mb;
    if limit <= start {
        m.add(
            raw.kind.span(),
            "the service has no memory limit that it could leak up to",
            "a leak ends at a limit",
            "set `resources.limits.memory` in its manifest, and `memory` of its service in this file",
        );
        return None;
    }
    let growth = raw.growth_mb_per_minute.as_ref()?;
    let growth = u64::try_from(*growth.get_ref()).unwrap_or(0).max(1);
    let after = full_after((start, limit), growth);
    if after.is_none() {
        m.add(
            raw.kind.span(),
            format!("the leak takes more than a year to get from {start} to {limit} MB"),
            "too slow for any drill",
            "raise `growth_mb_per_minute`, or lower the memory limit in the manifest",
        );
    }
    after.map(DefectKind::Leak)
}
