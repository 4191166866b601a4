//! Determinism, and that it makes no difference how often anybody looks.

use proptest::prelude::*;

use super::{Rig, process, small};
use crate::database::DbOp;
use crate::{Activity, Arrivals, ClientRecord};
use sim::application::Application as _;
use sim::time::Micros;
use sim::workload::Workload;

/// A drill with everything in it. Between its events the exchange is looked at `looks` times.
fn drill(seed: u64, looks: u64, gap_ms: u64) -> (u64, ClientRecord, u64) {
    let mut config = small();
    if seed.is_multiple_of(2) {
        config.load.arrivals = Arrivals::Even;
        config.load.activity = Activity::Skewed;
    }
    let mut rig = Rig::new(config, seed);
    let wait = |rig: &mut Rig| {
        let from = rig.now;
        for look in 1..=looks {
            rig.exchange
                .advance(from + Micros(gap_ms * 1_000 * look / looks));
        }
        rig.now = from + Micros::from_millis(gap_ms);
    };
    wait(&mut rig);
    rig.db(DbOp::Snapshot {
        name: "before".into(),
    })
    .unwrap();
    wait(&mut rig);
    rig.deploy("gateway", "1.5.0");
    rig.halt("maintenance");
    wait(&mut rig);
    rig.db(DbOp::Fence { token: 1 }).unwrap();
    rig.db(DbOp::Restore {
        snapshot: "before".into(),
        set_aside: "aside".into(),
        token: 1,
    })
    .unwrap();
    rig.db(DbOp::Replay {
        set_aside: "aside".into(),
        token: 1,
    })
    .unwrap();
    rig.deploy("matching", "1.4.3");
    let killed = rig.pods["gateway"][2].clone();
    rig.exchange.gone(rig.now, process(&killed));
    wait(&mut rig);
    rig.db(DbOp::Unfence { token: 1 }).unwrap();
    rig.halt("open");
    wait(&mut rig);
    let hash = rig.exchange.database().ledger().state().state_hash();
    let record = rig.exchange.clients(rig.now).clone();
    (rig.exchange.digest(), record, hash)
}

#[test]
fn one_seed_one_history() {
    let (digest, record, hash) = drill(11, 1, 6_000);
    assert!(record.sent > 4_000 && !record.trades.is_empty());
    assert_eq!(drill(11, 1, 6_000), (digest, record, hash));
    assert_ne!(drill(12, 1, 6_000).0, digest);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn it_makes_no_difference_how_often_one_looks(seed in 0_u64..1_000, looks in 2_u64..400, gap_ms in 500_u64..8_000) {
        prop_assert_eq!(drill(seed, 1, gap_ms), drill(seed, looks, gap_ms));
    }
}
