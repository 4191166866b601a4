//! What a scenario of an application that is not the exchange must satisfy: what belongs to the exchange alone means
//! nothing there.

use serde::Serialize;
use sim_services::describe::Bundle;
use toml::Spanned;

use super::application::{Described, Stores, Subject};
use super::error::{Mistake, Mistakes, ScenarioError, of_file};
use super::fault::{Anchor, FAULTS, FaultKind, FaultSpec, OfTheExchange, Targets, Which};
use super::raw::{Raw, RawFault};
use crate::suggest;

/// The application whose files stand in the scenario `text` itself, if they do.
///
/// # Errors
/// What is wrong with them.
pub(super) fn read(
    file: &str,
    text: &str,
    bundle: Option<Bundle>,
) -> Result<Option<Described>, ScenarioError> {
    let Some(bundle) = bundle else {
        return Ok(None);
    };
    match bundle.app() {
        Ok(app) => Ok(Some(app.into())),
        Err(error) => {
            let at = text.find("[application").unwrap_or(text.len());
            let mistake = Mistake::new(
                at..at,
                format!("the application in this scenario is not right: {error}"),
                "its files",
                "they are written by `chaos --app`: mend the application's own files, and drill them again",
            );
            Err(of_file(file, text, vec![mistake]))
        }
    }
}

#[derive(Serialize)]
struct Section<'a> {
    application: &'a Bundle,
}

/// The table of a scenario that holds the files of `app`. It is the same from wherever they were named, so that a token
/// can be replayed in another folder.
pub(super) fn section(app: &Described) -> String {
    let section = Section {
        application: &app.bundle.from_its_folder(),
    };
    // Texts and paths can always be written.
    let text = toml::to_string(&section).unwrap_or_default();
    format!("\n{text}")
}

/// Refuses what means nothing for `application`, which is not the exchange, and fills in what it says itself.
pub(super) fn settle(m: &mut Mistakes, raw: &mut Raw, application: &Subject) {
    if raw.release.from.span().is_empty()
        && let Some(prior) = application.prior()
    {
        raw.release.from = Spanned::new(0..0, prior.to_owned());
    }
    if raw.load.rate_per_s.span().is_empty()
        && let Some(app) = application.described()
    {
        raw.load.rate_per_s = Spanned::new(0..0, i64::from(app.rate_per_s().ceil()));
    }
    let says = match application.described() {
        Some(_) => "the application's own file says",
        None => "the program of the application says",
    };
    let mut refuse = |place: std::ops::Range<usize>, what: &str| {
        if !place.is_empty() {
            m.add(
                place,
                format!("`{what}` means nothing for `{}`", application.name()),
                "only the exchange has it",
                format!("leave it out: {says} what its services and clients are"),
            );
        }
    };
    let load = &raw.load;
    refuse(load.accounts.span(), "accounts");
    refuse(load.markets.span(), "markets");
    if let Some(burst) = &load.burst_rate_per_s {
        refuse(burst.span(), "burst_rate_per_s");
    }
    refuse(raw.ledger.more_mb.span(), "ledger");
    refuse(raw.ledger.more_rows.span(), "ledger");
    if let Some(kept) = &raw.expect.ledger_kept {
        refuse(kept.span(), "ledger_kept");
    }
    if *raw.expect.trades_lost_max.get_ref() != 0 {
        refuse(raw.expect.trades_lost_max.span(), "trades_lost_max");
    }
    for deployment in &raw.deployments {
        refuse(deployment.service.span(), "deployments");
    }
    if let Some(app) = application.described() {
        out_of_order(m, raw, app);
        unchanged(m, raw, app);
    }
}

/// Flyway's `migrate` refuses a file whose version is below the newest that is applied.
fn out_of_order(m: &mut Mistakes, raw: &Raw, app: &Described) {
    let migrations = |name: &str| {
        let name = app.release_named(name);
        let release = name.and_then(|name| app.releases.get(name));
        release.map_or(&[][..], |it| it.migrations.as_slice())
    };
    let (from, to) = (raw.release.from.get_ref(), &raw.release.to);
    let before = migrations(from);
    let Some(newest) = before.iter().max() else {
        return;
    };
    let mut below = migrations(to.get_ref()).iter();
    if let Some(version) = below.find(|it| *it < newest && !before.contains(it)) {
        m.add(
            to.span(),
            format!(
                "`{}` migrates to version {version}, and `{from}` has left the schema at {newest}",
                to.get_ref()
            ),
            "Flyway applies nothing out of order",
            "deploy a release whose migrations are above it, or begin with another `from`",
        );
    }
}

