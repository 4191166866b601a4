//! What a description must satisfy beyond its form. All mistakes are found at once.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use sim::time::Micros;
use toml::Spanned;

use super::app::{App, Backoff, Burst, Call, Client, Hop, Spread};
use super::bundle::{APP, Bundle};
use super::quantity::{Number, Rate, Share, Span};
use super::raw::{Raw, RawBackoff, RawBurst, RawCall, RawClient, RawService, RawSpread};
use super::{circles, deployed, http, releases, store};
use crate::manifests::{Manifests, Object};
use crate::metrics::Preset;
use crate::mistake::{FileError, Mistakes};
use crate::suggest;

/// Requests a second of all clients together, at most.
const RATE_MOST: Rate = Rate::whole(100_000);

impl Mistakes {
    pub(super) fn count(
        &mut self,
        what: &str,
        given: Option<&Spanned<i64>>,
        default: u32,
        range: RangeInclusive<i64>,
    ) -> u32 {
        given.map_or(default, |it| self.within(&format!("`{what}`"), it, range))
    }

    /// Requests a second: more than none, and no more than can be simulated.
    fn rate(&mut self, what: &str, given: &Spanned<Number>) -> Rate {
        let number = given.get_ref();
        let rate = number.rate().filter(|it| *it <= RATE_MOST);
        if rate.is_none() {
            self.add(
                given.span(),
                format!("`{what}` is {number}"),
                format!("must be more than 0, and at most {RATE_MOST}"),
                format!("choose a value from 0.001 to {RATE_MOST}, such as 0.5 or 200"),
            );
        }
        rate.unwrap_or_default()
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
            format!(
                "the manifests have no Deployment or StatefulSet `{}`",
                name.get_ref()
            ),
            "services are named after them",
            suggest::help(name.get_ref(), &known),
        );
    }
    found
}

pub(super) fn check(bundle: Bundle, mut raw: Raw, manifests: Manifests) -> Result<App, FileError> {
    let wrong = std::mem::take(&mut raw.wrong);
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
    for (object, workload) in manifests.workloads() {
        let service = deployed::service(&mut m, &place, &manifests, object, &workload);
        services.extend(service);
    }
    deployed::tell_apart(&mut services);
    deployed::all(&mut m, &place, &services);
    let (file, text) = (bundle.app.path.clone(), bundle.app.text.clone());
    let mut app = App {
        name: raw.name.get_ref().clone(),
        namespace,
        manifests,
        services,
        store: None,
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
    circles::check(&mut m, &app, &raw.service);
    store::check(&mut m, &mut app, raw.store.as_ref(), &raw.service);
    for raw in &raw.client {
        if let Some(client) = client(&mut m, &app, raw) {
            app.clients.push(client);
            rates(&mut m, &app, raw);
        }
    }
    if raw.client.is_empty() {
        let help = "add a table [[client]] with name, service, rate and timeout";
        m.add(
            raw.name.span(),
            "nobody asks the application for anything",
            "no client",
            help,
        );
    }
    releases::check(&mut m, &mut app, raw.release);
    m.beside(wrong);
    m.into_result(APP, &file, &text)?;
    Ok(app)
}

/// The one namespace of the workloads.
fn namespace(m: &mut Mistakes, place: &Range<usize>, manifests: &Manifests) -> String {
    let of = |(object, _): (&Object, _)| object.namespace().map(str::to_owned);
    let mut all: Vec<String> = manifests.workloads().filter_map(of).collect();
    all.sort();
    all.dedup();
    match all.as_slice() {
        [] => {
            let help = "point `manifests` at the files that kubectl applies";
            m.add(
                place.clone(),
                "there is no Deployment and no StatefulSet in the manifests",
                "nothing here serves",
                help,
            );
        }
        [_] => {}
        [..] => m.add(
            place.clone(),
            format!(
                "the Deployments and StatefulSets are in {} namespaces: {}",
                all.len(),
                all.join(", ")
            ),
            "an application has one namespace",
            "describe each namespace as an application of its own",
        ),
    }
    all.into_iter().next().unwrap_or_default()
}

fn describe(m: &mut Mistakes, app: &mut App, at: usize, raw: &RawService) {
    let calls = raw.calls.iter();
    let calls: Vec<Call> = calls.filter_map(|raw| call(m, app, at, raw)).collect();
    let needs = raw.needs.services.iter();
    let needs: Vec<usize> = needs
        .filter_map(|name| {
            let needed = service_named(m, app, name)?;
            reachable(m, app, needed, name);
            Some(needed)
        })
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
        if limit <= start && (growth > 0 || limit > 0) {
            m.add(
                memory.start_mb.span(),
                format!("the memory is {start} MB at the start, and its limit is {limit} MB"),
                "not below the limit",
                "set `resources.limits.memory` in the manifest, or `limit_mb` here, above `start_mb`",
            );
        } else {
            service.full_after = full_after((start, limit), growth);
        }
        service.memory_mb = (start, limit);
    }
}

