//! The migrations on a real PostgreSQL: V1, rows, V2, U2 must come back to where they began, and V2 must write the
//! very text that the 2.x codec writes. Needs `initdb`, `pg_ctl` and `psql` on the path (and `runuser` when run as
//! root); says so and passes if they are missing.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dex::exchange::{AMPLE_DEPOSIT, Exchange};
use dex::migrations::{APP_ROLE, LEADER_TABLE, Migration, Set};
use dex::rows::{Column, Rows, decimals, encode, to_decimal};
use dex::types::{AccountId, AssetId, MarketId, Price, Qty, Seq, Side, Tif};
use dex::{Build, SchemaVersion, Service};

/// A server in a directory of its own, reached through a Unix socket in it; stopped and removed on drop.
struct Server {
    dir: PathBuf,
    as_root: bool,
}

fn command(as_root: bool, program: &str) -> Command {
    if as_root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", program]);
        command
    } else {
        Command::new(program)
    }
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

impl Server {
    /// `None`, with a line that says why, if there is no PostgreSQL to be had.
    fn start(name: &str) -> Option<Self> {
        let uid = Command::new("id").arg("-u").output();
        let as_root = uid.is_ok_and(|o| o.stdout.starts_with(b"0\n"));
        for program in ["initdb", "pg_ctl", "psql"] {
            if let Err(e) = succeeds(command(as_root, program).arg("--version")) {
                println!("skipped: no usable PostgreSQL here ({e})");
                return None;
            }
        }
        let dir = std::env::temp_dir().join(format!("dex-{name}-{}", std::process::id()));
        succeeds(command(as_root, "mkdir").arg("-m").arg("700").arg(&dir))
            .expect("a directory of its own");
        let server = Self { dir, as_root };
        let data = server.dir.join("data");
        succeeds(
            command(as_root, "initdb")
                .args([
                    "--no-sync",
                    "--auth=trust",
                    "--username=postgres",
                    "--encoding=UTF8",
                    "--locale=C",
                    "-D",
                ])
                .arg(&data),
        )
        .expect("initdb works");
        let options = format!("-F -c listen_addresses= -k {}", server.dir.display());
        // Output goes to a file: an inherited pipe would stay open as long as the server runs.
        succeeds(
            command(as_root, "pg_ctl")
                .args(["-w", "-t", "60", "-l"])
                .arg(server.dir.join("log"))
                .arg("-D")
                .arg(&data)
                .args(["-o", &options, "start"]),
        )
        .expect("the server starts");
        Some(server)
    }

    /// Runs `sql` as `user` in one transaction. Rows come back one to a line, columns apart by `|`.
    fn sql(&self, user: &str, sql: &str) -> Result<String, String> {
        let mut psql = command(self.as_root, "psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-1",
                "-v",
                "ON_ERROR_STOP=1",
                "-v",
                "VERBOSITY=verbose",
            ])
            .args(["-d", "postgres", "-U", user, "-h"])
            .arg(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        psql.stdin
            .take()
            .expect("piped")
            .write_all(sql.as_bytes())
            .map_err(|e| e.to_string())?;
        let output = psql.wait_with_output().map_err(|e| e.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn run(&self, sql: &str) -> String {
        self.sql("postgres", sql)
            .expect("the statement is accepted")
    }

    fn migrate(&self, migration: &Migration) {
        if let Err(e) = self.sql("postgres", migration.sql) {
            panic!("{}: {e}", migration.name);
        }
    }

    /// Every column with its type, default and nullability, and every check constraint.
    fn schema(&self) -> String {
        self.run(
            "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default
                FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 3;
             SELECT conrelid::regclass, conname, pg_get_constraintdef(oid)
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2;",
        )
    }

    fn amounts(&self) -> String {
        self.run(
            "SELECT account, asset, free, locked FROM balances ORDER BY 1, 2;
             SELECT asset, fees, suspense, adjustments, deposits FROM venue_balances ORDER BY 1;",
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.dir.join("data");
        if Path::new(&data).exists() {
            let stopped = succeeds(
                command(self.as_root, "pg_ctl")
                    .args(["-w", "-m", "immediate", "-D"])
                    .arg(&data)
                    .arg("stop"),
            );
            if let Err(e) = stopped {
                eprintln!("could not stop the server: {e}");
            }
        }
        let _ = std::fs::remove_dir_all(&self.dir);
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

/// What [`Server::amounts`] shows for these rows and the extra venue row.
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

fn insert(server: &Server, rows: &Rows) {
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
    server.run(&sql);
}

#[test]
fn v2_and_u2_round_trip_and_the_fence_holds() {
    let Some(server) = Server::start("migrations") else {
        return;
    };
    let exchange = exchange();
    let files = Set::Base.files();
    server.migrate(&files[0]);
    let rows = encode(SchemaVersion::V1, &exchange);
    insert(&server, &rows);
    let schema = server.schema();
    let before = shown(&rows, &format!("9|{}|{}|-5|7\n", i64::MAX, -i64::MAX));
    assert_eq!(server.amounts(), before);

    for set in [Set::Decimal, Set::DecimalLossy] {
        let files = set.files();
        server.migrate(&files[1]);
        let text = [i64::MAX, -i64::MAX, -5, 7].map(|n| to_decimal(n, decimals(AssetId(9))));
        let decimal = encode(SchemaVersion::V2, &exchange);
        assert_eq!(
            server.amounts(),
            shown(&decimal, &format!("9|{}\n", text.join("|")))
        );
        // A 1.x release asks for integers, and the server cannot give them.
        let read = server.sql(APP_ROLE, "SELECT free::bigint FROM balances");
        assert!(read.expect_err("1.x cannot read it").contains("22P02"));
        assert_ne!(server.schema(), schema);

        server.migrate(&files[2]);
        assert_eq!(server.amounts(), before, "{set:?}");
        assert_eq!(server.schema(), schema, "{set:?}");
    }

    let write = "UPDATE ledger_meta SET applied_seq = 1";
    server.sql(APP_ROLE, write).expect("the role may write");
    server.run(&format!(
        "REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM {APP_ROLE};
         GRANT UPDATE ON {LEADER_TABLE} TO {APP_ROLE};"
    ));
    let refused = server.sql(APP_ROLE, write).expect_err("the fence is up");
    assert!(refused.contains("42501"), "{refused}");
    server
        .sql(
            APP_ROLE,
            &format!("UPDATE {LEADER_TABLE} SET epoch = epoch + 1"),
        )
        .expect("a new pod may still take the lead");
    server
        .sql(APP_ROLE, "SELECT count(*) FROM order_log")
        .expect("and may read");
}
