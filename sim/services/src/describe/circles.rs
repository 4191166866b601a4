//! Services that wait for each other in a circle: requests that block each other, or pods that are never ready.

use std::collections::BTreeMap;

use toml::Spanned;

use super::app::{App, Service};
use super::raw::RawService;
use crate::mistake::Mistakes;

/// Finds every service that waits for itself, by its calls or by what its pods need at their start.
pub(super) fn check(m: &mut Mistakes, app: &App, raw: &BTreeMap<Spanned<String>, RawService>) {
    let called = reach(app, |service| {
        service.calls.iter().map(|call| call.to).collect()
    });
    let needed = reach(app, |service| service.needs.clone());
    for name in raw.keys() {
        let is_reached = |reach: &[Vec<bool>]| {
            let at = app.service(name.get_ref());
            at.and_then(|at| reach.get(at)?.get(at).copied())
                .unwrap_or_default()
        };
        if is_reached(&called) {
            m.add(
                name.span(),
                format!("the calls of `{}` lead back to it", name.get_ref()),
                "part of a circle",
                "take one call of the circle out: calls are waited for, and a circle can block itself",
            );
        }
        if is_reached(&needed) {
            m.add(
                name.span(),
                format!("the pods of `{}` wait for themselves to be ready", name.get_ref()),
                "part of a circle of `needs.services`",
                "take one service out of `needs.services`: no pod of the circle would ever be ready",
            );
        }
    }
}

/// Which services each one reaches, by as many steps as there are services.
fn reach(app: &App, next: impl Fn(&Service) -> Vec<usize>) -> Vec<Vec<bool>> {
    let count = app.services.len();
    let mut reach: Vec<Vec<bool>> = vec![vec![false; count]; count];
    for (row, service) in reach.iter_mut().zip(&app.services) {
        for to in next(service) {
            if let Some(it) = row.get_mut(to) {
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
    reach
}
