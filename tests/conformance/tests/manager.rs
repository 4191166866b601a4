//! A controller-runtime manager against the served cluster: its caches, its leader election, its writes by server-side
//! apply, and its end. The program is `manager`, in Go; where Go or its modules can't be had, this says so.

#[path = "../../support/go.rs"]
mod go;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use conformance::world::{Reach, with_cluster};
use serde_json::{Value, json};

/// The manager keeps time by itself, so the world keeps pace: ten virtual seconds for one of the wall clock.
const SPEED: u32 = 10;
/// What is waited for must come within so many seconds of virtual time.
const PATIENCE_S: u32 = 600;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const EVENTS: &str = "/api/v1/namespaces/default/events";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

/// Somebody at the API server, and the managers beside them.
struct Session {
    reach: Reach,
    program: PathBuf,
    folder: tempfile::TempDir,
}

/// A manager at work; killed where a test fails.
struct Manager(Child);

impl Drop for Manager {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Manager {
    /// Asks it to end, and waits for that; its exit code.
    fn end(mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.expect("there is `kill`").success());
        self.0.wait().expect("it is a child").code()
    }
}

impl Session {
    fn start(&self, name: &str) -> Manager {
        let folder = self.folder.path();
        let kubeconfig = folder.join("kubeconfig");
        fs::write(&kubeconfig, &self.reach.kubeconfig).expect("it is written");
        let log = File::create(folder.join(format!("{name}.log"))).expect("it is made");
        let child = Command::new(&self.program)
            .arg(kubeconfig)
            .arg(name)
            .env_remove("http_proxy")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Manager(child.expect("it was just built"))
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> ureq::http::Response<ureq::Body> {
        let of_type = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.reach.server))
            .header("Content-Type", of_type)
            .body(body.to_string())
            .expect("a request");
        ureq::run(request).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn write(&self, method: &str, path: &str, body: &Value) {
        self.ask(method, path, body);
    }

    fn get(&self, path: &str) -> Value {
        let text = self
            .ask("GET", path, &Value::Null)
            .into_body()
            .read_to_string();
        serde_json::from_str(&text.expect("text")).expect("JSON")
    }

    /// Watches `collection` until an event is as `wanted`; its object. An event is its type with the object. What the
    /// collection holds already comes first.
    fn wait(&self, collection: &str, what: &str, wanted: impl Fn(&str, &Value) -> bool) -> Value {
        self.wait_since("", collection, what, wanted)
    }

    /// As [`Session::wait`], for what happened after `version` of the collection, which may have happened already.
    fn wait_since(
        &self,
        version: &str,
        collection: &str,
        what: &str,
        wanted: impl Fn(&str, &Value) -> bool,
    ) -> Value {
        let path = format!(
            "{collection}?watch=true&timeoutSeconds={PATIENCE_S}&resourceVersion={version}"
        );
        let events = self.ask("GET", &path, &Value::Null).into_body();
        for line in BufReader::new(events.into_reader()).lines() {
            let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            let kind = event["type"].as_str().unwrap_or_default();
            if wanted(kind, &event["object"]) {
                return event["object"].clone();
            }
        }
        panic!("{what} never came. {}", self.logs());
    }

    /// What the managers wrote.
    fn logs(&self) -> String {
        let mut told = String::new();
        for name in ["first", "second"] {
            let log = fs::read_to_string(self.folder.path().join(format!("{name}.log")));
            told.push_str(&format!("{name}:\n{}", log.unwrap_or_default()));
        }
        told
    }

    /// Waits until the manager `by` has labelled the Deployment with this `generation`.
    fn wait_for_label(&self, generation: &str, by: &str) -> Value {
        let what = format!("the label {generation} by {by}");
        self.wait(DEPLOYMENTS, &what, |_, it| {
            let labels = &it["metadata"]["labels"];
            labels["conformance/seen"] == generation && labels["conformance/by"] == by
        })
    }

