//! Faults of an application that a file describes: those that affect any application, aimed at its own services.

use futures::channel::mpsc;
use sim::World;
use sim_services::engine::Services;

use super::super::recorder::Recorder;
use super::beginning::{Changed, Deployed, Scope, begin_anywhere};
use super::injector::{Injector, Later};
use crate::scenario::{Described, Scenario};

impl Injector<Services> {
    /// For the faults of `scenario`, which is of `app`; the receiver is for [`Injector::run`].
    pub(in super::super) fn of_described(
        world: &World<Services>,
        recorder: &Recorder,
        scenario: &Scenario,
        app: &Described,
        seed: u64,
    ) -> (Self, mpsc::UnboundedReceiver<Later>) {
        let deployed: Vec<Deployed> = app
            .services
            .iter()
            .map(|service| Deployed {
                name: service.name.clone(),
                kind: service.kind,
                app: service.app.clone(),
                container: service.container.clone(),
            })
            .collect();
        let images = app.images(&scenario.release.from).into_iter();
        let images = images.zip(app.images(&scenario.release.to));
        let changed = deployed
            .iter()
            .zip(images)
            .filter(|(_, (good, bad))| good != bad)
            .map(|(of, (good, bad))| Changed {
                of: of.clone(),
                good: good.to_owned(),
                bad: bad.to_owned(),
            })
            .collect();
        let scope = Scope {
            namespace: app.namespace.clone(),
            deployed,
            changed,
        };
        Self::in_scope(world, recorder, scenario, seed, scope, begin_anywhere)
    }
}
