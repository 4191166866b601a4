//! What a description must satisfy beyond its form. All mistakes are found at once.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Probe};
use sim::time::Micros;
use toml::Spanned;

use super::app::{App, Backoff, Burst, Call, Client, Hop, Service, Spread};
use super::bundle::{APP, Bundle};
use super::quantity::{Share, Span};
use super::raw::{Raw, RawBackoff, RawBurst, RawCall, RawClient, RawService, RawSpread};
use super::releases;
use crate::manifests::{Manifests, Object};
use crate::metrics::Preset;
use crate::mistake::{FileError, Mistake};
use crate::suggest;

#[derive(Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.0.push(Mistake::new(span, message, label, help));
    }

    fn count(
        &mut self,
        what: &str,
        given: Option<&Spanned<i64>>,
        default: u32,
        range: RangeInclusive<i64>,
    ) -> u32 {
        let Some(given) = given else { return default };
        if !range.contains(given.get_ref()) {
            let (low, high) = (range.start(), range.end());
            let message = format!("`{what}` is {}", given.get_ref());
            let help = format!("choose a value from {low} to {high}");
            self.add(
                given.span(),
                message,
                format!("must be {low} to {high}"),
                help,
            );
        }
        u32::try_from(*given.get_ref()).unwrap_or(0)
    }

    /// A span of time that must not be nothing.
    fn span(&mut self, what: &str, given: &Spanned<Span>) -> Micros {
        if given.get_ref().0.is_zero() {
            let message = format!("`{what}` is no time at all");
            self.add(given.span(), message, "zero", "for instance \"250ms\"");
        }
        given.get_ref().0.into()
    }
}

/// The service of that name; a mistake where there is none.
pub(super) fn service_named(m: &mut Mistakes, app: &App, name: &Spanned<String>) -> Option<usize> {
    let found = app.service(name.get_ref());
    if found.is_none() {
        let known: Vec<&str> = app.services.iter().map(|it| it.name.as_str()).collect();
        m.add(
            name.span(),
            format!("the manifests have no Deployment `{}`", name.get_ref()),
            "services are named after their Deployments",
            suggest::help(name.get_ref(), &known),
        );
    }
    found
}

pub(super) fn check(bundle: Bundle, raw: Raw, manifests: Manifests) -> Result<App, FileError> {
    let mut m = Mistakes::default();
    let preset = raw
        .metrics
        .as_ref()
        .map_or(Some(Preset::Prometheus), |word| {
            let preset = Preset::named(word.get_ref());
            if preset.is_none() {
                let help = suggest::help(word.get_ref(), &Preset::NAMES);
                let message = format!("there are no metrics `{}`", word.get_ref());
                m.add(word.span(), message, "unknown preset", help);
            }
            preset
        });
    let place = raw.manifests.first().map_or(0..0, Spanned::span);
    let namespace = namespace(&mut m, &place, &manifests);
    let mut services = Vec::new();
    for (object, deployment) in manifests.deployments() {
        services.extend(of_deployment(
            &mut m,
            &place,
            &manifests,
            object,
            &deployment,
        ));
    }
    let (file, text) = (bundle.app.path.clone(), bundle.app.text.clone());
    let mut app = App {
        name: raw.name.get_ref().clone(),
        namespace,
        manifests,
        services,
        clients: Vec::new(),
        prior: raw.prior.map_or("stable".to_owned(), Spanned::into_inner),
        releases: BTreeMap::new(),
        preset: preset.unwrap_or(Preset::Prometheus),
        runbook: raw.runbook.map(Spanned::into_inner),
        scenarios: raw.scenarios.into_iter().map(Spanned::into_inner).collect(),
        bundle,
    };
    for (name, raw) in &raw.service {
        if let Some(at) = service_named(&mut m, &app, name) {
            describe(&mut m, &mut app, at, raw);
        }
    }
    circles(&mut m, &app, &raw.service);
    for client in &raw.client {
        let client = self::client(&mut m, &app, client);
        app.clients.extend(client);
    }
    if app.clients.is_empty() {
        let help = "add a table [[client]] with name, service, rate and timeout";
        m.add(
            raw.name.span(),
            "nobody asks the application for anything",
            "no client",
            help,
        );
    }
    releases::check(&mut m, &mut app, raw.release);
    if m.0.is_empty() {
        Ok(app)
    } else {
        Err(FileError::new(APP, &file, &text, m.0))
    }
}

