//! What the shards of a campaign do: a `chaos` or a `search`, of which each takes its share.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Parser as _;
use firedrill::campaign::{self, Files, Interval, Settings};
use firedrill::worlds::WorldKind;

use crate::args::{ChaosArgs, Cli, Command, Format, SearchArgs, World};
use crate::exit::Failure;
use crate::files::read;
use crate::{chaos, input, search, select};

/// What is shared out.
#[derive(Debug)]
pub(crate) enum Work {
    /// Scenarios times seeds: each shard has all scenarios, with its share of the seeds.
    Chaos(ChaosArgs),
    /// Drills that are drawn: each shard is a search of its share of the numbers.
    Search(SearchArgs),
}

/// What says that an option can't be shared out, and what to do instead.
fn not_shared(option: &str, help: &str) -> Failure {
    Failure::input(format!("{option} can't be shared out"), help)
}

impl Work {
    /// Reads the words after a campaign's own options.
    pub(crate) fn read(words: &[String]) -> Result<Self, Failure> {
        let example = "for instance: campaign --context CTX --shards 4 chaos all --seeds 1000";
        let first = words.first().map_or("", String::as_str);
        if !["chaos", "search"].contains(&first) {
            let said = format!("a campaign shares out `chaos` or `search`, and not `{first}`");
            return Err(Failure::input(said, example));
        }
        let program = std::iter::once("firedrill").chain(words.iter().map(String::as_str));
        let cli = Cli::try_parse_from(program).map_err(|error| {
            let said = error.render().to_string();
            let said = said.trim().trim_start_matches("error: ");
            Failure::input(format!("the command of the shards: {said}"), example)
        })?;
        let work = match cli.command {
            Command::Chaos(args) => Self::Chaos(args),
            Command::Search(args) => Self::Search(args),
            _ => return Err(Failure::input("neither `chaos` nor `search`", example)),
        };
        work.can_be_shared()?;
        Ok(work)
    }

    fn can_be_shared(&self) -> Result<(), Failure> {
        let reports = "give --report to the campaign itself, which merges what all shards found";
        let (seeds, reported) = match self {
            Self::Chaos(args) => {
                if args.world != World::Sim {
                    let help = "pods perform drills in the simulation: leave --world out";
                    return Err(not_shared("--world", help));
                }
                if args.last_failed {
                    let help = "run `chaos --last-failed` here: it is a few drills";
                    return Err(not_shared("--last-failed", help));
                }
                if args.app.is_some() {
                    let help =
                        "drill an application of your own here: the pods have none of its files";
                    return Err(not_shared("--app", help));
                }
                if args.program.executor.is_some() {
                    let help = "the program is not there in the pods: run it here";
                    return Err(not_shared("--executor", help));
                }
                if args.max_failures.is_some() {
                    let help = "shards don't know of one another: --max-failed-shards of the campaign ends it early";
                    return Err(not_shared("--max-failures", help));
                }
                let output = &args.output;
                if output.quiet || output.verbose || output.format != Format::Table {
                    let help = "leave -q, -v and --format out behind `chaos`: what a pod prints are its results";
                    return Err(not_shared("what is printed", help));
                }
                (args.seeds.map(u64::from), args.report.is_some())
            }
            Self::Search(args) => {
                if args.duration.is_some() {
                    let help = "what is bounded by a clock can't be repeated: give --seeds, the number of all drills";
                    return Err(not_shared("--for", help));
                }
                if args.corpus.is_some() {
                    let help = "shards share one interval of drills: give --first instead";
                    return Err(not_shared("--corpus", help));
                }
                if args.mutants.is_some() {
                    let help = "run `search --mutants` here";
                    return Err(not_shared("--mutants", help));
                }
                (args.seeds, args.report.is_some())
            }
        };
        if reported {
            return Err(not_shared("--report", reports));
        }
        if seeds.is_none() {
            return Err(Failure::input(
                "a campaign needs to know what there is to share out",
                "give --seeds behind `chaos` (seeds of each scenario) or `search` (drills): the number for all shards together",
            ));
        }
        Ok(())
    }

