//! A scenario as the text of a file.

use std::time::Duration;

use super::quantity::format_duration;
use super::{Expect, Expected, Load, Scenario, Timing, check_application};

impl Scenario {
    /// The scenario as a file's text that reads back as the same scenario: for drawn scenarios.
    #[must_use]
    pub fn to_toml(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let quoted = |s: &str| toml::Value::String(s.to_owned()).to_string();
        let d = |d: Duration| quoted(&format_duration(d));
        let _ = write!(
            out,
            "name = {}\ndescription = {}\n\n[release]\nfrom = {}\nto = {}\n",
            quoted(&self.name),
            quoted(&self.description),
            quoted(&self.release.from),
            quoted(&self.release.to),
        );
        let _ = writeln!(out, "\n[load]\nrate_per_s = {}", self.load.rate_per_s);
        if self.application.is_the_exchange() {
            let Load {
                accounts, markets, ..
            } = self.load;
            let _ = writeln!(out, "accounts = {accounts}\nmarkets = {markets}");
        }
        if let Some(bursts) = self.load.bursts {
            out.push_str(&bursts.to_toml());
        }
        out.push_str(&self.ledger.to_toml());
        for deployment in &self.deployments {
            out.push_str(&deployment.to_toml());
        }
        let t = &self.timing;
        let _ = write!(
            out,
            "\n[timing]\nwarm_up = {}\ndeploy_at = {}\nduration = {}\nhold = {}\n",
            d(t.warm_up),
            d(t.deploy_at),
            d(t.duration),
            d(t.hold)
        );
        for (key, value, default) in [
            (
                "scrape_interval",
                t.scrape_interval,
                Timing::SCRAPE_INTERVAL,
            ),
            ("poll_interval", t.poll_interval, Timing::POLL_INTERVAL),
        ] {
            if value != default {
                let _ = writeln!(out, "{key} = {}", d(value));
            }
        }
        if let Some(crash) = &self.crash {
            let _ = write!(
                out,
                "\n[crash]\nrequest = {}\nside = {}\nresume_after = {}\n",
                crash.request,
                quoted(crash.side.as_str()),
                d(crash.resume_after)
            );
        }
        for fault in &self.faults {
            out.push_str(&fault.to_toml());
        }
        let e = &self.expect;
        let outcome = match e.outcome {
            Expected::Recovered => String::new(),
            Expected::Escalated => format!("outcome = {}\n", quoted(e.outcome.as_str())),
        };
        let mut spans = String::new();
        if e.detect_max != Expect::DETECT_MAX {
            let _ = writeln!(spans, "detect_max = {}", d(e.detect_max));
        }
        if e.impact_max != e.detect_max + e.rto_max {
            let _ = writeln!(spans, "impact_max = {}", d(e.impact_max));
        }
        let _ = write!(
            out,
            "\n[expect]\ntrigger = {}\npath = {}\n{outcome}{spans}rto_max = {}\nerror_rate_max = {}\np99_max = {}\ntrades_lost_max = {}\n",
            quoted(e.trigger.as_deref().unwrap_or("none")),
            quoted(e.path.as_str()),
            d(e.rto_max),
            quoted(&e.error_rate_max.to_string()),
            d(e.p99_max),
            e.trades_lost_max
        );
        if e.ledger_kept {
            out.push_str("ledger_kept = true\n");
        }
        if let Some(app) = self.application.described() {
            out.push_str(&check_application::section(app));
        }
        out
    }

    /// The same scenario after a change by `edit`, with the text that says so.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self.text = self.to_toml();
        self
    }
}