/// Refuses a fault of a changed image that is aimed at a service whose image the release does not change, and one that
/// waits for pods where it changes none: it would hit nothing.
fn unchanged(m: &mut Mistakes, raw: &Raw, app: &Described) {
    let (from, to) = (raw.release.from.get_ref(), raw.release.to.get_ref());
    let images = |word: &str| app.release_named(word).map(|name| app.images(name));
    let (Some(before), Some(after)) = (images(from), images(to)) else {
        return;
    };
    let pairs = before.iter().zip(&after);
    let services = app.services.iter().map(|it| it.name.as_str());
    let changed: Vec<&str> = services
        .zip(pairs)
        .filter_map(|(name, (before, after))| (before != after).then_some(name))
        .collect();
    for fault in &raw.faults {
        if let Some(when) = &fault.when
            && changed.is_empty()
            && let Some(Anchor::Ready(_)) = Anchor::parse(when.get_ref())
        {
            m.add(
                when.span(),
                format!("no pod of `{to}` comes: `{from}` has the same images"),
                "only pods of an image that the release brings are counted",
                "write \"deployment\" with `at`, or drill a release that changes an image",
            );
        }
        let kind = FaultKind::named(fault.kind.get_ref());
        let (Some(kind), Some(target)) = (kind, &fault.target) else {
            continue;
        };
        let name = target.get_ref().as_str();
        let there = app.services.iter().any(|it| it.name == name);
        if kind.spec().targets != Targets::Services(Which::ChangedImage)
            || !there
            || changed.contains(&name)
        {
            continue;
        }
        let help = match changed.as_slice() {
            [] => format!("drill a release that changes the image of `{name}`"),
            changed => format!(
                "aim it at {}, or drill a release that changes the image of `{name}`",
                suggest::listed(changed.iter().copied())
            ),
        };
        m.add(
            target.span(),
            format!(
                "`{}` would hit nothing: `{from}` and `{to}` have the same image of `{name}`",
                kind.as_str()
            ),
            "not changed by the release",
            help,
        );
    }
}

/// Whom a fault can hit in `application`, which is not the exchange. Refuses one that is the exchange's own.
pub(super) fn targets<'a>(
    m: &mut Mistakes,
    application: &'a Subject,
    raw: &RawFault,
    spec: &FaultSpec,
) -> Vec<&'a str> {
    if let Some(OfTheExchange { why, instead }) = spec.of_the_exchange {
        let anywhere = FAULTS.iter().filter(|it| it.of_the_exchange.is_none());
        let known = anywhere.map(|it| it.name);
        m.add(
            raw.kind.span(),
            format!(
                "`{}` can not be aimed at `{}`",
                spec.name,
                application.name()
            ),
            why,
            format!("{instead}take one of {}", suggest::listed(known)),
        );
    }
    if spec.kind == FaultKind::ConnectionsDropped
        && let Some(target) = raw.target.as_ref().filter(|it| it.get_ref() == "database")
    {
        m.add(
            target.span(),
            format!("`{}` can't hit `database`", spec.name),
            "an application of your own has no database whose connections could break: its store is simulated",
            "write `target = \"kubernetes\"`",
        );
        // That is all there is to say of its target.
        return vec!["database"];
    }
    match spec.targets {
        Targets::Services(which) => application.services(which == Which::Deployments),
        Targets::NoChoice => Vec::new(),
        // Only a store has a database.
        Targets::Of(names) => {
            let mut names = names.to_vec();
            let stores = application.stores() == Stores::Rows;
            let reached = stores && spec.kind != FaultKind::ConnectionsDropped;
            names.retain(|name| *name != "database" || reached);
            names
        }
    }
}
