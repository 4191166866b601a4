//! `firedrill serve`: the simulated world for a person or a tool, who work on it by hand.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use firedrill::drill;
use firedrill::report::meta::Seeds;
use firedrill::report::{self, journal::Skipped};
use firedrill::runner::RunOutcome;
use firedrill::scenario;
use firedrill::token::{AtHand, quoted};
use firedrill::worlds::sim::{self, Opened, Session, SessionEnd};
use firedrill::worlds::{DrillPlan, Until, WorldKind};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use signal_hook::iterator::Signals;

use crate::args::Output;
use crate::exit::{Failure, INTERRUPTED};
use crate::meta::Run;
use crate::outside::{pace, this_program};
use crate::{chaos, complete, input, terminal};

/// What is served where no scenario is named: its prior release, under its load.
const HEALTHY: &str = "good-release";

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The built-in scenario whose bad release is deployed, or the path of a scenario file; none: the exchange runs as
    /// it should, and nothing is judged
    #[arg(value_name = "SCENARIO", add = ArgValueCompleter::new(complete::scenarios_and_files))]
    scenario: Option<String>,
    /// Write the kubeconfig there; it is removed at the end
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    kubeconfig: Option<PathBuf>,
    /// The seed of the world
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Let the world's clock run N times as fast as the wall clock, instead of by requests
    #[arg(long, value_name = "N", value_parser = pace)]
    pace: Option<u32>,
    /// Where to listen: an address of this machine, and a port for the API server, after which Prometheus and Loki
    /// follow [default: 127.0.0.1, and ports that are free]
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The longest that the session may take, in seconds of the world
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// The runbook whose triggers are watched, instead of the built-in one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    runbook: Option<PathBuf>,
    /// Write journal.json, report.html, junit.xml and summary.md there
    #[arg(long, value_name = "DIR", requires = "scenario", value_hint = ValueHint::DirPath)]
    report: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// `127.0.0.1`, `0.0.0.0:6443`, `[::1]:6443`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let without_port = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    let address = without_port.or_else(|_| text.parse());
    address.map_err(|_| "write an IP address, and a port if it matters: 127.0.0.1:6443".to_owned())
}

/// Runs it; the exit code.
pub(crate) fn run(args: &ServeArgs) -> Result<u8, Failure> {
    let began = Run::begin();
    if let Some(listen) = args.listen.filter(|it| !it.ip().is_loopback()) {
        terminal::complain(&format!(
            "warning: everybody who reaches {} reads Prometheus and Loki there, and whoever has the token changes \
             the simulated cluster; nothing is encrypted",
            listen.ip()
        ));
    }
    if let Some(file) = &args.kubeconfig {
        sim::make_way(file).map_err(|why| {
            let why = format!("the kubeconfig {}: {why}", file.display());
            Failure::input(why, "give --kubeconfig a file that is not there yet")
        })?;
    }
    let runbook = input::runbook(args.runbook.as_deref(), false)?;
    let words: Vec<String> = args.scenario.iter().cloned().collect();
    let chosen = match &args.scenario {
        Some(_) => {
            let named = input::scenarios(&words, &runbook, true)?;
            input::can_be_done(named, WorldKind::Sim, false)?
        }
        None => Vec::new(),
    };
    if chosen.len() > 1 {
        return Err(Failure::input(
            format!("a world has one scenario, and these are {}", chosen.len()),
            "name one of them",
        ));
    }
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let tools = this_program()?;
    let is_drill = !chosen.is_empty();
    let opened = Box::new(move |opened: &Opened| tell(opened, is_drill));
    let (mut session, end) = Session::new(tools, opened);
    session.pace = args.pace;
    session.listen = args.listen.unwrap_or(session.listen);
    session.kubeconfig.clone_from(&args.kubeconfig);
    session.longest = Duration::from_secs(args.seconds);
    until_interrupted(end)?;
    let session = Arc::new(session);
    let Some(chosen) = chosen.into_iter().next() else {
        let healthy = scenario::built_in(HEALTHY, &runbook.triggers());
        let healthy = healthy.ok_or_else(|| Failure::input("there is no scenario", "name one"))?;
        let healthy = healthy.map_err(|error| Failure::Input(error.into()))?;
        sim::serve_healthy(&healthy, args.seed, &session)?;
        return Ok(0);
    };
    terminal::complain("the release is deployed, and its triggers are watched");
    let plan = DrillPlan {
        world: WorldKind::Sim,
        scenario: chosen.scenario,
        runbook: runbook.clone(),
        seed: args.seed,
        until: Until::Held,
        executor: None,
    };
    let performed = sim::serve(&plan, &session)?;
    let outcome = RunOutcome {
        results: vec![drill::conclude(&plan, performed)],
        skipped: Skipped::default(),
    };
    chaos::conclude(
        &outcome,
        AtHand::default(),
        args.report.as_deref(),
        args.output,
        false,
        || {
            let (first, count) = (args.seed, 1);
            began.meta(Some(&runbook), Some(Seeds { first, count }))
        },
    )
}

