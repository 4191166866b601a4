//! What a scenario asks for that can't be had where the executor is a program of its own. Better said before the first
//! drill than by drills that show nothing.

use std::fmt;
use std::ops::Range;

use super::error::{Mistakes, SCENARIO, ScenarioError};
use super::fault::Hosts;
use super::raw;
use super::{Anchor, Fault, FaultKind, Scenario};
use crate::worlds::WorldKind;

/// Something of a scenario that can't be had with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramRefusal {
    /// What is drilled is an application of somebody's own, for which the simulation calls no program so far.
    Application,
    /// A fault begins at a step, and a program says nothing of steps.
    Step(FaultKind),
    /// A fault needs a second host that runs an executor at the same time.
    SecondHost(FaultKind),
    /// A fault sets the clock of the executor's host, and a program asks for the time in ways that nobody sees.
    Clock(FaultKind),
    /// The death of the executor counts requests, and nobody sees those of a program on a cluster.
    CrashCounts,
    /// A fault waits for such a request.
    FaultCounts(FaultKind),
}

impl ProgramRefusal {
    /// Why not.
    fn why(self) -> String {
        match self {
            Self::Application => {
                "in simulation, an application of your own is drilled by the built-in executor so far"
                    .to_owned()
            }
            Self::Step(kind) => {
                format!(
                    "`{}` begins at a step, and a program says nothing of its steps",
                    kind.as_str()
                )
            }
            Self::SecondHost(kind) => format!(
                "`{}` needs two executors at once, and a drill runs one process of a program at a time",
                kind.as_str()
            ),
            Self::Clock(kind) => format!(
                "`{}` sets the clock that the built-in executor is given, and a program reads its host's own",
                kind.as_str()
            ),
            Self::CrashCounts => {
                "`crash` counts requests, and those of a program on a cluster are not seen"
                    .to_owned()
            }
            Self::FaultCounts(kind) => format!(
                "`{}` waits for a request, and those of a program on a cluster are not seen",
                kind.as_str()
            ),
        }
    }

    /// What to do about it.
    fn help(self) -> &'static str {
        match self {
            Self::Application => {
                "use `--world kind`, leave `--executor` out, or drill the exchange without `--app`"
            }
            Self::Step(_) => {
                "write `when = \"trigger\"` or `when = \"request N\"`, or leave `--executor` out"
            }
            Self::SecondHost(_) => {
                "take `executor-killed` or `[crash]`, which the program's `resume` follows, or leave `--executor` out"
            }
            Self::Clock(_) => "leave the fault out, or leave `--executor` out",
            Self::CrashCounts | Self::FaultCounts(_) => "leave it out, or use `--world sim`",
        }
    }
}

impl fmt::Display for ProgramRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.why(), self.help())
    }
}

fn of_fault(fault: &Fault, world: WorldKind) -> Option<ProgramRefusal> {
    let kind = fault.kind;
    match kind.spec().hosts {
        Hosts::Paused | Hosts::Joined => return Some(ProgramRefusal::SecondHost(kind)),
        Hosts::ClockOff => return Some(ProgramRefusal::Clock(kind)),
        Hosts::Untouched | Hosts::Killed => {}
    }
    match &fault.when {
        Anchor::Step(_) | Anchor::After(_) => Some(ProgramRefusal::Step(kind)),
        Anchor::Request(_) if world == WorldKind::Kind => Some(ProgramRefusal::FaultCounts(kind)),
        Anchor::Request(_)
        | Anchor::Start
        | Anchor::Deployment
        | Anchor::Ready(_)
        | Anchor::Trigger => None,
    }
}

impl Scenario {
    /// Whether `world` drills its application by the built-in executor alone.
    fn calls_no_program(&self, world: WorldKind) -> bool {
        !self.application.is_the_exchange() && world == WorldKind::Sim
    }

    /// What of it can't be had in `world` with an executor that is a program.
    pub fn refusals_of_programs(&self, world: WorldKind) -> impl Iterator<Item = ProgramRefusal> {
        let own = self
            .calls_no_program(world)
            .then_some(ProgramRefusal::Application);
        let counts = self.crash.is_some() && world == WorldKind::Kind;
        let crash = counts.then_some(ProgramRefusal::CrashCounts);
        let faults = self.faults.iter().filter_map(move |it| of_fault(it, world));
        own.into_iter().chain(crash).chain(faults)
    }