/// After how long memory that grows by so many MB a minute reaches its limit. `None`: not within a year, or never.
pub(super) fn full_after((start, limit): (u64, u64), growth: u64) -> Option<Micros> {
    const YEAR_MS: u64 = 365 * 24 * 3_600_000;
    let room = limit.saturating_sub(start).saturating_mul(60_000);
    let ms = room.checked_div(growth)?;
    (ms <= YEAR_MS).then(|| Micros::from_millis(ms))
}

pub(super) fn spread(m: &mut Mistakes, what: &str, raw: &RawSpread) -> Spread {
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
        let most = raw.most.as_ref();
        let most = most.map_or(Micros(first.0.saturating_mul(32)), |given| {
            let most = given.get_ref().0.into();
            if most < first {
                m.add(
                    given.span(),
                    "`backoff.most` is below `backoff.first`",
                    "shorter than the first wait",
                    "let `most` be at least as long as `first`, or leave it out",
                );
            }
            most
        });
        Backoff {
            first,
            most,
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

/// A service that is asked needs a Service of Kubernetes in front of it, and pods.
fn reachable(m: &mut Mistakes, app: &App, to: usize, name: &Spanned<String>) {
    let Some(service) = app.services.get(to) else {
        return;
    };
    if service.replicas == 0 {
        m.add(
            name.span(),
            format!("the {} `{}` has no pods", service.kind, name.get_ref()),
            "its `spec.replicas` is 0: every request to it fails",
            "set `spec.replicas` in its manifest to 1 or more, or take this out",
        );
    }
    if service.address.is_none() {
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
        rate_per_s: m.rate("rate", &raw.rate),
        hop: hop(m, &raw.timeout, raw.retries.as_ref(), raw.backoff.as_ref()),
        burst,
        writes: store::writes(m, app, to, raw.writes.as_ref()),
        http: http::check(m, app.front_of(to), raw.http.as_ref()),
    })
}

/// All clients together, each in its burst, must not send more than can be simulated.
fn rates(m: &mut Mistakes, app: &App, raw: &RawClient) {
    let rate = |it: &Client| {
        let burst = it.burst.map(|burst| burst.rate_per_s);
        it.rate_per_s.max(burst.unwrap_or_default())
    };
    let last = app.clients.last().map(rate).unwrap_or_default();
    let all: Rate = app.clients.iter().map(rate).sum();
    if all > RATE_MOST && last <= RATE_MOST && Rate(all.0 - last.0) <= RATE_MOST {
        m.add(
            raw.rate.span(),
            format!("the clients send up to {all} requests a second together"),
            format!("more than {RATE_MOST} with this one"),
            "describe a part of the load, and as many pods as serve that part",
        );
    }
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
        rate_per_s: m.rate("burst.rate", &raw.rate),
        first: raw.first.get_ref().0.into(),
        every,
        lasts,
    }
}