/// The one namespace of the Deployments.
fn namespace(m: &mut Mistakes, place: &Range<usize>, manifests: &Manifests) -> String {
    let of = |(object, _): (&Object, _)| object.namespace().map(str::to_owned);
    let mut all: Vec<String> = manifests.deployments().filter_map(of).collect();
    all.sort();
    all.dedup();
    match all.as_slice() {
        [] => {
            let help = "point `manifests` at the files that kubectl applies";
            m.add(
                place.clone(),
                "there is no Deployment in the manifests",
                "nothing here serves",
                help,
            );
        }
        [_] => {}
        [..] => m.add(
            place.clone(),
            format!(
                "the Deployments are in {} namespaces: {}",
                all.len(),
                all.join(", ")
            ),
            "an application has one namespace",
            "describe each namespace as an application of its own",
        ),
    }
    all.into_iter().next().unwrap_or_default()
}

/// A service as its manifest has it, with what is assumed of the rest.
fn of_deployment(
    m: &mut Mistakes,
    place: &Range<usize>,
    manifests: &Manifests,
    object: &Object,
    deployment: &Deployment,
) -> Option<Service> {
    let template = &deployment.spec.as_ref()?.template;
    let labels = template
        .metadata
        .as_ref()?
        .labels
        .clone()
        .unwrap_or_default();
    let container: &Container = template.spec.as_ref()?.containers.first()?;
    let app = labels.get("app").cloned();
    if app.is_none() {
        let (line, column) = object.line_and_column(&["spec", "template", "metadata"]);
        m.add(
            place.clone(),
            format!(
                "{}:{line}:{column}: the pods of Deployment `{}` have no label `app`",
                object.document.name,
                object.name()
            ),
            "metrics and logs name a service by that label",
            "add the label `app` to the pod template",
        );
    }
    let selects = |it: &&Object| {
        let selector = it.at(&["spec", "selector"]).as_object();
        it.kind() == "Service"
            && it.namespace() == object.namespace()
            && selector.is_some_and(|selector| {
                !selector.is_empty()
                    && selector
                        .iter()
                        .all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
            })
    };
    let address = manifests.objects.iter().find(selects);
    let path = |probe: &Option<Probe>| probe.as_ref()?.http_get.as_ref()?.path.clone();
    let limits = container
        .resources
        .as_ref()
        .and_then(|it| it.limits.as_ref());
    let limit = limits
        .and_then(|it| it.get("memory"))
        .map_or(0, |it| megabytes(&it.0));
    let live = path(&container.liveness_probe);
    Some(Service {
        name: object.name().to_owned(),
        app: app.unwrap_or_default(),
        container: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        address: address.map(|it| it.name().to_owned()),
        live_path: live.filter(|it| Some(it) != path(&container.readiness_probe).as_ref()),
        start: Spread::of(Micros::from_secs(2), Micros::from_secs(6)),
        request: Spread::of(Micros::from_millis(5), Micros::from_millis(40)),
        concurrency: 16,
        queue: 100,
        shutdown: Micros::from_secs(5),
        errors: Share(0),
        full_after: None,
        memory_mb: (0, limit),
        calls: Vec::new(),
        needs_env: Vec::new(),
        needs: Vec::new(),
    })
}

/// A quantity of memory in MB, rounded down; 0 if it is none.
fn megabytes(quantity: &str) -> u64 {
    const UNITS: [(&str, u64); 7] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("", 1),
    ];
    let unit = UNITS.iter().find(|(unit, _)| quantity.ends_with(unit));
    let bytes = unit.and_then(|(unit, times)| {
        let number: u64 = quantity.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*times)
    });
    bytes.unwrap_or(0) / 1_000_000
}

