//! What the help of each command ends with: examples, and the exit codes that it has.

/// Joins examples and exit codes.
macro_rules! help {
    ($examples:literal, $codes:literal) => {
        concat!("Examples:\n", $examples, "\nExit codes:\n", $codes)
    };
}

pub(crate) const PROGRAM: &str = help!(
    "  firedrill chaos                          three bad releases, 100 seeds each
  firedrill list faults                    what can go wrong
  firedrill show latency-regression        everything about one scenario
  firedrill new mine                       a scenario to begin with, in mine.toml
  firedrill chaos mine.toml --seeds 20     drill it
",
    "  0    all passed
  1    a drill failed
  2    bad input or usage
  3    inconclusive, and none failed
  4    the world could not be built
  130  interrupted"
);

pub(crate) const SEARCH: &str = help!(
    "  firedrill search --for 10m                                  for ten minutes
  firedrill search --seeds 10000 --seed 7 --report search     the same drills each time
  firedrill search --seeds 10000 --seed 7 --first 10000       goes on where that one ended
  firedrill search --for 40m --corpus corpus --report search  each night, where the last one ended
  firedrill search --mutants runbook --report mutants         is every change of the runbook caught?
  firedrill search --mutants runbook --count 40 --pairs 10    the first 40 of them, pairs among them
",
    "  0    no new class of failure; every mutant caught
  1    a new class of failure, a mark that 10,000 drills never reached, or a mutant that survived
  2    bad input or usage
  3    no drill was performed
  4    the world could not be built; what was found before is reported
  130  interrupted; what was found is reported"
);

pub(crate) const CAMPAIGN: &str = help!(
    "  firedrill campaign --context kind-firedrill --image firedrill:1 --shards 4 chaos all --seeds 1000
  firedrill campaign --context CTX --image IMAGE --shards 100 --report out search --seeds 1000000 --seed 7
  firedrill campaign --context CTX --image IMAGE --shards 50 --namespace drills --queue nightly chaos all --seeds 5000
  firedrill campaign --manifest --image IMAGE --shards 4 chaos all --seeds 1000 | kubectl apply -f -
",
    "  0    all passed; no new class of failure
  1    a drill failed, a class is new, or two runs of one shard differ
  2    bad input or usage
  3    inconclusive, or shards are missing, and none failed
  4    the cluster does not take the campaign, or no shard had a world
  130  interrupted; what was collected is reported"
);

pub(crate) const SHARD: &str = help!(
    "  firedrill shard --index 1 --shards 4 --message 1.json chaos all --seeds 1000
  firedrill shard --index 1 --shards 4 --message 1.json search --seeds 100000 --seed 7
",
    "  0    all passed; no new class of failure
  1    a drill failed, or a class is new
  2    bad input or usage
  3    inconclusive, and none failed
  4    the world could not be built, or the summary could not be written
  130  interrupted"
);

pub(crate) const CHAOS: &str = help!(
    "  firedrill chaos                                    the three default scenarios
  firedrill chaos all --seeds 20                     every built-in scenario
  firedrill chaos 'faults/api-*' mine.toml           by pattern, and a file
  firedrill chaos mine.toml --seed 7                 one drill, with its timeline
  firedrill chaos all --max-failures 1 --report out  until the first failure
  firedrill chaos --app shop/app.toml                an application of your own
  firedrill chaos --last-failed                      what did not pass the last time
  firedrill chaos --format json -q > journal.json    for programs
",
    "  0    all passed
  1    a drill failed
  2    bad input or usage, or the report could not be written
  3    inconclusive, and none failed
  4    the world could not be built
  130  interrupted by Ctrl-C or SIGTERM; what was done is reported"
);

pub(crate) const REPLAY: &str = help!(
    "  firedrill replay fd1-TOKEN               as a finding shows it
  firedrill replay fd1-TOKEN mine.toml     of a scenario of your own, with its file
  firedrill replay fd1-TOKEN --report out  with the page of that one drill
  firedrill replay --recording drill.jsonl  without the program that was recorded
",
    "  0    it passed
  1    it failed, or a recording did not play back the same
  2    bad input or usage
  3    it was inconclusive
  130  interrupted"
);

pub(crate) const SERVE: &str = help!(
    "  firedrill serve                                              the exchange as it should be
  firedrill serve latency-regression --kubeconfig kc.yaml      a bad release, once its trigger has fired
  firedrill serve latency-regression --pace 10x --report out   its clock runs by itself
",
    "  0    the drill passed, or there was none
  1    the drill failed
  2    bad input or usage, or the report could not be written
  3    the drill was inconclusive
  4    the world could not be built
  130  interrupted twice"
);

pub(crate) const REPORT: &str = help!(
    "  firedrill report out/journal.json                        the table again
  firedrill report a/journal.json b/journal.json --report out  of several runs, merged
  firedrill report --schema                                the journal's JSON Schema
",
    "  0  all passed
  1  a drill failed
  2  bad input or usage
  3  inconclusive, and none failed"
);

