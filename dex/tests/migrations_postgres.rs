//! The migrations on a real PostgreSQL: V1, rows, V2, U2 must come back to where they began, and V2 must write the
//! very text that the 2.x codec writes. Where PostgreSQL is not installed, it says so and passes.

#[path = "../../tests/support/postgres.rs"]
#[expect(dead_code, reason = "each test uses what it needs of it")]
mod postgres;

use std::fmt::Write as _;

use dex::exchange::{AMPLE_DEPOSIT, Exchange};
use dex::migrations::{APP_ROLE, LEADER_TABLE, Migration, Set};
use dex::rows::{Column, Rows, decimals, encode, to_decimal};
use dex::types::{AccountId, AssetId, MarketId, Price, Qty, Seq, Side, Tif};
use dex::{Build, SchemaVersion, Service};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A database on a server of its own.
struct Database<'a>(&'a postgres::Server);

impl Database<'_> {
    /// Runs `sql` as `user` in one transaction. Rows come back one to a line, columns apart by `|`.
    async fn sql(&self, user: &str, sql: &str) -> Result<String, String> {
        let mut config = self.0.config(user);
        let connected = config.dbname("postgres").connect(NoTls).await;
        let (client, connection) = connected.map_err(|error| error.to_string())?;
        let connection = tokio::spawn(connection);
        // Statements of one message are one transaction.
        let answer = client.simple_query(sql).await;
        drop(client);
        // What went wrong is in the answer.
        let _ = connection.await;
        let messages = answer.map_err(|error| match error.as_db_error() {
            Some(told) => format!("{}: {}", told.code().code(), told.message()),
            None => error.to_string(),
        })?;
        let mut out = String::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                let columns = (0..row.len()).map(|at| row.get(at).unwrap_or_default());
                out.push_str(&columns.collect::<Vec<_>>().join("|"));
                out.push('\n');
            }
        }
        Ok(out)
    }

    async fn run(&self, sql: &str) -> String {
        let done = self.sql(postgres::OWNER, sql).await;
        done.expect("the statement is accepted")
    }

    async fn migrate(&self, migration: &Migration) {
        if let Err(e) = self.sql(postgres::OWNER, migration.sql).await {
            panic!("{}: {e}", migration.name);
        }
    }

    /// Every column with its type, default and nullability, and every check constraint.
    async fn schema(&self) -> String {
        self.run(
            "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default
                FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 3;
             SELECT conrelid::regclass, conname, pg_get_constraintdef(oid)
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2;",
        )
        .await
    }

    async fn amounts(&self) -> String {
        self.run(
            "SELECT account, asset, free, locked FROM balances ORDER BY 1, 2;
             SELECT asset, fees, suspense, adjustments, deposits FROM venue_balances ORDER BY 1;",
        )
        .await
    }
}

/// An exchange that has traded, so that balances have all kinds of digits.
fn exchange() -> Exchange {
    let mut exchange = Exchange::genesis(Build::stable(Service::Matching), 30, 2, AMPLE_DEPOSIT);
    let mut events = Vec::new();
    for n in 0..600_i64 {
        let market = MarketId((n % 2) as u16);
        let mid = exchange.market(market).expect("a market").0.mid_price().0;
        let command = dex::Command::Place {
            account: AccountId((n * 7 % 30) as u32),
            market,
            side: if n % 3 == 0 { Side::Buy } else { Side::Sell },
            price: Price(mid + n * 5 % 13 - 6),
            qty: Qty(1 + n * 11 % 37),
            tif: Tif::Gtc,
        };
        exchange.apply(Seq(exchange.seq().0 + 1), &command, &mut events);
    }
    assert!(exchange.trade_id().0 > 100);
    exchange
}

fn value(column: &Column) -> String {
    match column {
        Column::Bigint(minor) => minor.to_string(),
        Column::Text(text) => text.to_string(),
    }
}

/// What [`Database::amounts`] shows for these rows and the extra venue row.
fn shown(rows: &Rows, extra: &str) -> String {
    let mut out = String::new();
    for b in &rows.balances {
        writeln!(
            out,
            "{}|{}|{}|{}",
            b.account,
            b.asset,
            value(&b.free),
            value(&b.locked)
        )
        .expect("a string");
    }
    for v in &rows.venue {
        let [fees, suspense, adjustments, deposits] =
            [&v.fees, &v.suspense, &v.adjustments, &v.deposits].map(value);
        writeln!(
            out,
            "{}|{fees}|{suspense}|{adjustments}|{deposits}",
            v.asset
        )
        .expect("a string");
    }
    out + extra
}

