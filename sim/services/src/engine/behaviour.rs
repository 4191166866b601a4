//! How the processes of an image behave: as their service is described, with the defects of the release that the image
//! belongs to.

use sim::time::Micros;
use sim::workload::{ContainerStart, StartOutcome};

use super::store::Reads;
use crate::describe::{App, DefectKind, Service, Share};

/// Exit code of a process that ends with an error of its own.
const FAILED: i32 = 1;
/// Exit code of a process that the kernel kills as it has no memory left (128 + SIGKILL).
const OUT_OF_MEMORY: i32 = 137;
/// How long a process takes to find out that it can't start.
const GIVES_UP_AFTER: Micros = Micros::from_millis(300);

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behaviour {
    /// Its own work takes that many times as long.
    pub(super) factor: u64,
    /// Share of its requests that fails.
    pub(super) errors: Share,
    /// Share of its answers that is wrong.
    pub(super) wrong: Share,
    /// How often its calls are tried again, without a wait, if that is not as described.
    pub(super) retries: Option<u32>,
    /// It is never ready.
    pub(super) never_ready: bool,
    /// Which schema it works on.
    pub(super) reads: Reads,
    /// When it exits by itself after its start, and with which code.
    pub(super) exits: Option<(Micros, i32)>,
}

impl Behaviour {
    /// That of `container`, which runs `service`, and the line that it writes if it can't start.
    pub(super) fn of(
        app: &App,
        at: usize,
        service: &Service,
        container: &ContainerStart,
    ) -> (Self, Option<String>) {
        let mut it = Self {
            factor: 1,
            errors: service.errors,
            wrong: Share(0),
            retries: None,
            never_ready: false,
            reads: reads(app, at, &container.image),
            exits: service.full_after.map(|after| (after, OUT_OF_MEMORY)),
        };
        let mut complaint = None;
        let lacks = service
            .needs_env
            .iter()
            .find(|key| !container.env.contains_key(*key));
        if let Some(key) = lacks {
            complaint = Some(format!("cannot start: the variable {key} is not set"));
        }
        let releases = app.releases.values();
        let its = releases.filter(|it| it.images.get(&at) == Some(&container.image));
        for defect in its.flat_map(|it| &it.defects).filter(|it| it.service == at) {
            match defect.kind {
                DefectKind::Slow(factor) => it.factor = u64::from(factor),
                DefectKind::Errors(share) => it.errors = it.errors.max(share),
                DefectKind::WrongAnswers(share) => it.wrong = share,
                DefectKind::Leak(after) => it.exit(after, OUT_OF_MEMORY),
                DefectKind::CrashLoop(after) => it.exit(after, FAILED),
                DefectKind::NeverReady => it.never_ready = true,
                DefectKind::BadConfiguration => {
                    complaint = Some("cannot start: the configuration is not valid".to_owned());
                }
                DefectKind::RetryAmplification(retries) => it.retries = Some(retries),
                DefectKind::MissingDependency => it.errors = Share::ALL,
                // It breaks the builds of other releases.
                DefectKind::BreakingSchema(_) => {}
            }
        }
        if complaint.is_some() {
            it.gives_up();
        }
        (it, complaint)
    }

    /// It finds out that it can't start.
    pub(super) fn gives_up(&mut self) {
        self.exit(GIVES_UP_AFTER, FAILED);
    }

    /// It exits so long after its start, if nothing ends it sooner.
    fn exit(&mut self, after: Micros, code: i32) {
        if self.exits.is_none_or(|(sooner, _)| after < sooner) {
            self.exits = Some((after, code));
        }
    }

    /// What the kubelet sees of it.
    pub(super) fn outcome(&self) -> StartOutcome {
        match self.exits {
            Some((after, code)) => StartOutcome::Exits { after, code },
            None => StartOutcome::Running,
        }
    }
}

/// Which schema an image of a service works on.
fn reads(app: &App, at: usize, image: &str) -> Reads {
    let mut reads = Reads {
        need: app.services.get(at).map(|it| it.schema).unwrap_or_default(),
        broken_by: None,
    };
    for release in app.releases.values() {
        if release.images.get(&at).is_some_and(|its| its == image) {
            reads.need = app.schema_need(at, release);
            continue;
        }
        for defect in release.defects.iter().filter(|it| it.service == at) {
            if let DefectKind::BreakingSchema(version) = defect.kind {
                let lowest = reads.broken_by.map_or(version, |it| it.min(version));
                reads.broken_by = Some(lowest);
            }
        }
    }
    reads
}