    /// Checks that it can be drilled in `world` with an executor that is a program. It was read from `file`.
    ///
    /// # Errors
    /// Everything that can't be had so, with its place and a remedy.
    pub fn fits_program(&self, file: &str, world: WorldKind) -> Result<(), ScenarioError> {
        if self.refusals_of_programs(world).next().is_none() {
            return Ok(());
        }
        let raw = raw::parse(file, &self.text)?;
        let mut mistakes = Mistakes::default();
        let mut add = |place: Range<usize>, refusal: ProgramRefusal| {
            mistakes.add(place, refusal.why(), "not with a program", refusal.help());
        };
        if self.calls_no_program(world) {
            add(raw.name.span(), ProgramRefusal::Application);
        }
        for (fault, given) in self.faults.iter().zip(&raw.faults) {
            let Some(refusal) = of_fault(fault, world) else {
                continue;
            };
            let when = given.when.as_ref().map(|when| when.span());
            let place = match refusal {
                ProgramRefusal::SecondHost(_) | ProgramRefusal::Clock(_) => given.kind.span(),
                _ => when.unwrap_or(given.kind.span()),
            };
            add(place, refusal);
        }
        if self.crash.is_some() && world == WorldKind::Kind {
            let at = self.text.find("[crash]");
            let place = at.map_or(0..0, |at| at..at + "[crash]".len());
            add(place, ProgramRefusal::CrashCounts);
        }
        mistakes.into_result(SCENARIO, file, &self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(tables: &str) -> Scenario {
        let text = format!(
            "name = \"mine\"\n[release]\nto = \"1.5.0-slow-path\"\n{tables}[expect]\ntrigger = \"sla-latency-p99\"\n"
        );
        Scenario::parse("mine.toml", &text, &[]).expect("it is right")
    }

    #[test]
    fn an_application_of_ones_own_is_refused_with_a_program_in_simulation_alone() {
        let app = sim_services::describe::sample(1, 1, 200).app();
        let app = crate::scenario::Described::from(app.expect("the description is right"));
        let text = "name = \"mine\"\n[release]\nto = \"bad\"\n[expect]\ntrigger = \"failing\"\n";
        let scenario = Scenario::parse_of(&app, "mine.toml", text, &[]).expect("it is right");
        let refused = scenario.fits_program("mine.toml", WorldKind::Sim);
        let said = format!("{:?}", miette::Report::new(refused.expect_err("refused")));
        assert!(said.contains("mine.toml:1:"), "{said}");
        assert!(said.contains("an application of your own"), "{said}");
        assert!(said.contains("use `--world kind`"), "{said}");
        let refusals: Vec<_> = scenario.refusals_of_programs(WorldKind::Sim).collect();
        assert_eq!(refusals, [ProgramRefusal::Application]);
        assert!(scenario.fits_program("mine.toml", WorldKind::Kind).is_ok());
        assert_eq!(scenario.refusals_of_programs(WorldKind::Kind).count(), 0);
        let crash = "[crash]\nrequest = 3\nside = \"after\"\nresume_after = \"5s\"\n";
        let text = format!("{text}{crash}");
        let scenario = Scenario::parse_of(&app, "mine.toml", &text, &[]).expect("it is right");
        let refusals: Vec<_> = scenario.refusals_of_programs(WorldKind::Kind).collect();
        assert_eq!(refusals, [ProgramRefusal::CrashCounts]);
    }

    #[test]
    fn what_a_program_cannot_meet_is_refused_with_its_place() {
        let restarted = "[[faults]]\nkind = \"api-server-restarted\"\nwhen = ";
        for (tables, world, wrong) in [
            (format!("{restarted}\"trigger\"\n"), WorldKind::Kind, None),
            (format!("{restarted}\"request 3\"\n"), WorldKind::Sim, None),
            (
                format!("{restarted}\"request 3\"\n"),
                WorldKind::Kind,
                Some(("`api-server-restarted` waits for a request", 6)),
            ),
            (
                format!("{restarted}\"step halt-trading\"\n"),
                WorldKind::Sim,
                Some(("`api-server-restarted` begins at a step", 6)),
            ),
            (
                format!("{restarted}\"after halt-trading\"\n"),
                WorldKind::Sim,
                Some(("`api-server-restarted` begins at a step", 6)),
            ),
            (
                "[[faults]]\nkind = \"second-executor\"\nwhen = \"trigger\"\n".to_owned(),
                WorldKind::Sim,
                Some(("`second-executor` needs two executors", 5)),
            ),
            (
                "[[faults]]\nkind = \"clock-skewed\"\ntarget = \"first-host\"\nby = \"30s\"\n"
                    .to_owned(),
                WorldKind::Sim,
                Some(("`clock-skewed` sets the clock", 5)),
            ),
            (
                "[crash]\nrequest = 3\nside = \"after\"\nresume_after = \"5s\"\n".to_owned(),
                WorldKind::Kind,
                Some(("`crash` counts requests", 4)),
            ),
        ] {
            let scenario = with(&tables);
            let refused = scenario.fits_program("mine.toml", world).err();
            assert_eq!(refused.is_some(), wrong.is_some(), "{tables}");
            let refusals: Vec<_> = scenario.refusals_of_programs(world).collect();
            assert_eq!(refusals.len(), usize::from(wrong.is_some()), "{tables}");
            let (Some((why, line)), Some(refused)) = (wrong, refused) else {
                continue;
            };
            let said = format!("{:?}", miette::Report::new(refused));
            assert!(said.contains(why), "{said}");
            assert!(said.contains(&format!("mine.toml:{line}:")), "{said}");
            assert!(refusals[0].to_string().contains("; "), "{}", refusals[0]);
        }
    }
}