    fn wait_for_map(&self, generation: &str, other_than: &Value) -> Value {
        self.wait(MAPS, "the ConfigMap", |kind, it| {
            kind != "DELETED"
                && it["metadata"]["name"] == "web-seen"
                && it["metadata"]["uid"] != *other_than
                && it["data"]["generation"] == generation
        })
    }

    fn release(&self, image: &str) {
        let containers = json!([{"name": "web", "image": image}]);
        let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        self.write("PATCH", &format!("{DEPLOYMENTS}/web"), &patch);
    }

    fn lease(&self) -> Value {
        self.get(&format!("{LEASES}/labeller"))["spec"].clone()
    }
}

fn deployment() -> Value {
    let labels = json!({"app": "web"});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    })
}

/// What the manager does, from its start to the end of a second one that takes over.
fn play(session: &Session) {
    session.write("POST", DEPLOYMENTS, &deployment());
    let first = session.start("first");
    let labelled = session.wait_for_label("1", "first");
    let fields = labelled["metadata"]["managedFields"].as_array();
    let applied = fields
        .into_iter()
        .flatten()
        .find(|it| it["manager"] == "labeller");
    let applied = applied.expect("what is applied has an owner");
    assert_eq!(applied["operation"], "Apply");
    let labels = &applied["fieldsV1"]["f:metadata"]["f:labels"];
    assert!(labels["f:conformance/seen"].is_object(), "{applied}");
    assert!(labels["f:app"].is_null(), "{applied}");
    session.wait(EVENTS, "the event", |_, it| {
        it["reason"] == "Seen"
            && it["message"] == "Saw generation 1"
            && it["involvedObject"]["uid"] == labelled["metadata"]["uid"]
    });

    // A ConfigMap that the Deployment owns is made again where somebody deletes it: its metadata is watched.
    let map = session.wait_for_map("1", &Value::Null);
    let owner = &map["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], labelled["metadata"]["uid"]);
    assert_eq!(owner["controller"], true);
    session.write("DELETE", &format!("{MAPS}/web-seen"), &json!({}));
    session.wait_for_map("1", &map["metadata"]["uid"]);

    // A second manager stands by as long as the first one holds the Lease.
    let held = session.lease();
    let second = session.start("second");
    session.release("web:2");
    session.wait_for_label("2", "first");
    session.wait_for_map("2", &Value::Null);
    assert_eq!(session.lease()["holderIdentity"], held["holderIdentity"]);

    // The first one gives the Lease back, and the second one takes over.
    assert_eq!(first.end(), Some(0), "{}", session.logs());
    session.wait(LEASES, "the second holder", |_, it| {
        let holder = it["spec"]["holderIdentity"].as_str().unwrap_or_default();
        !holder.is_empty() && it["spec"]["holderIdentity"] != held["holderIdentity"]
    });
    session.release("web:3");
    session.wait_for_label("3", "second");

    // What the Deployment owned is removed with it.
    let before = session.get(MAPS)["metadata"]["resourceVersion"].clone();
    let before = before.as_str().expect("a list has a version");
    session.write("DELETE", &format!("{DEPLOYMENTS}/web"), &json!({}));
    session.wait_since(before, MAPS, "the end of the ConfigMap", |kind, it| {
        kind == "DELETED" && it["metadata"]["name"] == "web-seen"
    });
    assert_eq!(second.end(), Some(0), "{}", session.logs());
    assert_eq!(session.lease()["holderIdentity"], "");
}

#[test]
fn a_controller_runtime_manager_works_and_hands_over() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("manager");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manager");
    if !go::build(&source, &program, "the controller-runtime manager") {
        return;
    }
    let played = with_cluster(Some(SPEED), move |reach| {
        let folder = tempfile::tempdir().expect("a folder");
        let session = Session {
            reach,
            program,
            folder,
        };
        play(&session);
    });
    played.expect("the cluster is served");
}
