//! An executor that is a program of its own, as somebody else would write it: plain HTTP against the API server, one
//! request after the other. Its first argument says how it behaves: `careful`, `hasty`, `undoes` (the schema, too),
//! `fails` or `claims`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

struct World {
    server: String,
    token: String,
    namespace: String,
    evidence: PathBuf,
}

type Done<T> = Result<T, String>;

fn variable(name: &str) -> Done<String> {
    std::env::var(name).map_err(|_| format!("{name} is not set"))
}

impl World {
    fn new() -> Done<Self> {
        Ok(Self {
            server: variable("FIREDRILL_SERVER")?,
            token: variable("FIREDRILL_TOKEN")?,
            namespace: variable("FIREDRILL_NAMESPACE")?,
            evidence: variable("FIREDRILL_EVIDENCE")?.into(),
        })
    }

    fn deployments(&self) -> String {
        format!(
            "{}/apis/apps/v1/namespaces/{}/deployments",
            self.server, self.namespace
        )
    }

    fn text(&self, url: &str) -> Done<String> {
        let answer = ureq::get(url)
            .header("Authorization", &format!("Bearer {}", self.token))
            .call()
            .and_then(|mut answer| answer.body_mut().read_to_string());
        answer.map_err(|error| format!("GET {url}: {error}"))
    }

    fn get(&self, url: &str) -> Done<Value> {
        serde_json::from_str(&self.text(url)?).map_err(|error| format!("{url}: {error}"))
    }

    fn patch(&self, url: &str, of_type: &str, body: &Value) -> Done<()> {
        let sent = ureq::patch(url)
            .header("Authorization", &format!("Bearer {}", self.token))
            .header("Content-Type", of_type)
            .send(&body.to_string());
        sent.map_err(|error| format!("PATCH {url}: {error}"))?;
        Ok(())
    }

    fn clock(&self, what: &str) -> Done<String> {
        let url = format!("{}/firedrill/v1/{what}", self.server);
        let answer = ureq::post(&url)
            .header("Authorization", &format!("Bearer {}", self.token))
            .send_empty()
            .and_then(|mut answer| answer.body_mut().read_to_string());
        answer.map_err(|error| format!("POST {url}: {error}"))
    }

    /// An operation of the ledger's database.
    fn ledger(&self, operation: &str, arguments: &Value) -> Done<Value> {
        let url = format!("{}/firedrill/v1/store/{operation}", self.server);
        let answer = ureq::post(&url)
            .header("Authorization", &format!("Bearer {}", self.token))
            .send(&arguments.to_string())
            .and_then(|mut answer| answer.body_mut().read_to_string());
        let answer = answer.map_err(|error| format!("POST {url}: {error}"))?;
        serde_json::from_str(&answer).map_err(|error| format!("{answer}: {error}"))
    }

    fn trading(&self, mode: &str) -> Done<()> {
        let url = format!(
            "{}/api/v1/namespaces/{}/configmaps/dex-trading",
            self.server, self.namespace
        );
        let body = json!({"data": {"mode": mode}});
        self.patch(&url, "application/merge-patch+json", &body)
    }

    /// Where the templates of before the release are kept, for every host.
    fn baseline(&self) -> PathBuf {
        self.evidence.with_file_name("baseline.json")
    }
}

fn prepare(world: &World) -> Done<()> {
    let all = world.get(&world.deployments())?;
    let path = world.baseline();
    std::fs::write(&path, all.to_string()).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs the undo script of version 2, while nobody writes.
fn undo_schema(world: &World) -> Done<()> {
    world.ledger("fence", &json!({"token": 1}))?;
    let maps = format!(
        "{}/api/v1/namespaces/{}/configmaps/dex-migrations",
        world.server, world.namespace
    );
    let scripts = world.get(&maps)?;
    let name = "U2__decimal_ledger.sql";
    let undo = json!({"version": "2", "name": name, "sql": scripts["data"][name], "token": 1});
    world.ledger("undo", &undo)?;
    let history = world.ledger("history", &Value::Null)?;
    let mut rows = history.as_array().into_iter().flatten();
    if rows.any(|row| row["version"] == "2") {
        return Err(format!("version 2 is still there: {history}"));
    }
    Ok(())
}

fn run(world: &World, how: &str) -> Done<()> {
    world.trading("maintenance")?;
    if how == "undoes" {
        undo_schema(world)?;
    }
    let path = world.baseline();
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let before: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let mut changed = Vec::new();
    for deployment in before["items"].as_array().into_iter().flatten() {
        let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
        let url = format!("{}/{name}", world.deployments());
        let now = world.get(&url)?;
        let template = &deployment["spec"]["template"];
        if now["spec"]["template"] != *template {
            let body = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
            world.patch(&url, "application/json-patch+json", &body)?;
            changed.push(url);
        }
    }
    for url in changed {
        loop {
            let now = world.get(&url)?;
            let status = &now["status"];
            let of = |field: &str| status[field].as_u64().unwrap_or(0);
            let wanted = now["spec"]["replicas"].as_u64().unwrap_or(0);
            let seen = status["observedGeneration"] == now["metadata"]["generation"];
            let counts = ["updatedReplicas", "availableReplicas", "replicas"];
            if seen && counts.iter().all(|field| of(field) == wanted) {
                break;
            }
            world.clock("sleep?seconds=1")?;
        }
    }
    if how == "undoes" {
        world.ledger("unfence", &json!({"token": 1}))?;
    }
    world.trading("open")?;
    if how != "hasty" {
        // A gateway looks at the flag every few seconds.
        world.clock("sleep?seconds=10")?;
    }
    let path = variable("FIREDRILL_RECOVERED_AT")?;
    std::fs::write(&path, world.clock("date")?).map_err(|error| format!("{path}: {error}"))
}

fn main() -> ExitCode {
    let how = std::env::args().nth(1).unwrap_or_default();
    let done = World::new().and_then(|world| match variable("FIREDRILL_PHASE")?.as_str() {
        "prepare" => prepare(&world),
        _ if how == "fails" => Err("the cluster looks strange to me".to_owned()),
        // It claims a recovery, and has done nothing.
        _ if how == "claims" => Ok(()),
        _ => run(&world, &how),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
