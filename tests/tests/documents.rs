//! `rollback post-mortem` and `rollback scenario`: the documents of an incident can be written again from its
//! journal, by another host, and say the same.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use e2e::drills::plan;
use executor::ports::{EvidenceStore, Ports};
use executor::{Document, Executor, Options};
use firedrill::drill::run_decorated;
use firedrill::scenario::Scenario;
use sim::time::Micros;

#[derive(Default)]
struct Kept(Mutex<Vec<(String, String)>>);

#[async_trait]
impl EvidenceStore for Kept {
    async fn put(&self, name: &str, content: Bytes) -> Result<(), String> {
        let text = String::from_utf8_lossy(&content).into_owned();
        self.0
            .lock()
            .map_err(|e| e.to_string())?
            .push((name.to_owned(), text));
        Ok(())
    }
}

#[test]
fn they_are_written_again_from_the_journal() {
    let plan = plan("breaking-migration", 2);
    let runbook = Arc::clone(&plan.runbook.runbook);
    let kept = Arc::new(Kept::default());
    let store = Arc::clone(&kept);
    let result = run_decorated(&plan, &move |world: &sim_exchange::World, ports: Ports| {
        let world = world.clone();
        let elsewhere = Ports {
            evidence: store.clone(),
            ..ports.clone()
        };
        let executor = Executor::new(elsewhere, Arc::clone(&runbook), Options::new("elsewhere"));
        tokio::spawn(async move {
            // The rollback is long over.
            world.sleep_until(Micros::from_secs(850)).await;
            for document in [Document::PostMortem, Document::Scenario] {
                executor.document(document).await.expect("written");
            }
        });
        ports
    })
    .expect("the world builds");
    let again = kept.0.lock().expect("not poisoned");
    assert_eq!(again.len(), 2);
    for (name, text) in again.iter() {
        let first = result
            .files
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not among {:?}", result.files.keys()));
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        if name.ends_with("scenario.toml") {
            let scenario = |text: &str| Scenario::parse("again.toml", text, &[]).expect("it loads");
            let (first, again) = (scenario(first), scenario(text));
            assert_eq!(first.release, again.release);
            assert_eq!(first.timing, again.timing);
            assert_eq!(first.expect, again.expect);
        } else {
            // What happened after the first writing is new; all that was there stays.
            let timeline = |text: &str| {
                lines(text)
                    .into_iter()
                    .filter(|l| l.starts_with('|'))
                    .collect::<Vec<_>>()
            };
            let (first, text) = (timeline(first), timeline(text));
            assert!(
                first.len() > 10 && first.iter().all(|l| text.contains(l)),
                "{first:#?}\n{text:#?}"
            );
        }
    }
}
