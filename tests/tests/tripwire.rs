//! Nothing in the simulated world asks the real clock or the system's randomness.

use e2e::drills::{SCENARIOS, plan, run};
use e2e::tripwire::take_trips;

#[test]
fn no_drill_trips_the_wire() {
    // The first drill of a thread seeds std's and tokio's own hash maps, outside the world as well as in it.
    for scenario in SCENARIOS {
        let _ = take_trips();
        let _ = run(&plan(scenario, 11));
        let (trips, first) = take_trips();
        assert_eq!(trips, 0, "{scenario}: {}", first.unwrap_or_default());
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the leak that the tripwire must see"
)]
fn a_clock_read_inside_the_world_trips_it() {
    let _ = take_trips();
    let config = sim_exchange::WorldConfig::default();
    sim_exchange::run(config, 1, sim::Limits::default(), |_| async {
        let _ = std::time::SystemTime::now();
    })
    .expect("the world runs");
    let (trips, first) = take_trips();
    assert_eq!(trips, 1);
    assert!(first.expect("a backtrace").contains("clock_gettime"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the same call, outside")]
fn a_clock_read_outside_the_world_does_not() {
    let _ = take_trips();
    let _ = std::time::SystemTime::now();
    assert_eq!(take_trips().0, 0);
}