/// Ends the session at the first Ctrl-C or SIGTERM, and the program at the second.
fn until_interrupted(end: SessionEnd) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| {
        let why = format!("the system gives no signals: {error}");
        Failure::input(why, "without Ctrl-C a session could not be ended")
    };
    let happened = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Handlers run in this order, so that the first signal only sets the flag.
        let code = i32::from(INTERRUPTED);
        register_conditional_shutdown(signal, code, Arc::clone(&happened)).map_err(wrong)?;
        register(signal, Arc::clone(&happened)).map_err(wrong)?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(wrong)?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            end.end();
        }
    });
    Ok(())
}

/// Tells where the world is.
fn tell(opened: &Opened, is_drill: bool) {
    for line in lines(opened, is_drill) {
        terminal::say(&line);
    }
}

fn lines(opened: &Opened, is_drill: bool) -> Vec<String> {
    let [kube, prometheus, loki] = opened.servers;
    let what = match (&opened.trigger, is_drill) {
        (Some(trigger), _) => format!("The trigger `{trigger}` has fired: the rollback is yours."),
        (None, true) => "No trigger has fired. The release is deployed.".to_owned(),
        (None, false) => "The exchange runs as it should.".to_owned(),
    };
    let mut lines = vec![
        what,
        String::new(),
        format!("API server   http://{kube}"),
        format!("Prometheus   http://{prometheus}"),
        format!("Loki         http://{loki}"),
        format!("kubeconfig   {}", opened.kubeconfig.display()),
        format!("token        {}", opened.token),
        String::new(),
        "In another terminal:".to_owned(),
        String::new(),
    ];
    let environment = opened.environment.iter();
    lines.extend(environment.map(|(name, value)| format!("export {name}={}", quoted(value))));
    let bin = opened.bin.display().to_string();
    lines.push(format!("export PATH={}:\"$PATH\"", quoted(&bin)));
    lines.push(String::new());
    if is_drill {
        let claim = "date -u +%FT%TZ > \"$FIREDRILL_RECOVERED_AT\"";
        lines.push(format!("Once all is well, say so:  {claim}"));
    }
    lines.push("Ctrl-C ends the session.".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn addresses_have_a_port_where_it_matters() {
        let read = |text| address(text).map(|it| it.to_string());
        assert_eq!(read("127.0.0.1").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(read("0.0.0.0:6443").as_deref(), Ok("0.0.0.0:6443"));
        assert_eq!(read("[::1]:80").as_deref(), Ok("[::1]:80"));
        for wrong in ["localhost", "", "1.2.3.4:x", ":80"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_lines_can_be_pasted_into_a_shell() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let opened = Opened {
            servers: [at(1), at(2), at(3)],
            token: "secret".to_owned(),
            kubeconfig: PathBuf::from("/tmp/kc"),
            bin: PathBuf::from("/tmp/it's mine/bin"),
            environment: BTreeMap::from([("KUBECONFIG", "/tmp/kc".to_owned())]),
            trigger: Some("sla-latency-p99".to_owned()),
        };
        let told = lines(&opened, true).join("\n");
        assert!(told.contains("export KUBECONFIG=/tmp/kc\n"), "{told}");
        assert!(
            told.contains("export PATH='/tmp/it'\\''s mine/bin':\"$PATH\""),
            "{told}"
        );
        assert!(
            told.starts_with("The trigger `sla-latency-p99` has fired"),
            "{told}"
        );
    }
}