    /// What kind of work it is.
    pub(crate) fn kind(&self) -> campaign::Work {
        match self {
            Self::Chaos(_) => campaign::Work::Chaos,
            Self::Search(_) => campaign::Work::Search,
        }
    }

    /// All seeds, or all numbers of drills.
    pub(crate) fn interval(&self) -> Interval {
        match self {
            Self::Chaos(args) => Interval {
                first: args.seed.unwrap_or(0),
                count: u64::from(args.seeds.unwrap_or(0)),
            },
            Self::Search(args) => Interval {
                first: args.first.unwrap_or(0),
                count: args.seeds.unwrap_or(0),
            },
        }
    }

    /// Does the share of a shard, and writes its report into `report`; the exit code. Failures of `chaos` are left
    /// whole: which of them are cut down is known when all shards are merged.
    pub(crate) fn perform(self, share: Interval, report: &Path) -> Result<u8, Failure> {
        match self {
            Self::Chaos(mut args) => {
                args.seed = Some(share.first);
                // A share is not larger than the whole, which fits.
                args.seeds = Some(u32::try_from(share.count).unwrap_or(u32::MAX));
                args.no_cut = true;
                args.output.quiet = true;
                args.report = Some(report.to_owned());
                chaos::run(&args)
            }
            Self::Search(mut args) => {
                args.first = Some(share.first);
                args.seeds = Some(share.count);
                args.report = Some(report.to_owned());
                search::run(&args)
            }
        }
    }

    /// Refuses here what every shard would refuse; the names of the scenarios of a `chaos`.
    pub(crate) fn check(&self) -> Result<Vec<String>, Failure> {
        match self {
            Self::Chaos(args) => {
                let runbook = input::runbook(args.runbook.as_deref(), args.strict)?;
                let chosen = input::scenarios(&words(args), &runbook, true)?;
                let chosen =
                    input::can_be_done(chosen, WorldKind::Sim, args.program.executor.is_some())?;
                Ok(chosen.iter().map(|it| it.scenario.name.clone()).collect())
            }
            Self::Search(args) => {
                input::runbook(args.runbook.as_deref(), args.strict)?;
                search::known(args)?;
                Ok(Vec::new())
            }
        }
    }

    /// The command as pods get it, and the files that it names, by the names that they have there.
    pub(crate) fn for_pods(&self) -> Result<(Vec<String>, Files), Failure> {
        let mut pods = ForPods::default();
        // Every option has its line here: one that is new asks for it.
        match self {
            Self::Chaos(args) => {
                let ChaosArgs {
                    app: _,
                    scenarios: _,
                    all: _,
                    last_failed: _,
                    world: _,
                    seeds,
                    seed,
                    crash_points,
                    jobs,
                    runbook,
                    program: _,
                    strict,
                    whole,
                    no_cut: _,
                    max_failures: _,
                    report: _,
                    output: _,
                } = args;
                pods.words.push("chaos".to_owned());
                for word in words(args) {
                    pods.scenario(word)?;
                }
                pods.option("--seed", *seed);
                pods.option("--seeds", *seeds);
                pods.flag("--crash-points", *crash_points);
                pods.option("--jobs", *jobs);
                pods.file("--runbook", runbook.as_deref(), "runbook.md", "runbook")?;
                pods.flag("--strict", *strict);
                pods.flag("--whole", *whole);
            }
            Self::Search(args) => {
                let SearchArgs {
                    duration: _,
                    seeds,
                    seed,
                    first,
                    jobs,
                    runbook,
                    strict,
                    mutants: _,
                    count: _,
                    pairs: _,
                    corpus: _,
                    known,
                    report: _,
                } = args;
                pods.words.push("search".to_owned());
                pods.option("--seed", *seed);
                pods.option("--first", *first);
                pods.option("--seeds", *seeds);
                pods.option("--jobs", *jobs);
                pods.file("--runbook", runbook.as_deref(), "runbook.md", "runbook")?;
                pods.flag("--strict", *strict);
                pods.file(
                    "--known",
                    known.as_deref(),
                    "known.toml",
                    "list of known classes",
                )?;
            }
        }
        let bytes: usize = pods.files.values().map(String::len).sum();
        if bytes > campaign::FILES_MAX {
            return Err(Failure::input(
                format!(
                    "the files of the command have {bytes} bytes, and a ConfigMap takes {}",
                    campaign::FILES_MAX
                ),
                "name fewer scenarios, in several campaigns",
            ));
        }
        Ok((pods.words, pods.files))
    }
}

