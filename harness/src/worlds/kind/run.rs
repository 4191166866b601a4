//! The run of a drill on a cluster, of whichever application: its acts, whoever looks on meanwhile, and its faults.

use std::sync::atomic::AtomicBool;

use futures::future::{Either, join, select};

use super::faults::Due;
use super::interrupt::or_interrupted;
use super::probe;
use super::stage::ActsRecord;
use super::timing::Timing;
use crate::evidence::PodSeen;
use crate::worlds::common::acts::Record as _;

/// What a drill goes by while it runs.
pub(super) struct Run<'a> {
    pub(super) record: &'a ActsRecord,
    pub(super) timing: Timing,
    pub(super) interrupted: &'a AtomicBool,
}

impl Run<'_> {
    /// Runs `acts` until they or the drill's time are over, and begins and ends what is `due` of its faults. `looking`
    /// goes on for as long, and `pods` asks for all pods of the application.
    ///
    /// # Errors
    /// The drill was interrupted.
    pub(super) async fn until_over(
        &self,
        acts: impl Future<Output = ()>,
        due: Due,
        looking: impl Future<Output = ()>,
        pods: impl AsyncFn() -> Result<Vec<PodSeen>, String>,
    ) -> Result<(), String> {
        let ActsRecord { book, injector } = self.record;
        let acts = async {
            let late = Box::pin(book.clock.sleep_until(self.timing.until_ms));
            if let Either::Right(_) = select(Box::pin(acts), late).await {
                book.time_was_over();
            }
            Ok(())
        };
        let acts = async {
            let counting = join(
                probe::count_ready(book, injector, pods),
                probe::count_requests(book, injector),
            );
            let looking = Box::pin(join(looking, counting));
            let acts = Box::pin(or_interrupted(acts, self.interrupted));
            let whole = match select(acts, looking).await {
                Either::Left((whole, _)) => whole,
                Either::Right(_) => {
                    let why = "whoever looks at the application ended before the drill";
                    self.record.harness_failed(why.to_owned());
                    Ok(())
                }
            };
            // Ends what its faults still do, however the drill ended.
            injector.stop();
            whole
        };
        let (whole, ()) = join(acts, injector.run(due)).await;
        whole
    }
}
