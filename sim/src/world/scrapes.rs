//! What the simulated Prometheus scrapes of the world.

use crate::application::{Application, NothingListens};
use crate::cluster::Cluster;
use crate::observe::{SampleSink, ScrapeError, ScrapeSource, Target};
use crate::time::Micros;

/// What Prometheus scrapes: the live pods, through the application's own counters.
pub(super) struct Scrapes<'a, A> {
    pub(super) cluster: &'a Cluster,
    pub(super) application: &'a mut A,
}

impl<A: Application> ScrapeSource for Scrapes<'_, A> {
    fn generation(&self) -> u64 {
        self.cluster.targets_generation()
    }

    fn targets(&mut self) -> Vec<Target> {
        self.cluster
            .targets()
            .iter()
            .map(|t| Target {
                uid: t.uid.clone(),
                pod: t.pod.clone(),
                app: t.app.clone(),
                instance: format!("{}:{}", t.ip, t.port),
                namespace: t.namespace.clone(),
            })
            .collect()
    }

    fn scrape(
        &mut self,
        now: Micros,
        uid: &str,
        sink: &mut dyn SampleSink,
    ) -> Result<(), ScrapeError> {
        self.application
            .scrape(now, uid, sink)
            .map_err(|NothingListens| ScrapeError::Refused)
    }
}
