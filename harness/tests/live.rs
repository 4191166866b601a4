//! That nothing is left behind: drills on the real cluster that are killed with SIGKILL, interrupted,
//! or lose their xtask.
//!
//! Runs where Docker answers and `cargo xtask kind up` has made a cluster (`FIREDRILL_CLUSTER`: another one);
//! elsewhere it says what it left out, and counts it. One test after the other: there is one cluster. Some minutes.

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// A test.
type Test = (&'static str, fn(&Live) -> Result<(), String>);

const TESTS: &[Test] = &[
    ("a_killed_drill_is_cleared_up_by_kind_up", killed_then_up),
    (
        "a_killed_drill_is_cleared_up_by_the_next_one_and_ctrl_c_leaves_nothing",
        killed_then_next,
    ),
    ("ctrl_c_through_xtask_leaves_nothing", interrupted_xtask),
    (
        "a_verify_that_is_terminated_leaves_nothing_and_judges_nothing",
        terminated_verify,
    ),
    (
        "a_drill_whose_xtask_is_killed_clears_up_after_itself",
        killed_xtask,
    ),
    (DESCRIBED, described),
];

/// The test that needs the images of `examples/apps/hello`, as its book page builds and loads them.
const DESCRIBED: &str = "a_described_application_is_drilled_and_leaves_nothing";
const IMAGES: [&str; 2] = ["hello/web:1.0.0", "hello/web:1.1.0"];

/// Looks, a quarter of a second apart, until something is so. Somebody else's drill may have to end first.
const LOOKS: u32 = 4 * 900;

/// The faults of a drill that is killed while they last, from its beginning on.
const PAUSED: &str =
    "[[faults]]\nkind = \"node-paused\"\nwhen = \"start\"\nat = \"1s\"\nlasts = \"10m\"\n";
const CUT: &str = "[[faults]]\nkind = \"connections-dropped\"\ntarget = \"database\"\nwhen = \"start\"\nlasts = \"10m\"\n\n\
[[faults]]\nkind = \"connections-dropped\"\ntarget = \"kubernetes\"\nwhen = \"start\"\nlasts = \"10m\"\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in TESTS {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen: Vec<&Test> = TESTS
        .iter()
        .filter(|(name, _)| filter.is_none_or(|part| name.contains(part.as_str())))
        .collect();
    println!("\nrunning {} live tests", chosen.len());
    let live = match Live::find() {
        Ok(live) => live,
        Err(why) => {
            for (name, _) in &chosen {
                println!("test {name} ... left out: {why}");
            }
            println!(
                "\ntest result: ok. 0 passed; 0 failed; {} left out\n",
                chosen.len()
            );
            return ExitCode::SUCCESS;
        }
    };
    let (mut failed, mut left_out) = (0, 0);
    for (name, test) in &chosen {
        if *name == DESCRIBED
            && let Some(image) = live.lacks_image()
        {
            println!("test {name} ... left out: the node has no image {image}");
            left_out += 1;
            continue;
        }
        let outcome = test(&live);
        match &outcome {
            Ok(()) => println!("test {name} ... ok"),
            Err(why) => println!("test {name} ... FAILED: {why}"),
        }
        failed += usize::from(outcome.is_err());
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {} passed; {failed} failed; {left_out} left out\n",
        chosen.len() - failed - left_out
    );
    ExitCode::from(u8::from(failed > 0))
}

/// Where the tests happen.
struct Live {
    /// `cluster.json`.
    facts: PathBuf,
    node: String,
    folder: PathBuf,
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn printed(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{command:?}: {}", text(&output.stderr)))
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("FIREDRILL_DOCKER").unwrap_or_else(|| "docker".into());
    printed(Command::new(program).args(arguments))
}

fn signal(name: &str, target: &str) -> Result<(), String> {
    printed(Command::new("kill").args([&format!("-{name}"), "--", target])).map(drop)
}

/// Waits until it is so.
#[expect(clippy::disallowed_methods, reason = "a real cluster takes real time")]
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    for _ in 0..LOOKS {
        if is_so() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    Err(format!("in vain: {what}"))
}

fn ensure(what: &str, is_so: bool) -> Result<(), String> {
    if is_so {
        Ok(())
    } else {
        Err(format!("not so: {what}"))
    }
}

impl Live {
    /// Why not, otherwise.
    fn find() -> Result<Self, String> {
        docker(&["version", "--format", "{{.Server.Version}}"])
            .map_err(|_| "no Docker engine answers".to_owned())?;
        let facts = std::env::var_os("FIREDRILL_CLUSTER").map_or_else(
            || {
                PathBuf::from(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../target/firedrill/cluster.json"
                ))
            },
            PathBuf::from,
        );
        let text = std::fs::read_to_string(&facts)
            .map_err(|_| "no cluster: `cargo xtask kind up` makes one".to_owned())?;
        let json: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", facts.display()))?;
        let node = json["node"].as_str().unwrap_or_default().to_owned();
        docker(&["inspect", &node]).map_err(|_| "the cluster's node is gone".to_owned())?;
        let folder = std::env::temp_dir().join(format!("firedrill-live-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        Ok(Self {
            facts,
            node,
            folder,
        })
    }