fn describe(m: &mut Mistakes, app: &mut App, at: usize, raw: &RawService) {
    let calls = raw.calls.iter();
    let calls: Vec<Call> = calls.filter_map(|raw| call(m, app, at, raw)).collect();
    let needs = raw.needs.services.iter();
    let needs: Vec<usize> = needs
        .filter_map(|name| service_named(m, app, name))
        .collect();
    let Some(service) = app.services.get_mut(at) else {
        return;
    };
    if let Some(start) = &raw.start {
        service.start = spread(m, "start", start);
    }
    if let Some(request) = &raw.request {
        service.request = spread(m, "request", request);
    }
    service.concurrency = m.count(
        "concurrency",
        raw.concurrency.as_ref(),
        service.concurrency,
        1..=10_000,
    );
    service.queue = m.count("queue", raw.queue.as_ref(), service.queue, 0..=1_000_000);
    if let Some(shutdown) = &raw.shutdown {
        service.shutdown = shutdown.get_ref().0.into();
    }
    service.errors = raw.errors.unwrap_or(Share(0));
    service.calls = calls;
    service.needs = needs;
    service.needs_env = raw
        .needs
        .env
        .iter()
        .map(|it| it.get_ref().clone())
        .collect();
    if let Some(memory) = &raw.memory {
        let start = u64::from(m.count("start_mb", Some(&memory.start_mb), 0, 1..=1_000_000));
        let growth = &memory.growth_mb_per_minute;
        let growth = u64::from(m.count("growth_mb_per_minute", Some(growth), 0, 0..=1_000_000));
        let (_, declared) = service.memory_mb;
        let limit = memory.limit_mb.as_ref();
        let limit = limit.map_or(declared, |it| {
            u64::from(m.count("limit_mb", Some(it), 0, 1..=1_000_000))
        });
        if growth > 0 && limit <= start {
            m.add(
                memory.start_mb.span(),
                format!("the memory grows from {start} MB, and its limit is {limit} MB"),
                "not below the limit",
                "set `resources.limits.memory` in the manifest, or `limit_mb` here, above `start_mb`",
            );
        } else {
            let grown = (limit.saturating_sub(start) * 60_000).checked_div(growth);
            service.full_after = grown.map(Micros::from_millis);
        }
        service.memory_mb = (start, limit);
    }
}

fn spread(m: &mut Mistakes, what: &str, raw: &RawSpread) -> Spread {
    let median = m.span(&format!("{what}.median"), &raw.median);
    let p99 = raw.p99.as_ref().map_or(median, |it| it.get_ref().0.into());
    if let Some(given) = &raw.p99
        && p99 < median
    {
        m.add(
            given.span(),
            format!("`{what}`: the 99th percentile is below the median"),
            "shorter than the median",
            "99 of 100 take at most `p99`, and half of them at most `median`",
        );
    }
    Spread::of(median, p99)
}

fn hop(
    m: &mut Mistakes,
    timeout: &Spanned<Span>,
    retries: Option<&Spanned<i64>>,
    backoff: Option<&RawBackoff>,
) -> Hop {
    let timeout = m.span("timeout", timeout);
    let retries = m.count("retries", retries, 0, 0..=100);
    let backoff = backoff.map_or(Backoff::NONE, |raw| {
        let first = m.span("backoff.first", &raw.first);
        Backoff {
            first,
            most: raw
                .most
                .as_ref()
                .map_or(Micros(first.0.saturating_mul(32)), |it| {
                    it.get_ref().0.into()
                }),
            factor: m.count("backoff.factor", raw.factor.as_ref(), 2, 1..=10),
            jitter: raw.jitter.unwrap_or(Share(500_000)),
        }
    });
    Hop {
        timeout,
        retries,
        backoff,
    }
}

