//! Properties of any sequence of commands, and of each fault.

use proptest::prelude::*;

use crate::command::{Command, Outcome};
use crate::exchange::{AMPLE_DEPOSIT, Exchange};
use crate::invariants;
use crate::order_log::{OrderLog, replay};
use crate::release::{Defect, SchemaVersion};
use crate::risk::Reconciler;
use crate::rows::{decode, encode};
use crate::testing::{History, matching};
use crate::types::{AccountId, Amount, MarketId, OrderId, Price, Qty, Seq, Side, Tif, TradeId};

const ACCOUNTS: u32 = 6;

/// Sensible and senseless commands alike: unknown accounts, markets and orders, prices at and beyond the
/// edges of the band, quantities of nothing and too much.
fn command() -> impl Strategy<Value = Command> {
    let spec = crate::market::MarketSpec::standard(0);
    let mid = spec.mid_price().0;
    let price = prop_oneof![
        20 => mid - 4..=mid + 4,
        1 => Just(spec.min_price.0),
        1 => Just(spec.max_price().0),
        1 => any::<i64>(),
    ];
    let qty = prop_oneof![20 => 1..=30_i64, 1 => 900_000..=1_000_001_i64, 1 => any::<i64>()];
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let tif = prop_oneof![4 => Just(Tif::Gtc), 1 => Just(Tif::Ioc)];
    let place = (0..=ACCOUNTS, 0..=2_u16, side, price, qty, tif).prop_map(
        |(account, market, side, price, qty, tif)| Command::Place {
            account: AccountId(account),
            market: MarketId(market),
            side,
            price: Price(price),
            qty: Qty(qty),
            tif,
        },
    );
    let cancel = (0..=ACCOUNTS, 0..150_u64).prop_map(|(account, order)| Command::Cancel {
        account: AccountId(account),
        order: OrderId(order),
    });
    prop_oneof![5 => place, 1 => cancel]
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 1..250)
}

/// From deposits that run out within a few orders to ample ones.
fn deposit() -> impl Strategy<Value = Amount> {
    prop_oneof![
        Just(Amount(1)),
        Just(Amount(2_000_000)),
        Just(AMPLE_DEPOSIT)
    ]
}

fn run(fault: Option<Defect>, deposit: Amount, commands: &[Command]) -> History {
    let mut history = History::new(Exchange::genesis(matching(fault), ACCOUNTS, 2, deposit));
    for command in commands {
        history.send(*command);
    }
    history
}

proptest! {
    #[test]
    fn any_sequence_keeps_every_invariant(commands in commands(), deposit in deposit()) {
        let mut history = History::new(Exchange::genesis(matching(None), ACCOUNTS, 2, deposit));
        let mut reconciler = Reconciler::default();
        for (n, command) in commands.iter().enumerate() {
            let hash = history.exchange.state_hash();
            let outcome = history.send(*command);
            prop_assert_eq!(matches!(outcome, Outcome::Accepted { .. }), hash != history.exchange.state_hash());
            prop_assert_eq!(invariants::state(&history.exchange), []);
            if n % 7 == 0 {
                let found = reconciler.run(&history.exchange, &history.trades(), &history.log);
                prop_assert_eq!((found.anomalies, found.irregularities), (0, 0));
                prop_assert_ne!(found.hash_mismatch, Some(true));
            }
        }
        let trades = history.trades();
        let fills: Vec<_> = trades.iter().flat_map(crate::command::Trade::fills).collect();
        prop_assert_eq!(invariants::two_fills(&trades, &fills), []);
        prop_assert_eq!(invariants::fills_within_orders(&history.events), []);
        prop_assert_eq!(invariants::price_time_priority(&history.from, &history.events), []);
        prop_assert_eq!(invariants::settled_once(&trades), []);
        prop_assert_eq!(invariants::gap_free_trades(TradeId(0), &trades), []);
        prop_assert_eq!(invariants::gap_free_log(Seq(0), OrderLog::new().chain(), history.log.entries()), []);
    }

    #[test]
    fn a_replay_from_anywhere_gives_the_same_state(commands in commands(), deposit in deposit(), cut in 0_usize..250) {
        let cut = cut.min(commands.len());
        let middle = run(None, deposit, &commands[..cut]).exchange;
        let history = run(None, deposit, &commands);
        let entries = history.log.entries();
        prop_assert_eq!(replay(history.from.clone(), entries).state_hash(), history.exchange.state_hash());
        prop_assert_eq!(replay(middle.clone(), entries).state_hash(), history.exchange.state_hash());
        prop_assert_eq!(invariants::deterministic(&history.from, entries), None);
        // The same through the rows of either schema, as after a restart.
        for (schema, build) in [
            (SchemaVersion::V1, matching(None)),
            (SchemaVersion::V2, crate::Build { schema: SchemaVersion::V2, ..matching(None) }),
        ] {
            let loaded = decode(&build, &encode(schema, &middle)).unwrap();
            prop_assert_eq!(replay(loaded, entries).state_hash(), history.exchange.state_hash());
        }
    }

    #[test]
    fn double_credit_breaks_conservation_and_nothing_else(commands in commands()) {
        let good = run(None, AMPLE_DEPOSIT, &commands);
        let bad = run(Some(Defect::DoubleCredit), AMPLE_DEPOSIT, &commands);
        prop_assert_eq!(&good.events, &bad.events);
        prop_assert_eq!(invariants::locked_is_reserved(&bad.exchange), []);
        prop_assert_eq!(invariants::conserved(&bad.exchange).is_empty(), good.trades().len() < 16);
        prop_assert_eq!(invariants::deterministic(&bad.from, bad.log.entries()), None);
        let healed = replay(good.from.clone(), bad.log.entries());
        prop_assert_eq!(healed.state_hash(), good.exchange.state_hash());
    }

    #[test]
    fn priority_inversion_breaks_priority_and_nothing_else(commands in commands()) {
        let bad = run(Some(Defect::PriorityInversion), AMPLE_DEPOSIT, &commands);
        prop_assert_eq!(invariants::state(&bad.exchange), []);
        prop_assert_eq!(invariants::deterministic(&bad.from, bad.log.entries()), None);
        let good = run(None, AMPLE_DEPOSIT, &commands);
        let passed_over = invariants::price_time_priority(&bad.from, &bad.events);
        prop_assert_eq!(passed_over.is_empty(), good.events == bad.events);
    }

    #[test]
    fn an_unstable_hash_breaks_determinism_and_nothing_else(commands in commands()) {
        let bad = run(Some(Defect::UnstableHash), AMPLE_DEPOSIT, &commands);
        let good = run(None, AMPLE_DEPOSIT, &commands);
        prop_assert_eq!(&good.events, &bad.events);
        prop_assert_eq!(invariants::state(&bad.exchange), []);
        let unstable = invariants::deterministic(&bad.from, bad.log.entries()).is_some();
        prop_assert_eq!(unstable, !bad.trades().is_empty());
    }
}
