//! A PostgreSQL server of a test's own, on a free port of the loopback interface, stopped and removed when dropped.
//!
//! Each test that needs one has this file as a module, by its path, and uses what it needs of it.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The role that may do everything.
pub(crate) const OWNER: &str = "owner";

/// A running server.
pub(crate) struct Server {
    programs: PathBuf,
    directory: PathBuf,
    port: u16,
}

/// Where `initdb` and `pg_ctl` are: `PG_BINDIR`, the search path, or a distribution's usual place.
fn programs() -> Option<PathBuf> {
    let given = std::env::var_os("PG_BINDIR").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|found| {
            found
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    given
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(versions.into_iter().rev())
        .find(|directory| directory.join("initdb").is_file() && directory.join("pg_ctl").is_file())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| String::new(),
        |it| String::from_utf8_lossy(&it.stdout).trim().to_owned(),
    )
}

/// Whom the server runs as, if this is root.
fn other_user() -> Option<&'static str> {
    if output("id", &["-u"]) != "0" {
        return None;
    }
    Some(if output("id", &["-u", "postgres"]).is_empty() {
        "nobody"
    } else {
        "postgres"
    })
}

/// Makes a file, or a directory, the server's.
fn give_away(path: &Path) -> Result<(), String> {
    let Some(user) = other_user() else {
        return Ok(());
    };
    let mut chown = Command::new("chown");
    chown.arg(user).arg(path);
    run(chown)
}

/// A command that doesn't run as root, whom the server refuses to serve.
fn unprivileged(program: &Path) -> Command {
    let Some(user) = other_user() else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            user,
            "--regid",
            &output("id", &["-g", user]),
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Runs `suite` on a server of its own. Where PostgreSQL is not installed, says that it is left out.
pub(crate) fn on_a_server(suite: impl AsyncFnOnce(&Server)) {
    let server = match Server::start() {
        Ok(Some(server)) => server,
        Ok(None) => {
            // Not `println!`, which the test harness would keep to itself.
            let mut out = std::io::stderr();
            let _ = writeln!(
                out,
                "LEFT OUT: no PostgreSQL (initdb, pg_ctl) on this machine; set PG_BINDIR to its programs"
            );
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(suite(&server));
}

impl Server {
    /// Starts a server; `Ok(None)` if PostgreSQL is not installed.
    pub(crate) fn start() -> Result<Option<Self>, String> {
        Self::start_with("plain", &[])
    }

    /// Starts a server of which the directory of data holds these files, too.
    pub(crate) fn start_with(name: &str, files: &[(&str, &str)]) -> Result<Option<Self>, String> {
        let Some(programs) = programs() else {
            return Ok(None);
        };
        let directory =
            std::env::temp_dir().join(format!("firedrill-postgres-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        give_away(&directory)?;
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| error.to_string())?
            .port();
        let server = Self {
            programs,
            directory,
            port,
        };
        let mut initdb = unprivileged(&server.programs.join("initdb"));
        initdb
            .args([
                &format!("--username={OWNER}"),
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "-D",
            ])
            .arg(server.directory.join("data"));
        initdb.current_dir(&server.directory);
        run(initdb)?;
        for (name, text) in files {
            let file = server.directory.join("data").join(name);
            let written = fs::write(&file, text)
                .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o600)));
            written.map_err(|error| error.to_string())?;
            give_away(&file)?;
        }
        server.begin()?;
        Ok(Some(server))
    }

    fn begin(&self) -> Result<(), String> {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off",
            self.port
        );
        self.control(&["-o", &options, "-l", "log", "-w", "-t", "60", "start"])
    }

    /// Restarts it; sessions end as they do when an administrator restarts a server.
    pub(crate) fn restart(&self) {
        self.control(&["-m", "fast", "-w", "stop"])
            .expect("it stops");
        self.begin().expect("it starts again");
    }

    fn control(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = unprivileged(&self.programs.join("pg_ctl"));
        command
            .arg("-D")
            .arg(self.directory.join("data"))
            .args(arguments);
        // The server inherits these, so nobody may wait for their end.
        command
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command.status().map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        Err(format!("pg_ctl {arguments:?}: {status}\n{log}"))
    }

    /// The URL of `database` for `user`.
    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        format!("postgresql://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// How to connect as `user`.
    pub(crate) fn config(&self, user: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(user);
        config
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.control(&["-m", "immediate", "-w", "stop"]) {
            eprintln!("PostgreSQL was not stopped: {error}");
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!("{} was not removed: {error}", self.directory.display());
        }
    }
}