    /// An image of the worked example that the node does not have.
    fn lacks_image(&self) -> Option<&'static str> {
        let list = self.in_node(&["ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]);
        let list = list.unwrap_or_default();
        let has = |image: &str| list.lines().any(|line| line.ends_with(image));
        IMAGES.into_iter().find(|image| !has(image))
    }

    fn state(&self) -> String {
        docker(&["inspect", "--format", "{{.State.Status}}", &self.node]).unwrap_or_default()
    }

    fn in_node(&self, arguments: &[&str]) -> Result<String, String> {
        docker(&[&["exec", &self.node], arguments].concat())
    }

    /// How many chains of ours the node has.
    fn chains(&self) -> usize {
        let rules = self.in_node(&["iptables", "-S"]).unwrap_or_default();
        rules
            .lines()
            .filter(|line| line.starts_with("-N FIREDRILL"))
            .count()
    }

    /// Pods and journals of the exchange.
    fn exchange(&self) -> Result<String, String> {
        let kubectl = [
            "kubectl",
            "--kubeconfig=/etc/kubernetes/admin.conf",
            "-n",
            "dex-production",
        ];
        let get = [
            "get",
            "pods,deployments,configmaps",
            "-l",
            "app.kubernetes.io/part-of=dex",
            "-o",
            "name",
        ];
        self.in_node(&[&kubectl[..], &get[..]].concat())
    }

    /// A drill of a scenario that does this from its beginning on.
    fn scenario(&self, faults: &str) -> Result<PathBuf, String> {
        let text = firedrill::scenario::find("latency-regression")
            .ok_or("it is built in")?
            .text;
        let (head, tail) = text.split_once("[expect]").ok_or("it expects something")?;
        let file = self.folder.join("killed.toml");
        let text = format!("{head}{faults}\n[expect]{tail}");
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        Ok(file)
    }

    fn drill(&self, scenario: &str) -> Result<Drill, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.args(["chaos", scenario, "--world", "kind"]);
        self.start(command)
    }

    /// In a process group of its own, as a shell starts it: Ctrl-C is for all of the group.
    fn start(&self, mut command: Command) -> Result<Drill, String> {
        use std::os::unix::process::CommandExt as _;
        let child = command
            .env("FIREDRILL_CLUSTER", &self.facts)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        Ok(Drill(child))
    }

    /// Nothing of the drill's is left.
    fn is_clear(&self, owner: &str) -> Result<(), String> {
        ensure("the ledger's container is gone", ledgers(owner).is_empty())?;
        ensure("no rule is left in the node", self.chains() == 0)?;
        let left = self.exchange()?;
        ensure(&format!("the exchange is gone: {left}"), left.is_empty())?;
        let workshop = self.facts.with_file_name("drill");
        ensure("no file is left", !workshop.exists())
    }
}

/// Containers that belong to the process.
fn ledgers(pid: &str) -> Vec<String> {
    let format = "{{.ID}} {{.Label \"firedrill.owner\"}}";
    let list = docker(&[
        "ps",
        "--all",
        "--filter",
        "label=firedrill=1",
        "--format",
        format,
    ]);
    let list = list.unwrap_or_default();
    let of = |line: &&str| {
        line.split_once(' ')
            .is_some_and(|(_, owner)| owner.starts_with(&format!("{pid}-")))
    };
    list.lines().filter(of).map(str::to_owned).collect()
}

/// Children of a process, and theirs.
fn descendants(pid: &str) -> Vec<String> {
    let children = printed(Command::new("pgrep").args(["-P", pid])).unwrap_or_default();
    let mut all = Vec::new();
    for child in children.lines() {
        all.push(child.to_owned());
        all.extend(descendants(child));
    }
    all
}

/// A running drill; it does not outlive the test.
struct Drill(Child);

impl Drill {
    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn kill(&mut self) -> Result<(), String> {
        self.0.kill().map_err(|error| error.to_string())?;
        self.0.wait().map(drop).map_err(|error| error.to_string())
    }

    fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }

    /// Ctrl-C; the exit code.
    fn interrupt(&mut self) -> Result<Option<i32>, String> {
        self.ended_by("INT")
    }

    /// The exit code after a signal to all of the group.
    fn ended_by(&mut self, name: &str) -> Result<Option<i32>, String> {
        signal(name, &format!("-{}", self.0.id()))?;
        until("it ends", || self.has_ended())?;
        let status = self.0.wait().map_err(|error| error.to_string())?;
        Ok(status.code())
    }

    /// Process of the drill that an xtask runs, once its ledger is there.
    fn inner(&mut self) -> Result<String, String> {
        let pid = self.pid();
        let mut found = None;
        until("xtask's drill has its ledger", || {
            found = descendants(&pid)
                .into_iter()
                .find(|child| !ledgers(child).is_empty());
            found.is_some() || self.has_ended()
        })?;
        found.ok_or_else(|| "it ended before its drill began".to_owned())
    }
}

