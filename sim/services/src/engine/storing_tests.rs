//! Requests that come to the store, from the client that sends them to the acknowledgement that it holds.

use std::sync::Arc;

use sim::application::Application as _;
use sim::time::Micros;
use sim::workload::{ProcessId, StartOutcome, Workload as _};

use super::tests::container;
use super::{Services, ServicesConfig, StoreChange, StoreOp, StoreReply};
use crate::describe::store::tests::{APP, of};

fn services(text: &str) -> Services {
    let app = of(text).expect("it is right");
    let config = ServicesConfig {
        clients_begin: Micros::from_secs(10),
        slow_after: Micros::from_millis(500),
        ..ServicesConfig::new(Arc::new(app))
    };
    Services::new(config, 7)
}

fn start(
    services: &mut Services,
    second: u64,
    service: &str,
    uid: &str,
    tag: &str,
) -> StartOutcome {
    let container = container(service, uid, tag);
    let outcome = services.start(Micros::from_secs(second), &container);
    let ready = Micros::from_secs(second + 8);
    services.route(ready, service, &[uid.to_owned()]);
    outcome
}

/// Carries an operation out at once.
fn does(services: &mut Services, second: u64, change: StoreChange) -> StoreReply {
    let op = StoreOp::Change(change);
    let at = Micros::from_secs(second);
    let takes = services.begin(at, &op).expect("it may begin");
    services.finish(at + takes, &op).expect("it ends well")
}

/// Answered requests and failures in those seconds.
fn seen(services: &mut Services, from: usize, to: usize) -> (u32, u32) {
    let seconds = services.seconds(Micros::from_secs(to as u64)).iter();
    let seconds = seconds.take(to).skip(from);
    seconds.fold((0, 0), |(answered, errors), it| {
        (answered + it.answered, errors + it.errors)
    })
}

fn pods_of(text: &str) -> Services {
    let mut services = services(text);
    start(&mut services, 0, "front", "f", "1.0.0");
    start(&mut services, 0, "stock", "s", "1.0.0");
    services
}

#[test]
fn every_write_that_was_answered_is_in_the_store_and_half_of_all_are_writes() {
    let mut services = pods_of(APP);
    let (answered, errors) = seen(&mut services, 10, 60);
    assert_eq!(errors, 0);
    let now = Micros::from_secs(60);
    let (held, stored) = (services.acknowledged(now), services.stored(now));
    let writes = u32::try_from(held.len()).expect("few");
    assert!(
        writes.abs_diff(answered / 2) < 150,
        "{writes} of {answered}"
    );
    assert!(held.iter().all(|it| stored.contains(it)));
    assert!(stored.len() - held.len() < 10, "what is under way");
}

#[test]
fn a_build_that_can_not_read_the_schema_fails_its_requests_and_exits_at_its_start() {
    let mut services = pods_of(APP);
    assert_eq!(seen(&mut services, 10, 20).1, 0);
    does(&mut services, 20, StoreChange::Migrate(2));
    let (answered, errors) = seen(&mut services, 24, 30);
    assert!(answered == 0 && errors > 200, "{answered} {errors}");
    let again = start(&mut services, 30, "stock", "t", "1.0.0");
    assert!(
        matches!(again, StartOutcome::Exits { code: 1, .. }),
        "{again:?}"
    );
    let process = ProcessId {
        uid: "t",
        container: "stock",
    };
    let lines = services.logs(Micros::from_secs(30), process, Micros::ZERO, false);
    assert!(lines[1].text.contains("the schema is at version 2"));
    let new = start(&mut services, 40, "stock", "u", "2.0.0");
    assert_eq!(new, StartOutcome::Running);
    // One request in ten fails by the release's defect, and no other.
    let (answered, errors) = seen(&mut services, 50, 70);
    assert!(answered > 7 * errors && errors > 30, "{answered} {errors}");
}

#[test]
fn one_that_is_to_err_starts_all_the_same() {
    let mut services = pods_of(&APP.replace("otherwise = \"exits\"", "otherwise = \"errors\""));
    does(&mut services, 20, StoreChange::Migrate(2));
    let again = start(&mut services, 30, "stock", "t", "1.0.0");
    assert_eq!(again, StartOutcome::Running);
    assert_eq!(seen(&mut services, 40, 50).0, 0);
}

#[test]
fn the_defect_breaks_builds_that_are_described_to_work() {
    let (covers, is_covered) = ("schema = \"1\"", "schema = \"1..2\"");
    let (errs, breaks) = (
        "kind = \"errors\", share = 0.1",
        "kind = \"breaking-schema\"",
    );
    let covered = APP.replace(covers, is_covered);
    let mut broken = pods_of(&covered.replace(errs, breaks));
    let mut covered = pods_of(&covered);
    for (services, breaks) in [(&mut broken, true), (&mut covered, false)] {
        does(services, 20, StoreChange::Migrate(2));
        let (answered, errors) = seen(services, 30, 40);
        assert_eq!(errors > answered, breaks, "{answered} {errors}");
    }
}

#[test]
fn behind_the_fence_writes_fail_and_what_was_acknowledged_before_stays() {
    let mut services = pods_of(APP);
    seen(&mut services, 10, 20);
    let fenced = does(&mut services, 20, StoreChange::Fence(1));
    let StoreReply::Fenced(report) = fenced else {
        panic!("{fenced:?}");
    };
    assert_eq!(report.sessions_terminated, 1, "of the one pod");
    assert_eq!(services.fence(), Some(1));
    let (answered, errors) = seen(&mut services, 21, 41);
    assert!(errors.abs_diff(answered) < 150, "{answered} {errors}");
    let now = Micros::from_secs(41);
    let (held, stored) = (services.acknowledged(now), services.stored(now));
    assert_eq!(held.len(), stored.len(), "nothing came in unacknowledged");
    does(&mut services, 41, StoreChange::Unfence(1));
    assert_eq!(seen(&mut services, 43, 50).1, 0);
}
