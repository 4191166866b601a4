//! The traits that an application implements, and what they speak of.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;

use crate::measured::Distribution;
use crate::observe::SampleSink;
use crate::time::Micros;
use crate::workload::{ContainerStart, Workload};

/// A line that a pod wrote, with what a log collector knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLogLine {
    /// Namespace of the pod.
    pub namespace: String,
    /// Pod name.
    pub pod: String,
    /// Pod UID.
    pub uid: String,
    /// Label `app`.
    pub app: String,
    /// `info`, `warn` or `error`.
    pub level: &'static str,
    /// When it was written.
    pub at: Micros,
    /// The line.
    pub text: String,
}

impl PodLogLine {
    /// A line that the process of `container` writes at `at`.
    #[must_use]
    pub fn of(container: &ContainerStart, level: &'static str, at: Micros, text: String) -> Self {
        Self {
            namespace: container.namespace.clone(),
            pod: container.pod.clone(),
            uid: container.uid.clone(),
            app: container.app.clone(),
            level,
            at,
            text,
        }
    }
}

/// Nothing listens on the port that is scraped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NothingListens;

/// One operation of an application's data store, as programs outside the cluster ask for it.
pub trait Operation: Clone + Debug + Send + 'static {
    /// The answer to one that succeeded.
    type Reply: Debug + Send + 'static;
    /// Why one failed.
    type Error: Debug + Send + 'static;

    /// What it is called in traces.
    fn verb(&self) -> &'static str;

    /// Whether it changes something.
    fn changes(&self) -> bool;
}

/// The operations of an application that stores nothing: there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoOperation {}

impl Operation for NoOperation {
    type Reply = Infallible;
    type Error = Infallible;

    fn verb(&self) -> &'static str {
        match *self {}
    }

    fn changes(&self) -> bool {
        match *self {}
    }
}

/// What came of an operation.
pub type Done<O> = Result<<O as Operation>::Reply, <O as Operation>::Error>;

/// An application under load. It is a state machine: whatever it does is due at an instant, and it draws from the seed
/// alone.
///
/// Every method that takes the present instant first brings the application up to it, so that callers never need to.
pub trait Application: Workload + Send + Sized + 'static {
    /// What can be set of it.
    type Config: Clone + Debug;
    /// What can be asked of its data store.
    type Operation: Operation;

    /// The application before any pod runs.
    fn new(config: Self::Config, seed: u64) -> Self;

    /// The namespaces that there are for it, beside those of Kubernetes itself.
    fn namespaces(config: &Self::Config) -> Vec<String>;

    /// How many nodes the cluster has for it, at least 1. Each takes [`NODE_PODS`](crate::cluster::NODE_PODS) pods.
    fn nodes(_: &Self::Config) -> u32 {
        1
    }

    /// The time from a pod's binding to the creation of its container, by the pod's label `app`, where it is known for
    /// this application's pods. What the world's own [`Timings::sandbox_of`](crate::cluster::Timings::sandbox_of) says
    /// of a label goes before it. Other pods take [`Timings::sandbox`](crate::cluster::Timings::sandbox).
    fn sandboxes(_: &Self::Config) -> BTreeMap<String, Distribution> {
        BTreeMap::new()
    }

    /// When something is due next that is not caught up with lazily.
    fn next_at(&self) -> Option<Micros> {
        None
    }

    /// Lets happen whatever is due at or before `now`.
    fn advance(&mut self, now: Micros);

    /// Fault: its pods stand still until `until`, and so does whatever is sent to them.
    fn stand_still(&mut self, now: Micros, until: Micros);

    /// How many requests have met pods that stood still.
    fn held_up(&mut self, now: Micros) -> u64 {
        let _ = now;
        0
    }

    /// What the pod exposes at `now`, always in the same order.
    ///
    /// # Errors
    /// [`NothingListens`].
    fn scrape(
        &mut self,
        now: Micros,
        uid: &str,
        sink: &mut dyn SampleSink,
    ) -> Result<(), NothingListens>;

    /// Lines written since the last call.
    fn take_logs(&mut self) -> Vec<PodLogLine>;

    /// The fingerprint of everything that happened in it so far.
    fn digest(&self) -> u64;

    /// Begins an operation and says how long it takes. [`Self::finish`] follows after that time.
    ///
    /// # Errors
    /// What keeps it from beginning.
    fn begin(
        &mut self,
        now: Micros,
        operation: &Self::Operation,
    ) -> Result<Micros, <Self::Operation as Operation>::Error>;

    /// Finishes an operation: its effects happen now.
    ///
    /// # Errors
    /// Why it failed; it changed nothing then.
    fn finish(&mut self, now: Micros, operation: &Self::Operation) -> Done<Self::Operation>;

    /// The token of the fence around its data store, if it is up.
    fn fence(&self) -> Option<u64> {
        None
    }
}
