//! Opens an empty ledger: the markets, accounts and deposits of the exchange's genesis, as rows.

use tokio_postgres::Client;

use super::migrate::Genesis;
use crate::exchange::{AMPLE_DEPOSIT, Exchange};
use crate::release::{Build, SchemaVersion, Service};
use crate::rows::{Column, decimals, encode};

fn text(column: &Column) -> String {
    match column {
        Column::Bigint(minor) => minor.to_string(),
        Column::Text(text) => text.to_string(),
    }
}

/// Fills the tables of an empty ledger; whether it was empty.
pub(super) async fn seed(
    client: &mut Client,
    schema: SchemaVersion,
    genesis: Genesis,
) -> Result<bool, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let row = transaction
        .query_one("SELECT EXISTS (SELECT FROM assets)", &[])
        .await?;
    if row.get(0) {
        return Ok(false);
    }
    let build = Build::stable(Service::Matching);
    let exchange = Exchange::genesis(
        build,
        genesis.accounts.max(1),
        genesis.markets.max(1),
        AMPLE_DEPOSIT,
    );
    let rows = encode(schema, &exchange);
    let cast = match schema {
        SchemaVersion::V1 => "::bigint",
        SchemaVersion::V2 => "",
    };
    for venue in &rows.venue {
        let insert = format!(
            "WITH named AS (INSERT INTO assets VALUES ($1, $2) RETURNING asset)
             INSERT INTO venue_balances (asset, fees, suspense, adjustments, deposits)
             SELECT asset, $3::text{cast}, $4::text{cast}, $5::text{cast}, $6::text{cast} FROM named"
        );
        transaction
            .execute(
                &insert,
                &[
                    &(venue.asset.0 as i16),
                    &(decimals(venue.asset) as i16),
                    &text(&venue.fees),
                    &text(&venue.suspense),
                    &text(&venue.adjustments),
                    &text(&venue.deposits),
                ],
            )
            .await?;
    }
    for market in &rows.markets {
        transaction
            .execute(
                "INSERT INTO markets VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &[
                    &(market.id.0 as i16),
                    &(market.base.0 as i16),
                    &(market.quote.0 as i16),
                    &market.min_price.0,
                    &market.max_qty.0,
                    &market.base_per_lot,
                    &market.quote_per_tick_lot,
                    &market.maker_fee_bps,
                    &market.taker_fee_bps,
                ],
            )
            .await?;
    }
    transaction
        .execute(
            "INSERT INTO accounts (account) SELECT generate_series(0, $1::bigint - 1)",
            &[&i64::from(exchange.ledger().accounts())],
        )
        .await?;
    let accounts: Vec<i64> = rows
        .balances
        .iter()
        .map(|b| i64::from(b.account.0))
        .collect();
    let assets: Vec<i16> = rows.balances.iter().map(|b| b.asset.0 as i16).collect();
    let free: Vec<String> = rows.balances.iter().map(|b| text(&b.free)).collect();
    let locked: Vec<String> = rows.balances.iter().map(|b| text(&b.locked)).collect();
    let insert = format!(
        "INSERT INTO balances (account, asset, free, locked)
         SELECT t.account, t.asset, t.free{cast}, t.locked{cast}
         FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[]) AS t (account, asset, free, locked)"
    );
    transaction
        .execute(&insert, &[&accounts, &assets, &free, &locked])
        .await?;
    transaction.commit().await?;
    client.batch_execute("ANALYZE").await?;
    Ok(true)
}