/// The words for scenarios.
fn words(args: &ChaosArgs) -> Vec<String> {
    if args.all {
        vec![select::ALL.to_owned()]
    } else {
        args.scenarios.clone()
    }
}

/// A command for pods.
#[derive(Default)]
struct ForPods {
    words: Vec<String>,
    files: BTreeMap<String, String>,
}

impl ForPods {
    /// A word for scenarios. What it names in files becomes files of the campaign.
    fn scenario(&mut self, word: String) -> Result<(), Failure> {
        let sources = select::sources(std::slice::from_ref(&word))?;
        if sources.iter().all(|source| source.path.is_none()) {
            self.words.push(word);
            return Ok(());
        }
        for source in sources {
            let scenarios = self
                .files
                .keys()
                .filter(|name| name.starts_with("scenario-"));
            let name = format!("scenario-{}.toml", scenarios.count());
            self.words.push(Settings::path(&name));
            self.files.insert(name, source.text);
        }
        Ok(())
    }

    fn option(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.words.extend([name.to_owned(), value.to_string()]);
        }
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.words.push(name.to_owned());
        }
    }

    fn file(
        &mut self,
        option: &str,
        path: Option<&Path>,
        name: &str,
        what: &str,
    ) -> Result<(), Failure> {
        if let Some(path) = path {
            self.option(option, Some(Settings::path(name)));
            self.files.insert(name.to_owned(), read(path, what)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Work, Failure> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Work::read(&words)
    }

    #[test]
    fn what_cannot_be_shared_out_is_refused() {
        for line in [
            "replay fd1-x",
            "chaos",
            "chaos --seeds 10 --world kind",
            "chaos --last-failed",
            "chaos --seeds 10 --max-failures 1",
            "chaos --seeds 10 --report x",
            "chaos --seeds 10 -q",
            "chaos --seeds 10 --format json",
            "chaos --no-such-option",
            "search",
            "search --for 10m",
            "search --seeds 10 --report x",
            "search --mutants runbook",
        ] {
            let error = read(line).expect_err(line);
            assert_eq!(error.code(), 2, "{line}");
        }
    }

    #[test]
    fn pods_get_the_same_command_with_the_files_that_it_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it can be written");
            path.display().to_string()
        };
        let (mine, book) = (file("mine.toml", "a"), file("book.md", "b"));
        let line = format!(
            "chaos near-* {mine} --seeds 9 --seed 3 --jobs 2 --crash-points --runbook {book} --strict"
        );
        let work = read(&line).expect("it can be shared");
        let Interval { first, count } = work.interval();
        assert_eq!((first, count), (3, 9));
        let (words, files) = work.for_pods().expect("its files are there");
        let expected = "chaos near-* /campaign/scenario-0.toml --seed 3 --seeds 9 --crash-points --jobs 2 --runbook /campaign/runbook.md --strict";
        assert_eq!(words.join(" "), expected);
        let named = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(
            files,
            Files::from([named("runbook.md", "b"), named("scenario-0.toml", "a")])
        );
        // A pod reads what it is told.
        assert!(Work::read(&words).is_ok());

        let known = file("known.toml", "k");
        let line = format!("search --seeds 100 --seed 7 --first 50 --known {known}");
        let (words, files) = read(&line)
            .expect("it can be shared")
            .for_pods()
            .expect("its file is there");
        assert_eq!(
            words.join(" "),
            "search --seed 7 --first 50 --seeds 100 --known /campaign/known.toml"
        );
        assert_eq!(files.len(), 1);
        assert!(Work::read(&words).is_ok());
    }
}
