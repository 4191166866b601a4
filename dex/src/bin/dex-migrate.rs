//! Migrates the ledger database to a release, Flyway-compatibly.
//!
//! ```text
//! dex-migrate migrate --release NAME [--accounts N --markets M]
//! dex-migrate info    --release NAME
//! ```
//! `DATABASE_URL` names the ledger and its owner; `DEX_APP_PASSWORD`, if set, becomes the exchange's role's password.
//! Exit codes: 0 done, 1 failed, 2 usage.

use std::process::ExitCode;

use dex::Release;
use dex::service::migrate::{Genesis, MigrateError, info, migrate};

const USAGE: &str = "usage: dex-migrate (migrate | info) --release NAME [--accounts N --markets M], with DATABASE_URL set";

struct Arguments {
    migrate: bool,
    release: Release,
    genesis: Option<Genesis>,
    database: tokio_postgres::Config,
}

fn arguments() -> Result<Arguments, String> {
    let mut words = std::env::args().skip(1);
    let migrate = match words.next().as_deref() {
        Some("migrate") => true,
        Some("info") => false,
        _ => return Err(USAGE.to_owned()),
    };
    let (mut release, mut accounts, mut markets) = (None, None, None);
    while let Some(option) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        let bad = || format!("{option} {value:?}: not usable\n{USAGE}");
        match option.as_str() {
            "--release" => {
                let found = Release::by_name(&value);
                release = Some(found.ok_or_else(|| {
                    format!(
                        "no release {value:?}; there are {}",
                        Release::names().join(", ")
                    )
                })?);
            }
            "--accounts" => accounts = Some(value.parse::<u32>().map_err(|_| bad())?),
            "--markets" => markets = Some(value.parse::<u16>().map_err(|_| bad())?),
            _ => return Err(bad()),
        }
    }
    let genesis = match (accounts, markets) {
        (None, None) => None,
        (Some(accounts), Some(markets)) if accounts > 0 && markets > 0 => {
            Some(Genesis { accounts, markets })
        }
        _ => return Err(USAGE.to_owned()),
    };
    let url = std::env::var("DATABASE_URL").map_err(|_| USAGE.to_owned())?;
    Ok(Arguments {
        migrate,
        release: release.ok_or(USAGE)?,
        genesis,
        database: url
            .parse()
            .map_err(|_| "DATABASE_URL is malformed".to_owned())?,
    })
}

async fn perform(arguments: &Arguments) -> Result<(), MigrateError> {
    if !arguments.migrate {
        for row in info(&arguments.database, &arguments.release).await? {
            let checksum = row.checksum.map_or("-".to_owned(), |c| c.to_string());
            println!(
                "{:8} {:24} {:12} {:8} {}",
                row.version, row.description, checksum, row.state, row.script
            );
        }
        return Ok(());
    }
    let password = std::env::var("DEX_APP_PASSWORD").ok();
    let report = migrate(
        &arguments.database,
        &arguments.release,
        arguments.genesis,
        password.as_deref(),
    )
    .await?;
    for version in &report.future {
        println!(
            "warning: version {version} is newer than what {} knows",
            arguments.release.name
        );
    }
    for script in &report.applied {
        println!("applied {script}");
    }
    if report.applied.is_empty() {
        println!("nothing to apply");
    }
    if report.opened {
        println!("opened the ledger");
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(perform(&arguments)),
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = ended {
        eprintln!("level=error {}", dex::with_causes(&error));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