/// The statements that write these rows.
fn inserts(rows: &Rows) -> String {
    let mut sql = String::new();
    for v in &rows.venue {
        writeln!(
            sql,
            "INSERT INTO assets VALUES ({}, {});",
            v.asset,
            decimals(v.asset)
        )
        .expect("a string");
    }
    writeln!(
        sql,
        "INSERT INTO assets VALUES (9, {});",
        decimals(AssetId(9))
    )
    .expect("a string");
    for m in &rows.markets {
        writeln!(
            sql,
            "INSERT INTO markets VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {});",
            m.id,
            m.base,
            m.quote,
            m.min_price,
            m.max_qty,
            m.base_per_lot,
            m.quote_per_tick_lot,
            m.maker_fee_bps,
            m.taker_fee_bps
        )
        .expect("a string");
    }
    for b in &rows.balances {
        if b.asset == AssetId(0) {
            writeln!(sql, "INSERT INTO accounts VALUES ({});", b.account).expect("a string");
        }
        writeln!(
            sql,
            "INSERT INTO balances VALUES ({}, {}, {}, {});",
            b.account,
            b.asset,
            value(&b.free),
            value(&b.locked)
        )
        .expect("a string");
    }
    for v in &rows.venue {
        let columns = [&v.fees, &v.suspense, &v.adjustments, &v.deposits].map(value);
        writeln!(
            sql,
            "INSERT INTO venue_balances VALUES ({}, {});",
            v.asset,
            columns.join(", ")
        )
        .expect("a string");
    }
    // The ends of the range, and amounts below one whole unit on either side of zero.
    writeln!(
        sql,
        "INSERT INTO venue_balances VALUES (9, {}, {}, -5, 7);",
        i64::MAX,
        -i64::MAX
    )
    .expect("a string");
    for (market, o) in &rows.orders {
        let side = if o.side == Side::Buy { 'B' } else { 'S' };
        writeln!(
            sql,
            "INSERT INTO orders VALUES ({}, {}, {market}, '{side}', {}, {}, {});",
            o.id, o.account, o.price, o.qty, o.remaining
        )
        .expect("a string");
    }
    sql
}

#[test]
fn v2_and_u2_round_trip_and_the_fence_holds() {
    postgres::on_a_server(async |server| round_trip(&Database(server)).await);
}

async fn round_trip(database: &Database<'_>) {
    let exchange = exchange();
    let files = Set::Base.files();
    database.migrate(&files[0]).await;
    let rows = encode(SchemaVersion::V1, &exchange);
    database.run(&inserts(&rows)).await;
    let schema = database.schema().await;
    let before = shown(&rows, &format!("9|{}|{}|-5|7\n", i64::MAX, -i64::MAX));
    assert_eq!(database.amounts().await, before);

    for set in [Set::Decimal, Set::DecimalLossy] {
        let files = set.files();
        database.migrate(&files[1]).await;
        let text = [i64::MAX, -i64::MAX, -5, 7].map(|n| to_decimal(n, decimals(AssetId(9))));
        let decimal = encode(SchemaVersion::V2, &exchange);
        assert_eq!(
            database.amounts().await,
            shown(&decimal, &format!("9|{}\n", text.join("|")))
        );
        // A 1.x release asks for integers, and the server cannot give them.
        let read = database
            .sql(APP_ROLE, "SELECT free::bigint FROM balances")
            .await;
        assert!(read.expect_err("1.x cannot read it").contains("22P02"));
        assert_ne!(database.schema().await, schema);

        database.migrate(&files[2]).await;
        assert_eq!(database.amounts().await, before, "{set:?}");
        assert_eq!(database.schema().await, schema, "{set:?}");
    }

    let write = "UPDATE ledger_meta SET applied_seq = 1";
    let written = database.sql(APP_ROLE, write).await;
    written.expect("the role may write");
    let fence = format!(
        "REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM {APP_ROLE};
         GRANT UPDATE ON {LEADER_TABLE} TO {APP_ROLE};"
    );
    database.run(&fence).await;
    let refused = database.sql(APP_ROLE, write).await;
    let refused = refused.expect_err("the fence is up");
    assert!(refused.contains("42501"), "{refused}");
    let lead = format!("UPDATE {LEADER_TABLE} SET epoch = epoch + 1");
    let led = database.sql(APP_ROLE, &lead).await;
    led.expect("a new pod may still take the lead");
    let read = database
        .sql(APP_ROLE, "SELECT count(*) FROM order_log")
        .await;
    read.expect("and may read");
}