pub(crate) const FORECAST: &str = help!(
    "  firedrill forecast -f k8s/                                   each Deployment in the folder
  firedrill forecast -f k8s/ nodes.yaml --starts starts.toml   with your nodes and your start times
  firedrill forecast -f k8s/ --budget 120s --report out        fails if an undo takes longer
  firedrill forecast -f k8s/ --against old/k8s --report out    what a change does, in out/forecast.md
  kustomize build . | firedrill forecast -f -                  what kustomize or helm renders
  firedrill forecast --context production -n shop              what a cluster has, read with kubectl get
",
    "  0    forecast; within the budget
  1    nine of ten undos of a workload take longer than the budget
  2    bad input or usage, or the report could not be written
  130  interrupted"
);

pub(crate) const BUDGET: &str = help!(
    "  firedrill budget latency-regression                the steps, the causes, the parameters
  firedrill budget latency-regression --seeds 100    more drills
  firedrill budget all --pairs 0 --report out        every built-in scenario, without parameters
  firedrill budget --app shop/app.toml               an application of your own
",
    "  0    accounted for
  2    bad input or usage, or the report could not be written
  3    no drill recovered
  4    the world could not be built
  130  interrupted"
);

pub(crate) const LIST: &str = help!(
    "  firedrill list                     the built-in scenarios
  firedrill list releases            what scenarios may deploy
  firedrill list keys                what a scenario file may say
  firedrill list --format json       for programs
",
    "  0  listed
  2  bad usage"
);

pub(crate) const SHOW: &str = help!(
    "  firedrill show latency-regression  a scenario: its keys and its file
  firedrill show 1.5.0-slow-path     a release
  firedrill show executor-killed     a scenario and a fault of the same name
  firedrill show fault/api-slow      the fault alone
  firedrill show sla-latency-p99     a trigger of the runbook
",
    "  0  shown
  2  nothing has that name, or bad usage"
);

pub(crate) const NEW: &str = help!(
    "  firedrill new mine                      writes mine.toml
  firedrill new drills/mine               in a folder that is there
  firedrill new mine --like api-slow      begins with a built-in scenario
  firedrill new shop -f k8s/              an application of your own, by its manifests
",
    "  0  written
  2  the file is there already, or bad input or usage"
);

pub(crate) const CHECK: &str = help!(
    "  firedrill check mine.toml                    a scenario
  firedrill check shop/app.toml                an application of your own
  firedrill check runbooks/*.md --strict       runbooks, and their warnings count
  firedrill check - < mine.toml                standard input
  firedrill check mine.toml --runbook new.md   whether the scenario fits another runbook
  firedrill check mine.toml --app shop/app.toml    a scenario of your own application
",
    "  0  all files are right
  2  one is not, or bad usage"
);

pub(crate) const COMPLETIONS: &str = help!(
    "  source <(firedrill completions bash)             in ~/.bashrc
  source <(firedrill completions zsh)              in ~/.zshrc
  firedrill completions fish | source              in config.fish
",
    "  0  printed
  2  bad usage"
);

pub(crate) const MAN: &str = help!(
    "  firedrill man man1     one page for each command, in the folder man1
",
    "  0  written
  2  bad input or usage"
);

pub(crate) const RUNBOOK_CHECK: &str = help!(
    "  firedrill runbook check runbooks/rollback.md --strict
",
    "  0  it is right
  2  it is not, or bad usage"
);

pub(crate) const VERIFY: &str = help!(
    "  firedrill runbook verify --baseline main --candidate runbooks/rollback.md
  firedrill runbook verify --baseline procedure --candidate new.md --report out
  firedrill runbook verify --baseline old.md --candidate new.md 'near-*' --seeds 300
  firedrill runbook verify --candidate-executor './new.sh' --baseline-executor './old.sh' latency-regression
",
    "  0    ADOPT
  1    REJECT
  2    bad input or usage
  3    INCONCLUSIVE
  4    the world could not be built
  130  interrupted"
);

pub(crate) const RUNBOOK: &str = help!(
    "  firedrill runbook check runbooks/rollback.md
  firedrill runbook verify --baseline main --candidate runbooks/rollback.md
",
    "  0  it is right, or may be adopted
  1  REJECT
  2  it is not right, or bad usage
  3  INCONCLUSIVE"
);

pub(crate) const CALIBRATE: &str = help!(
    "  firedrill calibrate --out cluster.toml --out-exchange exchange.toml
  firedrill calibrate --out cluster.toml --out-exchange exchange.toml --rounds 20   with more rollouts of each service
",
    "  0    measured
  2    bad input or usage
  4    the world could not be built
  130  interrupted"
);

pub(crate) const BENCHMARK: &str = help!(
    "  firedrill benchmark
  firedrill benchmark --rounds 30   with more rollbacks by each
",
    "  0    measured
  2    bad input or usage
  4    the world could not be built
  130  interrupted"
);

pub(crate) const COMPARE: &str = help!(
    "  firedrill compare                                the three default scenarios
  firedrill compare latency-regression --runs 20   more recoveries of one on the cluster
",
    "  0    measured
  2    bad input or usage
  4    the world could not be built
  130  interrupted"
);
