//! `watcher` and `reflector` of kube-rs against the served cluster: what programs in Rust keep their caches by.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;

use conformance::world::{Reach, with_cluster};
use futures::future::select;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use kube_runtime::watcher::{self, Event, watcher};
use kube_runtime::{WatchStreamExt as _, reflector};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The label of the objects that are watched.
const LABEL: &str = "watched";

/// Runs `program` with a client of a served cluster, and how to reach that cluster.
fn with_client<F: Future<Output = ()>>(program: impl FnOnce(Client, Reach) -> F + Send + 'static) {
    let ran = with_cluster(None, |reach| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            program(client(&reach.kubeconfig).await, reach).await;
        });
    });
    ran.expect("the cluster is served");
}

async fn client(kubeconfig: &str) -> Client {
    let read = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(read, &options).await;
    let config = config.expect("it leads somewhere");
    Client::try_from(config).expect("a client")
}

fn map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([(LABEL.to_owned(), "yes".to_owned())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("key".to_owned(), "one".to_owned())])),
        ..ConfigMap::default()
    }
}

async fn create(maps: &Api<ConfigMap>, name: &str) {
    let made = maps.create(&PostParams::default(), &map(name)).await;
    made.expect("it is made");
}

async fn change(maps: &Api<ConfigMap>, name: &str) {
    let patch = Patch::Merge(json!({"data": {"key": "two"}}));
    let changed = maps.patch(name, &PatchParams::default(), &patch).await;
    changed.expect("it is changed");
}

async fn delete(maps: &Api<ConfigMap>, name: &str) {
    let deleted = maps.delete(name, &DeleteParams::default()).await;
    deleted.expect("it is deleted");
}

/// An event in words: what happened to whom, and what its key says.
fn told(event: &Event<ConfigMap>) -> String {
    let of = |what: &str, map: &ConfigMap| {
        let name = map.metadata.name.as_deref().unwrap_or_default();
        let key = map.data.as_ref().and_then(|data| data.get("key"));
        format!("{what} {name} {}", key.map_or("", String::as_str))
    };
    match event {
        Event::Init => "init".to_owned(),
        Event::InitApply(map) => of("init", map),
        Event::InitDone => "init done".to_owned(),
        Event::Apply(map) => of("apply", map),
        Event::Delete(map) => of("delete", map),
    }
}

/// The next so many events in words. Errors are passed over: the watcher tries again.
async fn next(
    events: &mut (impl Stream<Item = watcher::Result<Event<ConfigMap>>> + Unpin),
    many: usize,
) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < many {
        let next = events.next().await.expect("a watcher has no end");
        all.extend(next.ok().as_ref().map(told));
    }
    all
}

fn watched() -> watcher::Config {
    watcher::Config::default().labels(LABEL)
}

/// A watcher that begins in the way of `config` sees what is there, and then what comes.
fn sees_all(config: watcher::Config) {
    with_client(|client, _| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(client);
        create(&maps, "a").await;
        let mut events = pin!(watcher(maps.clone(), config));
        let begun = next(&mut events, 3).await;
        assert_eq!(begun, ["init", "init a one", "init done"]);
        create(&maps, "b").await;
        change(&maps, "a").await;
        delete(&maps, "b").await;
        let seen = next(&mut events, 3).await;
        assert_eq!(seen, ["apply b one", "apply a two", "delete b one"]);
    });
}

#[test]
fn a_watcher_that_lists_sees_what_is_made_changed_and_deleted() {
    sees_all(watched());
}

#[test]
fn a_watcher_that_streams_its_list_sees_what_is_made_changed_and_deleted() {
    sees_all(watched().streaming_lists());
}

/// A line to the API server that can be cut.
struct Line {
    address: SocketAddr,
    /// Whether it is whole.
    whole: watch::Sender<bool>,
}

impl Line {
    /// Lays a line to `server`.
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing is simulated here, and in which order connections end does not matter"
    )]
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (whole, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let state = state.clone();
                tokio::spawn(carry(near, server, state));
            }
        });
        Self { address, whole }
    }

    /// Cuts it, or makes it whole again.
    fn set(&self, whole: bool) {
        self.whole.send_replace(whole);
    }
}

/// Carries what is said on one connection, until that ends or the line is cut.
async fn carry(mut near: TcpStream, server: SocketAddr, mut whole: watch::Receiver<bool>) {
    if !*whole.borrow_and_update() {
        return;
    }
    let Ok(mut far) = TcpStream::connect(server).await else {
        return;
    };
    let carried = pin!(tokio::io::copy_bidirectional(&mut near, &mut far));
    let cut = pin!(whole.changed());
    select(carried, cut).await;
}

/// What the cache of a reflector holds, in the order of names.
fn kept(cache: &reflector::Store<ConfigMap>) -> Vec<String> {
    let mut all: Vec<String> = cache
        .state()
        .iter()
        .map(|it| told(&Event::Apply((**it).clone())))
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn a_reflector_whose_line_was_cut_goes_on_where_it_was() {
    with_client(|client, reach| async move {
        let here: Api<ConfigMap> = Api::default_namespaced(client);
        let server = reach.server.trim_start_matches("http://");
        let server = server.split('/').next().unwrap_or_default();
        let line = Line::to(server.parse().expect("an address")).await;
        let through = reach.kubeconfig.replace(server, &line.address.to_string());
        assert_ne!(through, reach.kubeconfig, "it leads through the line");
        let there: Api<ConfigMap> = Api::default_namespaced(self::client(&through).await);
        create(&here, "a").await;
        create(&here, "c").await;

        let (cache, writer) = reflector::store();
        let events = watcher(there, watched()).default_backoff();
        let mut events = pin!(reflector(writer, events));
        let begun = next(&mut events, 4).await;
        assert_eq!(begun, ["init", "init a one", "init c one", "init done"]);
        // The watch is open once it has brought something.
        create(&here, "d").await;
        assert_eq!(next(&mut events, 1).await, ["apply d one"]);

        line.set(false);
        change(&here, "a").await;
        create(&here, "b").await;
        delete(&here, "c").await;
        assert_eq!(
            kept(&cache),
            ["apply a one", "apply c one", "apply d one"],
            "nothing comes through"
        );
        let failed = events.next().await.expect("a watcher has no end");
        assert!(failed.is_err(), "the watcher sees that: {failed:?}");
        line.set(true);
        // It does not begin anew: what came meanwhile comes as it was, each once.
        let missed = next(&mut events, 3).await;
        assert_eq!(missed, ["apply a two", "apply b one", "delete c one"]);
        assert_eq!(kept(&cache), ["apply a two", "apply b one", "apply d one"]);
    });
}
