//! Both schemas round-trip; each build stumbles over the other's rows.

use std::error::Error as _;

use proptest::prelude::*;

use super::*;
use crate::command::{Failure, Outcome};
use crate::exchange::AMPLE_DEPOSIT;
use crate::order_log::replay_into;
use crate::release::{Release, Service};
use crate::testing::{History, genesis, matching, place};
use crate::types::Side;

fn decimal_build() -> Build {
    Release::by_name("2.0.0-decimal-ledger")
        .unwrap()
        .build(Service::Matching)
}

fn good_decimal_build() -> Build {
    Build {
        fault: None,
        ..decimal_build()
    }
}

fn busy() -> Exchange {
    History::new(genesis(None, 200)).drive(4_000, 9).exchange
}

#[test]
fn both_schemas_round_trip() {
    let exchange = busy();
    for (schema, build) in [
        (SchemaVersion::V1, matching(None)),
        (SchemaVersion::V2, good_decimal_build()),
        (SchemaVersion::V2, decimal_build()),
    ] {
        let rows = encode(schema, &exchange);
        let back = decode(&build, &rows).unwrap();
        assert_eq!(back.state_hash(), exchange.state_hash());
        assert_eq!(encode(schema, &back), rows);
    }
}

#[test]
fn old_code_cannot_read_new_rows_nor_new_code_old_ones() {
    let exchange = busy();
    let error = decode(&matching(None), &encode(SchemaVersion::V2, &exchange)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("balances.free: cannot read \"199"),
        "{error}"
    );
    assert_eq!(
        error.source().unwrap().to_string(),
        "invalid digit found in string"
    );
    let error = decode(&decimal_build(), &encode(SchemaVersion::V1, &exchange)).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "decimal point missing");
}

#[test]
fn the_decoding_bug_hits_a_share_of_accounts_and_changes_nothing() {
    let exchange = Exchange::genesis(matching(None), 1_000, 4, AMPLE_DEPOSIT);
    let rows = encode(SchemaVersion::V2, &exchange);
    let mut bad = decode(&decimal_build(), &rows).unwrap();
    let hit = bad.undecodable().to_vec();
    assert!((50..=200).contains(&hit.len()), "{} accounts", hit.len());
    assert_eq!(
        decode(&good_decimal_build(), &rows).unwrap().undecodable(),
        []
    );

    let hash = bad.state_hash();
    let mut events = Vec::new();
    let refused = bad.apply(Seq(1), &place(hit[0].0, Side::Buy, 0, 1), &mut events);
    assert_eq!(
        refused,
        Outcome::Failed(Failure::AccountUndecodable(hit[0]))
    );
    assert_eq!((bad.state_hash(), events.len()), (hash, 0));

    let lucky = (0..).find(|n| !hit.contains(&AccountId(*n))).unwrap();
    let taken = bad.apply(Seq(1), &place(lucky, Side::Buy, 0, 1), &mut events);
    assert!(matches!(taken, Outcome::Accepted { .. }));
}

#[test]
fn the_bug_is_in_the_request_path_so_a_replay_is_whole() {
    let history = History::new(genesis(None, 200)).drive(2_000, 9);
    let start = decode(&decimal_build(), &encode(SchemaVersion::V2, &history.from)).unwrap();
    assert!(!start.undecodable().is_empty());
    let (end, refused) = replay_into(start, history.log.entries(), &mut Vec::new());
    assert_eq!(
        (end.state_hash(), refused),
        (history.exchange.state_hash(), Vec::new())
    );
}

#[test]
fn incomplete_rows_are_refused() {
    let exchange = genesis(None, 5);
    let rows = encode(SchemaVersion::V1, &exchange);
    let mut missing = rows.clone();
    missing.balances.pop();
    assert_eq!(
        decode(&matching(None), &missing).err(),
        Some(DecodeError::Incomplete("balances"))
    );
    let mut swapped = rows;
    swapped.balances.swap(0, 1);
    assert_eq!(
        decode(&matching(None), &swapped).err(),
        Some(DecodeError::Incomplete("balances"))
    );
}

#[test]
fn text_that_is_no_amount_is_refused() {
    for text in [
        "",
        "1",
        ".50",
        "1.",
        "1.5",
        "1.500",
        "1.5x",
        "1.+5",
        "x.50",
        "1 .50",
        "99999999999999999999.00",
        "92233720368547758.08",
    ] {
        assert!(from_decimal(text, 2).is_err(), "{text:?}");
    }
    assert_eq!(from_decimal("-0.05", 2), Ok(-5));
    assert_eq!(&*to_decimal(-5, 2), "-0.05");
    assert_eq!(&*to_decimal(i64::MIN, 8), "-92233720368.54775808");
    assert_eq!(from_decimal("-92233720368.54775808", 8), Ok(i64::MIN));
}

proptest! {
    #[test]
    fn decimal_text_is_lossless(minor in any::<i64>(), decimals in 1_usize..=9) {
        prop_assert_eq!(from_decimal(&to_decimal(minor, decimals), decimals), Ok(minor));
    }
}