fn call(m: &mut Mistakes, app: &App, from: usize, raw: &RawCall) -> Option<Call> {
    let to = service_named(m, app, &raw.service)?;
    let hop = hop(m, &raw.timeout, raw.retries.as_ref(), raw.backoff.as_ref());
    reachable(m, app, to, &raw.service);
    if to == from {
        let help =
            "leave the call out: a service that waits for itself can run out of workers for ever";
        m.add(
            raw.service.span(),
            "the service calls itself",
            "the same service",
            help,
        );
        return None;
    }
    Some(Call {
        to,
        share: raw.share.unwrap_or(Share::ALL),
        hop,
        optional: raw.optional,
    })
}

/// A service that is asked needs a Service of Kubernetes in front of it.
fn reachable(m: &mut Mistakes, app: &App, to: usize, name: &Spanned<String>) {
    if app.services.get(to).is_some_and(|it| it.address.is_none()) {
        m.add(
            name.span(),
            format!(
                "no Service of the manifests selects the pods of `{}`",
                name.get_ref()
            ),
            "it can't be reached",
            "add a Service whose selector matches the labels of its pods",
        );
    }
}

fn client(m: &mut Mistakes, app: &App, raw: &RawClient) -> Option<Client> {
    let to = service_named(m, app, &raw.service)?;
    reachable(m, app, to, &raw.service);
    if app.clients.iter().any(|it| it.name == *raw.name.get_ref()) {
        m.add(
            raw.name.span(),
            "two clients have this name",
            "the second one",
            "choose another name",
        );
    }
    let burst = raw.burst.as_ref().map(|raw| burst(m, raw));
    Some(Client {
        name: raw.name.get_ref().clone(),
        to,
        rate_per_s: m.count("rate", Some(&raw.rate), 0, 1..=100_000),
        hop: hop(m, &raw.timeout, raw.retries.as_ref(), raw.backoff.as_ref()),
        burst,
    })
}

fn burst(m: &mut Mistakes, raw: &RawBurst) -> Burst {
    let lasts = m.span("burst.lasts", &raw.lasts);
    let every = raw.every.as_ref().map(|it| m.span("burst.every", it));
    if let (Some(every), Some(given)) = (every, &raw.every)
        && every <= lasts
    {
        let help = "let `every` be longer than `lasts`, or raise `rate` of the client";
        m.add(
            given.span(),
            "the next burst begins before this one ends",
            "too short",
            help,
        );
    }
    Burst {
        rate_per_s: m.count("burst.rate", Some(&raw.rate), 0, 1..=100_000),
        first: raw.first.get_ref().0.into(),
        every,
        lasts,
    }
}

/// Services that wait for each other in a circle can block each other for ever.
fn circles(m: &mut Mistakes, app: &App, raw: &BTreeMap<Spanned<String>, RawService>) {
    let count = app.services.len();
    // Which services each one reaches, by as many steps as there are services.
    let mut reach: Vec<Vec<bool>> = vec![vec![false; count]; count];
    for (from, service) in app.services.iter().enumerate() {
        for call in &service.calls {
            if let Some(it) = reach.get_mut(from).and_then(|row| row.get_mut(call.to)) {
                *it = true;
            }
        }
    }
    for through in 0..count {
        let onward = reach.get(through).cloned().unwrap_or_default();
        for row in &mut reach {
            if row.get(through).copied().unwrap_or_default() {
                row.iter_mut()
                    .zip(&onward)
                    .for_each(|(it, onward)| *it |= onward);
            }
        }
    }
    for name in raw.keys() {
        let at = app.service(name.get_ref());
        let back = at.and_then(|at| reach.get(at)?.get(at).copied());
        if back.unwrap_or_default() {
            m.add(
                name.span(),
                format!("the calls of `{}` lead back to it", name.get_ref()),
                "part of a circle",
                "take one call of the circle out: calls are waited for, and a circle can block itself",
            );
        }
    }
}
