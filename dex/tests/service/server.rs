//! A PostgreSQL server of the tests' own, on a free port of the loopback interface, stopped and removed when dropped.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// A command that doesn't run as root, whom the server refuses to serve.
fn unprivileged(program: &Path) -> Command {
    if output("id", &["-u"]) != "0" {
        return Command::new(program);
    }
    let user = if output("id", &["-u", "postgres"]).is_empty() {
        "nobody"
    } else {
        "postgres"
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

impl Server {
    /// Starts a server; `Ok(None)` if PostgreSQL is not installed.
    pub(crate) fn start() -> Result<Option<Self>, String> {
        let Some(programs) = programs() else {
            return Ok(None);
        };
        let directory =
            std::env::temp_dir().join(format!("firedrill-services-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        if output("id", &["-u"]) == "0" {
            let user = if output("id", &["-u", "postgres"]).is_empty() {
                "nobody"
            } else {
                "postgres"
            };
            let mut chown = Command::new("chown");
            chown.arg(user).arg(&directory);
            run(chown)?;
        }
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
                "--username=owner",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "-D",
            ])
            .arg(server.directory.join("data"));
        initdb.current_dir(&server.directory);
        run(initdb)?;
        let options = server.options();
        server.control(&["-o", &options, "-l", "log", "-w", "-t", "60", "start"])?;
        Ok(Some(server))
    }

    /// Restarts it; sessions end as they do when an administrator restarts a server.
    pub(crate) fn restart(&self) {
        let options = self.options();
        self.control(&["-m", "fast", "-w", "stop"])
            .expect("it stops");
        self.control(&["-o", &options, "-l", "log", "-w", "-t", "60", "start"])
            .expect("it starts again");
    }

    fn options(&self) -> String {
        format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off",
            self.port
        )
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