impl Drop for Drill {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = signal("INT", &format!("-{}", self.0.id()));
            let _ = self.0.wait();
        }
    }
}

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["run", "--quiet", "--package", "xtask", "--"])
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command
}

fn killed_then_up(live: &Live) -> Result<(), String> {
    let file = live.scenario(PAUSED)?;
    let mut drill = live.drill(&file.display().to_string())?;
    let pid = drill.pid();
    until("the node stands still", || {
        live.state() == "paused" || drill.has_ended()
    })?;
    drill.kill()?;
    ensure("a killed drill leaves its ledger", ledgers(&pid).len() == 1)?;
    let status = printed(&mut xtask(&["kind", "status"]))?;
    ensure(
        &format!("the status names what is left: {status}"),
        status.contains("left behind"),
    )?;
    ensure(
        &format!("and that the node stands still: {status}"),
        status.contains("paused"),
    )?;
    printed(&mut xtask(&["kind", "up"]))?;
    ensure("the node runs again", live.state() == "running")?;
    ensure("the ledger is removed", ledgers(&pid).is_empty())
}

fn killed_then_next(live: &Live) -> Result<(), String> {
    let file = live.scenario(CUT)?;
    let mut drill = live.drill(&file.display().to_string())?;
    let killed = drill.pid();
    until("both cuts are made", || {
        live.chains() == 2 || drill.has_ended()
    })?;
    drill.kill()?;
    ensure("a killed drill leaves its rules", live.chains() == 2)?;
    let mut next = live.drill("latency-regression")?;
    let pid = next.pid();
    until("the next one has its ledger", || {
        !ledgers(&pid).is_empty() || next.has_ended()
    })?;
    ensure("it removed the rules", live.chains() == 0)?;
    ensure("it removed the other's ledger", ledgers(&killed).is_empty())?;
    // While it sets up the exchange or drills; either way there is something to clear.
    let code = next.interrupt()?;
    ensure(&format!("interrupted, not {code:?}"), code == Some(130))?;
    live.is_clear(&pid)
}

fn interrupted_xtask(live: &Live) -> Result<(), String> {
    let mut drill = live.start(xtask(&["chaos", "latency-regression", "--world", "kind"]))?;
    let inner = drill.inner()?;
    let code = drill.interrupt()?;
    ensure(&format!("interrupted, not {code:?}"), code == Some(130))?;
    live.is_clear(&inner)
}

/// Were the interrupted drill taken for a failed one, the other runbook's would begin, and the answer be another.
fn terminated_verify(live: &Live) -> Result<(), String> {
    let text = firedrill::runbooks::BUILT_IN;
    let changed = text.replacen("validation-window: 1h", "validation-window: 2h", 1);
    ensure("the runbook has the window to change", changed != text)?;
    let (old, new) = (live.folder.join("old.md"), live.folder.join("new.md"));
    for (file, text) in [(&old, text), (&new, changed.as_str())] {
        std::fs::write(file, text).map_err(|error| error.to_string())?;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(["runbook", "verify", "--world", "kind", "latency-regression"]);
    command.arg("--baseline").arg(&old);
    command.arg("--candidate").arg(&new);
    let mut verify = live.start(command)?;
    let pid = verify.pid();
    until("the drill has its ledger", || {
        !ledgers(&pid).is_empty() || verify.has_ended()
    })?;
    let code = verify.ended_by("TERM")?;
    ensure(&format!("interrupted, not {code:?}"), code == Some(130))?;
    live.is_clear(&pid)
}

fn killed_xtask(live: &Live) -> Result<(), String> {
    let mut drill = live.start(xtask(&["chaos", "latency-regression", "--world", "kind"]))?;
    let inner = drill.inner()?;
    // `cargo run` has become xtask.
    drill.kill()?;
    let running = format!("/proc/{inner}");
    until("the drill ends by itself", || {
        !std::path::Path::new(&running).exists()
    })?;
    live.is_clear(&inner)
}

/// The worked example recovers, and its namespace goes with the drill.
fn described(live: &Live) -> Result<(), String> {
    let app = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/apps/hello/app.toml"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    // The scenario with a fault: what the one without it shows, it shows, too.
    let scenario = ["chaos", "killed-pods", "--app", app];
    command.args(scenario).args(["--world", "kind", "--no-cut"]);
    let mut drill = live.start(command)?;
    until("the drill ends", || drill.has_ended())?;
    let status = drill.0.wait().map_err(|error| error.to_string())?;
    ensure(&format!("it passes: {status}"), status.success())?;
    let left = live.in_node(&[
        "kubectl",
        "--kubeconfig=/etc/kubernetes/admin.conf",
        "get",
        "namespaces",
        "-l",
        "firedrill-drill=described",
        "-o",
        "name",
    ])?;
    ensure(&format!("its namespace is gone: {left}"), left.is_empty())
}
